"""Rows of the gate's tables: a label, the facts, their verdict, and the rules that a row proves."""

from typing import Any

import pytest

from provisioning.gate import (
    Denial,
    Grant,
    HandOut,
    KeyKind,
    Outcome,
    RootFacts,
    State,
    Then,
    Verdict,
)
from security.networks import parse_address, parse_network
from tests.provisioning.gate_facts import (
    AWAY_ORIGIN,
    HOME,
    HOME_ORIGIN,
    HOUR,
    MINUTE,
    NOW,
    caller,
    device,
    window,
)


def case(label: str, facts: RootFacts, verdict: Verdict, *also: str) -> Any:
    """One row: it proves the rule of its verdict, and those that are named besides."""
    marks = [pytest.mark.rule(rule) for rule in (verdict.rule, *also)]
    return pytest.param(facts, verdict, id=f"{verdict.rule}: {label}", marks=marks)


def refused(rule: str, key: KeyKind | None = None, *, card: bool = False, **changes: Any) -> Verdict:
    return Verdict(Outcome.REFUSED, rule, key=key, card=card, **changes)


def waiting(rule: str, **changes: Any) -> Verdict:
    """Refused at a foreign origin, with a card and a key."""
    return refused(rule, KeyKind.LOCKED_MAC, card=True, **changes)


def claim(rule: str, **changes: Any) -> Verdict:
    """A claim that binds the phone to the caller's origin."""
    return Verdict(Outcome.BOOTSTRAP, rule, Then.CLAIM, **{"binds": True, **changes})


def unlocked(grant: Grant | None = None, **changes: Any) -> Any:
    given = grant or Grant(until=NOW + HOUR, origin=None, given_at=NOW - HOUR)
    return device(state=State.UNLOCKED, grant=given, **changes)


def at_home(**changes: Any) -> Any:
    return caller(HOME, **changes)


AT_HOME = Verdict(Outcome.BOOTSTRAP, "R4", Then.CLAIM)
REPEAT = Verdict(Outcome.BOOTSTRAP, "R4a", Then.REPEAT)
OPEN = (window(),)
ONCE_HERE = Grant(until=NOW + HOUR, origin=AWAY_ORIGIN, given_at=NOW - HOUR)
DENIED = Denial(AWAY_ORIGIN, since=NOW - HOUR, until=NOW + HOUR)
JUST_GIVEN = HandOut(at=NOW - MINUTE, origin=HOME_ORIGIN, used=False)
V6_HOME = parse_network("2001:db8:0:1::/64")
V6_CALLER = parse_address("2001:db8:0:1::beef")
V6_NEIGHBOUR = parse_address("2001:db8:0:2::beef")
V6_MAPPED = parse_address("::ffff:203.0.113.24")
