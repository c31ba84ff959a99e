"""Which lines and keys a phone shows: put as a whole set, checked against the model, audited with losses."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from accounts.speaking import told
from devices import holding, keys
from devices.catalog import catalog
from devices.layout import DoesNotFit, lay_out
from devices.models import Appearance, Device, Extension, Key, KeyColumns, ProfileKey
from devices.phone import KeyKind, Line, PhoneSettings, Ring, SipServer
from devices.signals import PhoneEvent, phones_changed

_FIELD = re.compile(r"(?P<rows>lines|keys)\[(?P<at>\d+)\](?:\.(?P<field>\w+))?")
LONGEST_LABEL = 60
MOST_SAID = 12
KeyTuple = tuple[int, str, str, str, int]
#: What a key is, within a sentence.
KINDS = {
    "blf": "busy lamp",
    "speed_dial": "speed dial",
    "park": "park",
    "dtmf": "DTMF",
    "url": "web address",
}
Row = TypeVar("Row", bound=KeyColumns)


@dataclass(frozen=True, slots=True)
class AppearanceRow:
    """One line key as it shall be; the extension itself, its code, or its user name."""

    position: int
    extension: Extension | UUID | str
    label: str = ""
    ring: str = Ring.NOW.value


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
    arrange(device, by=by, lines=rows, now=now)
    return list(device.appearances.select_related("extension").order_by("position"))


def put_keys(device: Device, *, by: Actor, rows: Sequence[KeyRow], now: datetime | None = None) -> list[Key]:
    """Let the phone have these programmable keys of its own and no others; its profile's stay below them."""
    arrange(device, by=by, keys_=rows, now=now)
    return list(device.keys.order_by("position"))


def arrange(
    device: Device,
    *,
    by: Actor,
    lines: Sequence[AppearanceRow] | None = None,
    keys_: Sequence[KeyRow] | None = None,
    as_of: str | None = None,
    now: datetime | None = None,
) -> None:
    """Let the phone show these lines, and have these keys of its own; what is not given stays as it is.

    `as_of` is the `stamp` of what the caller has seen: a whole set would wipe out what others put since.
    """
    _needs(by, device)
    now = now or timezone.now()
    labels = [cleaning.one_line("label", row.label, longest=LONGEST_LABEL) for row in lines or ()]
    with transaction.atomic():
        device = holding.held(device)
        shown, had = list(device.appearances.select_related("extension")), list(device.keys.all())
        if as_of is not None and as_of != stamp(shown, had):
            raise changed_meanwhile(device)
        wanted = shown if lines is None else _wanted(device, lines, labels)
        own = had if keys_ is None else _own(device, keys_)
        places = keys.line_places(device.family, device.model, (row.position for row in wanted))
        inherited = list(ProfileKey.objects.filter(profile=device.profile_id)) if device.profile_id else []
        check_fits(device.family, device.model, wanted, keys.effective(own, inherited, places))
        sharing = _write_lines(device, shown, wanted)
        lost, added = _difference(shown, wanted), _difference(wanted, shown)
        if lost or added:
            _tell_phone(device, "lines-changed", by, now, {"lost": _tell(lost), "added": _tell(added)})
        before, after = {key_tuple(key) for key in had}, {key_tuple(key) for key in own}
        if before != after:
            device.keys.all().delete()
            Key.objects.bulk_create(own)
            changed = {"lost": _tell_keys(before - after), "added": _tell_keys(after - before)}
            _tell_phone(device, "keys-changed", by, now, changed)
        if sharing:
            phones_changed.send(sender=Device, device_ids=sorted(sharing), event=None)


def stamp(lines: Iterable[Appearance], rows: Iterable[KeyColumns]) -> str:
    """What tells these lines and keys from any others, in sixteen characters."""
    shown = sorted((row.position, row.extension_id, row.label, row.ring) for row in lines)
    whole = repr((shown, sorted(key_tuple(row) for row in rows)))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def changed_meanwhile(what: object) -> Refusal:
    return Refusal(
        "input",
        gettext(
            "Somebody else changed {what} meanwhile. Leave it as it was, and see what it has now."
        ).format(what=what),
        code="changed-meanwhile",
    )


def _tell_phone(device: Device, what: str, by: Actor, now: datetime, details: dict[str, Any]) -> None:
    with translation.override(None):  # in no reader's language; `summary` says it in his
        details = details | {"summary": summary(what, details)}
    audit.record(by, f"device.{what}", device, now=now, **details)
    phones_changed.send(sender=Device, device_ids=[device.pk], event=PhoneEvent(what, by, now, details))


def _wanted(device: Device, rows: Sequence[AppearanceRow], labels: Sequence[str]) -> list[Appearance]:
    found = _resolve(device, rows)
    for row in rows:
        if row.ring not in Appearance.Ring.values:
            known = ", ".join(Appearance.Ring.values)
            raise Invalid(
                "ring",
                gettext("Key {position}: it rings {known}, and not {ring!r}.").format(
                    position=row.position, known=known, ring=row.ring
                ),
            )
    wanted = [
        Appearance(device=device, extension=extension, position=row.position, label=label, ring=row.ring)
        for row, extension, label in zip(rows, found, labels, strict=True)
    ]
    return sorted(wanted, key=lambda row: row.position)


def _write_lines(device: Device, before: Sequence[Appearance], wanted: Sequence[Appearance]) -> set[int]:
    """Write the rows; returns the phones for which a line is shared now, or is no longer."""
    if not _difference(before, wanted) and not _difference(wanted, before):
        return set()
    sharing = partners(device, before)
    device.appearances.all().delete()
    Appearance.objects.bulk_create(wanted)
    return sharing ^ partners(device, wanted)


def partners(device: Device, appearances: Iterable[Appearance]) -> set[int]:
    """The phones for which an extension is a shared line only because this phone shows it too."""
    others: dict[int, set[int]] = {}
    extensions = {appearance.extension_id for appearance in appearances}
    rows = Appearance.objects.filter(extension__in=extensions).exclude(device=device)
    for extension, other in rows.values_list("extension_id", "device_id"):
        others.setdefault(extension, set()).add(other)
    return {next(iter(phones)) for phones in others.values() if len(phones) == 1}


def _resolve(device: Device, rows: Sequence[AppearanceRow]) -> list[Extension]:
    """The extensions of the phone's account; another account's is not found, in the same words as none."""
    names = [row.extension.code if isinstance(row.extension, Extension) else row.extension for row in rows]
    codes = {name: _code(name) for name in names}
    own = Extension.objects.filter(account=device.account)
    by_code = {row.code: row for row in own.filter(code__in=[code for code in codes.values() if code])}
    by_name: dict[str, list[Extension]] = {}
    for extension in own.filter(username__in=[str(name) for name, code in codes.items() if code is None]):
        by_name.setdefault(extension.username, []).append(extension)
    found = []
    for name, row in zip(names, rows, strict=True):
        code = codes[name]
        known = by_name.get(str(name), []) if code is None else [by_code[code]] if code in by_code else []
        if not known:
            raise Invalid(
                "extension",
                gettext("Key {position}: there is no extension {name}.").format(
                    position=row.position, name=name
                ),
            )
        if len(known) > 1:
            several = gettext("Key {position}: there are several extensions {name}; name one by its code.")
            raise Invalid("extension", several.format(position=row.position, name=name))
        found.append(known[0])
    return found


def _code(name: UUID | str) -> UUID | None:
    if isinstance(name, UUID):
        return name
    try:
        return UUID(name) if len(name) == 36 else None
    except ValueError:
        return None


def _difference(one: Iterable[Appearance], other: Iterable[Appearance]) -> list[Appearance]:
    known = {(row.position, row.extension_id, row.label, row.ring) for row in other}
    return [row for row in one if (row.position, row.extension_id, row.label, row.ring) not in known]


def _tell(appearances: Iterable[Appearance]) -> list[dict[str, Any]]:
    return [
        {
            "position": row.position,
            "extension": row.extension.username,
            "label": row.label,
            "ring": row.ring,
        }
        for row in sorted(appearances, key=lambda row: row.position)
    ]


def summary(what: str, details: Mapping[str, Any]) -> str:
    """What a change of lines or keys took and brought: "appearance 4102 on key 3 removed"."""
    say = _say if what == "lines-changed" else _say_keys
    return say(details["lost"], details["added"])


def _say(lost: Iterable[Mapping[str, Any]], added: Iterable[Mapping[str, Any]]) -> str:
    before = {(row["position"], row["extension"]): row for row in lost}
    after = {(row["position"], row["extension"]): row for row in added}
    parts = [
        (place, gettext("appearance {name} on key {at} removed")) for place in before.keys() - after.keys()
    ]
    parts += [
        (place, gettext("appearance {name} on key {at} added")) for place in after.keys() - before.keys()
    ]
    for place in before.keys() & after.keys():
        if before[place]["label"] != after[place]["label"]:
            parts.append((place, gettext("appearance {name} on key {at} renamed")))
        if before[place]["ring"] != after[place]["ring"]:
            rings = str(Appearance.Ring(after[place]["ring"]).label).lower()
            said = gettext("appearance {name} on key {at} set to ring {rings}")
            parts.append((place, said.replace("{rings}", rings)))
    return _listed([said.format(at=at, name=name) for (at, name), said in sorted(parts)])


def _listed(parts: Sequence[str]) -> str:
    """A sentence's worth of them; the audit has them all."""
    more = len(parts) - MOST_SAID
    said = ", ".join(parts[:MOST_SAID])
    return gettext("{said} and {more} more").format(said=said, more=more) if more > 0 else said


# --- keys ------------------------------------------------------------------------------------------------


def _own(device: Device, rows: Sequence[KeyRow]) -> list[Key]:
    """The phone's own keys; an empty one is worth a row only where it hides a key of its profile."""
    inherited = ProfileKey.objects.filter(profile=device.profile_id) if device.profile_id else ()
    hidden = {row.position for row in inherited}
    return [
        read_key(Key(device=device), row)
        for row in rows
        if row.kind is not KeyKind.EMPTY or row.position in hidden
    ]


def read_key(key: Row, row: KeyRow) -> Row:
    """Fill a key, a phone's own or a profile's, with what was asked for."""
    if row.kind is KeyKind.LINE:
        raise Invalid(
            "kind", gettext("Key {position}: lines are set as appearances.").format(position=row.position)
        )
    key.position, key.kind, key.line = row.position, row.kind.value, row.line
    if row.kind is KeyKind.EMPTY:
        key.value, key.label, key.line = "", "", 0
        return key
    key.value = cleaning.needed(
        "value", row.value, gettext("Key {position}: the value").format(position=row.position), longest=200
    )
    key.label = cleaning.one_line("label", row.label, longest=LONGEST_LABEL)
    return key


def key_tuple(key: KeyColumns) -> KeyTuple:
    return key.position, key.kind, key.value, key.label, key.line


def _tell_keys(keys: Iterable[KeyTuple]) -> list[dict[str, Any]]:
    return [{"position": at, "kind": kind, "value": value} for at, kind, value, _, _ in sorted(keys)]


def _say_keys(lost: Iterable[Mapping[str, Any]], added: Iterable[Mapping[str, Any]]) -> str:
    """One that is lost and added again has another label or line."""
    had, has = ({(row["position"], row["kind"], row["value"]) for row in rows} for rows in (lost, added))
    parts = [(key, gettext("{key} removed")) for key in had - has]
    parts += [(key, gettext("{key} added")) for key in has - had]
    parts += [(key, gettext("{key} changed")) for key in had & has]
    return _listed([said.format(key=_named(key)) for key, said in sorted(parts)])


def _named(key: tuple[int, str, str]) -> str:
    position, kind, value = key
    if kind == KeyKind.EMPTY.value:
        return gettext("the hiding of key {position}").format(position=position)
    said = gettext("{kind} {value} on key {position}")
    return said.format(kind=gettext(KINDS[kind]), value=value, position=position)


# --- what fits -------------------------------------------------------------------------------------------


def check_model(device: Device) -> None:
    """Refuse a model that has no place for the phone's lines and keys, or that its profile is not for."""
    profile = device.profile
    if profile is not None and profile.model not in ("", device.model):
        raise Invalid(
            "model",
            gettext("Its profile {profile} is for the {model} only; take it off first.").format(
                profile=profile, model=profile.model
            ),
        )
    lines = list(device.appearances.select_related("extension"))
    check_fits(device.family, device.model, lines, keys.of(device, lines=lines))


def check_fits(
    family: str, model: str, appearances: Sequence[Appearance], rows: Sequence[KeyColumns]
) -> None:
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
        keys=keys.settings_of(rows),
    )
    try:
        lay_out(phone, vendor.models[model], vendor.key_kinds(model), vendor.banks(model))
    except DoesNotFit as error:
        raise _with_key_named(error, appearances, rows) from error


def _with_key_named(
    error: DoesNotFit, appearances: Sequence[Appearance], keys_: Sequence[KeyColumns]
) -> Invalid:
    place = _FIELD.match(error.field)
    if place is None:
        return Invalid("position", f"{told(error.reason)}.")
    rows: Sequence[Appearance] | Sequence[KeyColumns] = appearances if place["rows"] == "lines" else keys_
    position = rows[int(place["at"])].position
    return Invalid(
        place["field"] or "position",
        gettext("Key {position}: {reason}.").format(position=position, reason=told(error.reason)),
    )


def _needs(by: Actor, device: Device) -> None:
    if not by.may(Power.EDIT_DEVICES, device.account.path):
        raise Forbidden
