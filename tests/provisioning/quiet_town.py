"""Simulated phones that check in for weeks, and a watch over them as the product would keep it.

The phones know nothing of the judging: they have power or not, and ask by a timer, at a time of day or when
they boot. All times here are hours (fractions too) since the Monday on which the story begins.
"""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from provisioning import silence, silence_rounds
from provisioning.closing_times import ClosingTimes
from provisioning.silence import Phone, Place, Quiet, Series, bucket

BEGIN = datetime(2026, 9, 7, tzinfo=UTC)  # a Monday; summer time ends in its seventh week
ZONE = "Europe/Berlin"
FIRST = bucket(BEGIN)
DAY, WEEK = 24, 168
Stretch = tuple[float, float]


def at(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


def local(day: int, hour: float) -> float:
    """The hours since the beginning at which a local clock shows `hour` on the given day."""
    midnight = (BEGIN + timedelta(days=day)).replace(tzinfo=None)
    there = (midnight + timedelta(hours=hour)).replace(tzinfo=ZoneInfo(ZONE))
    return (there.astimezone(UTC) - BEGIN) / timedelta(hours=1)


def the_day(day: int) -> date:
    return (BEGIN + timedelta(days=day)).date()


@dataclass
class Site:
    """Phones of one place: `way` is how they ask, `power` when they have any."""

    key: str
    way: str  # timer | night | window | hourly
    checks: list[list[float]]  # a sorted list a phone
    interval: float = 24.0
    account: str = ""
    closing: ClosingTimes = field(default_factory=lambda: ClosingTimes(ZONE))

    def silent(self, a: float, b: float, *, share: float = 1.0) -> None:
        """Nothing of the first part of the phones arrives between a and b."""
        for number in range(round(share * len(self.checks))):
            self.checks[number] = [time for time in self.checks[number] if not a <= time < b]


def asking(way: str, power: Sequence[Stretch], rng: random.Random) -> list[float]:
    """Return when one phone asks that has power in these stretches."""
    times: list[float] = []
    offset = rng.random()
    for a, b in power:
        booted = a + (offset * 24 if a == 0 and way in ("timer", "hourly") else rng.uniform(0.005, 0.05))
        if way in ("timer", "hourly"):
            period = (24 if way == "timer" else 1) + rng.uniform(5, 30) / 3600
            if way == "hourly" and a == 0:
                booted = offset
            time = booted
            while time < b:
                times.append(time)
                time += period
            continue
        if a > 0:
            times.append(booted)
        for day in range(int(a // DAY), int(b // DAY) + 1):
            hour = 3 + rng.uniform(0, 10 / 60) if way == "night" else rng.uniform(2, 6)
            time = local(day, hour)
            if booted < time < b:
                times.append(time)
    return times


def always_on(weeks: int, rng: random.Random, *, cuts: float = 1.0) -> list[Stretch]:
    """Return power for so many weeks, but for short cuts (so many, at random, on average)."""
    ends = sorted(rng.uniform(0, weeks * WEEK) for _ in range(1) if rng.random() < cuts)
    power, a = [], 0.0
    for end in ends:
        power.append((a, end))
        a = end + 0.2
    return [*power, (a, weeks * WEEK)]


def office_hours(weeks: int, rng: random.Random, *, off: Iterable[int] = ()) -> list[Stretch]:
    """Return power from about seven to about nineteen on working days; somebody is late now and then."""
    days = set(range(weeks * 7)) - set(off)
    power = []
    for day in sorted(days):
        if day % 7 < 5:
            late = rng.uniform(0, 0.9) if rng.random() < 0.05 else 0.0
            power.append((local(day, 7 + rng.gauss(0, 0.12) + late), local(day, 19 + rng.gauss(0, 0.3))))
    return power


def site(
    key: str, phones: int, way: str, power: Sequence[Stretch], rng: random.Random, **more: object
) -> Site:
    checks = [asking(way, power, rng) for _ in range(phones)]
    return Site(key, way, checks, 1.0 if way == "hourly" else 24.0, **more)  # type: ignore[arg-type]


def change_phones(place: Site, share: float, weeks: int, rng: random.Random) -> None:
    """Some phones break and are replaced within two days."""
    for number in range(len(place.checks)):
        if rng.random() < share:
            end = rng.uniform(0, weeks * WEEK)
            start = end + rng.uniform(2, 48)
            checks = place.checks[number]
            place.checks.append(checks[bisect_left(checks, start) :])
            place.checks[number] = checks[: bisect_left(checks, end)]


@dataclass
class Alarm:
    """What was told to people: the verdict, when it was made, and when it was over (hours)."""

    quiet: Quiet
    raised: float
    over: float | None = None


class Watch:
    """Judges every place once an hour (or oftener) as the product would, and keeps the open alarms.

    The hours of an alarm or of an incident of the platform are unknown from its end on.
    """

    def __init__(self, sites: Sequence[Site], weeks: int, *, per_hour: int = 1) -> None:
        self.sites, self.ph, self.length = sites, per_hour, weeks * WEEK * per_hour
        self.alarms: list[Alarm] = []
        self.incidents: list[tuple[silence_rounds.Platform, float]] = []
        self._open: dict[str, Alarm] = {}
        self._incident: silence_rounds.Platform | None = None
        self.unknown: set[int] = set()
        plain = [site for site in sites if site.account and not site.closing.entered]
        self._members = {
            name: [site for site in plain if site.account == name]
            for name in {site.account for site in plain}
        }
        self._own: dict[str, set[int]] = {}
        self._phones: dict[str, list[Phone]] = {}
        self._counts = self._count()
        self._events = self._gather()
        self._series: dict[str, Series] = {}
        self._build()

    def _count(self) -> dict[str, list[int]]:
        counts = {}
        for site in self.sites:
            seen = Counter(key for checks in site.checks for key in {int(time * self.ph) for time in checks})
            counts[site.key] = [seen[number] for number in range(self.length)]
        for name, members in self._members.items():
            rows = [counts[site.key] for site in members]
            counts[name] = [sum(column) for column in zip(*rows, strict=True)]
        rows = [counts[site.key] for site in self.sites if not site.closing.entered]
        counts[""] = [sum(column) for column in zip(*rows, strict=True)] if rows else [0] * self.length
        return counts

    def _gather(self) -> list[list[tuple[float, list[tuple[str, int]], list[int]]]]:
        """Every check-in by bucket: its time, where its phone stands, and that phone's hours."""
        events: list[list[tuple[float, list[tuple[str, int]], list[int]]]] = [[] for _ in range(self.length)]
        for site in self.sites:
            for checks in site.checks:
                hours: list[int] = []
                stands = []
                for name in (site.key,) if site.closing.entered else (site.key, site.account):
                    phones = self._phones.setdefault(name, [])
                    stands.append((name, len(phones)))
                    phones.append(Phone(site.interval, None, hours))
                for time in checks:
                    if time < self.length / self.ph:
                        events[int(time * self.ph)].append((time, stands, hours))
        return events

    def _build(self) -> None:
        closings = {site.key: site.closing for site in self.sites}
        first = FIRST * self.ph
        for key, counts in self._counts.items():
            self._series[key] = Series(
                first,
                counts,
                per_hour=self.ph,
                closed=closings.get(key, ClosingTimes(ZONE)).closed(first, self.length, per_hour=self.ph),
                unknown=self.unknown | self._own.get(key, set()),
            )

    def known_outage(self, a: int, b: int) -> None:
        """From a to b we held everybody, and know it."""
        self.unknown |= set(range(FIRST * self.ph + a * self.ph, FIRST * self.ph + b * self.ph))
        self._build()

    def places(self) -> list[Place]:
        accounts = [Place(name, self._series[name], self._phones[name]) for name in self._members]
        return accounts + [
            Place(site.key, self._series[site.key], self._phones[site.key], site.account)
            for site in self.sites
        ]

    def run(self, since: float = 0, until: float | None = None) -> list[Alarm]:
        """Go through all hours, judging from `since` on, and return the alarms."""
        for number in range(self.length):
            for time, stands, hours in self._events[number]:
                hour = FIRST + int(time)
                if not hours or hours[-1] != hour:
                    hours.append(hour)
                for name, index in stands:
                    self._phones[name][index] = replace(self._phones[name][index], last=at(time))
            now = (number + 1) / self.ph
            if now > since:
                self._judge(now)
            if until is not None and now >= until:
                break
        return self.alarms

    def _judge(self, now: float) -> None:
        clock = at(now)
        for place in self.places():
            alarm = self._open.get(place.key)
            if alarm and silence.is_over(place, alarm.quiet, clock):
                alarm.over = now
                del self._open[place.key]
                first = bucket(alarm.quiet.since, self.ph)
                self._own.setdefault(place.key, set()).update(range(first, bucket(clock, self.ph)))
                self._build()
        if self._incident and silence_rounds.platform_is_over(self._incident, self._series[""], clock):
            first = bucket(self._incident.since, self.ph)
            self.unknown |= set(range(first, bucket(clock, self.ph) - 1))
            self._incident = None
            self._build()
        places, whole = self.places(), self._series[""]
        # An alarm that is open stays: its place, and the sites of an account, are not judged again meanwhile.
        closed = {*self._open, *(place.key for place in places if place.account in self._open)}
        found = silence_rounds.judge_all([one for one in places if one.key not in closed], whole, clock)
        if found.platform and not self._incident:
            self._incident = found.platform
            self.incidents.append((found.platform, now))
        if self._incident:
            return
        for quiet in found.quiet:
            if quiet.place not in self._open:
                self._open[quiet.place] = Alarm(quiet, now)
                self.alarms.append(self._open[quiet.place])


def outage(sites: Iterable[Site], a: float, b: float) -> None:
    """We are out: nothing arrives from anybody, and who wanted to ask does so an interval later."""
    for place in sites:
        place.silent(a, b)


def town(seed: int, *, sites: int, weeks: int, holiday: int | None, entered: bool = True) -> list[Site]:
    """Return sites of many accounts, three of ten of which cut the power at night and at week-ends.

    Half of those have entered their closing times, the others have not. On day `holiday` they stay dark.
    """
    rng = random.Random(seed)
    found: list[Site] = []
    account, left = 0, 0
    for number in range(sites):
        if not left:
            account, left = account + 1, rng.choice((1, 2, 3, 4, 6, 8))
        left -= 1
        phones = min(400, max(2, round(rng.lognormvariate(3.2, 1.2))))
        dark = number % 10 in (2, 5, 8)
        if dark:
            power = office_hours(weeks, rng, off=[] if holiday is None else [holiday])
            day = ((7 * 60, 19 * 60),)
            closing = ClosingTimes(
                ZONE,
                (day, day, day, day, day, (), ()) if number % 2 else None,
                {the_day(holiday)} if holiday is not None and entered else frozenset(),
            )
            way = rng.choice(("timer", "timer", "timer", "hourly"))
        else:
            power, closing = always_on(weeks, rng), ClosingTimes(ZONE)
            way = rng.choice(("timer", "timer", "timer", "night", "window", "hourly"))
        place = site(f"site {number}", phones, way, power, rng, account=f"account {account}", closing=closing)
        change_phones(place, 0.02, weeks, rng)
        found.append(place)
    return found
