"""The root URL: who is never admitted, new phones, the bound origin; both sides of each end."""

import pytest

from provisioning.gate import (
    Asked,
    Denial,
    Grant,
    HandOut,
    KeyKind,
    Method,
    Outcome,
    Policies,
    RootFacts,
    State,
    Then,
    Verdict,
    decide_root,
)
from tests.provisioning.gate_facts import (
    AWAY_ORIGIN,
    DAY,
    HOME_ORIGIN,
    HOUR,
    MINUTE,
    NOW,
    OFFICE,
    OFFICE_TOO,
    OTHER_MAC,
    caller,
    device,
    fresh,
    root,
)
from tests.provisioning.gate_rows import (
    AT_HOME,
    DENIED,
    JUST_GIVEN,
    ONCE_HERE,
    OPEN,
    REPEAT,
    V6_CALLER,
    V6_HOME,
    V6_MAPPED,
    V6_NEIGHBOUR,
    at_home,
    case,
    claim,
    refused,
    unlocked,
    waiting,
)

BEFORE_THE_TABLE = [
    case(
        "a nonce that fits proves the address",
        root(None, asked=Asked.PROOF, nonce_fits=True),
        Verdict(Outcome.PROOF, "P"),
    ),
    case("without a nonce nothing is proved", root(None, asked=Asked.PROOF), refused("P")),
    case(
        "decided before a ban and a browser",
        root(None, caller(banned=True, blocked=True, browser=True), asked=Asked.PROOF, nonce_fits=True),
        Verdict(Outcome.PROOF, "P"),
    ),
    case(
        "the tenth of a minute",
        root(None, caller(proofs=9), asked=Asked.PROOF, nonce_fits=True),
        Verdict(Outcome.PROOF, "P"),
    ),
    case(
        "the eleventh of a minute",
        root(None, caller(proofs=10), asked=Asked.PROOF, nonce_fits=True),
        refused("P"),
    ),
    case("the address is unknown", root(device(), caller(None)), Verdict(Outcome.HELD, "G0")),
    case("unknown beats banned", root(device(), caller(None, banned=True)), Verdict(Outcome.HELD, "G0")),
    case("a banned address adds no key", root(None, caller(banned=True)), refused("G1")),
    case("a blocked address", root(device(), caller(blocked=True)), refused("G1")),
    case("a ban beats the bound origin", root(device(), at_home(banned=True)), refused("G1")),
    case("a ban beats a window", root(device(), caller(banned=True), windows=OPEN), refused("G1")),
    case("a ban beats common files", root(None, caller(banned=True), asked=Asked.COMMON), refused("G1")),
    case("a browser", root(device(), at_home(browser=True)), refused("G2", KeyKind.BROWSER)),
    case(
        "a browser on a bad path",
        root(None, caller(browser=True), asked=Asked.BAD_PATH),
        refused("G2", KeyKind.BROWSER),
    ),
    case("another method", root(device(), at_home(), method=Method.OTHER), refused("G3", KeyKind.BAD_PATH)),
    case("a path of no family", root(None, asked=Asked.BAD_PATH), refused("G3", KeyKind.BAD_PATH)),
    case(
        "a path of no family while the store is away",
        root(None, asked=Asked.BAD_PATH, known=False),
        refused("G3", KeyKind.BAD_PATH),
    ),
    case("a common file", root(None, asked=Asked.COMMON), Verdict(Outcome.COMMON, "G4")),
    case(
        "HEAD of a common file",
        root(None, asked=Asked.COMMON, method=Method.HEAD),
        Verdict(Outcome.COMMON, "G4"),
    ),
    case(
        "a common file needs no store",
        root(None, asked=Asked.COMMON, known=False),
        Verdict(Outcome.COMMON, "G4"),
    ),
    case("a common file that is never served", root(None, asked=Asked.ABSENT), refused("G4")),
    case(
        "an upload under a common file's name",
        root(None, method=Method.UPLOAD, asked=Asked.COMMON, names_mac=False),
        refused("G5"),
        "G4",
    ),
    case("an own file of a known phone", root(device(), asked=Asked.OWN), refused("G5")),
    case("an own file of a stranger", root(None, asked=Asked.OWN), refused("G5", KeyKind.UNKNOWN_MAC)),
    case("HEAD of a claiming file at home", root(device(), at_home(), method=Method.HEAD), refused("G5")),
    case(
        "HEAD of a stranger's claiming file",
        root(None, method=Method.HEAD),
        refused("G5", KeyKind.UNKNOWN_MAC),
    ),
    case("HEAD opens no new phone", root(fresh(), method=Method.HEAD), refused("G5")),
    case("an upload of a known phone", root(device(), method=Method.UPLOAD), refused("G5")),
    case("an upload of a stranger", root(None, method=Method.UPLOAD), refused("G5", KeyKind.UNKNOWN_MAC)),
    case(
        "an upload under a name without a MAC",
        root(None, method=Method.UPLOAD, asked=Asked.OWN, names_mac=False),
        refused("G5"),
    ),
    case("who is unknown is not known yet", root(None, asked=Asked.OWN, known=False), refused("G5")),
    case("the store is away", root(None, known=False), Verdict(Outcome.HELD, "G6")),
    case("the store is away, at home", root(device(), at_home(), known=False), Verdict(Outcome.HELD, "G6")),
    case("overload", root(device(), at_home(), overloaded=True), Verdict(Outcome.HELD, "G6")),
    case(
        "an answer that needs the database",
        root(device(), at_home(), database=False),
        Verdict(Outcome.HELD, "G6"),
    ),
    case(
        "a repeat needs it too",
        root(device(hand_out=JUST_GIVEN), at_home(), database=False),
        Verdict(Outcome.HELD, "G6"),
    ),
    case(
        "a single_step phone's poll does not",
        root(device(single_step=True), at_home(), database=False),
        Verdict(Outcome.BOOTSTRAP, "R4", Then.POLL),
    ),
    case("a refusal needs no database", root(device(), database=False), waiting("R6")),
]

WHO_IS_NEVER_ADMITTED = [
    case("an unknown MAC", root(None), refused("R11", KeyKind.UNKNOWN_MAC)),
    case("an unknown MAC in a window", root(None, windows=OPEN), refused("R11", KeyKind.UNKNOWN_MAC)),
    case("quarantined", root(device(state=State.QUARANTINED), at_home()), refused("R10")),
    case("quarantined, in a window", root(device(state=State.QUARANTINED), windows=OPEN), refused("R10")),
    case("retired", root(device(state=State.RETIRED), at_home()), refused("R10")),
    case("disabled", root(device(enabled=False), at_home()), refused("R10")),
    case("disabled, in a window", root(fresh(enabled=False), windows=OPEN), refused("R10")),
    case(
        "disabled, with its own certificate",
        root(
            device(enabled=False, policies=Policies(trust_factory_certificate=True)),
            caller(certificate_mac=device().mac),
        ),
        refused("R10"),
    ),
    case(
        "another phone's certificate, at home",
        root(device(), at_home(certificate_mac=OTHER_MAC)),
        refused("R13", KeyKind.WRONG_CERTIFICATE),
    ),
    case(
        "another phone's certificate, in a window",
        root(device(), caller(certificate_mac=OTHER_MAC), windows=OPEN),
        refused("R13", KeyKind.WRONG_CERTIFICATE),
    ),
    case(
        "an agent of another family",
        root(device(), at_home(agent_family="beta")),
        refused("R12", KeyKind.WRONG_AGENT, card=True),
    ),
    case(
        "an agent of no phone",
        root(device(), at_home(agent_family=None, agent_mac=None, agent_product="curl")),
        refused("R12", KeyKind.WRONG_AGENT, card=True),
    ),
    case(
        "an agent that names another MAC",
        root(fresh(), caller(agent_mac=OTHER_MAC)),
        refused("R12", KeyKind.WRONG_AGENT, card=True),
    ),
    case(
        "in a window too",
        root(device(), caller(agent_family="beta"), windows=OPEN),
        refused("R12", KeyKind.WRONG_AGENT, card=True),
    ),
    case("an agent that names no MAC", root(device(), at_home(agent_mac=None)), AT_HOME, "R12"),
    case(
        "the policy is off",
        root(device(policies=Policies(match_user_agent=False)), at_home(agent_family=None)),
        AT_HOME,
        "R12",
    ),
    case(
        "a person has accepted the product",
        root(
            device(accepted_agents=frozenset({"curl"})),
            at_home(agent_family=None, agent_mac=None, agent_product="curl"),
        ),
        AT_HOME,
        "R12",
    ),
    case("denied here", root(device(denied=(DENIED,))), refused("R14", KeyKind.LOCKED_MAC)),
    case(
        "denied at the bound origin adds no key",
        root(device(denied=(Denial(HOME_ORIGIN, NOW - HOUR, NOW + HOUR),)), at_home()),
        refused("R14"),
    ),
    case(
        "the second before a denial ends",
        root(device(denied=(Denial(AWAY_ORIGIN, NOW - HOUR, NOW + 1),))),
        refused("R14", KeyKind.LOCKED_MAC),
    ),
    case(
        "a denial has ended",
        root(device(denied=(Denial(AWAY_ORIGIN, NOW - HOUR, NOW),))),
        waiting("R6"),
        "R14",
    ),
    case("a window beats a denial", root(device(denied=(DENIED,)), windows=OPEN), claim("R5"), "R14"),
    case(
        "an unlock for any address does not",
        root(unlocked(denied=(DENIED,))),
        refused("R14", KeyKind.LOCKED_MAC),
    ),
    case(
        "an unlock for this very address since does",
        root(unlocked(Grant(NOW + HOUR, AWAY_ORIGIN, given_at=NOW - MINUTE), denied=(DENIED,))),
        claim("R7", spends_grant=True),
        "R14",
    ),
    case(
        "also when it is over by now",
        root(unlocked(Grant(NOW - 1, AWAY_ORIGIN, given_at=NOW - MINUTE), denied=(DENIED,))),
        waiting("R6", unlock_expired=True),
        "R14",
    ),
    case(
        "one given before the denial does not",
        root(unlocked(Grant(NOW + HOUR, AWAY_ORIGIN, given_at=NOW - 2 * HOUR), denied=(DENIED,))),
        refused("R14", KeyKind.LOCKED_MAC),
    ),
    case("denied for a new phone", root(fresh(denied=(DENIED,))), refused("R14", KeyKind.LOCKED_MAC)),
]

NEW_PHONES = [
    case("the first fetch", root(fresh()), claim("R1")),
    case("the armed second", root(fresh(armed_at=NOW)), claim("R1")),
    case("the second before it is armed", root(fresh(armed_at=NOW + 1)), waiting("R3a"), "R1"),
    case("the last fresh second", root(fresh(armed_at=NOW - 7 * DAY + 1)), claim("R1")),
    case(
        "the fresh time ends now", root(fresh(armed_at=NOW - 7 * DAY)), waiting("R3", then=Then.STALE), "R1"
    ),
    case("long stale", root(fresh(armed_at=NOW - 70 * DAY)), waiting("R3", then=Then.STALE)),
    case(
        "a fresh time of an hour",
        root(fresh(policies=Policies(fresh_ttl=HOUR))),
        waiting("R3", then=Then.STALE),
    ),
    case(
        "first fetch at a site, from the site",
        root(fresh(policies=Policies(first_fetch="sites"), account_sites=(OFFICE_TOO,))),
        claim("R1"),
    ),
    case(
        "first fetch at a site, from elsewhere",
        root(fresh(policies=Policies(first_fetch="sites"), account_sites=(OFFICE,))),
        waiting("R3b"),
        "R1",
    ),
    case(
        "first fetch by approval",
        root(fresh(policies=Policies(first_fetch="approval"))),
        waiting("R3b"),
        "R1",
    ),
    case(
        "by approval, long stale",
        root(fresh(policies=Policies(first_fetch="approval"), armed_at=NOW - 8 * DAY)),
        waiting("R3", then=Then.STALE),
    ),
    case("a window, whatever the clock says", root(fresh(armed_at=NOW + DAY), windows=OPEN), claim("R2")),
    case("a window over a stale phone", root(fresh(armed_at=NOW - 70 * DAY), windows=OPEN), claim("R2")),
    case(
        "a window where only approvals count",
        root(fresh(policies=Policies(first_fetch="approval")), windows=OPEN),
        claim("R2"),
    ),
    case("fresh in a window is its first fetch", root(fresh(), windows=OPEN), claim("R1")),
]

AT_THE_BOUND_ORIGIN = [
    case("a factory reset at home", root(device(), at_home()), AT_HOME),
    case("an IPv4 address inside IPv6", root(device(), caller(V6_MAPPED)), AT_HOME),
    case("the same /64", root(device(bound=(V6_HOME,)), caller(V6_CALLER)), AT_HOME),
    case("the /64 beside it", root(device(bound=(V6_HOME,)), caller(V6_NEIGHBOUR)), waiting("R6")),
    case("any network of the bound site", root(device(bound=(OFFICE, OFFICE_TOO))), AT_HOME),
    case("it keeps an unlock", root(unlocked(), at_home()), AT_HOME),
    case("it keeps one for another address", root(unlocked(ONCE_HERE), at_home()), AT_HOME),
    case(
        "after the unlock's end the binding is the previous one",
        root(unlocked(Grant(NOW, None, NOW - DAY)), at_home()),
        Verdict(Outcome.BOOTSTRAP, "R4", Then.CLAIM, unlock_expired=True),
        "R8",
    ),
    case("the sixth claim of a day", root(device(used_claims=(NOW - HOUR,) * 5), at_home()), AT_HOME),
    case(
        "the seventh waits for a person, without a key",
        root(device(used_claims=(NOW - HOUR,) * 6), at_home()),
        refused("R6", card=True),
        "R4",
    ),
    case(
        "claims of yesterday do not count",
        root(device(used_claims=(NOW - DAY,) * 6), at_home()),
        AT_HOME,
    ),
    case(
        "claims of the last second of a day do",
        root(device(used_claims=(NOW - DAY + 1,) * 6), at_home()),
        refused("R6", card=True),
        "R4",
    ),
    case(
        "a shared origin proves nothing", root(device(), at_home(shared=True)), refused("R6", card=True), "R4"
    ),
    case(
        "a shared origin that the reseller trusts",
        root(device(policies=Policies(shared_origin_reset="allow")), at_home(shared=True)),
        AT_HOME,
    ),
    case(
        "a single_step phone polls",
        root(device(single_step=True), at_home(shared=True)),
        Verdict(Outcome.BOOTSTRAP, "R4", Then.POLL),
    ),
    case(
        "a single_step phone polls as often as it likes",
        root(device(single_step=True, used_claims=(NOW - HOUR,) * 9, last_claim_at=NOW), at_home()),
        Verdict(Outcome.BOOTSTRAP, "R4", Then.POLL),
    ),
    case("a single_step phone elsewhere", root(device(single_step=True)), waiting("R6")),
]

REPEATS = [
    case("asked again a minute later", root(device(hand_out=JUST_GIVEN), at_home()), REPEAT),
    case(
        "the second before half an hour",
        root(device(hand_out=HandOut(NOW - 30 * MINUTE + 1, HOME_ORIGIN, False)), at_home()),
        REPEAT,
    ),
    case(
        "after half an hour it is a claim",
        root(device(hand_out=HandOut(NOW - 30 * MINUTE, HOME_ORIGIN, False)), at_home()),
        AT_HOME,
        "R4a",
    ),
    case(
        "once the token was used it is a claim",
        root(device(hand_out=HandOut(NOW - MINUTE, HOME_ORIGIN, True)), at_home()),
        AT_HOME,
        "R4a",
    ),
    case("at a shared origin too", root(device(hand_out=JUST_GIVEN), at_home(shared=True)), REPEAT),
    case(
        "within two seconds and under pressure too",
        root(device(hand_out=JUST_GIVEN, last_claim_at=NOW), at_home(claims_pressed=True)),
        REPEAT,
    ),
    case("it keeps an unlock", root(unlocked(hand_out=JUST_GIVEN), at_home()), REPEAT),
    case(
        "given elsewhere is no repeat",
        root(device(hand_out=HandOut(NOW - MINUTE, AWAY_ORIGIN, False)), at_home()),
        AT_HOME,
        "R4a",
    ),
    case("nobody else gets the repeat", root(device(hand_out=JUST_GIVEN)), waiting("R6"), "R4a"),
    case(
        "the place that the phone was taken back from",
        root(device(hand_out=HandOut(NOW - MINUTE, AWAY_ORIGIN, False))),
        waiting("R6"),
        "R4a",
    ),
    case(
        "a site is one origin",
        root(device(bound=(OFFICE, OFFICE_TOO), hand_out=HandOut(NOW - MINUTE, HOME_ORIGIN, False))),
        REPEAT,
    ),
    case(
        "a site that the hand-out was not for",
        root(device(bound=(OFFICE_TOO,), hand_out=JUST_GIVEN)),
        AT_HOME,
        "R4a",
    ),
]


@pytest.mark.parametrize(
    ("facts", "verdict"),
    BEFORE_THE_TABLE + WHO_IS_NEVER_ADMITTED + NEW_PHONES + AT_THE_BOUND_ORIGIN + REPEATS,
)
def test_root(facts: RootFacts, verdict: Verdict) -> None:
    assert decide_root(facts) == verdict
