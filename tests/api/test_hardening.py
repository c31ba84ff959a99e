"""Hardening over the API: points, reasons, levels and places as far as the caller can see them."""

import pytest
from pytest_django import Settings

from devices.settings_tree import set_value
from provisioning import hardening
from tests.world import World, actor, program


@pytest.fixture(autouse=True)
def over_https(settings: Settings) -> None:
    settings.PHONES_URL = "https://p.example.org"


def test_a_phone_names_each_protection_with_its_state(world: World) -> None:
    phone = world.acme.phone
    set_value(phone, by=actor(world.ana), name="web_page", value=True)
    set_value(world.harbour, by=actor(world.rita), name="srtp", value="off")

    found = program(world.acme.key).get(f"/api/v1/devices/{phone.code}/hardening/").json()

    rows = {row["name"]: row for row in found["protections"]}
    assert list(rows) == list(hardening.WEIGHTS)
    assert found["points"] == 100 - sum(row["weight"] for row in rows.values() if row["state"] != "on")
    assert rows["web_page_off"] == {
        "name": "web_page_off",
        "title": "No web page on the phone",
        "setting": "web_page",
        "weight": 15,
        "state": "off",
        "reason": "Switched off for this phone alone.",
        "level": "phone",
        "place": str(phone),
    }
    assert (rows["encrypt_calls"]["level"], rows["encrypt_calls"]["place"]) == ("reseller", None)
    assert rows["encrypt_calls"]["reason"] == "Switched off by your provider (reseller)."
    assert (rows["lock_user_menu"]["state"], rows["lock_user_menu"]["level"]) == ("cannot", None)
    assert (rows["check_tls_certificates"]["state"], rows["check_tls_certificates"]["reason"]) == ("on", "")


def test_an_account_counts_its_phones_and_names_the_worst(world: World) -> None:
    set_value(world.acme.phone, by=actor(world.ana), name="web_page", value=True)

    found = program(world.acme.key).get("/api/v1/hardening/?account=acme").json()

    counts = {row["name"]: (row["on"], row["off"], row["cannot"]) for row in found["protections"]}
    assert (found["account"], found["phones"], found["unknown"]) == ("acme", 2, 0)
    assert counts["web_page_off"] == (1, 1, 0)
    assert found["worst"][0]["device"] == str(world.acme.phone.code)
    assert found["points"] == hardening.of_account(world.acme.account).points


@pytest.mark.parametrize(("query", "status"), [("", 400), ("?account=globex", 400), ("?account=none", 400)])
def test_an_account_that_the_caller_cannot_see_is_refused_by_its_field(
    query: str, status: int, world: World
) -> None:
    answer = program(world.acme.key).get(f"/api/v1/hardening/{query}")

    assert answer.status_code == status
    assert "account" in str(answer.json())
