"""What people and the clock do to one phone's lock: unlock, lock again, re-arm, quarantine, its ends."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices import holding
from devices.models import Device
from provisioning import events, policies, publishing, tokens, wire
from provisioning.gate import Outcome, State
from provisioning.models import Claim, Denial, DeviceEvent, Lock, MacRecord
from provisioning.spans import Span as Span
from security.networks import Network, origin_of, parse_address

CLOCK = Actor.system("the clock")
DAY = timedelta(days=1)
LEFT_OPEN = timedelta(days=7)
OWNER_UNLOCKS_A_DAY = 3
SHIP_AHEAD = timedelta(days=60)
SHORTEST_FRESH_TIME = timedelta(hours=1)
GRANT = ("state", "since", "by", "grant_given_at", "grant_until", "grant_first", "grant_last", "grant_by")
BINDING = ("bound_first", "bound_last", "bound_site")


# --- unlock ------------------------------------------------------------------------------------------------


def unlock(
    device: Device,
    *,
    by: Actor,
    span: Span | None = None,
    origin: Network | None = None,
    now: datetime | None = None,
) -> Lock:
    """Let the phone be set up from elsewhere, once: a manager by E1, the phone's owner by E2."""
    now = now or timezone.now()
    if by.may(Power.UNLOCK_DEVICE, device.account.path):
        return _unlock(device, by=by, rule="E1", span=span, origin=origin, now=now)
    if not _owns(device, by):
        raise Forbidden
    return _unlock_own(device, by=by, span=span, origin=origin, now=now)


def allow_reprovision(
    device: Device, *, by: Actor, origin: Network | None = None, now: datetime | None = None
) -> Lock:
    """*Allow Reprovision*: the owner or a manager unlocks the phone for the end user's time (E2)."""
    now = now or timezone.now()
    if by.may(Power.UNLOCK_DEVICE, device.account.path):
        ttl = policies.effective(device.account).user_unlock_ttl
        return _unlock(device, by=by, rule="E2", span=Span("user", ttl), origin=origin, now=now)
    if not _owns(device, by):
        raise Forbidden
    return _unlock_own(device, by=by, span=None, origin=origin, now=now)


@dataclass(frozen=True, slots=True)
class OwnUnlocks:
    """How often somebody may still unlock phones of his own today (E2), and from when on once more."""

    left: int
    again_at: datetime | None


def own_unlocks(by: Actor, *, now: datetime) -> OwnUnlocks:
    """What the limit of a day leaves to the owner of a phone."""
    done = AuditEntry.objects.filter(
        user=by.user, verb="device.unlocked", details__rule="E2", details__as="owner", at__gt=now - DAY
    )
    times = list(done.order_by("-at").values_list("at", flat=True)[:OWNER_UNLOCKS_A_DAY])
    left = OWNER_UNLOCKS_A_DAY - len(times)
    return OwnUnlocks(left, None if left else times[-1] + DAY)


def scope_by_presence(device: Device, *, by: Actor, now: datetime) -> Network | None:
    """The address of the person who unlocks, when a try of this phone was refused there in the last 24 h.

    What he proved counts before the address of his request. The button says so before it is pressed. A
    program has no presence.
    """
    return None if by.user is None else scope_among(tried_at(device, now=now), by=by)


def scope_among(tried: list[Network], *, by: Actor) -> Network | None:
    """As `scope_by_presence`, where it is known at which origins tries were refused."""
    here = (origin_of(parse_address(address)) for address in by.addresses) if by.user is not None else ()
    return next((origin for origin in here if origin in tried), None)


def tried_at(device: Device, *, now: datetime) -> list[Network]:
    """The origins at which a try of this phone was refused in the last 24 hours, the last one first."""
    return tried_at_many([device], now=now)[device.pk]


def tried_at_many(devices: Collection[Device], *, now: datetime) -> dict[int, list[Network]]:
    """As `tried_at` for many phones, by their keys, in one query."""
    refused = DeviceEvent.objects.filter(
        device__in=[device.pk for device in devices],
        device__account=F("account"),
        what="request",
        outcome=Outcome.REFUSED.value,
        at__gt=now - DAY,
    ).exclude(address="")
    newest = refused.values("device_id", "address").annotate(last=Max("at")).order_by("-last")
    found: dict[int, dict[Network, None]] = {device.pk: {} for device in devices}
    for row in newest:
        found[row["device_id"]].setdefault(origin_of(parse_address(row["address"])))
    return {pk: list(origins) for pk, origins in found.items()}


def _owns(device: Device, by: Actor) -> bool:
    own = by.user is not None and device.owner_id == by.user.pk
    return own and by.may(Power.OWN_PHONES, device.account.path)


def _unlock_own(
    device: Device, *, by: Actor, span: Span | None, origin: Network | None, now: datetime
) -> Lock:
    ttl = policies.effective(device.account).user_unlock_ttl
    span = span or Span("user", ttl)
    if span.length is None or span.length > ttl:
        hours = int(ttl.total_seconds() // 3600)
        raise Refusal(
            "E2",
            gettext("You can unlock your phone for up to {hours} hours.").format(hours=hours),
            code="too-long",
            field="for",
        )
    done = OWNER_UNLOCKS_A_DAY - own_unlocks(by, now=now).left
    if done >= OWNER_UNLOCKS_A_DAY:
        raise Refusal(
            "E2",
            gettext(
                "You did this {times} times in the last 24 hours. The people who manage your phone"
                " can still do it."
            ).format(times=OWNER_UNLOCKS_A_DAY),
            code="too-often",
        )
    with transaction.atomic():
        lock = _unlock(device, by=by, rule="E2", span=span, origin=origin, now=now, owner=True)
        publishing.tell_later("own-unlock", device.pk, by.label)
    return lock


def _unlock(
    device: Device,
    *,
    by: Actor,
    rule: str,
    span: Span | None,
    origin: Network | None,
    now: datetime,
    owner: bool = False,
) -> Lock:
    origin = origin or scope_by_presence(device, by=by, now=now)
    with transaction.atomic():
        lock = locked_row(device)
        open_grant(lock, by=by, rule=rule, span=span, origin=origin, now=now, owner=owner)
        publishing.device_changed(device.pk)
    return lock


def open_grant(
    lock: Lock,
    *,
    by: Actor,
    rule: str,
    span: Span | None,
    origin: Network | None,
    now: datetime,
    owner: bool = False,
    policy: policies.Effective | None = None,
) -> None:
    """Unlock a phone whose row is held, or refuse and change nothing.

    Whether the actor may, and telling the store, is the caller's business.
    """
    device = lock.device
    refuse_shut(lock, rule)
    if origin is None and is_suspected(lock, now):
        raise Refusal(
            "E7",
            gettext("Others have tried to get this phone's file. It can be unlocked for one address only."),
            code="under-suspicion",
        )
    policy = policy or policies.effective(device.account)
    length = policy.manager_unlock_ttl if span is None or span.by_policy else span.length
    until = None if length is None else now + length
    if until is not None and lock.state == State.NEW.value:
        until = max(until, lock.armed_at + policy.fresh_ttl)
    lock.state, lock.since, lock.by = State.UNLOCKED.value, now, by.label
    lock.grant_given_at, lock.grant_until, lock.grant_by = now, until, by.label
    lock.grant_first, lock.grant_last = (origin.hex_first, origin.hex_last) if origin else ("", "")
    cleaning.full_clean(lock)
    lock.save(update_fields=GRANT)
    if origin is not None:
        # R14: an unlock for this very address, given since, takes a denial of it back.
        Denial.objects.filter(lock=lock, first=origin.hex_first, last=origin.hex_last).delete()
    details: dict[str, Any] = {
        "until": until.isoformat() if until else None,
        "origin": str(origin) if origin else None,
        **({"as": "owner"} if owner else {}),
    }
    audit.record(by, "device.unlocked", device, now=now, rule=rule, **details)
    events.write(device, "unlocked", by=by, rule=rule, at=now, **details)


def refuse_shut(lock: Lock, rule: str) -> None:
    """Refuse for a phone that nobody can unlock in its present state."""
    refuse_put_away(lock)
    refuse_disabled(lock.device, rule)


def refuse_put_away(lock: Lock) -> None:
    """Refuse for a phone that is quarantined or retired."""
    if lock.state == State.QUARANTINED.value:
        raise Refusal(
            "E8q", gettext("This phone is quarantined. Only your provider can lift that."), code="quarantined"
        )
    if lock.state == State.RETIRED.value:
        raise Refusal("E19", gettext("This phone is retired. Re-arm it first."), code="retired")


def refuse_disabled(device: Device, rule: str) -> None:
    """Refuse for a phone that is switched off itself, or with its account."""
    if not device.is_enabled:
        raise Refusal(rule, gettext("This phone is disabled. Enable it first."), code="disabled")
    if Account.objects.filter(path__in=device.account.ancestor_paths(), is_active=False).exists():
        raise Refusal(rule, gettext("This phone's account is switched off."), code="disabled")


def is_suspected(lock: Lock, now: datetime) -> bool:
    """Whether the phone is under suspicion (E7)."""
    return lock.suspicion_until is not None and now < lock.suspicion_until


def left_open(now: datetime) -> "QuerySet[Lock]":
    """Unlocks *until first fetch* that nobody has used for more than 7 days, the oldest first."""
    found: QuerySet[Lock] = Lock.objects.filter(
        state=State.UNLOCKED.value, grant_until=None, grant_given_at__lt=now - LEFT_OPEN
    )
    return found.order_by("grant_given_at")


def locked_row(device: Device, *, beside: Iterable[int] = ()) -> Lock:
    """The phone's lock, its row held until the transaction ends, so that a claim and a verb take turns.

    Read anew once it is held, since what is joined to a locking query is from before the wait; refused when
    the phone has moved meanwhile (E17, E18). `beside` are phones whose locks the verb will change too: rows
    are held in the order of their keys, so that two verbs never wait for each other in a ring.
    """
    wanted = {device.pk, *beside}
    held = Lock.objects.select_for_update().filter(pk__in=wanted).order_by("pk").values_list("pk", flat=True)
    if device.pk not in list(held):
        raise Refusal("input", gettext("This phone was removed a moment ago."), code="gone")
    lock: Lock = Lock.objects.select_related(
        "device__account", "device__owner", "device__site", "bound_site"
    ).get(pk=device.pk)
    holding.same_place(lock.device, device)
    return lock


def locked_rows(device_ids: Iterable[int]) -> list[Lock]:
    """The locks of those phones that are still there, held and read as `locked_row` does, by their keys."""
    wanted = Lock.objects.select_for_update().filter(pk__in=set(device_ids)).order_by("pk")
    held = list(wanted.values_list("pk", flat=True))
    rows = Lock.objects.select_related("device__account", "device__owner", "device__site", "bound_site")
    return list(rows.filter(pk__in=held).order_by("pk"))


def close_grant(lock: Lock, *, state: State, since: datetime, by: str) -> None:
    """Leave UNLOCKED (or any state) for this one; what an unlock left behind goes."""
    lock.state, lock.since, lock.by = state.value, since, by
    lock.grant_given_at = lock.grant_until = None
    lock.grant_first = lock.grant_last = lock.grant_by = ""


# --- lock again, re-arm, quarantine ------------------------------------------------------------------------


def lock_again(device: Device, *, by: Actor, now: datetime | None = None) -> Lock:
    """Close the unlock: LOCKED with the previous binding; a new phone is locked to nothing (E5)."""
    now = now or timezone.now()
    if not by.may(Power.UNLOCK_DEVICE, device.account.path):
        raise Forbidden
    with transaction.atomic():
        lock = locked_row(device)
        if lock.state == State.QUARANTINED.value:
            raise Refusal(
                "E8q",
                gettext("This phone is quarantined. Only your provider can lift that."),
                code="quarantined",
            )
        if lock.state in (State.LOCKED.value, State.RETIRED.value):
            return lock
        close_grant(lock, state=State.LOCKED, since=now, by=by.label)
        cleaning.full_clean(lock)
        lock.save(update_fields=GRANT)
        audit.record(by, "device.locked", device, now=now)
        events.write(device, "locked", by=by, rule="E5", at=now)
        publishing.device_changed(device.pk)
    return lock


def rearm(device: Device, *, by: Actor, ship_on: date | None = None, now: datetime | None = None) -> Lock:
    """Make the phone NEW: its clock starts now, or on the day it is shipped (E11)."""
    now = now or timezone.now()
    if not by.may(Power.REARM_DEVICE, device.account.path):
        raise Forbidden
    armed_at = armed_from(device.account, ship_on, now)
    with transaction.atomic():
        lock = locked_row(device)
        if lock.state != State.RETIRED.value:
            refuse_shut(lock, "E11")
        refuse_disabled(device, "E11")
        if is_suspected(lock, now) and not by.may(Power.RELEASE_DEVICE, device.account.path):
            raise Refusal(
                "E7",
                gettext("Others have tried to get this phone's file. Your provider can re-arm it."),
                code="under-suspicion",
            )
        was_retired = lock.state == State.RETIRED.value
        if was_retired:
            publishing.withdrawn(device)
            tokens.kill_all(device, now=now)
            Claim.objects.filter(device=device).update(device=None)  # out of E16's reach
        close_grant(lock, state=State.NEW, since=now, by=by.label)
        lock.armed_at, lock.reason = armed_at, Lock.Reason.NONE
        lock.bound_first = lock.bound_last = ""
        lock.bound_site = None
        cleaning.full_clean(lock)
        lock.save(update_fields=[*GRANT, *BINDING, "armed_at", "reason"])
        details: dict[str, Any] = {
            "armed_at": armed_at.isoformat(),
            "ship_on": ship_on.isoformat() if ship_on else None,
        }
        audit.record(by, "device.rearmed", device, now=now, **details)
        events.write(device, "rearmed", by=by, rule="E11", at=now, **details)
        # A last file that is just being compiled must not pass for one of the new tokens'.
        publishing.device_changed(device.pk, files=was_retired)
    return lock


def armed_from(account: Account, ship_on: date | None, now: datetime) -> datetime:
    """When a new phone's clock starts: now, or the first minute of its day in the account's zone."""
    if ship_on is None:
        return now
    zone = ZoneInfo(account.time_zone)
    if ship_on < now.astimezone(zone).date():
        raise Invalid("ship_on", gettext("This day has passed."), rule="E11")
    if ship_on > (now + SHIP_AHEAD).astimezone(zone).date():
        raise Invalid(
            "ship_on", gettext("At most {days} days ahead.").format(days=SHIP_AHEAD.days), rule="E11"
        )
    return max(now, datetime.combine(ship_on, time(), zone).astimezone(now.tzinfo))


def quarantine(device: Device, *, by: Actor, reason: str, now: datetime | None = None) -> Lock:
    """Shut the phone out of both URLs until its provider lifts it; the MAC's ledger keeps it (E8q)."""
    now = now or timezone.now()
    if not by.may(Power.QUARANTINE_DEVICE, device.account.path):
        raise Forbidden
    reason = cleaning.needed("reason", reason, gettext("A reason"), longest=300)
    with transaction.atomic():
        lock = locked_row(device)
        if lock.state == State.QUARANTINED.value:
            return lock
        shut_out(lock, by=by, reason=reason, now=now)
    return lock


def shut_out(lock: Lock, *, by: Actor, reason: str, now: datetime) -> None:
    """Quarantine a phone whose row is held; whether the actor may is the caller's business."""
    device = lock.device
    close_grant(lock, state=State.QUARANTINED, since=now, by=by.label)
    cleaning.full_clean(lock)
    lock.save(update_fields=GRANT)
    MacRecord.objects.update_or_create(
        mac_hash=wire.mac_hash(settings.TOKEN_KEY, device.mac),
        defaults={"quarantined": True},
        create_defaults={"quarantined": True, "account_code": device.account.code},
    )
    audit.record(by, "device.quarantined", device, now=now, reason=reason)
    events.write(device, "quarantined", by=by, rule="E8q", at=now, reason=reason)
    publishing.device_changed(device.pk)


# --- the clock ---------------------------------------------------------------------------------------------


def expire(device: Device, *, now: datetime) -> bool:
    """Write down that an unlock (R8) or the fresh time (R3) is over; False when neither is."""
    with transaction.atomic():
        lock = locked_row(device)
        if lock.state == State.UNLOCKED.value and lock.grant_until is not None and lock.grant_until <= now:
            ended, rule, what = lock.grant_until, "R8", "unlock-expired"
        elif lock.state == State.NEW.value:
            ended = lock.armed_at + policies.effective(lock.device.account).fresh_ttl
            rule, what = "R3", "stale"
            if ended > now:
                return False
            lock.reason = Lock.Reason.STALE
        else:
            return False
        close_grant(lock, state=State.LOCKED, since=ended, by=CLOCK.label)
        cleaning.full_clean(lock)
        lock.save(update_fields=[*GRANT, "reason"])
        audit.record(CLOCK, f"device.{what}", lock.device, now=now, ended=ended.isoformat())
        events.write(lock.device, what, by=CLOCK, rule=rule, at=now, ended=ended.isoformat())
        publishing.device_changed(device.pk)
    return True


def sweep(now: datetime) -> int:
    """Write down every unlock and fresh time that is over; safe to run twice or late (E6)."""
    over = Q(state=State.UNLOCKED.value, grant_until__lte=now)
    perhaps_stale = Q(state=State.NEW.value, armed_at__lte=now - SHORTEST_FRESH_TIME)
    locks = list(Lock.objects.filter(over | perhaps_stale).select_related("device__account").order_by("pk"))
    effective = policies.effective_many({lock.device.account for lock in locks})
    ended = 0
    for lock in locks:
        fresh_ttl = effective[lock.device.account_id].fresh_ttl
        if lock.state == State.NEW.value and lock.armed_at + fresh_ttl > now:
            continue
        ended += expire(lock.device, now=now)
    return ended
