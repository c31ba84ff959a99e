"""Who is asking and which rows he can see: the only place that decides it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q

from accounts.roles import POWERS, Power, Role

if TYPE_CHECKING:
    from accounts.models import ApiKey, User


@dataclass(frozen=True, slots=True)
class Standing:
    """One role in one account, and so in every account below it."""

    path: str
    role: Role
    extra: frozenset[Power] = frozenset()  #: given to this person in this account, by no role

    def has(self, power: Power) -> bool:
        return power in POWERS[self.role] or power in self.extra

    def covers(self, path: str) -> bool:
        return path.startswith(self.path)


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever acts: a signed-in person, an API key, a command or the clock; never a request object."""

    label: str
    standings: tuple[Standing, ...] = ()
    user: "User | None" = None
    api_key: "ApiKey | None" = None
    address: str | None = None
    presence: tuple[str, ...] = ()  #: addresses that this session has proved lately (B6)
    on_behalf_of: str = ""

    @classmethod
    def system(cls, label: str) -> "Actor":
        """The product itself (the clock, a command on the server): audited by this name, sees nothing."""
        return cls(label=label)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where a person is: what he proved first, then where his request comes from."""
        return tuple(dict.fromkeys((*self.presence, self.address))) if self.address else self.presence

    def may(self, power: Power, path: str) -> bool:
        """Whether this power reaches the account with that tree path."""
        return any(s.covers(path) and s.has(power) for s in self.standings)

    def paths(self, power: Power) -> tuple[str, ...]:
        """The tops of the subtrees in which this power is held."""
        return tuple(dict.fromkeys(s.path for s in self.standings if s.has(power)))

    def may_anywhere(self, power: Power) -> bool:
        return bool(self.paths(power))


NOBODY = Actor(label="nobody")


def below(paths: Iterable[str], column: str) -> Q:
    """Rows whose tree path is one of these or below it; no path at all keeps no row.

    A range and not LIKE: both databases can walk the index. Steps are four characters of 0-9A-Z, so five
    of the highest end the subtree in every collation.
    """
    reach = Q(pk__in=[])
    for path in paths:
        reach |= Q(**{f"{column}__gte": path, f"{column}__lt": path + "ZZZZZ"})
    return reach


def outside(paths: Iterable[str], covered: Iterable[str]) -> tuple[str, ...]:
    """Those of these tree paths that are neither one of the covered ones nor below it.

    A reach that says nothing new is left out of a query, which could use no index for it.
    """
    tops = tuple(covered)
    return tuple(path for path in paths if not path.startswith(tops))


class ScopedQuerySet(models.QuerySet[Any]):
    """Rows that belong to an account. Subclasses say where the account's path is found."""

    account_path = "account__path"

    def visible_to(self, actor: Actor) -> Self:
        """Keep the rows at or below any account that the actor may look into; nobody sees nothing."""
        return self.filter(below(actor.paths(Power.SEE_ACCOUNT), self.account_path))

    def reachable_by(self, actor: Actor, power: Power) -> Self:
        """Keep the visible rows on which the actor also holds this power."""
        return self.visible_to(actor).filter(below(actor.paths(power), self.account_path))
