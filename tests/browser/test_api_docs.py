"""The page about the API: a key that is typed in works there, a session does not."""

import re

from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.conftest import SignIn
from tests.world import World


def open_me(page: Page, live_server: LiveServer) -> None:
    """The page with the call `me` opened."""
    page.goto(f"{live_server.url}/api/docs/")
    page.locator("#operations-Yourself-me").or_(page.locator("#operations-tag-Yourself")).first.wait_for()
    if not page.locator("#operations-Yourself-me").is_visible():
        page.locator("#operations-tag-Yourself").click()
    page.locator("#operations-Yourself-me .opblock-summary").first.click()


def try_it(page: Page) -> None:
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()


def test_a_key_that_is_typed_in_is_good_for_a_call(
    town: World, page: Page, live_server: LiveServer, complaints: list[str]
) -> None:
    open_me(page, live_server)
    page.get_by_role("button", name="Authorize").first.click()
    asked = page.locator(".auth-container")
    expect(asked).to_have_count(1)  # keys, and nothing else
    asked.locator("input").fill(town.acme.key)
    asked.get_by_role("button", name="Apply credentials").click()
    asked.get_by_role("button", name="Close").click()

    try_it(page)

    expect(page.locator(".live-responses-table .response-col_status").last).to_have_text(re.compile("200"))
    expect(page.locator(".live-responses-table")).to_contain_text("Key of acme")


def test_a_session_is_good_for_nothing_there(town: World, sign_in: SignIn, live_server: LiveServer) -> None:
    page = sign_in(town.ana)
    answer = page.request.get(f"{live_server.url}/api/v1/me/")
    assert answer.status == 200  # elsewhere it is

    open_me(page, live_server)
    try_it(page)

    expect(page.locator(".live-responses-table .response-col_status").last).to_have_text(re.compile("401"))


def test_it_asks_nobody_but_this_host(
    town: World, page: Page, live_server: LiveServer, complaints: list[str]
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    open_me(page, live_server)

    assert [url for url in asked if not url.startswith((live_server.url, "data:"))] == []
    assert page.context.cookies() == []
