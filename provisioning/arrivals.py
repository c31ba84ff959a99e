"""What checked in hour by hour, beside what the same hours of the last weeks let expect (section 7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor, sqrt
from statistics import fmean, variance

from django.core.cache import cache

from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from provisioning import listening, quarters, shortfall
from provisioning.closing_times import bucket_of
from provisioning.quarters import IN_A_DAY, PER_HOUR
from provisioning.silence import DAYS, Series, bucket, moment

HOURS = 48
BACK = timedelta(days=DAYS + 3)
WIDTH = 2  # deviations to either side: what is outside is remarkable, not yet an alarm
MANY = 100  # accounts beyond which what was read is kept for a while
KEPT = 120  # seconds


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour: what came, and between which numbers it was expected; no numbers where nothing tells."""

    at: datetime
    count: int
    low: int | None
    high: int | None
    is_unknown: bool  #: answers were held, or notes were lost or came late: the count says nothing
    is_over: bool

    @property
    def is_low(self) -> bool:
        """Fewer than expected, in an hour that is complete."""
        return self.is_over and not self.is_unknown and self.low is not None and self.count < self.low


def hours(by: Actor, now: datetime) -> list[Hour]:
    """The last 48 hours of the accounts that the actor sees, the one that is going on last.

    Two queries of the days' rows, however many phones there are; a phone counts once a quarter.
    """
    paths = by.paths(Power.SEE_ACCOUNT)
    if any(len(path) == Account.steplen for path in paths):  # the whole platform has rows of its own
        return _hours(_counts(None, now), now)
    accounts = list(Account.objects.visible_to(by).values_list("pk", flat=True))
    if len(accounts) <= MANY:
        return _hours(_counts(accounts, now), now)
    key = f"arrivals:{'.'.join(sorted(paths))}:{bucket(now, PER_HOUR)}"
    found: list[Hour] | None = cache.get(key)
    if found is None:
        found = _hours(_counts(accounts, now), now)
        cache.set(key, found, KEPT)
    return found


def _counts(accounts: Iterable[int] | None, now: datetime) -> list[int]:
    """The check-ins of these accounts, or of everybody, quarter by quarter up to the end of today."""
    first = (now - BACK).astimezone(UTC).date()
    length = ((now.astimezone(UTC).date() - first).days + 1) * IN_A_DAY
    found = [0] * length
    for key, day, counts in quarters.days(first, accounts=() if accounts is None else accounts):
        start = (day - first).days * IN_A_DAY
        if (key == quarters.ALL) == (accounts is None) and start < length:
            found[start : start + IN_A_DAY] = [
                a + b for a, b in zip(found[start : start + IN_A_DAY], counts, strict=True)
            ]
    return found


def _hours(counts: list[int], now: datetime) -> list[Hour]:
    first = bucket_of((now - BACK).astimezone(UTC).date(), PER_HOUR)
    end = bucket(now) + 1
    unknown = listening.unknown(first, end * PER_HOUR, now, read=listening.read_until(now))
    series = Series(first, counts, per_hour=PER_HOUR, unknown=unknown.get(quarters.ALL, frozenset()))
    return [_hour(series, number, is_over=number + 1 < end) for number in range(end - HOURS, end)]


def _hour(series: Series, number: int, *, is_over: bool) -> Hour:
    a, b = number * PER_HOUR, (number + 1) * PER_HOUR
    expected = shortfall.expect(list(series.days([(a, b)])))
    low = floor(expected.mean - WIDTH * sqrt(expected.variance)) if expected else 0
    return Hour(
        at=moment(number),
        count=series.seen(a, b),
        low=max(0, low) if expected else None,
        high=max(low, _most(series, a, b)) if expected else None,
        is_unknown=series.unknown(a, b) > 0,
        is_over=is_over,
    )


def _most(series: Series, a: int, b: int) -> int:
    """The upper edge: a silence is judged by the least of an hour and those beside it, this by the most."""
    counts = []
    for ago in range(1, DAYS + 1):
        start, end = a - 24 * ago * PER_HOUR, b - 24 * ago * PER_HOUR
        if start - PER_HOUR < series.born:
            break
        if not series.unknown(start - PER_HOUR, end + PER_HOUR):
            moved = (-PER_HOUR, 0, PER_HOUR)
            counts.append(max(series.seen(start + by, end + by) for by in moved))
    if len(counts) < 2:
        return 0
    mean = fmean(counts)
    return ceil(mean + WIDTH * sqrt(max(mean, variance(counts))))
