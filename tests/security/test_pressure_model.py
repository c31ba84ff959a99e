"""What holds for all traffic whatsoever: hypothesis on pressure, and "what if" beside a slow reading."""

import itertools
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
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
    threshold,
)
from security.what_if import Event, Failed, Known, WouldBe, replay
from tests.provisioning import gate_facts
from tests.security.pressing import ACME, DAY, HOUR, MINUTE, NOW, OTHER, locked, strangers

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


# --- what if, beside a second reading that judges every key with everything ---------------------------------


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
