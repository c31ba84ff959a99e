"""The rulebook click by click: a thief came first, and what the people concerned do about it."""

import re

from playwright.sync_api import expect

from provisioning import locking
from provisioning.models import Claim, Lock, PolicyValue, Token
from tests.browser.conftest import SignIn
from tests.provisioning.making import HOME
from tests.provisioning.stolen import suspected_clone
from tests.world import World, actor


def test_a_manager_takes_a_copied_phone_back(town: World, sign_in: SignIn) -> None:
    phone = suspected_clone(town.acme.account)
    page = sign_in(town.ana)

    page.get_by_role("link", name=re.compile("^Approvals")).click()
    card = page.get_by_role("article", name=str(phone))
    expect(card.get_by_text("one of them is not the phone")).to_be_visible()
    card.get_by_role("link", name=re.compile("take back")).click()
    expect(page.get_by_text("You say: whoever uses the former URL")).to_be_visible()
    page.get_by_role("button", name=f"Take {phone} back").click()

    expect(page.get_by_text("was taken back. What the other one holds is dead.")).to_be_visible()
    assert str(Lock.objects.get(pk=phone.pk).bound_network) == HOME
    page.get_by_role("link", name="Extensions").click()
    expect(page.get_by_role("heading", name="The secret of 1 extension may be known")).to_be_visible()
    page.get_by_role("link", name=re.compile("^New secret")).first.click()
    page.get_by_role("button", name="Give it a new secret").click()
    expect(page.get_by_role("heading", name="every secret is known to its phones alone")).to_be_visible()


def test_a_first_fetch_that_was_not_ours_is_taken_back(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)

    page.get_by_role("link", name=re.compile("^Approvals")).click()
    page.get_by_role("link", name=re.compile("^No, take it back")).click()
    expect(page.get_by_role("radio", name=re.compile("from 203.0.113.7"))).to_be_checked()
    page.get_by_role("button", name=re.compile("^Take .* back$")).click()

    expect(page.get_by_text("It is locked to no place.")).to_be_visible()
    assert Claim.objects.get(device=town.acme.phone).undone_at is not None
    assert set(Token.objects.filter(device=town.acme.phone).values_list("kind", flat=True)) == {"dead"}


def test_hardware_is_swapped_after_a_slip_of_the_hand(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)

    page.get_by_role("link", name="Phones", exact=True).click()
    page.get_by_role("link", name="Desk of Ben at acme", exact=True).click()
    page.get_by_role("link", name="Advanced").click()
    page.get_by_role("link", name="Change the MAC").click()
    page.get_by_label("MAC of the new phone").fill("00:00:5E:00:53:A2")
    page.get_by_role("button", name="Swap the hardware").click()
    expect(page.get_by_role("alert")).to_contain_text("This phone is entered here already.")
    expect(page.get_by_label("MAC of the new phone")).to_have_value("00:00:5E:00:53:A2")
    page.get_by_label("MAC of the new phone").fill("00:00:5E:00:53:F7")
    page.get_by_role("button", name="Swap the hardware").click()

    expect(page.get_by_text("is 00:00:5E:00:53:F7 now")).to_be_visible()
    expect(page.locator("#badges")).to_contain_text("New")


def test_a_reseller_releases_and_moves_a_phone(town: World, sign_in: SignIn) -> None:
    phone = town.acme.phone
    locking.quarantine(phone, by=actor(town.ana), reason="Stolen")
    page = sign_in(town.rita)

    page.goto(f"{page.url}phones/{phone.code}/advanced/")
    page.get_by_role("link", name="Release").click()
    page.get_by_label("Why?").fill("It was in a drawer")
    page.get_by_role("button", name=re.compile("^Release")).click()
    expect(page.get_by_text("is released. Its lock is as it was before.")).to_be_visible()
    page.get_by_role("link", name="Advanced").click()
    page.get_by_role("link", name="Move", exact=True).click()
    page.get_by_label("To which account?").select_option("globex")
    page.get_by_role("button", name=re.compile("^Move Desk")).click()

    expect(page.get_by_text("belongs to Globex Gears now")).to_be_visible()
    expect(page.get_by_text("It came from another account.")).to_be_visible()


def test_a_policy_is_set_and_given_up(town: World, sign_in: SignIn) -> None:
    page = sign_in(town.ana)

    page.get_by_role("link", name="Policies").click()
    row = page.get_by_role("region", name="How long a new phone may be set up")
    row.get_by_role("spinbutton").fill("48")
    row.get_by_role("button", name=re.compile("^Set")).click()
    expect(row.get_by_text("2 days", exact=True)).to_be_visible()
    assert PolicyValue.objects.get().value == {"given": 48}
    row.get_by_role("button", name=re.compile("^Give up")).click()

    expect(row.get_by_text("7 days", exact=True)).to_be_visible()
    assert not PolicyValue.objects.exists()
