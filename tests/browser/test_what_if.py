"""What if, tried and read by keyboard alone."""

from playwright.sync_api import expect

from provisioning import replaying
from provisioning.models import Job
from tests.browser.conftest import SignIn, faults
from tests.world import World


def test_support_tries_other_thresholds_by_keyboard(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.sam)

    page.get_by_role("link", name="Bans").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="What if?").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Failures anybody may have in an hour").focus()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("5")
    assert faults(page) == []
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="5 failures for anybody")).to_be_visible()
    replaying.run(Job.objects.get(kind=replaying.KIND).pk)

    expect(page.get_by_text("Nobody would have been banned. There was none.")).to_be_visible()
    expect(page.get_by_role("heading", name="What is on no record")).to_be_visible()
    assert faults(page) == []
