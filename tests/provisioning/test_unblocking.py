"""Unblock my address: only where one is, three times a day, and nothing is forgotten by it (B6)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.refusals import Refusal
from accounts.scope import Actor
from provisioning import standing, unblocking
from provisioning.models import ListsVersion
from security import bans
from security.models import Ban, Unblocking
from security.networks import parse_network
from tests.factories import AWAY, HOME, failure, make_phone, origin, proved
from tests.tree import Tree, plant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("B6")]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def at(person: Actor, address: str = AWAY, *presence: str) -> Actor:
    return replace(person, address=address, presence=presence)


def banned(tree: Tree, now: datetime, address: str = AWAY, network: str = "") -> Ban:
    where = parse_network(network) if network else origin(address)
    return bans.set_ban(where, by=tree.support, length=HOUR, reason="scans", now=now)


def unchanged() -> tuple[Any, ...]:
    number = ListsVersion.objects.get_or_create(pk=1)[0].number
    rows = list(Ban.objects.order_by("pk").values()), Unblocking.objects.count()
    return *rows, AuditEntry.objects.count(), number


def refused(by: Actor, now: datetime, address: str = AWAY) -> str:
    """The code of the refusal, which has changed nothing."""
    before = unchanged()
    with pytest.raises(Refusal) as no:
        unblocking.unblock(address, by=by, now=now)
    assert no.value.rule == "B6"
    assert unchanged() == before
    return no.value.code


def test_anybody_who_is_there_ends_the_ban(tree: Tree, now: datetime) -> None:
    ban = banned(tree, now)

    ended = unblocking.unblock(AWAY, by=at(tree.ben), now=now)

    assert (ended, ended.lifted_by) == (ban, tree.ben.label)
    assert Ban.objects.standing(now).count() == 0
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.user, entry.address) == ("address.unbanned", tree.ben.user, AWAY)


def test_what_he_proved_counts_as_well(tree: Tree, now: datetime) -> None:
    banned(tree, now, "2001:db8:1:1::7")

    unblocking.unblock("2001:db8:1:1::7", by=at(tree.ben, HOME, "2001:db8:1:1::99"), now=now)

    assert Ban.objects.standing(now).count() == 0


def test_nobody_ends_it_from_elsewhere(tree: Tree, now: datetime) -> None:
    banned(tree, now)

    assert refused(at(tree.ben, HOME), now) == "not-there"
    assert refused(at(tree.support, HOME), now) == "not-there"
    assert refused(replace(tree.ben, address=None), now) == "not-there"


def test_a_masquerade_moves_nobody(tree: Tree, now: datetime) -> None:
    banned(tree, now)
    as_ana = replace(at(tree.support, HOME), on_behalf_of=tree.ana.label)

    assert refused(as_ana, now) == "not-there"
    unblocking.unblock(AWAY, by=replace(as_ana, address=AWAY), now=now)
    assert Unblocking.objects.get().person == f"user {tree.support.user.pk}"  # type: ignore[union-attr]


def test_a_block_and_a_wider_ban_are_supports(tree: Tree, now: datetime) -> None:
    assert refused(at(tree.ben), now) == "not-banned"
    wide = banned(tree, now, network="198.51.100.0/24")
    assert refused(at(tree.ben), now) == "wider-ban"
    bans.lift(wide, by=tree.support, now=now)
    banned(tree, now)
    bans.block(origin(), by=tree.support, length=DAY, reason="a botnet", now=now)

    assert refused(at(tree.ben), now) == "blocked"


def test_one_person_ends_three_a_day(tree: Tree, now: datetime) -> None:
    phone = make_phone(tree.acme, by=tree.ana, owner=tree.ben.user)
    places = ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"]
    for place in places:
        proved(phone, place)
        banned(tree, now, place)
    for place in places[:3]:
        unblocking.unblock(place, by=at(tree.ben, place), now=now)

    assert refused(at(tree.ben, places[3]), now, places[3]) == "too-often"
    later = now + DAY
    banned(tree, later, places[3])
    unblocking.unblock(places[3], by=at(tree.ben, places[3]), now=later)


def test_one_address_is_unblocked_three_times_a_day(tree: Tree, now: datetime) -> None:
    proved(make_phone(tree.acme, by=tree.ana, owner=tree.ben.user), AWAY)
    for hours, person in enumerate((tree.ben, tree.ana, tree.vic)):
        banned(tree, now + hours * HOUR)
        unblocking.unblock(AWAY, by=at(person), now=now + hours * HOUR)
    banned(tree, now + 4 * HOUR)

    assert refused(at(tree.ana), now + 4 * HOUR) == "too-often"


@pytest.mark.parametrize("evidence", ["none", "proved", "refused", "another's", "too old"])
def test_a_second_time_takes_a_phone_that_was_there(tree: Tree, now: datetime, evidence: str) -> None:
    phone = make_phone(tree.acme, by=tree.ana, owner=tree.ben.user)
    theirs = make_phone(tree.globex, by=tree.eve)
    banned(tree, now)
    unblocking.unblock(AWAY, by=at(tree.ben), now=now)
    banned(tree, now)
    if evidence == "proved":
        proved(phone, AWAY)
    if evidence == "refused":
        failure(AWAY, label=phone.mac, kind="locked-mac")
    if evidence == "another's":
        proved(theirs, AWAY)
    if evidence == "too old":
        proved(phone, AWAY, at=now - 31 * DAY)

    if evidence in ("proved", "refused"):
        unblocking.unblock(AWAY, by=at(tree.ben), now=now)
        assert Ban.objects.standing(now).count() == 0
    else:
        assert refused(at(tree.ben), now) == "no-phone-there"


def test_the_keys_stay_counted(tree: Tree, now: datetime) -> None:
    failure(AWAY, label="00005e0053f1", kind="unknown-mac")
    banned(tree, now)

    unblocking.unblock(AWAY, by=at(tree.ben), now=now)

    assert len(standing.failures(origin(), now)) == 1
    assert Ban.objects.count() == 1
