"""Acting for a customer, page by page: the bar, what is reached, what is not, and how it ends."""

import html
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import resettling, tenants
from accounts.models import AuditEntry
from provisioning import unlock_all
from provisioning.models import Job, Lock
from security import bans
from security.models import Ban
from security.networks import origin_of, parse_address
from tests.url_map import own_urls, staff_urls
from tests.world import World, actor, program, signed_in


def text(answer: Any) -> str:
    return html.unescape(answer.content.decode())


BAR = "You act for Acme Anvils."
HERE, THERE = "203.0.113.210", "203.0.113.220"


@pytest.fixture
def rita(world: World) -> Client:
    """A reseller who acts for Acme."""
    browser = signed_in(world.rita, REMOTE_ADDR=HERE)
    answer = browser.post("/customers/acme/act/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    return browser


def test_the_bar_stands_above_every_page_and_says_as_whom(rita: Client, world: World) -> None:
    for url in ("/", "/phones/", f"/phones/{world.acme.phone.code}/", "/audit/", "/no-such-page/"):
        shown = text(rita.get(url))
        assert BAR in shown, url
        assert "audited as Rita Reseller for Acme Anvils" in shown, url
        assert "Stop acting for Acme Anvils" in shown, url
    assert BAR not in text(signed_in(world.rita).get("/"))


def test_the_bar_stands_above_a_fault_too(rita: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.pages.home.what_is_true", lambda request: 1 / 0)
    rita.raise_request_exception = False

    answer = rita.get("/")

    assert answer.status_code == 500
    assert BAR in text(answer)
    assert "csrfmiddlewaretoken" in answer.content.decode()


def test_the_bar_stands_above_a_form_that_was_too_old(world: World) -> None:
    browser = signed_in(world.rita)
    browser.post("/customers/acme/act/")
    browser.handler.enforce_csrf_checks = True

    answer = browser.post("/acting/stop/")

    assert answer.status_code == 403
    assert BAR in text(answer)


def test_the_pages_are_the_customer_s(rita: Client, world: World) -> None:
    shown = text(rita.get("/phones/"))

    assert world.acme.phone.name in shown
    assert world.globex.phone.name not in shown
    assert rita.get(f"/phones/{world.globex.phone.code}/").status_code == 404
    assert rita.get("/customers/acme/delete/").status_code in (403, 404)
    assert "Platform support" not in shown


def test_a_reseller_lands_on_the_page_that_was_asked_for(world: World) -> None:
    browser = signed_in(world.rita)

    there = browser.post("/customers/acme/act/", {"next": "/approvals/"})
    browser.post("/acting/stop/")
    elsewhere = browser.post("/customers/acme/act/", {"next": "https://evil.example/"})

    assert there.headers["Location"] == "/approvals/"
    assert elsewhere.headers["Location"] == "/"


def test_an_unlock_is_audited_as_her_for_the_customer(rita: Client, world: World) -> None:
    phone = world.acme.phone

    rita.post(f"/phones/{phone.code}/unlock/", {"span": "24h"})
    rita.post(f"/phones/{phone.code}/allow/")

    assert Lock.objects.get(pk=phone.pk).state == "unlocked"
    entry = AuditEntry.objects.filter(verb="device.unlocked").latest("pk")
    assert entry.actor == "Rita Reseller (rita@harbour.example)"
    assert (entry.on_behalf_of, entry.user, entry.address) == ("Acme Anvils", world.rita, HERE)
    shown = text(signed_in(world.ana).get("/audit/"))
    assert "for Acme Anvils" in shown
    assert "Acting for a customer started" in shown


def test_a_job_carries_it_to_its_end(rita: Client, world: World) -> None:
    asked = {"account": "acme", "for": "24h"}
    answer = rita.post("/api/v1/unlock-all/", asked, content_type="application/json")
    job = Job.objects.get(code=answer.json()["job"])

    unlock_all.run(job.pk)

    verbs = AuditEntry.objects.filter(target_code=str(job.code)).values_list("verb", "on_behalf_of")
    assert set(verbs) == {("job.started", "Acme Anvils"), ("job.finished", "Acme Anvils")}
    unlocked = AuditEntry.objects.filter(verb="device.unlocked", at__gte=job.created_at)
    assert {entry.on_behalf_of for entry in unlocked} == {"Acme Anvils"}


def test_the_api_of_the_session_is_the_customer_s_and_a_key_is_its_own(rita: Client, world: World) -> None:
    me = rita.get("/api/v1/me/").json()
    devices = rita.get("/api/v1/devices/").json()["results"]
    with_key = rita.get("/api/v1/devices/", headers={"authorization": f"Api-Key {world.globex.key}"}).json()

    assert me["acting_for"] == "Acme Anvils"
    assert me["roles"] == [{"account": "acme", "role": "manager"}]
    assert {row["account"] for row in devices} == {"acme"}
    assert {row["account"] for row in with_key["results"]} == {"globex"}
    assert program(world.globex.key).get("/api/v1/me/").json()["acting_for"] is None


def test_her_own_pages_and_the_staff_site_are_not_reached(rita: Client, world: World) -> None:
    sam = signed_in(world.sam)
    sam.post("/customers/acme/act/")

    for url in (*own_urls().values(), "/my-phones/"):
        if url.endswith("/logout/"):
            continue
        answer = rita.get(url)
        assert answer.status_code == 403, url
        assert "This page is about you" in text(answer), url
        assert rita.post(url).status_code == 403, url
    for url in staff_urls():
        assert sam.get(url).status_code == 403, url


@pytest.mark.rule("B6")
def test_unblock_my_address_is_for_her_own_and_no_other(rita: Client, world: World) -> None:
    hers, theirs = (
        bans.set_ban(
            origin_of(parse_address(address)),
            by=actor(world.sam),
            length=timedelta(hours=1),
            reason="Scanned for an hour",
        )
        for address in (HERE, THERE)
    )

    rita.post("/addresses/unblock/", {"address": THERE})
    untouched = set(Ban.objects.standing(timezone.now()))
    rita.post("/addresses/unblock/", {"address": HERE})

    assert {hers, theirs} <= untouched
    assert set(Ban.objects.standing(timezone.now())) == untouched - {hers}
    entry = AuditEntry.objects.filter(verb__startswith="address.").latest("pk")
    assert (entry.actor, entry.on_behalf_of, entry.address) == (
        "Rita Reseller (rita@harbour.example)",
        "Acme Anvils",
        HERE,
    )


@pytest.mark.rule("E18")
def test_a_customer_who_moved_away_is_acted_for_no_longer(rita: Client, world: World) -> None:
    sam, phone = actor(world.sam), world.acme.phone
    lakeside = tenants.create_account(world.platform, by=sam, slug="lakeside", name="Lakeside")
    resettling.move_customer(world.acme.account, by=sam, below=lakeside)
    before = Lock.objects.get(pk=phone.pk).state

    answer = rita.post(f"/phones/{phone.code}/allow/")
    after = text(rita.get("/"))

    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert Lock.objects.get(pk=phone.pk).state == before
    assert "You act for Acme Anvils no longer." in after
    assert BAR not in after
    assert rita.get(f"/phones/{phone.code}/").status_code == 404


def test_what_was_begun_for_the_customer_is_not_done_as_herself(
    rita: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight hours are over between the page and the click; she could do it in her own name as well."""
    monkeypatch.setattr("accounts.acting.LONGEST", timedelta(0))
    before = Lock.objects.get(pk=world.acme.phone.pk).state

    by_htmx = rita.post(f"/phones/{world.acme.phone.code}/allow/", headers={"hx-request": "true"})

    assert Lock.objects.get(pk=world.acme.phone.pk).state == before
    assert by_htmx.headers["HX-Redirect"] == "/"
    assert AuditEntry.objects.filter(verb="acting.stopped", details__why="Eight hours are over.").count() == 1


def test_the_api_says_that_it_is_over(rita: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.acting.LONGEST", timedelta(0))

    answer: Any = rita.get("/api/v1/devices/")

    assert answer.status_code == 403
    assert answer.json()["code"] == "acting-over"
    assert rita.get("/api/v1/me/").json()["acting_for"] is None


def test_stop_leads_back_to_the_customers(rita: Client, world: World) -> None:
    answer = rita.post("/acting/stop/")

    assert answer.headers["Location"] == "/customers/"
    shown = text(rita.get("/customers/"))
    assert BAR not in shown
    assert "Globex Gears" in shown


def test_signing_out_ends_it(rita: Client, world: World) -> None:
    rita.post("/accounts/logout/")

    assert AuditEntry.objects.get(verb="acting.stopped").details["why"] == "Signed out."
    rita.force_login(world.rita)
    assert BAR not in text(rita.get("/"))


def test_it_begins_by_a_form_alone(world: World) -> None:
    browser = signed_in(world.rita)

    assert browser.get("/customers/acme/act/").status_code == 405
    assert browser.get("/acting/stop/").status_code == 405
    assert BAR not in text(browser.get("/"))


@pytest.mark.parametrize("who", ["ana", "eve", "ben"])
def test_nobody_else_acts_for_a_customer(who: str, world: World) -> None:
    browser = signed_in(getattr(world, who))

    assert browser.post("/customers/acme/act/").status_code in (403, 404)
    assert not AuditEntry.objects.filter(verb="acting.started").exists()
