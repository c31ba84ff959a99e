"""The root URL: unlocks, windows, certificates, and who is left; both sides of each end."""

from dataclasses import replace
from typing import Any

import pytest

from provisioning.gate import (
    Grant,
    Outcome,
    Policies,
    RootFacts,
    Verdict,
    decide_root,
    is_claim,
)
from security.networks import Network
from tests.provisioning.gate_facts import (
    CODE,
    DAY,
    ELSEWHERE,
    HOME,
    HOME_ORIGIN,
    HOUR,
    NOW,
    caller,
    device,
    fresh,
    root,
    window,
)
from tests.provisioning.gate_rows import (
    AT_HOME,
    ONCE_HERE,
    OPEN,
    at_home,
    case,
    claim,
    refused,
    unlocked,
    waiting,
)

UNLOCKED_PHONES = [
    case("from any address", root(unlocked()), claim("R7", spends_grant=True)),
    case(
        "until first fetch has no end",
        root(unlocked(Grant(None, None, NOW - 90 * DAY))),
        claim("R7", spends_grant=True),
    ),
    case(
        "the second before its end",
        root(unlocked(Grant(NOW + 1, None, NOW - DAY))),
        claim("R7", spends_grant=True),
    ),
    case(
        "at its end it is locked",
        root(unlocked(Grant(NOW, None, NOW - DAY))),
        waiting("R6", unlock_expired=True),
        "R8",
        "R7",
    ),
    case(
        "the second after its end",
        root(unlocked(Grant(NOW - 1, None, NOW - DAY))),
        waiting("R6", unlock_expired=True),
        "R8",
    ),
    case(
        "after its end a window still admits",
        root(unlocked(Grant(NOW, None, NOW - DAY)), windows=OPEN),
        claim("R5", unlock_expired=True),
        "R8",
    ),
    case("for this address", root(unlocked(ONCE_HERE)), claim("R7", spends_grant=True)),
    case("for another address", root(unlocked(ONCE_HERE), caller(ELSEWHERE)), waiting("R9"), "R7"),
    case(
        "for any address, under suspicion",
        root(unlocked(suspicion_until=NOW + DAY)),
        waiting("R9"),
        "R7",
    ),
    case(
        "the second before suspicion ends",
        root(unlocked(suspicion_until=NOW + 1)),
        waiting("R9"),
        "R7",
    ),
    case("suspicion has ended", root(unlocked(suspicion_until=NOW)), claim("R7", spends_grant=True)),
    case(
        "for this address, under suspicion",
        root(unlocked(ONCE_HERE, suspicion_until=NOW + DAY)),
        claim("R7", spends_grant=True),
    ),
    case(
        "a window keeps an unlock for another address",
        root(unlocked(Grant(NOW + HOUR, HOME_ORIGIN, NOW - HOUR)), windows=OPEN),
        claim("R5"),
    ),
    case(
        "at a shared home an unlock admits",
        root(unlocked(), at_home(shared=True)),
        claim("R7", spends_grant=True),
    ),
    case(
        "at a shared home, without one for it",
        root(unlocked(ONCE_HERE), at_home(shared=True)),
        refused("R9", card=True),
    ),
    case(
        "a phone that was new has no binding to fall back to",
        root(unlocked(Grant(NOW, None, NOW - DAY), bound=()), at_home()),
        waiting("R6", unlock_expired=True),
        "R8",
    ),
]

WINDOWS = [
    case("the origin of a window", root(device(), windows=OPEN), claim("R5")),
    case("another origin", root(device(), caller(ELSEWHERE), windows=OPEN), waiting("R6"), "R5"),
    case("the second it opens", root(device(), windows=(window(starts=NOW),)), claim("R5")),
    case("the second before", root(device(), windows=(window(starts=NOW + 1),)), waiting("R6"), "R5"),
    case("its last second", root(device(), windows=(window(ends=NOW + 1),)), claim("R5")),
    case("the second it ends", root(device(), windows=(window(ends=NOW),)), waiting("R6"), "R5"),
    case("of an account above", root(device(), windows=(window(account_path="00010002"),)), claim("R5")),
    case(
        "of a sibling account",
        root(device(), windows=(window(account_path="000100020004"),)),
        waiting("R6"),
        "R5",
    ),
    case(
        "of an account below",
        root(device(), windows=(window(account_path="0001000200030001"),)),
        waiting("R6"),
        "R5",
    ),
    case("for its site", root(device(site="s1"), windows=(window(site="s1"),)), claim("R5")),
    case("for another site", root(device(site="s1"), windows=(window(site="s2"),)), waiting("R6"), "R5"),
    case("for a list with it", root(device(), windows=(window(devices=frozenset({CODE})),)), claim("R5")),
    case(
        "for a list without it", root(device(), windows=(window(devices=frozenset()),)), waiting("R6"), "R5"
    ),
    case("at home it is a reset", root(device(), at_home(), windows=(window(HOME_ORIGIN),)), AT_HOME),
    case(
        "at a shared home it admits",
        root(device(), at_home(shared=True), windows=(window(HOME_ORIGIN),)),
        claim("R5"),
    ),
    case("under suspicion", root(device(suspicion_until=NOW + DAY), windows=OPEN), claim("R5")),
    case("the second of two fits", root(device(), windows=(window(ends=NOW), window())), claim("R5")),
]

TRUSTING = Policies(trust_factory_certificate=True)
CERTIFICATES = [
    case(
        "its own certificate",
        root(device(policies=TRUSTING), caller(certificate_mac=device().mac)),
        claim("R5c", drops_grant=True),
    ),
    case("the policy is off", root(device(), caller(certificate_mac=device().mac)), waiting("R6"), "R5c"),
    case("no certificate", root(device(policies=TRUSTING)), waiting("R6"), "R5c"),
    case(
        "an unlock for this address comes first",
        root(unlocked(policies=TRUSTING), caller(certificate_mac=device().mac)),
        claim("R7", spends_grant=True),
    ),
]

LOCKED_PHONES = [
    case("a foreign origin", root(device()), waiting("R6")),
    case("the address beside it", root(device(), caller(HOME + 1)), waiting("R6")),
    case("locked to nothing", root(device(bound=()), at_home()), waiting("R6")),
    case("under suspicion", root(device(suspicion_until=NOW + DAY)), waiting("R6")),
]


@pytest.mark.parametrize(("facts", "verdict"), UNLOCKED_PHONES + WINDOWS + CERTIFICATES + LOCKED_PHONES)
def test_root(facts: RootFacts, verdict: Verdict) -> None:
    assert decide_root(facts) == verdict


@pytest.mark.parametrize(
    ("rule", "known", "who", "windows"),
    [
        pytest.param("R1", fresh(), caller(), (), marks=pytest.mark.rule("R1")),
        pytest.param("R2", fresh(armed_at=0), caller(), OPEN, marks=pytest.mark.rule("R2")),
        pytest.param("R4", device(), caller(HOME), (), marks=pytest.mark.rule("R4")),
        pytest.param("R5", device(), caller(), OPEN, marks=pytest.mark.rule("R5")),
        pytest.param("R7", unlocked(), caller(), (), marks=pytest.mark.rule("R7")),
        pytest.param(
            "R5c",
            device(policies=TRUSTING),
            caller(certificate_mac=device().mac),
            (),
            marks=pytest.mark.rule("R5c"),
        ),
    ],
)
@pytest.mark.parametrize(
    ("since_claim", "pressed", "held"),
    [
        pytest.param(0.0, False, True, id="in the same instant"),
        pytest.param(1.999, False, True, id="just before two seconds"),
        pytest.param(2.0, False, False, id="two seconds later"),
        pytest.param(HOUR, True, True, id="more than 50 claims a second from this origin"),
    ],
)
def test_a_claim_too_soon_is_held(
    rule: str, known: Any, who: Any, windows: Any, since_claim: float, pressed: bool, held: bool
) -> None:
    facts = root(
        replace(known, last_claim_at=NOW - since_claim), replace(who, claims_pressed=pressed), windows=windows
    )

    verdict = decide_root(facts)

    assert verdict.rule == rule
    assert verdict.outcome is (Outcome.HELD if held else Outcome.BOOTSTRAP)
    assert is_claim(verdict) is not held
    if held:
        assert verdict == Verdict(Outcome.HELD, rule)


@pytest.mark.rule("R6")
def test_a_refusal_is_not_held_by_pressure() -> None:
    facts = root(device(last_claim_at=NOW), caller(claims_pressed=True))

    assert decide_root(facts) == waiting("R6")


@pytest.mark.rule("R4")
def test_a_claim_whose_clock_is_ahead_is_not_waited_for() -> None:
    assert decide_root(root(device(last_claim_at=NOW + HOUR), at_home())) == AT_HOME


@pytest.mark.rule("R4")
@pytest.mark.parametrize("first", [HOME, HOME - 1])
def test_a_site_is_bound_as_it_is_now(first: int) -> None:
    facts = root(device(bound=(Network(first, HOME),)), at_home())

    assert decide_root(facts) == AT_HOME
