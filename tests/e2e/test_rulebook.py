"""The wrong one came first, or a phone changed hands: the stories of the rulebook, played."""

import itertools
from typing import Any

import pytest

from tests.e2e.household import Household, eventually
from tests.e2e.phones import Entered, ask, boot, enter, events_of, folder_in, lock_of, served, set_up

pytestmark = [pytest.mark.timeout(300)]

_streets = itertools.count(1)


def place() -> str:
    """An address of a street (a /24) where nobody else of this run lives."""
    return f"127.9.{next(_streets)}.7"


def do(household: Household, path: str, body: object = None, *, key: str | None = None) -> Any:
    done = household.api("POST", path, body or {}, key=key)
    assert done.status in (200, 201), (path, done.status, done.body)
    return done.json()


def file_of(phone: Entered, folder: str) -> str:
    return f"{folder}{phone.mac}.cfg"


def shared_with(household: Household, phone: Entered) -> Entered:
    """A second phone that shows the same extension: a shared line."""
    rows = household.api("GET", f"/devices/{phone.code}/appearances/").json()
    other = enter(household)
    put = household.api("PUT", f"/devices/{other.code}/appearances/", rows)
    assert put.status == 200, put.body
    return Entered(other.code, other.mac, phone.secret, phone.username, other.family, other.model)


def test_a_thief_wins_an_unlock_and_the_manager_takes_back(household: Household) -> None:
    """(a) The thief's tokens are dead, its origin stays out, the phone never noticed, the secret is new."""
    home, den, next_door = place(), place(), place()
    phone = enter(household)
    sister = shared_with(household, phone)
    below = set_up(household, phone, home)
    below_sister = set_up(household, sister, next_door)
    do(household, f"/devices/{phone.code}/unlock/", {"for": "24h"})
    entry = boot(household, phone, den)
    stolen = served(household, phone, file_of(phone, entry), den)
    assert phone.secret.encode() in stolen.body, "the thief has what he came for"
    loot = folder_in(stolen.body)
    assert served(household, phone, file_of(phone, loot), den).status == 200

    lock = do(household, f"/devices/{phone.code}/take-back/")

    assert (lock["state"], lock["bound_origin"]) == ("locked", home)
    for folder in (entry, loot):
        assert ask(household, phone, file_of(phone, folder), den).status == 404
        assert ask(household, phone, file_of(phone, folder), place()).status == 404
    assert ask(household, phone, f"/{phone.mac}.boot", den).status == 404
    again = served(household, phone, file_of(phone, below), home)
    assert folder_in(again.body) == below, "the phone's own URL goes on"
    shown = household.api("GET", f"/extensions/?search={phone.username}").json()["results"]
    extension = next(row for row in shown if row["username"] == phone.username)
    assert extension["exposed_since"]

    do(household, f"/extensions/{extension['code']}/new-secret/")

    for device, folder, source in ((phone, below, home), (sister, below_sister, next_door)):
        eventually(
            lambda d=device, f=folder, s=source: (
                phone.secret.encode()  # type: ignore[misc]
                not in served(household, d, file_of(d, f), s).body
            ),
            what="the new secret",
        )
    assert ask(household, phone, f"/{phone.mac}.boot", den).status == 404, "denied for thirty days"


def test_a_neighbour_behind_the_same_address_raises_a_suspected_clone(household: Household) -> None:
    """(b) Both go on being served until a person decides, and neither is handed the other's token."""
    home = place()
    phone = enter(household)
    below = set_up(household, phone, home)
    theirs = set_up(household, phone, home)
    assert theirs != below
    assert lock_of(household, phone)["clone"] is None

    assert served(household, phone, file_of(phone, below), home).status == 200

    eventually(lambda: lock_of(household, phone)["clone"], what="the suspected clone")
    for folder in (below, theirs):
        body = served(household, phone, file_of(phone, folder), home).body
        assert folder_in(body) == folder
    assert ask(household, phone, file_of(phone, below), place()).status == 404, "not where it never was"

    lock = do(household, f"/devices/{phone.code}/clone/", {"decision": "take-back"})

    assert (lock["clone"], lock["bound_origin"]) == (None, home)
    assert ask(household, phone, file_of(phone, below), home).status == 200
    refused = ask(household, phone, file_of(phone, theirs), place())
    assert refused.status == 404


def test_a_phone_moves_to_another_customer(household: Household) -> None:
    """(d) Nothing of the old tenant is served, listed or logged to the new one."""
    reseller = household.make_key("harbour", "reseller")
    eve = household.make_key("globex", "manager")
    home, shop = place(), place()
    phone = enter(household)
    below = set_up(household, phone, home)
    old_name = household.api("GET", f"/devices/{phone.code}/").json()["name"]

    do(household, f"/devices/{phone.code}/move/", {"account": "globex"}, key=reseller)

    for source in (home, shop):
        assert ask(household, phone, file_of(phone, below), source).status == 404
        assert ask(household, phone, f"/{phone.mac}.boot", source).status == 404
    assert household.api("GET", f"/devices/{phone.code}/").status == 404, "the old tenant's no more"
    moved = household.api("GET", f"/devices/{phone.code}/", key=eve)
    assert moved.status == 200
    told = moved.body + household.api("GET", f"/devices/{phone.code}/events/", key=eve).body
    for word in (old_name, phone.username, phone.secret, home, "acme"):
        assert word.encode() not in told, word
    do(household, f"/devices/{phone.code}/unlock/", {"for": "24h"}, key=eve)
    full = served(household, phone, file_of(phone, boot(household, phone, shop)), shop)
    assert phone.secret.encode() not in full.body
    assert phone.username.encode() not in full.body


def test_a_customer_moves_below_another_reseller(household: Household) -> None:
    """(d) Windows, keys and people of the old reseller stop at once; the phones go on."""
    support = household.make_key("platform", "support")
    do(household, "/accounts/", {"slug": "pier", "name": "Pier", "parent": "platform"}, key=support)
    do(household, "/accounts/", {"slug": "wanda", "name": "Wanda", "parent": "harbour"}, key=support)
    reseller = household.make_key("harbour", "reseller")
    home, fair = place(), place()
    phone = enter(household, account="wanda", key=reseller)
    below = set_up(household, phone, home)
    opened = household.api(
        "POST", "/windows/", {"account": "harbour", "address": fair, "hours": 2}, key=reseller
    )
    if opened.status == 409:
        number = int("".join(c for c in opened.json()["detail"] if c.isdigit()))
        body = {"account": "harbour", "address": fair, "hours": 2, "confirm": number}
        opened = household.api("POST", "/windows/", body, key=reseller)
    assert opened.status == 201, opened.body
    preview = household.api("GET", "/accounts/wanda/move/?below=pier", key=support)
    assert preview.status == 200, preview.body

    do(household, "/accounts/wanda/move/", {"below": "pier"}, key=support)

    assert household.api("GET", f"/devices/{phone.code}/", key=reseller).status == 404
    assert ask(household, phone, f"/{phone.mac}.boot", fair).status == 404, "the window is not above it"
    assert served(household, phone, file_of(phone, below), home).status == 200
    assert household.api("GET", f"/devices/{phone.code}/", key=support).status == 200


def test_a_quarantined_phone_is_freed_by_no_trick(household: Household) -> None:
    """(e) Not by re-arm, not by deleting and adding it, not by another MAC, not by a move."""
    reseller = household.make_key("harbour", "reseller")
    home = place()
    phone = enter(household)
    below = set_up(household, phone, home)
    do(household, f"/devices/{phone.code}/quarantine/", {"reason": "seen in two towns"})

    def is_shut() -> None:
        assert ask(household, phone, f"/{phone.mac}.boot", home).status == 404
        assert ask(household, phone, file_of(phone, below), home).status == 404

    is_shut()
    for verb, body, key in (
        ("rearm", {}, None),
        ("unlock", {"for": "24h"}, None),
        ("lock", {}, None),
        ("swap", {"mac": "00:15:65:ff:00:01"}, None),
        ("move", {"account": "globex"}, reseller),
        ("take-back", {}, None),
        ("retire", {}, None),
    ):
        said = household.api("POST", f"/devices/{phone.code}/{verb}/", body, key=key)
        assert (said.status, said.json().get("rule")) == (409, "E8q"), (verb, said.body)
        is_shut()
    assert household.api("POST", f"/devices/{phone.code}/release/", {"reason": "let me"}).status == 403
    assert household.api("DELETE", f"/devices/{phone.code}/").status == 204
    again = enter(household, mac=phone.mac)
    assert lock_of(household, again)["state"] == "quarantined"
    is_shut()

    do(household, f"/devices/{again.code}/release/", {"reason": "it was the courier"}, key=reseller)

    assert lock_of(household, again)["state"] == "locked"
    back = eventually(
        lambda: (r := ask(household, again, f"/{phone.mac}.boot", home)).status == 200 and r, what="home"
    )
    assert folder_in(back.body)


def test_a_swapped_phone_keeps_its_lines_and_the_broken_one_gets_nothing(household: Household) -> None:
    """E12: the lines live on at the new hardware; the old MAC and its URL are dead."""
    home = place()
    phone = enter(household)
    below = set_up(household, phone, home)
    spare = Entered(
        phone.code, f"00156500{phone.mac[-4:]}", phone.secret, phone.username, phone.family, phone.model
    )

    do(household, f"/devices/{phone.code}/swap/", {"mac": spare.mac})

    assert ask(household, phone, file_of(phone, below), home).status == 404
    assert ask(household, phone, f"/{phone.mac}.boot", home).status == 404
    fresh = set_up(household, spare, home)
    assert fresh != below
    assert "swapped" in {event["what"] for event in events_of(household, spare)}


def test_a_retired_phone_gets_one_more_file_without_accounts(household: Household) -> None:
    """E19: what is thrown away logs itself off, and the root never serves it again."""
    home = place()
    phone = enter(household)
    below = set_up(household, phone, home)

    do(household, f"/devices/{phone.code}/retire/")

    def emptied() -> bool:
        body = served(household, phone, file_of(phone, below), home).body
        return phone.secret.encode() not in body and phone.username.encode() not in body

    eventually(emptied, what="the last file")
    assert ask(household, phone, f"/{phone.mac}.boot", home).status == 404

    do(household, f"/devices/{phone.code}/rearm/")

    set_up(household, phone, home)
