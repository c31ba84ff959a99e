"""Every value that a setting was given on its way down to a phone, and what of it a family cannot express."""

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.translation import gettext

from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from devices.bounds import Kind
from devices.catalog import catalog
from devices.definitions import SETTINGS, SWITCHES, Setting, Value
from devices.family import Family
from devices.levels import ZONE, Level, ModelIn, Target, given_above, level_of
from devices.models import Device, SettingValue, Site

#: Settings whose protections bear other names.
_PROTECTIONS = {"srtp": "encrypt_calls", "web_page": "web_page_off"} | {name: name for name in SWITCHES}


class Given(NamedTuple):
    """A value with what it was given for; the product's own was given for nothing."""

    value: Value
    level: Level
    at: Account | Site | ModelIn | Device | None

    @property
    def account(self) -> Account | None:
        """The account in which it was given."""
        return self.at.account if isinstance(self.at, Site | ModelIn | Device) else self.at

    def named_to(self, reader: Actor) -> bool:
        """Whether the reader may know the account; one above his own is only his provider to him."""
        return self.account is None or reader.may(Power.SEE_ACCOUNT, self.account.path)


Trail = tuple[Given, ...]


class Lack(NamedTuple):
    """Which phones cannot express a setting, and why."""

    which: str
    reason: str


def trails(target: Target) -> dict[str, Trail]:
    """For every setting what was given for it, from the product's own to the value that holds."""
    account = target if isinstance(target, Account) else target.account
    above = given_above([account])
    rows = [row for path in account.ancestor_paths() for row in above.get(path, ())]
    found = {name: [Given(setting.default, Level.BUILT_IN, None)] for name, setting in SETTINGS.items()}
    for row in rows:
        if not row.model and row.name in found:
            found[row.name].append(Given(row.value, level_of(row.account), row.account))
    found[ZONE].append(Given(account.time_zone, level_of(account), account))
    if isinstance(target, Device) and target.site is not None and target.site.time_zone:
        found[ZONE].append(Given(target.site.time_zone, Level.SITE, target.site))
    if not isinstance(target, Account):
        for row in rows:
            if (row.family, row.model) == (target.family, target.model) and row.name in found:
                at = ModelIn(row.account, row.family, row.model)
                found[row.name].append(Given(row.value, Level.MODEL, at))
    if isinstance(target, Device):
        for name, value in SettingValue.objects.filter(device=target).values_list("name", "value"):
            if name in found:
                found[name].append(Given(value, Level.PHONE, target))
    return {name: tuple(given) for name, given in found.items()}


def without_own(name: str, trail: Trail, target: Target) -> Given | None:
    """What would hold without the value given for exactly this; None where there is none to take back."""
    always = isinstance(target, Account) and name == ZONE
    return trail[-2] if trail[-1].at == target and not always else None


def lacks(target: Target, name: str) -> tuple[Lack, ...]:
    """The phones below this target that cannot express a setting: all of them where it is one model."""
    if isinstance(target, Account):
        return tuple(lack for family in catalog().families.values() for lack in _somewhere(family, name))
    family = catalog().families.get(target.family)
    model = family.models.get(target.model) if family else None
    if family is None or model is None:
        return ()
    reason = reasons(family, model.generation).get(name)
    return (Lack(model.title, gettext(reason)),) if reason else ()


def _somewhere(family: Family, name: str) -> list[Lack]:
    """A family once where all its generations give the same reason, otherwise each that gives one."""
    by_code = {code: reasons(family, code).get(name, "") for code in family.generations}
    if len(set(by_code.values())) == 1:
        reason = next(iter(by_code.values()))
        return [Lack(family.name, gettext(reason))] if reason else []
    titles = {code: _of_family(family, code) for code in by_code}
    return [Lack(titles[code], gettext(reason)) for code, reason in by_code.items() if reason]


def _of_family(family: Family, generation: str) -> str:
    title = gettext(family.generations[generation].title)
    return title if title.startswith(family.name) else f"{family.name}, {title}"


def reasons(family: Family, generation: str) -> Mapping[str, str]:
    """The settings that a generation cannot express, each with the reason as the tables have it."""
    declined = family.lacks(generation)
    protections = {name: declined[kind] for name, kind in _PROTECTIONS.items() if kind in declined}
    return {**family.lacks_settings(generation), **protections}


def say(setting: Setting, value: Value) -> str:
    """A value as people say it."""
    kind = setting.bounds.kind
    if kind is Kind.SWITCH:
        return gettext("On") if value else gettext("Off")
    if isinstance(value, list):
        return ", ".join(_word(setting, word) for word in value)
    if value == "":
        return gettext("As the phone has it") if setting.bounds.optional else gettext("None")
    return _word(setting, str(value))


def _word(setting: Setting, word: str) -> str:
    said = setting.bounds.choices.get(word)
    return gettext(said) if said and said != word else word
