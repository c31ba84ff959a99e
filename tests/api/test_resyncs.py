"""Asking phones to fetch again, as programs call it and people click it."""

from typing import Any

import pytest
from pytest_django import Settings

from accounts.roles import Role
from devices.catalog import catalog
from portal.celery import app
from provisioning import resync, resync_sending, tasks
from provisioning.models import Job, ResyncRequest
from tests.world import World, make_key, program, signed_in

pytestmark = pytest.mark.django_db

ONE, MANY = "/api/v1/devices/{}/resync/", "/api/v1/resync/"


@pytest.fixture(autouse=True)
def edge(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SIP_EDGE = "sip.example.net:5060"
    monkeypatch.setattr(tasks.send_resyncs, "apply_async", lambda **options: None)
    monkeypatch.setattr(tasks.run_job, "delay", lambda job: None)


@pytest.fixture
def ana(world: World) -> Any:
    return program(world.acme.key)


def test_one_phone(world: World, ana: Any) -> None:
    said = ana.post(ONE.format(world.acme.phone.code), {"reboot": True})

    assert said.status_code == 202, said.content
    row = ResyncRequest.objects.get(device=world.acme.phone)
    assert row.reboot
    told = said.json()
    assert (told["outcome"], told["reboot"], told["tries"]) == ("waiting", True, 0)
    assert told["sentence"] == "It waits for its turn."
    log = ana.get(f"/api/v1/devices/{world.acme.phone.code}/events/").json()["results"]
    assert log[0]["what"] == "resync-asked"
    assert log[0]["sentence"].startswith("To restart and fetch its files, asked for by ")


def test_without_an_edge_it_is_refused(world: World, ana: Any, settings: Settings) -> None:
    settings.SIP_EDGE = ""

    for said in (ana.post(ONE.format(world.acme.phone.code), {}), ana.post(MANY, {"account": "acme"})):
        assert (said.status_code, said.json()["code"]) == (409, "no-sip-edge")

    assert not ResyncRequest.objects.exists()
    assert not Job.objects.filter(kind="resync").exists()


def test_many_phones(world: World, ana: Any) -> None:
    said = ana.post(MANY, {"account": "acme", "filter": {"search": "Door"}, "reboot": False})

    assert said.status_code == 202, said.content
    code = said.json()["job"]
    resync.run(Job.objects.get(code=code).pk)
    assert ResyncRequest.objects.get().device == world.acme.other_phone
    shown = ana.get(f"/api/v1/jobs/{code}/").json()
    assert (shown["kind"], shown["total"], shown["waiting"]) == ("resync", 1, 1)
    page = signed_in(world.ana).get(f"/jobs/{code}/").content.decode()
    assert "Resyncing 1 phone of" in page
    assert "<b>0</b> reached" in page


def test_a_bad_filter_is_named(world: World, ana: Any) -> None:
    said = ana.post(MANY, {"account": "acme", "filter": {"colour": "red"}})

    assert (said.status_code, said.json()["code"]) == (400, "invalid")


def test_the_button(world: World) -> None:
    phone, ana = world.acme.phone, signed_in(world.ana)
    page = f"/phones/{phone.code}/"
    assert 'id="resync"' in ana.get(page).content.decode()
    assert 'id="resync"' not in signed_in(world.acme.viewer).get(page).content.decode()

    said = ana.post(f"{page}resync/", follow=True)

    assert "is asked to fetch its files again" in said.content.decode()
    assert not ResyncRequest.objects.get(device=phone).reboot
    assert "It waits for its turn." in ana.get(page).content.decode()
    ana.post(f"{page}resync/", {"reboot": "yes"})
    assert ResyncRequest.objects.get(device=phone).reboot


def test_the_page_says_why_there_is_no_button(world: World, settings: Settings) -> None:
    settings.SIP_EDGE = ""

    page = signed_in(world.ana).get(f"/phones/{world.acme.phone.code}/").content.decode()

    assert 'id="resync"' not in page
    assert "No SIP edge is set up, so phones cannot be asked (SIP_EDGE)." in page


def test_support_sees_that_the_edge_passes_nothing_on(world: World, ana: Any) -> None:
    ana.post(ONE.format(world.acme.phone.code), {})
    row = ResyncRequest.objects.get()
    (taken,) = resync_sending.take(row.due_at)
    resync_sending.answered(taken.pk, 403, tries=1, now=row.due_at)
    words = "does not trust this platform (403)"

    assert words in signed_in(world.sam).get("/").content.decode()
    assert words not in signed_in(world.ana).get("/").content.decode()


def test_a_reseller_may_ask_below_him(world: World) -> None:
    rita = program(make_key(world.harbour, Role.RESELLER, world.rita))

    assert rita.post(ONE.format(world.globex.phone.code), {}).status_code == 202


def test_the_sender_has_a_queue_of_its_own() -> None:
    routed = app.amqp.router.route({}, "provisioning.tasks.send_resyncs")

    assert routed["queue"].name == "resync"


def test_no_event_of_any_family_resets_a_phone() -> None:
    for family in catalog().families.values():
        assert "reset" not in family.resync.event + family.resync.reboot_event
