"""A manager finds phones, narrows the list, ticks three and locks them again; with scripts and without."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from provisioning import bulk, locking
from provisioning.models import Job, Lock
from tests.browser.conftest import NARROW, SignIn, faults
from tests.factories import make_phone
from tests.world import PASSWORD, World, actor


@pytest.fixture
def lab(town: World) -> list[int]:
    """Thirty phones of a lab, each of them unlocked."""
    made = [make_phone(town.acme.account, by=actor(town.ana), name=f"Lab {n:02}") for n in range(30)]
    for device in made:
        locking.unlock(device, by=actor(town.ana))
    return [device.pk for device in made]


def states(keys: list[int]) -> list[str]:
    return [Lock.objects.get(pk=pk).state for pk in keys]


def lock_what_is_chosen(page: Page, lab: list[int], chosen: tuple[int, ...]) -> None:
    """From the bar to the results, by way of the page that says what will happen."""
    page.locator("#many").get_by_role("button", name="Lock again").click()
    expect(page.get_by_role("heading", name="Lock many phones again")).to_be_visible()
    expect(page.get_by_text("It will be done to 3 of 3 phones of Acme Anvils.")).to_be_visible()
    assert set(states(lab)) == {"unlocked"}
    page.get_by_role("button", name="Lock 3 phones again").click()

    page.wait_for_url("**/jobs/**")
    bulk.run(Job.objects.get(kind="lock").pk)
    page.reload()
    expect(page.get_by_role("heading", name="Locking 3 phones of Acme Anvils again")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("^Finished"))).to_be_visible()
    for at in chosen:
        expect(page.get_by_role("link", name=f"Lab {at:02}", exact=True)).to_be_visible()
    assert [at for at, state in enumerate(states(lab)) if state == "locked"] == list(chosen)


def test_three_phones_of_two_pages_are_found_chosen_and_locked(
    town: World, lab: list[int], sign_in: SignIn
) -> None:
    page = sign_in(town.ana)
    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("searchbox").press_sequentially("lab")
    expect(page.get_by_text("30 phones fit “lab”.")).to_be_visible()
    page.get_by_role("link", name=re.compile(r"^Unlocked\s+30$")).click()
    expect(page).to_have_url(re.compile("state=unlocked"))

    page.get_by_label("Choose Lab 03").check()
    page.get_by_label("Choose Lab 07").check()
    page.get_by_role("link", name="Next 25").click()
    page.get_by_label("Choose Lab 28").check()
    expect(page.locator("#many .said")).to_contain_text("+ 2 on other pages")
    assert faults(page) == []

    lock_what_is_chosen(page, lab, (3, 7, 28))
    page.get_by_role("link", name="See the phones").click()
    expect(page.locator("#many")).to_be_hidden()  # nothing is chosen any more


def test_the_same_on_a_mobile_without_scripts(
    town: World, lab: list[int], browser: Browser, live_server: LiveServer
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=NARROW)  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("E-mail").fill(town.ana.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()

    page.goto(f"{live_server.url}/phones/")
    page.get_by_role("searchbox").fill("lab")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("link", name=re.compile(r"^Unlocked\s+30$")).click()
    for at in (1, 2, 3):
        page.get_by_label(f"Choose Lab {at:02}").check()

    lock_what_is_chosen(page, lab, (1, 2, 3))
    context.close()
