"""E7 and E8: what strangers try puts a phone under suspicion; its provider lifts that, or a quarantine."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Device
from provisioning import announcing, events, locking, publishing, sites, wire
from provisioning.gate import KeyKind, State
from provisioning.models import FailureKey, Lock, MacRecord
from provisioning.spans import Span
from security.networks import Network, any_holds, wider

SIGNS = Actor.system("suspicion (E7)")
COUNTED = (KeyKind.LOCKED_MAC.value, KeyKind.WRONG_AGENT.value, KeyKind.WRONG_CERTIFICATE.value)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ORIGINS_A_DAY = 3
HOURS_A_DAY = 12
SUSPICION_TIME = timedelta(days=7)
REWRITTEN = timedelta(hours=1)  # a later end is written when it has moved by this
RELEASED = "device.released"
SUSPICION = ("suspicion_since", "suspicion_until", "suspicion_why")


@dataclass(frozen=True, slots=True)
class Tried:
    """A phone's key at one origin in one hour; `place` is what counts as one origin."""

    origin: Network
    place: Network
    hour: datetime
    first_at: datetime
    last_at: datetime


Sign = tuple[datetime, Lock.Suspicion]


# --- the signs ---------------------------------------------------------------------------------------------


def judge(macs: Iterable[str], *, now: datetime, since: datetime | None = None) -> None:
    """Put under suspicion whom somebody is after, by the keys of the day before `since` and all later ones.

    The caller has just written keys of these phones; `since` is when the earliest of them was made, so that
    notes that come late are judged by their own time. One query where there is no sign.
    """
    after = (since or now) - DAY
    tries = _tries(macs, after)
    perhaps = {mac: found for mac, found in tries.items() if _last_sign(found) is not None}
    if not perhaps:
        return
    locks = locking.locked_rows(Device.objects.filter(mac__in=perhaps).values_list("pk", flat=True))
    places, lifted = sites.places(lock.device.account_id for lock in locks), _lifted(locks, after)
    for lock in locks:
        own = places[lock.device.account_id]
        found = _foreign(perhaps[lock.device.mac], lock, own, lifted.get(lock.pk))
        if (sign := _last_sign(found)) is not None:
            raise_(lock, why=sign[1], at=sign[0], now=now)


def is_settled(lock: Lock, *, at: datetime, now: datetime) -> bool:
    """Whether a sign at this time would say nothing that the lock does not say already."""
    until = lock.suspicion_until
    return until is not None and now < until and at + SUSPICION_TIME - until < REWRITTEN


def _tries(macs: Iterable[str], after: datetime) -> dict[str, list[Tried]]:
    """The keys of these phones, by the phone's MAC; an IPv4 /24 and an IPv6 /48 count as one place."""
    rows = FailureKey.objects.filter(
        label__in=set(macs), kind__in=COUNTED, hour__gt=after - HOUR, last_at__gt=after
    ).order_by()
    tries: dict[str, list[Tried]] = defaultdict(list)
    for mac, first, last, *times in rows.values_list("label", "first", "last", "hour", "first_at", "last_at"):
        origin = Network.from_hex(first, last)
        tries[mac].append(Tried(origin, wider(origin.first, 24, 48), *times))
    return tries


def _last_sign(tries: Sequence[Tried]) -> Sign | None:
    """When the last sign was given, and which it was."""
    signs = [(_crowded(tries), Lock.Suspicion.ORIGINS), (_lasting(tries), Lock.Suspicion.HOURS)]
    given = [(at, why) for at, why in signs if at is not None]
    return max(given, key=lambda sign: sign[0], default=None)


def _crowded(tries: Sequence[Tried]) -> datetime | None:
    """The last try at which three places had been refused within 24 hours."""
    if len({tried.place for tried in tries}) < ORIGINS_A_DAY:
        return None
    points = sorted({(at, tried.place) for tried in tries for at in (tried.first_at, tried.last_at)})
    within: Counter[Network] = Counter()
    oldest, last = 0, None
    for at, place in points:
        within[place] += 1
        while at - points[oldest][0] >= DAY:
            gone = points[oldest][1]
            within[gone] -= 1
            if not within[gone]:
                del within[gone]
            oldest += 1
        if len(within) >= ORIGINS_A_DAY:
            last = at
    return last


def _lasting(tries: Sequence[Tried]) -> datetime | None:
    """The last try at which one place had been refused in 12 of 24 hours."""
    hours: dict[Network, dict[datetime, datetime]] = defaultdict(dict)
    for tried in tries:
        of_place = hours[tried.place]
        of_place[tried.hour] = max(tried.last_at, of_place.get(tried.hour, tried.last_at))
    signs = [
        at
        for of_place in hours.values()
        if len(of_place) >= HOURS_A_DAY
        for hour, at in of_place.items()
        if sum(hour - DAY < other <= hour for other in of_place) >= HOURS_A_DAY
    ]
    return max(signs, default=None)


def _lifted(locks: Iterable[Lock], after: datetime) -> dict[int, datetime]:
    """When a person last released each phone since then: what was tried before says nothing any more.

    Read in the audit, which stays when a phone moves and leaves its log behind (E17).
    """
    codes = {str(lock.device.code): lock.pk for lock in locks}
    rows = AuditEntry.objects.filter(verb=RELEASED, at__gte=after, target_code__in=codes).order_by("at")
    return {codes[code]: at for code, at in rows.values_list("target_code", "at")}


def _foreign(
    tries: Iterable[Tried], lock: Lock, own: Sequence[tuple[Network, int]], lifted: datetime | None
) -> list[Tried]:
    """What was tried elsewhere than where the phone is bound, since it was released; a site is one place."""
    bound = [network for network, site in own if site == lock.bound_site_id]
    bound += [lock.bound_network] if lock.bound_network and lock.bound_site_id is None else []
    of_site: dict[int, Network] = {}  # one network of a site stands for all
    for network, site in own:
        of_site.setdefault(site, network)
    places: dict[Network, Network | None] = {}
    found = []
    for tried in tries:
        if lifted is not None and tried.last_at <= lifted:
            continue
        if tried.origin not in places:
            at_site = next((of_site[site] for network, site in own if network.holds(tried.origin)), None)
            is_home = any_holds(bound, tried.origin.first)
            places[tried.origin] = None if is_home else at_site or tried.place
        if (place := places[tried.origin]) is not None:
            first_at = tried.last_at if lifted is not None and tried.first_at <= lifted else tried.first_at
            found.append(replace(tried, place=place, first_at=first_at))
    return found


def raise_(lock: Lock, *, why: Lock.Suspicion, at: datetime, now: datetime) -> bool:
    """Put the phone, whose row is held, under suspicion until 7 days after its sign; False: nothing new.

    An unlock for any address ends at once. What stands below the private URL is untouched.
    """
    device, until = lock.device, at + SUSPICION_TIME
    if until <= now or is_settled(lock, at=at, now=now):
        return False
    begins = not locking.is_suspected(lock, now)
    lifted = _lifted([lock], at).get(lock.pk) if begins else None
    if lifted is not None and at <= lifted:
        return False
    ends_unlock, unlocked_by = _is_open_to_all(lock, now), lock.grant_by
    if ends_unlock:
        locking.close_grant(lock, state=State.LOCKED, since=now, by=SIGNS.label)
    lock.suspicion_since = at if begins else lock.suspicion_since
    lock.suspicion_until, lock.suspicion_why = until, why.value
    cleaning.full_clean(lock)
    lock.save(update_fields=[*locking.GRANT, *SUSPICION])
    if begins or ends_unlock:
        details: dict[str, Any] = {"why": why.value, "until": until.isoformat()}
        details |= {"unlocked_by": unlocked_by} if ends_unlock else {}
        audit.record(SIGNS, "device.suspected", device, now=now, **details)
        events.write(device, "suspicion", by=SIGNS, rule="E7", at=at, **details)
    publishing.device_changed(device.pk)
    return True


def _is_open_to_all(lock: Lock, now: datetime) -> bool:
    """Whether an unlock for any address is open; one whose time is over ends as R8 says."""
    if lock.state != State.UNLOCKED.value or lock.grant_origin is not None:
        return False
    return lock.grant_until is None or now < lock.grant_until


# --- release -----------------------------------------------------------------------------------------------


@announcing.asked_once()
def release(
    device: Device,
    *,
    by: Actor,
    reason: str,
    unlock: Span | None = None,
    origin: Network | None = None,
    now: datetime | None = None,
) -> Lock:
    """Lift suspicion and quarantine, in the MAC's ledger too: LOCKED as before, or unlocked if asked (E8)."""
    now = now or timezone.now()
    if not by.may(Power.RELEASE_DEVICE, device.account.path):
        raise Forbidden
    reason = cleaning.needed("reason", reason, gettext("A reason"), longest=300)
    if origin is not None and unlock is None:
        raise Invalid("for", gettext("Say for how long the phone is unlocked for that address."), rule="E8")
    with transaction.atomic():
        lock = locking.locked_row(device)
        device = lock.device
        lifted = ["quarantine"] if lock.state == State.QUARANTINED.value else []
        lifted += ["suspicion"] if locking.is_suspected(lock, now) else []
        if not lifted:
            raise Refusal(
                "E8",
                gettext("This phone is neither quarantined nor under suspicion."),
                code="nothing-to-lift",
            )
        if "quarantine" in lifted:
            locking.close_grant(lock, state=State.LOCKED, since=now, by=by.label)
        if unlock is not None:
            locking.refuse_shut(lock, "E8")
        lock.suspicion_since = lock.suspicion_until = None
        lock.suspicion_why = ""
        cleaning.full_clean(lock)
        lock.save(update_fields=[*locking.GRANT, *SUSPICION])
        MacRecord.objects.filter(mac_hash=wire.mac_hash(settings.TOKEN_KEY, device.mac)).update(
            quarantined=False, suspicion_until=None
        )
        details: dict[str, Any] = {"lifted": " and ".join(lifted), "reason": reason}
        audit.record(by, RELEASED, device, now=now, **details)
        events.write(device, "released", by=by, rule="E8", at=now, **details)
        if "quarantine" in lifted:
            announcing.announce(
                "device.locked", device.account, at=now, device=device, rule="E8", by=by.label
            )
        if unlock is not None:
            locking.open_grant(lock, by=by, rule="E8", span=unlock, origin=origin, now=now)
        publishing.device_changed(device.pk)
    return lock
