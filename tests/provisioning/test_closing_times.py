"""When a site is closed."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest

from provisioning.closing_times import ClosingTimes
from provisioning.silence import bucket, moment

EVERY_DAY = (0, 1440)
LONG = 35 * 24
END = bucket(datetime(2026, 11, 11, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("case", "local", "closed"),
    [
        ("a working morning", datetime(2026, 11, 11, 9, tzinfo=UTC), False),
        ("the hour before the opening", datetime(2026, 11, 11, 6, tzinfo=UTC), False),
        ("earlier than that", datetime(2026, 11, 11, 5, tzinfo=UTC), True),
        ("the hour after the closing", datetime(2026, 11, 11, 19, tzinfo=UTC), False),
        ("later than that", datetime(2026, 11, 11, 20, tzinfo=UTC), True),
        ("a Saturday", datetime(2026, 11, 14, 12, tzinfo=UTC), True),
        ("a holiday", datetime(2026, 11, 12, 12, tzinfo=UTC), True),
    ],
)
def test_a_site_is_closed_outside_its_hours(case: str, local: datetime, closed: bool) -> None:
    office = ((7 * 60, 19 * 60),)
    times = ClosingTimes("UTC", (office,) * 5 + ((), ()), {date(2026, 11, 12)})

    assert (bucket(local) in times.closed(END - LONG, 2 * LONG)) is closed


def test_the_clock_of_a_site_is_its_own() -> None:
    times = ClosingTimes("America/New_York", None, {date(2026, 11, 12)})

    closed = times.closed(END, 72)

    assert (moment(min(closed)), len(closed)) == (datetime(2026, 11, 12, 5, tzinfo=UTC), 24)


def test_the_hour_that_autumn_repeats_is_closed() -> None:
    first = bucket(datetime(2026, 10, 25, tzinfo=UTC))

    assert ClosingTimes("Europe/Berlin").closed(first, 24, per_hour=4) == frozenset()
    assert ClosingTimes("Europe/Berlin").closed(first, 24) == {first + 1}


def test_a_night_shift_reaches_over_midnight() -> None:
    night = ((0, 6 * 60), (22 * 60, 1440))
    first = bucket(datetime(2026, 11, 11, tzinfo=UTC))

    closed = ClosingTimes("UTC", (night,) * 7).closed(first, 24)

    assert sorted(number - first for number in closed) == list(range(7, 21))


@pytest.mark.parametrize(
    "week", [((EVERY_DAY,),) * 6, (((0, 1441),),) * 7, (((600, 600),),) * 7, (((-1, 60),),) * 7]
)
def test_a_week_that_makes_no_sense_is_refused(week: Sequence[Sequence[tuple[int, int]]]) -> None:
    with pytest.raises(ValueError, match="day"):
        ClosingTimes("UTC", week)


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Asia/Kolkata"]
)
@pytest.mark.parametrize("per_hour", [1, 4])
@pytest.mark.parametrize(
    ("case", "week"),
    [
        ("open day and night", None),
        ("an office", (((7 * 60, 12 * 60), (13 * 60, 19 * 60)),) * 5 + ((), ())),
        ("at night", (((0, 6 * 60), (22 * 60, 1440)),) * 7),
    ],
)
@pytest.mark.parametrize("holidays", [[], [date(2026, 10, 24), date(2026, 10, 26), date(2026, 11, 12)]])
def test_whole_days_are_closed_as_their_buckets_are(
    zone: str,
    per_hour: int,
    case: str,
    week: Sequence[Sequence[tuple[int, int]]] | None,
    holidays: list[date],
) -> None:
    times = ClosingTimes(zone, week, frozenset(holidays))
    first = date(2026, 10, 23)  # over both continents' ends of summer time

    found = times.closed_days(first, 21, per_hour=per_hour)

    start = bucket(datetime(2026, 10, 23, tzinfo=UTC), per_hour)
    assert found == times.closed(start, 21 * 24 * per_hour, per_hour=per_hour)
