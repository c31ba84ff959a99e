"""A person proves where he is, through the real phones' host, as his browser does it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from portal import embedded
from provisioning.models import Lock
from tests.browser.conftest import SignIn
from tests.edge.serving import ServedEdge, config_for
from tests.factories import refused
from tests.world import World

THERE, ROBBER = "203.0.113.77", "192.0.2.99"


@pytest.fixture
def phones_host(
    store_server: embedded.Store, live_server: LiveServer, settings: Settings, page: Page
) -> Iterator[ServedEdge]:
    """An edge that sends browsers back to the live portal, behind a proxy that sees them come from there."""
    config = config_for(
        store_server.url,
        portal_url=live_server.url,
        token_key=settings.TOKEN_KEY,
        trusted_proxies=("127.0.0.0/8",),
    )
    with ServedEdge(config) as edge:
        url = f"http://127.0.0.1:{edge.port}"
        settings.PHONES_URL = url
        settings.CONTENT_SECURITY_POLICY = {
            "DIRECTIVES": {
                **settings.CONTENT_SECURITY_POLICY["DIRECTIVES"],
                "form-action": ["'self'", live_server.url, url],
            }
        }
        page.route(f"{url}/.me", _through_the_proxy)
        yield edge


def _through_the_proxy(route: Route) -> None:
    route.continue_(headers={**route.request.headers, "X-Forwarded-For": THERE})


@pytest.mark.rule("P")
def test_an_end_user_proves_where_he_is_and_his_phone_is_let_in_from_there(
    town: World, phones_host: ServedEdge, sign_in: SignIn
) -> None:
    refused(town.acme.phone, ROBBER)
    refused(town.acme.phone, THERE)
    page = sign_in(town.ben)
    expect(page.get_by_text("If it is with you, we can look whether that was here.")).to_be_visible()

    page.get_by_role("button", name="Prove where I am").click()

    expect(page.get_by_text(f"You are at {THERE}. That counts here for 15 minutes.")).to_be_visible()
    expect(
        page.get_by_text(f"Somebody else may have tried too: it was turned away at {ROBBER}.")
    ).to_be_visible()
    page.get_by_role("button", name=f"Let this phone set itself up again, from {THERE} only").click()
    expect(page.get_by_text("Ready to set itself up", exact=True)).to_be_visible()
    assert str(Lock.objects.get(pk=town.acme.phone.pk).grant_origin) == THERE


@pytest.mark.rule("P")
def test_a_manager_is_sent_back_to_the_very_page(
    town: World, phones_host: ServedEdge, sign_in: SignIn, live_server: LiveServer
) -> None:
    refused(town.acme.phone, THERE)
    page = sign_in(town.ana)
    there = f"{live_server.url}/phones/{town.acme.phone.code}/unlock/"
    page.goto(there)

    page.get_by_role("button", name="Prove where I am").click()

    expect(page.get_by_role("button", name=f"Unlock for {THERE} only")).to_be_visible()
    expect(page).to_have_url(there)
