"""What would be different for a customer below another reseller: inherited settings and policies (E18)."""

from dataclasses import dataclass

from accounts.models import Account
from devices import settings_tree
from devices.definitions import SETTINGS, Value
from devices.models import SettingValue
from provisioning import policies


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting or policy that the move would change, with what it is now and what it would be."""

    name: str
    before: Value
    after: Value
    title: str = ""
    kind: str = "setting"  #: setting | policy


def preview(account: Account, below: Account) -> list[Difference]:
    """What the account inherits now and would inherit there, where that differs; its own values stay."""
    return [*_settings(account, below), *_policies(account, below)]


def _settings(account: Account, below: Account) -> list[Difference]:
    values = settings_tree.account_values([account, below])
    before, inherited = values[account.pk], values[below.pk]
    own = set(SettingValue.objects.filter(account=account, device=None).values_list("name", flat=True))
    own.add(settings_tree.ZONE)  # every account has one of its own
    return [
        Difference(name, before[name].value, inherited[name].value, setting.title)
        for name, setting in SETTINGS.items()
        if name not in own and before[name].value != inherited[name].value
    ]


def _policies(account: Account, below: Account) -> list[Difference]:
    pairs = zip(policies.table(account), policies.table_below(account, below), strict=True)
    return [
        Difference(now.policy.name, now.value, then.value, now.policy.title, kind="policy")
        for now, then in pairs
        if now.value != then.value
    ]
