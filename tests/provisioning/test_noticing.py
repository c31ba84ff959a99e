"""When a piece of news leaves: the kind, the choice, the clock, the person's morning."""

from datetime import UTC, datetime, timedelta

import pytest

from provisioning.noticing import KINDS, About, How, due_at, next_morning, way

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_at_once_is_now_and_not_at_all_is_never() -> None:
    assert due_at(How.AT_ONCE, at=NOON, zone="UTC", last_hourly=NOON) == NOON
    assert due_at(How.NEVER, at=NOON, zone="UTC") is None


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (None, NOON),
        (NOON - 2 * HOUR, NOON),
        (NOON - HOUR, NOON),
        (NOON - timedelta(minutes=10), NOON + timedelta(minutes=50)),
    ],
)
def test_an_hourly_one_waits_until_an_hour_after_the_last(last: datetime | None, due: datetime) -> None:
    assert due_at(How.HOURLY, at=NOON, zone="UTC", last_hourly=last) == due


@pytest.mark.parametrize(
    ("case", "at", "zone", "morning"),
    [
        ("in the afternoon", NOON, "UTC", datetime(2026, 3, 3, 7, 0, tzinfo=UTC)),
        ("at night", datetime(2026, 3, 2, 5, 0, tzinfo=UTC), "UTC", datetime(2026, 3, 2, 7, 0, tzinfo=UTC)),
        ("at seven", datetime(2026, 3, 2, 7, 0, tzinfo=UTC), "UTC", datetime(2026, 3, 2, 7, 0, tzinfo=UTC)),
        ("in Berlin", NOON, "Europe/Berlin", datetime(2026, 3, 3, 6, 0, tzinfo=UTC)),
        ("in Auckland", NOON, "Pacific/Auckland", datetime(2026, 3, 2, 18, 0, tzinfo=UTC)),
        (
            "before a day of 23 hours",
            datetime(2026, 3, 28, 12, 0, tzinfo=UTC),
            "Europe/Berlin",
            datetime(2026, 3, 29, 5, 0, tzinfo=UTC),
        ),
    ],
)
def test_a_daily_one_leaves_at_seven_where_the_person_is(
    case: str, at: datetime, zone: str, morning: datetime
) -> None:
    assert next_morning(at, zone) == morning
    assert due_at(How.DAILY, at=at, zone=zone) == morning


def test_each_kind_offers_its_usual_way() -> None:
    assert set(KINDS) == set(About)
    for kind, known in KINDS.items():
        assert known.usual in known.ways, kind
        assert way(kind, None) is known.usual


@pytest.mark.rule("B5")
def test_bans_and_incidents_are_told_at_once_and_cannot_be_switched_off() -> None:
    for kind in (About.BANS, About.INCIDENTS):
        assert KINDS[kind].usual is How.AT_ONCE
        assert How.NEVER not in KINDS[kind].ways
        assert way(kind, "never") is How.AT_ONCE


def test_approvals_are_told_once_an_hour_at_most() -> None:
    assert KINDS[About.WAITING].usual is How.HOURLY
    assert How.AT_ONCE not in KINDS[About.WAITING].ways
    assert way(About.WAITING, "at-once") is How.HOURLY
