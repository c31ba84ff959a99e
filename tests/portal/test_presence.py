"""Where a person is, as the phones' host has proved it (P, B6), and what an unlock makes of it."""

import re
import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts import presence
from accounts.scope import Actor
from devices.models import Device
from provisioning.models import Approval, Lock
from security import address_proof
from tests.factories import AWAY, ELSEWHERE, bind, refused
from tests.tree import user_of
from tests.world import signed_in

HERE = "203.0.113.90"
HERE_V6 = "2001:db8:7:1::5"
ROBBER = "192.0.2.99"

pytestmark = pytest.mark.django_db


def text(answer: Any) -> str:
    return str(answer.content.decode())


def page(name: str, device: Device) -> str:
    return reverse(name, args=[device.code])


def nonce_in(answer: Any) -> str:
    found = re.search(r'name="nonce" value="([^"]+)"', text(answer))
    assert found is not None
    return found.group(1)


def proof(nonce: str, address: str = AWAY, **changes: Any) -> dict[str, Any]:
    """What the phones' host sends the browser back with."""
    until = int(time.time()) + address_proof.GOOD_FOR
    key = address_proof.proof_key(django_settings.TOKEN_KEY)
    mac = address_proof.sign(key, nonce=nonce, address=address, until=until)
    return {"nonce": nonce, "address": address, "until": until, "mac": mac, **changes}


def prove(browser: Client, where: str, address: str = AWAY) -> Any:
    """Ask for the form of that page and come back with its proof."""
    return browser.get("/address-proof/", proof(nonce_in(browser.get(where)), address), follow=True)


def proved(browser: Client) -> tuple[str, ...]:
    return presence.proved(browser.session, now=timezone.now())


@pytest.fixture
def visitor(ana: Actor) -> Client:
    """The manager's, at an address where no phone ever was."""
    return signed_in(user_of(ana), REMOTE_ADDR=HERE)


@pytest.mark.rule("E1")
def test_an_unlock_is_for_the_address_that_was_proved(visitor: Client, locked: Device) -> None:
    refused(locked, AWAY)
    where = page("phone-unlock", locked)
    assert "only</button>" not in text(visitor.get(where))

    answer = prove(visitor, where)

    assert answer.redirect_chain == [(where, 302)]
    assert f"You are at {AWAY}." in text(answer)
    assert f"Unlock for {AWAY} only</button>" in text(answer)
    visitor.post(page("phone-allow", locked), {"origin": ""})
    assert str(Lock.objects.get(pk=locked.pk).grant_origin) == AWAY


@pytest.mark.rule("E2")
def test_the_owner_proves_where_he_is(locked: Device, ben: Actor) -> None:
    refused(locked, HERE_V6)
    refused(locked, ROBBER)
    browser = signed_in(user_of(ben), REMOTE_ADDR=HERE)
    before = text(browser.get("/my-phones/"))

    answer = prove(browser, "/my-phones/", HERE_V6)
    shown = text(answer)
    browser.post(page("my-phone-allow", locked), {"origin": "2001:db8:7:1::/64"})

    assert "Prove where I am" in before
    assert answer.redirect_chain == [("/my-phones/", 302)]
    assert "from 2001:db8:7:1::/64 only</button>" in shown
    assert shown.index(ROBBER) < shown.index("Let this phone set itself up again")
    assert str(Lock.objects.get(pk=locked.pk).grant_origin) == "2001:db8:7:1::/64"


def test_ipv4_and_ipv6_are_proved_apart(visitor: Client, locked: Device) -> None:
    where = page("phone-unlock", locked)
    prove(visitor, where, AWAY)
    prove(visitor, where, HERE_V6)
    prove(visitor, where, ELSEWHERE)

    assert set(proved(visitor)) == {ELSEWHERE, HERE_V6}


def test_what_was_proved_counts_before_the_address_of_the_request(visitor: Client, locked: Device) -> None:
    refused(locked, HERE)
    prove(visitor, page("phone-advanced", locked), AWAY)
    only_here = text(visitor.get(page("phone-advanced", locked)))
    refused(locked, AWAY)
    there = text(visitor.get(page("phone-advanced", locked)))

    assert f"Unlock for {HERE} only</button>" in only_here
    assert f"Unlock for {AWAY} only</button>" in there
    assert there.index(f'also refused at <span class="mono">{HERE}</span>') < there.index("Unlock for ")


@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ("another address", {"address": ROBBER}),
        ("another signature", {"mac": "0" * 64}),
        ("a longer time", {"until": 9_999_999_999}),
        ("no time", {"until": "soon"}),
        ("no signature", {"mac": ""}),
        ("another nonce", {"nonce": "n" * 32}),
        ("no nonce", {"nonce": ""}),
    ],
)
def test_a_proof_that_does_not_hold_proves_nothing(
    case: str, changes: dict[str, Any], visitor: Client, locked: Device
) -> None:
    nonce = nonce_in(visitor.get(page("phone-unlock", locked)))

    answer = visitor.get("/address-proof/", {**proof(nonce), **changes}, follow=True)

    assert "Try it once more." in text(answer)
    assert proved(visitor) == ()


def test_a_proof_is_over_after_a_minute(
    visitor: Client, locked: Device, clock: time_machine.Traveller
) -> None:
    brought = proof(nonce_in(visitor.get(page("phone-unlock", locked))))

    clock.shift(61)
    visitor.get("/address-proof/", brought)

    assert proved(visitor) == ()


def test_a_link_that_is_sent_to_somebody_else_proves_nothing(
    visitor: Client, locked: Device, vic: Actor
) -> None:
    other = signed_in(user_of(vic))
    other.get(page("phone-advanced", locked))
    brought = proof(nonce_in(visitor.get(page("phone-unlock", locked))))

    answer = other.get("/address-proof/", brought)

    assert proved(other) == ()
    assert answer.headers["Location"] == "/"


def test_a_presence_lasts_a_quarter_of_an_hour(
    visitor: Client, locked: Device, clock: time_machine.Traveller
) -> None:
    refused(locked, AWAY)
    prove(visitor, page("phone-advanced", locked))

    clock.shift(14 * 60)
    still = text(visitor.get(page("phone-advanced", locked)))
    clock.shift(61)
    over = text(visitor.get(page("phone-advanced", locked)))

    assert f"Unlock for {AWAY} only" in still
    assert f"Unlock for {AWAY} only" not in over


def test_a_button_keeps_its_word_when_the_presence_is_over(
    visitor: Client, locked: Device, clock: time_machine.Traveller
) -> None:
    refused(locked, AWAY)
    prove(visitor, page("phone-advanced", locked))
    said = re.search(r'name="origin" value="([^"]*)"', text(visitor.get(page("phone-advanced", locked))))
    assert said is not None

    clock.shift(16 * 60)
    visitor.post(page("phone-allow", locked), {"origin": said.group(1)})

    assert str(Lock.objects.get(pk=locked.pk).grant_origin) == AWAY


def test_an_address_that_is_none_unlocks_nothing(visitor: Client, locked: Device) -> None:
    visitor.post(page("phone-allow", locked), {"origin": "somewhere"})

    assert Lock.objects.get(pk=locked.pk).state == "locked"


def test_a_refresh_draws_no_new_nonce_and_each_page_has_its_own(visitor: Client, locked: Device) -> None:
    first, again = (nonce_in(visitor.get(page("phone-unlock", locked))) for _ in range(2))

    assert first == again
    assert nonce_in(visitor.get(page("phone-advanced", locked))) != first


def test_an_old_try_scopes_nothing(visitor: Client, locked: Device, clock: time_machine.Traveller) -> None:
    refused(locked, AWAY)
    clock.shift(24 * 3600 + 1)
    prove(visitor, page("phone-advanced", locked))

    assert "only</button>" not in text(visitor.get(page("phone-advanced", locked)))


@pytest.mark.rule("E14")
def test_the_owner_approves_once_from_the_place_that_he_has_proved(
    card: Approval, ben: Actor, settings: Settings
) -> None:
    browser = signed_in(user_of(ben), REMOTE_ADDR=HERE)
    url = f"/api/v1/approvals/{card.code}/"
    before = browser.post(url, {"decision": "once"}, content_type="application/json")

    prove(browser, "/my-phones/", AWAY)
    after = browser.post(url, {"decision": "once"}, content_type="application/json")

    assert (before.status_code, after.status_code) == (403, 200)
    assert str(Lock.objects.get(pk=card.device_id).grant_origin) == AWAY


def test_under_suspicion_a_proved_place_lets_the_owner_in(locked: Device, ben: Actor) -> None:
    refused(locked, AWAY)
    Lock.objects.filter(pk=locked.pk).update(suspicion_until=timezone.now() + timedelta(days=3))
    browser = signed_in(user_of(ben), REMOTE_ADDR=HERE)
    before = text(browser.get("/my-phones/"))

    after = text(prove(browser, "/my-phones/", AWAY))

    assert "you cannot do it alone for now" in before
    assert "Prove where I am" in before
    assert f"from {AWAY} only</button>" in after


def test_each_family_has_its_form_where_the_phones_host_has_such_names(
    visitor: Client, locked: Device, settings: Settings
) -> None:
    settings.PHONES_URL_V4 = "https://v4.phones.example.org"
    settings.PHONES_URL_V6 = "https://v6.phones.example.org"

    shown = text(visitor.get(page("phone-unlock", locked)))

    forms = re.findall(r'<form id="proof-[^>]+>.*?</form>', shown)
    assert [re.findall(r'action="([^"]+)"', form) for form in forms] == [
        ["https://v4.phones.example.org/.me"],
        ["https://v6.phones.example.org/.me"],
    ]
    assert "Prove my IPv4 address" in shown
    assert "Prove my IPv6 address" in shown
    assert all("csrf" not in form for form in forms)  # it is another host


def test_the_browser_may_send_that_form(visitor: Client, locked: Device) -> None:
    policy = visitor.get(page("phone-unlock", locked)).headers["Content-Security-Policy"]

    allowed = next(part for part in policy.split(";") if part.strip().startswith("form-action"))
    assert "'self'" in allowed
    assert "https://phones.example.org" in allowed


def test_a_phone_that_came_from_another_account_tells_nothing_of_there(
    visitor: Client, locked: Device, globex: Any
) -> None:
    event = refused(locked, AWAY)
    type(event).objects.filter(pk=event.pk).update(account=globex)
    bind(locked)

    shown = text(prove(visitor, page("phone-unlock", locked)))

    assert "refused at" not in shown
    assert "only</button>" not in shown


def test_nobody_is_sent_to_sign_in_and_a_form_is_not_taken() -> None:
    assert Client().get("/address-proof/").headers["Location"].startswith("/accounts/login/")
    assert Client().post("/address-proof/").status_code == 405


def test_a_person_may_check_the_address_that_he_has_proved(visitor: Client, locked: Device) -> None:
    before = text(visitor.get("/addresses/", {"address": AWAY}))

    prove(visitor, page("phone-unlock", locked), AWAY)

    assert "distinct failure" not in before
    assert "0 distinct failures in the last hour" in text(visitor.get("/addresses/", {"address": AWAY}))
