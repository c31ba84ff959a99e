"""An end user frees his phone from his mobile, with and without scripts; so does who was sent a link."""

import re
from collections.abc import Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import AuditEntry
from portal.pages import my_phones
from provisioning.models import Approval, Lock, Token, UnlockLink
from security.models import Ban
from tests.browser.conftest import NARROW, SignIn, faults
from tests.browser.played import HERE, PlayedPhone
from tests.factories import banned
from tests.world import PASSWORD, World

BUTTON = "Let this phone set itself up again"
LET_IN = "Your phone asked from this address and was let in."


@pytest.fixture
def phone(town: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedPhone]:
    """Ben's phone, carried to where his browser is; nobody was refused there before."""
    Approval.objects.all().delete()
    Token.objects.filter(device=town.acme.phone).update(first_used_at=timezone.now())
    played = PlayedPhone(town.acme.phone, monkeypatch)
    yield played
    played.close()


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that looks again each second, so that nobody waits here."""
    monkeypatch.setattr(my_phones, "QUICKLY", 1)


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A mobile whose browser runs no scripts."""
    context = browser.new_context(viewport=NARROW, locale="en-GB", java_script_enabled=False)  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def signed_in(page: Page, live_server: LiveServer, town: World) -> Page:
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("E-mail").fill(town.ben.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    return page


def test_an_end_user_frees_his_phone_and_watches_it(
    town: World, phone: PlayedPhone, sign_in: SignIn, page: Page
) -> None:
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert phone.starts() == 404
    sign_in(town.ben)

    page.get_by_role("button", name=re.compile(BUTTON)).click()  # two clicks, with that of the sign-in

    expect(page.get_by_text("Ready to set itself up", exact=True)).to_be_visible()
    expect(page.get_by_text("Pull its plug and the network cable that goes to the wall")).to_be_visible()
    assert faults(page) == []
    assert phone.starts() == 200
    expect(page.get_by_text("Setting itself up", exact=True)).to_be_visible()
    expect(page.get_by_text(LET_IN, exact=True)).to_be_visible()
    assert phone.fetches() == 200
    expect(page.get_by_text("Works", exact=True)).to_be_visible()
    expect(page.get_by_text("It has its configuration.", exact=True)).to_be_visible()
    assert page.locator("#look-again").get_attribute("hx-trigger") is None
    assert faults(page) == []


def test_an_end_user_frees_his_phone_without_scripts(
    town: World, phone: PlayedPhone, plain: Page, live_server: LiveServer
) -> None:
    signed_in(plain, live_server, town)

    plain.get_by_role("button", name=BUTTON).click()
    expect(plain.get_by_text("Ready to set itself up", exact=True)).to_be_visible()
    assert phone.starts() == 200
    plain.get_by_role("link", name="Look again").click()
    expect(plain.get_by_text("Setting itself up", exact=True)).to_be_visible()
    assert phone.fetches() == 200

    expect(plain.get_by_text("Works", exact=True)).to_be_visible()  # the page reloads by itself
    expect(plain.get_by_text(LET_IN, exact=True)).to_be_visible()


@pytest.mark.rule("B6")
def test_an_end_user_unblocks_his_address_without_scripts(
    town: World, plain: Page, live_server: LiveServer
) -> None:
    ban = banned(HERE)
    signed_in(plain, live_server, town)
    expect(
        plain.get_by_role("heading", name="New phones cannot set themselves up where you are")
    ).to_be_visible()

    plain.get_by_role("button", name="Unblock my address").click()

    expect(plain.get_by_text(f"{HERE} is not banned any more.")).to_be_visible()
    expect(plain.get_by_text("New phones cannot set themselves up")).to_have_count(0)
    assert Ban.objects.get(pk=ban.pk).lifted_at is not None


@pytest.mark.usefixtures("brisk")
@pytest.mark.rule("E1")
def test_somebody_with_a_link_frees_the_phone(
    town: World, phone: PlayedPhone, sign_in: SignIn, page: Page, browser: Browser, live_server: LiveServer
) -> None:
    sign_in(town.ana)
    page.goto(f"{live_server.url}/phones/{town.acme.phone.code}/unlock/")
    page.get_by_role("link", name="Send a link to somebody without a login").click()
    page.get_by_label("For whom?").fill("Lou")
    page.get_by_role("button", name="Make the link").click()
    link = page.get_by_label("The link", exact=True).inner_text().strip()
    path = link[link.index("/u/") :]
    assert faults(page) == []
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link

    mobile = browser.new_context(viewport=NARROW, locale="en-GB").new_page()  # type: ignore[arg-type]
    mobile.goto(live_server.url + path)
    expect(mobile.get_by_role("heading", name="Is this phone with you?")).to_be_visible()
    assert faults(mobile) == []
    assert Lock.objects.get(pk=town.acme.phone.pk).state == "locked"  # looking presses nothing
    mobile.get_by_role("button", name=BUTTON).click()
    expect(mobile.get_by_text("Ready to set itself up", exact=True)).to_be_visible()
    assert phone.starts() == 200
    expect(mobile.get_by_text(LET_IN, exact=True)).to_be_visible()
    assert phone.fetches() == 200
    expect(mobile.get_by_text("Works", exact=True)).to_be_visible()
    assert faults(mobile) == []
    mobile.context.close()

    assert UnlockLink.objects.get(given_to="Lou").used_from == HERE
    used = AuditEntry.objects.get(verb="device.unlock_link_used")
    assert (used.user, used.address) == (town.ana, HERE)
    assert used.at <= timezone.now()
