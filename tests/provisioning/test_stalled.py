"""A stamp that is older than its measure is an incident; whoever is alive says so."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail

from accounts.models import Account
from provisioning import stalled
from provisioning.models import Incident, Stamp
from tests.provisioning.making import make_account

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def platform() -> Account:
    return make_account("platform", kind=Account.Kind.PLATFORM)


def stamped(**ages: float) -> None:
    for name, age in ages.items():
        at = NOW - age * MINUTE
        Stamp.objects.update_or_create(name=name.replace("_", "-"), defaults={"at": at})


@pytest.mark.parametrize(
    ("case", "ages", "said"),
    [
        ("all in time", {"watch": 2, "drain": 2, "listen": 19, "forget": 29 * 60}, None),
        ("the worker is dead", {"watch": 4, "drain": 4}, "The worker has stopped"),
        ("the drain hangs", {"watch": 0, "drain": 4}, "The drain has stopped"),
        (
            "beat is dead",
            {"watch": 0, "drain": 0, "end_what_is_over": 6},
            "Beat, or what it starts, has stopped",
        ),
        ("nobody forgets", {"watch": 0, "drain": 0, "forget": 31 * 60}, "Background work has stopped"),
        ("something new", {"watch": 0, "drain": 0, "dream": 11}, "Background work has stopped"),
        ("the canary is its own matter", {"watch": 0, "drain": 0, "canary": 90}, None),
        ("nothing ever ran", {}, None),
    ],
)
def test_what_is_late_by_its_own_measure_is_an_incident(
    case: str, ages: dict[str, float], said: str | None
) -> None:
    stamped(**ages)

    incident = stalled.look(NOW)

    assert (incident.title.split(":")[0] if incident else None) == said
    assert Incident.objects.filter(kind="stalled").count() == (said is not None)


def test_it_is_one_incident_and_ends_when_all_stamp_again() -> None:
    stamped(watch=4, drain=4)
    stalled.look(NOW)
    stalled.look(NOW)
    incident = Incident.objects.get()
    assert incident.evidence["facts"][0] == [
        "drain",
        "last Mon 2 Mar, 12:26 UTC: what phones did is not written down",
    ]

    stamped(watch=0, drain=0)
    assert stalled.look(NOW) is None

    incident.refresh_from_db()
    assert incident.ended_at == NOW


def test_after_a_start_everything_has_ten_minutes_to_stamp() -> None:
    stamped(watch=600, drain=600)
    watcher = stalled.Watcher(NOW)

    assert watcher.step(NOW + 9 * MINUTE) is None
    first = watcher.step(NOW + 10 * MINUTE)
    assert first is not None
    assert watcher.step(NOW + 10.5 * MINUTE) is None
    assert watcher.step(NOW + 11 * MINUTE) == first


@pytest.mark.parametrize(("ages", "letters"), [({"watch": 4, "drain": 4}, 1), ({"watch": 0, "drain": 4}, 0)])
def test_whoever_finds_the_worker_dead_sends_the_letter_himself(
    platform: Account, ages: dict[str, float], letters: int
) -> None:
    stamped(**ages)
    watcher = stalled.Watcher(NOW - 10 * MINUTE)

    watcher.step(NOW, tell=True)
    watcher.step(NOW + MINUTE, tell=True)

    told = Incident.objects.get().steps.filter(what="told")
    assert told.count() == letters
    assert len(mail.outbox) == 0  # the platform of this test has nobody to tell
