"""What happens is told to other programs: written with the change itself, and only where somebody listens."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Substr

from accounts.models import Account
from accounts.scope import below
from devices.models import Device
from provisioning.announcing_words import KINDS as KINDS
from provisioning.announcing_words import Kind as Kind
from provisioning.models import DeviceEvent, WebhookDelivery, WebhookEndpoint, WebhookEvent
from security.networks import origin_of, parse_address

DEEPEST = 4  # platform, reseller, customer, sub-account
AT_ONCE = 1000
TIMES = {"until", "ended", "since"}  # which a log keeps as texts

#: The lines of a phone's log that are told, each with the facts that only its word says.
OF_LOG: Mapping[str, tuple[str, dict[str, Any]]] = {
    "clone-suspected": ("clone.suspected", {}),
    "lines-changed": ("appearance.changed", {}),
    "locked": ("device.locked", {}),
    "moved-away": ("device.moved", {"direction": "away"}),
    "moved-here": ("device.moved", {"direction": "here"}),
    "quarantined": ("device.quarantined", {}),
    "retired": ("device.retired", {}),
    "stale": ("device.locked", {}),
    "suspicion": ("device.suspected", {}),
    "taken-back": ("device.taken_back", {}),
    "unlock-expired": ("device.unlock_expired", {}),
    "unlocked": ("device.unlocked", {}),
}


@dataclass(frozen=True, slots=True)
class Happened:
    """One event; told in order within its lane, which is the phone unless another is given."""

    kind: str
    account: Account
    at: datetime
    device: Device | None = None
    lane: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> dict[str, Any]:
        """What is sent: all facts of its kind and no others."""
        named = KINDS[self.kind].facts
        if unknown := self.facts.keys() - named.keys():
            raise TypeError(f"{self.kind} has no {', '.join(sorted(unknown))}")
        told: dict[str, Any] = {"account": {"slug": self.account.slug, "name": self.account.name}}
        if self.device is not None:
            phone = self.device
            told["device"] = {"code": str(phone.code), "mac": phone.mac, "name": phone.name}
        return told | {name: _plain(self.facts.get(name)) for name in named}


@dataclass(frozen=True, slots=True)
class _Ear:
    """An endpoint that is told of an account, and of which kinds; of all where it names none."""

    pk: int
    kinds: frozenset[str]

    def hears(self, kind: str) -> bool:
        return not self.kinds or kind in self.kinds


_asked: ContextVar[dict[str, list[_Ear]] | None] = ContextVar("asked", default=None)


# --- told --------------------------------------------------------------------------------------------------


def announce(
    kind: str,
    account: Account,
    /,
    *,
    at: datetime,
    device: Device | None = None,
    lane: str = "",
    **facts: Any,
) -> None:
    """Tell every endpoint of the account, and those above that want what is below it.

    In the caller's transaction; one query where nobody listens. Facts are plain JSON values or times.
    """
    announce_many([Happened(kind, account, at, device, lane, facts)])


def announce_many(happened: Iterable[Happened]) -> None:
    """As `announce`, for many in this order and in three queries."""
    happened = list(happened)
    assert connection.in_atomic_block, "an event is told with its change, or not at all"
    ears = _ears({one.account.path for one in happened})
    told, hearing = [], []
    for one in happened:
        data, hear = one.data, [ear for ear in ears[one.account.path] if ear.hears(one.kind)]
        if not hear:
            continue
        lane = one.lane or str(one.device.code if one.device else one.account.code)
        told.append(
            WebhookEvent(
                account=one.account, device=one.device, kind=one.kind, lane=lane, at=one.at, data=data
            )
        )
        hearing.append(hear)
    if not told:
        return
    WebhookEvent.objects.bulk_create(told, batch_size=AT_ONCE)
    WebhookDelivery.objects.bulk_create(
        (
            WebhookDelivery(endpoint_id=ear.pk, event=event, lane=event.lane)
            for event, hear in zip(told, hearing, strict=True)
            for ear in hear
        ),
        batch_size=AT_ONCE,
    )


def of_log(line: DeviceEvent) -> None:
    """Tell what a new line of a phone's log says, where it is one of those that are told."""
    if line.what not in OF_LOG:
        return
    kind, more = OF_LOG[line.what]
    given = {"rule": line.rule, "by": line.actor, **line.details, **more}
    if line.address:
        given.setdefault("origin", str(origin_of(parse_address(line.address))))
    facts = {name: given[name] for name in KINDS[kind].facts if name in given}
    for name in TIMES & facts.keys():
        facts[name] = datetime.fromisoformat(facts[name]) if facts[name] else None
    announce(kind, line.account, at=line.at, device=line.device, **facts)


# --- who listens -------------------------------------------------------------------------------------------


@contextmanager
def asked_once() -> Iterator[None]:
    """Within it, which is one transaction, it is asked once who listens in an account."""
    if _asked.get() is not None:
        yield
        return
    token = _asked.set({})
    try:
        yield
    finally:
        _asked.reset(token)


def heard(kind: str, accounts: Iterable[Account]) -> set[str]:
    """The paths of those accounts in which somebody listens to this; one query at most."""
    paths = {account.path for account in accounts}
    ears = _ears(paths)
    return {path for path in paths if any(ear.hears(kind) for ear in ears[path])}


def where_heard(kind: str, column: str) -> Q | None:
    """The rows, by the column of their account's path, of which somebody is told this; None: nobody is."""
    rows = WebhookEndpoint.objects.filter(is_active=True).values_list("account__path", "with_below", "kinds")
    ears = [(path, with_below) for path, with_below, kinds in rows if not kinds or kind in kinds]
    if not ears:
        return None
    wide = {path for path, with_below in ears if with_below}
    return below(sorted(wide), column) | Q(**{f"{column}__in": {path for path, _ in ears} - wide})


def somebody_listens(column: str) -> Exists:
    """Whether there is any endpoint in the account of this path or above, for a query that is made anyway."""
    step = Account.steplen
    above = [Substr(OuterRef(column), 1, step * depth) for depth in range(1, DEEPEST + 1)]
    return Exists(WebhookEndpoint.objects.filter(is_active=True, account__path__in=above))


def _ears(paths: set[str]) -> dict[str, list[_Ear]]:
    """Who is told what happens in each of these accounts."""
    held = _asked.get()
    known = {} if held is None else held
    if missing := paths - known.keys():
        step = Account.steplen
        above = {path[:end] for path in missing for end in range(step, len(path) + 1, step)}
        rows = WebhookEndpoint.objects.filter(is_active=True, account__path__in=above).order_by("pk")
        found = list(rows.values_list("pk", "account__path", "with_below", "kinds"))
        for path in missing:
            known[path] = [
                _Ear(pk, frozenset(kinds))
                for pk, stands, with_below, kinds in found
                if path == stands or (with_below and path.startswith(stands))
            ]
    return known


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, str) else value
