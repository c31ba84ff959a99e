"""What people do with the portal, click by click."""

import re

from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from provisioning import unlock_all
from provisioning.models import Approval, Job, LastSeen, Lock, Window
from tests.browser.conftest import SignIn
from tests.factories import refused
from tests.world import PASSWORD, World


def test_a_manager_unlocks_a_phone_on_its_advanced_page(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)

    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("link", name="Desk of Ben at acme", exact=True).click()
    page.get_by_role("link", name="Advanced").click()
    expect(page.get_by_role("heading", name="Miscellaneous")).to_be_visible()
    expect(page.get_by_text("Allow Reprovision")).to_be_visible()
    page.get_by_role("button", name="Unlock", exact=True).click()

    until = Lock.objects.get(pk=town.acme.phone.pk).grant_until
    assert until is not None
    words = f"Allowed until {until:%A} {until.day} {until:%B} at {until:%H:%M} UTC"
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.locator("#badges")).to_contain_text("Unlocked")


def test_the_list_follows_what_is_typed(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)
    page.get_by_role("link", name="Phones", exact=True).click()
    expect(page.get_by_role("link", name="Door of acme", exact=True)).to_be_visible()

    page.get_by_role("searchbox").press_sequentially("desk of")

    expect(page.get_by_role("link", name="Door of acme", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="Desk of Ben at acme", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("q=desk"))
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_a_manager_opens_a_window(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)

    page.get_by_role("link", name="Open a window").click()
    page.get_by_label("For which address?").fill("203.0.113.99")
    page.get_by_label("For how many hours?").fill("3")
    expect(page.get_by_text("Closes ")).to_be_visible()
    expect(page.get_by_text("Each of the 2 phones")).to_be_visible()
    page.get_by_role("button", name="Open the window").click()

    expect(page.get_by_role("heading", name="Window for 203.0.113.99")).to_be_visible()
    expect(page.get_by_role("heading", name="Missing")).to_be_visible()
    assert Window.objects.filter(account=town.acme.account).count() == 2


def test_a_manager_answers_a_refused_phone(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)

    page.get_by_role("link", name=re.compile("^Approvals")).click()
    card = page.get_by_role("article", name="Desk of Ben at acme")
    expect(card.get_by_text("What speaks for and against it")).to_be_visible()
    card.get_by_role("button", name=re.compile("^Approve once")).click()

    expect(page.get_by_role("heading", name="Nobody waits for you")).to_be_visible()
    assert Approval.objects.get(pk=town.acme.approval.pk).status == "once"
    assert str(Lock.objects.get(pk=town.acme.phone.pk).grant_origin) == "198.51.100.20"


def test_many_phones_are_unlocked_with_progress_to_the_end(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)

    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("link", name="Unlock many").click()
    page.get_by_label("24 hours").check()
    page.get_by_role("button", name="Unlock 2 phones").click()
    expect(page.get_by_role("heading", name="Working")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "0")
    unlock_all.run(Job.objects.filter(account=town.acme.account).latest("pk").pk)

    expect(page.get_by_role("heading", name=re.compile("^Finished"))).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "2")
    expect(page.get_by_role("link", name="Door of acme", exact=True)).to_be_visible()
    expect(page.locator("#job")).not_to_have_attribute("hx-trigger", re.compile("."))


def test_an_end_user_lets_his_phone_set_itself_up_again(town: World, sign_in: SignIn) -> None:
    refused(town.acme.phone, "127.0.0.1")
    page = sign_in(town.ben)
    expect(page.get_by_role("heading", name="Your phone, Ben of acme")).to_be_visible()
    expect(page.get_by_text("from where you are now, and was turned away")).to_be_visible()

    page.get_by_role("button", name="Let this phone set itself up again").click()

    expect(page.get_by_text("Ready to set itself up", exact=True)).to_be_visible()
    assert str(Lock.objects.get(pk=town.acme.phone.pk).grant_origin) == "127.0.0.1"


def test_the_colours_follow_the_choice(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)

    page.get_by_role("button", name="your menu").click()
    page.get_by_role("button", name="Dark").click()

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_a_manager_signs_out(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)

    page.get_by_role("button", name="your menu").click()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_everything_works_without_javascript(town: World, live_server: LiveServer, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("E-mail").fill(town.ana.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("searchbox").fill("desk of")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Desk of Ben at acme", exact=True).click()
    page.get_by_role("link", name="Advanced").click()
    page.get_by_role("button", name="Unlock", exact=True).click()

    expect(page.get_by_text("Allowed until")).to_be_visible()
    context.close()


def test_a_refresh_moves_no_focus_and_closes_no_fold(town: World, sign_in: SignIn) -> None:
    """The page asks again every few seconds; here the clock of the page is turned by hand."""
    LastSeen.objects.create(device=town.acme.phone, at=timezone.now(), address="203.0.113.7")
    Approval.objects.filter(device=town.acme.phone).update(status="closed")
    page = sign_in(town.ben)
    fold = page.get_by_text("It does not come up where you are?")
    fold.click()
    button = page.get_by_role("button", name="Let this phone set itself up again")
    button.focus()

    with page.expect_response("**/my-phones/"):
        page.evaluate("htmx.ajax('GET', '/my-phones/', '#my-phones')")
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)

    expect(button).to_be_visible()
    expect(button).to_be_focused()
