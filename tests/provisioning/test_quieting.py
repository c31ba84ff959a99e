"""Silences as incidents, from rows: heard, told once, explained, ended by themselves."""

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from provisioning import quieting
from provisioning.closing_times import ClosingTimes
from provisioning.models import IncidentStep, UnknownTime
from tests.provisioning.quiet_rows import Rows
from tests.provisioning.quiet_town import DAY, WEEK, ZONE, at, local, office_hours, outage, site, the_day

WEEKS = 6
ON = [(0.0, float(WEEKS * WEEK))]
START = 4 * WEEK + 3 * DAY + 9.0  # a Thursday morning in the fifth week

pytestmark = pytest.mark.django_db


def test_three_thousand_phones_that_ask_all_day_are_missed_within_the_hour() -> None:
    campus = site("Campus", 3000, "timer", ON, random.Random(1))
    campus.silent(START + 0.2, WEEKS * WEEK)
    rows = Rows([campus], until=START - 1, hours=False)

    assert rows.go(START) == []
    (incident,) = rows.go(START + 1.25)

    assert (incident.kind, incident.subject) == ("silence", f"site {rows.places['Campus'].code}")
    assert incident.opened_at <= at(START + 1.2)
    assert incident.title.startswith("Campus is quiet. ")


def test_five_phones_are_missed_within_a_day_and_a_half() -> None:
    office = site("Office", 5, "timer", ON, random.Random(2))
    last = max(max(time for time in checks if time < START) for checks in office.checks)
    office.silent(START, WEEKS * WEEK)
    rows = Rows([office], until=last + 26)

    assert rows.go(last + 27) == []
    (incident,) = rows.go(START + 36)

    assert incident.title.startswith("Office is quiet. None of the 5 phones has checked in since ")
    assert incident.evidence["facts"][0][1].startswith("Nothing from there was banned, held or refused")


def test_it_is_told_once_and_ends_by_itself_when_phones_ask_again() -> None:
    office = site("Office", 5, "hourly", ON, random.Random(3))
    office.silent(START, START + 9)
    rows = Rows([office], until=START + 2)

    (incident,) = rows.go(START + 8)
    opened = incident.opened_at
    assert [step.what for step in incident.steps.all()].count(IncidentStep.What.OPENED) == 1
    (incident,) = rows.go(START + 10.5)

    assert incident.opened_at == opened
    assert incident.ended_at is not None
    assert incident.how_ended.startswith("Phones check in again, the last one ")
    unknown = UnknownTime.objects.get()
    assert (unknown.why, unknown.site_id) == ("silence", rows.places["Office"].pk)
    assert unknown.until == incident.ended_at


def test_an_outage_of_ours_is_one_incident_of_the_platform_and_no_site_is_told_of() -> None:
    rng = random.Random(4)
    places = [site(f"Site {n}", 40, "hourly", ON, rng, account=f"account {n // 2}") for n in range(10)]
    outage(places, START, START + 3)
    rows = Rows(places, until=START - 1, hours=False)

    (incident,) = rows.go(START + 6)

    assert (incident.kind, incident.subject) == ("platform", "platform")
    assert incident.ended_at is not None
    assert at(START + 3) < incident.ended_at < at(START + 5)
    assert [row.why for row in UnknownTime.objects.all()] == ["platform"]


HOLIDAY = 31  # a Thursday


@pytest.mark.parametrize(("entered", "told"), [(True, 0), (False, 1)])
def test_a_holiday_is_no_silence_where_it_is_entered(entered: bool, told: int) -> None:
    rng = random.Random(5)
    office = ((7 * 60, 19 * 60),)
    hours = ClosingTimes(ZONE, (office,) * 5 + ((), ()), {the_day(HOLIDAY)} if entered else frozenset())
    power = office_hours(WEEKS, rng, off=[HOLIDAY])
    dark = site("Dark", 12, "hourly", power, rng, closing=hours)
    rows = Rows([dark, site("Light", 12, "hourly", ON, rng)], until=local(HOLIDAY, 6))

    found = rows.go(local(HOLIDAY, 20))

    assert len(found) == told
    if found:
        assert found[0].title.startswith("Dark is quiet. ")
        assert "enter it in the site's closing times" in found[0].evidence["facts"][0][1]


def test_a_silence_that_a_person_closed_is_not_told_again_while_nobody_speaks() -> None:
    office = site("Office", 5, "hourly", ON, random.Random(6))
    office.silent(START, START + 40)
    rows = Rows([office], until=START + 2)
    (incident,) = rows.go(START + 8)
    incident.ended_at, incident.how_ended = rows.clock, "They moved out"
    incident.save()
    IncidentStep.objects.create(
        incident=incident, at=rows.clock, what="ended", said="They moved out", by="Ana"
    )

    assert len(rows.go(START + 36)) == 1


def test_who_was_already_told_of_the_account_is_not_told_of_each_site() -> None:
    rng = random.Random(7)
    places = [site(f"Site {n}", 8, "hourly", ON, rng) for n in range(3)]
    for place in places:
        place.silent(START, WEEKS * WEEK)
    rows = Rows(places, until=START + 3)

    (incident,) = rows.go(START + 9)

    assert (incident.subject, incident.account) == ("account", rows.accounts["acme"])
    assert "None of the 24 phones" in incident.title


def test_a_round_asks_the_same_number_of_questions_however_many_places_there_are(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    rng = random.Random(8)
    few = Rows([site("One", 4, "timer", ON, rng)], until=START)
    with CaptureQueriesContext(connection) as before:
        quieting.look(few.clock)
    Rows([site(f"More {n}", 4, "timer", ON, rng, account=f"account {n // 3}") for n in range(9)], until=START)

    with django_assert_num_queries(len(before)):
        quieting.look(few.clock)
