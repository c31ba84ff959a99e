"""The button beside a line of the log: one that helps now, that the reader may press, for every rule."""

from typing import Any

import pytest

from accounts.roles import POWERS, Role
from provisioning import sentences
from provisioning.remedies import Remedy, Situation, remedy

MANAGER, VIEWER = POWERS[Role.MANAGER], POWERS[Role.VIEWER]
RESELLER, SUPPORT = POWERS[Role.RESELLER], POWERS[Role.SUPPORT]

#: What a manager is offered for a locked phone of which nothing else is known; no line: no button.
REFUSED = {
    "G2": Remedy.CHECK_ADDRESS,
    "G3": Remedy.ADDRESSES_TO_ENTER,
    "R3": Remedy.REARM,
    "R3a": Remedy.REARM,
    "R3b": Remedy.UNLOCK_HERE,
    "R6": Remedy.UNLOCK_HERE,
    "R9": Remedy.UNLOCK_HERE,
    "R12": Remedy.CHECK_ADDRESS,
    "R13": Remedy.CHECK_ADDRESS,
    "R14": Remedy.UNLOCK_HERE,
    "O6": Remedy.UNLOCK_HERE,
    "T5": Remedy.CHECK_ADDRESS,
    "T8": Remedy.CHECK_ADDRESS,
}


def helps(rule: str, outcome: str = "refused", state: str = "locked", **more: Any) -> Remedy | None:
    return remedy(Situation(rule, outcome, state, **{"powers": MANAGER, **more}))


@pytest.mark.parametrize("rule", sentences.RULES)
@pytest.mark.parametrize("outcome", ["refused", "held", "full", "bootstrap", "common", "accepted", "proof"])
def test_every_answer_of_every_rule_has_its_button_or_none(rule: str, outcome: str) -> None:
    wanted = REFUSED.get(rule) if outcome == "refused" else None

    assert helps(rule, outcome) is wanted


@pytest.mark.parametrize("rule", sentences.RULES)
@pytest.mark.parametrize("state", ["new", "unlocked", "locked", "quarantined", "retired", "disabled"])
def test_nobody_is_offered_what_he_may_not_do(rule: str, state: str) -> None:
    """An end user gets nothing, a viewer at most a page to read."""
    facts: dict[str, Any] = {"has_card": True, "banned": True, "blocked": True, "has_clone": True}
    reads = {None, Remedy.CHECK_ADDRESS, Remedy.ADDRESSES_TO_ENTER}

    for outcome in ("refused", "full"):
        assert helps(rule, outcome, state, powers=frozenset(), **facts) is None
        assert helps(rule, outcome, state, powers=VIEWER, **facts) in reads


@pytest.mark.parametrize("rule", ["R3", "R3a", "R3b", "R6", "R9", "R12", "O6"])
def test_an_open_card_for_this_address_is_answered(rule: str) -> None:
    assert helps(rule, has_card=True) is Remedy.APPROVE


@pytest.mark.parametrize("rule", ["R3", "R3a", "R3b", "R6", "R9", "R14", "O6"])
@pytest.mark.parametrize("done", ["let_in", "settled"])
def test_what_has_been_done_is_not_offered_again(rule: str, done: str) -> None:
    assert helps(rule, has_card=True, **{done: True}) is None


@pytest.mark.parametrize("rule", ["R6", "R10", "R12", "R14", "O1"])
def test_what_is_shut_is_opened_first(rule: str) -> None:
    facts: dict[str, Any] = {"has_card": True, "powers": RESELLER}

    assert helps(rule, state="quarantined", **facts) is Remedy.RELEASE
    assert helps(rule, state="disabled", **facts) is Remedy.ENABLE
    assert helps(rule, state="retired", **facts) is Remedy.REARM
    assert helps(rule, state="quarantined") is None  # a manager has to ask


def test_an_unknown_name_is_not_helped_by_an_unlock() -> None:
    assert helps("R12", let_in=True) is Remedy.CHECK_ADDRESS
    assert helps("R12", let_in=True, has_card=True) is Remedy.APPROVE


def test_under_suspicion_nobody_makes_the_phone_new() -> None:
    assert helps("R3", suspected=True) is Remedy.UNLOCK_HERE
    assert helps("R6", suspected=True) is Remedy.UNLOCK_HERE


def test_a_first_fetch_from_elsewhere_needs_a_site_or_a_window() -> None:
    assert helps("R3b", state="new", sites_only=True) is Remedy.ADD_TO_SITE
    assert helps("R3b", state="new") is Remedy.OPEN_WINDOW


def test_a_ban_is_lifted_by_support_and_by_whoever_is_there() -> None:
    assert helps("G1", banned=True, powers=SUPPORT) is Remedy.LIFT_BAN
    assert helps("G1", banned=True, is_mine=True) is Remedy.UNBLOCK_MINE
    assert helps("G1", banned=True) is Remedy.CHECK_ADDRESS
    assert helps("G1", is_mine=True) is None  # it is over


@pytest.mark.parametrize("rule", ["G1", "O2"])
def test_a_block_is_lifted_by_support_alone(rule: str) -> None:
    assert helps(rule, blocked=True, powers=SUPPORT) is Remedy.LIFT_BAN
    assert helps(rule, blocked=True, is_mine=True) is Remedy.CHECK_ADDRESS
    assert helps("O2", banned=True, powers=SUPPORT) is None


def test_a_suspected_clone_is_answered_where_it_was_served() -> None:
    assert helps("T3", "full", has_clone=True) is Remedy.ANSWER_CLONE
    assert helps("T3", "full") is None
