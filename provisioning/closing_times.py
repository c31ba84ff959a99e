"""When a site is closed: its weekly opening hours in its own time zone, and its holidays. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
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

    def _open(self, local: datetime) -> bool:
        if local.fold:
            # The hour that autumn repeats: who asks at a time of day has asked in the first one.
            return False
        if local.date() in self.holidays:
            return False
        if self.week is None:
            return True
        minute, day = local.hour * 60 + local.minute, local.weekday()
        # A margin may reach over midnight: yesterday's closing and tomorrow's opening are looked at too.
        return any(
            opens - MARGIN <= minute + ahead < closes + MARGIN
            for ahead, name in ((0, day), (1440, (day - 1) % WEEK), (-1440, (day + 1) % WEEK))
            for opens, closes in self.week[name]
        )
