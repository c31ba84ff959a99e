"""Stories 0 and 2 in numbers: a campus after a power cut, a new office, and who tries what from where."""

import random
from bisect import bisect, bisect_left
from collections.abc import Iterable, Sequence

import pytest

from security.networks import Network, parse_address, parse_network
from security.pressure import LOCKED_MAC, UNKNOWN_MAC, Outcome, Width, judge, stands
from security.what_if import Event, Failed, Known, WouldBe, replay
from tests.security.pressing import ACME, DAY, HOUR, MINUTE, NOW, at_home, facts, locked, strangers

CAMPUS = parse_address("203.0.113.24")
THIEF = parse_address("198.51.100.7")


def stranger(at: float, number: int, address: int = CAMPUS) -> Failed:
    return Failed(at, address, UNKNOWN_MAC, f"{number:012x}")


def proofs(times: Iterable[float], address: int = CAMPUS, before: int = 0) -> list[Event]:
    """One phone of ACME after the other fetches its full file."""
    return [
        Known(at, address, before + count, {ACME: before + count})
        for count, at in enumerate(sorted(times), start=1)
    ]


def in_order(*events: Sequence[Event]) -> list[Event]:
    return sorted((event for part in events for event in part), key=lambda event: event.at)


def spans(over: Iterable[WouldBe]) -> list[tuple[float, float]]:
    """From when to when a ban stood, in hours after NOW."""
    return [((would_be.ban.since - NOW) / HOUR, (would_be.ended - NOW) / HOUR) for would_be in over]


# --- story 0 -----------------------------------------------------------------------------------------------


@pytest.mark.rule("B1")
def test_a_campus_with_history_powers_up_and_nobody_is_banned() -> None:
    draw = random.Random(1)
    known = [Known(NOW - DAY, CAMPUS, 2700, {ACME: 2700})]
    strange = [stranger(NOW + draw.random() * MINUTE, number) for number in range(200)]
    resets = [Failed(NOW + draw.random() * MINUTE, CAMPUS, LOCKED_MAC, f"{n:012x}", ACME) for n in range(300)]

    assert list(replay(in_order(known, strange, resets))) == []


@pytest.mark.rule("B1")
def test_at_that_campus_an_attacker_gets_eighty_macs_further() -> None:
    known = [Known(NOW - DAY, CAMPUS, 2700, {ACME: 2700})]
    strange = [stranger(NOW + number / 10, number) for number in range(200)]
    scan = [stranger(NOW + MINUTE + number / 100, 10_000 + number) for number in range(5000)]

    [would_be] = replay(in_order(known, strange, scan))

    assert (would_be.ban.since, would_be.hit) == (scan[79].at, 2700)
    assert (len(would_be.ban.keys), would_be.ban.step) == (280, 1)
    assert would_be.ended == would_be.ban.since + HOUR


@pytest.mark.rule("B1")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("strangers_within", [0.5, 20.0, 60.0], ids="strangers within {} s".format)
def test_at_a_fail_over_address_no_ban_outlives_ten_proofs_a_stranger(
    seed: int, strangers_within: float
) -> None:
    draw = random.Random(seed)
    proved = proofs(NOW + draw.random() * MINUTE for _ in range(2700))
    strange = [stranger(NOW + draw.random() * strangers_within, number) for number in range(200)]
    single_step = [
        Failed(NOW + draw.random() * MINUTE, CAMPUS, LOCKED_MAC, f"{n:012x}", ACME) for n in range(300)
    ]

    over = list(replay(in_order(proved, strange, single_step)))

    came = sorted(event.at for event in strange)
    outnumbered = [event.at for n, event in enumerate(proved, start=1) if n >= 10 * bisect(came, event.at)]
    assert len(outnumbered) > 500
    assert over or strangers_within > 1
    for would_be in over:
        assert bisect_left(outnumbered, would_be.ban.since) == bisect_left(outnumbered, would_be.ended)
    assert all(would_be.ended < NOW + MINUTE for would_be in over)
    assert {would_be.ban.step for would_be in over} <= {1}


@pytest.mark.rule("B1")
def test_ten_phones_of_the_account_turn_its_resets_into_cards() -> None:
    given = judge(locked(12), at_home(9), NOW).ban

    assert given is not None
    assert stands(given, at_home(9), NOW)
    assert not stands(given, at_home(10), NOW)
    assert judge(locked(300), at_home(10), NOW).counted == ()


# --- story 2: a new office ---------------------------------------------------------------------------------


def office(phones: int, days: int, every: float, seed: int = 3) -> list[Event]:
    """Phones that nobody has entered ask again and again, each in its own rhythm."""
    draw = random.Random(seed)
    events: list[Event] = []
    for phone in range(phones):
        at = NOW + draw.random() * MINUTE
        while at < NOW + days * DAY:
            events.append(stranger(at, phone))
            at += every * (0.9 + 0.2 * draw.random())
    return in_order(events)


@pytest.mark.rule("B3")
@pytest.mark.parametrize("every", [2 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR])
def test_fifteen_phones_that_nobody_entered_ban_their_office_for_an_hour_at_most(every: float) -> None:
    over = list(replay(office(15, 7, every)))

    assert [would_be.ban.step for would_be in over] == [1]
    assert [(would_be.ended - would_be.ban.since, would_be.hit) for would_be in over] == [(HOUR, 0)]
    assert not over[0].ban.propose_block


@pytest.mark.rule("B3")
def test_nine_never_do() -> None:
    assert list(replay(office(9, 7, 10 * MINUTE))) == []


@pytest.mark.rule("B3")
def test_the_fifteen_count_again_after_seven_days() -> None:
    over = list(replay(office(15, 14, 10 * MINUTE)))

    assert [round(start) for start, _ in spans(over)] == [0, 7 * 24]


# --- who tries alone ---------------------------------------------------------------------------------------


def scan(address: int, every: float, hours: float, first: int = 0) -> list[Event]:
    return [stranger(NOW + n * every, first + n, address) for n in range(int(hours * HOUR / every))]


@pytest.mark.rule("B3")
def test_a_scanner_gets_ten_macs_then_an_hour_then_four_then_a_day() -> None:
    over = list(replay(scan(THIEF, 5.0, 31)))

    assert [would_be.ban.step for would_be in over] == [1, 2, 3, 1, 2]
    assert [round(end - start) for start, end in spans(over)] == [1, 4, 24, 1, 4]
    assert [would_be.ban.propose_block for would_be in over] == [False, False, True, False, False]
    assert {len(would_be.ban.keys) for would_be in over} == {10}


@pytest.mark.rule("B1")
def test_eight_an_hour_is_not_seen_as_an_attack() -> None:
    assert list(replay(scan(THIEF, HOUR / 8, 7 * 24))) == []


@pytest.mark.rule("B1")
def test_fifty_addresses_of_a_24_are_banned_one_by_one() -> None:
    network = parse_network("198.51.100.0/24")
    events = in_order(*(scan(network.first + n, MINUTE, 1, first=1000 * n) for n in range(50)))

    over = list(replay(events))

    assert {would_be.network for would_be in over} == {
        Network(network.first + n, network.first + n) for n in range(50)
    }


@pytest.mark.rule("B1")
def test_fifty_64s_of_a_48_are_banned_together() -> None:
    first = parse_address("2001:db8:12::1")
    events = in_order(
        *(
            scan(first + (n * 256 << 64), HOUR / 8, 1, first=1000 * n) for n in range(50)
        )  # each in its own /56
    )

    [would_be] = replay(events)

    assert (would_be.ban.width, str(would_be.network)) == (Width.NET_48, "2001:db8:12::/48")
    assert len(would_be.ban.keys) == 40


@pytest.mark.rule("B1")
def test_a_customer_in_that_48_keeps_it_from_being_banned() -> None:
    first = parse_address("2001:db8:12::1")
    home = [Known(NOW - DAY, first + (0xFFFF << 64), 1, {ACME: 1})]
    scans = (scan(first + (n * 256 << 64), HOUR / 8, 1, first=1000 * n) for n in range(50))

    assert list(replay(in_order(home, *scans))) == []


@pytest.mark.rule("B8")
def test_in_an_allowed_network_a_scan_is_told_and_nobody_is_banned() -> None:
    network = parse_network("203.0.113.0/24")
    known = [Known(NOW - DAY, CAMPUS, 2700, {ACME: 2700}, 0, network)]

    assert list(replay(in_order(known, scan(CAMPUS, 1.0, 5)))) == []
    assert judge(strangers(500), facts(allowed=True), NOW).outcome is Outcome.ALERT
