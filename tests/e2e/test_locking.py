"""A phone gets its file, a thief does not: locks, unlocks and windows, over HTTP from many addresses."""

import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.household import Household, Reply, eventually
from tests.e2e.phones import Entered, enter, events_of, lock_of

pytestmark = [pytest.mark.timeout(300)]

AGENT = "Yealink SIP-T46S 66.85.0.5 {colons}"
_places = itertools.count(1)


def place() -> str:
    """A caller's address that nobody else in this run has."""
    number = next(_places)
    return f"127.1.{number // 250}.{number % 250 + 1}"


def boot(household: Household, device: Entered, source: str) -> int:
    return household.phone(f"/{device.mac}.boot", agent=device.agent(AGENT), source=source).status


def open_window(household: Household, body: dict[str, object], *, key: str | None = None) -> Reply:
    """Open it; where it serves more than fifty phones, type their number as asked."""
    answer = household.api("POST", "/windows/", body, key=key)
    if answer.status == 409 and answer.json()["code"] == "confirm":
        number = int(re.findall(r"\d+", answer.json()["detail"])[0])
        answer = household.api("POST", "/windows/", {**body, "confirm": number}, key=key)
    return answer


@pytest.fixture
def phone(household: Household) -> Entered:
    return enter(household)


def test_the_first_fetch_binds_the_phone(household: Household, phone: Entered) -> None:
    home = place()

    assert lock_of(household, phone)["state"] == "new"
    assert boot(household, phone, home) == 200

    lock = lock_of(household, phone)
    assert (lock["state"], lock["bound_origin"]) == ("locked", home)


def test_a_stranger_is_refused_as_if_the_mac_were_unknown(household: Household, phone: Entered) -> None:
    home, thief = place(), place()
    boot(household, phone, home)

    refused = household.phone(f"/{phone.mac}.cfg", agent=phone.agent(AGENT), source=thief)
    unknown = household.phone(
        "/001565f00f00.cfg", agent=AGENT.format(colons="00:15:65:f0:0f:00"), source=thief
    )

    assert refused.status == 404
    assert refused.same_for_all == unknown.same_for_all
    assert lock_of(household, phone)["bound_origin"] == home


def test_an_unlock_lets_one_fetch_through_and_the_old_place_is_refused_afterwards(
    household: Household, phone: Entered
) -> None:
    old, new, third = place(), place(), place()
    boot(household, phone, old)

    unlocked = household.api("POST", f"/devices/{phone.code}/unlock/", {"for": "24h"})
    assert unlocked.status == 200, unlocked.body
    assert lock_of(household, phone)["state"] == "unlocked"
    eventually(lambda: boot(household, phone, new) == 200, what="the unlocked fetch")

    assert boot(household, phone, third) == 404
    assert boot(household, phone, old) == 404
    lock = lock_of(household, phone)
    assert (lock["state"], lock["bound_origin"]) == ("locked", new)


def test_lock_again_brings_the_previous_binding_back(household: Household, phone: Entered) -> None:
    home, thief = place(), place()
    boot(household, phone, home)
    household.api("POST", f"/devices/{phone.code}/unlock/", {"for": {"hours": 4}})

    locked = household.api("POST", f"/devices/{phone.code}/lock/")

    assert locked.status == 200, locked.body
    assert boot(household, phone, thief) == 404
    assert lock_of(household, phone)["bound_origin"] == home


def test_an_unlock_for_one_address_admits_no_other(household: Household, phone: Entered) -> None:
    home, hotel, thief = place(), place(), place()
    boot(household, phone, home)
    household.api("POST", f"/devices/{phone.code}/unlock/", {"for": "24h", "origin": hotel})

    assert boot(household, phone, thief) == 404
    eventually(lambda: boot(household, phone, hotel) == 200, what="the scoped fetch")


def test_a_window_lets_the_account_and_those_below_through_and_nobody_else(household: Household) -> None:
    reseller = household.make_key("harbour", "reseller")
    office, elsewhere = place(), place()
    ours = enter(household, account="acme")
    theirs = enter(household, account="globex", key=household.make_key("globex", "manager"))
    for device, source in ((ours, place()), (theirs, place())):
        assert boot(household, device, source) == 200

    opened = open_window(household, {"account": "acme", "address": office, "hours": 4})
    assert opened.status == 201, opened.body

    eventually(lambda: boot(household, ours, office) == 200, what="the window")
    assert boot(household, ours, elsewhere) == 404
    assert boot(household, theirs, office) == 404, "another account's phone"

    wide = place()
    covered = open_window(household, {"account": "harbour", "address": wide, "hours": 1}, key=reseller)
    assert covered.status == 201, covered.body
    eventually(lambda: boot(household, theirs, wide) == 200, what="the reseller's window")

    code = opened.json()["code"]
    assert household.api("DELETE", f"/windows/{code}/").status == 204
    late = enter(household, account="acme")
    assert boot(household, late, place()) == 200
    assert boot(household, late, office) == 404, "the window is closed"


def test_a_phone_that_ships_later_is_not_claimed_before_its_day(household: Household, phone: Entered) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()

    armed = household.api("POST", f"/devices/{phone.code}/rearm/", {"ship_on": day})

    assert armed.status == 200, armed.body
    assert boot(household, phone, place()) == 404


def test_a_refused_phone_waits_in_the_inbox_and_comes_in_after_approval(
    household: Household, phone: Entered
) -> None:
    home, hotel = place(), place()
    boot(household, phone, home)
    boot(household, phone, hotel)

    def card() -> str | None:
        cards = household.api("GET", "/approvals/").json()["results"]
        return next((c["code"] for c in cards if phone.mac in str(c).lower().replace(":", "")), None)

    code = eventually(card, what="the card")
    answered = household.api("POST", f"/approvals/{code}/", {"decision": "once"})

    assert answered.status == 200, answered.body
    eventually(lambda: boot(household, phone, hotel) == 200, what="the approved fetch")


def test_the_log_says_the_rule_and_a_sentence_for_each_answer(household: Household, phone: Entered) -> None:
    home, thief = place(), place()
    boot(household, phone, home)
    boot(household, phone, thief)

    events = eventually(
        lambda: (e := events_of(household, phone)) and {"R1", "R6"} <= {x["rule"] for x in e} and e,
        what="the log",
    )

    assert all(event["sentence"] for event in events if event["rule"])
    refused = next(event for event in events if event["rule"] == "R6")
    assert (refused["outcome"], refused["address"]) == ("refused", thief)


def test_explain_agrees_with_what_the_phone_gets(household: Household, phone: Entered) -> None:
    home, thief = place(), place()
    boot(household, phone, home)
    agent = phone.agent(AGENT).replace(" ", "%20")

    for address, status in ((home, 200), (thief, 404)):
        told = household.api("GET", f"/explain/?mac={phone.mac}&address={address}&agent={agent}").json()
        assert boot(household, phone, address) == status
        assert told["outcome"] == {200: "bootstrap", 404: "refused"}[status]
        assert told["sentence"]
    by_command = household.command(
        "explain", "--mac", phone.mac, "--address", thief, "--agent", phone.agent(AGENT)
    )
    assert by_command.returncode == 0, by_command.stderr
    assert "R6" in by_command.stdout


def test_manager_of_a_sibling_gets_nothing(household: Household, phone: Entered) -> None:
    eve = household.make_key("globex", "manager")

    assert household.api("GET", f"/devices/{phone.code}/", key=eve).status == 404
    assert household.api("POST", f"/devices/{phone.code}/unlock/", {"for": "24h"}, key=eve).status == 404
    assert household.api("GET", f"/devices/?mac={phone.mac}", key=eve).json()["results"] == []
    assert lock_of(household, phone)["state"] == "new"
