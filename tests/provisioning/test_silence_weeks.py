"""Simulated weeks of phones that check in: how soon a silence is heard, and what is no silence (quick forms).

The long ones, 200 sites through ten weeks: python -m tests.bench silence.
"""

import random

import pytest

from provisioning.closing_times import ClosingTimes
from provisioning.silence import Test
from tests.provisioning.quiet_town import (
    DAY,
    WEEK,
    ZONE,
    Alarm,
    Site,
    Watch,
    always_on,
    at,
    local,
    office_hours,
    outage,
    site,
    the_day,
    town,
)

WEEKS = 5
WHOLE = 4 * WEEK + 2 * DAY  # a Wednesday, four weeks on
OFFICE = ((7 * 60, 19 * 60),)
WORKING = (OFFICE, OFFICE, OFFICE, OFFICE, OFFICE, (), ())


def campus(phones: int, way: str, seed: int = 5) -> Site:
    return site("campus", phones, way, [(0, WEEKS * WEEK)], random.Random(seed))


def heard(place: Site, silent_from: float, *, per_hour: int = 1) -> Alarm:
    place.silent(silent_from, WEEKS * WEEK)
    alarms = Watch([place], WEEKS, per_hour=per_hour).run(since=silent_from - DAY, until=silent_from + 37)
    assert len(alarms) == 1
    return alarms[0]


def offices(weeks: int = 3, *, off: tuple[int, ...] = (), seed: int = 11, **more: object) -> list[Site]:
    rng = random.Random(seed)
    return [
        site(f"office {number}", phones, way, office_hours(weeks, rng, off=off), rng, **more)
        for number, (phones, way) in enumerate([(2, "timer"), (12, "timer"), (60, "timer"), (20, "hourly")])
    ]


def test_three_thousand_phones_spread_over_the_day_are_missed_within_the_hour() -> None:
    start = WHOLE + 10

    alarm = heard(campus(3000, "timer"), start)

    assert alarm.raised - start == 1
    assert (alarm.quiet.test, alarm.quiet.hours, alarm.quiet.seen) == (Test.COUNT, 1, 0)


@pytest.mark.parametrize("minute", [1, 29, 46])
def test_with_quarters_of_an_hour_it_is_an_hour_whenever_it_begins(minute: int) -> None:
    start = WHOLE + 10 + minute / 60

    alarm = heard(campus(3000, "timer"), start, per_hour=4)

    assert alarm.raised - start <= 1


def test_three_thousand_phones_that_all_ask_at_three_are_missed_within_26_hours() -> None:
    start = local(30, 3.2)

    alarm = heard(campus(3000, "night"), start)

    assert alarm.raised - start <= 26
    assert alarm.quiet.test is Test.COUNT
    assert at(start - 0.2) <= alarm.quiet.since <= at(start)


@pytest.mark.parametrize("way", ["timer", "night", "window"])
def test_five_phones_are_missed_within_36_hours(way: str) -> None:
    start = WHOLE + 10

    alarm = heard(campus(5, way), start)

    assert alarm.raised - start <= 36
    assert alarm.quiet.test is Test.PHONES


def test_the_campus_of_story_nought_stays_quiet_for_twenty_six_days() -> None:
    place = site("campus", 40, "timer", [(0, 9 * WEEK)], random.Random(5))
    place.silent(4 * WEEK, 4 * WEEK + 26 * DAY)

    alarms = Watch([place], 9).run(since=3 * WEEK)

    assert [alarm.raised <= 4 * WEEK + 36 for alarm in alarms] == [True]
    assert alarms[0].over is not None
    assert 0 < alarms[0].over - (4 * WEEK + 26 * DAY) <= DAY


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_part_of_a_campus_that_falls_silent_is_heard_and_told_once(share: float) -> None:
    place = campus(3000, "timer")
    place.silent(WHOLE, WHOLE + 60, share=share)

    alarms = Watch([place], WEEKS).run(since=4 * WEEK)

    assert [alarm.raised - WHOLE <= 6 for alarm in alarms] == [True]
    assert alarms[0].over is not None
    assert WHOLE + 48 <= alarms[0].over <= WHOLE + 84


def test_nights_and_weekends_without_power_are_no_silence() -> None:
    assert Watch(offices(), 3).run() == []


def test_nor_are_they_where_closing_times_are_entered() -> None:
    places = offices(closing=ClosingTimes(ZONE, WORKING))

    assert Watch(places, 3).run() == []


def test_an_office_that_stays_dark_on_a_working_day_is_told_once() -> None:
    dark = 17  # the third Thursday

    alarms = Watch(offices(off=(dark,)), 3).run()

    assert sorted(alarm.quiet.place for alarm in alarms) == [f"office {number}" for number in range(4)]
    assert all(local(dark, 8) <= alarm.raised <= local(dark, 19) for alarm in alarms)
    assert all(alarm.over is not None and alarm.over <= local(dark + 1, 10) for alarm in alarms)


def test_a_holiday_that_was_entered_is_no_silence() -> None:
    dark = 17
    places = offices(off=(dark,), closing=ClosingTimes(ZONE, None, {the_day(dark)}))

    assert Watch(places, 3).run() == []


def test_a_power_cut_that_moves_all_timers_is_no_silence() -> None:
    """All ask at once when power returns, and then nobody does until the next day."""
    cut = WHOLE + 10
    power = [(0.0, cut), (cut + 0.1, WEEKS * WEEK)]
    place = site("campus", 3000, "timer", power, random.Random(7))

    assert Watch([place], WEEKS).run(since=4 * WEEK) == []


def test_the_end_of_summer_time_is_no_silence() -> None:
    rng = random.Random(9)
    places = [site("nightly", 500, "night", [(0, 8 * WEEK)], rng)]
    places += offices(8)

    assert Watch(places, 8).run(since=6 * WEEK) == []


def test_an_outage_of_ours_is_one_incident_and_no_alarm() -> None:
    places = town(3, sites=24, weeks=3, holiday=None)
    start = 2 * WEEK + 3 * DAY + 9
    outage(places, start, start + 3)

    watch = Watch(places, 3)

    assert watch.run(since=start - 5, until=start + 60) == []
    assert [platform.listening for platform, _ in watch.incidents] == [True]
    assert start + 1 <= watch.incidents[0][1] <= start + 3


def test_an_outage_that_we_know_of_is_one_incident_too() -> None:
    places = town(4, sites=24, weeks=3, holiday=None)
    start = 2 * WEEK + 3 * DAY + 9
    outage(places, start, start + 3)
    watch = Watch(places, 3)
    watch.known_outage(start, start + 3)

    assert watch.run(since=start - 5, until=start + 60) == []
    assert [(platform.listening, raised) for platform, raised in watch.incidents] == [(False, start + 1)]


def test_one_silent_campus_is_no_outage_of_ours() -> None:
    rng = random.Random(1)
    large = site("campus", 1500, "timer", always_on(3, rng), rng, account="account 0")
    places = [large, *town(3, sites=12, weeks=3, holiday=None)]
    large.silent(2 * WEEK + 57, 3 * WEEK)

    watch = Watch(places, 3)
    alarms = watch.run(since=2 * WEEK + 50, until=2 * WEEK + 100)

    assert [alarm.quiet.place for alarm in alarms] == ["account 0"]
    assert watch.incidents == []
