"""Opening hours and holidays: as people write them, as rows, and who may give them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid
from devices.models import Holiday
from provisioning import closing, opening_hours
from tests.world import World, actor

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
OFFICE = ["07:00-12:00, 13:00-19:00"] * 5 + ["", ""]
CHRISTMAS = date(2026, 12, 25)


@pytest.mark.parametrize(
    ("case", "line", "monday", "tuesday"),
    [
        ("one span", "7:00-19:00", [[420, 1140]], []),
        ("written otherwise", " 7.00 to 19.30 ", [[420, 1170]], []),
        ("two spans in any order", "13:00-19:00, 07:00-12:00", [[420, 720], [780, 1140]], []),
        ("spans that touch are one", "07:00-12:00,12:00-19:00", [[420, 1140]], []),
        ("over midnight", "22:00-06:00", [[1320, 1440]], [[0, 360]]),
        ("until midnight", "22:00-24:00", [[1320, 1440]], []),
        ("until midnight, as a clock shows it", "22:00-00:00", [[1320, 1440]], []),
        ("all day", "All day", [[0, 1440]], []),
    ],
)
def test_a_line_is_the_hours_of_a_day(
    case: str, line: str, monday: list[list[int]], tuesday: list[list[int]]
) -> None:
    assert opening_hours.read([line, "", "", "", "", "", ""]) == [monday, tuesday, [], [], [], [], []]


def test_empty_lines_are_a_site_that_is_open_day_and_night() -> None:
    assert opening_hours.read([" "] * 7) is None
    assert opening_hours.say(None) == [""] * 7


@pytest.mark.parametrize(
    "line", ["7-19", "07:00", "25:00-26:00", "07:60-08:00", "07:00-07:00", "07:00-24:01", "x"]
)
def test_what_is_no_span_is_refused_by_its_day(line: str) -> None:
    with pytest.raises(ValueError, match=r"^Wednesday: .* is no span"):
        opening_hours.read(["", "", line, "", "", "", ""])


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda s: s[0] < s[1]), max_size=3
        ),
        min_size=7,
        max_size=7,
    )
)
def test_what_is_said_reads_as_it_was(days: list[list[tuple[int, int]]]) -> None:
    lines = [
        ", ".join(f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in spans) for spans in days
    ]
    week = opening_hours.read(lines)

    assert opening_hours.read(opening_hours.say(week)) == week


def test_a_manager_gives_his_sites_hours_and_holidays(world: World) -> None:
    site = world.acme.site

    closing.set_hours(site, by=actor(world.ana), lines=OFFICE, now=NOW)
    closing.set_holidays(site, by=actor(world.ana), days=[(CHRISTMAS, "Christmas Day")], now=NOW)

    site.refresh_from_db()
    assert opening_hours.say(site.opening) == OFFICE
    assert [(row.account, row.day, row.name) for row in site.holidays.all()] == [
        (world.acme.account, CHRISTMAS, "Christmas Day")
    ]
    verbs = AuditEntry.objects.order_by("-pk").values_list("verb", flat=True)[:2]
    assert list(verbs) == ["site.holidays-changed", "site.hours-changed"]


def test_what_did_not_change_leaves_no_trace(world: World) -> None:
    closing.set_hours(world.acme.site, by=actor(world.ana), lines=OFFICE, now=NOW)
    before = AuditEntry.objects.count()

    closing.set_hours(world.acme.site, by=actor(world.ana), lines=OFFICE, now=NOW)
    closing.set_holidays(world.acme.site, by=actor(world.ana), days=[], now=NOW)

    assert AuditEntry.objects.count() == before


def test_the_holidays_of_an_account_and_of_its_sites_are_apart(world: World) -> None:
    by = actor(world.ana)
    closing.set_holidays(world.acme.account, by=by, days=[(CHRISTMAS, "Christmas Day")], now=NOW)
    closing.set_holidays(world.acme.site, by=by, days=[(CHRISTMAS, "Yard day")], now=NOW)

    closing.set_holidays(world.acme.site, by=by, days=[], now=NOW)

    assert [row.name for row in Holiday.objects.all()] == ["Christmas Day"]


@pytest.mark.parametrize(
    ("case", "days", "words"),
    [
        ("twice", [(CHRISTMAS, "A"), (CHRISTMAS, "B")], "twice"),
        ("without a name", [(CHRISTMAS, " ")], "is missing"),
        ("long ago", [(date(2025, 12, 25), "A")], "too far away"),
        ("in another life", [(date(2036, 12, 25), "A")], "too far away"),
        ("too many", [(CHRISTMAS + timedelta(days=n), "A") for n in range(101)], "At most 100"),
    ],
)
def test_no_such_holidays(world: World, case: str, days: list[closing.Day], words: str) -> None:
    before = AuditEntry.objects.count()

    with pytest.raises(Invalid, match=words):
        closing.set_holidays(world.acme.site, by=actor(world.ana), days=days, now=NOW)

    assert (Holiday.objects.count(), AuditEntry.objects.count()) == (0, before)


@pytest.mark.parametrize("who", ["eve", "ben", "vic"])
def test_nobody_else_gives_them(world: World, who: str) -> None:
    by = actor(world.acme.viewer if who == "vic" else getattr(world, who))

    with pytest.raises(Forbidden):
        closing.set_hours(world.acme.site, by=by, lines=OFFICE, now=NOW)
    with pytest.raises(Forbidden):
        closing.set_holidays(world.acme.account, by=by, days=[(CHRISTMAS, "A")], now=NOW)

    world.acme.site.refresh_from_db()
    assert (world.acme.site.opening, Holiday.objects.count()) == (None, 0)


def test_holidays_are_read_a_line_each() -> None:
    text = "2026-12-25 Christmas Day\n\n  2027-01-01   New Year\n"

    assert closing.read_days(text) == [(CHRISTMAS, "Christmas Day"), (date(2027, 1, 1), "New Year")]
    with pytest.raises(Invalid, match="is no line such as"):
        closing.read_days("25.12.2026 Christmas Day")
