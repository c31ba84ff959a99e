"""How soon a silence is heard, and how often one is heard that is none: simulated weeks with seeds.

Issue 5, "done when" 4. Hours are simulated ones. `rows` and `places` go through a database of their own, and
run when they are asked for, one at a time.
"""

import argparse
import itertools
import math
import random
import statistics
import sys
import time
from collections.abc import Iterator

from provisioning import shortfall
from tests.bench import silence_rows
from tests.provisioning.quiet_town import DAY, WEEK, Alarm, Site, Watch, local, outage, site, the_day, town

PARTS = ("heard", "weeks", "tails")
WEEKS = 5
HOLIDAY = 38  # a Thursday in the sixth week
OUTAGE = 5 * WEEK + 3 * DAY + 9

Row = tuple[str, str, str, bool]


def add_options(parser: argparse.ArgumentParser) -> None:
    parts = ", ".join((*PARTS, "rows", "places"))
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="part", help=parts)
    parser.add_argument("--places", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=6)


def run(options: argparse.Namespace) -> int:
    """Print a table of goals and figures; 1 when a goal is missed."""
    trials = {"heard": _heard, "weeks": _weeks, "tails": _tails}
    trials |= {"rows": silence_rows.heard, "places": silence_rows.places}
    missed = 0
    print(f"seed {options.seed}")
    for part in options.parts:
        for what, goal, figure, kept in trials[part](options):
            missed += not kept
            print(f"{what:<66} {goal:>22} {figure:>30}{'' if kept else '  MISSED'}", flush=True)
    return 1 if missed else 0


def _heard(options: argparse.Namespace) -> Iterator[Row]:
    """From the first minute of silence to the alarm, at random moments of the fifth week."""
    cases = (
        ("3,000 phones spread over the day, by the hour", 3000, "timer", 1, 2.0),
        ("3,000 phones spread over the day, from a full hour on", 3000, "timer", 1, 1.0),
        ("3,000 phones spread over the day, by quarters of an hour", 3000, "timer", 4, 1.0),
        ("3,000 phones at 03:00, silent after the last of them", 3000, "night", 1, 26.0),
        ("5 phones spread over the day", 5, "timer", 1, 36.0),
        ("5 phones between two and six", 5, "window", 1, 36.0),
    )
    for what, phones, way, per_hour, goal in cases:
        waits = []
        for number in range(options.rounds):
            rng = random.Random(options.seed + number)
            start = 4 * WEEK + rng.uniform(24, 72)
            if goal == 1.0 and per_hour == 1:
                start = float(int(start))
            if way == "night":
                start = local(30, 3.2)
            place = site("campus", phones, way, [(0, WEEKS * WEEK)], rng)
            place.silent(start, WEEKS * WEEK)
            watch = Watch([place], WEEKS, per_hour=per_hour)
            alarms = watch.run(since=start - DAY, until=start + 40)
            waits.append(alarms[0].raised - start if alarms else math.inf)
        figure = f"{statistics.median(waits):.2f} h, at most {max(waits):.2f} h"
        yield what, f"at most {goal:.0f} h", figure, max(waits) <= goal


def _weeks(options: argparse.Namespace) -> Iterator[Row]:
    """Ten weeks of a town; the same one with the holiday forgotten, and with an outage of ours."""
    size = f"{options.sites} sites"
    begun = time.monotonic()
    places = town(options.seed, sites=options.sites, weeks=10, holiday=HOLIDAY)
    phones = sum(len(one.checks) for one in places)
    alarms = Watch(places, 10).run()
    spent = time.monotonic() - begun
    yield (
        f"{size}, {phones:,} phones, ten weeks, holiday entered ({spent:.0f} s)",
        "no alarm",
        f"{len(alarms)} alarms",
        not alarms,
    )
    _tell(alarms, places)

    places = town(options.seed, sites=options.sites, weeks=7, holiday=HOLIDAY)
    forgetful = next(one for one in places if one.closing.holidays and len(one.checks) >= 5)
    forgetful.closing = type(forgetful.closing)(forgetful.closing.zone, forgetful.closing.week)
    alarms = Watch(places, 7).run(since=(HOLIDAY - 2) * DAY, until=(HOLIDAY + 5) * DAY)
    mine = [alarm for alarm in alarms if alarm.quiet.place == forgetful.key]
    yield (
        f"the same, {the_day(HOLIDAY)} forgotten at one site",
        "one alarm, there",
        f"{len(mine)} there, {len(alarms) - len(mine)} elsewhere",
        len(mine) == len(alarms) == 1,
    )
    _tell(alarms, places)

    places = town(options.seed, sites=options.sites, weeks=6, holiday=None)
    outage(places, OUTAGE, OUTAGE + 3)
    watch = Watch(places, 6)
    alarms = watch.run(since=OUTAGE - DAY, until=OUTAGE + 3 * DAY)
    yield (
        "the same, nothing arrives for three hours",
        "one incident, no alarm",
        f"{len(watch.incidents)} incidents, {len(alarms)} alarms",
        len(watch.incidents) == 1 and not alarms,
    )
    _tell(alarms, places)


def _tell(alarms: list[Alarm], places: list[Site]) -> None:
    ways = {one.key: f"{one.way}, {len(one.checks)} phones" for one in places}
    for alarm in alarms[:20]:
        print(f"    {ways.get(alarm.quiet.place, 'account')} at {alarm.raised:.0f}: {alarm.quiet}")


def _tails(options: argparse.Namespace) -> Iterator[Row]:
    """The statistics alone: how often an ordinary count has a chance below 10^-6, 10^-9, of many judged."""
    rng = random.Random(options.seed)
    cases: tuple[tuple[str, float, float], ...] = (
        ("Poisson", 0.0, 0.0),
        ("rates that vary by 20 % from day to day", 0.2, 0.0),
        ("rates that vary by 40 % from day to day", 0.4, 0.0),
        ("by 20 %, and a tenth of them on Saturdays and Sundays", 0.2, 0.9),
    )
    for (what, wide, less), mean in itertools.product(cases, (40, 200, 3000)):
        for weeks in (1, 2, 4):
            judged = small = tiny = 0
            for _ in range(20 * 250 // weeks):
                days = [
                    (ago, _count(rng, mean * (1 - less * (ago % 7 in (2, 3))), wide))
                    for ago in range(1, 7 * weeks + 1)
                ]
                expected = shortfall.expect(days)
                if expected is None or expected.mean < shortfall.ENOUGH:
                    continue
                chance = shortfall.chance(_count(rng, mean, wide), expected)
                judged += 1
                small += chance < 1e-3
                tiny += chance < shortfall.LIMIT
            yield (
                f"{what}, {mean} expected, {weeks} weeks",
                "none below 10^-9",
                f"{judged:,} judged, {small} < 10^-3, {tiny} < 10^-9",
                not tiny,
            )


def _count(rng: random.Random, mean: float, wide: float) -> int:
    rate = mean * (rng.gammavariate(1 / wide**2, wide**2) if wide else 1.0)
    if rate > 100:
        return max(0, round(rng.gauss(rate, math.sqrt(rate))))
    count, left = 0, math.exp(-rate)
    product = rng.random()
    while product > left:
        count, product = count + 1, product * rng.random()
    return count


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    add_options(options)
    sys.exit(run(options.parse_args()))
