"""Which lines and keys a phone shows: put as a whole set, checked against the model, audited with losses."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import audit, cleaning
from accounts.refusals import Forbidden, Invalid
from accounts.roles import Power
from accounts.scope import Actor
from devices import holding
from devices.catalog import catalog
from devices.layout import DoesNotFit, lay_out
from devices.models import Appearance, Device, Extension, Key
from devices.phone import KeyKind, KeySetting, Line, PhoneSettings, SipServer
from devices.signals import PhoneEvent, phones_changed

_FIELD = re.compile(r"(?P<rows>lines|keys)\[(?P<at>\d+)\](?:\.(?P<field>\w+))?")
LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True)
class AppearanceRow:
    """One line key as it shall be; the extension itself, its code, or its user name."""

    position: int
    extension: Extension | UUID | str
    label: str = ""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One programmable key as it shall be; `line` is the position of the line it calls on, 0 the first."""

    position: int
    kind: KeyKind
    value: str = ""
    label: str = ""
    line: int = 0


# --- lines -----------------------------------------------------------------------------------------------


def put(
    device: Device, *, by: Actor, rows: Sequence[AppearanceRow], now: datetime | None = None
) -> list[Appearance]:
    """Let the phone show these lines and no others; phones that share one of them get new files too."""
    _needs(by, device)
    now = now or timezone.now()
    labels = [cleaning.one_line("label", row.label, longest=LONGEST_LABEL) for row in rows]
    with transaction.atomic():
        device = holding.held(device)
        found = _resolve(device, [row.extension for row in rows])
        wanted = [
            Appearance(device=device, extension=extension, position=row.position, label=label)
            for row, extension, label in zip(rows, found, labels, strict=True)
        ]
        check_fits(device.family, device.model, wanted, list(device.keys.all()))
        before = list(device.appearances.select_related("extension"))
        lost, added = _difference(before, wanted), _difference(wanted, before)
        if not lost and not added:
            return before
        sharing = partners(device, before)
        device.appearances.all().delete()
        Appearance.objects.bulk_create(wanted)
        sharing ^= partners(device, wanted)
        details: dict[str, Any] = {"lost": _tell(lost), "added": _tell(added), "summary": _say(lost, added)}
        audit.record(by, "device.lines-changed", device, now=now, **details)
        event = PhoneEvent("lines-changed", by, now, details)
        phones_changed.send(sender=Device, device_ids=[device.pk], event=event)
        phones_changed.send(sender=Device, device_ids=sorted(sharing), event=None)
    return sorted(wanted, key=lambda appearance: appearance.position)


def partners(device: Device, appearances: Iterable[Appearance]) -> set[int]:
    """The phones for which an extension is a shared line only because this phone shows it too."""
    others: dict[int, set[int]] = {}
    extensions = {appearance.extension_id for appearance in appearances}
    rows = Appearance.objects.filter(extension__in=extensions).exclude(device=device)
    for extension, other in rows.values_list("extension_id", "device_id"):
        others.setdefault(extension, set()).add(other)
    return {next(iter(phones)) for phones in others.values() if len(phones) == 1}


def _resolve(device: Device, wanted: Sequence[Extension | UUID | str]) -> list[Extension]:
    """The extensions of the phone's account; another account's is not found, in the same words as none."""
    names = [row.code if isinstance(row, Extension) else row for row in wanted]
    codes = {name: _code(name) for name in names}
    own = Extension.objects.filter(account=device.account)
    by_code = {row.code: row for row in own.filter(code__in=[code for code in codes.values() if code])}
    by_name: dict[str, Extension] = {}
    for row in own.filter(username__in=[str(name) for name, code in codes.items() if code is None]):
        if row.username in by_name:
            raise Invalid("extension", f"There are several extensions {row.username}; name one by its code.")
        by_name[row.username] = row
    found = []
    for name in names:
        code = codes[name]
        extension = by_code.get(code) if code else by_name.get(str(name))
        if extension is None:
            raise Invalid("extension", f"There is no extension {name}.")
        found.append(extension)
    return found


def _code(name: UUID | str) -> UUID | None:
    if isinstance(name, UUID):
        return name
    try:
        return UUID(name) if len(name) == 36 else None
    except ValueError:
        return None


def _difference(one: Iterable[Appearance], other: Iterable[Appearance]) -> list[Appearance]:
    known = {(row.position, row.extension_id, row.label) for row in other}
    return [row for row in one if (row.position, row.extension_id, row.label) not in known]


def _tell(appearances: Iterable[Appearance]) -> list[dict[str, Any]]:
    return [
        {"position": row.position, "extension": row.extension.username, "label": row.label}
        for row in sorted(appearances, key=lambda row: row.position)
    ]


def _say(lost: Iterable[Appearance], added: Iterable[Appearance]) -> str:
    """What changed, for the log: "4102 on key 3 removed"."""
    before = {(row.position, row.extension.username) for row in lost}
    after = {(row.position, row.extension.username) for row in added}
    parts = [(at, f"{name} on key {at} removed") for at, name in before - after]
    parts += [(at, f"{name} on key {at} added") for at, name in after - before]
    parts += [(at, f"{name} on key {at} renamed") for at, name in before & after]
    return ", ".join(text for _, text in sorted(parts))


# --- keys ------------------------------------------------------------------------------------------------


def put_keys(device: Device, *, by: Actor, rows: Sequence[KeyRow], now: datetime | None = None) -> list[Key]:
    """Let the phone have these programmable keys and no others."""
    _needs(by, device)
    now = now or timezone.now()
    wanted = [_key(device, row) for row in rows if row.kind is not KeyKind.EMPTY]
    with transaction.atomic():
        device = holding.held(device)
        check_fits(device.family, device.model, list(device.appearances.select_related("extension")), wanted)
        before = {_key_tuple(key) for key in device.keys.all()}
        after = {_key_tuple(key) for key in wanted}
        if before == after:
            return list(device.keys.all())
        device.keys.all().delete()
        Key.objects.bulk_create(wanted)
        details: dict[str, Any] = {
            "lost": _tell_keys(before - after),
            "added": _tell_keys(after - before),
        }
        audit.record(by, "device.keys-changed", device, now=now, **details)
        event = PhoneEvent("keys-changed", by, now, details)
        phones_changed.send(sender=Device, device_ids=[device.pk], event=event)
    return sorted(wanted, key=lambda key: key.position)


def _key(device: Device, row: KeyRow) -> Key:
    if row.kind is KeyKind.LINE:
        raise Invalid("kind", f"Key {row.position}: lines are set as appearances.")
    value = cleaning.needed("value", row.value, f"Key {row.position}: the value", longest=200)
    label = cleaning.one_line("label", row.label, longest=LONGEST_LABEL)
    return Key(
        device=device, position=row.position, kind=row.kind.value, value=value, label=label, line=row.line
    )


def _key_tuple(key: Key) -> tuple[int, str, str, str, int]:
    return key.position, key.kind, key.value, key.label, key.line


def _tell_keys(keys: Iterable[tuple[int, str, str, str, int]]) -> list[dict[str, Any]]:
    return [{"position": at, "kind": kind, "value": value} for at, kind, value, _, _ in sorted(keys)]


# --- what fits -------------------------------------------------------------------------------------------


def check_fits(family: str, model: str, appearances: Sequence[Appearance], keys: Sequence[Key]) -> None:
    """Refuse lines and keys that this model has no place for; the message names the key."""
    vendor = catalog().families[family]
    phone = PhoneSettings(
        mac="0" * 12,
        family=family,
        model=model,
        name="",
        sip=SipServer("sip.invalid"),
        lines=tuple(
            Line(row.position, row.extension.username, row.extension.username, "", realm=row.extension.realm)
            for row in appearances
        ),
        keys=tuple(
            KeySetting(key.position, KeyKind(key.kind), key.value, key.label, key.line) for key in keys
        ),
    )
    try:
        lay_out(phone, vendor.models[model], vendor.key_kinds(model), vendor.banks(model))
    except DoesNotFit as error:
        raise _with_key_named(error, appearances, keys) from error


def _with_key_named(error: DoesNotFit, appearances: Sequence[Appearance], keys: Sequence[Key]) -> Invalid:
    place = _FIELD.match(error.field)
    if place is None:
        return Invalid("position", f"{error.reason}.")
    rows: Sequence[Appearance] | Sequence[Key] = appearances if place["rows"] == "lines" else keys
    position = rows[int(place["at"])].position
    return Invalid(place["field"] or "position", f"Key {position}: {error.reason}.")


def _needs(by: Actor, device: Device) -> None:
    if not by.may(Power.EDIT_DEVICES, device.account.path):
        raise Forbidden
