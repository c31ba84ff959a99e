"""Profiles: one row of keys for many phones of a family, usable in its account and in all below it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices import holding, keys
from devices.appearances import KeyRow, changed_meanwhile, check_fits, key_tuple, read_key, stamp
from devices.catalog import Family, catalog
from devices.models import Appearance, Device, Key, Profile, ProfileKey
from devices.phone import KeyKind
from devices.signals import PhoneEvent, phones_changed


def usable(account: Account) -> QuerySet[Profile]:
    """The profiles that phones of this account can have: its own, and those of the accounts above it."""
    rows = Profile.objects.filter(account__path__in=account.ancestor_paths())
    return rows.select_related("account").order_by("name", "pk")


def for_phone(device: Device) -> QuerySet[Profile]:
    """Those that can be for this phone's model; whether every key fits is judged when one is applied."""
    return usable(device.account).filter(family=device.family, model__in=("", device.model))


# --- making and changing ---------------------------------------------------------------------------------


def create(
    account: Account,
    *,
    by: Actor,
    name: str,
    family: str,
    model: str = "",
    keys: Sequence[KeyRow] = (),
    now: datetime | None = None,
) -> Profile:
    """Make a profile; no phone has it yet."""
    _needs(by, account)
    profile = Profile(account=account, created_at=now or timezone.now())
    profile.name = cleaning.needed("name", name, gettext("The name"), longest=120)
    profile.family, profile.model = _fitting(family, model)
    rows = _read_keys(profile, keys)
    with transaction.atomic():
        cleaning.full_clean(profile, blame="name")
        profile.save()
        ProfileKey.objects.bulk_create(rows)
        audit.record(by, "profile.created", profile, now=now, keys=len(rows))
    return profile


def change(
    profile: Profile,
    *,
    by: Actor,
    name: str | None = None,
    model: str | None = None,
    keys: Sequence[KeyRow] | None = None,
    as_of: str | None = None,
    now: datetime | None = None,
) -> Profile:
    """Change what is given; exactly the phones that have the profile get new files, and all of them fit.

    `as_of` is the `stamp` of the keys that the caller has seen.
    """
    _needs(by, profile.account)
    now = now or timezone.now()
    with transaction.atomic():
        profile = _locked(profile)
        phones = holding.hold_many(profile.devices.values_list("pk", flat=True))
        kept_keys = list(profile.keys.all())
        if as_of is not None and as_of != stamp((), kept_keys):
            raise changed_meanwhile(profile)
        before = {key_tuple(row) for row in kept_keys}
        details: dict[str, Any] = {}
        if name is not None and (kept := cleaning.needed("name", name, gettext("The name"), longest=120)):
            details |= _set(profile, "name", kept)
        if model is not None:
            details |= _set(profile, "model", _fitting(profile.family, model)[1])
        rows = _read_keys(profile, keys if keys is not None else _rows_of(profile))
        after = {key_tuple(row) for row in rows}
        if before != after:
            details["keys"] = sorted({place for place, *_ in before ^ after})
        if not details:
            return profile
        _check_all(profile, phones, rows)
        cleaning.full_clean(profile, blame="name")
        profile.save(update_fields=["name", "model"])
        audit.record(by, "profile.changed", profile, now=now, phones=len(phones), **details)
        if before != after:
            profile.keys.all().delete()
            ProfileKey.objects.bulk_create(rows)
            _tell(phones, "profile-changed", by, now, profile)
    return profile


def remove(profile: Profile, *, by: Actor, now: datetime | None = None) -> None:
    """Remove a profile that no phone has."""
    _needs(by, profile.account)
    with transaction.atomic():
        profile = _locked(profile)
        count = profile.devices.count()
        if count:
            said = ngettext(
                "{profile} is on one phone; take it off first.",
                "{profile} is on {count} phones; take it off first.",
                count,
            )
            raise Refusal("input", said.format(profile=profile, count=count), code="in-use")
        audit.record(by, "profile.removed", profile, now=now)
        profile.delete()


# --- on phones -------------------------------------------------------------------------------------------


def apply(
    profile: Profile, *, by: Actor, devices: Iterable[Device], now: datetime | None = None
) -> list[Device]:
    """Put it on these phones; returns those that did not have it. One that it does not fit spoils it for all.

    The phones' own keys stay, and win where both have one.
    """
    seen = {device.pk: device for device in devices}
    for device in seen.values():
        if not by.may(Power.EDIT_DEVICES, device.account.path):
            raise Forbidden
    now = now or timezone.now()
    with transaction.atomic():
        profile = _locked(profile)
        phones = _as_seen(seen)
        for device in phones:
            if profile.account.path not in device.account.ancestor_paths():
                raise Invalid(
                    "profile",
                    gettext("{device} is in an account that this profile is not for.").format(device=device),
                )
        _check_all(profile, phones, list(profile.keys.all()))
        changed = [device for device in phones if device.profile_id != profile.pk]
        _give(changed, profile, "profile-applied", by, now, profile)
    return changed


def take_off(devices: Iterable[Device], *, by: Actor, now: datetime | None = None) -> list[Device]:
    """Take the profiles off these phones; their own keys stay. Returns those that had one."""
    seen = {device.pk: device for device in devices}
    for device in seen.values():
        if not by.may(Power.EDIT_DEVICES, device.account.path):
            raise Forbidden
    now = now or timezone.now()
    with transaction.atomic():
        changed = [device for device in _as_seen(seen) if device.profile_id]
        for device in changed:
            _give([device], None, "profile-taken-off", by, now, device.profile)
            device.keys.filter(kind=Key.Kind.EMPTY).delete()  # there is nothing left to hide
    return changed


def cut_off(devices: "QuerySet[Device]") -> Iterator[tuple[Device, str]]:
    """Give phones whose profile is no longer above them its keys as their own; each with what it was called.

    Their files stay as they are. The caller holds the phones, and tells it.
    """
    with_one = devices.filter(profile__isnull=False).select_related("account", "profile__account")
    for device in with_one.order_by("pk"):
        profile = device.profile
        if profile is None or profile.account.path in device.account.ancestor_paths():
            continue
        kept = [
            Key(
                device=device,
                position=row.position,
                kind=row.kind,
                value=row.value,
                label=row.label,
                line=row.line,
            )
            for row in keys.of(device)
        ]
        device.keys.all().delete()
        Key.objects.bulk_create(kept)
        device.profile = None
        device.save(update_fields=["profile"])
        yield device, profile.name


def _as_seen(seen: dict[int, Device]) -> list[Device]:
    """The phones, held; refused when one is gone or has moved since the actor's power was looked at."""
    there = {device.pk: device for device in holding.hold_many(seen)}
    return [holding.same_place(there.get(pk), device) for pk, device in sorted(seen.items())]


def _give(
    phones: Sequence[Device], to: Profile | None, what: str, by: Actor, now: datetime, named: Profile | None
) -> None:
    for device in phones:
        before, device.profile_id = device.profile_id, to.pk if to else None
        device.save(update_fields=["profile"])
        audit.record(by, f"device.{what}", device, now=now, profile=str(named), had_one=bool(before))
    _tell(phones, what, by, now, named)


def _tell(phones: Sequence[Device], what: str, by: Actor, now: datetime, profile: Profile | None) -> None:
    event = PhoneEvent(what, by, now, {"profile": str(profile)})
    if phones:
        ids = [device.pk for device in phones]
        phones_changed.send(sender=Profile, device_ids=ids, event=event)


# --- what fits -------------------------------------------------------------------------------------------


def _fitting(family: str, model: str) -> tuple[str, str]:
    known = catalog().families.get(family)
    if known is None:
        raise Invalid("family", gettext("There is no family {family!r}.").format(family=family))
    if not model:
        return family, ""
    found = known.find_model(model)
    if found is None:
        raise Invalid("model", gettext("{name} has no model {model!r}.").format(name=known.name, model=model))
    return family, found.name


def _read_keys(profile: Profile, rows: Sequence[KeyRow]) -> list[ProfileKey]:
    """The profile's keys, each of a kind and at a place that some model it is for has."""
    family = catalog().families[profile.family]
    models = [profile.model] if profile.model else list(family.models)
    room = max(family.models[name].room for name in models)
    able = frozenset[KeyKind]().union(*(family.key_kinds(name) for name in models))
    found: dict[int, ProfileKey] = {}
    for row in rows:
        if row.kind is KeyKind.EMPTY:
            continue
        if not 1 <= row.position <= room:
            raise Invalid(
                "position",
                gettext("Key {position}: there are {room} places at the most.").format(
                    position=row.position, room=room
                ),
            )
        if row.position in found:
            raise Invalid(
                "position",
                gettext("Key {position}: place {position} is taken.").format(position=row.position),
            )
        if row.kind is not KeyKind.LINE and row.kind not in able:
            raise Invalid(
                "kind",
                gettext("Key {position}: {title} has no keys of this kind.").format(
                    position=row.position, title=_title(family, profile)
                ),
            )
        found[row.position] = read_key(ProfileKey(profile=profile), row)
    return [found[position] for position in sorted(found)]


def _title(family: Family, profile: Profile) -> str:
    return family.models[profile.model].title if profile.model else family.name


def _check_all(profile: Profile, phones: Sequence[Device], rows: Sequence[ProfileKey]) -> None:
    """Refuse a profile that one of these phones has no place for; the message names the key and the phone."""
    ids = [device.pk for device in phones]
    lines: dict[int, list[Appearance]] = {}
    for shown in Appearance.objects.filter(device__in=ids).select_related("extension"):
        lines.setdefault(shown.device_id, []).append(shown)
    own: dict[int, list[Key]] = {}
    for key in Key.objects.filter(device__in=ids):
        own.setdefault(key.device_id, []).append(key)
    for device in phones:
        if device.family != profile.family or profile.model not in ("", device.model):
            raise Invalid(
                "model",
                gettext("{profile} is not for the model of {device}, {model}.").format(
                    profile=profile, device=device, model=device.model
                ),
            )
        shows = lines.get(device.pk, [])
        places = keys.line_places(device.family, device.model, (row.position for row in shows))
        try:
            wanted = keys.effective(own.get(device.pk, ()), rows, places)
            check_fits(device.family, device.model, shows, wanted)
        except Invalid as error:
            raise Invalid(error.field or "position", f"{device}: {error.detail}") from error


# --- small ones ------------------------------------------------------------------------------------------


def _set(profile: Profile, name: str, value: str) -> dict[str, Any]:
    before = getattr(profile, name)
    setattr(profile, name, value)
    return {name: [before, value]} if before != value else {}


def _rows_of(profile: Profile) -> list[KeyRow]:
    rows = profile.keys.all()
    return [KeyRow(row.position, KeyKind(row.kind), row.value, row.label, row.line) for row in rows]


def _locked(profile: Profile) -> Profile:
    """The profile, its row held until the transaction ends: always before the phones that have it."""
    rows: Any = Profile.objects.select_for_update(of=("self",)).select_related("account")
    found: Profile | None = rows.filter(pk=profile.pk).first()
    if found is None:
        raise Refusal("input", gettext("This profile was removed a moment ago."), code="gone")
    return found


def _needs(by: Actor, account: Account) -> None:
    if not by.may(Power.EDIT_DEVICES, account.path):
        raise Forbidden
