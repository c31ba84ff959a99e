"""The files of each living token, compiled from rows, sealed and put into the store."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from django.db import transaction
from django.utils import timezone

from devices import holding, settings_tree
from devices.models import Device
from provisioning import books, store, tokens, wire
from provisioning.compiling import CompiledFile, CompileError, compile_full
from provisioning.edge.sealed import seal_file
from provisioning.gate import State, TokenKind
from provisioning.models import Lock, Outbox, Token, Upload

log = structlog.get_logger(__name__)

LONGEST_UPLOAD = 512 * 1024


def publish_files(device_ids: Sequence[int], *, now: datetime | None = None) -> dict[int, str]:
    """Compile and store the files of these devices; returns the devices that could not be compiled, and why.

    The files revision is read before the settings, and the store refuses a file that is older than its
    token's record asks for: a slow compile never wins over a newer one. Raises store.Away.
    """
    ids = list(device_ids)
    told = list(
        Outbox.objects.filter(what=Outbox.What.DEVICE, device__in=ids, details__files=True).values_list(
            "pk", "device_id"
        )
    )
    locks = list(Lock.objects.filter(pk__in=ids).values_list("pk", "files_revision", "state"))
    revisions = {pk: revision for pk, revision, _ in locks}
    retired = {pk for pk, _, state in locks if state == State.RETIRED.value}
    by_device: dict[int, list[Token]] = {pk: [] for pk in revisions}
    kinds = (TokenKind.CURRENT.value, TokenKind.FORMER.value)
    for token in Token.objects.filter(device__in=ids, kind__in=kinds).order_by("id"):
        by_device[token.device_id].append(token)  # type: ignore[index]
    devices = {d.pk: d for d in Device.objects.filter(pk__in=ids).select_related("account", "site")}
    failed: dict[int, str] = {}
    wanted = [devices[pk] for pk, rows in by_device.items() if rows]
    phones = settings_tree.phone_settings(wanted, unreadable=failed)
    phones |= {pk: phones[pk].without_accounts() for pk in retired & phones.keys()}  # E19
    for pk, reason in failed.items():
        log.error(
            "its settings cannot be read, the phone is held", device=str(devices[pk].code), error=reason
        )
    uploads: dict[int, list[Upload]] = {}
    for upload in Upload.objects.filter(device__in=[pk for pk in ids if pk not in retired]):
        uploads.setdefault(upload.device_id, []).append(upload)

    batch = store.Batch()
    for pk, rows in by_device.items():
        if pk in failed:
            continue
        try:
            for token in rows:
                here = tokens.private_url(token, devices[pk], plain=phones[pk].plain_http)
                compiled = compile_full(phones[pk], here, build=tokens.build(token, revisions[pk]))
                for file in [*compiled.values(), *(_as_file(devices[pk], u) for u in uploads.get(pk, ()))]:
                    batch.file(token.hash, file.name, _stored(str(devices[pk].code), file, revisions[pk]))
        except CompileError as error:
            failed[pk] = str(error)
            log.error("compile failed, the phone is held", device=str(devices[pk].code), error=str(error))
    batch.write()
    books.publish_missing(device for device in wanted if device.pk not in retired)
    done = [row for row, device_id in told if device_id not in failed]
    Outbox.objects.filter(pk__in=done).delete()
    return failed


def publish_upload(upload: Upload) -> None:
    """Put one kept upload under every living token of its device. Raises store.Away."""
    batch = store.Batch()
    lock = Lock.objects.get(pk=upload.device_id)
    file = _as_file(upload.device, upload)
    for token in tokens.living(upload.device_id) if lock.state != State.RETIRED.value else ():
        batch.file(token.hash, file.name, _stored(str(upload.device.code), file, lock.files_revision))
    batch.write()


def keep_upload(
    token_hash: str, name: str, body: bytes, content_type: str, *, now: datetime | None = None
) -> None:
    """Keep a personal directory or call list as the phone's last valid one; what is not valid is dropped.

    The token is looked at again once the phone is held: while the body came in slowly, the phone may have
    been given to another account, where this one's directory is nobody's business.
    """
    if not _is_well_formed(body):
        log.info("an upload is not well-formed, dropped", token=token_hash[:6], file=name)
        return
    living = Token.objects.filter(hash=token_hash).exclude(kind=TokenKind.DEAD.value)
    with transaction.atomic():
        found = living.values_list("device", flat=True).first()
        device = holding.hold(found) if found is not None else None
        if device is None or not living.filter(device=device).exists():
            return
        sealed = tokens.keyring().seal(body, upload_about(device, name))
        upload, _ = Upload.objects.update_or_create(
            device=device,
            name=name,
            defaults={"body": sealed, "content_type": content_type, "at": now or timezone.now()},
        )
    publish_upload(upload)


def upload_about(device: Device, name: str) -> bytes:
    """What a kept upload is bound to."""
    return f"upload\x1f{device.code}\x1f{name}".encode()


def _is_well_formed(body: bytes) -> bool:
    """Plain XML of at most 512 KiB, without a document type: what comes back must harm no phone."""
    if len(body) > LONGEST_UPLOAD:
        return False
    try:
        fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        return False
    return True


def _as_file(device: Device, upload: Upload) -> CompiledFile:
    body = tokens.keyring().open(bytes(upload.body), upload_about(device, upload.name))
    return CompiledFile(upload.name, upload.content_type, body)


def _stored(code: str, file: CompiledFile, revision: int) -> wire.StoredFile:
    return wire.StoredFile(
        revision, file.content_type, seal_file(tokens.keyring(), code, file.name, file.body)
    )
