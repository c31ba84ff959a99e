"""Which phones, sites and accounts have gone quiet, and since when (rules.md section 7). Pure.

Time is cut into buckets, an hour or an even part of one, numbered from 1970; a day is 24 hours of UTC. A
site that lives by another clock loses nothing by it: every count is compared with the least of the same
hours, an hour earlier and an hour later (see `Series.days`), so neither summer time nor a late caretaker is
a silence.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import accumulate

from provisioning import shortfall

SECONDS = 3600
WINDOWS = (1, 3, 6, 24)  # hours
DAYS = 28
WEEK = 168  # hours
A_TENTH = 0.1
ACTIVE = timedelta(days=7)
LATELY = 6  # hours for which a phone that is past its interval may still explain an empty hour
Stretch = tuple[int, int]


def bucket(at: datetime, per_hour: int = 1) -> int:
    """Return the number of the bucket that `at` lies in."""
    return int(at.timestamp() * per_hour // SECONDS)


def moment(number: int, per_hour: int = 1) -> datetime:
    """Return the beginning of a bucket."""
    return datetime.fromtimestamp(number * SECONDS / per_hour, UTC)


class Series:
    """The distinct phones of one place that checked in, bucket by bucket, and which buckets say nothing.

    Closed: nobody was expected. Unknown: we were held, lost notes or drained late, or a silence was going
    on then. What lies before the first check-in is no history.
    """

    def __init__(
        self,
        first: int,
        counts: Sequence[int],
        *,
        per_hour: int = 1,
        closed: Collection[int] = frozenset(),
        unknown: Collection[int] = frozenset(),
    ) -> None:
        numbers = range(first, first + len(counts))
        self.per_hour, self.first, self.end = per_hour, first, first + len(counts)
        self.born = next((n for n, count in zip(numbers, counts, strict=True) if count), self.end)
        self._counts = [0, *accumulate(counts)]
        # Most places have neither, and a round builds thousands of these.
        self._closed = (
            [0, *accumulate(number in closed for number in numbers)] if closed else _noughts(counts)
        )
        self._unknown = (
            [0, *accumulate(number in unknown for number in numbers)] if unknown else _noughts(counts)
        )

    def reached(self, now: datetime) -> int:
        """Return the bucket that `now` lies in; those before it are complete, and must be there."""
        number = bucket(now, self.per_hour)
        if number > self.end:
            # A caller who leaves out the empty buckets at the end would never hear a silence.
            raise ValueError("the counts end before now")
        return number

    def seen(self, a: int, b: int) -> int:
        """Return the check-ins from bucket a up to, not with, b."""
        return self._within(self._counts, a, b)

    def closed(self, a: int, b: int) -> int:
        """Return how many of these buckets are closed."""
        return self._within(self._closed, a, b)

    def unknown(self, a: int, b: int) -> int:
        """Return how many of these buckets are unknown."""
        return self._within(self._unknown, a, b)

    def _within(self, sums: list[int], a: int, b: int) -> int:
        a, b = min(max(a, self.first), self.end), min(max(b, self.first), self.end)
        return sums[b - self.first] - sums[a - self.first]

    def speaking(self, a: int, b: int) -> list[Stretch]:
        """Return the stretches of [a, b) in which the place was open and we were listening."""
        if not self.closed(a, b) and not self.unknown(a, b):
            return [(a, b)]
        found: list[Stretch] = []
        for number in range(a, b):
            if self.closed(number, number + 1) or self.unknown(number, number + 1):
                continue
            if found and found[-1][1] == number:
                found[-1] = (found[-1][0], number + 1)
            else:
                found.append((number, number + 1))
        return found

    def days(
        self, stretches: Sequence[Stretch], *, step: int = 1, before: int | None = None
    ) -> Iterator[tuple[int, int]]:
        """Yield (days ago, check-ins) of the same hours on each comparable day of the last four weeks.

        The count of a day is the least of those hours themselves, of an hour earlier and of an hour later;
        of a whole day it is what is left without its first and last hour. A day counts only if the place
        was open and we were listening, and if it lies before bucket `before`.
        """
        # This runs for every place in every round: plain sums, no calls.
        counts, closed, unknown, hour = self._counts, self._closed, self._unknown, self.per_hour
        oldest = self.born - stretches[0][0]
        day_long = stretches[-1][1] - stretches[0][0] > 22 * hour
        for ago in range(step, DAYS + 1, step):
            back = 24 * ago * hour
            if -back < oldest:
                return
            if before is not None and stretches[-1][1] - back > before:
                continue
            then = [(a - back - self.first, b - back - self.first) for a, b in stretches]
            if any(closed[b] - closed[a] or unknown[b] - unknown[a] for a, b in then):
                continue
            least = sum([counts[b] - counts[a] for a, b in then])
            if day_long:
                # However it is moved, a day holds one morning; two mornings may lie more than a day apart.
                (a, _), (_, b) = then[0], then[-1]
                yield ago, least - (counts[a + hour] - counts[a]) - (counts[b] - counts[b - hour])
                continue
            earlier = [(max(a - hour, 0), max(b - hour, 0)) for a, b in then]
            later = [(a + hour, b + hour) for a, b in then]
            for moved in (earlier, later):
                if least and not any(unknown[b] - unknown[a] for a, b in moved):
                    least = min(least, sum([counts[b] - counts[a] for a, b in moved]))
            yield ago, least


def _noughts(counts: Sequence[int]) -> list[int]:
    return [0] * (len(counts) + 1)


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone that is expected to ask every `interval` hours, and the hours in which it did (ascending).

    `hours` matters only where every phone of the place is overdue (`all_overdue`): five weeks of them.
    """

    interval: float
    last: datetime | None
    hours: Sequence[int] = ()

    @property
    def allowance(self) -> timedelta:
        return timedelta(hours=1.25 * self.interval + 2)


@dataclass(frozen=True, slots=True)
class Place:
    """A site, or an account (`account` is then empty), with its phones as they are today.

    An account stands for its phones outside sites and at sites without closing times or holidays of their
    own: a site that knows its days off is judged by itself, or its holiday would be a silence of the
    account.
    """

    key: str
    series: Series
    phones: Sequence[Phone]
    account: str = ""


class Test(StrEnum):
    """What made a place quiet: all its phones are, or too few check-ins came."""

    __test__ = False  # for pytest: this is no test of ours

    PHONES = "phones"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Quiet:
    """A place that has gone quiet. `expected` and `seen` are phones (test a) or check-ins (test b)."""

    place: str
    test: Test
    since: datetime
    hours: int  # the window; for test (a) the hours that count since the last check-in
    expected: float
    seen: int
    chance: float | None = None
    days: int = 0


def is_quiet(phone: Phone, now: datetime) -> bool:
    """Return whether one phone is overdue: 32 h for a daily one."""
    return phone.last is not None and now - phone.last > phone.allowance


def all_overdue(phones: Sequence[Phone], now: datetime) -> bool:
    """Return whether test (a) is worth a look, and `Phone.hours` worth their query."""
    active = _active(phones)
    return len(active) >= 2 and all(is_quiet(phone, now) for phone in active)


def many_missing(phones: Sequence[Phone], now: datetime) -> bool:
    """Return whether test (b) can say anything, and the place's counts are worth their query.

    What it expects is never more than what came and what is outstanding; as long as too little is
    outstanding, no count is too small.
    """
    return _could_still_come(phones, max(WINDOWS), now) >= shortfall.ENOUGH


def judge(place: Place, now: datetime) -> Quiet | None:
    """Return that the place is quiet, by test (a) or else by the shortest window of test (b); or None."""
    return _all_quiet(place, now) or _too_few(place, now)


def is_over(place: Place, quiet: Quiet, now: datetime) -> bool:
    """Return whether a silence has ended.

    After test (a) when a phone has asked since. After test (b) when a window of that length (3 h at least)
    holds what the time before the silence lets expect (nine tenths of it, or half of it and a count with a
    chance of a twentieth or more), or when fewer than a tenth of the phones are still waited for, be it
    that they came or that they were taken away.
    """
    if quiet.test is Test.PHONES:
        newest = _newest(_active(place.phones))
        return newest is None or newest > quiet.since
    waited = sum(phone.last is not None and phone.last <= quiet.since for phone in place.phones)
    if waited < A_TENTH * len(place.phones) or not place.phones:
        return True
    series, end = place.series, place.series.reached(now)
    stretches = series.speaking(end - max(quiet.hours, 3) * series.per_hour, end)
    if not stretches:
        return False
    seen = sum(series.seen(a, b) for a, b in stretches)
    before = bucket(quiet.since, series.per_hour)
    expected = shortfall.expect(list(series.days(stretches, before=before)))
    if expected is None or expected.mean < shortfall.ENOUGH:
        return False
    part = seen / expected.mean
    return part >= 0.9 or (part >= 0.5 and shortfall.chance(seen, expected) >= 0.05)


def _active(phones: Sequence[Phone]) -> list[Phone]:
    """The phones that checked in within the week before the last check-in of any.

    Not within the last week by the clock: a place that has been silent for eight days is still silent.
    """
    newest = _newest(phones)
    if newest is None:
        return []
    return [phone for phone in phones if phone.last is not None and newest - phone.last <= ACTIVE]


def _newest(phones: Sequence[Phone]) -> datetime | None:
    return max((phone.last for phone in phones if phone.last is not None), default=None)


def _all_quiet(place: Place, now: datetime) -> Quiet | None:
    active = _active(place.phones)
    if len(active) < 2 or not all(is_quiet(phone, now) for phone in active):
        return None
    newest = _newest(active)
    assert newest is not None
    clock = _Clock(place.series, active, now)
    for phone in active:
        assert phone.last is not None
        # Who asked while we did not listen, or was sent away, asks again an interval later: once excused.
        excuse = phone.interval if clock.unknown_since(phone.last) else 0.0
        if clock.hours_since(phone.last) <= 1.25 * phone.interval + 2 + excuse:
            return None
    return Quiet(place.key, Test.PHONES, newest, int(clock.hours_since(newest)), len(active), 0)


class _Clock:
    """Counts the hours in which a place may be expected to speak.

    An hour counts unless the place is closed or we were not listening, or unless fewer than a tenth of its
    phones were in touch at that hour of the week in each of the last four weeks; at least one such week
    must be known. A phone is in touch for one interval after a check-in: the tenth cannot be of those that
    asked within that very hour, because of daily phones spread over the day only a twenty-fourth ever does.
    """

    def __init__(self, series: Series, phones: Sequence[Phone], now: datetime) -> None:
        self.series, self.ph = series, series.per_hour
        self.end = series.reached(now)
        self.begin = min(bucket(phone.last, self.ph) for phone in phones if phone.last is not None)
        self.oldest = self.begin // self.ph - 4 * WEEK
        self.enough = A_TENTH * len(phones)
        self.touch = self._in_touch(phones)
        self.sums = [0, *accumulate(self._counts(number) for number in range(self.begin, self.end))]

    def hours_since(self, at: datetime) -> float:
        """Return the hours that count from `at` to now."""
        number = bucket(at, self.ph)
        if number >= self.end:
            return 0.0
        inside = at.timestamp() * self.ph / SECONDS - number
        first = self.sums[number - self.begin + 1] - self.sums[number - self.begin]
        return (self.sums[-1] - self.sums[number - self.begin] - first * inside) / self.ph

    def unknown_since(self, at: datetime) -> int:
        return self.series.unknown(bucket(at, self.ph), self.end)

    def _in_touch(self, phones: Sequence[Phone]) -> list[int]:
        length = self.end // self.ph + 1 - self.oldest
        steps = [0] * (length + 1)
        for phone in phones:
            stays, until = max(1, -int(-phone.interval // 1)), 0
            for hour in phone.hours[bisect_left(phone.hours, self.oldest - stays) :]:
                a, b = max(hour - self.oldest, until, 0), min(hour - self.oldest + stays, length)
                if a < b:
                    steps[a] += 1
                    steps[b] -= 1
                    until = b
        return list(accumulate(steps))

    def _counts(self, number: int) -> bool:
        if self._mute(number):
            return False
        for week in range(1, 5):
            then = number - week * WEEK * self.ph
            if then < self.series.born:
                return False
            hour = then // self.ph - self.oldest
            # With the hours beside it: people do not switch off at the same minute every day.
            if not self._mute(then) and min(self.touch[max(hour - 1, 0) : hour + 2]) >= self.enough:
                return True
        return False

    def _mute(self, number: int) -> bool:
        return bool(self.series.closed(number, number + 1) or self.series.unknown(number, number + 1))


def _too_few(place: Place, now: datetime) -> Quiet | None:
    series = place.series
    end = series.reached(now)
    for hours in WINDOWS:
        stretches = series.speaking(end - hours * series.per_hour, end)
        if not stretches or stretches[0][0] - WEEK * series.per_hour < series.born:
            continue
        seen = sum(series.seen(a, b) for a, b in stretches)
        # What the same weekday has shown before is nothing new: the cheap look that nearly always settles it.
        if any(count <= seen for _, count in series.days(stretches, step=7)):
            continue
        expected = shortfall.expect(list(series.days(stretches)))
        if expected is None:
            continue
        expected = expected.at_most(seen + _could_still_come(place.phones, hours, now))
        if expected.mean < shortfall.ENOUGH:
            continue
        chance = shortfall.chance(seen, expected)
        if chance < shortfall.LIMIT:
            newest = None if seen else _newest(place.phones)
            since = newest or moment(stretches[0][0], series.per_hour)
            return Quiet(place.key, Test.COUNT, since, hours, expected.mean, seen, chance, expected.days)
    return None


def _could_still_come(phones: Sequence[Phone], hours: int, now: datetime) -> float:
    """Return how many check-ins are really outstanding: those of phones that lately passed their interval.

    After a power cut all phones ask at once, and then nobody does for a day; a longer interval or fewer
    phones empty the hours too. None of that is a silence: a check-in that is not due yet is not missing.
    """
    missing = 0.0
    lately = max(hours, LATELY)
    for phone in phones:
        if phone.last is None:
            continue
        age = (now - phone.last).total_seconds() / SECONDS
        if 0 < age - phone.interval <= lately:
            missing += max(1.0, min(hours, age) / phone.interval)
    return missing
