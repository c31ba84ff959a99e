"""A manager's day: an office moves by a window, refused phones are answered by keys; one without a script."""

import re
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from devices.mac import pretty
from provisioning import approvals, claims
from provisioning.models import Approval, Window
from security.networks import parse_address
from tests.browser.conftest import WIDE, SignIn
from tests.world import AGENT, PASSWORD, World

OFFICE = "203.0.113.99"
NIGHTMARE = "198.51.100.77"


def ask(town: World, address: str) -> None:
    """The second phone of acme asks at the root, as after a move."""
    mac = town.acme.other_phone.mac
    agent = AGENT.format(mac=pretty(mac).lower())
    assert claims.claim(claims.Request(mac, f"{mac}.boot", parse_address(address), agent)).file is not None


def test_an_office_moves_by_a_window(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)
    saturday = timezone.now() + timedelta(days=5)
    starts = saturday.replace(hour=8, minute=0)

    page.get_by_role("link", name="Open a window").click()
    page.get_by_label("For which address?").fill(OFFICE)
    slider = page.get_by_role("slider", name="Hours, as a slider")
    slider.focus()
    slider.press("End")
    expect(page.get_by_label("For how many hours?")).to_have_value("40")
    page.get_by_label("From when?").fill(starts.strftime("%Y-%m-%dT%H:%M"))
    expect(page.get_by_text(f"Opens {saturday:%A} {saturday.day} {saturday:%B} at 08:00 UTC")).to_be_visible()
    page.get_by_role("button", name="Open the window").click()
    expect(page.get_by_role("heading", name=f"Window for {OFFICE}")).to_be_visible()
    expect(page.get_by_text("It opens in")).to_be_visible()
    assert Window.objects.latest("pk").starts_at == starts.replace(second=0, microsecond=0)

    Window.objects.update(starts_at=timezone.now() - timedelta(minutes=1))  # Saturday has come
    page.reload()
    expect(page.get_by_text("0 of 2 phones let in, 2 missing.")).to_be_visible()
    ask(town, OFFICE)
    expect(page.get_by_text("1 of 2 phones let in, 1 missing.")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("region", name="Missing").get_by_text("Door of acme")).to_have_count(0)


def test_one_of_two_refused_phones_is_approved_by_keys_and_the_other_denied(
    town: World, sign_in: SignIn
) -> None:
    page = sign_in(town.ana)
    page.get_by_role("link", name=re.compile("^Approvals")).click()
    first = page.get_by_role("article", name="Desk of Ben at acme")
    expect(first).to_be_visible()

    card = transaction.atomic(approvals.note_try)(
        town.acme.other_phone, rule="R6", address=parse_address(NIGHTMARE),
        agent=AGENT.format(mac="00:00:5e:00:53:a2"), product="Yealink SIP-T46S",
        at=timezone.now(), count=1,
    )  # fmt: skip
    assert card is not None
    expect(page.get_by_role("status").get_by_text("1 new phone waits for your answer.")).to_be_attached(
        timeout=15_000
    )
    expect(page.get_by_role("article").first).to_have_accessible_name("Door of acme")
    page.keyboard.press("a")  # nothing has the focus: nothing is answered
    page.keyboard.press("j")
    expect(page.get_by_role("article", name="Door of acme")).to_be_focused()
    page.keyboard.press("q")  # asks first
    expect(page.get_by_role("button", name="Quarantine Door of acme")).to_be_focused()
    page.keyboard.press("d")
    expect(page.get_by_role("article", name="Door of acme")).to_contain_text("are refused for 30 days")
    page.keyboard.press("j")
    expect(first).to_be_focused()
    page.keyboard.press("a")
    expect(first).to_contain_text("is let in from 198.51.100.20, once")
    expect(page.get_by_role("heading", name="Nobody waits for you")).to_be_visible()

    states = dict(Approval.objects.filter(account=town.acme.account).values_list("device__name", "status"))
    assert states == {"Desk of Ben at acme": "once", "Door of acme": "deny"}


def test_a_window_is_opened_without_a_script(town: World, browser: Browser, live_server: LiveServer) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=WIDE)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("E-mail").fill(town.ana.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()

    page.get_by_role("link", name="Open a window").click()
    expect(page.get_by_role("slider")).to_have_count(0)
    page.get_by_role("button", name="Use my current address, 127.0.0.1").click()
    expect(page.get_by_label("For which address?")).to_have_value("127.0.0.1")
    page.get_by_label("For how many hours?").fill("3")
    page.get_by_role("button", name="Say it again").click()
    expect(page.get_by_text("After 3 hours")).to_be_visible()
    page.get_by_role("button", name="Open the window").click()

    expect(page.get_by_role("heading", name="Window for 127.0.0.1")).to_be_visible()
    assert str(Window.objects.latest("pk").network) == "127.0.0.1"
    context.close()
