"""What holds for all keys and facts whatsoever, and that healthy phones are never a key: hypothesis."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.gate import (
    Asked,
    Method,
    State,
    TokenKind,
    decide_private,
    decide_root,
)
from provisioning.gate import (
    Outcome as Answer,
)
from security.networks import parse_address
from security.pressure import (
    LOCKED_MAC,
    UNKNOWN_MAC,
    Facts,
    Key,
    Outcome,
    Rules,
    Width,
    judge,
    stands,
    threshold,
)
from tests.provisioning import gate_facts
from tests.security.pressing import ACME, DAY, HOUR, NOW, OTHER, locked, strangers

# Few labels and few moments, so that they meet.
KINDS = [UNKNOWN_MAC, UNKNOWN_MAC, LOCKED_MAC, "wrong-agent", "bad-token", "bad-path", "browser"]
AGES = [-1.0, 0.0, 1.0, HOUR - 1, HOUR, DAY]

keys = st.builds(
    Key,
    kind=st.sampled_from(KINDS),
    label=st.sampled_from([f"{n:012x}" for n in range(12)]),
    account=st.sampled_from(["", ACME, OTHER]),
    at=st.sampled_from(AGES).map(lambda age: NOW - age),
)
names = st.tuples(st.sampled_from(KINDS), st.sampled_from([f"{n:012x}" for n in range(12)]))
known = st.builds(
    Facts,
    width=st.sampled_from(Width),
    proved=st.integers(0, 60),
    proved_by_account=st.dictionaries(st.sampled_from([ACME, OTHER]), st.integers(8, 12), max_size=2),
    window_devices=st.sampled_from([0, 0, 30]),
    allowed=st.sampled_from([False, False, True]),
    lived_in=st.booleans(),
    earlier=st.lists(st.sampled_from([NOW - HOUR, NOW - DAY + 1, NOW - DAY]), max_size=3).map(tuple),
    spent=st.dictionaries(names, st.sampled_from([NOW - 1, NOW - 7 * DAY + 1, NOW - 7 * DAY]), max_size=4),
    banned_until=st.sampled_from([0.0, 0.0, NOW, NOW + 1]),
)
SMALL = Rules(base=3, percent=10, most=6, allowed=6)


@pytest.mark.rule("B1")
@given(st.data(), st.lists(keys, max_size=30), known)
def test_the_order_of_keys_and_their_repeats_mean_nothing(data: Any, held: list[Key], facts: Facts) -> None:
    other = data.draw(st.permutations(held)) + data.draw(
        st.lists(st.sampled_from(held or [None]), max_size=5)
    )

    assert judge([key for key in other if key], facts, NOW, SMALL) == judge(held, facts, NOW, SMALL)


@pytest.mark.rule("B1")
@given(st.lists(keys, max_size=30), known, st.integers(0, 500), st.integers(0, 500))
def test_a_proof_never_brings_a_ban_nearer(held: list[Key], facts: Facts, proofs: int, served: int) -> None:
    later = replace(facts, proved=facts.proved + proofs, window_devices=facts.window_devices + served)

    before, after = judge(held, facts, NOW, SMALL), judge(held, later, NOW, SMALL)

    assert after.threshold.value >= before.threshold.value
    assert before.ban is not None or after.ban is None


@pytest.mark.rule("B1")
@given(st.lists(keys, max_size=30), known)
def test_what_was_just_earned_stands_and_what_stands_is_earned(held: list[Key], facts: Facts) -> None:
    proved = facts.proved if facts.width is Width.ORIGIN else 0
    facts = replace(facts, proved=proved, lived_in=False, allowed=False, banned_until=0.0)

    judgement = judge([*strangers(40), *held], facts, NOW, SMALL)

    assert judgement.ban is not None
    assert len(judgement.counted) >= threshold(facts, SMALL).value
    assert stands(judgement.ban, facts, NOW, SMALL)
    assert not stands(judgement.ban, facts, judgement.ban.until, SMALL)


@pytest.mark.rule("B2")
@given(st.lists(keys, max_size=30), known, st.integers(0, 60), st.sampled_from([ACME, OTHER]))
def test_known_macs_that_prove_nothing_change_no_threshold(
    held: list[Key], facts: Facts, fleet: int, account: str
) -> None:
    alone, among = judge(held, facts, NOW, SMALL), judge([*held, *locked(fleet, account)], facts, NOW, SMALL)

    assert among.threshold == alone.threshold
    assert set(alone.counted) <= set(among.counted)
    assert alone.outcome is Outcome.NOTHING or among.outcome is alone.outcome


# --- healthy phones are never a key ------------------------------------------------------------------------

ADDRESSES = ["203.0.113.24", "198.51.100.7", "2001:db8:0:1::7"]
anywhere = st.sampled_from(ADDRESSES).map(parse_address)
ways = st.sampled_from([Method.GET, Method.GET, Method.HEAD, Method.UPLOAD])
moments = st.integers(0, 90 * 60).map(lambda seconds: gate_facts.NOW - seconds)
below_its_url = st.builds(
    lambda at, address, kind, asked, method, superseded, banned: decide_private(
        gate_facts.private(
            gate_facts.token(kind, superseded=superseded),
            gate_facts.caller(address, banned=banned),
            now=at,
            asked=asked,
            method=method,
        )
    ),
    moments,
    anywhere,
    st.sampled_from([TokenKind.CURRENT, TokenKind.CURRENT, TokenKind.FORMER, TokenKind.DEAD]),
    st.sampled_from([Asked.FULL, Asked.FULL, Asked.KEPT, Asked.NEVER, Asked.FOREIGN]),
    ways,
    st.booleans(),
    st.booleans(),
)
at_its_origin = st.builds(
    lambda at, single_step, asked, method, state: decide_root(
        gate_facts.root(
            gate_facts.device(single_step=single_step, state=state),
            gate_facts.caller(gate_facts.HOME),
            now=at,
            asked=asked,
            method=method,
        )
    ),
    moments,
    st.booleans(),
    st.sampled_from([Asked.CLAIMING, Asked.CLAIMING, Asked.OWN, Asked.COMMON, Asked.ABSENT]),
    ways,
    st.sampled_from([State.LOCKED, State.UNLOCKED]),
)


@pytest.mark.rule("B2")
@given(st.lists(below_its_url | at_its_origin, min_size=1, max_size=60))
def test_healthy_traffic_adds_no_key_at_any_rate_in_any_order(answers: list[Any]) -> None:
    failed = [Key(answer.key.value, "", "", NOW) for answer in answers if answer.key is not None]

    assert failed == []
    assert {answer.outcome for answer in answers} <= set(Answer) - {Answer.HELD}
