"""Customers over the API: how they are, taken on with a manager, switched off for a reason."""

from typing import Any

import pytest
from django.core import mail

from accounts.models import Account, AuditEntry, Membership
from accounts.roles import Role
from devices.models import Device
from provisioning.models import Approval, Incident
from tests.test_access_matrix import snapshot
from tests.world import World, make_key, program, signed_in

CUSTOMERS, ACCOUNTS = "/api/v1/customers/", "/api/v1/accounts/"


def rita(world: World) -> Any:
    return program(make_key(world.harbour, Role.RESELLER, world.rita))


def test_a_reseller_sees_how_his_customers_are(world: World) -> None:
    Approval.objects.filter(account=world.globex.account).update(status=Approval.Status.CLOSED)
    Incident.objects.filter(account=world.globex.account).delete()

    found = rita(world).get(CUSTOMERS).json()["results"]

    assert [row["account"] for row in found] == ["acme", "globex"]
    told = {name: found[0][name] for name in ("phones", "waiting", "windows", "incidents")}
    assert told == {"phones": 2, "waiting": 1, "windows": 1, "incidents": 1}
    assert found[0]["needs_somebody"] is True
    assert found[1]["needs_somebody"] is False
    assert rita(world).get(f"{CUSTOMERS}acme/").json() == found[0]


@pytest.mark.parametrize(
    ("query", "keeps"),
    [
        ("needs_somebody=true", ["acme"]),
        ("needs_somebody=false", ["globex"]),
        ("search=GLO", ["globex"]),
        ("is_active=false", []),
        ("ordering=-name", ["globex", "acme"]),
    ],
)
def test_the_list_is_narrowed(world: World, query: str, keeps: list[str]) -> None:
    Approval.objects.filter(account=world.globex.account).update(status=Approval.Status.CLOSED)
    Incident.objects.filter(account=world.globex.account).delete()

    assert [row["account"] for row in rita(world).get(f"{CUSTOMERS}?{query}").json()["results"]] == keeps


def test_a_manager_looks_after_no_customers(world: World) -> None:
    for key in (world.acme.key, world.globex.key):
        assert program(key).get(CUSTOMERS).json()["results"] == []
        assert program(key).get(f"{CUSTOMERS}acme/").status_code == 404


def test_a_customer_is_taken_on_with_its_first_manager(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    body = {"parent": "harbour", "slug": "initech", "name": "Initech", "email": "bill@initech.example"}

    with django_capture_on_commit_callbacks(execute=True):
        made = rita(world).post(ACCOUNTS, body)

    assert made.status_code == 201, made.json()
    person = Membership.objects.get(account__slug="initech")
    assert (person.user.email, person.role, person.is_pending) == ("bill@initech.example", "manager", True)
    assert mail.outbox[-1].to == ["bill@initech.example"]


def test_a_bad_address_makes_no_customer(world: World) -> None:
    before = snapshot()
    key = rita(world)
    before["ApiKey"], before["AuditEntry"] = (snapshot()[name] for name in ("ApiKey", "AuditEntry"))

    refused = key.post(ACCOUNTS, {"parent": "harbour", "slug": "initech", "name": "Initech", "email": "bill"})

    assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, "email")
    assert snapshot() == before


def test_a_customer_is_switched_off_for_a_reason(world: World) -> None:
    key = rita(world)

    assert key.patch(f"{ACCOUNTS}acme/", {"reason": "Unpaid"}).status_code == 400
    done = key.patch(f"{ACCOUNTS}acme/", {"is_active": False, "reason": "Unpaid since May"})

    assert (done.status_code, done.json()["is_active"]) == (200, False)
    entry = AuditEntry.objects.get(verb="account.disabled")
    assert entry.details["reason"] == "Unpaid since May"
    assert not Account.objects.get(slug="acme").is_active


# --- many phones ----------------------------------------------------------------------------------------

PREVIEW = "/api/v1/bulk/preview/"


def test_a_deed_for_many_is_foretold_and_not_done(world: World) -> None:
    before = snapshot()

    told = program(world.acme.key).post(PREVIEW, {"account": "acme", "do": "lock"}).json()

    assert told == {"total": 2, "does": 1, "skipped": 1, "reasons": [{"count": 1, "why": "locked already"}]}
    Device.objects.filter(pk=world.acme.phone.pk).update(is_enabled=False)
    unlock = program(world.acme.key).post(PREVIEW, {"account": "acme", "do": "unlock"}).json()
    assert unlock["reasons"] == [{"count": 1, "why": "disabled"}]
    Device.objects.filter(pk=world.acme.phone.pk).update(is_enabled=True)
    assert snapshot() == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"do": "lock", "filter": {"family": "snom"}}, 200),
        ({"do": "move", "to": "acme"}, 403),
        ({"do": "profile"}, 409),
        ({"do": "nothing"}, 400),
        ({"do": "lock", "filter": {"colour": "red"}}, 400),
        ({"do": "lock", "account": "globex"}, 400),
    ],
)
def test_what_would_be_refused_is_refused_beforehand(world: World, body: dict[str, Any], code: int) -> None:
    answer = program(world.acme.key).post(PREVIEW, {"account": "acme", **body})

    assert answer.status_code == code, answer.json()
    if code == 200:
        assert answer.json()["total"] == 0


def test_a_viewer_foretells_nothing(world: World) -> None:
    viewer = program(make_key(world.acme.account, Role.VIEWER, world.ana))

    for deed in ("lock", "unlock", "take-off"):
        assert viewer.post(PREVIEW, {"account": "acme", "do": deed}).status_code == 403


# --- jobs, lists to import, policies, drawn secrets -----------------------------------------------------


def test_a_jobs_phones_come_in_pages(world: World) -> None:
    ana, url = program(world.acme.key), f"/api/v1/jobs/{world.acme.job.code}/items/"

    page = ana.get(f"{url}?limit=1").json()

    assert (page["count"], len(page["results"])) == (2, 1)
    assert ana.get(page["next"]).json()["results"][0]["mac"] != page["results"][0]["mac"]
    assert ana.get(f"{url}?result=waiting").json()["count"] == 2
    assert ana.get(f"{url}?result=done").json()["count"] == 0
    assert program(world.globex.key).get(url).status_code == 404


def test_a_list_to_import_has_a_sample_and_gives_back_what_is_not_added(world: World) -> None:
    ana = program(world.acme.key)
    sample = ana.get("/api/v1/imports/sample/")
    again = ana.post("/api/v1/imports/", {"account": "acme", "table": sample.content.decode("utf-8-sig")})
    bad = ana.post(
        "/api/v1/imports/", {"account": "acme", "rows": [{"mac": "00005e0053f7", "model": "T99"}]}
    ).json()

    rows = ana.get(f"/api/v1/imports/{bad['code']}/not-added/")

    assert sample.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert (again.status_code, len(again.json()["rows"]), again.json()["ignored"]) == (201, 2, [])
    assert (rows.status_code, "00005e0053f7" in rows.content.decode()) == (200, True)
    assert program(world.globex.key).get(f"/api/v1/imports/{bad['code']}/not-added/").status_code == 404


def test_one_policy_is_read_by_its_name(world: World) -> None:
    ana = program(world.acme.key)
    table = ana.get("/api/v1/policies/?account=acme").json()

    one = ana.get("/api/v1/policies/user_unlock_ttl/?account=acme").json()

    assert one == next(row for row in table if row["name"] == "user_unlock_ttl")
    assert ana.get("/api/v1/policies/nonsense/?account=acme").status_code == 404
    assert ana.get("/api/v1/policies/user_unlock_ttl/").json()["errors"][0]["attr"] == "account"


def test_an_extension_without_a_secret_gets_a_drawn_one(world: World) -> None:
    made = program(world.acme.key).post("/api/v1/extensions/", {"account": "acme", "username": "771"})

    assert made.status_code == 201, made.json()
    assert "secret" not in made.json()
    row = world.acme.account.extensions.get(username="771")
    assert len(row.secret) > 40


def test_a_site_says_how_many_phones_are_locked_to_it(world: World) -> None:
    found = program(world.acme.key).get(f"/api/v1/sites/{world.acme.site.code}/").json()

    assert (found["phones"], found["bound"]) == (1, 1)
    assert signed_in(world.ben).get(f"/api/v1/sites/{world.acme.site.code}/").status_code == 404
