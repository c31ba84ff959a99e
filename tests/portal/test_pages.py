"""The pages: what they show, whom they turn away, and that a refusal changes nothing."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditEntry
from accounts.scope import Actor
from devices import appearances, extensions
from devices.appearances import AppearanceRow
from devices.models import Device
from provisioning import entering, windows
from provisioning.models import DeviceEvent, Lock, Window
from tests.factories import AWAY, HOME, bind, make_phone, refused
from tests.provisioning.stolen import suspected_clone
from tests.tree import user_of
from tests.world import PASSWORD, World, actor, signed_in

TRADE_WORDS = ("provision", "origin", "grant", "MAC", "R6", "R9", "E2", "E7", "unlock")


def text(answer: Any) -> str:
    return str(answer.content.decode())


def page(name: str, device: Device) -> str:
    return reverse(name, args=[device.code])


def test_the_list_takes_the_same_number_of_queries_for_any_number_of_phones(world: World) -> None:
    ana = signed_in(world.ana)
    ana.get("/phones/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        ana.get("/phones/")

    for number in range(20):
        make_phone(world.acme.account, by=actor(world.ana), name=f"Desk {number}", owner=world.ben)
    with CaptureQueriesContext(connection) as many:
        shown = ana.get("/phones/")

    assert text(shown).count('class="name"') == 22
    assert len(many) == len(few)


@pytest.mark.parametrize(
    ("case", "query"),
    [
        ("as on the label", "00:00:5E:00:53:A1"),
        ("with dashes", "00-00-5e-00-53-a1"),
        ("with dots", "0000.5e00.53a1"),
        ("the end of it", "53a1"),
        ("the name", "desk of ben"),
        ("the owner's address", "ben@acme"),
    ],
)
def test_a_phone_is_found(case: str, query: str, world: World) -> None:
    shown = text(signed_in(world.ana).get("/phones/", {"q": query}))

    assert "Desk of Ben at acme" in shown
    assert "Door of acme" not in shown


def test_a_phone_is_found_by_its_extension(world: World) -> None:
    by = actor(world.ana)
    line = extensions.create(world.acme.account, by=by, username="7788", secret="nobody-reads-this")
    appearances.put(world.acme.other_phone, by=by, rows=[AppearanceRow(1, line)])

    shown = text(signed_in(world.ana).get("/phones/", {"q": "7788"}))

    assert "Door of acme" in shown
    assert "Desk of Ben" not in shown


def test_an_unlock_that_is_over_is_shown_as_locked_before_it_is_swept(world: World) -> None:
    Lock.objects.filter(pk=world.acme.other_phone.pk).update(
        grant_until=timezone.now() - timedelta(seconds=1)
    )
    ana = signed_in(world.ana)

    unlocked, locked = (text(ana.get("/phones/", {"state": state})) for state in ("unlocked", "locked"))

    assert "Door of acme" not in unlocked
    assert "Door of acme" in locked


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        ("retired", {"state": "retired"}),
        ("suspect", {"suspicion_until": timezone.now() + timedelta(days=1)}),
    ],
)
def test_phones_in_a_rare_state_have_their_chip(state: str, changes: dict[str, Any], world: World) -> None:
    ana = signed_in(world.ana)
    none = text(ana.get("/phones/"))
    Lock.objects.filter(pk=world.acme.phone.pk).update(**changes)

    all_of_them, chosen = text(ana.get("/phones/")), text(ana.get("/phones/", {"state": state}))

    assert f"?state={state}" not in none
    assert f"?state={state}" in all_of_them
    assert "Desk of Ben" in chosen
    assert "Door of acme" not in chosen


@pytest.mark.rule("T3")
def test_a_suspected_clone_has_its_chip_and_its_remedy(world: World) -> None:
    copied = suspected_clone(world.acme.account)

    shown = text(signed_in(world.ana).get("/phones/", {"state": "clone"}))

    assert "Clone suspected <b>1</b>" in shown
    assert shown.count('class="name"') == 1
    assert f'Answer<span class="sr"> for {copied}</span>' in shown


def test_typing_answers_with_the_list_alone(world: World) -> None:
    shown = text(signed_in(world.ana).get("/phones/", {"q": "desk"}, headers={"HX-Request": "true"}))

    assert shown.lstrip().startswith('<div id="phones"')
    assert "<html" not in shown


def test_allow_reprovision_says_until_when(ana: Actor, locked: Device) -> None:
    browser = signed_in(user_of(ana))

    answer = browser.post(page("phone-allow", locked), follow=True)

    until = Lock.objects.get(pk=locked.pk).grant_until
    assert until is not None
    assert f"Allowed until {until:%A} {until.day} {until:%B}" in text(answer)
    assert answer.redirect_chain == [(page("phone-advanced", locked), 302)]


def test_an_unlock_from_the_address_where_it_was_refused_is_for_that_address(
    ana: Actor, locked: Device
) -> None:
    refused(locked, AWAY)
    browser = signed_in(user_of(ana), REMOTE_ADDR=AWAY)

    menu = text(browser.get(page("phone-unlock", locked)))
    browser.post(page("phone-unlock", locked), {"span": "24h", "scope": "one", "address": AWAY})

    assert f"Unlock for {AWAY}" in menu
    assert str(Lock.objects.get(pk=locked.pk).grant_origin) == AWAY


def test_some_hours_are_hours(ana: Actor, locked: Device) -> None:
    browser = signed_in(user_of(ana))

    browser.post(page("phone-unlock", locked), {"span": "hours", "hours": "3", "scope": "any"})

    lock = Lock.objects.get(pk=locked.pk)
    assert lock.grant_until is not None
    assert lock.grant_given_at is not None
    assert lock.grant_until - lock.grant_given_at == timedelta(hours=3)


@pytest.mark.parametrize("wrong", [{"hours": "0"}, {"hours": "41"}, {"hours": ""}, {"hours": "x"}])
def test_hours_out_of_bounds_unlock_nothing(wrong: dict[str, str], ana: Actor, locked: Device) -> None:
    browser = signed_in(user_of(ana))

    answer = browser.post(page("phone-unlock", locked), {"span": "hours", "scope": "any", **wrong})

    assert answer.status_code == 200
    assert "It was not unlocked" in text(answer)
    assert Lock.objects.get(pk=locked.pk).state == "locked"


def test_a_refusal_is_said_on_the_page_with_its_rule_and_changes_nothing(ana: Actor, locked: Device) -> None:
    Lock.objects.filter(pk=locked.pk).update(state="quarantined")
    entries = AuditEntry.objects.count()
    browser = signed_in(user_of(ana))

    came_from = f"http://testserver{page('phone-advanced', locked)}"
    answer = browser.post(page("phone-allow", locked), headers={"referer": came_from}, follow=True)

    assert "This phone is quarantined." in text(answer)
    assert '<span class="rule">E8q</span>' in text(answer)
    assert answer.redirect_chain[-1][0] == page("phone-advanced", locked)
    assert Lock.objects.get(pk=locked.pk).state == "quarantined"
    assert AuditEntry.objects.count() == entries


def test_a_form_never_leads_to_another_site(world: World) -> None:
    answer = signed_in(world.ana).post("/theme/", {"theme": "dark", "next": "https://evil.example/"})

    assert answer.headers["Location"] == "/"


def test_the_theme_is_rendered_on_the_server(world: World) -> None:
    ana = signed_in(world.ana)

    answer = ana.post("/theme/", {"theme": "dark", "next": "/phones/"}, follow=True)

    assert answer.redirect_chain == [("/phones/", 302)]
    assert '<html lang="en-gb" data-theme="dark">' in text(answer)


def test_a_viewer_sees_the_buttons_switched_off(world: World) -> None:
    vic = signed_in(world.acme.viewer)

    shown = text(vic.get(page("phone", world.acme.phone)))
    answer = vic.post(page("phone-allow", world.acme.phone))

    assert "You may look, not change." in shown
    assert answer.status_code == 403
    assert "You may not do that" in text(answer)


def test_the_owner_reads_none_of_the_trades_words(world: World) -> None:
    refused(world.acme.phone, AWAY)

    shown = text(signed_in(world.ben).get("/my-phones/"))
    said = shown[shown.index("<main") : shown.index("</main>")]

    assert "Let this phone set itself up again" in said
    assert [word for word in TRADE_WORDS if f" {word.lower()}" in said.lower().replace(">", "> ")] == []


def test_the_owner_lets_his_phone_set_itself_up_again(world: World) -> None:
    ben = signed_in(world.ben)

    answer = ben.post(page("my-phone-allow", world.acme.phone), follow=True)

    assert "Ready to set itself up" in text(answer)
    assert Lock.objects.get(pk=world.acme.phone.pk).state == "unlocked"


def test_an_end_users_first_page_is_his_phones(world: World) -> None:
    assert signed_in(world.ben).get("/").headers["Location"] == "/my-phones/"


def test_the_log_ends_where_the_phone_was_anothers(ana: Actor, phone: Device, globex: Any) -> None:
    DeviceEvent.objects.create(
        device=phone, account=globex, mac=phone.mac, at=timezone.now(), what="request", outcome="full",
        rule="O3", address="192.0.2.99",
    )  # fmt: skip

    shown = text(signed_in(user_of(ana)).get(page("phone-log", phone)))

    assert "192.0.2.99" not in shown


def test_a_window_says_its_end_and_its_phones_before_it_opens(ana: Actor, locked: Device) -> None:
    browser = signed_in(user_of(ana))
    asked = {"account": locked.account.slug, "address": HOME, "hours": "4"}

    said = text(browser.post("/windows/open/", {**asked, "preview": "yes"}))
    none_yet = Window.objects.count()
    browser.post("/windows/open/", {**asked, "open": "yes"})

    assert "Closes " in said
    assert "The 1 phone" in said
    assert none_yet == 0
    assert Window.objects.get().covers == 1


def test_above_fifty_phones_the_number_is_typed(ana: Actor, acme: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(windows, "TYPED_ABOVE", 1)
    for _ in range(2):
        make_phone(acme, by=ana)
    browser = signed_in(user_of(ana))
    asked = {"account": acme.slug, "address": HOME, "hours": "4", "open": "yes"}

    answer = browser.post("/windows/open/", asked)
    before = Window.objects.count()
    browser.post("/windows/open/", {**asked, "confirm": "2"})

    assert "Type the number of phones: 2" in text(answer)
    assert before == 0
    assert Window.objects.count() == 1


def test_unlock_all_says_who_is_skipped_before_it_starts(ana: Actor, acme: Any) -> None:
    phones = [make_phone(acme, by=ana, name=f"Desk {n}") for n in range(3)]
    for device in phones:
        bind(device, HOME)
    Lock.objects.filter(pk=phones[0].pk).update(state="quarantined")
    browser = signed_in(user_of(ana))

    said = text(browser.post("/unlock-all/", {"account": acme.slug, "span": "24h", "preview": "yes"}))

    assert "Unlock 2 phones" in said
    assert "1 is skipped: 1 quarantined or retired" in said


def test_an_api_key_is_shown_once(world: World) -> None:
    ana = signed_in(world.ana)

    made = ana.post("/keys/add/", {"account": "acme", "name": "PBX", "role": "viewer"})
    shown = text(made).split('<span class="l">')[1].split("</span>")[0]

    assert "." in shown
    assert "no-store" in made.headers["Cache-Control"]
    assert shown not in text(ana.get("/keys/"))


def test_pages_allow_nothing_inline_and_nothing_foreign(world: World) -> None:
    answer = signed_in(world.ana).get("/phones/")

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert " style=" not in text(answer)
    assert " onclick=" not in text(answer)


def test_what_is_not_there_is_said_in_our_look(world: World) -> None:
    answer = signed_in(world.ana).get("/no-such-page/")

    assert answer.status_code == 404
    assert "There is nothing here" in text(answer)


def test_an_old_form_is_said_in_our_look(world: World) -> None:
    browser = signed_in(world.ana, enforce_csrf_checks=True)

    answer = browser.post(page("phone-allow", world.acme.phone))

    assert answer.status_code == 403
    assert "This form was too old" in text(answer)


def test_what_is_too_much_at_once_is_said_in_our_look(world: World) -> None:
    chosen = {"do": "unlock", "phone": ["0"] * 5000}

    answer = signed_in(world.ana).post("/phones/bulk/", chosen)

    assert answer.status_code == 400
    assert "Nothing was changed. It may have been too much at once" in text(answer)


def test_a_fault_is_said_in_our_look(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr("portal.pages.home.what_is_true", lambda request: 1 / 0)
    browser = signed_in(world.ana)
    browser.raise_request_exception = False

    answer = browser.get("/")

    assert answer.status_code == 500
    assert "A fault on our side" in text(answer)


def test_people_sign_in_by_e_mail(world: World, settings: Settings) -> None:
    browser = signed_in(None)

    wrong = browser.post("/accounts/login/", {"login": world.ana.email, "password": "guessed"})
    right = browser.post("/accounts/login/", {"login": world.ana.email, "password": PASSWORD})

    assert "You are not signed in" in text(wrong)
    assert right.headers["Location"] == "/"
    assert f"You are signed in as {world.ana.name}." in text(browser.get("/"))


def test_a_refused_phone_that_is_gone_leaves_the_pages_whole(world: World) -> None:
    refused(world.acme.phone, AWAY)
    entering.remove(world.acme.phone, by=actor(world.ana))
    ana = signed_in(world.ana)

    home, addresses = ana.get("/"), ana.get("/addresses/")

    assert (home.status_code, addresses.status_code) == (200, 200)
    assert AWAY in text(addresses)


@pytest.mark.django_db
def test_a_part_of_a_page_whose_session_has_ended_leads_the_whole_page_to_the_door(client: Client) -> None:
    at = {"HX-Request": "true", "HX-Current-URL": "https://portal.example/phones/?q=desk&page=2"}

    answer = client.get("/phones/", headers=at)

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["HX-Redirect"] == "/accounts/login/?next=%2Fphones%2F%3Fq%3Ddesk%26page%3D2"
    assert client.get("/phones/").headers["Location"] == "/accounts/login/?next=/phones/"
