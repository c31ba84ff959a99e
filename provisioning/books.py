"""The phone books of accounts: one per account and family, sealed in the store, for all its phones."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import structlog
from celery.exceptions import OperationalError as BrokerAway
from django.db import transaction
from django.utils import timezone

from accounts.models import Account
from accounts.sealing import SealError
from devices import directory
from devices.catalog import catalog
from devices.models import Device
from provisioning import publishing, store, tokens, wire
from provisioning.compiling import CompiledFile, CompileError, compile_books
from provisioning.edge.sealed import open_file, seal_file
from provisioning.models import Outbox

log = structlog.get_logger(__name__)

SWEPT = 500


def directory_changed(account: Account) -> None:
    """Have the account's phone books made anew after the commit; its phones' own files stay as they are."""
    due_at = timezone.now() + publishing.COMPILED_BY
    Outbox.objects.create(what=Outbox.What.BOOK, details={"account": account.pk}, due_at=due_at)
    compile_later(account.pk)


def compile_later(account_id: int) -> None:
    """Hand an account's phone books to the workers after the commit; the sweeper finds what gets lost."""

    def ask() -> None:
        from provisioning import tasks

        try:
            tasks.compile_books.apply_async(args=[account_id])
        except (store.Away, BrokerAway, OSError) as error:
            log.warning("phone books not queued, the sweeper will", error=type(error).__name__)

    transaction.on_commit(ask, robust=True)


def sweep(now: datetime) -> int:
    """Have those made that their author's task did not bring; returns how many accounts."""
    due = Outbox.objects.filter(what=Outbox.What.BOOK, due_at__lte=now)
    rows = list(due.values_list("pk", "details__account")[:SWEPT])
    Outbox.objects.filter(pk__in=[pk for pk, _ in rows]).update(due_at=now + publishing.COMPILED_BY)
    accounts = sorted({account for _, account in rows})
    for account in accounts:
        compile_later(account)
    return len(accounts)


def publish_waiting(account_id: int) -> int:
    """Publish an account's phone books where a change of them waits; returns how many. Raises store.Away.

    Of many changes in a row the first task publishes all, and the others find nothing to do.
    """
    waiting = Outbox.objects.filter(what=Outbox.What.BOOK, details__account=account_id)
    told = list(waiting.values_list("pk", flat=True))
    if not told:
        return 0
    published = publish(account_id)
    Outbox.objects.filter(pk__in=told).delete()
    return published


def publish(account_id: int, families: Collection[str] | None = None) -> int:
    """Compile and store the phone books of an account, for the families that have phones there.

    The number is read before the rows: a slow compile never wins over a newer one. Raises store.Away.
    """
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        return 0
    if families is None:
        rows = Device.objects.filter(account=account).order_by().values_list("family", flat=True)
        families = set(rows.distinct())
    revision = directory.revision(account_id)
    entries = directory.entries(account)
    code, batch, written = account.code.hex, store.Batch(), 0
    for family in sorted(catalog().families.keys() & set(families)):
        try:
            books = compile_books(family, entries)
        except CompileError as error:
            log.error("a phone book cannot be compiled", account=code, family=family, error=str(error))
            continue
        for file in books:
            key = wire.book_key(code, family, file.name)
            batch.newer(key, revision, wire.pack_file(_stored(code, family, file, revision)))
            written += 1
    batch.write()
    return written


def publish_missing(devices: Iterable[Device]) -> None:
    """See to it that the phone book of each of these phones lies in the store. Raises store.Away."""
    wanted: dict[tuple[int, str], list[bytes]] = {}
    for device in devices:
        family = catalog().families.get(device.family)
        if family is not None and (device.account_id, family.code) not in wanted:
            names = [file.path for file in family.files if file.book]
            account = device.account.code.hex
            wanted[device.account_id, family.code] = [wire.book_key(account, family.code, n) for n in names]
    keys = [key for needed in wanted.values() for key in needed]
    if not keys:
        return
    there: dict[bytes, Any] = dict(zip(keys, store.client().mget(keys), strict=True))
    for (account_id, code), needed in wanted.items():
        if not all(_is_good(key, there[key]) for key in needed):
            publish(account_id, [code])


def withdraw(account: Account) -> None:
    """Take the phone books of an account that is removed for good out of the store."""
    code = account.code.hex
    batch = store.Batch()
    for family in catalog().families.values():
        batch.remove(wire.book_key(code, family.code, file.path) for file in family.files if file.book)
    try:
        batch.write()
    except store.Away as error:
        # No token leads there any more, and a rebuilt store holds none of it.
        log.warning("store away, phone books stay until it is rebuilt", account=code, error=str(error))


def _is_good(key: bytes, blob: bytes | None) -> bool:
    """Whether this can be opened; after a change of keys or of the dictionary it cannot."""
    if blob is None:
        return False
    account, family, name = wire.book_of_key(key)
    try:
        open_file(tokens.keyring(), account, wire.book_about(family, name), wire.unpack_file(blob).sealed)
    except (SealError, wire.WireError):
        return False
    return True


def _stored(code: str, family: str, file: CompiledFile, revision: int) -> wire.StoredFile:
    sealed = seal_file(tokens.keyring(), code, wire.book_about(family, file.name), file.body)
    return wire.StoredFile(revision, file.content_type, sealed)
