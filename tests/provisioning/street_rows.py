"""The rows of a street at one moment, as its laws and its ledger need them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils import timezone

from accounts.models import Account
from provisioning import wire
from provisioning.gate import State
from provisioning.models import Lock
from security.models import Ban
from security.networks import Network
from tests.provisioning import agreement
from tests.provisioning.agreement import Held


@dataclass
class Seen:
    """The rows at one moment."""

    home: dict[int, tuple[Network, ...]]  # what each phone is bound to
    shut: frozenset[int]  # O1: disabled, with its account too, or quarantined
    blocked: tuple[Network, ...]
    locks: dict[int, Lock]
    customers: dict[int, str]  # the account of each phone

    lists: wire.Lists | None = None

    @cached_property
    def held(self) -> Held:
        """What the gate would read; asked for in the same moment."""
        return agreement.of_rows(self.lists)

    @classmethod
    def now(cls, lists: wire.Lists | None = None) -> "Seen":
        """Read them; the lists too, if they were not built from the rows just now."""
        rows = Lock.objects.select_related("device__account", "bound_site")
        locks = {row.pk: row for row in rows.prefetch_related("bound_site__networks")}
        off = tuple(Account.objects.filter(is_active=False).values_list("path", flat=True))
        blocked = Ban.objects.standing(timezone.now()).filter(kind=Ban.Kind.BLOCKED)
        return cls(
            home={pk: _bound(lock) for pk, lock in locks.items()},
            shut=frozenset(
                pk
                for pk, lock in locks.items()
                if lock.state == State.QUARANTINED.value
                or not lock.device.is_enabled
                or lock.device.account.path.startswith(off)
            ),
            blocked=tuple(ban.network for ban in blocked),
            locks=locks,
            lists=lists,
            customers={pk: lock.device.account.slug for pk, lock in locks.items()},
        )


def _bound(lock: Lock) -> tuple[Network, ...]:
    if lock.bound_site is not None:
        return tuple(Network.from_hex(n.first, n.last) for n in lock.bound_site.networks.all())
    return (lock.bound_network,) if lock.bound_network else ()


def open_grants() -> dict[int, tuple[Any, ...]]:
    """The open unlocks, by their phones."""
    columns = ("grant_given_at", "grant_until", "grant_by", "grant_first")
    return {row[0]: row[1:] for row in Lock.objects.exclude(grant_given_at=None).values_list("pk", *columns)}
