"""The policy values of the rules' section 1: what they come to for an account, and who may change them.

A row holds up to two values: `given` by whoever stands above the account (its reseller, support) and `own`,
the account's, which may only be shorter or stricter where the rules say so. Both flow down the tree, and what
is tightened above later caps what an account has chosen for itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid
from accounts.roles import Power
from accounts.scope import Actor
from provisioning import gate
from provisioning.models import PolicyValue

Value = int | bool | str


class Reach(StrEnum):
    """How far somebody may change a policy of an account."""

    GIVE = "give"  # any value within its bounds
    TIGHTEN = "tighten"  # only shorter or stricter than what stands above
    NONE = "no"


class Owner(StrEnum):
    """Who may change a policy."""

    ACCOUNT = "account"
    TIGHTENED = "reseller; account only shorter or stricter"
    RESELLER = "reseller"


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy value: hours, a switch, or one of some words (the strictest first)."""

    name: str
    called: str  #: as the table has it; `title` is for people
    default: Value
    owner: Owner
    lowest: int = 0  #: of hours
    highest: int = 0
    choices: tuple[str, ...] = ()
    strict: bool = True  #: the stricter position of a switch

    @property
    def title(self) -> str:
        """What people call it."""
        return gettext(self.called)

    def read(self, value: Any) -> Value:
        """Return the value as it is kept; Invalid says what it may be."""
        if self.choices:
            if value not in self.choices:
                raise Invalid(
                    self.name,
                    gettext("{title}: {names}; {value!r} is none of them.").format(
                        title=self.title, names=", ".join(self.choices), value=value
                    ),
                )
            return str(value)
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise Invalid(self.name, gettext("{title} is on or off.").format(title=self.title))
            return value
        if isinstance(value, timedelta):
            hours, rest = divmod(value, timedelta(hours=1))
            value = value.total_seconds() / 3600 if rest else hours
        if not isinstance(value, int) or isinstance(value, bool) or not self.lowest <= value <= self.highest:
            raise Invalid(
                self.name,
                gettext("{title}: whole hours from {lowest} to {highest}.").format(
                    title=self.title, lowest=self.lowest, highest=self.highest
                ),
            )
        return value

    def tighter(self, one: Value, other: Value) -> Value:
        """Return the shorter or stricter of two values."""
        return min(one, other, key=self._rank)

    @property
    def strictest(self) -> Value:
        """The value that nobody can tighten any more."""
        if self.choices:
            return self.choices[0]
        return self.strict if isinstance(self.default, bool) else self.lowest

    def _rank(self, value: Value) -> int:
        if self.choices:
            return self.choices.index(str(value))
        if isinstance(self.default, bool):
            return 0 if value is self.strict else 1
        return int(value)


_DAYS = 24
POLICIES: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy("fresh_ttl", "How long a new phone may be set up", 7 * _DAYS, Owner.ACCOUNT, 1, 30 * _DAYS),
        Policy("manager_unlock_ttl", "A manager's unlock", 7 * _DAYS, Owner.TIGHTENED, 1, 30 * _DAYS),
        Policy("user_unlock_ttl", "An end user's unlock", 24, Owner.TIGHTENED, 1, 48),
        Policy("window_max_hours", "The longest window", 40, Owner.RESELLER, 1, 168),
        Policy("token_overlap", "How long a former token lives on", 48, Owner.RESELLER, 0, 96),
        Policy("match_user_agent", "Refuse agents that do not fit", True, Owner.TIGHTENED),
        Policy(
            "trust_factory_certificate", "Trust factory certificates", False, Owner.TIGHTENED, strict=False
        ),
        Policy("quarantine_on_clone", "Quarantine a suspected clone", False, Owner.TIGHTENED),
        Policy(
            "shared_origin_reset",
            "A reset behind a shared address",
            "approve",
            Owner.TIGHTENED,
            choices=("approve", "allow"),
        ),
        Policy(
            "first_fetch",
            "Where a new phone may be set up",
            "anywhere",
            Owner.ACCOUNT,
            choices=("approval", "sites", "anywhere"),
        ),
        Policy(
            "poll_from_new_origin",
            "A poll from a new address",
            "allow",
            Owner.ACCOUNT,
            choices=("alert", "allow"),
        ),
        Policy("origin_follows", "The binding follows the phone", True, Owner.ACCOUNT),
        Policy(
            "full_over_http", "Full files at the root over plain HTTP", False, Owner.RESELLER, strict=False
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Effective:
    """Every policy as it holds for one account."""

    fresh_ttl: timedelta
    manager_unlock_ttl: timedelta
    user_unlock_ttl: timedelta
    window_max_hours: int
    token_overlap: timedelta
    match_user_agent: bool
    trust_factory_certificate: bool
    quarantine_on_clone: bool
    shared_origin_reset: str
    first_fetch: str
    poll_from_new_origin: str
    origin_follows: bool
    full_over_http: bool

    def gate(self) -> gate.Policies:
        """The part that decides about a request at the root URL."""
        return gate.Policies(
            fresh_ttl=self.fresh_ttl.total_seconds(),
            match_user_agent=self.match_user_agent,
            trust_factory_certificate=self.trust_factory_certificate,
            shared_origin_reset=self.shared_origin_reset,
            first_fetch=self.first_fetch,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """One policy of one account as a page shows it."""

    policy: Policy
    value: Value
    source: Account | None  #: whose row decides; None: built in
    ceiling: Value  #: what the account itself may only tighten
    here: frozenset[str] = frozenset()  #: what the account's own row holds: "given", "own"

    def can_be_reset(self, reach: Reach) -> bool:
        """Whether somebody of that reach has a value here to give up."""
        return bool(self.here) if reach is Reach.GIVE else reach is Reach.TIGHTEN and "own" in self.here


# --- reading ---------------------------------------------------------------------------------------------


def effective(account: Account) -> Effective:
    """Every policy as it holds for this account now."""
    return effective_many([account])[account.pk]


def effective_many(accounts: Iterable[Account]) -> dict[int, Effective]:
    """As `effective` for many accounts, by their keys, in one query."""
    wanted = {account.pk: account for account in accounts}
    rows = _rows(wanted.values())
    return {
        pk: _effective({name: _walk(policy, account, rows).value for name, policy in POLICIES.items()})
        for pk, account in wanted.items()
    }


def table(account: Account) -> list[Standing]:
    """Every policy with its value, where it comes from, and how far the account may go."""
    rows = _rows([account])
    return [_walk(policy, account, rows) for policy in POLICIES.values()]


def table_below(account: Account, parent: Account) -> list[Standing]:
    """As `table`, as it would be if the account stood below another one (E18)."""
    rows, paths = _rows([account, parent]), [*parent.ancestor_paths(), account.path]
    return [_walk(policy, account, rows, paths) for policy in POLICIES.values()]


def _rows(accounts: Iterable[Account]) -> dict[tuple[str, str], PolicyValue]:
    paths = {path for account in accounts for path in account.ancestor_paths()}
    rows = PolicyValue.objects.filter(account__path__in=paths).select_related("account")
    return {(row.account.path, row.name): row for row in rows}


def _walk(
    policy: Policy,
    account: Account,
    rows: Mapping[tuple[str, str], PolicyValue],
    paths: Sequence[str] | None = None,
) -> Standing:
    """From the platform down: what is given replaces, what is an account's own only tightens."""
    standing = Standing(policy, policy.default, None, policy.default)
    for path in paths or account.ancestor_paths():
        row = rows.get((path, policy.name))
        if row is None:
            standing = replace(standing, ceiling=standing.value, here=frozenset())
            continue
        value, source = standing.value, standing.source
        if "given" in row.value:
            value, source = row.value["given"], row.account
        ceiling = value
        if "own" in row.value and policy.tighter(row.value["own"], value) != value:
            value, source = row.value["own"], row.account
        standing = Standing(policy, value, source, ceiling, frozenset(row.value))
    return standing


def _effective(values: Mapping[str, Value]) -> Effective:
    ready: dict[str, Any] = dict(values)
    for name in ("fresh_ttl", "manager_unlock_ttl", "user_unlock_ttl", "token_overlap"):
        ready[name] = timedelta(hours=int(values[name]))
    return Effective(**ready)


# --- changing --------------------------------------------------------------------------------------------


def set_value(
    account: Account, *, by: Actor, name: str, value: Any, now: datetime | None = None
) -> PolicyValue:
    """Set one policy for the account and those below it, within its bounds and the actor's powers."""
    policy = _policy(name)
    from_above = _may_give(policy, account, by)
    kept = policy.read(value)
    now = now or timezone.now()
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        before = _walk(policy, account, _rows([account]))
        if not from_above and policy.tighter(kept, before.ceiling) != kept:
            raise Invalid(
                name,
                gettext("{title}: your provider has set {say}; only stricter is possible.").format(
                    title=policy.title, say=_say(before.ceiling)
                ),
            )
        row = PolicyValue.objects.filter(account=account, name=name).first()
        row = row or PolicyValue(account=account, name=name, value={})
        row.value = {**row.value, "given" if from_above else "own": kept}
        if from_above:
            row.value.pop("own", None)  # whoever gives a value means it; the account may tighten it again
        cleaning.full_clean(row)
        row.save()
        _tell(account, policy, by, now, old=before.value, new=kept)
    return row


def reset_value(account: Account, *, by: Actor, name: str, now: datetime | None = None) -> None:
    """Give up the account's value: what stands above it holds again."""
    policy = _policy(name)
    from_above = _may_give(policy, account, by)
    now = now or timezone.now()
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        row = PolicyValue.objects.filter(account=account, name=name).first()
        if row is None:
            return
        before = _walk(policy, account, _rows([account]))
        row.value = {} if from_above else {kind: kept for kind, kept in row.value.items() if kind != "own"}
        if row.value:
            row.save(update_fields=["value"])
        else:
            row.delete()
        after = _walk(policy, account, _rows([account]))
        if after.value != before.value:
            _tell(account, policy, by, now, old=before.value, new=after.value)


def _policy(name: str) -> Policy:
    policy = POLICIES.get(name)
    if policy is None:
        raise Invalid("name", gettext("There is no policy {name!r}.").format(name=name))
    return policy


def reach(policy: Policy, account: Account, by: Actor) -> Reach:
    """How far the actor may change this policy of this account."""
    above = by.may(Power.EDIT_CUSTOMERS, account.path)
    if above or (policy.owner is Owner.ACCOUNT and by.may(Power.EDIT_SETTINGS, account.path)):
        return Reach.GIVE
    if policy.owner is Owner.TIGHTENED and by.may(Power.EDIT_SETTINGS, account.path):
        return Reach.TIGHTEN
    return Reach.NONE


def _may_give(policy: Policy, account: Account, by: Actor) -> bool:
    """Whether the actor sets the value itself (True) or may only tighten it (False); Forbidden otherwise."""
    far = reach(policy, account, by)
    if far is Reach.NONE:
        raise Forbidden
    return far is Reach.GIVE


def _tell(account: Account, policy: Policy, by: Actor, now: datetime, *, old: Value, new: Value) -> None:
    # Publishing reads these policies through facts, so it cannot be imported above.
    from provisioning import publishing

    audit.record(by, "policy.changed", account, now=now, policy=policy.name, old=old, new=new)
    publishing.account_changed(account)


def _say(value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value} h" if isinstance(value, int) else value


DEFAULTS = _effective({name: policy.default for name, policy in POLICIES.items()})
# The pure gate has defaults of its own for tests and decoys: one truth, checked at import.
assert asdict(DEFAULTS.gate()) == asdict(gate.Policies())
