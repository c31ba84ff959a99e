"""The IP check: whose business an address is, what is told of it, and which unknown phones may be added."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts.scope import Actor
from provisioning import checking, windows
from provisioning.checking import Checked
from security import allowances, bans
from security.networks import AddressError, parse_network
from tests.factories import AGENT, AWAY, ELSEWHERE, HOME, failure, make_phone, origin, proved, refused
from tests.tree import Tree, plant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

DAY = timedelta(days=1)
STRANGER = "00005e0053f7"


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def check(by: Actor, address: str = AWAY) -> Checked | None:
    return checking.check(address, by=by, now=timezone.now())


def found(by: Actor, address: str = AWAY) -> Checked:
    answer = check(by, address)
    assert answer is not None
    return answer


def unknown(address: str = AWAY, label: str = STRANGER, agent: str = AGENT) -> None:
    key = failure(address, kind="unknown-mac", label=label)
    key.agent = agent
    key.save()


def test_an_address_is_nobodys_business_but_theirs_who_have_to_do_with_it(tree: Tree) -> None:
    phone = make_phone(tree.acme, by=tree.ana)

    assert check(tree.ana) is None
    assert check(replace(tree.ana, address=AWAY)) is not None
    assert check(tree.support) is not None
    proved(phone, AWAY)
    assert check(tree.ana) is not None
    assert check(tree.eve) is None


@pytest.mark.parametrize("how", ["key", "event", "old event"])
def test_where_a_phone_was_refused_today_is_its_accounts_business(
    tree: Tree, now: datetime, how: str
) -> None:
    phone = make_phone(tree.acme, by=tree.ana)
    if how == "key":
        failure(AWAY, label=phone.mac, at=now - timedelta(hours=20))
    else:
        refused(phone, AWAY, at=now - (2 * DAY if how == "old event" else timedelta(hours=20)))

    assert (check(tree.ana) is not None) == (how != "old event")
    assert check(tree.eve) is None


def test_what_is_no_address_says_so(tree: Tree) -> None:
    with pytest.raises(AddressError):
        check(tree.support, "203.0.113")


def test_it_tells_what_stands_against_it(tree: Tree, now: datetime) -> None:
    phone = make_phone(tree.acme, by=tree.ana)
    theirs = make_phone(tree.globex, by=tree.eve)
    proved(phone, AWAY)
    proved(theirs, AWAY)
    mine = failure(AWAY, label=phone.mac)
    failure(AWAY, label=theirs.mac)
    unknown()
    ban = bans.set_ban(origin(), by=tree.support, length=timedelta(hours=1), reason="scans", now=now)
    granted = allowances.propose(
        tree.harbour, origin(), by=tree.rita, reason="An exchange", length=DAY, now=now
    )
    window = windows.open_window(tree.acme, by=tree.ana, origin=origin(ELSEWHERE), hours=1)

    here = found(tree.ana)

    assert (here.banned, here.blocked, here.allowed, here.windows) == (ban, None, granted, [])
    assert (here.failed, here.living, here.here) == (3, 1, False)
    assert dict(here.kinds) == {"locked-mac": 2, "unknown-mac": 1}
    assert here.own == [(mine, phone)]
    assert (here.may_unblock, here.why_not) == (
        False,
        f"Only somebody at {AWAY} can unblock it, or platform support.",
    )
    assert found(replace(tree.ana, address=AWAY)).may_unblock
    assert found(tree.support, ELSEWHERE).windows == [window]
    assert found(tree.support, HOME).why_not == ""


def test_a_slash_64_is_one_place(tree: Tree, now: datetime) -> None:
    there = replace(tree.ana, address="2001:db8:1:1::7")

    assert found(there, "2001:db8:1:1::/64").here
    assert found(there, "2001:db8:1:1::9").origin == parse_network("2001:db8:1:1::/64")
    assert check(there, "2001:db8:1:2::9") is None


def test_unknown_phones_are_shown_to_those_whose_phones_alone_live_there(tree: Tree) -> None:
    proved(make_phone(tree.acme, by=tree.ana), AWAY)
    unknown()
    unknown(label="00005e0053f8", agent="curl/8.5.0")
    failure(AWAY, label="00005e0053f9")

    [phone] = found(tree.ana).unknown

    assert (phone.mac, phone.family, phone.model, phone.account) == (STRANGER, "yealink", "T46U", tree.acme)
    assert found(replace(tree.vic, address=AWAY)).unknown == []
    assert found(replace(tree.eve, address=AWAY)).unknown == []
    proved(make_phone(tree.globex, by=tree.eve), AWAY)
    assert found(tree.ana).unknown == []
    assert found(tree.eve).unknown == []


def test_an_open_window_shows_them_too(tree: Tree) -> None:
    make_phone(tree.acme, by=tree.ana)
    unknown()
    there = replace(tree.ana, address=AWAY)

    assert found(there).unknown == []
    windows.open_window(tree.acme, by=tree.ana, origin=origin(), hours=1)

    assert [phone.mac for phone in found(there).unknown] == [STRANGER]


def test_what_was_added_since_is_unknown_no_longer(tree: Tree) -> None:
    proved(make_phone(tree.acme, by=tree.ana), AWAY)
    unknown()

    make_phone(tree.acme, by=tree.ana, mac=STRANGER)

    assert found(tree.ana).unknown == []
