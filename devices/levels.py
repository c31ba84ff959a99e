"""From which level a phone's settings come: platform > reseller > account > site > model > phone.

What is given for a model, at whatever account above the phone, is nearer to it than what is given for all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from django.utils.translation import gettext

from accounts.models import Account
from accounts.refusals import Invalid
from devices.catalog import catalog
from devices.definitions import SETTINGS, Value
from devices.models import Device, SettingValue

ZONE = "time_zone"  # stands in the account's and the site's own row, which pages show as well


class Level(StrEnum):
    """Where a value was given."""

    BUILT_IN = "built in"
    PLATFORM = "platform"
    RESELLER = "reseller"
    ACCOUNT = "account"
    SITE = "site"
    MODEL = "model"
    PHONE = "phone"


class Found(NamedTuple):
    """A value with where it came from: the level, and the name of the account, site, model or phone."""

    value: Value
    level: Level
    place: str


@dataclass(frozen=True, slots=True)
class ModelIn:
    """Every phone of one model in an account and in those below it."""

    account: Account
    family: str
    model: str

    def __str__(self) -> str:
        return f"{self.title}, {self.account.name}"

    @property
    def title(self) -> str:
        """What the vendor calls the model; a model that is known no more keeps its name."""
        family = catalog().families.get(self.family)
        model = family.models.get(self.model) if family else None
        return model.title if model else f"{self.family} {self.model}"


Target = Account | ModelIn | Device
_LEVELS = {Account.Kind.PLATFORM.value: Level.PLATFORM, Account.Kind.RESELLER.value: Level.RESELLER}


def level_of(account: Account) -> Level:
    """The level at which an account gives what it gives to all phones."""
    return _LEVELS.get(account.kind, Level.ACCOUNT)


def model_in(account: Account, family: str, model: str) -> ModelIn:
    """The model by either of its spellings; Invalid when there is none."""
    known = catalog().families.get(family)
    if known is None:
        raise Invalid("family", gettext("There is no family {family!r}.").format(family=family))
    found = known.find_model(model)
    if found is None:
        raise Invalid("model", gettext("{name} has no model {model!r}.").format(name=known.name, model=model))
    return ModelIn(account, family, found.name)


def effective(device: Device) -> dict[str, Found]:
    """Every setting as it holds for this phone."""
    return effective_many([device])[device.pk]


def effective_many(devices: Iterable[Device]) -> dict[int, dict[str, Found]]:
    """As `effective` for many phones whose account and site are at hand, in two queries."""
    wanted = list(devices)
    above = given_above(device.account for device in wanted)
    own: dict[int, dict[str, Value]] = {}
    for pk, name, value in SettingValue.objects.filter(
        device__in=[device.pk for device in wanted]
    ).values_list("device_id", "name", "value"):
        own.setdefault(pk, {})[name] = value
    found = {}
    for device in wanted:
        values = _of_account(device.account, above)
        if device.site is not None and device.site.time_zone:
            values[ZONE] = Found(device.site.time_zone, Level.SITE, device.site.name)
        values |= _of_model(ModelIn(device.account, device.family, device.model), above)
        for name, value in own.get(device.pk, {}).items():
            values[name] = Found(value, Level.PHONE, str(device))
        found[device.pk] = values
    return found


def account_values(accounts: Iterable[Account]) -> dict[int, dict[str, Found]]:
    """Every setting as it holds for these accounts, by their keys, in one query."""
    wanted = list(accounts)
    above = given_above(wanted)
    return {account.pk: _of_account(account, above) for account in wanted}


def of_model(target: ModelIn) -> dict[str, Found]:
    """Every setting as it holds for a model in an account, whatever site a phone of it stands in."""
    above = given_above([target.account])
    return _of_account(target.account, above) | _of_model(target, above)


def given_for_models(accounts: Iterable[Account]) -> dict[int, dict[ModelIn, dict[str, Found]]]:
    """What holds for single models in these accounts, by the accounts' keys, in one query."""
    wanted = list(accounts)
    above = given_above(wanted)
    found: dict[int, dict[ModelIn, dict[str, Found]]] = {}
    for account in wanted:
        rows = (row for path in account.ancestor_paths() for row in above.get(path, ()) if row.model)
        models = {ModelIn(account, row.family, row.model) for row in rows}
        in_order = sorted(models, key=lambda target: (target.family, target.model))
        found[account.pk] = {target: _of_model(target, above) for target in in_order}
    return found


_Above = Mapping[str, list[SettingValue]]


def given_above(accounts: Iterable[Account]) -> _Above:
    """The rows that accounts give for all their phones or for models, by the path of the account."""
    paths = {path for account in accounts for path in account.ancestor_paths()}
    rows: dict[str, list[SettingValue]] = {}
    given = SettingValue.objects.filter(device=None, account__path__in=paths).select_related("account")
    for row in given:
        rows.setdefault(row.account.path, []).append(row)
    return rows


def _of_account(account: Account, above: _Above) -> dict[str, Found]:
    values = {name: Found(setting.default, Level.BUILT_IN, "") for name, setting in SETTINGS.items()}
    for path in account.ancestor_paths():
        for row in above.get(path, ()):
            if not row.model and row.name in SETTINGS:
                values[row.name] = Found(row.value, level_of(row.account), row.account.name)
    values[ZONE] = Found(account.time_zone, level_of(account), account.name)
    return values


def _of_model(target: ModelIn, above: _Above) -> dict[str, Found]:
    values = {}
    for path in target.account.ancestor_paths():
        for row in above.get(path, ()):
            if (row.family, row.model) == (target.family, target.model) and row.name in SETTINGS:
                given = ModelIn(row.account, row.family, row.model)
                values[row.name] = Found(row.value, Level.MODEL, str(given))
    return values
