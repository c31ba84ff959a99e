"""What stands against an address, and which phones are behind it that the reader may see: the IP check."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from devices.catalog import catalog
from devices.models import Device
from devices.user_agent import parse_agent
from provisioning import standing, unblocking
from provisioning.gate import KeyKind, Outcome
from provisioning.models import DeviceEvent, FailureKey, Incident, Proof, Window
from security import bans
from security.models import AllowedNetwork, Ban, BanQuerySet
from security.networks import Network, origin_of, parse_address, parse_origin, show_address


@dataclass(frozen=True, slots=True)
class UnknownPhone:
    """A MAC with a known family's agent that nobody has entered, where the reader's phones alone live."""

    mac: str
    family: str
    model: str  #: as the catalogue names it; empty when the agent's is not known
    account: Account
    tries: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Checked:
    """The answers of the IP check for one origin; others' phones as counts, the reader's own in clear."""

    origin: Network
    address: str
    banned: Ban | None
    blocked: Ban | None
    allowed: AllowedNetwork | None
    windows: list[Window]
    storm: Incident | None  #: of phones that the reader may see, going on there (B2)
    failed: int
    kinds: list[tuple[KeyKind, int]]
    own: list[tuple[FailureKey, Device]]
    living: int  #: devices that the reader may see and that are proved there
    here: bool  #: the reader is there himself
    may_unblock: bool
    why_not: str  #: why he may not, where a ban stands
    unknown: list[UnknownPhone] = field(default_factory=list)


def check(text: str, *, by: Actor, now: datetime) -> Checked | None:
    """Everything that is known of an address or IPv6 /64; AddressError for what is none.

    None for an address that is not the reader's business: not where he is, and none of his phones was there.
    """
    origin = parse_origin(text)
    address = show_address(parse_address(text) if "/" not in text else origin.first)
    own = Device.objects.visible_to(by)
    living = standing.proved_at(origin, now).filter(pk__in=own.values("pk")).count()
    here = any(origin_of(parse_address(place)) == origin for place in by.addresses)
    keys = standing.failures(origin, now)
    macs = {key.label for key in keys if key.label}
    phones = {phone.mac: phone for phone in own.filter(mac__in=macs).select_related("account")}
    if not (here or living or phones or bans.may_see_all(by) or _was_refused(origin, address, by, now)):
        return None
    standing_bans = list(Ban.objects.standing(now).holding(origin).order_by("-ends_at"))
    allowed = AllowedNetwork.objects.standing(now).touching(origin).order_by("-ends_at")
    no = unblocking.refusal(address, by=by, now=now)
    return Checked(
        origin=origin,
        address=address,
        banned=_of_kind(standing_bans, Ban.Kind.BANNED),
        blocked=_of_kind(standing_bans, Ban.Kind.BLOCKED),
        allowed=allowed.select_related("account").first(),
        windows=list(_windows(origin, by, now)),
        storm=Incident.objects.visible_to(by)
        .going_on()
        .filter(kind=Incident.Kind.STORM, first=origin.hex_first)
        .first(),
        failed=len(keys),
        kinds=[(KeyKind(kind), count) for kind, count in Counter(key.kind for key in keys).most_common()],
        own=[(key, phones[key.label]) for key in keys if key.label in phones],
        living=living,
        here=here,
        may_unblock=no is None,
        why_not=no.detail if no is not None and standing_bans else "",
        unknown=unknown_phones(origin, keys, by=by, now=now),
    )


def unknown_phones(
    origin: Network, keys: list[FailureKey], *, by: Actor, now: datetime
) -> list[UnknownPhone]:
    """MACs refused there that speak as a phone does, for whoever may add them; the most tried first.

    Only where the phones of one account alone are proved, or where its window is open: nobody else's.
    """
    account = _whose(origin, now)
    if account is None or not by.may(Power.EDIT_DEVICES, account.path):
        return []
    found = []
    known = set(Device.objects.filter(mac__in={key.label for key in keys}).values_list("mac", flat=True))
    for key in keys:
        agent = parse_agent(key.agent) if key.kind == KeyKind.UNKNOWN_MAC.value else None
        if agent is None or key.label in known:
            continue
        model = catalog().find_model(agent.family, agent.model)
        name = model.name if model is not None else ""
        found.append(UnknownPhone(key.label, agent.family, name, account, key.count, key.last_at))
    return sorted(found, key=lambda phone: -phone.tries)


def bans_seen_by(by: Actor, now: datetime) -> BanQuerySet:
    """Every ban for platform support; others see those where they are and where their phones live (B7)."""
    rows = Ban.objects.all()
    if bans.may_see_all(by):
        return rows
    proofs = Proof.objects.filter(
        first__gte=OuterRef("first"),
        first__lte=OuterRef("last"),
        at__gte=now - standing.PROVED_TIME,
        device__in=Device.objects.visible_to(by).values("pk"),
    )
    seen = Q(Exists(proofs))
    for place in by.addresses:
        here = origin_of(parse_address(place))
        seen |= Q(first__lte=here.hex_first, last__gte=here.hex_last)
    return rows.filter(seen)


def _was_refused(origin: Network, address: str, by: Actor, now: datetime) -> bool:
    """Whether a phone that he sees was turned away there in the last day."""
    since = now - timedelta(days=1)
    own = Device.objects.visible_to(by).values("mac")
    if FailureKey.objects.filter(first=origin.hex_first, last_at__gt=since, label__in=own).exists():
        return True
    events = DeviceEvent.objects.visible_to(by).filter(what="request", address=address)
    return events.filter(outcome=Outcome.REFUSED.value, at__gt=since).exists()


def _windows(origin: Network, by: Actor, now: datetime) -> list[Window]:
    rows = Window.objects.visible_to(by).open_or_coming(now).select_related("account")
    return [window for window in rows if window.network.holds(origin)]


def _whose(origin: Network, now: datetime) -> Account | None:
    """The one account whose phones alone are proved there, or whose window alone is open there."""
    there = standing.proved_at(origin, now).values("account")
    accounts = list(Account.objects.filter(pk__in=there)[:2])
    if not accounts:
        open_ = Window.objects.open_or_coming(now).filter(starts_at__lte=now).select_related("account")
        accounts = list({window.account for window in open_ if window.network.holds(origin)})[:2]
    return accounts[0] if len(accounts) == 1 else None


def _of_kind(found: list[Ban], kind: Ban.Kind) -> Ban | None:
    return next((ban for ban in found if ban.kind == kind), None)
