"""Allowances: proposed, granted by who may, ended; what conflicts is refused, and nothing is changed (B8)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Role
from accounts.scope import Actor, Standing
from provisioning import publishing
from provisioning.models import ListsVersion
from security import allowances, bans
from security.models import AllowedNetwork, Ban
from security.networks import Network, parse_network
from tests.tree import Tree, plant

pytestmark = [pytest.mark.django_db, pytest.mark.rule("B8")]

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OFFICE = parse_network("203.0.113.24/32")


@pytest.fixture
def tree() -> Tree:
    return plant()


def ask(tree: Tree, by: Actor, network: str = "203.0.113.24", **changes: Any) -> AllowedNetwork:
    how: dict[str, Any] = {"reason": "Our headquarters", "length": 30 * DAY, "now": NOW, **changes}
    return allowances.propose(how.pop("account", tree.acme), parse_network(network), by=by, **how)


def lists_number() -> int:
    return ListsVersion.objects.get_or_create(pk=1)[0].number


def unchanged() -> tuple[Any, ...]:
    rows = list(AllowedNetwork.objects.order_by("pk").values())
    return rows, list(Ban.objects.order_by("pk").values()), AuditEntry.objects.count(), lists_number()


def edges_hold() -> list[Network]:
    return [timed.network for timed in publishing.build_lists(1, NOW).allowed]


def test_a_manager_proposes_and_nothing_is_allowed_yet(tree: Tree) -> None:
    row = ask(tree, tree.ana)

    assert (row.state(NOW), row.network, row.proposed_by) == ("proposed", OFFICE, tree.ana.label)
    assert row.ends_at == NOW + 30 * DAY
    assert edges_hold() == []
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.account) == ("allowance.proposed", tree.acme)
    assert entry.details["network"] == "203.0.113.24"


def test_the_reseller_grants_it_and_the_edges_hear_of_it(tree: Tree) -> None:
    row = ask(tree, tree.ana)
    before = lists_number()

    granted = allowances.grant(row, by=tree.rita, now=NOW + DAY)

    assert (granted.state(NOW + DAY), granted.granted_by) == ("allowed", tree.rita.label)
    assert edges_hold() == [OFFICE]
    assert lists_number() == before + 1
    assert AuditEntry.objects.latest("id").verb == "allowance.granted"


def test_what_the_asker_may_grant_himself_is_granted_at_once(tree: Tree) -> None:
    assert ask(tree, tree.rita).state(NOW) == "allowed"
    assert ask(tree, tree.support, "198.51.100.0/24").state(NOW) == "allowed"


@pytest.mark.parametrize(
    ("network", "reseller"),
    [
        ("203.0.113.24/29", "allowed"),
        ("203.0.113.16/28", "proposed"),
        ("2001:db8:1:1::/64", "allowed"),
        ("2001:db8:1::/63", "proposed"),
    ],
)
def test_a_reseller_grants_small_networks_only(tree: Tree, network: str, reseller: str) -> None:
    row = ask(tree, tree.rita, network)

    assert row.state(NOW) == reseller
    if reseller == "proposed":
        before = unchanged()
        with pytest.raises(Invalid) as refused:
            allowances.grant(row, by=tree.rita, now=NOW)
        assert (refused.value.field, refused.value.rule) == ("network", "B8")
        assert unchanged() == before
        assert allowances.grant(row, by=tree.support, now=NOW).state(NOW) == "allowed"


@pytest.mark.parametrize("network", ["203.0.0.0/19", "2001:db8::/39"])
def test_nobody_allows_more_than_support_may(tree: Tree, network: str) -> None:
    before = unchanged()

    with pytest.raises(Invalid) as refused:
        ask(tree, tree.support, network)

    assert refused.value.field == "network"
    assert unchanged() == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": "  "}, "reason"),
        ({"length": 367 * DAY}, "ends_at"),
        ({"length": timedelta(0)}, "ends_at"),
        ({"network": "10.1.2.0/24"}, "network"),
    ],
)
def test_what_cannot_be_names_its_field(tree: Tree, changes: dict[str, Any], field: str) -> None:
    before = unchanged()

    with pytest.raises(Invalid) as refused:
        ask(tree, tree.support, **changes)

    assert refused.value.field == field
    assert unchanged() == before


def test_who_may_not_is_told_so(tree: Tree) -> None:
    row = ask(tree, tree.ana)
    before = unchanged()
    eve_there = replace(tree.eve, standings=(Standing(tree.globex.path, Role.MANAGER),))

    for attempt in (
        lambda: ask(tree, tree.vic, "198.51.100.7"),
        lambda: ask(tree, tree.ben, "198.51.100.7"),
        lambda: ask(tree, eve_there, "198.51.100.7"),
        lambda: allowances.grant(row, by=tree.ana, now=NOW),
        lambda: allowances.end(row, by=tree.vic, now=NOW),
        lambda: allowances.end(row, by=eve_there, now=NOW),
    ):
        with pytest.raises(Forbidden):
            attempt()

    assert unchanged() == before


def test_one_network_is_asked_for_once(tree: Tree) -> None:
    ask(tree, tree.ana, "203.0.113.24/30")
    before = unchanged()

    with pytest.raises(Refusal) as refused:
        ask(tree, tree.ana)

    assert (refused.value.code, refused.value.field) == ("already", "network")
    assert unchanged() == before
    assert ask(tree, tree.eve, account=tree.globex).state(NOW) == "proposed"


def test_the_block_list_and_the_allow_list_never_hold_one_address(tree: Tree) -> None:
    waiting = ask(tree, tree.ana)
    block = bans.block(
        parse_network("203.0.113.0/24"), by=tree.support, length=DAY, reason="a botnet", now=NOW
    )
    before = unchanged()

    with pytest.raises(Refusal, match="blocked by platform support"):
        allowances.grant(waiting, by=tree.rita, now=NOW)
    with pytest.raises(Refusal, match="blocked by platform support"):
        ask(tree, tree.eve, account=tree.globex)

    assert unchanged() == before
    bans.lift(block, by=tree.support, now=NOW)
    allowances.grant(waiting, by=tree.rita, now=NOW)
    before = unchanged()
    with pytest.raises(Refusal) as refused:
        bans.block(parse_network("203.0.113.0/24"), by=tree.support, length=DAY, reason="again", now=NOW)
    assert (refused.value.code, refused.value.field) == ("allowed", "network")
    assert unchanged() == before


def test_it_ends_when_somebody_ends_it_or_by_itself(tree: Tree) -> None:
    row = ask(tree, tree.rita)

    assert AllowedNetwork.objects.standing(NOW + 30 * DAY).count() == 0
    ended = allowances.end(row, by=tree.ana, reason="We moved", now=NOW + DAY)

    assert ended.state(NOW + DAY) == "ended"
    assert edges_hold() == []
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.details["reason"]) == ("allowance.ended", "We moved")
    before = unchanged()
    with pytest.raises(Refusal) as refused:
        allowances.end(row, by=tree.ana, now=NOW + DAY)
    assert refused.value.code == "over"
    assert unchanged() == before


def test_what_is_turned_down_was_never_allowed(tree: Tree) -> None:
    row = allowances.end(ask(tree, tree.ana), by=tree.rita, now=NOW)

    assert row.state(NOW) == "refused"
    assert AuditEntry.objects.latest("id").verb == "allowance.turned-down"
    with pytest.raises(Refusal) as refused:
        allowances.grant(row, by=tree.rita, now=NOW)
    assert refused.value.code == "already"
