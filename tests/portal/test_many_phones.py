"""Many phones at once: chosen on the page Phones or by the API, foretold, and done by a job."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import tenants
from accounts.models import AuditEntry
from accounts.roles import Role
from devices import profiles
from devices.models import Device
from provisioning import bulk, locking, tasks
from provisioning.models import Job, LastSeen, Lock
from tests.factories import make_phone
from tests.portal.reading import said
from tests.world import World, actor, make_key, program, signed_in

LIST, BULK, EXPORT = "/phones/", "/phones/bulk/", "/phones/export/"
NOW = timezone.now()


@pytest.fixture(autouse=True)
def nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.run_job, "delay", lambda job: None)


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def seen(
    device: Device, *, hours: float = 1, address: str = "192.0.2.77", firmware: str = "66.86.0.15"
) -> None:
    LastSeen.objects.update_or_create(
        device=device,
        defaults={"at": NOW - timedelta(hours=hours), "address": address, "firmware": firmware},
    )


def test_ticked_phones_are_counted_before_anything_is_done(world: World, ana: Client) -> None:
    first, second = world.acme.phone, world.acme.other_phone
    locking.unlock(first, by=actor(world.ana))
    Lock.objects.filter(pk=second.pk).update(state="locked", grant_given_at=None, grant_until=None)
    ticked = {"do": "lock", "chosen": "yes", "phone": [str(first.code), str(second.code)]}
    before = Job.objects.count()

    shown = said(ana.post(BULK, ticked))
    assert f"It will be done to 1 of 2 phones of {world.acme.account}." in shown
    assert "1 is skipped: 1 locked already." in shown
    assert Job.objects.count() == before
    answer = ana.post(BULK, {**ticked, "start": "yes"})

    job = Job.objects.get(kind="lock")
    assert answer["Location"] == f"/jobs/{job.code}/"
    bulk.run(job.pk)
    told = said(ana.get(answer["Location"]))
    assert "This phone is locked already." in told
    assert Lock.objects.get(pk=first.pk).state == "locked"


def test_all_that_fit_the_list_are_taken_without_ticking_any(world: World, ana: Client) -> None:
    make_phone(world.acme.account, by=actor(world.ana), name="Left alone")

    ana.post(BULK, {"do": "rearm", "q": "acme", "start": "yes", "ship_on": ""})

    job = Job.objects.get(kind="rearm")
    assert job.params == {"do": "rearm", "filter": {"q": "acme"}}
    assert sorted(item.name for item in job.items.all()) == ["Desk of Ben at acme", "Door of acme"]


def test_many_are_unlocked_from_the_list(world: World, ana: Client) -> None:
    asked = {"do": "unlock", "q": "acme", "span": "24h"}

    assert "Each may be set up once, until " in said(ana.post(BULK, {**asked, "preview": "yes"}))
    ana.post(BULK, {**asked, "start": "yes"})

    job = Job.objects.filter(kind="unlock-all").latest("pk")
    assert (job.total, job.params["for"]) == (2, "24h")


def test_a_profile_is_chosen_and_then_given(world: World, ana: Client) -> None:
    asked = {"do": "profile", "q": "acme"}

    shown = ana.post(BULK, asked)
    assert "2 phones are chosen." in said(shown)
    assert 'name="start"' not in shown.content.decode()
    assert "is required" in said(ana.post(BULK, {**asked, "start": "yes"}))
    profile = profiles.create(world.acme.account, by=actor(world.ana), name="Fresh", family="yealink")
    shown = ana.post(BULK, {**asked, "preview": "yes", "profile": str(profile.code)})
    assert "It will be done to 2 of 2 phones" in said(shown)
    ana.post(BULK, {**asked, "start": "yes", "profile": str(profile.code)})

    bulk.run(Job.objects.get(kind="profile").pk)
    assert world.acme.account.devices.filter(profile=profile).count() == 2


def test_a_reseller_moves_many_and_the_customer_learns_nothing_of_where(world: World) -> None:
    rita = signed_in(world.rita)
    asked = {"do": "move", "account": "acme", "account_to": "globex"}

    assert "It will be done to 2 of 2 phones" in said(rita.post(BULK, {**asked, "preview": "yes"}))
    rita.post(BULK, {**asked, "start": "yes"})
    job = Job.objects.get(kind="move")
    bulk.run(job.pk)

    assert world.globex.account.devices.count() == 4
    assert signed_in(world.ana).get(f"/jobs/{job.code}/").status_code == 404
    assert rita.get(f"/jobs/{job.code}/").status_code == 200


@pytest.mark.parametrize("do", ["lock", "rearm", "unlock", "profile", "take-off", "move"])
def test_who_may_not_is_refused_and_nothing_changes(do: str, world: World) -> None:
    jobs, audited = Job.objects.count(), AuditEntry.objects.count()
    asked = {"do": do, "q": "acme", "start": "yes", "span": "24h", "account_to": "globex"}

    assert signed_in(world.acme.viewer).post(BULK, asked).status_code == 403
    if do == "move":
        assert signed_in(world.ana).post(BULK, asked).status_code == 403
    # A neighbour's phones are simply not there.
    ticked = {**asked, "chosen": "yes", "phone": [str(world.acme.phone.code)]}
    if do != "move":
        assert "No phone was chosen" in said(signed_in(world.eve).post(BULK, ticked))
    assert signed_in(world.ana).post(BULK, {"do": "explode"}).status_code == 404

    assert (Job.objects.count(), AuditEntry.objects.count()) == (jobs, audited)


def test_nonsense_does_nothing_to_all(world: World, ana: Client) -> None:
    """A filter that makes no sense is no filter that keeps everything."""
    answer = ana.post(BULK, {"do": "lock", "state": "asleep", "start": "yes"})

    assert "State: nothing here is called “asleep”." in said(answer)
    assert not Job.objects.filter(kind="lock").exists()
    many = [f"00000000-0000-4000-8000-00000000{number:04x}" for number in range(501)]
    answer = ana.post(BULK, {"do": "lock", "chosen": "yes", "phone": many, "start": "yes"})
    assert "Chosen phones: at most 500 at once." in said(answer)
    assert not Job.objects.filter(kind="lock").exists()


# --- the same by the API -----------------------------------------------------------------------------------


@pytest.fixture
def api(world: World) -> APIClient:
    return program(world.acme.key)


def found(api: APIClient, **asked: str) -> list[str]:
    answer = api.get("/api/v1/devices/", asked)
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["results"]]


def test_the_api_has_the_same_words(world: World, api: APIClient) -> None:
    seen(world.acme.phone, hours=50, firmware="66.86.0.99")
    Device.objects.filter(pk=world.acme.other_phone.pk).update(is_enabled=False)

    assert found(api, search="192.0.2.77") == ["Desk of Ben at acme"]
    assert found(api, search="ext-acme-201", state="disabled") == ["Door of acme"]
    assert found(api, quiet="true") == ["Desk of Ben at acme"]
    assert found(api, quiet="false") == ["Door of acme"]
    assert found(api, firmware="66.86.0.99") == ["Desk of Ben at acme"]
    assert found(api, seen="false") == ["Door of acme"]
    assert found(api, state="waiting") == ["Desk of Ben at acme"]
    assert api.get("/api/v1/devices/", {"search": "a\0b"}).status_code == 400
    lock = api.get("/api/v1/devices/", {"search": "Desk"}).json()["results"][0]["lock"]
    assert "forecast" in lock


def test_many_are_locked_by_the_api(world: World, api: APIClient) -> None:
    wanted = {"account": "acme", "do": "lock", "filter": {"search": "Desk"}}

    answer = api.post("/api/v1/bulk/", wanted, format="json")

    assert answer.status_code == 202
    job = Job.objects.get(kind="lock")
    assert answer.json() == {"job": str(job.code)}
    assert [item.name for item in job.items.all()] == ["Desk of Ben at acme"]


@pytest.mark.parametrize(
    ("wanted", "status", "field"),
    [
        ({"do": "explode"}, 400, "do"),
        ({"do": "lock", "account": "globex"}, 400, "account"),
        ({"do": "lock", "filter": {"size": 3}}, 400, "filter"),
        ({"do": "rearm", "ship_on": "2020-01-01"}, 400, "ship_on"),
        ({"do": "move", "to": "acme"}, 403, None),
        ({"do": "profile"}, 409, None),
    ],
)
def test_the_api_says_what_is_wrong_and_starts_nothing(
    wanted: dict[str, Any], status: int, field: str | None, api: APIClient
) -> None:
    answer = api.post("/api/v1/bulk/", {"account": "acme", **wanted}, format="json")

    assert answer.status_code == status, answer.content
    assert field is None or field in answer.content.decode()
    assert not Job.objects.exclude(kind="unlock-all").exists()


def test_a_sub_accounts_manager_cannot_reach_up(world: World) -> None:
    below = tenants.create_account(world.acme.account, by=actor(world.rita), slug="acme-shop", name="Shop")
    key = make_key(below, Role.MANAGER, world.rita)

    answer = program(key).post("/api/v1/bulk/", {"account": "acme", "do": "lock"}, format="json")

    assert answer.status_code == 400
    assert not Job.objects.filter(kind="lock").exists()
