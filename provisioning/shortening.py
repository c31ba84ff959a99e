"""Former addresses lose their end: after 90 days a log says the /24 or the /48, not whose line it was."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from provisioning.models import Approval, Claim, DeviceEvent
from security.networks import AddressError, Network, parse_address, parse_network, wider

BATCH = 500
V4, V6 = 24, 48
LATE = timedelta(days=2)  # notes that were drained late stand behind where the last sweep came to


def shortened(value: Any) -> Any:
    """The value with every address in it shortened; text that is more than an address stays as it is."""
    if isinstance(value, dict):
        return {name: shortened(held) for name, held in value.items()}
    if isinstance(value, list):
        return [shortened(held) for held in value]
    if not isinstance(value, str):
        return value
    network = _network(value)
    return value if network is None else str(_around(network))


def events(cut: datetime, since: datetime | None) -> Iterator[int]:
    """Shorten the log up to the cut, from where the last sweep came to."""
    rows = DeviceEvent.objects.filter(at__lt=cut)
    if since is not None:
        rows = rows.filter(at__gte=since - LATE)
    after = Q()
    while batch := list(
        rows.filter(after).order_by("at", "pk").values_list("pk", "at", "address", "details")[:BATCH]
    ):
        yield _shorten_events(batch)
        last_pk, last_at = batch[-1][0], batch[-1][1]
        after = Q(at__gt=last_at) | Q(at=last_at, pk__gt=last_pk)


def _shorten_events(batch: list[tuple[int, datetime, str, dict[str, Any]]]) -> int:
    by_address: dict[str, list[int]] = defaultdict(list)
    details: dict[int, Any] = {}
    for pk, _, address, held in batch:
        if (short := shortened(address)) != address:
            by_address[short].append(pk)
        if (less := shortened(held)) != held:
            details[pk] = less
    with transaction.atomic():
        for short, pks in by_address.items():
            DeviceEvent.objects.filter(pk__in=pks).update(address=short)
        for pk, less in details.items():
            DeviceEvent.objects.filter(pk=pk).update(details=less)
    return len({pk for pks in by_address.values() for pk in pks} | details.keys())


def claims(rows: "QuerySet[Claim]") -> int:
    """Shorten a batch of claims; what stood before them is blank, for nobody goes back to a /24 (E16)."""
    full = rows.exclude(address="").exclude(address__contains="/").order_by("at")[:BATCH]
    found = list(full)
    for claim in found:
        around = _around(Network.from_hex(claim.first, claim.last))
        claim.first, claim.last = around.hex_first, around.hex_last
        claim.address = str(_around(_network(claim.address) or around))
        claim.before = {**claim.before, "bound": ["", ""]}
    Claim.objects.bulk_update(found, ["first", "last", "address", "before"])
    return len(found)


def approvals(cut: datetime, since: datetime | None) -> Iterator[int]:
    """Shorten the cards that are no longer open."""
    rows = Approval.objects.filter(last_try_at__lt=cut).exclude(status=Approval.Status.OPEN)
    if since is not None:
        rows = rows.filter(last_try_at__gte=since - LATE)
    after = Q()
    while batch := list(rows.filter(after).order_by("pk")[:BATCH]):
        changed = []
        for card in batch:
            less = [_shortened_entry(entry) for entry in card.origins]
            if less != card.origins:
                card.origins = less
                changed.append(card)
        Approval.objects.bulk_update(changed, ["origins"])
        yield len(changed)
        after = Q(pk__gt=batch[-1].pk)


def _shortened_entry(entry: dict[str, Any]) -> dict[str, Any]:
    around = _around(Network.from_hex(entry["first"], entry["last"]))
    return {
        **entry,
        "first": around.hex_first,
        "last": around.hex_last,
        "address": shortened(entry["address"]),
    }


def _around(network: Network) -> Network:
    """The /24 or /48 around it; a network that is no narrower stays."""
    around = wider(network.first, V4, V6)
    return around if around.holds(network) else network


def _network(text: str) -> Network | None:
    try:
        return parse_network(text) if "/" in text else Network(parse_address(text), parse_address(text))
    except AddressError:
        return None
