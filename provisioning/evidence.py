"""What speaks for and against a refused phone: the facts on a card, gathered for one of its origins (E14)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import AuditEntry, Membership
from accounts.roles import POWERS, Power, Role
from accounts.scope import Actor
from devices.models import Device, Site
from devices.user_agent import parse_agent
from provisioning import facts
from provisioning.gate import State
from provisioning.models import Approval, Claim, LastSeen, Lock, Proof
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
    """One card's facts at one of its origins."""

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


def evidence(
    approval: Approval, *, by: Actor | None = None, origin: Network | None = None, now: datetime | None = None
) -> Evidence:
    """Gather what is known of the card's newest origin, or of the one that is named."""
    now = now or timezone.now()
    device, lock = approval.device, approval.device.lock
    entry = next((e for e in approval.origins if origin is None or e["first"] == origin.hex_first), None)
    entry = entry or approval.origins[0]
    where = Network.from_hex(entry["first"], entry["last"])
    banned, blocked = facts.standing_of(where.first, now)
    seen = LastSeen.objects.filter(device=device).first()
    asked_back = Claim.objects.filter(device=device, mac=device.mac, undone_at=None, rule="R1")
    first = asked_back.filter(at__gt=now - ASKED_BACK).order_by("-pk").first()
    owner = AuditEntry.objects.filter(user=device.owner_id) if device.owner_id else AuditEntry.objects.none()
    return Evidence(
        origin=where,
        address=entry["address"],
        agent=entry["agent"],
        agent_fits=_fits(device, entry["agent"]),
        bound_there=is_bound_there(lock, where),
        last_check_in=seen.at if seen else None,
        last_check_in_from=seen.address if seen else "",
        phones_there=_proved(where, now)
        .filter(device__account=device.account)
        .exclude(device=device)
        .count(),
        owner_there=_seen_there(owner, where, now),
        manager_there=_seen_there(AuditEntry.objects.filter(user__in=_managers(device)), where, now),
        reader_there=bool(
            by and by.user and any(parse_address(address) in where for address in by.addresses)
        ),
        banned=banned,
        blocked=blocked,
        shared=facts.is_shared(where.first, now),
        first_set_up_from=first.address if first else "",
        first_set_up_at=first.at if first else None,
        first_claim=first.code if first else None,
        sites=tuple(_offers(device, where, now)),
    )


def is_bound_there(lock: Lock, origin: Network) -> bool:
    """Whether the phone is locked to this very origin; then there is nothing to deny."""
    if lock.bound_site is not None:
        return any(Network.from_hex(n.first, n.last).holds(origin) for n in lock.bound_site.networks.all())
    return lock.bound_network is not None and lock.bound_network.holds(origin)


def proved_there(site: Site, origin: Network, now: datetime) -> bool:
    """Whether a phone of the site fetched its full file from there in the last 30 days."""
    return _proved(origin, now).filter(device__site=site).exists()


def accepting(site: Site) -> int:
    """How many phones a new network of this site may claim: those that are locked to the site."""
    return Lock.objects.filter(bound_site=site).exclude(state=State.QUARANTINED.value).count()


def _proved(origin: Network, now: datetime) -> QuerySet[Proof]:
    return Proof.objects.filter(first=origin.hex_first, at__gte=now - PROVED_FOR)


def _offers(device: Device, origin: Network, now: datetime) -> list[SiteOffer]:
    ids = _proved(origin, now).filter(device__account=device.account).values("device__site")
    found = Site.objects.filter(pk__in=ids, account=device.account)
    return [SiteOffer(site, accepting(site)) for site in found]


def _fits(device: Device, text: str) -> bool:
    agent = parse_agent(text)
    return agent is not None and agent.family == device.family and agent.mac in (None, device.mac)


def _managers(device: Device) -> QuerySet[Membership, int]:
    rows = Membership.objects.filter(account__path__in=device.account.ancestor_paths(), role__in=MANAGING)
    return rows.values_list("user_id", flat=True)


def _seen_there(rows: QuerySet[AuditEntry], origin: Network, now: datetime) -> datetime | None:
    """When one of these people last did something from there."""
    lately = rows.filter(at__gt=now - SEEN_LATELY).exclude(address="").order_by("-at")
    for at, address in lately.values_list("at", "address")[:1000]:
        try:
            if parse_address(address) in origin:
                return at
        except AddressError:
            continue
    return None
