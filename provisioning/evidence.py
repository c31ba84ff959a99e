"""What speaks for and against a refused phone: the facts on its card, of its newest address (E14)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, F, Max, Q
from django.utils import timezone

from accounts.models import AuditEntry, Membership
from accounts.roles import POWERS, Power, Role
from accounts.scope import Actor
from devices.models import Device, Site, SiteNetwork
from devices.user_agent import parse_agent
from provisioning import facts
from provisioning.gate import State
from provisioning.models import Approval, Claim, LastSeen, Lock, Proof
from security.models import Ban
from security.networks import AddressError, Network, parse_address

PROVED_FOR = timedelta(days=30)
SEEN_LATELY = timedelta(hours=24)
ASKED_BACK = timedelta(days=30)
MANAGING = tuple(role.value for role in Role if Power.ANSWER_APPROVAL in POWERS[role])


@dataclass(frozen=True, slots=True)
class SiteOffer:
    """A site that the address may join, and how many phones would accept it then."""

    site: Site
    accepting: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One card's facts at its newest origin."""

    origin: Network
    address: str
    agent: str
    agent_fits: bool
    bound_there: bool  #: it may not be denied then
    last_check_in: datetime | None
    last_check_in_from: str
    phones_there: int  #: other phones of the account that live at this address
    owner_there: datetime | None  #: when the phone's owner was last seen there, within 24 h
    manager_there: datetime | None
    reader_there: bool  #: whoever reads the card is there, by his proof or his request
    banned: bool
    blocked: bool
    shared: bool
    first_set_up_from: str  #: by R1 within the last 30 days: "Was that you?"
    first_set_up_at: datetime | None
    first_claim: UUID | None  #: what a "no" takes back (E16)
    sites: tuple[SiteOffer, ...]

    @property
    def approve_first(self) -> bool:
        """Whether *Approve* is the first button: only where something speaks for the address."""
        known = self.phones_there > 0 or self.reader_there
        return known or self.owner_there is not None or self.manager_there is not None


def evidence(approval: Approval, *, by: Actor | None = None, now: datetime | None = None) -> Evidence:
    """Gather what is known of the card's newest origin."""
    return evidence_of([approval], by=by, now=now)[0]


def evidence_of(
    cards: Sequence[Approval], *, by: Actor | None = None, now: datetime | None = None
) -> list[Evidence]:
    """As `evidence`, of many cards in the same number of queries."""
    known = _fetched(cards, now or timezone.now())
    return [_of(card, by, known) for card in cards]


@dataclass(frozen=True, slots=True)
class _Known:
    """The rows that the evidence of some cards is read from; places and people of all of them together."""

    bans: list[tuple[str, Network]]
    shared: frozenset[Network]
    seen: dict[int, LastSeen]
    first: dict[int, Claim]  #: each phone's first fetch, while it may be asked about
    lives: dict[tuple[str, int], dict[int | None, int]]  #: by origin and account: how many phones of a site
    own: set[tuple[str, int]]  #: the phones of the cards that live at an origin themselves
    people: dict[int, list[tuple[int, datetime]]]  #: where and when each did something lately
    managers: dict[str, set[int]]  #: by the path of the account
    networks: dict[int, list[Network]]  #: of the sites that the phones are locked to
    sites: list[Site]
    accepting: dict[int, int]


def _fetched(cards: Sequence[Approval], now: datetime) -> _Known:
    where = {_origin(card) for card in cards}
    devices = [card.device for card in cards]
    proofs = Proof.objects.filter(first__in={o.hex_first for o in where}, at__gte=now - PROVED_FOR)
    accounts = {device.account_id for device in devices}
    there = proofs.filter(device__account__in=accounts).order_by()
    counted = there.values_list("first", "device__account_id", "device__site_id").annotate(Count("pk"))
    lives: dict[tuple[str, int], dict[int | None, int]] = defaultdict(dict)
    for first, account, site, count in counted:
        lives[first, account][site] = count
    places = {site for by_site in lives.values() for site in by_site if site is not None}
    claims = Claim.objects.filter(device__in=devices, mac=F("device__mac"), undone_at=None, rule="R1")
    managers = _managers(devices)
    people = {person for found in managers.values() for person in found}
    people |= {device.owner_id for device in devices if device.owner_id}
    return _Known(
        bans=_bans(where, now),
        shared=facts.shared(now, at=where),
        seen=LastSeen.objects.in_bulk([device.pk for device in devices]),
        first={
            claim.device_id or 0: claim for claim in claims.filter(at__gt=now - ASKED_BACK).order_by("pk")
        },
        lives=lives,
        own=set(proofs.filter(device__in=devices).values_list("first", "device_id")),
        people=_seen(people, now),
        managers=managers,
        networks=_networks([device.lock for device in devices]),
        sites=list(Site.objects.filter(pk__in=places)),
        accepting=_accepting(places),
    )


def _of(card: Approval, by: Actor | None, known: _Known) -> Evidence:
    device, where, entry = card.device, _origin(card), card.origins[0]
    seen, first = known.seen.get(device.pk), known.first.get(device.pk)
    standing = {kind for kind, network in known.bans if where.first in network}
    lives = known.lives.get((where.hex_first, device.account_id), {})
    managers = known.managers[device.account.path]
    return Evidence(
        origin=where,
        address=entry["address"],
        agent=entry["agent"],
        agent_fits=_fits(device, entry["agent"]),
        bound_there=_is_bound(device.lock, where, known.networks),
        last_check_in=seen.at if seen else None,
        last_check_in_from=seen.address if seen else "",
        phones_there=sum(lives.values()) - ((where.hex_first, device.pk) in known.own),
        owner_there=_there([device.owner_id] if device.owner_id else [], where, known),
        manager_there=_there(managers, where, known),
        reader_there=bool(
            by and by.user and any(parse_address(address) in where for address in by.addresses)
        ),
        banned=Ban.Kind.BANNED in standing,
        blocked=Ban.Kind.BLOCKED in standing,
        shared=where in known.shared,
        first_set_up_from=first.address if first else "",
        first_set_up_at=first.at if first else None,
        first_claim=first.code if first else None,
        sites=tuple(
            SiteOffer(site, known.accepting.get(site.pk, 0))
            for site in known.sites
            if site.pk in lives and site.account_id == device.account_id
        ),
    )


def is_bound_there(lock: Lock, origin: Network) -> bool:
    """Whether the phone is locked to this very origin; then there is nothing to deny."""
    return _is_bound(lock, origin, _networks([lock]))


def proved_there(site: Site, origin: Network, now: datetime) -> bool:
    """Whether a phone of the site fetched its full file from there in the last 30 days."""
    rows = Proof.objects.filter(first=origin.hex_first, at__gte=now - PROVED_FOR)
    return rows.filter(device__site=site).exists()


def accepting(site: Site) -> int:
    """How many phones a new network of this site may claim: those that are locked to the site."""
    return _accepting([site.pk]).get(site.pk, 0)


def _accepting(sites: Collection[int]) -> dict[int, int]:
    rows = Lock.objects.filter(bound_site__in=sites).exclude(state=State.QUARANTINED.value)
    return dict(rows.order_by().values_list("bound_site_id").annotate(Count("pk")))


def _origin(card: Approval) -> Network:
    return Network.from_hex(card.origins[0]["first"], card.origins[0]["last"])


def _fits(device: Device, text: str) -> bool:
    agent = parse_agent(text)
    return agent is not None and agent.family == device.family and agent.mac in (None, device.mac)


def _is_bound(lock: Lock, origin: Network, networks: dict[int, list[Network]]) -> bool:
    if lock.bound_site_id is not None:
        return any(network.holds(origin) for network in networks.get(lock.bound_site_id, ()))
    return lock.bound_network is not None and lock.bound_network.holds(origin)


def _networks(locks: Iterable[Lock]) -> dict[int, list[Network]]:
    """The networks of the sites that these are bound to."""
    found: dict[int, list[Network]] = defaultdict(list)
    sites = {lock.bound_site_id for lock in locks if lock.bound_site_id is not None}
    for row in SiteNetwork.objects.filter(site__in=sites):
        found[row.site_id].append(Network.from_hex(row.first, row.last))
    return found


def _bans(where: Collection[Network], now: datetime) -> list[tuple[str, Network]]:
    """The bans and blocks in force at any of these origins."""
    reach = Q(pk__in=[])
    for origin in where:
        reach |= Q(first__lte=origin.hex_first, last__gte=origin.hex_first)
    rows = Ban.objects.standing(now).filter(reach).values_list("kind", "first", "last")
    return [(kind, Network.from_hex(first, last)) for kind, first, last in rows]


def _managers(devices: Iterable[Device]) -> dict[str, set[int]]:
    """Who answers for the accounts of these phones, from there up to the platform."""
    above = {device.account.path: device.account.ancestor_paths() for device in devices}
    paths = {path for ancestors in above.values() for path in ancestors}
    at: dict[str, set[int]] = defaultdict(set)
    rows = Membership.objects.filter(account__path__in=paths, role__in=MANAGING)
    for path, person in rows.values_list("account__path", "user_id"):
        at[path].add(person)
    return {path: {person for a in ancestors for person in at[a]} for path, ancestors in above.items()}


def _seen(people: Collection[int], now: datetime) -> dict[int, list[tuple[int, datetime]]]:
    """Where these people did something in the last day, and when last."""
    found: dict[int, list[tuple[int, datetime]]] = defaultdict(list)
    rows = AuditEntry.objects.filter(user__in=people, at__gt=now - SEEN_LATELY).exclude(address="")
    for person, address, at in rows.order_by().values_list("user_id", "address").annotate(Max("at")):
        try:
            found[person].append((parse_address(address), at))
        except AddressError:
            continue
    return found


def _there(people: Iterable[int], origin: Network, known: _Known) -> datetime | None:
    """When one of these people last did something from there."""
    times = (at for one in people for address, at in known.people.get(one, ()) if address in origin)
    return max(times, default=None)
