"""The company directory in a browser: a table is looked at, refused, corrected and kept."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from devices.models import Contact
from tests.browser.conftest import NARROW, WIDE, SignIn, faults
from tests.world import World


def readable(page: Page) -> list[str]:
    """What is wrong with the page as it stands, at both widths."""
    found: list[str] = []
    for size in (WIDE, NARROW):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        found += faults(page)
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_table_is_corrected_before_it_is_kept(
    theme: str, town: World, sign_in: SignIn, live_server: LiveServer, tmp_path: Path
) -> None:
    wrong, right = tmp_path / "wrong.csv", tmp_path / "right.csv"
    rows = "Name;Number;Mobile\nPorter of acme;4712;\nTaxi Nord;030 / 12-34;\n"
    wrong.write_text(f"{rows}Post;call me;\n")
    right.write_text(f"{rows}Post;55;+49 171 22\n")
    page = sign_in(town.ana)
    page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])

    page.get_by_role("link", name="Directory", exact=True).click()
    page.get_by_role("link", name="Import", exact=True).click()
    page.get_by_label("Table").set_input_files(wrong)
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("As long as a row is refused")).to_be_visible()
    expect(page.get_by_role("button", name="Import ")).to_have_count(0)
    assert readable(page) == []
    page.get_by_role("link", name="Choose another file").click()
    page.get_by_label("Table").set_input_files(right)
    page.get_by_role("button", name="Look at it").click()
    assert readable(page) == []
    page.get_by_role("button", name="Import 2 and change 1").click()

    expect(page.get_by_text("2 added and 1 changed.")).to_be_visible()
    assert readable(page) == []
    assert set(Contact.objects.filter(account=town.acme.account).values_list("name", "number", "mobile")) == {
        ("Porter of acme", "4712", ""),
        ("Post", "55", "+4917122"),
        ("Taxi Nord", "0301234", ""),
    }


def test_an_extension_is_hidden_by_keyboard_alone(
    town: World, sign_in: SignIn, live_server: LiveServer
) -> None:
    page = sign_in(town.ana)
    page.goto(f"{live_server.url}/directory/?show=extensions")

    page.get_by_role("button", name=f"Hide {town.acme.extension}").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("button", name=f"Show {town.acme.extension}")).to_be_visible()
    expect(page.get_by_text("is hidden from the directory")).to_be_visible()
    assert readable(page) == []
