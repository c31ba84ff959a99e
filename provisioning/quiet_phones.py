"""Which single phones are quiet, and since when (section 7, first sentence)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, Q, Value, When

from devices.models import Device
from devices.polling import Intervals
from provisioning.quiet_places import SILENT
from provisioning.silence import Phone, is_quiet

SHORTEST = 1.0  # hours: no phone asks oftener


@dataclass(frozen=True, slots=True)
class Lapse:
    """A phone is waited for: since when, how often it should ask, and when it last did."""

    since: datetime
    interval: float
    last: datetime


def lapses(devices: Iterable[Device], now: datetime) -> dict[int, Lapse]:
    """The phones among these that are quiet; they come with their account, lock and last check-in.

    Nobody waits for a phone that is disabled, retired or in quarantine. One query, where any is late at all.
    """
    late = [
        (device, device.last_seen.at)
        for device in devices
        if device.is_enabled
        and hasattr(device, "last_seen")
        and is_quiet(Phone(SHORTEST, device.last_seen.at), now)
        and device.lock.state not in SILENT
    ]
    intervals = Intervals() if late else None
    found = {}
    for device, last in late:
        assert intervals is not None
        interval = intervals.of(device.pk, device.account.path, device.family, device.model)
        phone = Phone(interval, last)
        if is_quiet(phone, now):
            found[device.pk] = Lapse(last + phone.allowance, interval, last)
    return found


def waited_for() -> Q:
    """The phones that are expected to check in: they did once, and nobody has shut them out."""
    return Q(is_enabled=True, last_seen__isnull=False) & ~Q(lock__state__in=SILENT)


def late(now: datetime) -> Q:
    """The phones that are quiet, as a condition for the database: `lapses` for any number of them.

    One query for the intervals; a phone's own counts before its model's, and the nearest account's first.
    """
    return waited_for() & _overdue(now, Intervals().cases())


def crossed(since: datetime, until: datetime) -> Q:
    """The phones that have become quiet in that time, by the intervals that they have now; likewise."""
    given = Intervals().cases()
    longest = Phone(max(_hours(given)), since).allowance
    return (
        waited_for()
        & Q(last_seen__at__gte=since - longest)
        & _overdue(until, given)
        & ~_overdue(since, given)
    )


def _overdue(now: datetime, given: Sequence[tuple[Q, float]]) -> Q:
    # What the index of check-ins can answer alone, before each phone is looked at.
    shortest = now - Phone(min(_hours(given)), now).allowance
    cases = [When(fits, then=Value(now - Phone(hours, now).allowance)) for fits, hours in given]
    usual = Value(now - Phone(Intervals.usual(), now).allowance)
    return Q(last_seen__at__lt=shortest) & Q(last_seen__at__lt=Case(*cases, default=usual))


def _hours(given: Sequence[tuple[Q, float]]) -> list[float]:
    return [Intervals.usual(), *(hours for _, hours in given)]
