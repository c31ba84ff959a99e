"""One round of judging: every place, and whether it is they or we who have gone quiet. Pure.

A silence over many accounts at once is one incident of the platform and no alarm of any site.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from provisioning import shortfall
from provisioning.shortfall import Expected
from provisioning.silence import DAYS, WEEK, WINDOWS, Place, Quiet, Series, judge, moment

MANY = 3  # accounts
SHORT = 0.75  # of what was expected
LITTLE = 4  # check-ins: below that an account's silence says nothing
REST = 1e-4  # the chance of the accounts' counts without the worst of them


@dataclass(frozen=True, slots=True)
class Platform:
    """The whole platform is quiet: `accounts` of those `judged` fell short at once.

    `listening` is false where we know that we were the cause: the newest bucket counts as unknown everywhere.
    """

    since: datetime
    listening: bool = True
    hours: int = 0
    expected: float = 0.0
    seen: int = 0
    chance: float | None = None
    accounts: int = 0
    judged: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """What a round found: alarms to raise, and those that something larger explains.

    A site of a quiet account is folded into it, and while the platform is quiet every place is.
    """

    quiet: tuple[Quiet, ...] = ()
    folded: tuple[Quiet, ...] = ()
    platform: Platform | None = None


def judge_all(places: Sequence[Place], whole: Series, now: datetime) -> Round:
    """Judge accounts and sites; `whole` holds the check-ins of the platform, and its unknown hours alone."""
    platform = judge_platform([place for place in places if not place.account], whole, now)
    return fold([(place, quiet) for place in places if (quiet := judge(place, now))], platform)


def fold(found: Sequence[tuple[Place, Quiet]], platform: Platform | None) -> Round:
    """Tell the alarms from the silences that something larger explains."""
    accounts = {place.key for place, _ in found if not place.account}
    larger = [quiet for place, quiet in found if platform or place.account in accounts]
    return Round(
        quiet=tuple(quiet for _, quiet in found if quiet not in larger),
        folded=tuple(larger),
        platform=platform,
    )


def judge_platform(accounts: Sequence[Place], whole: Series, now: datetime) -> Platform | None:
    """Return that the platform is quiet, or None.

    It is when at least three accounts, and at least half of those of which anything was expected, have less
    than three quarters of it, and the count of all of them but the worst has a chance below 10^-4: one
    silent campus is that campus, however large it is.
    """
    end = whole.reached(now)
    if whole.unknown(end - 1, end):
        return Platform(_unknown_since(whole, end), listening=False)
    for hours in short_windows(whole, now):
        platform = _many(accounts, hours, now)
        if platform is not None:
            return replace(platform, since=_short_since(whole, end))
    return None


def short_windows(whole: Series, now: datetime) -> list[int]:
    """Return the windows whose count is below three quarters of the same weekday's least: the first look."""
    end, short = whole.reached(now), []
    for hours in WINDOWS:
        stretches = whole.speaking(end - hours * whole.per_hour, end)
        if not stretches or stretches[0][0] - WEEK * whole.per_hour < whole.born:
            continue
        seen = sum(whole.seen(a, b) for a, b in stretches)
        if seen < SHORT * min((count for _, count in whole.days(stretches, step=7)), default=0):
            short.append(hours)
    return short


def platform_is_over(platform: Platform, whole: Series, now: datetime) -> bool:
    """Return whether the newest bucket is known and holds at least half of what the same one held a week
    before.

    The buckets from `platform.since` up to that one are unknown from then on, for every place.
    """
    end = whole.reached(now)
    return moment(end - 1, whole.per_hour) >= platform.since and not _is_short(whole, end - 1)


def _many(accounts: Sequence[Place], hours: int, now: datetime) -> Platform | None:
    judged: list[tuple[int, Expected]] = []
    for place in accounts:
        series = place.series
        end = series.reached(now)
        stretches = series.speaking(end - hours * series.per_hour, end)
        if not stretches or stretches[0][0] - WEEK * series.per_hour < series.born:
            continue
        expected = shortfall.expect(list(series.days(stretches)))
        if expected is not None and expected.mean > 0:
            judged.append((sum(series.seen(a, b) for a, b in stretches), expected))
    telling = [(seen, expected) for seen, expected in judged if expected.mean >= LITTLE]
    short = [(seen, expected) for seen, expected in telling if seen < SHORT * expected.mean]
    if len(short) < MANY or 2 * len(short) < len(telling):
        return None
    worst = max(judged, key=lambda pair: pair[1].mean - pair[0])
    rest = _together([pair for pair in judged if pair is not worst])
    if rest[0] >= SHORT * rest[1].mean or shortfall.chance(*rest) >= REST:
        return None
    seen, expected = _together(judged)
    return Platform(
        since=now,
        hours=hours,
        expected=expected.mean,
        seen=seen,
        chance=shortfall.chance(seen, expected),
        accounts=len(short),
        judged=len(telling),
    )


def _together(counts: Sequence[tuple[int, Expected]]) -> tuple[int, Expected]:
    mean = sum(expected.mean for _, expected in counts)
    spread = sum(expected.variance for _, expected in counts)
    return sum(seen for seen, _ in counts), Expected(mean, max(mean, spread), DAYS)


def _short_since(whole: Series, end: int) -> datetime:
    first = end - 1
    while first - 1 > end - 24 * whole.per_hour and _is_short(whole, first - 1):
        first -= 1
    return moment(first, whole.per_hour)


def _is_short(whole: Series, number: int) -> bool:
    if whole.unknown(number, number + 1):
        return True
    usual = [count for _, count in whole.days([(number, number + 1)], step=7)]
    return bool(usual) and 2 * whole.seen(number, number + 1) < min(usual)


def _unknown_since(whole: Series, end: int) -> datetime:
    first = end - 1
    while whole.unknown(first - 1, first):
        first -= 1
    return moment(first, whole.per_hour)
