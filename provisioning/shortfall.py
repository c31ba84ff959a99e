"""How small a chance it is that so few phones checked in, given the same hours of earlier days. Pure.

Counts of check-ins are no Poisson counts. Phones on a timer vary less, people who switch phones vary more,
and a working day is not a Sunday. So the variance is taken from the history itself, never below Poisson's:

* the mean is the lesser of the same weekday's and of all days';
* the spread is that of the days around the mean of their own weekday, relative to it, pooled over the week
  (one weekday alone has four samples at most); with fewer than 7 degrees of freedom left, that of all days
  around their common mean, which is wider wherever days differ. The weekday's own spread counts where it is
  the larger one;
* an estimate from few days may be too small by luck, so it is replaced by the variance that the true one
  exceeds in one case of a hundred (chi-squared): 2.4 times after 4 weeks, 5.9 times with 7 degrees of
  freedom, 16 times with 4;
* the chance is the lower tail of a negative binomial of that mean and variance: counts of many phones whose
  rate itself varies from day to day. A normal tail would give counts below nought their part; a Student one
  with 7 degrees of freedom reaches 10^-9 at 39 deviations only, for which no count below 1,500 has room.

Measured (python -m tests.bench silence tails, seed 20) without any other guard than these, for counts around
40, 200 and 3,000 after 1, 2 and 4 weeks: of 104,000 ordinary counts (Poisson; rates that vary by 20 % and by
40 % from day to day; week-ends with a tenth) 6 had a chance below 10^-3 and none one below 10^-9.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, variance

LIMIT = 1e-9
ENOUGH = 21  # exp(-21) < 10^-9: with less expected, even an empty hour proves nothing
FREEDOM = 7  # degrees of freedom from which a weekday's own mean is trusted
FEWEST = 4  # days
_ONE_IN_A_HUNDRED = -2.3263


@dataclass(frozen=True, slots=True)
class Expected:
    """What the history lets us expect of some hours: count, variance, and from how many days we know."""

    mean: float
    variance: float
    days: int

    def at_most(self, mean: float) -> "Expected":
        """Return the same expectation where no more than `mean` could come."""
        if mean >= self.mean:
            return self
        part = mean / self.mean
        return Expected(mean, max(mean, self.variance * part * part), self.days)


def expect(days: Sequence[tuple[int, int]]) -> Expected | None:
    """Return what (days ago, count) pairs let expect; None if they are too few, or none of this weekday."""
    weekday = [count for ago, count in days if ago % 7 == 0]
    if not weekday or len(days) < FEWEST:
        return None
    counts = [count for _, count in days]
    same, every = fmean(weekday), fmean(counts)
    mean = min(same, every)
    if mean <= 0:
        return Expected(0.0, 0.0, len(days))
    relative = _within_weekdays(days)
    if relative is None:
        relative = caution(len(counts) - 1) * variance(counts) / every**2
    if len(weekday) > 1:
        relative = max(relative, variance(weekday) / same**2)
    return Expected(mean, max(mean, relative * mean**2), len(days))


def _within_weekdays(days: Sequence[tuple[int, int]]) -> float | None:
    groups: dict[int, list[int]] = defaultdict(list)
    for ago, count in days:
        groups[ago % 7].append(count)
    free = len(days) - len(groups)
    if free < FREEDOM:
        return None
    apart = scale = 0.0
    for counts in groups.values():
        mean = fmean(counts)
        apart += sum((count - mean) ** 2 for count in counts)
        scale += len(counts) * mean**2
    return caution(free) * (apart / free) / (scale / len(days))


def caution(free: int) -> float:
    """Return by what to multiply a variance that was estimated with so many degrees of freedom.

    By Wilson and Hilferty's approximation of chi-squared."""
    part = 2 / (9 * free)
    return 1 / max(1 - part + _ONE_IN_A_HUNDRED * math.sqrt(part), 0.1) ** 3


def chance(seen: int, expected: Expected) -> float:
    """Return the chance of so few or fewer."""
    mean, spread = expected.mean, expected.variance
    if seen >= mean:
        return 1.0
    if spread <= mean * (1 + 1e-9):
        term = math.exp(seen * math.log(mean) - mean - math.lgamma(seen + 1))
        return _sum_down(term, seen, lambda count: count / mean)
    shape = mean * mean / (spread - mean)
    hit = shape / (shape + mean)
    term = math.exp(
        math.lgamma(seen + shape)
        - math.lgamma(seen + 1)
        - math.lgamma(shape)
        + shape * math.log(hit)
        + seen * math.log1p(-hit)
    )
    return _sum_down(term, seen, lambda count: count / ((count + shape - 1) * (1 - hit)))


def _sum_down(term: float, seen: int, ratio: Callable[[int], float]) -> float:
    total = term
    for count in range(seen, 0, -1):
        term *= ratio(count)
        total += term
        if term < total * 1e-12:
            break
    return min(total, 1.0)
