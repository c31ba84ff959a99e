"""What the rows know of a silence's cause: bans on its addresses, refusals, held answers, firmware."""

from collections import Counter
from datetime import datetime, timedelta

from django.db.models import QuerySet, Sum

from accounts.said import Said
from devices.models import SiteNetwork
from provisioning import standing
from provisioning.gate import Outcome
from provisioning.models import DeviceEvent, LastSeen, Proof
from provisioning.quiet_places import Spot
from provisioning.silence import is_quiet
from provisioning.silence_words import Banned, Known, Refused, Version
from security.models import Ban
from security.networks import Network

#: Why a phone was refused, as a sentence goes on after "because"; the others by their rule.
WHY = {
    "G1": Said("the address is banned"),
    "O2": Said("the address is blocked"),
    "R3": Said("phones were not set up in time"),
    "R6": Said("phones are locked to another place"),
    "R11": Said("MACs are not known here"),
    "O1": Said("private URLs are over"),
}
BEFORE = timedelta(hours=1)  # what was refused just before the silence may have made it


def known(spot: Spot, *, since: datetime, now: datetime) -> Known:
    """Gather it for one place; five queries."""
    networks = _networks(spot, now)
    events = DeviceEvent.objects.filter(
        account=spot.key[0],
        what="request",
        at__gte=since - BEFORE,
        device__in=_rows(spot).values("device_id"),
    ).order_by()
    refused = events.filter(outcome=Outcome.REFUSED.value).values("rule").annotate(times=Sum("count"))
    held = events.filter(outcome=Outcome.HELD.value)
    times = held.aggregate(times=Sum("count"))["times"] or 0
    first = held.order_by("at").values_list("at", flat=True).first() if times else None
    return Known(
        now=now,
        zone=spot.zone,
        last_good=spot.newest,
        bans=[
            Banned(str(ban.network), ban.starts_at, ban.ends_at)
            for ban in Ban.objects.standing(now)
            if any(ban.first <= network.hex_last and ban.last >= network.hex_first for network in networks)
        ],
        refusals=[
            Refused(WHY.get(row["rule"]) or Said("rule {rule} says so", rule=row["rule"]), row["times"])
            for row in refused
        ],
        held=times,
        held_since=first,
        versions=_versions(spot, now),
    )


def _rows(spot: Spot) -> "QuerySet[LastSeen]":
    rows = LastSeen.objects.filter(device__account=spot.key[0])
    return rows.filter(device__site=spot.key[1]) if spot.is_site else rows


def _networks(spot: Spot, now: datetime) -> list[Network]:
    """Where its phones live: the site's networks, and where they are proved."""
    proofs = Proof.objects.filter(
        device__in=_rows(spot).values("device_id"), at__gte=now - standing.PROVED_TIME
    )
    ranges = set(proofs.order_by().values_list("first", "last").distinct())
    if spot.is_site:
        ranges |= set(SiteNetwork.objects.filter(site=spot.key[1]).values_list("first", "last"))
    return [Network.from_hex(first, last) for first, last in sorted(ranges)]


def _versions(spot: Spot, now: datetime) -> list[Version]:
    """The firmware of the phones that are waited for; a place by count is quiet in all that are late."""
    phones = dict(zip(spot.devices, spot.phones, strict=True))
    quiet: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for pk, version in _rows(spot).exclude(firmware="").values_list("device_id", "firmware"):
        if pk in phones:
            every[version] += 1
            quiet[version] += is_quiet(phones[pk], now)
    return [Version(version, quiet[version], count) for version, count in every.items()]
