"""Whom a change above phones reaches: those for which another value holds than before, and no others."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from django.db.models import Q

from accounts.models import Account
from accounts.scope import below
from devices.catalog import catalog
from devices.definitions import SETTINGS, Value, spoken
from devices.levels import ZONE, ModelIn
from devices.models import Device, RawValue, SettingValue

# Where something is given above phones: an account's path, with a family and a model where it is for these.
Place = tuple[str, str, str]


class _Kind(NamedTuple):
    """What phones have in common for which everything above them holds alike."""

    path: str
    family: str
    model: str
    zone: str  #: of the account
    site_zone: str


def of_setting(target: Account | ModelIn, name: str, before: Value | None) -> list[int]:
    """The phones for which the setting holds another value than with `before` standing here (None: nothing).

    Three queries, however many there are; asked again after the commit it also finds those that came to
    stand below this value meanwhile.
    """
    place = _place(target)
    rows = SettingValue.objects.filter(_above_or_below(place[0]), name=name, device=None)
    given = {row[:3]: row[3] for row in rows.values_list("account__path", "family", "model", "value")}
    former = _as_it_was(given, place, before)
    own = SettingValue.objects.filter(below([place[0]], "device__account__path"), name=name)

    def held(kind: _Kind, given: Mapping[Place, Value], zones: Mapping[str, Value]) -> Value:
        value: Value = SETTINGS[name].default
        for path in _ancestors(kind.path):
            value = given.get((path, "", ""), value)
        if name == ZONE:
            value = kind.site_zone or zones.get(kind.path, kind.zone)
        for path in _ancestors(kind.path):
            value = given.get((path, kind.family, kind.model), value)
        return spoken(kind.family, str(value)) if name == "language" else value

    own_zone = {place[0]: before} if name == ZONE and isinstance(target, Account) and before else {}
    return _phones(
        place,
        set(own.values_list("device", flat=True)),
        lambda kind: held(kind, given, {}) != held(kind, former, own_zone),
    )


def of_raw_key(account: Account, family: str, model: str, key: str, before: str | None) -> list[int]:
    """Likewise for a vendor's own key, given for a family or for one model of it (otherwise empty)."""
    place = (account.path, family, model)
    rows = RawValue.objects.filter(_above_or_below(account.path), family=family, key__iexact=key, device=None)
    given = {row[:3]: row[3] for row in rows.values_list("account__path", "family", "model", "value")}
    former = _as_it_was(given, place, before)
    own = RawValue.objects.filter(below([account.path], "device__account__path"), key__iexact=key)

    def held(kind: _Kind, given: Mapping[Place, str]) -> str | None:
        value = None
        for named in ("", kind.model):
            for path in _ancestors(kind.path):
                value = given.get((path, family, named), value)
        return value

    known = catalog().families.get(family)

    def differs(kind: _Kind) -> bool:
        found = known.models.get(kind.model) if known else None
        if known and found and not known.knows_raw(found.generation, key):
            return False
        return held(kind, given) != held(kind, former)

    return _phones(place, set(own.values_list("device", flat=True)), differs)


def _place(target: Account | ModelIn) -> Place:
    if isinstance(target, ModelIn):
        return target.account.path, target.family, target.model
    return target.path, "", ""


def _as_it_was(given: Mapping[Place, Any], place: Place, before: Any) -> dict[Place, Any]:
    former = {where: value for where, value in given.items() if where != place}
    return former if before is None else {**former, place: before}


def _phones(place: Place, own: set[int], differs: Callable[[_Kind], bool]) -> list[int]:
    """The phones of the place that have no value of their own and whose kind differs."""
    path, family, model = place
    which = {name: value for name, value in (("family", family), ("model", model)) if value}
    rows = Device.objects.filter(below([path], "account__path"), **which).order_by("pk")
    kinds = ("account__path", "family", "model", "account__time_zone", "site__time_zone")
    judged = cache(differs)
    return [
        pk
        for pk, at, its_family, its_model, zone, site_zone in rows.values_list("pk", *kinds)
        if pk not in own and judged(_Kind(at, its_family, its_model, zone, site_zone or ""))
    ]


def _above_or_below(path: str) -> Q:
    return below([path], "account__path") | Q(account__path__in=_ancestors(path))


def _ancestors(path: str) -> list[str]:
    return [path[:end] for end in range(Account.steplen, len(path) + 1, Account.steplen)]
