"""A reseller's day: her customers, a phone of one of them unlocked by acting for it, what she is told of."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import AuditEntry, NoticeChoice
from tests.browser.conftest import NARROW, SignIn, faults
from tests.world import PASSWORD, World

BAR = "You act for Acme Anvils."


@pytest.fixture
def scriptless(browser: Browser) -> Iterator[Page]:
    """A visitor whose browser runs no scripts."""
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def test_a_reseller_acts_for_a_customer(town: World, sign_in: SignIn, live_server: LiveServer) -> None:
    page = sign_in(town.rita)

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Customers").click()
    expect(page.get_by_text("2 of 2 customers need you.")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("searchbox", name="Name or short name").fill("anvils")
    expect(page.get_by_role("link", name="Globex Gears")).to_have_count(0)
    page.get_by_role("button", name="Act for Acme Anvils").click()

    bar = page.get_by_role("complementary", name="You act for a customer")
    expect(bar.get_by_text(BAR)).to_be_visible()
    expect(bar.get_by_text("audited as Rita Reseller for Acme Anvils")).to_be_visible()
    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("link", name="Desk of Ben at acme", exact=True).click()
    page.get_by_role("link", name="Advanced").click()
    page.get_by_role("button", name="Unlock", exact=True).click()
    expect(page.locator("#badges")).to_contain_text("Unlocked")
    expect(bar.get_by_text(BAR)).to_be_visible()
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert faults(page) == []

    entry = AuditEntry.objects.filter(verb="device.unlocked", details__rule="E2").latest("pk")
    assert (entry.actor, entry.on_behalf_of) == ("Rita Reseller (rita@harbour.example)", "Acme Anvils")
    page.goto(f"{live_server.url}/audit/")
    expect(page.get_by_text("for Acme Anvils").first).to_be_visible()
    page.goto(f"{live_server.url}/no-such-page/")
    expect(bar.get_by_text(BAR)).to_be_visible()
    page.goto(f"{live_server.url}/accounts/password/change/")
    expect(page.get_by_role("heading", name="This page is about you")).to_be_visible()
    assert faults(page) == []

    bar.get_by_role("button", name="Stop acting for Acme Anvils").click()
    expect(page.get_by_role("heading", name="Customers of Harbour Telecom")).to_be_visible()
    expect(page.get_by_text(BAR)).to_have_count(0)


def test_a_manager_chooses_his_e_mails_without_javascript(
    town: World, scriptless: Page, live_server: LiveServer
) -> None:
    page = scriptless
    page.goto(f"{live_server.url}/accounts/login/?next=/notifications/")
    page.get_by_label("E-mail").fill(town.ana.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()

    bans = page.get_by_role("radiogroup", name="Bans on addresses of yours")
    expect(bans.get_by_role("radio", name="At once")).to_be_checked()
    expect(bans.get_by_role("radio", name="Not at all")).to_have_count(0)
    bans.get_by_role("radio", name=re.compile("^Once a day")).check()
    page.get_by_role("button", name="Keep these choices").click()

    expect(page.get_by_text("1 kind reaches you differently from now on.")).to_be_visible()
    expect(bans.get_by_role("radio", name=re.compile("^Once a day"))).to_be_checked()
    choice = NoticeChoice.objects.get()
    assert (choice.user, choice.kind, choice.how) == (town.ana, "bans", "daily")
