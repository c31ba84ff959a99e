"""The pictures in the README are the product: its own pages over the demo's data, at one moment.

`LATCHKEY_SCREENS=write` keeps what this run has taken in .github/screens; otherwise each page is drawn all
the same, and the README has to show exactly those that are kept.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from playwright.sync_api import Browser, Page
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from portal import demo
from provisioning.models import Approval
from tests.browser.conftest import faults

ROOT = Path(__file__).parents[2]
SCREENS = ROOT / ".github/screens"
MOMENT = datetime(2026, 11, 27, 13, 5, tzinfo=UTC)  # a Friday, 14:05 CET
WIDE, NARROW = (1280, 860), (390, 780)

#: Picture: who sees it, which page, how wide, in which colours.
PICTURES = {
    "home": ("ana", "/", WIDE, "light"),
    "phones": ("ana", "/phones/", WIDE, "light"),
    "phone": ("ana", "/phones/{waiting}/", WIDE, "light"),
    "approvals": ("ana", "/approvals/", WIDE, "dark"),
    "window": ("ana", "/windows/", WIDE, "light"),
    "my-phones": ("ben", "/my-phones/", NARROW, "light"),
    "my-phones-dark": ("ben", "/my-phones/", NARROW, "dark"),
}


@pytest.fixture
def lived_in(live_server: LiveServer, settings: Settings) -> Iterator[str]:
    """The demo behind a portal, on the Friday of the prototype; returns its password."""
    settings.LATCHKEY_TRIAL = settings.DEMO = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "session", "csrf"
    settings.CSRF_TRUSTED_ORIGINS = [live_server.url]
    with time_machine.travel(MOMENT, tick=False):
        yield demo.fill(trial=True).sign_ins[0][1]


@pytest.mark.timeout(240)
def test_the_readmes_pictures_are_of_these_pages(
    browser: Browser, live_server: LiveServer, lived_in: str, tmp_path: Path
) -> None:
    waiting = Approval.objects.filter(status=Approval.Status.OPEN).order_by("pk")[0].device.code
    kept = SCREENS if os.environ.get("LATCHKEY_SCREENS") == "write" else tmp_path
    kept.mkdir(parents=True, exist_ok=True)
    for person in sorted({who for who, *_ in PICTURES.values()}):
        page = signed_in(browser, live_server.url, f"{person}@example.org", lived_in)
        for name, (who, path, size, theme) in PICTURES.items():
            if who != person:
                continue
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
            answer = page.goto(live_server.url + path.format(waiting=waiting))
            assert answer is not None
            assert answer.status == 200, name
            assert faults(page) == [], name
            page.screenshot(path=kept / f"{name}.png", animations="disabled")
        page.context.close()

    assert {file.stem for file in SCREENS.glob("*.png")} == set(PICTURES)


def test_the_readme_shows_every_picture_that_is_kept() -> None:
    shown = re.findall(r"\.github/screens/([\w-]+)\.png", (ROOT / "README.md").read_text(encoding="utf-8"))

    assert sorted(set(shown)) == sorted(file.stem for file in SCREENS.glob("*.png"))
    assert shown


def signed_in(browser: Browser, url: str, email: str, password: str) -> Page:
    """Somebody of the demo, in a browser of his own."""
    page = browser.new_context(locale="en-GB", reduced_motion="reduce").new_page()
    page.goto(f"{url}/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda address: "/accounts/login/" not in address)
    return page
