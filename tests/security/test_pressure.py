"""Section 6 sentence by sentence: what counts, the threshold, the ban, its end, an ALLOWED network."""

from typing import Any

import pytest

from provisioning.verdict import KeyKind
from security.networks import parse_address
from security.pressure import (
    LOCKED_MAC,
    RULES,
    TOGETHER,
    UNKNOWN_MAC,
    Ban,
    Facts,
    Key,
    Outcome,
    Rules,
    Width,
    is_spared,
    is_storm,
    judge,
    leaves_trace,
    places,
    stands,
    threshold,
)
from tests.security.pressing import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    OTHER,
    WIDE,
    at_home,
    facts,
    key,
    locked,
    spent,
    strangers,
)

SECOND = 1.0


def ban(count: int = 10, **changes: Any) -> Ban:
    """A first ban of an address by so many strangers, a minute old."""
    values: dict[str, Any] = {
        "since": NOW - MINUTE,
        "until": NOW - MINUTE + HOUR,
        "step": 1,
        "keys": tuple(strangers(count)),
        "width": Width.ORIGIN,
        "propose_block": False,
    }
    return Ban(**{**values, **changes})


# --- which failures are keys -------------------------------------------------------------------------------

COUNTS = [
    ("nothing failed", [], facts(), 0),
    ("an unknown MAC", [key(1)], facts(), 1),
    ("a token never issued", [key(1, "bad-token", label="3f9a01")], facts(), 1),
    ("a locked MAC from a foreign origin", locked(1), facts(), 1),
    (
        "a wrong agent and a wrong certificate",
        [key(1, "wrong-agent"), key(1, "wrong-certificate")],
        facts(),
        2,
    ),
    ("a wrong agent again, of the same MAC", [key(1, "wrong-agent")] * 2, facts(), 1),
    ("a wrong agent, of another MAC", [key(1, "wrong-agent"), key(2, "wrong-agent")], facts(), 2),
    ("all bad paths together", [key(n, "bad-path", label=f"/{n}") for n in range(9)], facts(), 1),
    ("all browser requests together", [key(n, "browser", label=f"/{n}") for n in range(9)], facts(), 1),
    ("bad paths and browser requests apart", [key(1, "bad-path"), key(1, "browser")], facts(), 2),
    ("one MAC asked for three times over", [key(1), key(1, at=NOW - 5), key(1, at=NOW)], facts(), 1),
    ("one MAC, unknown and a bad token's label", [key(1), key(1, "bad-token")], facts(), 2),
    ("a moment before the hour is over", [key(1, at=NOW - HOUR + SECOND)], facts(), 1),
    ("the hour is over", [key(1, at=NOW - HOUR)], facts(), 0),
    ("another edge's clock is ahead", [key(1, at=NOW + SECOND)], facts(), 1),
    ("it has counted a moment ago", [key(1)], facts(spent=spent([key(1)], NOW - SECOND)), 0),
    ("it has counted almost 7 days ago", [key(1)], facts(spent=spent([key(1)], NOW - 7 * DAY + SECOND)), 0),
    ("it has counted 7 days ago", [key(1)], facts(spent=spent([key(1)], NOW - 7 * DAY)), 1),
    ("another one has counted", [key(1)], facts(spent=spent([key(2)], NOW - SECOND)), 1),
    ("bad paths have counted", [key(7, "bad-path")], facts(spent=spent([key(8, "bad-path")], NOW)), 0),
    ("a locked MAC where ten phones of its account are proved", locked(1), at_home(10), 0),
    ("a locked MAC where nine are", locked(1), at_home(9), 1),
    ("a locked MAC where ten of another account are", locked(1, OTHER), at_home(10), 1),
    (
        "a locked MAC where ten are proved, of two accounts together",
        locked(1),
        facts(proved=10, proved_by_account={ACME: 5, OTHER: 5}),
        1,
    ),
    ("an account below that one", locked(1, ACME + "0001"), at_home(10), 1),
    ("a stranger where ten phones are proved", [key(1)], at_home(10), 1),
    ("a wrong agent where ten are", [key(1, "wrong-agent", account=ACME)], at_home(10), 1),
]


@pytest.mark.rule("B1")
@pytest.mark.parametrize(("case", "keys", "known", "count"), COUNTS)
def test_what_counts(case: str, keys: list[Key], known: Facts, count: int) -> None:
    assert len(judge(keys, known, NOW).counted) == count


def test_the_kinds_are_those_of_the_verdict() -> None:
    assert {UNKNOWN_MAC, LOCKED_MAC} == {KeyKind.UNKNOWN_MAC.value, KeyKind.LOCKED_MAC.value}
    assert {KeyKind.BAD_PATH.value, KeyKind.BROWSER.value} == TOGETHER


@pytest.mark.rule("B1")
def test_what_counted_is_told_the_oldest_first() -> None:
    young, old, older = key(1, at=NOW - 1), key(2, at=NOW - 2), key(3, at=NOW - 3)

    assert judge([old, young, older], facts(), NOW).counted == (older, old, young)


@pytest.mark.rule("B1")
@pytest.mark.parametrize(
    ("case", "address", "expected"),
    [
        ("IPv4 alone", "203.0.113.66", [(Width.ORIGIN, "203.0.113.66")]),
        (
            "IPv6 by /64, /56 and /48",
            "2001:db8:12:3456:7::8",
            [
                (Width.ORIGIN, "2001:db8:12:3456::/64"),
                (Width.NET_56, "2001:db8:12:3400::/56"),
                (Width.NET_48, "2001:db8:12::/48"),
            ],
        ),
        ("IPv4 in IPv6", "::ffff:203.0.113.66", [(Width.ORIGIN, "203.0.113.66")]),
    ],
)
def test_where_a_failure_is_counted(case: str, address: str, expected: list[tuple[Width, str]]) -> None:
    found = [(width, str(network)) for width, network in places(parse_address(address))]

    assert found == expected


# --- the threshold -----------------------------------------------------------------------------------------

THRESHOLDS = [
    ("nobody is proved", facts(), 10, "10"),
    ("nine are proved", facts(proved=9), 10, "10 + 0 of 9 proved"),
    ("ten are proved", facts(proved=10), 11, "10 + 1 of 10 proved"),
    ("story 0", facts(proved=2700), 280, "10 + 270 of 2,700 proved"),
    ("the last below the ceiling", facts(proved=4899), 499, "10 + 489 of 4,899 proved"),
    ("at the ceiling", facts(proved=4900), 500, "10 + 490 of 4,900 proved"),
    ("above it", facts(proved=20_000), 500, "500 at most, not 10 + 2,000 of 20,000 proved"),
    ("an open window", facts(window_devices=200), 30, "10 + 20 of 200 in an open window"),
    (
        "an open window at home",
        facts(proved=100, window_devices=200),
        40,
        "10 + 10 of 100 proved + 20 of 200 in an open window",
    ),
    (
        "a reseller's window is no allowance",
        facts(window_devices=100_000),
        500,
        "500 at most, not 10 + 10,000 of 100,000 in an open window",
    ),
    ("a /56", facts(width=Width.NET_56), 20, "2 times 10"),
    ("a /48", facts(width=Width.NET_48), 40, "4 times 10"),
    (
        "a /48 with a window",
        facts(width=Width.NET_48, window_devices=50),
        60,
        "4 times (10 + 5 of 50 in an open window)",
    ),
    ("a proved account is no proved device", facts(proved_by_account={ACME: 900}), 10, "10"),
    ("it was banned before", facts(earlier=(NOW - HOUR,)), 10, "10"),
]
ALLOWANCES = [
    ("an ALLOWED network", facts(allowed=True), 500, "500 in an allowed network"),
    ("ALLOWED, and 2,700 are proved", facts(allowed=True, proved=2700), 500, "500 in an allowed network"),
    ("ALLOWED, at the ceiling", facts(allowed=True, proved=4900), 500, "10 + 490 of 4,900 proved"),
    ("an ALLOWED /48", facts(allowed=True, width=Width.NET_48), 2000, "4 times (500 in an allowed network)"),
]


@pytest.mark.parametrize(
    ("case", "known", "value", "says"),
    [
        *(pytest.param(*row, marks=pytest.mark.rule("B1")) for row in THRESHOLDS),
        *(pytest.param(*row, marks=pytest.mark.rule("B8")) for row in ALLOWANCES),
    ],
)
def test_the_threshold_and_its_parts(case: str, known: Facts, value: int, says: str) -> None:
    needed = threshold(known)

    assert (needed.value, str(needed)) == (value, says)


@pytest.mark.rule("B1")
def test_other_rules_give_other_thresholds() -> None:
    rules = Rules(base=5, percent=20, most=100, allowed=300)

    values = [
        threshold(known, rules).value
        for known in (facts(), facts(proved=50), facts(proved=999), facts(allowed=True))
    ]

    assert values == [5, 15, 100, 300]


@pytest.mark.rule("B8")
def test_an_allowance_lowers_no_threshold() -> None:
    rules = Rules(most=1000)

    assert threshold(facts(proved=8000, allowed=True), rules).value == 810


# --- the ban -----------------------------------------------------------------------------------------------

BANS = [
    ("one below the threshold", strangers(9), facts(), None),
    ("at the threshold", strangers(10), facts(), 1),
    ("above it", strangers(400), facts(), 1),
    ("one below it at home", strangers(279), at_home(2700), None),
    ("at it at home", strangers(280), at_home(2700), 1),
    ("a second time in 24 h", strangers(10), facts(earlier=(NOW - 2 * HOUR,)), 2),
    ("a third", strangers(10), facts(earlier=(NOW - 2 * HOUR, NOW - 9 * HOUR)), 3),
    ("a fourth", strangers(10), facts(earlier=(NOW - 2 * HOUR, NOW - 9 * HOUR, NOW - 20 * HOUR)), 3),
    ("the first is almost 24 h ago", strangers(10), facts(earlier=(NOW - DAY + SECOND,)), 2),
    ("the first is 24 h ago", strangers(10), facts(earlier=(NOW - DAY,)), 1),
    ("it is banned", strangers(10), facts(banned_until=NOW + SECOND), None),
    ("its ban ends now", strangers(10), facts(banned_until=NOW), 1),
]


@pytest.mark.rule("B3")
@pytest.mark.parametrize(("case", "keys", "known", "step"), BANS)
def test_a_ban_and_its_length(case: str, keys: list[Key], known: Facts, step: int | None) -> None:
    judgement = judge(keys, known, NOW)

    if step is None:
        assert (judgement.outcome, judgement.ban) == (Outcome.NOTHING, None)
    else:
        length = {1: HOUR, 2: 4 * HOUR, 3: DAY}[step]
        proposed = step == 3
        given = Ban(NOW, NOW + length, step, judgement.counted, Width.ORIGIN, proposed)
        assert (judgement.outcome, judgement.ban) == (Outcome.BANNED, given)


@pytest.mark.rule("B1")
@pytest.mark.parametrize("width", WIDE)
@pytest.mark.parametrize(
    ("case", "changes", "banned"),
    [
        ("nobody lives in it", {}, True),
        ("a proved device lives in it", {"lived_in": True}, False),
        ("so does one that was counted", {"proved": 1}, False),
    ],
)
def test_a_wider_network_is_banned_where_nobody_lives(
    width: Width, case: str, changes: dict[str, Any], banned: bool
) -> None:
    known = facts(width=width, **changes)
    enough = strangers(10 * width.value)

    assert (judge(enough, known, NOW).outcome is Outcome.BANNED) is banned
    assert is_spared(known) is not banned
    assert judge(enough[1:], known, NOW).outcome is Outcome.NOTHING


@pytest.mark.rule("B1")
def test_an_address_is_banned_whoever_lives_there() -> None:
    judgement = judge(strangers(10), facts(proved=5, lived_in=True), NOW)

    assert judgement.outcome is Outcome.BANNED


@pytest.mark.rule("B1")
def test_what_does_not_count_makes_no_ban() -> None:
    had_counted = strangers(9)
    keys = [*had_counted, *locked(50), key(77, at=NOW - HOUR), *strangers(18)[9:]]

    judgement = judge(keys, at_home(10, spent=spent(had_counted, NOW - DAY)), NOW)

    assert (len(judgement.counted), judgement.threshold.value) == (9, 11)
    assert judgement.outcome is Outcome.NOTHING


# --- its end -----------------------------------------------------------------------------------------------

STANDING = [
    ("as it was given", ban(), facts(), True),
    ("nine proofs later", ban(), facts(proved=9), True),
    ("one of its keys was withdrawn (E4, E14)", ban(9), facts(), False),
    ("ten proofs later", ban(), facts(proved=10), False),
    ("200 strangers, 1,909 proofs", ban(200), facts(proved=1909), True),
    ("200 strangers, 1,910 proofs", ban(200), facts(proved=1910), False),
    ("a window has opened", ban(), facts(window_devices=10), False),
    ("its keys are older than an hour", ban(keys=tuple(strangers(10, at=NOW - DAY))), facts(), True),
    ("its keys have counted, for itself", ban(), facts(spent=spent(strangers(10), NOW - MINUTE)), True),
    ("locked MACs of phones that live elsewhere", ban(keys=tuple(locked(10))), at_home(9), True),
    ("they are cards now", ban(keys=(*strangers(10), *locked(5))), at_home(10), False),
    ("strangers enough without them", ban(keys=(*strangers(11), *locked(5))), at_home(10), True),
    ("its time is over", ban(until=NOW), facts(), False),
    ("a moment before", ban(until=NOW + SECOND), facts(), True),
    ("a ban of a /56", ban(20, width=Width.NET_56), facts(width=Width.NET_56), True),
    (
        "of a /56 where a phone is proved now",
        ban(20, width=Width.NET_56),
        facts(width=Width.NET_56, lived_in=True),
        False,
    ),
]


@pytest.mark.parametrize(
    ("case", "given", "known", "goes_on"),
    [
        *(pytest.param(*row, marks=pytest.mark.rule("B1")) for row in STANDING),
        pytest.param("ALLOWED now", ban(900), facts(allowed=True), False, marks=pytest.mark.rule("B8")),
    ],
)
def test_a_ban_is_judged_again(case: str, given: Ban, known: Facts, goes_on: bool) -> None:
    assert stands(given, known, NOW) is goes_on


# --- storms and ALLOWED networks ---------------------------------------------------------------------------


@pytest.mark.rule("B2")
@pytest.mark.parametrize(
    ("case", "at_once", "proved", "storm"),
    [
        ("nothing", 0, 0, False),
        ("an office", 99, 99, False),
        ("a hundred phones at once", 100, 100, True),
        ("story 0", 2700, 2700, True),
        ("a hundred of a thousand", 100, 1000, True),
        ("a hundred of a big campus, as every minute", 100, 1010, False),
    ],
)
def test_a_storm(case: str, at_once: int, proved: int, storm: bool) -> None:
    assert is_storm(at_once, proved) is storm


@pytest.mark.rule("B2")
def test_a_storm_brings_no_ban_nearer() -> None:
    for proved in range(0, 6000, 7):
        assert judge(strangers(9), at_home(proved), NOW).outcome is Outcome.NOTHING


@pytest.mark.rule("B2")
def test_known_macs_that_prove_nothing_shield_nobody() -> None:
    a_fleet = locked(300) * 3  # phones ask for the same file three times over

    alone = judge(strangers(10), facts(), NOW)
    among = judge([*strangers(10), *a_fleet], facts(), NOW)

    assert among.threshold == alone.threshold
    assert (alone.outcome, among.outcome) == (Outcome.BANNED, Outcome.BANNED)


@pytest.mark.rule("B8")
@pytest.mark.parametrize(("count", "outcome"), [(499, Outcome.NOTHING), (500, Outcome.ALERT)])
def test_in_an_allowed_network_a_ban_is_an_alert(count: int, outcome: Outcome) -> None:
    judgement = judge(strangers(count), at_home(2700, allowed=True), NOW)

    assert (judgement.outcome, judgement.ban, len(judgement.counted)) == (outcome, None, count)


@pytest.mark.rule("B8")
@pytest.mark.parametrize(
    ("case", "kind", "allowed", "unknown_macs", "trace"),
    [
        ("the 500th unknown MAC of an hour", UNKNOWN_MAC, True, 499, True),
        ("the 501st", UNKNOWN_MAC, True, 500, False),
        ("a known one then", LOCKED_MAC, True, 9000, True),
        ("a bad token then", "bad-token", True, 9000, True),
        ("anywhere else", UNKNOWN_MAC, False, 9000, True),
    ],
)
def test_what_leaves_a_trace(case: str, kind: str, allowed: bool, unknown_macs: int, trace: bool) -> None:
    assert leaves_trace(kind, allowed=allowed, unknown_macs=unknown_macs) is trace


def test_the_values_of_the_platform() -> None:
    assert (RULES.base, RULES.percent, RULES.most, RULES.allowed, RULES.crowd) == (10, 10, 500, 500, 10)
    assert (RULES.lengths, RULES.spent_for) == ((HOUR, 4 * HOUR, DAY), 7 * DAY)
