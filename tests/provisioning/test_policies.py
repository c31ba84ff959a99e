"""Policy values: defaults and bounds of the rules, who may change what, and how they flow down the tree."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import tenants
from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid
from provisioning import entering, gate, policies, policy_words
from provisioning.models import Lock, PolicyValue
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def tree() -> Tree:
    return plant()


def test_the_defaults_of_the_rules(tree: Tree) -> None:
    assert asdict(policies.effective(tree.acme)) == {
        "fresh_ttl": timedelta(days=7),
        "manager_unlock_ttl": timedelta(days=7),
        "user_unlock_ttl": timedelta(hours=24),
        "window_max_hours": 40,
        "token_overlap": timedelta(hours=48),
        "match_user_agent": True,
        "trust_factory_certificate": False,
        "quarantine_on_clone": False,
        "shared_origin_reset": "approve",
        "first_fetch": "anywhere",
        "poll_from_new_origin": "allow",
        "origin_follows": True,
        "full_over_http": False,
    }
    assert policies.effective(tree.acme).gate() == gate.Policies()


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("fresh_ttl", 1, 720),
        ("manager_unlock_ttl", 1, 720),
        ("user_unlock_ttl", 1, 48),
        ("window_max_hours", 1, 168),
        ("token_overlap", 0, 96),
    ],
)
def test_hours_have_the_bounds_of_the_rules(tree: Tree, name: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        policies.set_value(tree.harbour, by=tree.rita, name=name, value=value)
    for value in (lowest - 1, highest + 1, 1.5, True, "24", None):
        with pytest.raises(Invalid) as refusal:
            policies.set_value(tree.harbour, by=tree.rita, name=name, value=value)
        assert refusal.value.field == name

    assert PolicyValue.objects.get(name=name).value == {"given": highest}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("match_user_agent", 1),
        ("first_fetch", "everywhere"),
        ("shared_origin_reset", True),
        ("poll_from_new_origin", "refuse"),
        ("origin_follows", "on"),
        ("no_such_policy", 1),
    ],
)
def test_switches_and_words_are_what_they_are(tree: Tree, name: str, value: Any) -> None:
    with pytest.raises(Invalid):
        policies.set_value(tree.platform, by=tree.support, name=name, value=value)

    assert not PolicyValue.objects.exists()


def test_a_length_may_be_given_as_a_time(tree: Tree) -> None:
    policies.set_value(tree.acme, by=tree.ana, name="fresh_ttl", value=timedelta(days=2))

    assert policies.effective(tree.acme).fresh_ttl == timedelta(days=2)
    with pytest.raises(Invalid):
        policies.set_value(tree.acme, by=tree.ana, name="fresh_ttl", value=timedelta(minutes=90))


@pytest.mark.parametrize(
    ("name", "stricter", "looser"),
    [
        ("manager_unlock_ttl", 24, 240),
        ("user_unlock_ttl", 8, 48),
        ("match_user_agent", True, False),
        ("trust_factory_certificate", False, True),
        ("quarantine_on_clone", True, False),
        ("shared_origin_reset", "approve", "allow"),
    ],
)
def test_an_account_goes_only_shorter_or_stricter_than_its_reseller(
    tree: Tree, name: str, stricter: Any, looser: Any
) -> None:
    middle = {"manager_unlock_ttl": 100, "user_unlock_ttl": 12}.get(name, stricter)
    policies.set_value(tree.harbour, by=tree.rita, name=name, value=middle)

    policies.set_value(tree.acme, by=tree.ana, name=name, value=stricter)
    with pytest.raises(Invalid) as refusal:
        policies.set_value(tree.acme, by=tree.ana, name=name, value=looser)

    assert refusal.value.field == name
    assert PolicyValue.objects.get(account=tree.acme).value == {"own": stricter}


@pytest.mark.parametrize("name", ["window_max_hours", "token_overlap"])
def test_some_values_are_the_resellers_alone(tree: Tree, name: str) -> None:
    with pytest.raises(Forbidden):
        policies.set_value(tree.acme, by=tree.ana, name=name, value=20)

    policies.set_value(tree.acme, by=tree.rita, name=name, value=20)
    assert PolicyValue.objects.get().value == {"given": 20}


@pytest.mark.parametrize("name", ["fresh_ttl", "first_fetch", "poll_from_new_origin", "origin_follows"])
def test_some_values_are_the_accounts_own(tree: Tree, name: str) -> None:
    value = {"fresh_ttl": 700, "first_fetch": "sites", "poll_from_new_origin": "alert"}.get(name, False)

    policies.set_value(tree.acme, by=tree.ana, name=name, value=value)

    line = next(line for line in policies.table(tree.acme) if line.policy.name == name)
    assert (line.value, line.source) == (value, tree.acme)


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_nobody_else_changes_a_policy(tree: Tree, who: str) -> None:
    for name in policies.POLICIES:
        with pytest.raises(Forbidden):
            policies.set_value(
                tree.acme, by=getattr(tree, who), name=name, value=policies.POLICIES[name].default
            )
        with pytest.raises(Forbidden):
            policies.reset_value(tree.acme, by=getattr(tree, who), name=name)

    assert not PolicyValue.objects.exists()


def test_what_is_tightened_above_later_caps_what_an_account_has_chosen(tree: Tree) -> None:
    policies.set_value(tree.acme, by=tree.ana, name="manager_unlock_ttl", value=100)
    policies.set_value(tree.harbour, by=tree.rita, name="manager_unlock_ttl", value=50)
    assert policies.effective(tree.acme).manager_unlock_ttl == 50 * HOUR

    policies.set_value(tree.harbour, by=tree.rita, name="manager_unlock_ttl", value=200)
    assert policies.effective(tree.acme).manager_unlock_ttl == 100 * HOUR


def test_a_reseller_may_give_one_customer_more(tree: Tree) -> None:
    policies.set_value(tree.harbour, by=tree.rita, name="user_unlock_ttl", value=12)
    policies.set_value(tree.acme, by=tree.rita, name="user_unlock_ttl", value=48)
    policies.set_value(tree.acme, by=tree.ana, name="user_unlock_ttl", value=36)
    assert policies.effective(tree.acme).user_unlock_ttl == 36 * HOUR

    policies.reset_value(tree.acme, by=tree.ana, name="user_unlock_ttl")

    assert policies.effective(tree.acme).user_unlock_ttl == 48 * HOUR
    assert policies.effective(tree.globex).user_unlock_ttl == 12 * HOUR


def test_a_sub_account_inherits_what_its_customer_has_chosen(tree: Tree) -> None:
    north = tenants.create_account(tree.acme, by=tree.rita, slug="acme-north", name="Acme North")
    policies.set_value(tree.acme, by=tree.ana, name="manager_unlock_ttl", value=24)

    assert policies.effective(north).manager_unlock_ttl == 24 * HOUR
    with pytest.raises(Invalid):
        policies.set_value(north, by=tree.ana, name="manager_unlock_ttl", value=48)


def test_a_change_is_audited_and_reaches_the_locks_below(tree: Tree) -> None:
    phone = entering.enter(tree.acme, by=tree.ana, mac="00005e005301", family="poly", model="VVX450")
    other = entering.enter(tree.globex, by=tree.eve, mac="00005e005302", family="poly", model="VVX450")
    before = dict(Lock.objects.values_list("pk", "revision"))

    policies.set_value(tree.acme, by=tree.ana, name="fresh_ttl", value=2)

    after = dict(Lock.objects.values_list("pk", "revision"))
    assert (after[phone.pk] - before[phone.pk], after[other.pk]) == (1, before[other.pk])
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.details) == ("policy.changed", {"policy": "fresh_ttl", "old": 168, "new": 2})


def test_many_accounts_cost_one_query(tree: Tree) -> None:
    policies.set_value(tree.harbour, by=tree.rita, name="token_overlap", value=0)

    with CaptureQueriesContext(connection) as captured:
        found = policies.effective_many([tree.platform, tree.harbour, tree.acme, tree.globex])

    assert len(captured) == 1
    assert {pk: value.token_overlap for pk, value in found.items()} == {
        tree.platform.pk: 48 * HOUR,
        tree.harbour.pk: timedelta(0),
        tree.acme.pk: timedelta(0),
        tree.globex.pk: timedelta(0),
    }


def test_every_policy_has_its_words() -> None:
    assert list(policy_words.WORDS) == list(policies.POLICIES)
    assert {name: set(words.choices) for name, words in policy_words.WORDS.items()} == {
        name: set(policy.choices) for name, policy in policies.POLICIES.items()
    }


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("fresh_ttl", 168, "7 days"),
        ("fresh_ttl", 36, "36 hours"),
        ("fresh_ttl", 24, "24 hours"),
        ("fresh_ttl", 1, "1 hour"),
        ("token_overlap", 0, "0 hours"),
        ("origin_follows", False, "Off"),
        ("first_fetch", "sites", "From the sites and windows"),
    ],
)
def test_values_are_said_in_words(name: str, value: Any, words: str) -> None:
    assert policy_words.say(name, value) == words
