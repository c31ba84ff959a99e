"""A wave of suspicion (E7): opened once, told once, joined, and over when nothing more comes."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import Device
from provisioning import incident_words, incidents, locking, publishing, suspicion, telling, waves
from provisioning.models import Incident, Lock
from tests.provisioning.crowds import make_crowd
from tests.tree import Tree, plant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("E7")]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    found: list[tuple[str, int, str]] = []
    monkeypatch.setattr(publishing, "tell_later", lambda *what: found.append(what))
    return found


def suspect(phones: Iterable[Device], at: datetime, *, apart: timedelta = MINUTE) -> None:
    for number, phone in enumerate(phones):
        sign = at + number * apart
        lock = locking.locked_row(phone)
        assert suspicion.raise_(lock, why=Lock.Suspicion.ORIGINS, at=sign, now=sign)


def wave() -> Incident:
    return Incident.objects.get(kind="suspicion")


@pytest.mark.parametrize(
    ("phones", "apart", "is_one"),
    [(5, MINUTE, True), (4, MINUTE, False), (5, 14 * MINUTE, True), (5, 15 * MINUTE, False)],
)
def test_five_phones_within_an_hour_are_one(
    phones: int, apart: timedelta, is_one: bool, tree: Tree, now: datetime
) -> None:
    suspect(make_crowd(tree.acme, phones), now, apart=apart)

    waves.sweep(now + HOUR)

    assert Incident.objects.exists() is is_one


def test_it_is_opened_once_and_told_once(
    tree: Tree, now: datetime, asked: list[tuple[str, int, str]]
) -> None:
    phones = make_crowd(tree.acme, 6)
    suspect(phones, now)

    for minutes in (10, 11, 12):
        waves.sweep(now + minutes * MINUTE)

    assert (wave().account, wave().title) == (tree.acme, "Others are after the files of 6 phones.")
    assert asked == [("incident", tree.acme.pk, str(wave().code))]
    assert telling.tell(*asked[0], now=now + HOUR) == 1
    [letter] = mail.outbox
    assert (letter.to, letter.subject) == (["ana@example.org"], wave().title)
    assert "The phones go on working." in letter.body
    assert all(f"- Phone: {phone}" in letter.body for phone in phones)


def test_phones_of_several_accounts_are_not_added_up_below_twenty(tree: Tree, now: datetime) -> None:
    suspect(make_crowd(tree.acme, 4) + make_crowd(tree.globex, 4), now)

    waves.sweep(now + HOUR)

    assert not Incident.objects.exists()


def test_twenty_over_the_platform_are_the_platforms(tree: Tree, now: datetime) -> None:
    suspect(make_crowd(tree.acme, 16) + make_crowd(tree.globex, 4), now)

    waves.sweep(now + HOUR)

    rows = {row.account.slug: row for row in Incident.objects.select_related("account")}
    assert set(rows) == {"acme", "platform"}
    assert rows["platform"].title == "Others are after the files of 20 phones all over the platform."
    facts = incident_words.describe(rows["platform"], now=now).facts
    assert [(fact.label, fact.text) for fact in facts] == [("Acme", "16"), ("Globex", "4")]
    assert list(Incident.objects.visible_to(tree.eve)) == []
    assert list(Incident.objects.visible_to(tree.ana)) == [rows["acme"]]
    assert Incident.objects.visible_to(tree.support).count() == 2


def test_further_phones_join_it(tree: Tree, now: datetime, asked: list[tuple[str, int, str]]) -> None:
    phones = make_crowd(tree.acme, 11)
    suspect(phones[:5], now)
    waves.sweep(now + 10 * MINUTE)
    suspect(phones[5:6], now + 30 * MINUTE)
    waves.sweep(now + 31 * MINUTE)
    assert (wave().title, len(wave().evidence["phones"])) == ("Others are after the files of 5 phones.", 6)
    suspect(phones[6:], now + 40 * MINUTE)

    waves.sweep(now + HOUR)

    assert wave().title == "Others are after the files of 11 phones."
    assert [step.what for step in wave().steps.all()] == ["opened", "seen"]
    assert len(asked) == 1


def test_it_is_over_when_a_day_brought_no_further_phone(tree: Tree, now: datetime) -> None:
    suspect(make_crowd(tree.acme, 5), now)
    waves.sweep(now + 10 * MINUTE)

    assert waves.sweep(now + 10 * MINUTE + DAY - MINUTE) == 0
    assert waves.sweep(now + 10 * MINUTE + DAY) == 1

    assert wave().how_ended == "No further phone in 24 hours. 5 of 5 are still under suspicion."


def test_it_is_over_when_all_were_released(tree: Tree, now: datetime) -> None:
    phones = make_crowd(tree.acme, 5)
    suspect(phones, now)
    waves.sweep(now + 10 * MINUTE)
    for phone in phones:
        suspicion.release(phone, by=tree.rita, reason="Our own tests", now=now + 20 * MINUTE)

    assert waves.sweep(now + 30 * MINUTE) == 1
    waves.sweep(now + 31 * MINUTE)

    assert wave().how_ended == "None of the 5 phones is under suspicion any more."


def test_what_a_person_has_closed_stays_closed(tree: Tree, now: datetime) -> None:
    phones = make_crowd(tree.acme, 9)
    suspect(phones[:5], now)
    waves.sweep(now + 10 * MINUTE)
    incidents.close(wave(), by=tree.ana, reason="We know who it is", now=now + 20 * MINUTE)
    suspect(phones[5:], now + 30 * MINUTE)

    waves.sweep(now + HOUR)

    assert wave().how_ended == "We know who it is"


def test_the_clock_asks_twice_while_nothing_happens(tree: Tree, now: datetime) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert waves.sweep(now) == 0

    assert len(queries) == 2
