"""A manager's walks over a phone's page: a shared line, keys moved and dragged, the file, taking it back."""

import re
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from devices import appearances, extensions
from devices.appearances import AppearanceRow, KeyRow
from devices.models import Device
from devices.phone import KeyKind
from provisioning import claims, locking
from provisioning.models import Lock, Token
from provisioning.spans import Span
from tests.browser.conftest import NARROW, SignIn, faults
from tests.factories import refused
from tests.provisioning.making import request
from tests.world import PASSWORD, World, actor

STRANGER = "198.51.100.99"


def shared_line(town: World) -> None:
    """4102, which the door shows, and two keys of the desk's own."""
    by = actor(town.ana)
    line = extensions.create(town.acme.account, by=by, username="4102", secret="s3cret-of-4102")
    appearances.put(town.acme.other_phone, by=by, rows=[AppearanceRow(1, line, "Sales")])
    keys = [KeyRow(4, KeyKind.BLF, "214", "Carla"), KeyRow(5, KeyKind.PARK, "701", "Park")]
    appearances.put_keys(town.acme.phone, by=by, rows=keys)


def order(page: Page) -> list[str]:
    """The rows as they stand: key and what sits on it."""
    rows = page.locator(".keyrows tbody tr")
    return [
        " ".join(rows.nth(at).locator(f"[name$=-{name}]").input_value() for name in ("position", "value"))
        for at in range(rows.count())
    ]


def test_a_manager_gives_a_phone_a_shared_line_and_puts_its_keys_in_order(
    town: World, sign_in: SignIn, live_server: LiveServer
) -> None:
    shared_line(town)
    phone, own = town.acme.phone, town.acme.extension.username
    page = sign_in(town.ana)
    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("link", name=phone.name, exact=True).click()
    page.get_by_role("link", name="Lines and keys").click()

    # A free key of the drawing takes the line, and says who else has it.
    page.get_by_role("button", name=re.compile("^Key 2: Free")).click()
    expect(page.locator("#id_row-1-kind")).to_be_focused()
    page.locator("#id_row-1-kind").select_option("line")
    page.locator("#id_row-1-value").fill("4102")
    page.get_by_role("button", name="Keys 1 to 10").click()
    expect(page.get_by_role("link", name=re.compile("Key 2: .*4102"))).to_be_visible()
    expect(page.locator("#row-1").get_by_role("link", name=town.acme.other_phone.name)).to_be_visible()
    assert faults(page) == []

    # By keyboard: from key 5 to key 4, and the two trade places.
    up = page.locator("#row-3").get_by_role("button", name="Move row 4 up")
    up.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#row-3").get_by_role("button", name="Move row 3 up")).to_be_focused()
    assert order(page) == [f"1 {own}", "2 4102", "4 701", "5 214"]
    expect(page.locator("[data-said]")).to_have_text("Now on key 4: Park")

    # By its handle: the shared line to the top, the others follow.
    grip, top = page.locator("#row-1 [data-grip]"), page.locator("#row-0")
    grip.scroll_into_view_if_needed()
    held, above = grip.bounding_box(), top.bounding_box()
    assert held is not None
    assert above is not None
    page.mouse.move(held["x"] + 5, held["y"] + 5)
    page.mouse.down()
    page.mouse.move(held["x"] + 5, above["y"] + 4, steps=4)
    page.mouse.up()
    assert order(page) == ["1 4102", f"2 {own}", "4 701", "5 214"]
    expect(page.get_by_text("Not saved yet.")).to_be_visible()

    page.get_by_role("button", name="Save lines and keys").click()
    expect(page.get_by_text(f"Saved. {phone} learns it at its next check-in.")).to_be_visible()
    expect(page.get_by_text("Not saved yet.")).to_be_hidden()
    page.get_by_role("link", name="Files", exact=True).click()
    file = page.get_by_role("region", name=f"{phone.mac}.cfg, secrets masked")
    expect(file).to_contain_text("account.1.user_name = 4102")
    expect(file).to_contain_text("account.1.password = MASKED")
    expect(page.get_by_text(re.compile("Keys changed"))).to_have_count(0)  # it has never fetched
    assert faults(page) == []
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert faults(page) == []


def test_a_drag_is_given_up_by_escape_and_nothing_has_changed(
    town: World, sign_in: SignIn, live_server: LiveServer
) -> None:
    shared_line(town)
    page = sign_in(town.ana)
    page.goto(f"{live_server.url}/phones/{town.acme.phone.code}/lines/")
    before = order(page)
    page.locator("#row-2 [data-grip]").scroll_into_view_if_needed()
    held, above = page.locator("#row-2 [data-grip]").bounding_box(), page.locator("#row-0").bounding_box()
    assert held is not None
    assert above is not None

    page.mouse.move(held["x"] + 5, held["y"] + 5)
    page.mouse.down()
    page.mouse.move(held["x"] + 5, above["y"] + 4, steps=4)
    assert order(page)[0].endswith("701")
    page.keyboard.press("Escape")
    page.mouse.up()

    assert order(page) == before
    expect(page.get_by_text("Not saved yet.")).to_be_hidden()


def test_a_manager_takes_back_a_phone_that_a_stranger_has_set_up(town: World, sign_in: SignIn) -> None:
    phone = town.acme.phone
    locking.unlock(phone, by=actor(town.ana), span=Span.parse("24h"))
    Lock.objects.filter(pk=phone.pk).update(last_claim_at=timezone.now() - timedelta(hours=1))
    assert claims.claim(request(phone, STRANGER)).file is not None
    assert Lock.objects.get(pk=phone.pk).bound_network is not None
    stolen = Token.objects.get(device=phone, kind="current")
    page = sign_in(town.ana)
    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("link", name=phone.name, exact=True).click()
    expect(page.locator("#lock-facts")).to_contain_text(STRANGER)
    page.get_by_role("link", name="Advanced").click()

    page.get_by_role("link", name="Take back").click()
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)
    page.get_by_role("button", name=f"Take {phone} back").click()

    expect(page.locator("#lock-facts")).not_to_contain_text(STRANGER)
    gone = Token.objects.get(pk=stolen.pk)
    assert (gone.kind, bytes(gone.sealed)) == ("dead", b"")
    assert Token.objects.filter(device=phone, kind="current").exclude(pk=stolen.pk).exists()
    # His next try is refused, and its line says by which rule and what would help.
    refused(phone, STRANGER, rule="R14")
    page.get_by_role("link", name="Log", exact=True).click()
    line = page.get_by_role("row", name=re.compile(f"Refused {STRANGER}.*R14"))
    expect(line.get_by_role("link", name=re.compile("^Unlock for there"))).to_be_visible()
    line.get_by_role("link", name=re.compile("^What would it get now")).click()
    expect(page.get_by_text(re.compile(f"{STRANGER} is denied for this phone until"))).to_be_visible()


def test_a_line_is_added_and_moved_without_a_script(
    town: World, live_server: LiveServer, browser: Browser
) -> None:
    shared_line(town)
    phone: Device = town.acme.phone
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("E-mail").fill(town.ana.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(f"{live_server.url}/phones/{phone.code}/lines/")

    page.get_by_role("button", name="Add a row").click()
    page.locator("#id_row-1-value").fill("4102")
    page.get_by_role("button", name="Move row 2 up").click()
    assert order(page)[0] == "1 4102"
    expect(page.get_by_role("button", name="Move row 1 up")).to_be_focused()
    expect(page.get_by_text("Not saved yet.")).to_be_visible()
    page.locator("#id_row-0-label").fill("Sales")
    page.locator("#id_row-0-label").press("Enter")

    expect(page.get_by_text(f"Saved. {phone} learns it at its next check-in.")).to_be_visible()
    first = phone.appearances.get(position=1)
    assert (first.extension.username, first.label) == ("4102", "Sales")
    expect(page.locator("[data-grip]").first).to_be_hidden()
    context.close()
