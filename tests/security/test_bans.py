"""Bans and blocks set by people: powers, bounds, ends, and that the edge hears of them."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts import tenants
from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Role
from accounts.scope import Actor, Standing
from provisioning.models import ListsVersion
from security import bans
from security.models import Ban
from security.networks import parse_network
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
THIEF = parse_network("203.0.113.66")


@pytest.fixture
def tree() -> Tree:
    return plant()


def lists_number() -> int:
    return ListsVersion.objects.get_or_create(pk=1)[0].number


def test_support_bans_an_address_for_a_time(tree: Tree) -> None:
    before = lists_number()

    ban = bans.set_ban(THIEF, by=tree.support, length=HOUR, reason="scans", now=NOW)

    assert (ban.kind, ban.network, ban.ends_at, ban.set_by) == (
        "banned",
        THIEF,
        NOW + HOUR,
        tree.support.label,
    )
    assert list(Ban.objects.standing(NOW)) == [ban]
    assert list(Ban.objects.standing(NOW + HOUR)) == []
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.account, entry.details["reason"]) == ("address.banned", tree.platform, "scans")
    assert lists_number() == before + 1


def test_a_block_holds_a_network_for_ninety_days_at_most(tree: Tree) -> None:
    network = parse_network("203.0.113.0/24")

    ban = bans.block(network, by=tree.support, length=90 * DAY, reason="a botnet", now=NOW)

    assert (ban.kind, ban.ends_at) == ("blocked", NOW + 90 * DAY)
    assert list(Ban.objects.standing(NOW).holding(THIEF)) == [ban]


@pytest.mark.parametrize(
    ("case", "verb", "changes", "field"),
    [
        ("a ban longer than B3 ever gives", bans.set_ban, {"length": 25 * HOUR}, "length"),
        ("a block longer than 90 days", bans.block, {"length": 90 * DAY + HOUR}, "length"),
        ("no length", bans.set_ban, {"length": timedelta(0)}, "length"),
        ("no reason", bans.block, {"reason": " "}, "reason"),
        ("half the Internet", bans.block, {"network": parse_network("0.0.0.0/1")}, "network"),
        ("half of the newer one", bans.block, {"network": parse_network("8000::/1")}, "network"),
    ],
)
def test_a_ban_that_cannot_be(
    tree: Tree, case: str, verb: object, changes: dict[str, object], field: str
) -> None:
    given = {"network": THIEF, "length": HOUR, "reason": "scans", **changes}
    before = (lists_number(), AuditEntry.objects.count())

    with pytest.raises(Invalid) as refusal:
        verb(given.pop("network"), by=tree.support, now=NOW, **given)  # type: ignore[operator]

    assert refusal.value.field == field
    assert (Ban.objects.count(), lists_number(), AuditEntry.objects.count()) == (0, *before)


@pytest.mark.parametrize("who", ["rita", "ana", "vic", "ben", "eve"])
def test_bans_are_the_platforms(tree: Tree, who: str) -> None:
    ban = bans.set_ban(THIEF, by=tree.support, length=HOUR, reason="scans", now=NOW)
    actor = getattr(tree, who)

    for verb in (
        lambda: bans.set_ban(THIEF, by=actor, length=HOUR, reason="mine", now=NOW),
        lambda: bans.block(THIEF, by=actor, length=HOUR, reason="mine", now=NOW),
        lambda: bans.lift(ban, by=actor, now=NOW),
    ):
        with pytest.raises(Forbidden):
            verb()

    assert list(Ban.objects.standing(NOW)) == [ban]


def test_a_support_role_inside_one_customer_reaches_no_ban(tree: Tree) -> None:
    odd = Actor(label="odd", standings=(Standing(tree.acme.path, Role.SUPPORT),))

    with pytest.raises(Forbidden):
        bans.block(THIEF, by=odd, length=HOUR, reason="mine", now=NOW)


def test_what_stands_already_is_not_set_again(tree: Tree) -> None:
    bans.block(parse_network("203.0.113.0/24"), by=tree.support, length=DAY, reason="a botnet", now=NOW)

    with pytest.raises(Refusal) as refusal:
        bans.block(THIEF, by=tree.support, length=HOUR, reason="again", now=NOW + HOUR)

    assert (refusal.value.rule, refusal.value.code) == ("B3", "already")
    assert bans.set_ban(THIEF, by=tree.support, length=HOUR, reason="a ban is less", now=NOW).kind == "banned"
    assert bans.block(THIEF, by=tree.support, length=HOUR, reason="over by then", now=NOW + DAY).pk


def test_support_lifts_a_ban_once(tree: Tree) -> None:
    ban = bans.set_ban(THIEF, by=tree.support, length=HOUR, reason="scans", now=NOW)
    before = lists_number()

    lifted = bans.lift(ban, by=tree.support, reason="a customer", now=NOW + timedelta(minutes=5))

    assert (lifted.lifted_at, lifted.lifted_by) == (NOW + timedelta(minutes=5), tree.support.label)
    assert not Ban.objects.standing(NOW + timedelta(minutes=6)).exists()
    assert lists_number() == before + 1
    assert AuditEntry.objects.latest("id").verb == "address.unbanned"
    with pytest.raises(Refusal) as refusal:
        bans.lift(ban, by=tree.support, now=NOW + timedelta(minutes=7))
    assert (refusal.value.rule, refusal.value.code) == ("B7", "over")


def test_a_ban_that_is_over_cannot_be_lifted(tree: Tree) -> None:
    ban = bans.set_ban(THIEF, by=tree.support, length=HOUR, reason="scans", now=NOW)

    with pytest.raises(Refusal):
        bans.lift(ban, by=tree.support, now=NOW + HOUR)


def test_the_platform_is_found(tree: Tree) -> None:
    assert tenants.platform() == tree.platform
