"""Everything that is sealed in rows, sealed again with the first key; safe to interrupt and to repeat."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import models, transaction

from accounts import second_factor
from accounts.sealing import Keyring, SealError
from devices import secrets
from devices.models import Device, Extension
from provisioning import files, phone_import_table, tokens
from provisioning.models import ImportDraft, Job, JobItem, Token, Upload, WebhookEndpoint

BATCH = 500


@dataclass(frozen=True, slots=True)
class Column:
    """One sealed column, with what its values are bound to and how a row is named to people."""

    title: str
    rows: Callable[[], models.QuerySet[Any]]
    name: str
    about: Callable[[Any], bytes]
    label: Callable[[Any], str]


@dataclass(slots=True)
class Count:
    """What was found in one column."""

    title: str
    resealed: int = 0
    current: int = 0
    lost: list[str] = field(default_factory=list)  #: rows that no key of the ring opens


def _device_column(title: str, kind: secrets.Kind, name: str) -> Column:
    return Column(
        title,
        lambda: Device.objects.only("pk", "code", "mac", name),
        name,
        lambda device: secrets.about(kind, device.code),
        lambda device: f"phone {device.mac}",
    )


def _endpoint_column(title: str, name: str) -> Column:
    return Column(
        title,
        lambda: WebhookEndpoint.objects.select_related("account"),
        name,
        lambda endpoint: secrets.about(secrets.Kind.WEBHOOK_SECRET, endpoint.code),
        lambda endpoint: f"webhook endpoint {endpoint.name} of {endpoint.account.slug}",
    )


COLUMNS = (
    Column(
        "SIP secrets",
        lambda: Extension.objects.select_related("account"),
        "secret",
        lambda extension: secrets.about(secrets.Kind.SIP_SECRET, extension.code),
        lambda extension: f"extension {extension.username} of {extension.account.slug}",
    ),
    _device_column("admin passwords", secrets.Kind.ADMIN_PASSWORD, "admin_password"),
    _device_column("user passwords", secrets.Kind.USER_PASSWORD, "user_password"),
    Column(
        "tokens",
        lambda: Token.objects.all(),
        "sealed",
        lambda token: tokens.about(token.hash),
        lambda token: f"token {token.hash[:6]} of {token.mac}",
    ),
    Column(
        "kept uploads",
        lambda: Upload.objects.select_related("device"),
        "body",
        lambda upload: files.upload_about(upload.device, upload.name),
        lambda upload: f"{upload.name} of phone {upload.device.mac}",
    ),
    _endpoint_column("secrets of webhooks", "secret"),
    _endpoint_column("former secrets of webhooks", "former_secret"),
)


def reseal_all() -> Iterator[Count]:
    """Work through every column in batches; each is committed by itself, so what is done stays done."""
    ring = secrets.keyring()
    for column in COLUMNS:
        yield _reseal(column, ring)
    yield _import_lists(ring)
    yield _second_factors()


def _second_factors() -> Count:
    """Those of people are kept by the package that asks for them, in columns of their own shape."""
    resealed, current, lost = second_factor.reseal()
    return Count("second factors", resealed, current, lost)


def _import_lists(ring: Keyring) -> Count:
    """Those of phones to import: first the lists, since starting one moves its rows to a job."""
    count = Count("import lists")
    for pk in ImportDraft.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            draft = ImportDraft.objects.select_for_update().filter(pk=pk).first()
            if draft is not None:
                draft.rows = [_reseal_listed(row, draft.code, ring, count) for row in draft.rows]
                draft.save(update_fields=["rows"])
    items = JobItem.objects.filter(job__kind=Job.Kind.IMPORT, result=JobItem.Result.WAITING).order_by("pk")
    last = 0
    while True:
        with transaction.atomic():
            held = items.select_for_update(of=("self",)).select_related("job")
            rows = list(held.filter(pk__gt=last)[:BATCH])
            if not rows:
                return count
            last = rows[-1].pk
            for item in rows:
                item.details = _reseal_listed(item.details, UUID(item.job.params["draft"]), ring, count)
            JobItem.objects.bulk_update(rows, ["details"])


def _reseal_listed(row: dict[str, Any], code: UUID, ring: Keyring, count: Count) -> dict[str, Any]:
    about = secrets.about(secrets.Kind.SIP_SECRET, code)
    try:
        sealed = phone_import_table.sealed_in(row)
        plain = ring.open(sealed, about) if sealed else b""
    except (SealError, ValueError):
        count.lost.append(f"line {row['line']} of the import {code}")
        return row
    if not sealed:
        return row
    if ring.is_current(sealed):
        count.current += 1
        return row
    count.resealed += 1
    return phone_import_table.with_sealed(row, ring.seal(plain, about))


def _reseal(column: Column, ring: Keyring) -> Count:
    count = Count(column.title)
    last = 0
    while rows := list(column.rows().filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = rows[-1].pk
        with transaction.atomic():
            for row in rows:
                _reseal_row(column, row, ring, count)
    return count


def _reseal_row(column: Column, row: Any, ring: Keyring, count: Count) -> None:
    old = bytes(getattr(row, column.name))
    if not old:
        return  # nothing is sealed there
    try:
        plain = ring.open(old, column.about(row))
    except SealError:
        count.lost.append(column.label(row))
        return
    if ring.is_current(old):
        count.current += 1
        return
    # Only over what was read: a secret that somebody changes meanwhile is sealed with the first key anyway.
    changed = column.rows().model._default_manager.filter(pk=row.pk, **{column.name: old})
    count.resealed += changed.update(**{column.name: ring.seal(plain, column.about(row))})
