"""Which phones asked just now from where a person is: his own by name, others as somebody."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from accounts.scope import Actor
from devices.models import Device
from provisioning import unknown_phones
from provisioning.gate import KeyKind, Outcome
from provisioning.models import DeviceEvent, FailureKey
from provisioning.unknown_phones import Stranger
from security.networks import Network, origin_of, parse_address

LATELY = timedelta(minutes=10)
MOST = 200
OF_PHONES = (KeyKind.UNKNOWN_MAC.value, KeyKind.LOCKED_MAC.value, KeyKind.WRONG_AGENT.value)


@dataclass(frozen=True, slots=True)
class Heard:
    """One phone that asked: one's own, an unknown one that may be added, or somebody's."""

    at: datetime
    device: Device | None = None
    stranger: Stranger | None = None
    event: DeviceEvent | None = None  #: what the phone got

    @property
    def was_refused(self) -> bool:
        return self.event is None or self.event.outcome == Outcome.REFUSED.value


def lately(by: Actor, now: datetime) -> list[Heard]:
    """Who asked in the last ten minutes from the addresses where the person is, the newest first.

    Others' phones are known by their failures alone, and only that there was one: neither name nor MAC.
    """
    origins = [origin_of(parse_address(place)) for place in by.addresses]
    if not origins:
        return []
    own = _own(by, origins, now)
    strangers = {
        stranger.mac: Heard(stranger.last_at, stranger=stranger)
        for stranger in unknown_phones.seen_by(by, now)
        if stranger.origin in origins and stranger.last_at > now - LATELY
    }
    return sorted([*own, *strangers.values(), *_others(by, origins, strangers, now)], key=_newest)


def _newest(heard: Heard) -> float:
    return -heard.at.timestamp()


def _own(by: Actor, origins: list[Network], now: datetime) -> list[Heard]:
    """The newest request of each phone that the person sees."""
    near = Q(address__in=by.addresses)
    for origin in origins:
        if not origin.is_v4:  # any address of the /64; what only looks like it is sorted out below
            near |= Q(address__startswith=str(origin).partition("::")[0])
    events = (
        DeviceEvent.objects.visible_to(by)
        .filter(near, what="request", at__gt=now - LATELY, device__isnull=False)
        .select_related("device__account")
        .order_by("-at")[:MOST]
    )
    found: dict[int, Heard] = {}
    for event in events:
        if event.device is not None and origin_of(parse_address(event.address)) in origins:
            found.setdefault(event.device.pk, Heard(event.at, device=event.device, event=event))
    return list(found.values())


def _others(by: Actor, origins: list[Network], named: dict[str, Heard], now: datetime) -> list[Heard]:
    keys = FailureKey.objects.filter(
        first__in=[origin.hex_first for origin in origins], kind__in=OF_PHONES, last_at__gt=now - LATELY
    ).order_by("-last_at")[:MOST]
    newest: dict[str, datetime] = {}
    for key in keys:
        newest.setdefault(key.label, key.last_at)
    own = set(Device.objects.visible_to(by).filter(mac__in=newest).values_list("mac", flat=True))
    return [Heard(at) for mac, at in newest.items() if mac not in own and mac not in named]
