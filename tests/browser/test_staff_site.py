"""The staff site is read by everybody in support, like the pages."""

from pytest_django.live_server_helper import LiveServer

from tests.browser.conftest import NARROW, WIDE, SignIn, faults
from tests.world import World


def test_the_staff_site_can_be_read_by_everybody(
    town: World, sign_in: SignIn, live_server: LiveServer
) -> None:
    """A row's own page is left out: axe unfolds the style sheets it imports, which the policy forbids it."""
    page = sign_in(town.sam)
    wrong = {}

    for url in ("", "devices/", "devices/device/", "provisioning/lock/", "accounts/user/"):
        page.goto(f"{live_server.url}/staff/{url}")
        for size in (WIDE, NARROW):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            if found := faults(page):
                wrong[f"{url} at {size['width']}"] = found

    assert wrong == {}
