"""Policies over the API: what holds, from where, within which bounds, and who may change it."""

from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.roles import Role
from provisioning import policies
from provisioning.models import PolicyValue
from tests.world import World, actor, make_key, program, signed_in

POLICIES = "/api/v1/policies/"


def table(client: Any, account: str = "acme") -> dict[str, dict[str, Any]]:
    answer = client.get(POLICIES, {"account": account})
    assert answer.status_code == 200, answer.json()
    return {row["name"]: row for row in answer.json()}


def unchanged() -> tuple[Any, ...]:
    return list(PolicyValue.objects.values("account", "name", "value")), AuditEntry.objects.count()


def test_the_table_has_every_policy_with_its_words(world: World) -> None:
    rows = table(program(world.acme.key))

    assert list(rows) == list(policies.POLICIES)
    assert all(row["title"] and row["sentence"] and row["rules"] for row in rows.values())
    assert rows["user_unlock_ttl"] == {
        "name": "user_unlock_ttl",
        "title": "An end user's unlock",
        "sentence": "How long a phone may be set up again after Allow Reprovision, or its owner's button.",
        "rules": ["E2"],
        "kind": "hours",
        "value": 24,
        "default": 24,
        "lowest": 1,
        "highest": 48,
        "choices": None,
        "owner": "reseller; account only shorter or stricter",
        "may_change": "tighten",
        "ceiling": 24,
        "source": "built-in",
        "source_account": None,
    }
    assert (rows["match_user_agent"]["kind"], rows["match_user_agent"]["value"]) == ("switch", True)
    assert rows["first_fetch"]["choices"] == ["approval", "sites", "anywhere"]


def test_who_may_change_what_is_said_to_each(world: World) -> None:
    rita, ana, vic = (table(signed_in(user)) for user in (world.rita, world.ana, world.acme.viewer))
    names = ("window_max_hours", "manager_unlock_ttl", "fresh_ttl")

    assert [rita[name]["may_change"] for name in names] == ["give", "give", "give"]
    assert [ana[name]["may_change"] for name in names] == ["no", "tighten", "give"]
    assert [vic[name]["may_change"] for name in names] == ["no", "no", "no"]


def test_a_value_flows_down_and_names_no_account_that_the_reader_cannot_see(world: World) -> None:
    policies.set_value(world.harbour, by=actor(world.rita), name="window_max_hours", value=60)

    ana = table(program(world.acme.key))["window_max_hours"]
    rita = table(signed_in(world.rita))["window_max_hours"]
    of_harbour = table(signed_in(world.rita), "harbour")["window_max_hours"]

    assert (ana["value"], ana["source"], ana["source_account"]) == (60, "above", None)
    assert (rita["source"], rita["source_account"]) == ("above", "harbour")
    assert (of_harbour["source"], of_harbour["source_account"]) == ("here", "harbour")


def test_a_value_is_set_and_given_up(world: World) -> None:
    key = program(world.acme.key)

    put = key.put(f"{POLICIES}user_unlock_ttl/", {"account": "acme", "value": 6})
    held = policies.effective(world.acme.account).user_unlock_ttl
    gone = key.delete(f"{POLICIES}user_unlock_ttl/?account=acme")

    assert put.status_code == 200, put.json()
    assert (put.json()["value"], put.json()["source"], put.json()["ceiling"]) == (6, "here", 24)
    assert held.total_seconds() == 6 * 3600
    assert (gone.status_code, gone.json()["value"], gone.json()["source"]) == (200, 24, "built-in")
    assert not PolicyValue.objects.exists()


@pytest.mark.parametrize(
    ("case", "name", "value"),
    [
        ("longer than the provider's", "user_unlock_ttl", 25),
        ("beyond the bounds", "fresh_ttl", 721),
        ("no whole hours", "fresh_ttl", 1.5),
        ("a word for hours", "fresh_ttl", "7d"),
        ("hours for a switch", "origin_follows", 1),
        ("no such word", "first_fetch", "nowhere"),
        ("looser than the provider's", "shared_origin_reset", "allow"),
        ("nothing", "fresh_ttl", None),
    ],
)
def test_what_a_policy_cannot_be_changes_nothing(case: str, name: str, value: Any, world: World) -> None:
    before = unchanged()

    answer = program(world.acme.key).put(f"{POLICIES}{name}/", {"account": "acme", "value": value})

    assert answer.status_code == 400, case
    assert answer.json()["errors"][0]["attr"] in (name, "value")
    assert unchanged() == before


@pytest.mark.parametrize(
    ("case", "role", "name"),
    [
        ("a manager, the reseller's", Role.MANAGER, "window_max_hours"),
        ("a viewer, the account's", Role.VIEWER, "fresh_ttl"),
    ],
)
def test_who_may_not_is_told_so(case: str, role: Role, name: str, world: World) -> None:
    key = program(make_key(world.acme.account, role, world.ana))
    before = unchanged()

    put = key.put(f"{POLICIES}{name}/", {"account": "acme", "value": 5})
    gone = key.delete(f"{POLICIES}{name}/?account=acme")

    assert (put.status_code, gone.status_code) == (403, 403), case
    assert unchanged() == before


def test_a_policy_or_an_account_that_is_not_there(world: World) -> None:
    key = program(world.acme.key)

    assert key.put(f"{POLICIES}no_such/", {"account": "acme", "value": 5}).status_code == 404
    assert key.get(POLICIES).status_code == 400
    foreign, missing = (key.get(POLICIES, {"account": slug}) for slug in ("globex", "nowhere"))
    assert foreign.status_code == missing.status_code == 400
    assert foreign.json() == missing.json()
