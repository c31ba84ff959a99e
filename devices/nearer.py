"""Which models and phones have settings of their own below an account: what its values do not reach."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count

from accounts.models import Account
from accounts.scope import Actor
from devices.levels import ModelIn
from devices.models import Device, SettingValue

NAMED = 20


@dataclass(frozen=True, slots=True)
class Nearer:
    """A model or a phone with its number of own values."""

    at: ModelIn | Device
    values: int

    @property
    def name(self) -> str:
        return self.at.title if isinstance(self.at, ModelIn) else str(self.at)


@dataclass(frozen=True, slots=True)
class NearerValues:
    """The models of this account and the phones of it, the first of them named."""

    models: list[Nearer]
    phones: list[Nearer]
    more_phones: int


def nearer_values(target: Account | ModelIn, reader: Actor) -> NearerValues:
    """What is given nearer to the phones than here, in this account alone."""
    account = target if isinstance(target, Account) else target.account
    rows = SettingValue.objects.visible_to(reader).filter(account=account)
    models: Counter[ModelIn] = Counter()
    if isinstance(target, Account):
        given = rows.filter(device=None).exclude(model="").values_list("family", "model")
        models.update(ModelIn(account, family, model) for family, model in given)
    phones = Device.objects.visible_to(reader).filter(account=account, setting_values__isnull=False)
    if isinstance(target, ModelIn):
        phones = phones.filter(family=target.family, model=target.model)
    counted = phones.annotate(own=Count("setting_values")).order_by("name", "mac")
    return NearerValues(
        models=[Nearer(at, models[at]) for at in sorted(models, key=_title)],
        phones=[Nearer(row, row.own) for row in counted[:NAMED]],
        more_phones=max(0, counted.count() - NAMED),
    )


def _title(at: ModelIn) -> str:
    return at.title
