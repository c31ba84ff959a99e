"""E17: neither tenant reads anything of the other one's time with a phone that moved."""

import json

import pytest
from django.test import Client

from accounts.models import AuditEntry
from accounts.scope import Actor
from devices import settings_tree
from devices.models import Device
from provisioning import claims, events, locking, moving
from provisioning.compiling import compile_full
from provisioning.gate import Outcome
from provisioning.models import Approval, DeviceEvent, LastSeen, Proof
from tests.factories import refused
from tests.provisioning import notes
from tests.provisioning.furnished import HOUR, MAC, MINUTE, NOW, OFFICE, OLD_WORDS, Furnished, furnish
from tests.provisioning.making import HOTEL, request
from tests.second_factors import equipped
from tests.tree import Tree, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.rule("E17"), pytest.mark.usefixtures("clock")]

LATER = NOW + 2 * HOUR


@pytest.fixture
def home(cast: Tree) -> Furnished:
    return furnish(cast)


@pytest.fixture
def moved(home: Furnished, cast: Tree) -> Device:
    return moving.move(home.phone, by=cast.rita, to=cast.globex, now=LATER)


def test_old_events_stay_with_the_old_account_and_the_new_log_begins_here(
    home: Furnished, moved: Device, cast: Tree
) -> None:
    log = DeviceEvent.objects.filter(device=moved)

    assert [(event.account, event.what, event.rule, event.at) for event in log] == [
        (cast.globex, "moved-here", "E17", LATER)
    ]
    old = DeviceEvent.objects.visible_to(cast.ana).filter(mac=MAC)
    assert old.filter(what="moved-away", device=None).count() == 1
    assert old.filter(what="request").exists()
    assert not DeviceEvent.objects.visible_to(cast.eve).exclude(what="moved-here").exists()


def test_a_late_note_is_the_old_account_s(home: Furnished, moved: Device, cast: Tree) -> None:
    """The edge had noted a poll and a try before the move; they are drained after it."""
    poll = notes.used(home.phone, OFFICE, LATER - MINUTE, drift=False, token=home.current.hash)
    late = notes.tried(home.phone, HOTEL, LATER - MINUTE, card=True)
    fresh = notes.tried(moved, HOTEL, LATER + MINUTE)

    notes.drain(poll, late, fresh, now=LATER + MINUTE)

    rows = DeviceEvent.objects.filter(what="request", at__gte=LATER - MINUTE).order_by("pk")
    assert [(row.account, row.device, row.rule) for row in rows] == [
        (cast.acme, None, "O3"),
        (cast.acme, None, "R6"),
        (cast.globex, moved, "R6"),
    ]
    assert not Proof.objects.filter(device=moved).exists()
    assert not LastSeen.objects.filter(device=moved).exists()
    assert not Approval.objects.filter(device=moved, status="open").exists()


def test_neither_record_names_the_other_account(home: Furnished, moved: Device, cast: Tree) -> None:
    entries = {entry.verb: entry for entry in AuditEntry.objects.filter(verb__startswith="device.moved")}

    assert (entries["device.moved-away"].account, entries["device.moved-here"].account) == (
        cast.acme, cast.globex
    )  # fmt: skip
    assert entries["device.moved"].account == cast.harbour
    assert entries["device.moved"].details == {"mac": MAC, "old": "acme", "new": "globex"}
    for own, other in (("moved-away", "globex"), ("moved-here", "acme")):
        said = json.dumps(entries[f"device.{own}"].details) + entries[f"device.{own}"].target_name
        assert other not in said.lower()
    assert entries["device.moved-here"].target_name == MAC


PAGES = (
    "/phones/{code}/", "/phones/{code}/lines/", "/phones/{code}/log/", "/phones/{code}/advanced/",
    "/phones/", "/", "/approvals/", "/windows/", "/addresses/", "/addresses/?address=" + OFFICE,
)  # fmt: skip
CALLS = (
    "/api/v1/devices/{code}/", "/api/v1/devices/{code}/events/", "/api/v1/devices/{code}/appearances/",
    "/api/v1/devices/", "/api/v1/approvals/?status=closed", "/api/v1/audit/", "/api/v1/extensions/",
    "/api/v1/windows/", "/api/v1/sites/", "/api/v1/jobs/",
)  # fmt: skip


def read(who: Actor, device: Device) -> dict[str, str]:
    client = Client()
    client.force_login(equipped(user_of(who)))
    answers = {url: client.get(url.format(code=device.code)) for url in PAGES + CALLS}
    return {url: answer.content.decode() for url, answer in answers.items() if answer.status_code != 404}


def test_nothing_of_the_old_tenant_is_shown_to_the_new_one(home: Furnished, cast: Tree) -> None:
    moved = moving.move(home.phone, by=cast.rita, to=cast.globex, name="Kiosk", now=LATER)

    shown = read(cast.eve, moved)

    assert set(shown) == set(PAGES + CALLS)
    assert [
        (url, word) for url, text in shown.items() for word in OLD_WORDS if word in text and word not in url
    ] == []


def test_nothing_of_the_new_tenant_is_shown_to_the_old_one(home: Furnished, cast: Tree) -> None:
    moved = moving.move(home.phone, by=cast.rita, to=cast.globex, name="Kiosk of Globex", now=LATER)
    claims.claim(request(moved, HOTEL), now=LATER + MINUTE)
    refused(moved, "192.0.2.77", at=LATER)

    shown = read(cast.ana, moved)

    assert set(PAGES + CALLS) - set(shown) == {url for url in PAGES + CALLS if "{code}" in url}
    words = ("Kiosk", "Globex", "globex", "192.0.2.77", str(moved.code))
    found = {(url, word) for url, text in shown.items() for word in words if word in text}
    assert found == {("/api/v1/audit/", str(moved.code))}  # the old entries name the phone by its code


def test_the_new_tenant_s_file_holds_nothing_of_the_old_one(home: Furnished, cast: Tree) -> None:
    moved = moving.move(home.phone, by=cast.rita, to=cast.globex, now=LATER)
    locking.unlock(Device.objects.get(pk=moved.pk), by=cast.eve, now=LATER)
    assert claims.claim(request(moved, HOTEL), now=LATER + MINUTE).verdict.outcome is Outcome.BOOTSTRAP

    phone = settings_tree.phone_settings([moved])[moved.pk]
    text = b"".join(file.body for file in compile_full(phone, "https://p.example.org/d/x/").values()).decode()

    assert (phone.lines, phone.keys, phone.name, phone.language) == ((), (), "", "en")
    assert [word for word in OLD_WORDS if word in text] == []


def test_each_log_says_what_happened_in_a_sentence(home: Furnished, moved: Device, cast: Tree) -> None:
    said = {
        event.what: events.described(event, now=LATER).sentence
        for event in DeviceEvent.objects.filter(what__startswith="moved")
    }

    assert said == {
        "moved-away": f"Moved to another account by {cast.rita.label}.",
        "moved-here": f"Moved here from another account by {cast.rita.label}.",
    }
