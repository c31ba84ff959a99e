"""Lines and keys on a phone's page: by keyboard alone, and without any script."""

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from devices import appearances, extensions
from devices.appearances import AppearanceRow
from devices.models import Device
from tests.browser.conftest import NARROW, SignIn, faults
from tests.world import PASSWORD, World, actor


@pytest.fixture
def desk(town: World) -> Device:
    """Its own line on key 1, and 4102, which the door shows too, on key 3."""
    by, phone = actor(town.ana), town.acme.phone
    shared = extensions.create(town.acme.account, by=by, username="4102", secret="s3cret-of-4102")
    appearances.put(town.acme.other_phone, by=by, rows=[AppearanceRow(1, shared)])
    own = AppearanceRow(1, town.acme.extension, "Label acme")
    appearances.put(phone, by=by, rows=[own, AppearanceRow(3, shared)])
    return phone


def row(page: Page, at: int) -> tuple[str, str, str]:
    """The place, kind and value of the row that stands there now."""
    here = page.locator(".keyrows tbody tr").nth(at)
    place, kind, value = (here.locator(f"[name$=-{name}]") for name in ("position", "kind", "value"))
    return place.input_value(), kind.input_value(), value.input_value()


def test_a_key_is_added_moved_and_saved_by_keyboard_alone(
    town: World, desk: Device, sign_in: SignIn, live_server: LiveServer
) -> None:
    page = sign_in(town.ana)
    page.goto(f"{live_server.url}/phones/{desk.code}/lines/")

    page.get_by_role("button", name="Add a row").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Not saved yet.")).to_be_visible()
    expect(page.locator("#id_row-1-position")).to_be_focused()
    assert row(page, 1) == ("2", "line", "")
    page.keyboard.press("Tab")
    page.keyboard.type("Busy")
    page.keyboard.press("Tab")
    page.keyboard.type("214")
    down = page.get_by_role("button", name="Move row 2 down")
    down.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Move row 3 down")).to_be_focused()
    assert [row(page, at)[:2] for at in range(3)] == [("1", "line"), ("2", "line"), ("3", "blf")]
    expect(page.get_by_role("status").filter(has_text="Now on key 3: 214")).to_be_attached()
    page.locator(".keyrows tbody tr").nth(2).locator("[name$=-value]").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_text(f"Saved. {desk} learns it at its next check-in.")).to_be_visible()
    assert list(desk.appearances.values_list("position", "extension__username")) == [
        (1, town.acme.extension.username),
        (2, "4102"),
    ]
    assert list(desk.keys.values_list("position", "kind", "value")) == [(3, "blf", "214")]


def test_what_does_not_fit_leads_to_its_key(
    town: World, desk: Device, sign_in: SignIn, live_server: LiveServer
) -> None:
    page = sign_in(town.ana)
    page.goto(f"{live_server.url}/phones/{desk.code}/lines/")
    page.locator("#id_row-1-position").fill("900")

    page.get_by_role("button", name="Save lines and keys").click()
    said = page.get_by_role("link", name="Key: Key 900: there are 207 places")
    said.click()

    expect(page.locator("#id_row-1-position")).to_be_focused()
    expect(page.locator("#id_row-1-position")).to_have_attribute("aria-invalid", "true")
    assert faults(page) == []
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert faults(page) == []
    assert desk.appearances.count() == 2


def test_what_a_key_of_another_kind_has_is_out_of_sight(
    town: World, desk: Device, sign_in: SignIn, live_server: LiveServer
) -> None:
    page = sign_in(town.ana)
    page.goto(f"{live_server.url}/phones/{desk.code}/lines/")
    rings, calls = page.locator("#id_row-0-ring"), page.locator("#id_row-0-line")
    expect(rings).to_be_visible()
    expect(calls).to_be_hidden()

    page.locator("#id_row-0-kind").select_option("park")

    expect(rings).to_be_hidden()
    expect(calls).to_be_visible()


def test_a_shared_line_is_taken_off_without_a_script(
    town: World, desk: Device, live_server: LiveServer, browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("E-mail").fill(town.ana.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("link", name=desk.name, exact=True).click()
    page.get_by_role("link", name="Lines and keys").click()

    page.get_by_role("button", name="Remove row 2").click()
    page.get_by_role("button", name="Save lines and keys").click()
    page.get_by_role("link", name="Log", exact=True).click()

    said = "Lines changed: appearance 4102 on key 3 removed by Ana of acme."
    expect(page.get_by_text(said)).to_be_visible()
    context.close()
