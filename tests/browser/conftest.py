"""A real browser against a live portal: cookies as on plain http, the worker's part done by the test."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from tests.second_factors import six_digits
from tests.world import PASSWORD, World, make_world

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
# What a 404 or 403 page makes the browser say of itself is no fault of the page.
ORDER = Path(__file__).with_name("order.js").read_text(encoding="utf-8")
HARMLESS = ("Failed to load resource",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.needs("chromium"))
            item.add_marker(pytest.mark.once)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for the tests of one file.

    Playwright's synchronous face keeps an event loop running in this thread. While it does, Django has to be
    told that nothing else runs there; afterwards it is gone, so that other tests may have loops of their own.
    """
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=flags)
        yield running
        running.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh visitor."""
    context = browser.new_context(viewport=WIDE, locale="en-GB", reduced_motion="reduce")  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def town(live_server: LiveServer, settings: Settings) -> World:
    """Two tenants with everything in them, behind a portal on plain http."""
    settings.LATCHKEY_TRIAL = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "session", "csrf"
    settings.CSRF_TRUSTED_ORIGINS = [live_server.url]
    return make_world()


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser complains of, a broken content security policy above all; none at a test's end."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    yield heard
    assert [text for text in heard if not text.startswith(HARMLESS)] == []


SignIn = Callable[[User], Page]


@pytest.fixture
def sign_in(page: Page, live_server: LiveServer, complaints: list[str]) -> SignIn:
    """Sign somebody in through the door that people use."""

    def through_the_door(user: User) -> Page:
        page.goto(f"{live_server.url}/accounts/login/")
        page.get_by_label("E-mail").fill(user.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(lambda url: "/accounts/login/" not in url)
        if "/accounts/2fa/authenticate/" in page.url:
            page.get_by_label("Six digits").fill(six_digits(user))
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.wait_for_url(lambda url: "/accounts/2fa/" not in url)
        return page

    return through_the_door


def faults(page: Page) -> list[str]:
    """What axe finds wrong on the page, tab keys that jump about, and whether it is wider than the window."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)  # half a megabyte, once a page
    # All that it has looked at comes with a report, and takes as long to fetch as the looking.
    faults_of_axe = page.evaluate("axe.run({resultTypes: ['violations']}).then(report => report.violations)")
    found = [f"{fault['id']}: {node['html'][:160]}" for fault in faults_of_axe for node in fault["nodes"]]
    too_wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    found += page.evaluate(ORDER)
    return [*found, f"{too_wide} px too wide"] if too_wide > 0 else found
