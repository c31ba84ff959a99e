"""Platform support lifts a ban; and a manager's main paths without any script."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import AuditEntry
from provisioning.models import Lock
from security.models import Ban
from tests.browser.conftest import NARROW, SignIn
from tests.world import PASSWORD, World


def test_support_looks_at_an_address_and_lifts_its_ban(town: World, sign_in: SignIn) -> None:
    ban = town.acme.ban
    page = sign_in(town.sam)

    page.get_by_role("link", name="Bans", exact=True).click()
    page.get_by_role("link", name=str(ban.network), exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("banned")
    page.get_by_role("link", name="Bans", exact=True).click()
    page.get_by_role("row", name=re.compile(re.escape(str(ban.network)))).get_by_role("button").click()

    expect(page.get_by_role("status")).to_contain_text(str(ban.network))
    lifted = Ban.objects.get(pk=ban.pk)
    assert lifted.lifted_at is not None
    assert lifted.lifted_by.startswith(town.sam.name)
    assert AuditEntry.objects.filter(verb="address.unbanned", user=town.sam).count() == 1
    page.get_by_role("link", name="Audit", exact=True).click()
    expect(page.get_by_text("Ban on an address lifted")).to_be_visible()


@pytest.fixture
def plain(browser: Browser, live_server: LiveServer, town: World) -> Iterator[Page]:
    """Ana, signed in on a mobile by a browser that runs no script."""
    context = browser.new_context(java_script_enabled=False, viewport=NARROW)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("E-mail").fill(town.ana.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    yield page
    context.close()


def test_without_a_script_a_phone_is_found_and_unlocked(town: World, plain: Page) -> None:
    plain.get_by_role("searchbox").fill(town.acme.phone.mac[:8])
    plain.get_by_role("searchbox").press("Enter")
    plain.get_by_role("link", name=town.acme.phone.name, exact=True).click()
    plain.get_by_role("link", name="Unlock", exact=True).first.click()
    plain.get_by_role("button", name=re.compile("^Unlock")).click()

    expect(plain.locator("#badges")).to_contain_text("Unlocked")
    assert Lock.objects.get(pk=town.acme.phone.pk).state == "unlocked"
