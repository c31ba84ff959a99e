"""An incident read, noted and closed by keyboard alone."""

from playwright.sync_api import expect

from provisioning.models import Incident
from tests.browser.conftest import SignIn, faults
from tests.world import World


def test_a_manager_reads_notes_and_closes_one_by_keyboard(town: World, sign_in: SignIn) -> None:
    page, row = sign_in(town.ana), town.acme.incident

    page.get_by_role("link", name="Incidents").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("on")
    page.get_by_role("link", name=row.title, exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()

    page.get_by_label("What was found, or done?").focus()
    page.keyboard.type("Called the site")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Add the note")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Noted by Ana of acme: Called the site")).to_be_visible()

    page.get_by_label("Why is it over?").focus()
    page.keyboard.type("A fire drill")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is over.")).to_be_visible()
    assert faults(page) == []
    assert Incident.objects.get(pk=row.pk).how_ended == "A fire drill"
