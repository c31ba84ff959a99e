"""A phone's lock in words: its state, bound to what, since when, by whom, until when, and what comes next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext

from accounts.speaking import told
from devices.models import Device
from provisioning import coming_over, locking, policies, tokens
from provisioning.coming_over import ComingOver
from provisioning.forecast import Forecast, forecast
from provisioning.gate import State, TokenKind
from provisioning.models import DeviceEvent, Lock, Token
from provisioning.sentences import SIGNS, when
from security.networks import Network

_WORDS = {
    State.NEW: "New",
    State.UNLOCKED: "Unlocked",
    State.LOCKED: "Locked",
    State.QUARANTINED: "Quarantined",
    State.RETIRED: "Retired",
}
_UNDER_SUSPICION = (
    "What it has keeps working. To set it up again, ask your provider, open a window there, or unlock it for"
    " one address only."
)
_HURRY = "Restart the phone, so that it comes over to its private URL."
_SAY_WHICH = "Say which of the two is the real phone. Both are served until then, at most 30 days."
_REASONS = {
    Lock.Reason.STALE: "It was not set up in time.",
    Lock.Reason.PREVIOUSLY_REGISTERED: "It was registered here before.",
    Lock.Reason.MOVED: "It came from another account.",
}
#: Every text above, which no call of gettext names.
TEXTS = (*_WORDS.values(), _UNDER_SUSPICION, _HURRY, _SAY_WHICH, *_REASONS.values())


@dataclass(frozen=True, slots=True)
class CloneView:
    """Two parties hold the phone's private URLs (T3): since when, and from where the former one was used."""

    since: datetime
    address: str


@dataclass(frozen=True, slots=True)
class LockView:
    """What every page and API answer shows of a lock, true at one moment."""

    state: str
    state_words: str
    bound_origin: str | None
    since: datetime
    until: datetime | None
    by: str
    reason: str
    next: str
    sentence: str
    suspicion: bool
    clone: CloneView | None
    suspicion_since: datetime | None
    suspicion_until: datetime | None
    suspicion_why: str
    handover: str | None
    handover_sentence: str
    handover_causes: tuple[str, ...]
    zone: str
    forecast: Forecast | None

    def as_json(self) -> dict[str, Any]:
        """The API's `lock`."""
        return {
            "state": self.state,
            "bound_origin": self.bound_origin,
            "since": _utc(self.since),
            "until": _utc(self.until) if self.until else None,
            "by": self.by,
            "reason": self.reason,
            "next": self.next,
            "sentence": self.sentence,
            "suspicion": self.suspicion,
            "suspicion_since": _utc(self.suspicion_since) if self.suspicion_since else None,
            "suspicion_until": _utc(self.suspicion_until) if self.suspicion_until else None,
            "suspicion_why": self.suspicion_why,
            "clone": {"since": _utc(self.clone.since), "address": self.clone.address} if self.clone else None,
            "handover": self.handover,
            "handover_sentence": self.handover_sentence,
            "handover_causes": list(self.handover_causes),
            "forecast": {"what": f.what, "at": _utc(f.at), "sentence": f.sentence}
            if (f := self.forecast)
            else None,
        }


def describe_lock(device: Device, *, now: datetime) -> LockView:
    """The lock of one phone in words."""
    return describe_locks([device], now=now)[device.pk]


def describe_locks(devices: Sequence[Device], *, now: datetime) -> dict[int, LockView]:
    """As `describe_lock` for many phones, by their keys, in a constant number of queries."""
    rows = Lock.objects.filter(pk__in=[device.pk for device in devices])
    return describe(rows.select_related("device__account", "bound_site"), now=now)


def describe(rows: Iterable[Lock], *, now: datetime) -> dict[int, LockView]:
    """The same for locks that were just fetched, with their phones, accounts and sites."""
    locks = {lock.pk: lock for lock in rows}
    effective = policies.effective_many({lock.device.account for lock in locks.values()})
    retired = {pk for pk, lock in locks.items() if lock.state == State.RETIRED.value}
    phones = [lock.device for pk, lock in locks.items() if pk not in retired]
    on_their_way = coming_over.describe_many(phones, now=now)
    clones, last_files = _clones(locks, now), _last_files(retired, now)
    return {
        pk: _view(
            lock,
            effective[lock.device.account_id],
            on_their_way.get(pk, ComingOver()),
            clones.get(pk),
            last_files.get(pk),
            now,
        )
        for pk, lock in locks.items()
    }


def _view(
    lock: Lock,
    policy: policies.Effective,
    on_its_way: ComingOver,
    clone: CloneView | None,
    last_file: datetime | None,
    now: datetime,
) -> LockView:
    device, zone = lock.device, lock.device.account.time_zone
    state, since, by, reason = State(lock.state), lock.since, lock.by, lock.reason
    until: datetime | None = None
    # Judged now: a lock whose time is over is locked, whether a worker has written it down or not.
    if state is State.UNLOCKED:
        until = lock.grant_until
        if until is not None and until <= now:
            state, since, by, until = State.LOCKED, until, locking.CLOCK.label, None
    elif state is State.NEW:
        until = lock.armed_at + policy.fresh_ttl
        if until <= now:
            state, since, by, reason, until = (
                State.LOCKED,
                until,
                locking.CLOCK.label,
                Lock.Reason.STALE.value,
                None,
            )
    elif state is State.RETIRED:
        until = last_file
    suspicion = locking.is_suspected(lock, now)
    bound = bound_origin(lock) if state is not State.NEW else None
    shown = when(until, zone, now=now) if until else ""
    sentence, step = _words(lock, state, bound, shown, when(since, zone, now=now), policy, now)
    if state is State.LOCKED and reason:
        sentence = f"{gettext(_REASONS[Lock.Reason(reason)])} {sentence}"
    if suspicion:
        sentence = f"{sentence} {_suspected(lock, zone, now)}"
        scoped = state is State.UNLOCKED and lock.grant_origin is not None
        if state in (State.NEW, State.LOCKED, State.UNLOCKED) and not scoped:
            step = gettext(_UNDER_SUSPICION)
    if on_its_way.word == coming_over.LATE_WORD and state is State.LOCKED and not suspicion:
        step = gettext(_HURRY)
    if clone is not None and state in (State.NEW, State.LOCKED, State.UNLOCKED):
        step = gettext(_SAY_WHICH)
    if not device.is_enabled and state is not State.QUARANTINED:
        step = gettext("The phone is disabled. Enable it first.")
    return LockView(
        state=state.value,
        state_words=gettext(_WORDS[state]),
        bound_origin=bound,
        since=since,
        until=until,
        by=by,
        reason=reason if state is State.LOCKED else "",
        next=step,
        sentence=sentence,
        suspicion=suspicion,
        suspicion_since=lock.suspicion_since if suspicion else None,
        suspicion_until=lock.suspicion_until if suspicion else None,
        suspicion_why=lock.suspicion_why if suspicion else "",
        clone=clone,
        handover=on_its_way.word,
        handover_sentence=on_its_way.sentence,
        handover_causes=on_its_way.causes,
        zone=zone,
        forecast=forecast(
            state=state,
            until=until,
            armed_at=lock.armed_at,
            is_enabled=device.is_enabled,
            zone=zone,
            now=now,
        ),
    )


def _suspected(lock: Lock, zone: str, now: datetime) -> str:
    """Since when, until when and why the phone is under suspicion, as far as it is known."""
    assert lock.suspicion_until is not None
    said = gettext("Under suspicion until {until}.")
    if lock.suspicion_since and lock.suspicion_why in SIGNS:
        said = gettext("Under suspicion since {since} until {until}: {sign}.")
    elif lock.suspicion_since:
        said = gettext("Under suspicion since {since} until {until}.")
    elif lock.suspicion_why in SIGNS:
        said = gettext("Under suspicion until {until}: {sign}.")
    return said.format(
        since=when(lock.suspicion_since, zone, now=now) if lock.suspicion_since else "",
        until=when(lock.suspicion_until, zone, now=now),
        sign=told(SIGNS.get(lock.suspicion_why, "")),
    )


def _clones(pks: Iterable[int], now: datetime) -> dict[int, CloneView]:
    """The phones of which two parties hold private URLs, with when and where that was seen first (T3)."""
    found: dict[int, datetime] = {}
    for token in tokens.suspected(pks, now):
        if token.device_id is not None and token.clone_since is not None:
            found.setdefault(token.device_id, token.clone_since)
    told = DeviceEvent.objects.filter(device__in=found, what="clone-suspected") if found else ()
    addresses = {(event.device_id, event.at): event.address for event in told}
    return {pk: CloneView(since, addresses.get((pk, since), "")) for pk, since in found.items()}


def _last_files(pks: Iterable[int], now: datetime) -> dict[int, datetime]:
    """Until when retired phones get their last file (E19); not of those whose tokens are all dead."""
    ends: dict[int, datetime] = {}
    living = Token.objects.filter(device__in=list(pks), until__gt=now).exclude(kind=TokenKind.DEAD.value)
    for pk, until in living.order_by("until").values_list("device_id", "until"):
        if pk is not None and until is not None:
            ends[pk] = until
    return ends


def bound_origin(lock: Lock) -> str | None:
    """What the phone is bound to, as people read it: its site's name, or the address."""
    if lock.bound_site is not None:
        return lock.bound_site.name
    network: Network | None = lock.bound_network
    return str(network) if network else None


def _words(
    lock: Lock,
    state: State,
    bound: str | None,
    until: str,
    since: str,
    policy: policies.Effective,
    now: datetime,
) -> tuple[str, str]:
    """The sentence of a state, and what can be done next."""
    if state is State.QUARANTINED:
        said = gettext("Quarantined since {since}. It gets nothing from anywhere.")
        return said.format(since=since), gettext("Only your provider can lift that.")
    if state is State.RETIRED:
        said = gettext("Retired since {since}. It gets nothing from anywhere.")
        if until:
            said = gettext(
                "Retired since {since}. Its private URL gives a file without accounts until {until}."
            )
        return said.format(since=since, until=until), gettext("Re-arm it to bring it back.")
    if state is State.UNLOCKED:
        return _unlocked(lock, until)
    if state is State.NEW:
        return _new(lock, until, policy, now)
    if bound is None:
        said = gettext("Locked to no place: it is set up nowhere yet.")
        return said, gettext("Unlock it, or re-arm it.")
    return (
        gettext("Locked to {bound} since {since}.").format(bound=bound, since=since),
        gettext("Nothing to do. Unlock it when it is to be set up at another place."),
    )


def _unlocked(lock: Lock, until: str) -> tuple[str, str]:
    if lock.grant_origin:
        step = gettext("Restart the phone there. It locks to that address.")
        said = gettext("May be set up once, from {origin} only. This has no end but its first fetch.")
        if until:
            said = gettext("May be set up once, from {origin} only, until {until}.")
    else:
        step = gettext("Restart the phone where it is now. It locks to that place.")
        said = gettext("May be set up once, from any address. This has no end but its first fetch.")
        if until:
            said = gettext("May be set up once, from any address, until {until}.")
    return said.format(origin=lock.grant_origin, until=until), step


def _new(lock: Lock, until: str, policy: policies.Effective, now: datetime) -> tuple[str, str]:
    if lock.armed_at > now:
        starts = when(lock.armed_at, lock.device.account.time_zone, now=now)
        said = gettext("Waits for {starts}. Then it may be set up until {until}.")
        return said.format(starts=starts, until=until), gettext("Nothing to do before that day.")
    if policy.first_fetch == "approval":
        said = gettext("Its first fetch waits for your approval, until {until}.")
        return said.format(until=until), gettext("Connect the phone, then approve it.")
    if policy.first_fetch == "sites":
        said = gettext("May be set up from one of your sites until {until}.")
        return said.format(until=until), gettext("Connect the phone at one of your sites.")
    said = gettext("May be set up from anywhere until {until}.")
    return said.format(until=until), gettext("Connect the phone. It locks to the place it asks from.")


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
