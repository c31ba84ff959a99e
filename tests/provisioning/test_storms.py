"""B2: many proved phones at once are an incident of each account, told once, which ends by itself."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from provisioning import draining, incidents, publishing, standing, storms, telling, wire
from provisioning.models import DeviceEvent, Incident
from security.networks import parse_address
from tests.factories import AWAY, ELSEWHERE, HOME, banned, failure, origin, proved
from tests.provisioning.crowds import SECOND, all_came, came, make_crowd
from tests.tree import Tree, plant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("B2")]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    """Which e-mails were asked for."""
    found: list[tuple[str, int, str]] = []
    monkeypatch.setattr(publishing, "tell_later", lambda *what: found.append(what))
    return found


def drained(notes: Sequence[wire.Note], *, by: int = 1000) -> None:
    for start in range(0, len(notes), by):
        batch = notes[start : start + by]
        draining.write(batch, datetime.fromtimestamp(batch[-1].at, tz=timezone.now().tzinfo))


def storm() -> Incident:
    return Incident.objects.get(kind="storm")


# --- what is one -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [1, 7, 1000])
def test_a_power_cut_is_one_incident_however_it_is_drained(by: int, tree: Tree, now: datetime) -> None:
    drained(all_came(make_crowd(tree.acme, 120), now), by=by)
    storms.sweep(now + 2 * MINUTE)

    row = storm()
    assert row.title == f"120 phones asked within 54 s behind {HOME}: a power cut, as it seems. No ban."
    assert (row.account, row.network, row.ended_at) == (tree.acme, origin(HOME), None)
    assert row.opened_at == now


@pytest.mark.parametrize(
    ("case", "phones", "within", "is_one"),
    [("just enough", 100, 59.0, True), ("one too few", 99, 59.0, False), ("too slowly", 120, 120.0, False)],
)
def test_what_makes_one(
    case: str, phones: int, within: float, is_one: bool, tree: Tree, now: datetime
) -> None:
    drained(all_came(make_crowd(tree.acme, phones), now, within=within))

    assert Incident.objects.exists() is is_one


def test_a_hundred_of_many_thousands_are_an_ordinary_minute(
    tree: Tree, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "proved_count", lambda network, now: 1001)

    drained(all_came(make_crowd(tree.acme, 100), now))

    assert not Incident.objects.exists()


def test_one_phone_that_asks_again_and_again_is_one(tree: Tree, now: datetime) -> None:
    [phone] = make_crowd(tree.acme, 1)

    drained([came(phone, now + at * 0.3 * SECOND) for at in range(150)])

    assert not Incident.objects.exists()


def test_phones_of_different_addresses_are_none(tree: Tree, now: datetime) -> None:
    crowd = make_crowd(tree.acme, 120)

    drained(all_came(crowd[:60], now) + all_came(crowd[60:], now, address=AWAY))

    assert not Incident.objects.exists()


def test_known_phones_that_prove_nothing_are_none(tree: Tree, now: datetime) -> None:
    notes = [
        came(phone, now + number * 0.3 * SECOND, check_in=False, current=False, outcome="refused", rule="R6")
        for number, phone in enumerate(make_crowd(tree.acme, 120))
    ]

    drained(notes)

    assert not Incident.objects.exists()


def test_a_64_of_ipv6_is_one_address(tree: Tree, now: datetime) -> None:
    notes = [
        came(phone, now + number * 0.3 * SECOND, f"2001:db8:7:9::{number + 1:x}")
        for number, phone in enumerate(make_crowd(tree.acme, 120))
    ]

    drained(notes)
    storms.sweep(now + 2 * MINUTE)

    assert str(storm().network) == "2001:db8:7:9::/64"
    assert storm().title.startswith("120 phones asked within")


def test_notes_that_come_hours_later_are_judged_by_their_own_time(tree: Tree, now: datetime) -> None:
    crowd = make_crowd(tree.acme, 120)
    spread = [came(phone, now - 5 * HOUR + at * MINUTE) for at, phone in enumerate(crowd)]

    draining.write(spread, now)
    assert not Incident.objects.exists()
    draining.write(all_came(crowd, now - HOUR), now)

    assert storm().opened_at == now - HOUR


def test_phones_with_one_step_count_too(tree: Tree, now: datetime) -> None:
    """They are proved by a second day; one that is here for the first time is counted, and makes no storm."""
    proving, single = make_crowd(tree.acme, 60), make_crowd(tree.acme, 45, model="VP530")
    for phone in single[:40]:
        DeviceEvent.objects.create(
            device=phone, account=tree.acme, mac=phone.mac, at=now - DAY, what="request", outcome="bootstrap",
            rule="R4", address=HOME, details={"check_in": True},
        )  # fmt: skip
    notes = all_came(proving, now) + all_came(single, now, within=30.0)

    drained(sorted(notes, key=lambda note: note.at))
    storms.sweep(now + 2 * MINUTE)

    assert storm().evidence["state"]["proved"] == 100
    assert storm().title.startswith("105 phones asked within 54 s")


# --- what it costs -----------------------------------------------------------------------------------------


def test_a_batch_without_a_storm_costs_one_query(tree: Tree, now: datetime) -> None:
    crowd = make_crowd(tree.acme, 90)
    draining.write(all_came(crowd, now), now)
    found = [(phone, parse_address(HOME), now + 54 * SECOND) for phone in crowd[:3]]

    with CaptureQueriesContext(connection) as queries:
        storms.look(found)
    with CaptureQueriesContext(connection) as none:
        storms.look([])

    assert (len(queries), len(none)) == (1, 0)


def test_the_clock_looks_once_while_there_is_none(now: datetime, tree: Tree) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert storms.sweep(now) == 0

    assert len(queries) == 1


# --- whose it is -------------------------------------------------------------------------------------------


def test_each_account_has_a_row_of_its_own(tree: Tree, now: datetime) -> None:
    ours, theirs = make_crowd(tree.acme, 110), make_crowd(tree.globex, 15)
    notes = sorted(all_came(ours, now) + all_came(theirs, now), key=lambda note: note.at)

    drained(notes)
    storms.sweep(now + 2 * MINUTE)

    titles = {row.account.slug: row.title for row in Incident.objects.select_related("account")}
    assert titles["acme"].startswith(f"110 phones, of 125 in all, asked within 54 s behind {HOME}:")
    assert titles["globex"].startswith(f"15 phones, of 125 in all, asked within 54 s behind {HOME}:")
    assert not set(Incident.objects.visible_to(tree.eve)) & set(Incident.objects.visible_to(tree.ana))
    assert Incident.objects.visible_to(tree.rita).count() == 2


def test_an_account_whose_phones_come_a_little_later_gets_its_own(tree: Tree, now: datetime) -> None:
    draining.write(all_came(make_crowd(tree.acme, 110), now), now)
    draining.write(all_came(make_crowd(tree.globex, 30), now + MINUTE, within=20.0), now)

    storms.sweep(now + 3 * MINUTE)

    assert set(Incident.objects.values_list("account__slug", flat=True)) == {"acme", "globex"}


# --- how it goes on ----------------------------------------------------------------------------------------


def test_people_are_told_once_when_it_is_known_how_many(
    tree: Tree, now: datetime, asked: list[tuple[str, int, str]]
) -> None:
    crowd = make_crowd(tree.acme, 240)
    draining.write(all_came(crowd[:110], now), now)
    storms.sweep(now + MINUTE)
    assert asked == []
    draining.write(all_came(crowd[110:], now + MINUTE), now)

    for minutes in (2, 3, 4, 5):
        storms.sweep(now + minutes * MINUTE)

    assert asked == [("incident", tree.acme.pk, str(storm().code))]
    assert storm().title.startswith("240 phones asked within 114 s")
    assert [step.what for step in storm().steps.all()] == ["opened", "seen"]
    assert telling.tell(*asked[0], now=now + 3 * MINUTE) == 1
    assert telling.tell(*asked[0], now=now + 3 * MINUTE) == 0
    [letter] = mail.outbox
    assert (letter.to, letter.subject) == (["ana@example.org"], storm().title)
    assert "nobody is kept out for them" in letter.body
    assert "- Phones that came: 240" in letter.body
    assert f"/incidents/{storm().code}/" in letter.body
    assert storm().steps.get(what="told").said == "Ana, by e-mail."


def test_it_ends_by_itself_after_ten_calm_minutes(tree: Tree, now: datetime) -> None:
    drained(all_came(make_crowd(tree.acme, 120), now))
    over = now + 54 * SECOND + 10 * MINUTE

    assert storms.sweep(over - SECOND) == 0
    assert storms.sweep(over) == 1
    assert storms.sweep(over + MINUTE) == 0

    row = storm()
    assert row.ended_at == over
    assert row.how_ended == "All 120 phones were served within 54 s; none was held."
    assert [step.what for step in row.steps.all()] == ["opened", "seen", "ended"]


def test_it_is_not_called_calm_before_all_notes_are_read(
    tree: Tree, now: datetime, store: redis.Redis
) -> None:
    drained(all_came(make_crowd(tree.acme, 120), now))
    noted = int((now + 5 * MINUTE).timestamp() * 1000)
    store.xadd(wire.NOTES, {wire.NOTE: b"of a drain that is behind"}, id=f"{noted}-0")

    assert storms.sweep(now + HOUR) == 0
    store.delete(wire.NOTES)

    assert storms.sweep(now + HOUR) == 1


def test_ordinary_polls_do_not_keep_it_open(tree: Tree, now: datetime) -> None:
    crowd = make_crowd(tree.acme, 120)
    drained(all_came(crowd, now))
    drained(all_came(crowd[:110], now + 2 * MINUTE, within=600.0), by=20)

    assert storms.sweep(now + 12 * MINUTE) == 1

    assert storm().how_ended == "All 120 phones were served within 54 s; none was held."


def test_the_count_never_falls_when_phones_ask_again(tree: Tree, now: datetime) -> None:
    crowd = make_crowd(tree.acme, 120)
    drained(all_came(crowd, now))
    storms.sweep(now + 2 * MINUTE)
    drained(all_came(crowd, now + 3 * MINUTE, within=3000.0), by=20)

    storms.sweep(now + 11 * MINUTE)

    assert storm().how_ended == "All 120 phones were served within 54 s; none was held."


def test_what_was_held_and_who_is_missing_is_said(tree: Tree, now: datetime) -> None:
    crowd, missing = make_crowd(tree.acme, 120), make_crowd(tree.acme, 2)
    proved(missing[0], HOME, at=now - DAY)
    proved(missing[1], HOME, at=now - 31 * DAY)
    [lost] = make_crowd(tree.acme, 1)
    held: dict[str, Any] = {"outcome": "held", "rule": "G6", "check_in": False, "current": False}
    notes = [came(phone, now, **held) for phone in (*crowd[-7:], lost)]
    notes += [came(crowd[0], now, AWAY, **held)]

    drained(notes + all_came(crowd, now))
    storms.sweep(now + 11 * MINUTE)

    assert storm().how_ended == (
        "120 phones were served within 54 s. Held first, then served: 7. Held and not back yet: 1."
        " Live there and have not come: 1."
    )


def test_a_ban_at_the_same_address_is_not_kept_quiet(tree: Tree, now: datetime) -> None:
    drained(all_came(make_crowd(tree.acme, 120), now))
    failure(HOME, label="00005e0053f7", kind="unknown-mac", at=now)
    banned(HOME, at=now)

    storms.sweep(now + 2 * MINUTE)

    assert storm().title.endswith("as it seems. A ban of strangers stands there.")
    assert ["Failures of others there", "1; 22 would make a ban"] in storm().evidence["facts"]


def test_what_a_person_has_closed_is_not_opened_again(tree: Tree, now: datetime) -> None:
    crowd = make_crowd(tree.acme, 240)
    drained(all_came(crowd[:120], now))
    incidents.close(storm(), by=tree.ana, reason="We tested the generator", now=now + MINUTE)

    drained(all_came(crowd[120:], now + MINUTE))
    storms.sweep(now + 20 * MINUTE)

    assert storm().how_ended == "We tested the generator"


def test_one_account_closes_its_own_row_alone(
    tree: Tree, now: datetime, asked: list[tuple[str, int, str]]
) -> None:
    notes = all_came(make_crowd(tree.acme, 110), now) + all_came(make_crowd(tree.globex, 20), now)
    drained(sorted(notes, key=lambda note: note.at))
    ours = Incident.objects.get(account=tree.acme)
    incidents.close(ours, by=tree.ana, reason="We tested the generator", now=now + MINUTE)

    for minutes in (2, 3, 12):
        storms.sweep(now + minutes * MINUTE)

    assert Incident.objects.count() == 2
    assert [account for _, account, _ in asked] == [tree.globex.pk]
    ours.refresh_from_db()
    assert ours.how_ended == "We tested the generator"


def test_the_next_power_cut_is_a_new_one(tree: Tree, now: datetime) -> None:
    crowd = make_crowd(tree.acme, 120)
    drained(all_came(crowd, now))
    storms.sweep(now + 11 * MINUTE)

    drained(all_came(crowd, now + 12 * MINUTE))

    assert Incident.objects.filter(kind="storm").count() == 2
    assert Incident.objects.going_on().get().opened_at == now + 12 * MINUTE


def test_what_comes_at_the_same_time_every_day_is_told_once(
    tree: Tree, now: datetime, asked: list[tuple[str, int, str]]
) -> None:
    crowd = make_crowd(tree.acme, 120)
    for day in (now, now + DAY, now + 2 * DAY):
        drained(all_came(crowd, day))
        storms.sweep(day + 11 * MINUTE)

    titles = list(Incident.objects.order_by("opened_at").values_list("title", flat=True))
    assert ["a power cut" in title for title in titles] == [True, False, False]
    assert titles[2].endswith("as the day before, so it is the time when they poll. No ban.")
    assert [code for _, _, code in asked] == [str(Incident.objects.order_by("opened_at")[0].code)]


def test_a_storm_elsewhere_at_the_same_time_is_its_own(tree: Tree, now: datetime) -> None:
    drained(
        all_came(make_crowd(tree.acme, 120), now)
        + all_came(make_crowd(tree.acme, 130), now, address=ELSEWHERE)
    )

    storms.sweep(now + 2 * MINUTE)

    counts = {str(row.network): row.title.split()[0] for row in Incident.objects.all()}
    assert counts == {HOME: "120", ELSEWHERE: "130"}


def test_the_busiest_minute_counts_every_phone_once(now: datetime) -> None:
    times = [(now, 1), (now + 59 * SECOND, 1), (now + 59 * SECOND, 2), (now + 60 * SECOND, 3)]

    assert storms.busiest(times) == {1: now + 59 * SECOND, 2: now + 59 * SECOND, 3: now + 60 * SECOND}
    assert storms.busiest([]) == {}
