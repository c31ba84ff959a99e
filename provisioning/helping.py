"""What helps with the lines of a phone's log, gathered for a page of them in a constant number of queries."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Device, SiteNetwork
from provisioning import describing, facts, gate, tokens
from provisioning.models import Approval, DeviceEvent, Lock, Window
from provisioning.remedies import DISABLED, Remedy, Situation, remedy
from security.models import Ban
from security.networks import AddressError, Network, any_holds, origin_of, parse_address

MOST_ADDRESSES = 50
#: Older lines keep their sentence; what was refused so long ago is mended or given up.
HELPS_FOR = timedelta(days=7)


def remedies(
    device: Device, lock: describing.LockView, events: Iterable[DeviceEvent], *, by: Actor, now: datetime
) -> dict[int, Remedy]:
    """The button of each line, by its number; of equal ones the newest line's only."""
    asked = [event for event in events if event.what == "request" and event.at > now - HELPS_FOR]
    places = _places([event for event in asked if event.outcome == gate.Outcome.REFUSED.value])
    known = facts.records([device.pk], now)[device.pk].lock.facts if asked else None
    if known is None:
        return {}
    row = Lock.objects.select_related("bound_site").get(pk=device.pk)
    powers = frozenset(power for power in Power if by.may(power, device.account.path))
    cards, open_at = _cards(device, now), _windows(known, places.values(), now)
    bound, standing = _bound(row), _standing(places.values(), now)
    mine = [origin_of(parse_address(address)) for address in by.addresses]
    has_clone = bool(tokens.suspected([device.pk], now))
    found: dict[int, Remedy] = {}
    said: set[tuple[Remedy, int | None]] = set()
    for event in asked:
        here = places.get(event.address)
        let_in = here is not None and (
            _granted(known, here, now) or any(here in window for window in open_at)
        )
        helps = remedy(
            Situation(
                rule=event.rule,
                outcome=event.outcome,
                state=lock.state if known.enabled or lock.state == gate.State.QUARANTINED else DISABLED,
                powers=powers,
                has_card=here is not None and any(here in network for network in cards),
                let_in=let_in,
                settled=here is not None and any_holds(bound, here) and row.since > event.at,
                suspected=lock.suspicion,
                is_mine=here is not None and origin_of(here) in mine,
                banned=here is not None and any(here in network for network in standing[Ban.Kind.BANNED]),
                blocked=here is not None and any(here in network for network in standing[Ban.Kind.BLOCKED]),
                has_clone=has_clone,
                sites_only=known.policies.first_fetch == "sites",
            )
        )
        if helps is not None and (helps, here) not in said:
            said.add((helps, here))
            found[event.pk] = helps
    return found


def _granted(known: gate.DeviceFacts, here: int, now: datetime) -> bool:
    """Whether an unlock lets this address in; one for any address does not for a suspected phone (R7)."""
    grant = known.grant
    if grant is None or grant.is_over(now.timestamp()):
        return False
    return here in grant.origin if grant.origin else known.suspicion_until <= now.timestamp()


def _places(events: Sequence[DeviceEvent]) -> dict[str, int]:
    """The addresses as numbers; of those that are kept as a network only (section 9) none."""
    found: dict[str, int] = {}
    for event in events:
        if event.address and event.address not in found and len(found) < MOST_ADDRESSES:
            try:
                found[event.address] = parse_address(event.address)
            except AddressError:
                continue
    return found


def _holding(places: Iterable[int]) -> Q:
    reach = Q(pk__in=[])
    for place in places:
        reach |= Q(first__lte=f"{place:032x}", last__gte=f"{place:032x}")
    return reach


def _cards(device: Device, now: datetime) -> list[Network]:
    """The origins of the phone's open card."""
    open_ = Approval.objects.filter(device=device, status=Approval.Status.OPEN, closes_at__gt=now).first()
    return [Network.from_hex(entry["first"], entry["last"]) for entry in open_.origins] if open_ else []


def _windows(known: gate.DeviceFacts, places: Iterable[int], now: datetime) -> list[Network]:
    """The origins of these addresses' windows that would let the phone in now."""
    rows = Window.objects.open_or_coming(now).filter(_holding(places))
    return [
        window.origin
        for window in facts.as_facts(rows)
        if window.admits(now=now.timestamp(), address=window.origin.first, device=known)
    ]


def _bound(row: Lock) -> tuple[Network, ...]:
    if row.bound_site is not None:
        held = SiteNetwork.objects.filter(site=row.bound_site).values_list("first", "last")
        return tuple(Network.from_hex(*ends) for ends in held)
    return (row.bound_network,) if row.bound_network else ()


def _standing(places: Iterable[int], now: datetime) -> dict[str, list[Network]]:
    found: dict[str, list[Network]] = {Ban.Kind.BANNED: [], Ban.Kind.BLOCKED: []}
    for kind, first, last in (
        Ban.objects.standing(now).filter(_holding(places)).values_list("kind", "first", "last")
    ):
        found.setdefault(kind, []).append(Network.from_hex(first, last))
    return found
