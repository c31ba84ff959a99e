"""What changed reaches the store: lock summaries before the caller has his answer, files soon after.

1. A verb calls `device_changed` and its kin inside its transaction: the revision grows and an outbox row is
   written with the change.
2. On commit the summaries are written; a file whose revision is no longer its token's is stale from then on.
3. Files follow by Celery; the sweeper finishes what a crash, or a store that was away, left in the outbox.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta

import structlog
from celery.exceptions import OperationalError as BrokerAway
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import Account
from accounts.scope import below
from devices.catalog import catalog
from devices.models import Device
from provisioning import facts, pressed, store, wire
from provisioning.gate import TokenKind
from provisioning.models import ListsVersion, Lock, Outbox, Proof, Token, Upload
from security.models import AllowedNetwork, Ban
from security.networks import Network

log = structlog.get_logger(__name__)

CHUNK = 500
TOMBSTONE_TIME = 300
SWEEP_AFTER = timedelta(seconds=3)  # by then its own author has published it, or never will
COMPILED_BY = timedelta(seconds=60)  # by then a worker has compiled it, or its task is lost
COMPILED_A_SECOND = 100  # the slowest that a worker is expected to be

_told: ContextVar[set[int] | None] = ContextVar("told", default=None)
_waiting: ContextVar[dict[int, bool] | None] = ContextVar("waiting", default=None)


# --- called by verbs, inside their transaction ------------------------------------------------


def device_changed(device_id: int, *, files: bool = False) -> None:
    """This device's lock or tokens changed; with `files` also what its files say."""
    devices_changed([device_id], files=files)


def devices_changed(device_ids: Sequence[int], *, files: bool = False, queue: bool = True) -> None:
    """As `device_changed`, for many; without `queue` the caller compiles the files himself."""
    ids = list(device_ids)
    told = _told.get()
    if told is not None:
        told.update(ids if files else ())
        return
    if not ids:
        return
    due_at = _due(len(ids) if files else 0)
    grow = {"revision": F("revision") + 1} | ({"files_revision": F("files_revision") + 1} if files else {})
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        Lock.objects.filter(pk__in=chunk).update(**grow)
        Outbox.objects.bulk_create(
            Outbox(what=Outbox.What.DEVICE, device_id=pk, details={"files": files}, due_at=due_at)
            for pk in chunk
        )
    waiting = _waiting.get()
    if waiting is None:
        _on_commit(_publish_now, ids, files and queue)
    else:
        _on_commit(_let_wait, waiting, ids, files and queue)


@contextmanager
def together() -> Iterator[None]:
    """Publish in one go, at the end, what the verbs inside have changed of devices and was committed."""
    waiting: dict[int, bool] = {}
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
        _on_commit(_publish_waiting, waiting)


def claimed(device_id: int) -> None:
    """New tokens: their files are compiled at once, ahead of all other work, since the phone asks next."""
    Lock.objects.filter(pk=device_id).update(revision=F("revision") + 1)
    Outbox.objects.create(
        what=Outbox.What.DEVICE, device_id=device_id, details={"files": True}, due_at=_due(1)
    )
    _on_commit(_publish_claim, device_id)


def account_changed(account: Account, *, files: bool = False) -> None:
    """Every device of the account and of those below it changed."""
    devices = Device.objects.filter(below([account.path], "account__path"))
    devices_changed(list(devices.values_list("pk", flat=True)), files=files)


def reached_changed(reached: Callable[[], Sequence[int]]) -> None:
    """The files of the devices that it names changed; asked once more when this is committed.

    Two changes at once do not see each other: one leaves a phone alone for the value nearer to it, which the
    other takes back meanwhile. Whichever commits first, one of the two asks when both are there to be seen.
    """
    told = set(reached())
    devices_changed(sorted(told), files=True)

    def catch_up() -> None:
        with transaction.atomic():
            devices_changed(sorted(set(reached()) - told), files=True)

    _on_commit(catch_up)


def device_gone(device: Device) -> None:
    """The device is about to be deleted, or to get another MAC: its MAC is unknown from the commit on."""
    withdrawn(device, mac=device.mac)


def withdrawn(device: Device, *, mac: str = "") -> None:
    """What the device was given so far is dead: its tokens and their files go with the commit.

    To be called while the row still says what it was, and before the revision grows for what it will be. With
    `mac` a tombstone stands over that MAC.
    """
    lock = Lock.objects.get(pk=device.pk)
    uploads = Upload.objects.filter(device=device).values_list("name", flat=True)
    details = {
        "mac": mac,
        "revision": lock.revision + 1,
        "tokens": list(Token.objects.filter(mac=device.mac).values_list("hash", flat=True)),
        "files": [*_compiled_names(device.family, device.mac), *uploads],
        "proved": [device.mac, list(Proof.objects.filter(device=device).values_list("first", flat=True))],
    }
    row = Outbox.objects.create(what=Outbox.What.GONE, details=details, due_at=_due(0))
    _on_commit(_quietly, publish_gone, [row])


def lists_changed() -> None:
    """Windows, sites, blocked, banned or allowed networks changed."""
    _grow_lists()
    row = Outbox.objects.create(what=Outbox.What.LISTS, due_at=_due(0))
    _on_commit(_quietly, publish_lists, [row.pk])


def ban_lifted(ban: Ban) -> None:
    """An earned ban was lifted by somebody: its address is free with the commit."""
    details = {"first": ban.first, "last": ban.last, "until": ban.ends_at.timestamp()}
    row = Outbox.objects.create(what=Outbox.What.ADDRESS, details=details, due_at=_due(0))
    _on_commit(_quietly, publish_lifted, [row])


def republish_all(*, queue: bool = True) -> int:
    """Compile and publish every device anew; returns how many there are."""
    ids = list(Lock.objects.order_by("pk").values_list("pk", flat=True))
    with transaction.atomic():
        devices_changed(ids, files=True, queue=queue)
        lists_changed()
    return len(ids)


@contextmanager
def collected() -> Iterator[set[int]]:
    """Within it, phones whose files changed are named in the set and not published.

    For a change that is tried out and undone: its caller rolls everything back.
    """
    told: set[int] = set()
    token = _told.set(told)
    try:
        yield told
    finally:
        _told.reset(token)


# --- writing to the store ------------------------------------------------


def publish_devices(
    device_ids: Sequence[int], *, now: datetime | None = None, all_tokens: bool = False
) -> int:
    """Write the lock summaries and tokens of these devices; returns how many. Raises store.Away."""
    now = now or timezone.now()
    written = 0
    for start in range(0, len(device_ids), CHUNK):
        chunk = list(device_ids[start : start + CHUNK])
        told = list(
            Outbox.objects.filter(
                what=Outbox.What.DEVICE, device__in=chunk, details__files=False
            ).values_list("pk", flat=True)
        )
        batch = store.Batch()
        found = facts.records(chunk, now, all_tokens=all_tokens)
        for record in found.values():
            revision = record.lock.revision
            batch.newer(wire.mac_key(record.lock.facts.mac), revision, wire.pack_lock(record.lock))
            names = _compiled_names(record.lock.facts.family, record.lock.facts.mac)
            for name, token in record.tokens.items():
                batch.newer(wire.token_key(name), revision, wire.pack_token(token))
                if token.facts.kind is TokenKind.DEAD:
                    batch.remove(wire.file_key(name, file) for file in names)
        batch.write()
        if told:
            Outbox.objects.filter(pk__in=told).delete()
        written += len(found)
    return written


def publish_gone(rows: Iterable[Outbox]) -> None:
    """Put a tombstone over a MAC that is on no device, and its tokens among the dead. Raises store.Away."""
    for row in rows:
        details = row.details
        batch = store.Batch()
        revision = details["revision"]
        if details["mac"]:
            key = wire.mac_key(details["mac"])
            batch.newer(key, revision, wire.tombstone(revision), seconds=TOMBSTONE_TIME)
        for token in Token.objects.filter(hash__in=details["tokens"], kind=TokenKind.DEAD.value):
            record = facts.token_record(token, revision=revision)
            batch.newer(wire.token_key(token.hash), revision, wire.pack_token(record))
            batch.remove(wire.file_key(token.hash, name) for name in details["files"])
        batch.write()
        unprove(*details.get("proved", ("", ())))
        Outbox.objects.filter(pk=row.pk).delete()


def unprove(mac: str, origins: Iterable[str]) -> None:
    """The phone with this MAC counts no longer where it was proved (B1). Raises store.Away."""
    for first in origins:
        for place in pressed.places(int(first, 16)):
            store.client().hdel(place.proved, mac)


def publish_lifted(rows: Iterable[Outbox]) -> None:
    """End these earned bans in the store, where they still stand. Raises store.Away."""
    for row in rows:
        place = pressed.place_of(Network.from_hex(row.details["first"], row.details["last"]))
        command = pressed.lift_command(place, until=row.details["until"], notes=wire.NOTES)
        store.client().execute_command(*command)
        Outbox.objects.filter(pk=row.pk).delete()


def publish_lists(rows: Iterable[int] = (), *, now: datetime | None = None) -> wire.Lists:
    """Write the lists under their present number. Raises store.Away."""
    # The number first: what is committed after it was read comes with a higher one.
    number = ListsVersion.objects.get_or_create(pk=1)[0].number
    lists = build_lists(number, now or timezone.now())
    batch = store.Batch()
    batch.newer(wire.LISTS_DATA, number, wire.pack_lists(lists))
    batch.newer(wire.LISTS, number, wire.pack_number(number))
    batch.write()
    Outbox.objects.filter(pk__in=list(rows)).delete()
    return lists


def build_lists(number: int, now: datetime) -> wire.Lists:
    """Everything that the edge needs to know of windows, sites and networks."""
    standing = list(Ban.objects.standing(now))
    allowed = AllowedNetwork.objects.standing(now)

    def timed(rows: Iterable[Ban | AllowedNetwork]) -> tuple[wire.TimedNetwork, ...]:
        return tuple(wire.TimedNetwork(row.network, row.ends_at.timestamp()) for row in rows)

    return wire.Lists(
        number=number,
        windows=facts.windows(now),
        sites=facts.site_lists().sites,
        blocked=timed(b for b in standing if b.kind == Ban.Kind.BLOCKED),
        # An earned ban stands under its address's own key, so that a thousand of them are no thousand lists.
        banned=timed(b for b in standing if b.kind == Ban.Kind.BANNED and not b.step),
        allowed=timed(allowed),
        shared=facts.shared(now),
    )


def refresh_lists(now: datetime) -> wire.Lists:
    """Publish the lists again under a new number when the clock alone changed what they hold."""
    number = ListsVersion.objects.get_or_create(pk=1)[0].number
    held = store.read(wire.LISTS_DATA)
    fresh = build_lists(number, now)
    if held is not None and wire.unpack_lists(held) == fresh:
        return fresh
    _grow_lists()
    return publish_lists(now=now)


def sweep(now: datetime) -> int:
    """Publish what its author could not; returns how many rows were taken up. Raises store.Away."""
    old = Outbox.objects.filter(due_at__lte=now).order_by("pk")
    lists = list(old.filter(what=Outbox.What.LISTS).values_list("pk", flat=True))
    if lists:
        publish_lists(lists, now=now)
    gone = list(old.filter(what=Outbox.What.GONE)[:CHUNK])
    publish_gone(gone)
    lifted = list(old.filter(what=Outbox.What.ADDRESS)[:CHUNK])
    publish_lifted(lifted)
    rows = list(
        old.filter(what=Outbox.What.DEVICE).values_list("pk", "device_id", "details__files")[: 4 * CHUNK]
    )
    devices = list(dict.fromkeys(device for _, device, _ in rows if device is not None))
    publish_devices(devices, now=now)
    uncompiled = {pk: device for pk, device, files in rows if files and device is not None}
    Outbox.objects.filter(pk__in=uncompiled).update(due_at=_due(len(uncompiled), now))
    compile_later(list(uncompiled.values()))
    return len(lists) + len(gone) + len(lifted) + len(devices)


def tell_later(what: str, row: int, text: str) -> None:
    """Have people told by e-mail after the commit; what a broker that is away does not hear, a sweep tells.

    `row` is the phone's or the account's key, as telling.py wants it for this.
    """
    asked = Outbox.objects.create(
        what=Outbox.What.MAIL, details={"what": what, "row": row, "text": text}, due_at=_due(0)
    )

    def tell() -> None:
        from provisioning import tasks

        try:
            tasks.tell.apply_async(args=[asked.pk])
        except (store.Away, BrokerAway, OSError) as error:
            log.warning("an e-mail leaves with the next sweep", what=what, error=type(error).__name__)

    transaction.on_commit(tell, robust=True)


def compile_later(device_ids: Sequence[int], *, wanted: bool = False) -> None:
    """Hand devices to the workers for compiling; `wanted` goes before all else, since a phone waits."""
    from provisioning import tasks

    for start in range(0, len(device_ids), tasks.COMPILED_AT_ONCE):
        chunk = list(dict.fromkeys(device_ids[start : start + tasks.COMPILED_AT_ONCE]))
        try:
            tasks.compile_devices.apply_async(args=[chunk], queue="demand" if wanted else None)
        except (store.Away, BrokerAway, OSError) as error:
            log.warning(
                "compile not queued, the sweeper will", devices=len(chunk), error=type(error).__name__
            )
            return


# --- inside ------------------------------------------------


def _compiled_names(family: str, mac: str) -> list[str]:
    """The names under which files of such a phone may lie in the store."""
    known = catalog().families.get(family)
    return [rule.path.replace("{mac}", mac) for rule in known.files if rule.full] if known else []


def _due(compiles: int, now: datetime | None = None) -> datetime:
    """When the sweeper may take a row up: after its author, and after the workers had time for the files."""
    now = now or timezone.now()
    if not compiles:
        return now + SWEEP_AFTER
    return now + COMPILED_BY + timedelta(seconds=compiles / COMPILED_A_SECOND)


def _publish_now(device_ids: Sequence[int], queue: bool) -> None:
    _quietly(publish_devices, device_ids)
    if queue:
        compile_later(device_ids)


def _let_wait(waiting: dict[int, bool], device_ids: Sequence[int], queue: bool) -> None:
    for pk in device_ids:
        waiting[pk] = queue or waiting.get(pk, False)


def _publish_waiting(waiting: dict[int, bool]) -> None:
    """Those of which everything is committed that made them wait."""
    _publish_now(list(waiting), False)
    compile_later([pk for pk, queue in waiting.items() if queue])


def _publish_claim(device_id: int) -> None:
    _quietly(publish_devices, [device_id])
    compile_later([device_id], wanted=True)


def _on_commit(publish: Callable[..., object], *args: object) -> None:
    """Publish after the commit; an error there must not look like a failed verb (Django logs it)."""

    def publish_committed() -> None:
        publish(*args)

    transaction.on_commit(publish_committed, robust=True)


def _quietly(publish: Callable[..., object], *args: object) -> None:
    """Publish; a store that is away is no reason to fail a verb that is committed: the outbox has it."""
    try:
        publish(*args)
    except store.Away as error:
        log.warning(
            "store away, the outbox keeps it", what=getattr(publish, "__name__", ""), error=str(error)
        )


def _grow_lists() -> None:
    if not ListsVersion.objects.filter(pk=1).update(number=F("number") + 1):
        ListsVersion.objects.get_or_create(pk=1)
