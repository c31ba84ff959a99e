"""What if, beside a slow reading of the same rules: drawn traffic, and what drawn traffic seldom meets."""

import itertools
import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security.networks import Network, parse_address, parse_network
from security.pressure import (
    LOCKED_MAC,
    UNKNOWN_MAC,
    Ban,
    Facts,
    Key,
    Outcome,
    Rules,
    Width,
    judge,
    leaves_trace,
    places,
    stands,
)
from security.what_if import Event, Failed, Known, WouldBe, replay
from tests.security.pressing import ACME, DAY, HOUR, MINUTE, NOW, OTHER

KINDS = [UNKNOWN_MAC, UNKNOWN_MAC, LOCKED_MAC, "wrong-agent", "bad-token", "bad-path", "browser"]


class Live:
    """The live rules, slowly: every key kept, every judgement asked for."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.keys: dict[Network, list[Key]] = {}
        self.known: dict[int, Known] = {}
        self.spent: dict[Network, dict[tuple[str, str], float]] = {}
        self.earlier: dict[Network, list[float]] = {}
        self.bans: dict[Network, tuple[Ban, int]] = {}
        self.unknown: dict[tuple[Network, float], int] = {}
        self.over: list[WouldBe] = []
        self.ends: dict[Network, list[float]] = {}

    def facts(self, width: Width, network: Network) -> Facts:
        inside = [known for address, known in self.known.items() if address in network]
        accounts = inside[0].proved_by_account if width is Width.ORIGIN and inside else {}
        return Facts(
            width=width,
            proved=sum(known.proved for known in inside),
            proved_by_account=accounts,
            window_devices=sum(known.window_devices for known in inside),
            allowed=any(known.allowed for known in inside),
            earlier=tuple(self.earlier.get(network, [])),
            spent=self.spent.get(network, {}),
            banned_until=self.bans[network][0].until if network in self.bans else 0.0,
        )

    def play(self, events: Iterable[Event]) -> list[WouldBe]:
        for event in events:
            self.end_until(event.at)
            for width, network in self.step(event):
                facts = self.facts(width, network)
                judgement = judge(self.keys.get(network, []), facts, event.at, self.rules)
                if judgement.outcome is not Outcome.NOTHING:
                    spent = self.spent.setdefault(network, {})
                    spent.update((key.name, event.at) for key in judgement.counted)
                if judgement.ban is not None:
                    assert network not in self.bans
                    self.bans[network] = (judgement.ban, facts.proved)
                    self.earlier.setdefault(network, []).append(event.at)
        self.end_until(float("inf"))
        return self.over

    def step(self, event: Event) -> list[tuple[Width, Network]]:
        """Take in one event, and return the places that it gave a key to."""
        around = places(event.address)
        if isinstance(event, Failed):
            if any(network in self.bans for _, network in around):
                return []
            key = Key(event.kind, event.label, event.account, event.at)
            new = [(width, network) for width, network in around if self.is_new(network, key)]
            if not new or not self.leaves_trace(event):
                return []
            for _, network in new:
                self.keys.setdefault(network, []).append(key)
            return new
        self.known[around[0][1].first] = event
        for width, network in around:
            if network in self.bans:
                ban, hit = self.bans[network]
                facts = self.facts(width, network)
                self.bans[network] = (ban, max(hit, facts.proved))
                if not stands(ban, facts, event.at, self.rules):
                    self.end(network, event.at)
                    self.earlier[network].remove(ban.since)
                    for key in ban.keys:
                        del self.spent[network][key.name]
        return []

    def is_new(self, network: Network, key: Key) -> bool:
        return not any(
            held.name == key.name and key.at - held.at < HOUR for held in self.keys.get(network, [])
        )

    def leaves_trace(self, event: Failed) -> bool:
        known = self.known.get(places(event.address)[0][1].first)
        if known is None or known.allowed is None or event.kind != UNKNOWN_MAC:
            return True
        hour = (known.allowed, event.at // HOUR)
        count = self.unknown.get(hour, 0)
        if not leaves_trace(event.kind, allowed=True, unknown_macs=count, rules=self.rules):
            return False
        self.unknown[hour] = count + 1
        return True

    def end_until(self, now: float) -> None:
        for network, (ban, _) in sorted(
            self.bans.items(), key=lambda item: (item[1][0].until, item[1][0].since)
        ):
            if ban.until <= now:
                self.end(network, ban.until)

    def end(self, network: Network, at: float) -> None:
        ban, hit = self.bans.pop(network)
        self.over.append(WouldBe(network, ban, at, hit))


PLACES = [
    *("203.0.113.24", "198.51.100.7", "2001:db8::1"),
    *(f"2001:db8:0:{net}::1" for net in (1, 2, 3, 101, 102)),
]
NARROW = parse_network("203.0.113.0/24")
TINY = [
    Rules(base=2, percent=50, most=5, allowed=4, crowd=2, unknown_macs=3),
    Rules(base=2, percent=10, most=2, allowed=3, crowd=3, spent_for=2 * HOUR, unknown_macs=4),
    Rules(base=3, percent=0, lengths=(HOUR / 2, 2 * DAY), spent_for=HOUR / 2, allowed=4, crowd=2),
]
pauses = st.sampled_from([0.0, 0.0, 1.0, MINUTE, HOUR / 2, HOUR, 2 * HOUR])
happenings = st.one_of(
    *[
        st.builds(
            lambda pause, address, kind, label, account: (pause, Failed(0, address, kind, label, account)),
            pauses,
            st.sampled_from(PLACES).map(parse_address),
            st.sampled_from(kinds),
            st.sampled_from("abcdefghijklmnop"),
            st.sampled_from([ACME, OTHER]),
        )
        for kinds in ([UNKNOWN_MAC], [UNKNOWN_MAC, LOCKED_MAC], KINDS)
    ],
    st.builds(
        lambda pause, address, proved, by_account, window, allowed: (
            pause,
            Known(0, address, proved, by_account, window, allowed),
        ),
        pauses,
        st.sampled_from(PLACES).map(parse_address),
        st.sampled_from([0, 0, 1, 4, 8]),
        st.dictionaries(st.sampled_from([ACME, OTHER]), st.integers(1, 3), max_size=2),
        st.sampled_from([0, 0, 4]),
        st.sampled_from([None, None, NARROW]),
    ),
)


def in_time(happened: Iterable[tuple[float, Event]]) -> list[Event]:
    """The events one after the other, each so long after the one before."""
    at, events = NOW, []
    for pause, event in happened:
        at += pause
        events.append(event._replace(at=at))
    return events


@pytest.mark.rule("B3")
@settings(max_examples=60)
@given(st.lists(happenings, min_size=20, max_size=60), st.sampled_from(TINY))
def test_what_if_agrees_with_the_live_rules_step_by_step(
    happened: list[tuple[float, Event]], rules: Rules
) -> None:
    events = in_time(happened)

    replayed, live = list(replay(events, rules)), Live(rules).play(events)

    assert replayed == live


@pytest.mark.rule("B3")
@settings(max_examples=60)
@given(st.lists(happenings, min_size=20, max_size=60), st.sampled_from(TINY))
def test_nothing_lengthens_a_ban_and_nothing_is_banned_twice_at_once(
    happened: list[tuple[float, Event]], rules: Rules
) -> None:
    over = list(replay(in_time(happened), rules))

    assert [would_be.ended for would_be in over] == sorted(would_be.ended for would_be in over)
    for would_be in over:
        ban = would_be.ban
        assert ban.until - ban.since == rules.lengths[ban.step - 1]
        assert ban.since <= would_be.ended <= ban.until
    for network in {would_be.network for would_be in over}:
        spans = sorted((w.ban.since, w.ended) for w in over if w.network == network)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


@pytest.mark.rule("B3")
@pytest.mark.parametrize("seed", range(12))
def test_what_if_agrees_on_a_busy_day_of_a_48_too(seed: int) -> None:
    draw = random.Random(seed)
    homes = [parse_address(f"2001:db8:0:{net:x}::1") for net in (1, 2, 3, 0x101, 0x102, 0x201)]
    events: list[Event] = []
    for n in range(400):
        at, home = NOW + n * draw.choice([20.0, 200.0]) + n * 200, draw.choice(homes)
        if draw.random() < 0.02:
            events.append(Known(at, home, draw.choice([0, 0, 0, 1])))
        else:
            events.append(Failed(at, home, UNKNOWN_MAC, f"{draw.randrange(200):012x}"))
    events.sort(key=lambda event: event.at)
    rules = Rules(base=2, spent_for=8 * HOUR)

    replayed = list(replay(events, rules))

    assert replayed == Live(rules).play(events)
    assert {would_be.ban.width for would_be in replayed} >= {Width.ORIGIN, Width.NET_56}


# --- what the drawn traffic seldom meets -------------------------------------------------------------------

HERE, HOME = parse_address("203.0.113.24"), parse_address("2001:db8:0:1::1")


def tries(*labels: str, kind: str = UNKNOWN_MAC, every: float = 1.0) -> list[tuple[float, Event]]:
    return [(every, Failed(0, HERE, kind, label, ACME)) for label in labels]


def known_here(proved: int, after: float = 1.0, **changes: Any) -> tuple[float, Event]:
    return (after, Known(0, HERE, proved, {ACME: proved}, **changes))


FEW = Rules(base=3, percent=10, crowd=10, allowed=3, unknown_macs=4)
SCRIPTS = [
    ("three keys", tries(*"abc"), [(1, 3, False)]),
    ("cards count again when the crowd has gone", [known_here(10), *tries(*"abc", kind=LOCKED_MAC)], []),
    (
        "and a stranger comes then",
        [known_here(10), *tries(*"abc", kind=LOCKED_MAC), known_here(9), *tries("d")],
        [(1, 4, False)],
    ),
    (
        "what proofs end was never earned: its keys count again, and the step is the first",
        [*tries(*"abc"), known_here(10), *tries("d")],
        [(1, 3, True), (1, 4, False)],
    ),
    ("what time ends is spent", [*tries(*"abc"), *tries("c", "d", "e", every=HOUR)], [(1, 3, False)]),
    (
        "and the next is the second",
        [*tries(*"abc"), (HOUR, Known(0, HERE, 0)), *tries(*"def")],
        [(1, 3, False), (2, 3, False)],
    ),
    (
        "an alert spends its keys, and gives no ban when the allowance is over",
        [known_here(0, allowed=NARROW), *tries(*"abc"), known_here(0), *tries("d", "e")],
        [],
    ),
    (
        "beyond four unknown MACs an hour there is no key for when it is over",
        [known_here(0, allowed=NARROW), *tries(*"abcdefgh"), known_here(0), *tries("i")],
        [],
    ),
    (
        "the next hour has four of its own",
        [
            *[known_here(0, allowed=NARROW), *tries(*"abcd"), known_here(0, after=HOUR, allowed=NARROW)],
            *[*tries("e", "f"), known_here(0), *tries("g")],
        ],
        [(1, 3, False)],
    ),
]


@pytest.mark.rule("B3")
@pytest.mark.parametrize(("case", "happened", "expected"), SCRIPTS)
def test_what_if_tells_it_as_the_live_rules_do(
    case: str, happened: list[tuple[float, Event]], expected: list[tuple[int, int, bool]]
) -> None:
    events = in_time(happened)

    over = list(replay(events, FEW))

    assert over == Live(FEW).play(events)
    assert [(w.ban.step, len(w.ban.keys), w.ended < w.ban.until) for w in over] == expected


@pytest.mark.rule("B1")
def test_a_48_is_banned_once_its_last_phone_has_gone() -> None:
    scans = [
        (10.0, Failed(0, HOME + (n * 256 << 64), UNKNOWN_MAC, f"{n:012x}"))
        for n in range(1, 4 * FEW.base + 1)
    ]
    lived_in = in_time([(0.0, Known(0, HOME, 2)), *scans])
    left = in_time([(0.0, Known(0, HOME, 2)), (0.0, Known(0, HOME, 0)), *scans])

    assert list(replay(lived_in, FEW)) == Live(FEW).play(lived_in) == []
    [would_be] = replay(left, FEW)
    assert [would_be] == Live(FEW).play(left)
    assert would_be.ban.width is Width.NET_48
