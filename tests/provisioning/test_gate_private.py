"""Below a private URL: facts and verdicts for every rule of section 4, and both sides of each end."""

from typing import Any

import pytest

from provisioning.gate import (
    Asked,
    HandOut,
    KeyKind,
    Method,
    Outcome,
    PrivateFacts,
    State,
    Then,
    TokenKind,
    Verdict,
    as_root,
    decide_private,
    decide_root,
    is_claim,
)
from tests.provisioning.gate_facts import (
    AWAY,
    AWAY_ORIGIN,
    DAY,
    ELSEWHERE,
    HOME,
    HOME_ORIGIN,
    MINUTE,
    NOW,
    OFFICE,
    OFFICE_TOO,
    caller,
    device,
    private,
    root,
    token,
)


def case(label: str, facts: PrivateFacts, verdict: Verdict, *also: str) -> Any:
    """One row: it proves the rule of its verdict, and those that are named besides."""
    marks = [pytest.mark.rule(rule) for rule in (verdict.rule, *also)]
    return pytest.param(facts, verdict, id=f"{verdict.rule}: {label}", marks=marks)


def check_in(rule: str, **changes: Any) -> Verdict:
    return Verdict(Outcome.FULL, rule, Then.CHECK_IN, **changes)


def full(rule: str, **changes: Any) -> Verdict:
    return Verdict(Outcome.FULL, rule, **changes)


def refused(rule: str, **changes: Any) -> Verdict:
    return Verdict(Outcome.REFUSED, rule, **changes)


def entry(**changes: Any) -> Any:
    return token(TokenKind.ENTRY, **changes)


def former(**changes: Any) -> Any:
    """A token that a claim has replaced; it was given to AWAY and used there a day ago."""
    return token(TokenKind.FORMER, **{"origins": ((AWAY_ORIGIN, NOW - DAY),), **changes})


def replaced(**changes: Any) -> Any:
    """A former token after the new one's first use."""
    return former(superseded=True, until=NOW + DAY, **changes)


AS_ROOT = refused("T4", then=Then.AS_ROOT)
HERE, THERE = caller(HOME), caller(AWAY)

WHAT_HOLDS_HERE_TOO = [
    case("the address is unknown", private(token(), caller(None)), Verdict(Outcome.HELD, "G0"), "O0"),
    case("the store is away", private(None, known=False), Verdict(Outcome.HELD, "G6"), "O0"),
    case("overload", private(token(), overloaded=True), Verdict(Outcome.HELD, "G6"), "O0"),
    case("another method", private(token(), method=Method.OTHER), refused("O0")),
    case("HEAD has no effect", private(token(), method=Method.HEAD), full("O3"), "O0"),
    case("HEAD by a former token", private(former(), THERE, method=Method.HEAD), full("T2"), "O0"),
    case("HEAD raises no alarm", private(replaced(), THERE, method=Method.HEAD), full("T3"), "O0"),
    case("nor from an unknown place", private(replaced(), HERE, method=Method.HEAD), AS_ROOT, "O0"),
    case("an upload is dropped", private(token(), method=Method.UPLOAD), Verdict(Outcome.ACCEPTED, "O0")),
    case(
        "an upload under an override's name",
        private(token(), method=Method.UPLOAD, asked=Asked.NEVER),
        Verdict(Outcome.ACCEPTED, "O0"),
    ),
    case("an override", private(token(), asked=Asked.NEVER), refused("O0")),
    case("a common file", private(token(), asked=Asked.COMMON), Verdict(Outcome.COMMON, "G4")),
    case("a kept file is no check-in", private(token(), asked=Asked.KEPT), full("O3")),
    case("a phone book is no check-in", private(token(), asked=Asked.BOOK), full("O3")),
    case(
        "a browser's marks do not matter", private(token(), caller(HOME, browser=True)), check_in("O3"), "O0"
    ),
]

WHO_IS_SHUT_OUT = [
    case("disabled", private(token(enabled=False)), refused("O1")),
    case("quarantined", private(token(state=State.QUARANTINED)), refused("O1")),
    case("quarantined, by an entry token", private(entry(state=State.QUARANTINED)), refused("O1")),
    case("quarantined, by a former token", private(replaced(state=State.QUARANTINED), THERE), refused("O1")),
    case(
        "quarantined, an upload", private(token(state=State.QUARANTINED), method=Method.UPLOAD), refused("O1")
    ),
    case("retired gets its last file", private(token(state=State.RETIRED)), check_in("O3"), "O1"),
    case("blocked by a person", private(token(), caller(HOME, blocked=True)), refused("O2")),
    case("merely banned", private(token(), caller(HOME, banned=True)), check_in("O3"), "O2"),
    case("another device's file", private(token(), asked=Asked.FOREIGN), refused("T8")),
    case(
        "another device's file, HEAD",
        private(token(), asked=Asked.FOREIGN, method=Method.HEAD),
        refused("T8"),
    ),
    case(
        "another device's upload", private(token(), asked=Asked.FOREIGN, method=Method.UPLOAD), refused("T8")
    ),
    case(
        "another device's file, quarantined",
        private(token(state=State.QUARANTINED), asked=Asked.FOREIGN),
        refused("O1"),
        "T8",
    ),
]

CURRENT = [
    case("at home", private(token()), check_in("O3")),
    case("from a banned address", private(token(), caller(HOME, banned=True)), check_in("O3")),
    case("unlocked", private(token(state=State.UNLOCKED)), check_in("O3")),
    case("new again", private(token(state=State.NEW, bound=())), check_in("O3")),
    case("bound to nothing there is no drift", private(token(bound=()), THERE), check_in("O3"), "O4"),
    case("anywhere in its site", private(token(bound=(OFFICE, OFFICE_TOO)), THERE), check_in("O3"), "O4"),
    case("from another origin", private(token(), THERE), check_in("O4", drift=True)),
    case(
        "from another origin, banned", private(token(), caller(AWAY, banned=True)), check_in("O4", drift=True)
    ),
    case("HEAD from another origin is no drift", private(token(), THERE, method=Method.HEAD), full("O4")),
]

ENTRIES = [
    case("from its origin", private(entry()), full("T1"), "O5"),
    case("from its origin, banned", private(entry(), caller(HOME, banned=True)), full("T1"), "O5"),
    case("its last second", private(entry(until=NOW + 1)), full("T1")),
    case("its end", private(entry(until=NOW)), AS_ROOT, "T1"),
    case("from another origin", private(entry(), THERE), AS_ROOT, "T1", "O5"),
    case("from another address of its site", private(entry(bound=(OFFICE, OFFICE_TOO)), THERE), full("T1")),
    case("from beside its site", private(entry(bound=(OFFICE,)), THERE), AS_ROOT, "T1"),
    case("with no origin it opens nothing", private(entry(origin=None)), AS_ROOT, "T1"),
]

FORMERS = [
    case("before the new one's first use, from anywhere", private(former(), caller(ELSEWHERE)),
         check_in("T2", drift=True), "O5"),
    case("before the new one's first use, at home", private(former(), HERE), check_in("T2"), "O5"),
    case("long before, it has no end", private(former(origins=()), HERE), check_in("T2")),
    case("afterwards, where it was used", private(replaced(), THERE), check_in("T3", clone=True), "O5"),
    case("afterwards, from a banned address", private(replaced(), caller(AWAY, banned=True)),
         check_in("T3", clone=True), "O5"),
    case("afterwards, where it never was", private(replaced(), caller(ELSEWHERE)),
         refused("T4", then=Then.AS_ROOT, clone=True), "T3"),
    case("used there 30 days ago less a second",
         private(replaced(origins=((AWAY_ORIGIN, NOW - 30 * DAY + 1),)), THERE), check_in("T3", clone=True)),
    case("used there 30 days ago", private(replaced(origins=((AWAY_ORIGIN, NOW - 30 * DAY),)), THERE),
         refused("T4", then=Then.AS_ROOT, clone=True), "T3"),
    case("afterwards, from another address of the site that it was used in",
         private(replaced(bound=(OFFICE, OFFICE_TOO)), HERE), check_in("T3", clone=True)),
    case("afterwards, from a site that it was never used in",
         private(replaced(bound=(OFFICE,)), HERE),
         refused("T4", then=Then.AS_ROOT, clone=True), "T3"),
    case("the last second of the overlap", private(former(superseded=True, until=NOW + 1), THERE),
         check_in("T3", clone=True)),
    case("the end of the overlap", private(former(superseded=True, until=NOW), THERE), AS_ROOT, "T3"),
    case("its other files raise no alarm", private(replaced(), THERE, asked=Asked.KEPT), full("T3")),
    case("its phone book raises no alarm", private(replaced(), THERE, asked=Asked.BOOK), full("T3")),
]  # fmt: skip

THE_REST = [
    case("a dead token", private(token(TokenKind.DEAD)), AS_ROOT, "O6"),
    case("a dead token of a MAC on no device", private(token(TokenKind.DEAD, code="")), AS_ROOT, "O6"),
    case("one of a quarantined phone", private(token(TokenKind.DEAD, state=State.QUARANTINED)), AS_ROOT),
    case("a token that was never issued", private(None), refused("T5", key=KeyKind.BAD_TOKEN), "O6"),
    case("never issued, from a banned address", private(None, caller(AWAY, banned=True)),
         refused("T5", key=KeyKind.BAD_TOKEN), "O6"),
    case("never issued, asked for by a browser", private(None, caller(AWAY, browser=True)),
         refused("T5", key=KeyKind.BROWSER), "O6"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "verdict"), WHAT_HOLDS_HERE_TOO + WHO_IS_SHUT_OUT + CURRENT + ENTRIES + FORMERS + THE_REST
)
def test_private(facts: PrivateFacts, verdict: Verdict) -> None:
    assert decide_private(facts) == verdict


@pytest.mark.rule("T4")
def test_a_dead_token_from_its_own_place_is_a_claim() -> None:
    answer = as_root(decide_root(root(device(), caller(HOME))))

    assert answer == Verdict(Outcome.BOOTSTRAP, "R4", Then.CLAIM)


@pytest.mark.rule("T4")
@pytest.mark.parametrize(
    ("who", "phone", "rule", "card"),
    [
        pytest.param(caller(), device(), "R6", True, id="from elsewhere it waits for an approval"),
        pytest.param(caller(), None, "R11", False, id="its MAC is on no device"),
        pytest.param(caller(banned=True), device(), "G1", False, id="from a banned address"),
        pytest.param(caller(agent_family="beta"), device(), "R12", True, id="by another agent"),
    ],
)
def test_a_dead_token_never_counts_against_an_address(who: Any, phone: Any, rule: str, card: bool) -> None:
    answer = as_root(decide_root(root(phone, who)))

    assert answer == Verdict(Outcome.REFUSED, rule, card=card)


@pytest.mark.rule("T1")
def test_half_an_hour_of_repeats_hands_out_no_other_token() -> None:
    given = device(hand_out=HandOut(NOW - 30 * MINUTE + 1, HOME_ORIGIN, used=False))

    assert decide_root(root(given, HERE)).then is Then.REPEAT


@pytest.mark.rule("O3")
def test_a_check_in_asks_no_database() -> None:
    assert not is_claim(decide_private(private(token())))
