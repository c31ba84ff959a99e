"""Phones that were away come back from their own place without a person (T2, T4, E9)."""

import socket

import pytest

from tests.e2e.household import Household, eventually
from tests.e2e.phones import AGENT, Entered, ask, enter, folder_in, lock_of, served, set_up

pytestmark = [pytest.mark.timeout(300)]

HOME, ELSEWHERE = "127.4.0.1", "127.4.0.2"
THIRTY_DAYS_PASS = """
from datetime import timedelta
from django.db.models import F
from provisioning import publishing
from provisioning.models import Claim, Lock, Token
month = timedelta(days=30)
of = {{"device__code": "{code}"}}
Token.objects.filter(until__isnull=False, **of).update(until=F("until") - month)
Token.objects.filter(**of).update(issued_at=F("issued_at") - month, first_used_at=F("first_used_at") - month)
Claim.objects.filter(**of).update(at=F("at") - month)
Lock.objects.filter(**of).update(last_claim_at=F("last_claim_at") - month)
publishing.device_changed(Lock.objects.get(**of).pk)
"""


@pytest.fixture
def phone(household: Household) -> Entered:
    return enter(household)


def test_a_phone_switched_off_for_30_days_during_a_rotation(household: Household, phone: Entered) -> None:
    """T3, T4: its token is dead by then; it is answered as at the root, and home is home."""
    old = set_up(household, phone, HOME)
    new = set_up(household, phone, HOME)  # somebody reset it, or another one at the same place: R4
    assert old != new
    done = household.command("shell", "-v", "0", "-c", THIRTY_DAYS_PASS.format(code=phone.code))
    assert done.returncode == 0, done.stderr

    assert ask(household, phone, f"{old}{phone.mac}.cfg", ELSEWHERE).status == 404
    back = served(household, phone, f"{old}{phone.mac}.cfg", HOME)

    assert phone.secret.encode() not in back.body, "a bootstrap, not the file"
    again = served(household, phone, f"{folder_in(back.body)}{phone.mac}.cfg", HOME)
    assert phone.secret.encode() in again.body
    assert lock_of(household, phone)["bound_origin"] == HOME


def test_a_phone_whose_answers_were_lost_goes_on_with_its_former_token(
    household: Household, phone: Entered
) -> None:
    """T2: the new tokens were never used, so the former one counts as the current one."""
    old = set_up(household, phone, HOME)
    eventually(
        lambda: ask(household, phone, f"/{phone.mac}.boot", HOME).status == 200, what="a claim never followed"
    )

    again = ask(household, phone, f"{old}{phone.mac}.cfg", HOME)

    assert again.status == 200
    assert folder_in(again.body) == old


def test_a_bootstrap_cut_off_after_the_commit_strands_no_phone(household: Household, phone: Entered) -> None:
    """R4a: the phone asks again from its own place and gets the same tokens."""
    agent = phone.agent(AGENT)
    with socket.socket() as cut:
        cut.bind((HOME, 0))
        cut.connect(("127.0.0.1", household.phones_port))
        cut.sendall(f"GET /{phone.mac}.boot HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n\r\n".encode())
        eventually(lambda: lock_of(household, phone)["state"] == "locked", what="the claim's commit")

    assert ask(household, phone, f"/{phone.mac}.boot", HOME).status == 200
    assert ask(household, phone, f"/{phone.mac}.boot", ELSEWHERE).status == 404


def test_a_phone_deleted_and_entered_again_comes_back_from_its_own_place_alone(
    household: Household, phone: Entered
) -> None:
    """E9, T4: in the same account within 30 days, with its former binding."""
    below = set_up(household, phone, HOME)

    assert household.api("DELETE", f"/devices/{phone.code}/").status == 204
    assert ask(household, phone, f"{below}{phone.mac}.cfg", HOME).status == 404
    again = enter(household, mac=phone.mac)

    lock = lock_of(household, again)
    assert (lock["state"], lock["reason"]) == ("locked", "previously-registered")
    assert ask(household, again, f"{below}{phone.mac}.cfg", ELSEWHERE).status == 404
    back = ask(household, again, f"{below}{phone.mac}.cfg", HOME)
    assert back.status == 200
    full = served(household, again, f"{folder_in(back.body)}{phone.mac}.cfg", HOME)
    assert again.secret.encode() in full.body
