"""The page of an account's hardening and the card of a phone: what they say to whom."""

from typing import Any

import pytest
from django.utils.html import escape
from pytest_django import Settings

from devices.settings_tree import set_value
from provisioning import entering, hardening
from tests.world import World, actor, signed_in

OFF = "Encrypted calls: off. Switched off by Acme Anvils (account)."


@pytest.fixture(autouse=True)
def over_https(settings: Settings) -> None:
    settings.PHONES_URL = "https://p.example.org"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_a_manager_sees_the_score_and_the_worst_phones_first(world: World) -> None:
    acme, ana = world.acme.account, actor(world.ana)
    poor = entering.enter(acme, by=ana, mac="00005e0053e1", family="fanvil", model="X5U", name="Poor one")
    set_value(acme, by=ana, name="srtp", value="off")
    found = hardening.of_account(acme)

    shown = text(signed_in(world.ana).get("/hardening/"))

    assert "Hardening of Acme Anvils" in shown
    assert f"{found.points} of 100 points, over {found.phones} phones." in shown
    assert found.worst[0].device == poor
    assert shown.index("Poor one") < shown.index(world.acme.phone.name)
    assert OFF in shown
    assert 'href="/settings/?account=acme"' in shown


def test_a_viewer_is_sent_to_no_settings(world: World) -> None:
    shown = text(signed_in(world.acme.viewer).get("/hardening/"))

    assert "Hardening of Acme Anvils" in shown
    assert "/settings/?account=acme" not in shown


def test_who_switched_it_off_above_is_the_provider(world: World) -> None:
    set_value(world.harbour, by=actor(world.rita), name="srtp", value="off")

    ana = text(signed_in(world.ana).get("/hardening/"))
    rita = text(signed_in(world.rita).get("/hardening/?account=acme"))

    assert "Switched off by your provider (reseller)." in ana
    assert "Switched off by Harbour Telecom (reseller)." in rita


def test_an_account_without_phones_says_so(world: World) -> None:
    from accounts import tenants

    tenants.create_account(world.harbour, by=actor(world.rita), slug="bare", name="Bare")

    assert "No phones to weigh" in text(signed_in(world.rita).get("/hardening/?account=bare"))


def test_a_phones_page_has_its_points_and_why_some_are_missing(world: World) -> None:
    phone = world.acme.phone
    set_value(phone, by=actor(world.ana), name="web_page", value=True)
    score = hardening.of_phone(phone)
    assert score is not None

    shown = text(signed_in(world.ana).get(f"/phones/{phone.code}/"))

    assert f"{score.points} of 100 points." in shown
    assert "No web page on the phone: off. Switched off for this phone alone." in shown
    reason = next(row.why for row in score.lacking if row.why)
    assert f"cannot be. {escape(reason)}" in shown


def test_the_page_stays_closed_to_end_users(world: World) -> None:
    assert signed_in(world.ben).get("/hardening/").status_code == 403
