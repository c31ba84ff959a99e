"""What a phone has done since it was last unlocked, step by step, as its owner may follow it."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import F

from devices.models import Device
from provisioning.gate import Outcome
from provisioning.models import DeviceEvent
from security.networks import AddressError, Network, origin_of, parse_address

LAST_HOUR = timedelta(hours=1)
LOOKED_BACK = timedelta(hours=48)  # no unlock of an end user lasts longer (user_unlock_ttl)
READ = 400  # events at most; an attack adds no more work than that
SHOWN = 6
#: A phone asks for files that it has not got, at every start: that is nobody who was turned away.
NOT_THERE = ("G5", "O0", "T8")


class Step(StrEnum):
    """One thing that happened, whoever did it."""

    ALLOWED = "allowed"
    CLOSED = "closed"
    OVER = "over"
    LET_IN = "let-in"
    TURNED_AWAY = "turned-away"
    TOLD_TO_WAIT = "told-to-wait"
    CONFIGURED = "configured"


@dataclass(frozen=True, slots=True)
class Line:
    """A step with its time, and whether it happened where the reader is; None where that means nothing."""

    at: datetime
    step: Step
    here: bool | None


_BY_PEOPLE = {"unlocked": Step.ALLOWED, "locked": Step.CLOSED, "unlock-expired": Step.OVER}
_BY_OUTCOME = {
    Outcome.BOOTSTRAP.value: Step.LET_IN,
    Outcome.FULL.value: Step.CONFIGURED,
    Outcome.REFUSED.value: Step.TURNED_AWAY,
    Outcome.HELD.value: Step.TOLD_TO_WAIT,
}


def lines_of(
    devices: Collection[Device], *, addresses: Iterable[str], now: datetime, since: datetime | None = None
) -> dict[int, list[Line]]:
    """The last steps of each phone, the oldest first: since its unlock, or of the last hour.

    In one query, however many phones; `addresses` are those of the reader.
    """
    rows = DeviceEvent.objects.filter(
        device__in=[device.pk for device in devices],
        device__account=F("account"),  # what happened elsewhere stays there
        at__gt=now - LOOKED_BACK,
        at__lte=now,
        what__in=("request", *_BY_PEOPLE),
    ).exclude(rule__in=NOT_THERE)
    found: dict[int, list[DeviceEvent]] = defaultdict(list)
    for event in rows.order_by("-at", "-id")[:READ]:
        if event.device_id is not None:
            found[event.device_id].append(event)
    here = {origin_of(parse_address(address)) for address in addresses}
    return {device.pk: _last_steps(found[device.pk], here, now, since) for device in devices}


def _last_steps(
    events: list[DeviceEvent], here: set[Network], now: datetime, since: datetime | None
) -> list[Line]:
    """Newest first in, oldest first out; what repeats itself is one step, at its last time."""
    if since is None:
        unlocked = next((event.at for event in events if event.what == "unlocked"), now)
        since = min(unlocked, now - LAST_HOUR)
    steps: list[Line] = []
    for event in events:
        step = _step(event)
        if event.at < since or step is None:
            continue
        line = Line(event.at, step, _is_here(event, here))
        if not steps or (steps[-1].step, steps[-1].here) != (line.step, line.here):
            steps.append(line)
    return steps[:SHOWN][::-1]


def _step(event: DeviceEvent) -> Step | None:
    if event.what != "request":
        return _BY_PEOPLE.get(event.what)
    if event.details.get("check_in"):  # of a phone that gets everything in one answer, too
        return Step.CONFIGURED
    return _BY_OUTCOME.get(event.outcome)


def _is_here(event: DeviceEvent, here: set[Network]) -> bool | None:
    if event.what != "request":
        return None
    try:
        return origin_of(parse_address(event.address)) in here
    except AddressError:
        return False
