"""Signing in, walked: by a passkey of Chromium's own, by six digits without scripts too, and by a link."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts import invitations
from accounts.models import User
from accounts.roles import Role
from tests.browser.conftest import NARROW, SignIn, faults
from tests.second_factors import SECRET, digits_of, six_digits
from tests.world import PASSWORD, World, actor

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def named(live_server: LiveServer, town: World, settings: Settings) -> str:
    """The portal by a name: browsers make no passkey for a bare address."""
    url = live_server.url.replace("127.0.0.1", "localhost")
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "localhost"]
    settings.CSRF_TRUSTED_ORIGINS = [url]
    settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True
    return url


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A visitor whose browser runs no scripts."""
    context = browser.new_context(viewport=NARROW, java_script_enabled=False)  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def give_password(page: Page, base: str, email: str, password: str = PASSWORD) -> None:
    page.goto(f"{base}/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page, base: str) -> None:
    page.goto(f"{base}/accounts/logout/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_a_reseller_sets_up_a_passkey_and_signs_in_by_it_alone(
    town: World, named: str, page: Page, complaints: list[str]
) -> None:
    Authenticator.objects.filter(user=town.rita).delete()
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    give_password(page, named, town.rita.email)
    expect(page.get_by_role("heading", name="One more thing before you go on")).to_be_visible()
    assert faults(page) == []
    page.goto(f"{named}/phones/")
    expect(page).to_have_url(f"{named}/second-factor/")
    page.get_by_role("link", name="Set up a passkey").click()
    page.get_by_label("Name").fill("Work laptop")
    assert faults(page) == []
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    expect(page.locator(".recovery li")).to_have_count(10)
    assert faults(page) == []
    page.get_by_role("link", name="I have kept them: go on").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()

    sign_out(page, named)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.goto(f"{named}/accounts/2fa/webauthn/")
    expect(page.get_by_role("heading", name="Work laptop")).to_be_visible()
    assert faults(page) == []
    page.goto(f"{named}/accounts/sessions/")
    expect(page.get_by_role("heading", name="Chrome on Linux")).to_be_visible()
    assert faults(page) == []


def test_a_passkey_that_fails_is_told_on_the_page(town: World, named: str, page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**AUTHENTICATOR, "isUserVerified": False}})

    page.goto(f"{named}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.get_by_role("alert")).to_contain_text("That did not work")
    assert faults(page) == []


def test_six_digits_follow_the_password(town: World, sign_in: SignIn, live_server: LiveServer) -> None:
    page = sign_in(town.rita)
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()

    page.goto(f"{live_server.url}/accounts/2fa/recovery-codes/generate/")
    assert faults(page) == []
    page.goto(f"{live_server.url}/accounts/2fa/totp/deactivate/")
    assert faults(page) == []


def test_without_scripts_by_password_and_six_digits(
    town: World, plain: Page, live_server: LiveServer
) -> None:
    give_password(plain, live_server.url, town.sam.email)
    expect(plain.get_by_role("button", name="Use your passkey")).to_have_count(0)
    plain.get_by_label("Six digits").fill("000000")
    plain.get_by_role("button", name="Sign in", exact=True).click()
    expect(plain.get_by_role("alert")).to_contain_text("Incorrect code")
    plain.get_by_label("Six digits").fill(six_digits(town.sam))
    plain.get_by_role("button", name="Sign in", exact=True).click()
    expect(plain).to_have_url(f"{live_server.url}/")


def test_without_scripts_an_app_is_set_up(town: World, plain: Page, live_server: LiveServer) -> None:
    Authenticator.objects.filter(user=town.rita).delete()
    give_password(plain, live_server.url, town.rita.email)

    plain.get_by_role("link", name="Use an authenticator app").click()
    secret = plain.locator(".wrap").inner_text()
    plain.get_by_label("Six digits").fill(digits_of(secret))
    plain.get_by_role("button", name="Use the app from now on").click()

    expect(plain.locator(".recovery li")).to_have_count(10)
    plain.get_by_role("link", name="I have kept them: go on").click()
    expect(plain).to_have_url(f"{live_server.url}/")
    assert secret != SECRET


def test_an_invited_person_sets_a_password_and_lands_where_he_belongs(
    town: World, page: Page, live_server: LiveServer, complaints: list[str], settings: Settings
) -> None:
    settings.PORTAL_URL = live_server.url
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    acme: Any = town.acme.account
    invitations.invite(acme, by=actor(town.ana), email="dora@acme.example", name="Dora", role=Role.USER)
    link = re.search(r"http\S+/password/reset/key/\S+", str(mail.outbox[-1].body))
    assert link is not None

    page.goto(link[0])
    expect(page.get_by_role("heading", name="Welcome. Choose your password")).to_be_visible()
    assert faults(page) == []
    page.get_by_label("New password").fill("short")
    page.get_by_label("Once more").fill("short-not")
    page.get_by_role("button", name="Set the password and sign in").click()
    page.get_by_label("New password").fill("dora-thought-of-it")
    page.get_by_label("Once more").fill("dora-thought-of-it")
    page.get_by_role("button", name="Set the password and sign in").click()

    expect(page).to_have_url(f"{live_server.url}/my-phones/")
    assert User.objects.get(email="dora@acme.example").last_login is not None
