"""Every page in both themes and at both widths: nothing for axe to find, nothing to scroll sideways."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from provisioning import clones, locking
from security.networks import show_address
from tests.browser.conftest import NARROW, ORDER, WIDE, SignIn, faults
from tests.factories import refused
from tests.provisioning.stolen import suspected_clone
from tests.url_map import page_urls
from tests.world import World, actor

THEMES = ("light", "dark")
# Addresses that take forms only, or lead elsewhere.
NO_PAGE = {"theme", "my-phone-allow", "phone-allow", "phone-lock", "approval", "window-close"}
NO_PAGE |= {"phone-file-uncovered"}
NO_PAGE |= {"phone-profile", "incident-note", "incident-close"}
NO_PAGE |= {"customer-act", "acting-stop"}
NO_PAGE |= {"directory-export", "directory-extension", "phones-import-sample", "phone-import-bad"}
NO_PAGE |= {"phones-export", "phone-link-end", "phones-firmwares"}
NO_PAGE |= {"session-end"}
NO_PAGE |= {"webhook-test", "webhook-replay", "webhook-result", "delivery-replay"}
NO_PAGE |= {f"person-{verb}" for verb in ("role", "secrets", "again", "second-factor", "switch")}
NO_PAGE |= {"address-unblock", "ban-lift", "ban-add", "allowance-grant", "allowance-end"}
NO_PAGE |= {"key-revoke", "person-remove", "customer-restore", "address-proof", "policy", "phone-resync"}


def read(page: Page, base: str, urls: dict[str, str], theme: str) -> dict[str, list[str]]:
    """Open every second page in that theme, and see each in both themes at both widths: what is wrong there.

    The other theme's test opens the rest. Between two themes an attribute differs, and no page needs a script
    or another answer to change it.
    """
    wrong: dict[str, list[str]] = {}
    mine = sorted(urls)[THEMES.index(theme) :: 2]
    page.add_init_script(Axe().axe_script)
    for at, name in enumerate(mine):
        page.context.add_cookies([{"name": "theme", "value": theme, "url": base}])
        sizes = (WIDE, NARROW) if at % 2 else (NARROW, WIDE)  # so that pages are opened at either width
        page.set_viewport_size(sizes[0])  # type: ignore[arg-type]
        answer = page.goto(base + urls[name])
        assert answer is not None
        assert answer.status < 500, name
        assert page.evaluate("document.documentElement.dataset.theme") == theme, name
        for size in sizes:
            page.set_viewport_size(size)  # type: ignore[arg-type]
            for other in THEMES:
                page.evaluate("theme => { document.documentElement.dataset.theme = theme }", other)
                if found := faults(page):
                    wrong[f"{name} at {size['width']} in {other}"] = found
    return wrong


@pytest.mark.timeout(900)  # every page there is
@pytest.mark.parametrize("theme", THEMES)
def test_a_managers_pages_can_be_read_by_everybody(
    theme: str, town: World, sign_in: SignIn, live_server: LiveServer
) -> None:
    refused(town.acme.phone, "198.51.100.20")
    copied = suspected_clone(town.acme.account)
    page = sign_in(town.ana)
    urls = {name: url for name, url in page_urls(town.acme).items() if name not in NO_PAGE}
    urls["a clone"] = f"/phones/{copied.code}/"
    urls |= {answer: f"/phones/{copied.code}/clone/?decision={answer}" for answer in clones.ANSWERS}
    urls["take back"] = f"/phones/{copied.code}/take-back/"
    urls["secrets"] = "/extensions/?show=known"
    urls["explained"] = f"/explain/?mac={town.acme.phone.mac}&address=198.51.100.20"
    urls["address"] = "/addresses/?address=198.51.100.20"
    urls["banned"] = f"/addresses/?address={show_address(town.acme.ban.network.first)}"
    urls["nothing found"] = "/phones/?q=nothing-of-that-name"
    urls |= {f"many: {deed}": f"/phones/bulk/?do={deed}" for deed in ("unlock", "lock", "rearm", "profile")}
    urls["nowhere"] = "/no-such-page/"

    assert read(page, live_server.url, urls, theme) == {}


@pytest.mark.parametrize("theme", THEMES)
def test_a_resellers_pages_can_be_read_by_everybody(
    theme: str, town: World, sign_in: SignIn, live_server: LiveServer
) -> None:
    locking.quarantine(town.acme.phone, by=actor(town.ana), reason="Stolen")
    page = sign_in(town.rita)
    names = ("phone-advanced", "phone-release", "phone-move", "customers", "customer-delete", "extensions")
    names += ("customer", "customer-add", "customer-switch")  # type: ignore[assignment]
    urls = {name: url for name, url in page_urls(town.acme).items() if name in names}
    urls["policies of one"] = "/policies/?account=acme"

    assert len(urls) == len(names) + 1
    assert read(page, live_server.url, urls, theme) == {}


@pytest.mark.parametrize("theme", THEMES)
def test_an_end_users_pages_can_be_read_by_everybody(
    theme: str, town: World, sign_in: SignIn, live_server: LiveServer
) -> None:
    page = sign_in(town.ben)

    urls = {"my-phones": "/my-phones/", "not his": "/phones/", "powers": "/powers/"}
    urls |= {f"own {name}": f"/accounts/{name}/" for name in ("sessions", "password/change", "logout")}
    urls |= {f"own {name}": f"/accounts/2fa/{name}" for name in ("", "totp/activate/", "webauthn/add/")}

    assert read(page, live_server.url, urls, theme) == {}


@pytest.mark.parametrize("theme", THEMES)
def test_the_door_can_be_read_by_everybody(
    theme: str, town: World, page: Page, complaints: list[str], live_server: LiveServer
) -> None:
    urls = {"sign-in": "/accounts/login/", "cannot sign in": "/accounts/password/reset/"}

    assert read(page, live_server.url, urls, theme) == {}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("style='display: flex; flex-direction: row-reverse'", "style='display: flex'"),
        ("style='display: flex; flex-direction: column-reverse'", ""),
        ("tabindex=3", "tabindex=0"),
    ],
)
def test_a_tab_order_that_is_not_the_reading_order_is_found(page: Page, wrong: str, right: str) -> None:
    body = "<main {}><p><a href='#1'>One</a></p><p><a href='#2'>Two</a></p></main>"
    page.set_content(body.format(right))
    assert page.evaluate(ORDER) == []

    page.set_content(body.format(wrong))

    assert page.evaluate(ORDER) != []
