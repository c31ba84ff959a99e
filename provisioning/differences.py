"""What would be different for a customer below another reseller: inherited settings and policies (E18)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from accounts.models import Account
from devices import levels, settings_tree
from devices.definitions import SETTINGS, Value
from devices.levels import Found, ModelIn
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
    own = set(settings_tree.given_here(account))
    return [
        *(
            Difference(name, before[name].value, inherited[name].value, setting.title)
            for name, setting in SETTINGS.items()
            if name not in own and before[name].value != inherited[name].value
        ),
        *_models(account, below, before, inherited),
    ]


def _models(
    account: Account, below: Account, before: Mapping[str, Found], inherited: Mapping[str, Found]
) -> Iterator[Difference]:
    """What is given for single models above, here or there; what holds for all stands in for what is not."""
    given = levels.given_for_models([account, below])
    here, there = given[account.pk], given[below.pk]
    everyone = set(settings_tree.given_here(account))
    for target in sorted({(model.family, model.model) for model in (*here, *there)}):
        own = ModelIn(account, *target)
        mine = settings_tree.given_here(own)
        now, then = here.get(own, {}), there.get(ModelIn(below, *target), {})
        for name, setting in SETTINGS.items():
            if name in mine or not (name in now or name in then):
                continue
            kept = before if name in everyone else inherited
            old, new = now.get(name, before[name]).value, then.get(name, kept[name]).value
            if old != new:
                title = f"{setting.title} ({own.title})"
                yield Difference(name, old, new, title)


def _policies(account: Account, below: Account) -> list[Difference]:
    pairs = zip(policies.table(account), policies.table_below(account, below), strict=True)
    return [
        Difference(now.policy.name, now.value, then.value, now.policy.title, kind="policy")
        for now, then in pairs
        if now.value != then.value
    ]
