"""The vendors' own keys that people add to phones' files: per family or model of an account, or per phone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid
from accounts.roles import Power
from accounts.scope import Actor
from accounts.speaking import told
from devices import holding, reach
from devices.catalog import catalog
from devices.family import Family
from devices.levels import Level, ModelIn, level_of, model_in
from devices.models import Device, RawValue
from devices.signals import PhoneEvent, phones_changed, settings_changed


@dataclass(frozen=True, slots=True)
class FamilyIn:
    """Every phone of a family in an account and in those below it."""

    account: Account
    family: str

    def __str__(self) -> str:
        return f"{catalog().families[self.family].name}, {self.account.name}"


Target = FamilyIn | ModelIn | Device


class Added(NamedTuple):
    """One key as it holds for a phone, with where it was given."""

    key: str
    value: str
    level: Level
    place: str


def target_in(account: Account, family: str, model: str = "") -> FamilyIn | ModelIn:
    """A family, or one model of it, in an account; Invalid when there is none."""
    if family not in catalog().families:
        raise Invalid("family", gettext("There is no family {family!r}.").format(family=family))
    return model_in(account, family, model) if model else FamilyIn(account, family)


# --- reading ---------------------------------------------------------------------------------------------


def effective(device: Device) -> list[Added]:
    """Every key that is added to this phone's file, in the order of the file."""
    return effective_many([device])[device.pk]


def effective_many(devices: Iterable[Device]) -> dict[int, list[Added]]:
    """As `effective` for many phones whose account is at hand, in two queries; the nearest value holds."""
    wanted = list(devices)
    paths = {path for device in wanted for path in device.account.ancestor_paths()}
    above: dict[str, list[RawValue]] = {}
    rows = RawValue.objects.filter(device=None, account__path__in=paths).select_related("account")
    for row in rows.order_by("key", "pk"):
        above.setdefault(row.account.path, []).append(row)
    own: dict[int | None, list[RawValue]] = {}
    for row in RawValue.objects.filter(device__in=[device.pk for device in wanted]).order_by("key", "pk"):
        own.setdefault(row.device_id, []).append(row)
    return {device.pk: _of_phone(device, above, own.get(device.pk, [])) for device in wanted}


def _of_phone(device: Device, above: Mapping[str, list[RawValue]], own: list[RawValue]) -> list[Added]:
    """Family rows from the top down, model rows likewise, then the phone's own: the last one holds."""
    family = catalog().families[device.family]
    generation = family.models[device.model].generation
    given = [row for path in device.account.ancestor_paths() for row in above.get(path, ())]
    given = [row for row in given if row.family == device.family and row.model in ("", device.model)]
    found: dict[str, Added] = {}
    for row in sorted(given, key=lambda row: bool(row.model)):
        level, place = (Level.MODEL, _title(row)) if row.model else (level_of(row.account), row.account.name)
        found[row.key.casefold()] = Added(row.key, row.value, level, place)
    for row in own:
        found[row.key.casefold()] = Added(row.key, row.value, Level.PHONE, str(device))
    return [found[key] for key in sorted(found) if family.knows_raw(generation, found[key].key)]


def _title(row: RawValue) -> str:
    return str(ModelIn(row.account, row.family, row.model))


def given_in(account: Account) -> list[RawValue]:
    """What exactly this account gives to families and models, in order."""
    rows = RawValue.objects.filter(account=account, device=None).select_related("account")
    return list(rows.order_by("family", "model", "key"))


def standing(target: Target | Account) -> list[RawValue]:
    """What is given here and above it, by key; of the same key the last row holds.

    For an account: what it and those above give to any family or model, of which none replaces another.
    """
    account = target if isinstance(target, Account) else target.account
    place = Q(device=None, account__path__in=account.ancestor_paths())
    if not isinstance(target, Account):
        models = {""} if isinstance(target, FamilyIn) else {"", target.model}
        place &= Q(family=target.family, model__in=models)
    if isinstance(target, Device):
        place |= Q(device=target)
    rows = list(RawValue.objects.filter(place).select_related("account", "device"))
    if isinstance(target, Account):
        return sorted(rows, key=lambda row: (row.family, row.model, row.key.casefold(), row.account.path))
    if not isinstance(target, FamilyIn):
        family = _family(target)
        generation = family.models[target.model].generation
        rows = [row for row in rows if family.knows_raw(generation, row.key)]
    return sorted(
        rows, key=lambda row: (row.key.casefold(), row.device is not None, bool(row.model), row.account.path)
    )


def is_given_for(row: RawValue, target: Target | Account) -> bool:
    """Whether a row was given for exactly this; of an account, for any family or model in it."""
    if isinstance(target, Account):
        return bool(row.account_id == target.pk)
    if isinstance(target, Device):
        return row.device_id == target.pk
    model = target.model if isinstance(target, ModelIn) else ""
    return (row.account_id, row.family, row.model) == (target.account.pk, target.family, model)


def given_here(target: Target) -> dict[str, str]:
    """What is given for exactly this family, model or phone, by key."""
    return dict(RawValue.objects.filter(**_where(target)).order_by("key").values_list("key", "value"))


# --- changing --------------------------------------------------------------------------------------------


def set_value(target: Target, *, by: Actor, key: str, value: str, now: datetime | None = None) -> None:
    """Add a key, or give it another value; Invalid names what its family cannot have."""
    _needs(by, target)
    family, key = _family(target), key.strip()
    _check(target, family, key, value)
    now = now or timezone.now()
    with transaction.atomic():
        target = _held(target)
        row = RawValue.objects.filter(key__iexact=key, **_where(target)).first()
        before = row.value if row else None
        row = row or RawValue(**{"account": target.account, "family": family.code, **_where(target)})
        row.key, row.value = key, value
        cleaning.full_clean(row, blame="key")
        row.save()
        _tell(target, key, by, now, before, value)


def reset_value(target: Target, *, by: Actor, key: str, now: datetime | None = None) -> None:
    """Take back what was given here: what stands above it holds again."""
    _needs(by, target)
    now = now or timezone.now()
    with transaction.atomic():
        target = _held(target)
        row = RawValue.objects.filter(key__iexact=key.strip(), **_where(target)).first()
        if row is None:
            return
        before = row.value
        row.delete()
        _tell(target, row.key, by, now, before, None)


def _check(target: Target, family: Family, key: str, value: str) -> None:
    if not isinstance(value, str):
        raise Invalid("value", gettext("A value is text."))
    if reason := family.raw_refusal(key, ""):
        raise Invalid("key", f"{told(reason)}.")
    if reason := family.raw_refusal(key, value):
        raise Invalid("value", f"{key}: {told(reason)}.")
    if isinstance(target, FamilyIn):
        return
    model = family.models[target.model]
    if not family.knows_raw(model.generation, key):
        raise Invalid(
            "key", gettext("{title} spells its keys otherwise than {key}.").format(title=model.title, key=key)
        )


def _family(target: Target) -> Family:
    return catalog().families[target.family]


def _needs(by: Actor, target: Target) -> None:
    if not by.may(Power.EDIT_RAW_KEYS, target.account.path):
        raise Forbidden


def _held(target: Target) -> Target:
    if isinstance(target, Device):
        return holding.held(target)
    account: Account = Account.objects.select_for_update(no_key=True).get(pk=target.account.pk)
    if isinstance(target, ModelIn):
        return ModelIn(account, target.family, target.model)
    return FamilyIn(account, target.family)


def _where(target: Target) -> dict[str, Any]:
    """What finds the rows of this target, and of no other."""
    if isinstance(target, Device):
        return {"device": target}
    model = target.model if isinstance(target, ModelIn) else ""
    return {"account": target.account, "family": target.family, "model": model, "device": None}


def _tell(target: Target, key: str, by: Actor, now: datetime, old: str | None, new: str | None) -> None:
    """Record that the key changed, never its value: people may write anything into one."""
    if old == new:
        return
    details: Mapping[str, Any] = {"key": key, "taken_back": new is None}
    if isinstance(target, Device):
        audit.record(by, "device.raw-key-changed", target, now=now, **details)
        event = PhoneEvent("raw-key-changed", by, now, dict(details))
        phones_changed.send(sender=Device, device_ids=[target.pk], event=event)
        return
    model = target.model if isinstance(target, ModelIn) else ""
    which: Mapping[str, Any] = {"family": target.family, "model": model}
    audit.record(by, "account.raw-key-changed", target.account, now=now, **details, **which)
    reached = partial(reach.of_raw_key, target.account, target.family, model, key, old)
    settings_changed.send(sender=Account, account=target.account, reached=reached)
