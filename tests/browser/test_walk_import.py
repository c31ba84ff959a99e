"""A manager imports 200 phones with three bad rows, with scripts and without."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from devices.models import Device
from provisioning import phone_import
from provisioning.models import Job
from tests.browser.conftest import NARROW, WIDE, SignIn, faults
from tests.world import PASSWORD, World


def list_of(count: int, town: World, folder: Path) -> Path:
    """As many phones, three of them bad: a MAC too short, a model of nobody, a phone of somebody else's."""
    rows = [f"00:00:5E:20:{at // 256:02X}:{at % 256:02X};T46S;Desk {at}" for at in range(count)]
    rows[2] = "00:00:5E:20:00;T46S;Short"
    rows[9] = "00:00:5E:20:00:09;T1000;Odd"
    rows[15] = f"{town.globex.phone.mac};T46S;Theirs"
    file = folder / "phones.csv"
    file.write_text("\n".join(["MAC;Model;Name", *rows]))
    return file


def send(page: Page, file: Path) -> None:
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Look at the list").click()


def readable(page: Page) -> list[str]:
    found: list[str] = []
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        found += faults(page)
    return found


def sees_three_bad_rows(page: Page, town: World, good: int) -> None:
    expect(page.get_by_text(f"{good} phones will be added to Acme Anvils.")).to_be_visible()
    expect(page.get_by_text("3 rows cannot be added.")).to_be_visible()
    bad = page.get_by_role("table", name="Cannot be added").get_by_role("row")
    expect(bad).to_have_count(4)
    expect(bad.nth(1)).to_contain_text("MAC A MAC address is twelve hexadecimal digits; this has 10.")
    expect(bad.nth(2)).to_contain_text("Model There is no model T1000.")
    expect(bad.nth(3)).to_contain_text("This MAC cannot be added; ask your provider.")
    for word in (town.globex.account.name, town.globex.phone.name):
        expect(page.locator("body")).not_to_contain_text(word)


@pytest.mark.timeout(300)
def test_two_hundred_phones_are_imported_but_for_three(town: World, sign_in: SignIn, tmp_path: Path) -> None:
    page = sign_in(town.ana)
    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("link", name="Import", exact=True).click()
    send(page, list_of(200, town, tmp_path))
    sees_three_bad_rows(page, town, 197)
    assert readable(page) == []

    page.get_by_role("button", name="Add 197 phones").click()

    expect(page.get_by_role("heading", name="Working")).to_be_visible()
    job = Job.objects.get(kind="import")
    for _ in range(60):
        phone_import._run_row(job)
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "60")
    expect(page.get_by_text("60 added")).to_be_visible()
    phone_import.run(job.pk)
    expect(page.get_by_role("heading", name=re.compile("^Finished"))).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "197")
    expect(page.locator("#job")).not_to_have_attribute("hx-trigger", re.compile("."))
    expect(page.get_by_text("3 rows of the list were left out.")).to_be_visible()
    assert readable(page) == []
    assert Device.objects.filter(account=town.acme.account, mac__startswith="00005e20").count() == 197
    page.get_by_role("link", name="Desk 7", exact=True).click()
    expect(page.get_by_role("heading", name="Desk 7")).to_be_visible()


@pytest.mark.timeout(300)
def test_they_are_imported_without_scripts(
    town: World, browser: Browser, live_server: LiveServer, tmp_path: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("E-mail").fill(town.ana.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("link", name="Import", exact=True).click()
    send(page, list_of(20, town, tmp_path))
    sees_three_bad_rows(page, town, 17)
    with page.expect_download() as told:
        page.get_by_role("link", name="Download the other 3 rows").click()
    assert len(told.value.path().read_text().splitlines()) == 4

    page.get_by_role("button", name="Add 17 phones").click()
    expect(page.get_by_role("heading", name="Working")).to_be_visible()
    phone_import.run(Job.objects.get(kind="import").pk)

    expect(page.get_by_role("heading", name=re.compile("^Finished"))).to_be_visible()
    expect(page.get_by_text("17 added")).to_be_visible()
    context.close()
