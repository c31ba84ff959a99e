"""Settings in a real browser: changed by keyboard, looked at before they are saved, and without a script."""

import re

from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from devices import settings_tree
from devices.models import RawValue, SettingValue
from tests.browser.conftest import NARROW, WIDE, SignIn, faults
from tests.second_factors import six_digits
from tests.world import PASSWORD, World, actor


def test_a_manager_changes_a_setting_by_keyboard(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)
    page.get_by_role("link", name="Settings", exact=True).click()

    server = page.get_by_role("textbox", name="SIP server", exact=True)
    server.fill("sip.acme.example")
    server.press("Enter")
    expect(page.get_by_role("heading", name="2 phones would change")).to_be_visible()
    expect(page.get_by_text("account.1.sip_server.1.address = sip.acme.example").first).to_be_visible()
    page.get_by_role("button", name="Back").press("Enter")
    expect(server).to_have_value("sip.acme.example")
    assert not SettingValue.objects.exists()
    server.press("Enter")
    page.get_by_role("button", name="Save").press("Enter")

    expect(page.get_by_text("SIP server: saved.")).to_be_visible()
    assert SettingValue.objects.get().value == "sip.acme.example"


def test_a_phones_own_value_is_given_up(town: World, sign_in: SignIn) -> None:
    settings_tree.set_value(town.acme.phone, by=actor(town.ana), name="language", value="de")
    page = sign_in(town.ana)

    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("link", name="Desk of Ben at acme", exact=True).click()
    page.get_by_role("navigation", name="This phone").get_by_role("link", name="Settings").click()
    page.get_by_role("button", name=re.compile("^Inherit again: English")).click()
    expect(page.get_by_role("heading", name="What will change")).to_be_visible()
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("what stands above holds again")).to_be_visible()
    assert not SettingValue.objects.exists()


def test_a_reseller_adds_a_key_without_any_script(
    town: World, browser: Browser, live_server: LiveServer
) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("E-mail").fill(town.rita.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Six digits").fill(six_digits(town.rita))
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{live_server.url}/")

    page.goto(f"{live_server.url}/settings/?account=acme")
    page.get_by_label("Model", exact=True).select_option("yealink/T46S")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="Settings of every Yealink T46S in Acme Anvils")).to_be_visible()
    page.get_by_label("Key", exact=True).fill("phone_setting.contrast")
    page.get_by_label("Value").fill("6")
    page.get_by_role("button", name="What would this do? The vendors' own keys").click()
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("row", name="phone_setting.contrast")).to_be_visible()
    row = RawValue.objects.get()
    assert (row.family, row.model, row.value) == ("yealink", "T46S", "6")
    context.close()


def test_what_comes_back_and_the_review_can_be_read_by_everybody(
    town: World, sign_in: SignIn, live_server: LiveServer
) -> None:
    page = sign_in(town.rita)
    wrong: dict[str, list[str]] = {}

    for theme in ("light", "dark"):
        page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
        for size in (WIDE, NARROW):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            for case, typed in (("review", "sip.acme.example"), ("refused", "no host at all")):
                _type(page, live_server.url, typed)
                wrong |= {f"{case} {theme} {size['width']}": found for found in [faults(page)] if found}

    assert wrong == {}


def _type(page: Page, base: str, text: str) -> None:
    page.goto(f"{base}/settings/?account=acme&model=cisco/SPA504G")
    page.get_by_role("textbox", name="SIP server", exact=True).fill(text)
    page.get_by_role("button", name="What would this do? SIP server").click()
