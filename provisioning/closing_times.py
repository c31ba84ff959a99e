"""When a site is closed: its weekly opening hours in its own time zone, and its holidays. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

HOUR, DAY, WEEK = 3600, 86_400, 7
MARGIN = 60  # minutes: people come early and stay late

#: Minutes of one local day from which and until which a site is open; (0, 1440) is the whole day.
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ClosingTimes:
    """The days and hours on which nobody expects a site's phones to ask.

    `week` has seven days from Monday on, each with its opening spans; without it the site is open day and
    night. A night shift is two spans. The hour before an opening and the hour after a closing count as
    open, so that somebody who comes early or late moves no check-in out of sight; a holiday has no such
    hours.
    """

    zone: str = "UTC"
    week: Sequence[Sequence[Span]] | None = None
    holidays: Collection[date] = frozenset()

    def __post_init__(self) -> None:
        ZoneInfo(self.zone)
        if self.week is None:
            return
        if len(self.week) != WEEK:
            raise ValueError("a week has seven days")
        if any(not 0 <= opens < closes <= 1440 for day in self.week for opens, closes in day):
            raise ValueError("a span lies within one day and ends after it begins")

    @property
    def entered(self) -> bool:
        """Return whether anybody has entered anything."""
        return self.week is not None or bool(self.holidays)

    def closed(self, first: int, length: int, *, per_hour: int = 1) -> frozenset[int]:
        """Return which of the buckets from `first` on are closed, each judged by its middle."""
        zone, size = ZoneInfo(self.zone), HOUR // per_hour
        return frozenset(
            number
            for number in range(first, first + length)
            if not self._open(datetime.fromtimestamp(number * size + size // 2, zone))
        )

    def closed_days(self, first: date, days: int, *, per_hour: int = 1) -> frozenset[int]:
        """Return the same as `closed` for whole days of UTC, worked out once for equal opening hours."""
        week = None if self.week is None else tuple(tuple(spans) for spans in self.week)
        found = set(_without_holidays(self.zone, week, first, days, per_hour))
        for day in range(-1, days + 1):
            # Its hours may lie in the UTC day before or after it.
            if (on := first + timedelta(days=day)) in self.holidays:
                begins = bucket_of(on, per_hour)
                around = range(begins - 14 * per_hour, begins + 38 * per_hour)
                found |= self.closed(around.start, len(around), per_hour=per_hour)
        last = bucket_of(first + timedelta(days=days), per_hour)
        return frozenset(number for number in found if bucket_of(first, per_hour) <= number < last)

    def _open(self, local: datetime) -> bool:
        if local.fold:
            # The hour that autumn repeats: who asks at a time of day has asked in the first one.
            return False
        if local.date() in self.holidays:
            return False
        if self.week is None:
            return True
        minute, day = local.hour * 60 + local.minute, local.weekday()
        return _is_open(self.week, day, minute)


def _is_open(week: Sequence[Sequence[Span]], day: int, minute: int) -> bool:
    # A margin may reach over midnight: yesterday's closing and tomorrow's opening are looked at too.
    return any(
        opens - MARGIN <= minute + ahead < closes + MARGIN
        for ahead, name in ((0, day), (1440, (day - 1) % WEEK), (-1440, (day + 1) % WEEK))
        for opens, closes in week[name]
    )


def bucket_of(day: date, per_hour: int) -> int:
    """The number of the bucket with which a day of UTC begins."""
    return int(datetime.combine(day, time.min, UTC).timestamp()) * per_hour // HOUR


@lru_cache(maxsize=512)
def _without_holidays(
    name: str, week: tuple[tuple[Span, ...], ...] | None, first: date, days: int, per_hour: int
) -> frozenset[int]:
    """What the opening hours alone close: one Monday is like the other but for the turns of the clock."""
    zone, found = ZoneInfo(name), set[int]()
    plain = ClosingTimes(name, week)
    for day in range(days):
        begins = datetime.combine(first + timedelta(days=day), time.min, UTC)
        start = bucket_of(begins.date(), per_hour)
        offsets = {(begins + timedelta(hours=hour)).astimezone(zone).utcoffset() for hour in (-3, 0, 24, 27)}
        away = offsets.pop() or timedelta()
        if offsets:
            found |= plain.closed(start, 24 * per_hour, per_hour=per_hour)
        elif week is not None:
            found.update(start + at for at in _pattern(week, begins.weekday(), away, per_hour))
    return frozenset(found)


@lru_cache(maxsize=4096)
def _pattern(week: tuple[tuple[Span, ...], ...], day: int, away: timedelta, per_hour: int) -> tuple[int, ...]:
    """The closed buckets of one day of UTC, numbered from its midnight."""
    closed, size = [], 60 // per_hour
    for at in range(24 * per_hour):
        local = at * size + size // 2 + int(away.total_seconds() // 60)
        if not _is_open(week, (day + local // 1440) % WEEK, local % 1440):
            closed.append(at)
    return tuple(closed)
