"""What if: the failures and proofs of some weeks replayed under other thresholds, and the bans of that. Pure.

Every ban is given by `pressure.judge` and ended by `pressure.stands`, which the edge and the drain ask too; a
bound on what can count only saves asking for each of a million keys.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from security.networks import Network
from security.pressure import (
    DAY,
    HOUR,
    LOCKED_MAC,
    RULES,
    UNKNOWN_MAC,
    Ban,
    Facts,
    Key,
    Name,
    Outcome,
    Rules,
    Width,
    is_spared,
    judge,
    leaves_trace,
    places,
    stands,
    threshold,
)

NOBODY: Mapping[str, int] = MappingProxyType({})


class Failed(NamedTuple):
    """An address failed: a new key, or a repeat that adds nothing."""

    at: float
    address: int
    kind: str
    label: str
    account: str = ""


class Known(NamedTuple):
    """From now on so much is known of an address (of its IPv6 /64); it holds until the next one."""

    at: float
    address: int
    proved: int
    proved_by_account: Mapping[str, int] = NOBODY
    window_devices: int = 0
    allowed: Network | None = None


Event: TypeAlias = Failed | Known


@dataclass(frozen=True, slots=True)
class WouldBe:
    """A ban that would have been: of what, until when in truth, and how many proved phones it hits."""

    network: Network
    ban: Ban
    ended: float
    hit: int


def replay(events: Iterable[Event], rules: Rules = RULES) -> Iterator[WouldBe]:
    """Yield the bans that these rules would have given, in the order of their ends; events in order of time.

    What a live ban kept from becoming a key (G1) is on no record, so an address that was banned looks calmer
    here than it was: looser rules are judged too kindly for the time of the bans that there were.
    """
    return _Replay(rules).run(events)


class _Place:
    """An address, or an IPv6 /56 or /48, with its keys and what is known of it."""

    __slots__ = (
        "allowed",
        "ban",
        "bound",
        "by_account",
        "earlier",
        "hit",
        "keys",
        "known",
        "needed",
        "network",
        "proved",
        "spent",
        "width",
        "windows",
    )

    def __init__(self, width: Width, network: Network, rules: Rules) -> None:
        self.width = width
        self.network = network
        self.known: Known | None = None  # of an origin: what was said last
        self.proved = self.windows = self.allowed = 0  # of a wider network: the sum of its origins
        self.by_account: Mapping[str, int] = NOBODY
        self.keys: dict[Name, tuple[Key, bool]] = {}  # the oldest first, and whether it may count
        self.bound = 0  # how many may count: never fewer than do
        self.spent: dict[Name, float] = {}
        self.earlier: list[float] = []
        self.ban: Ban | None = None
        self.hit = 0
        self.needed = threshold(self.facts(), rules).value

    def facts(self) -> Facts:
        return Facts(
            width=self.width,
            proved=self.proved,
            proved_by_account=self.by_account,
            window_devices=self.windows,
            allowed=self.allowed > 0,
            earlier=tuple(self.earlier),
            spent=self.spent,
        )

    def may_count(self, key: Key, rules: Rules) -> bool:
        """False when the key cannot count as long as it is kept and nothing else becomes known."""
        spent = self.spent.get(key.name)
        if spent is not None and key.at + HOUR - spent <= rules.spent_for:
            return False
        return key.kind != LOCKED_MAC or self.by_account.get(key.account, 0) < rules.crowd

    def count_anew(self, rules: Rules) -> None:
        """Bound again what may count, after something else became known or a ban came or went."""
        self.keys = {name: (key, self.may_count(key, rules)) for name, (key, _) in self.keys.items()}
        self.bound = sum(may for _, may in self.keys.values())

    def forget(self, now: float, rules: Rules) -> bool:
        """Drop what decides nothing any more; True when nothing is left."""
        self.expire(now)
        self.spent = {name: at for name, at in self.spent.items() if now - at < rules.spent_for}
        self.earlier = [start for start in self.earlier if now - start < DAY]
        idle = not (self.keys or self.spent or self.earlier or self.ban)
        return idle and not (self.known or self.proved or self.windows or self.allowed)

    def expire(self, now: float) -> None:
        """Let go of the keys that have left the rolling hour."""
        while self.keys:
            name = next(iter(self.keys))
            key, may = self.keys[name]
            if now - key.at < HOUR:
                return
            del self.keys[name]
            self.bound -= may


class _Replay:
    """The state of all places between two events."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._places: dict[Network, _Place] = {}
        self._ends: list[tuple[float, int, _Place, Ban]] = []
        self._bans = 0
        self._unknown: dict[Network, tuple[float, int]] = {}  # unknown MACs of this hour, by ALLOWED network
        self._swept = 0.0
        self._over: list[WouldBe] = []

    def run(self, events: Iterable[Event]) -> Iterator[WouldBe]:
        for event in events:
            at = event.at
            if self._ends and self._ends[0][0] <= at:
                self._end_what_is_over(at)
            if at - self._swept >= HOUR:
                self._sweep(at)
            if isinstance(event, Failed):
                self._failed(event)
            else:
                self._know(event)
            if self._over:
                yield from self._over
                self._over.clear()
        self._end_what_is_over(float("inf"))
        yield from self._over

    def _at(self, address: int) -> list[_Place]:
        found = []
        for width, network in places(address):
            place = self._places.get(network)
            if place is None:
                place = self._places[network] = _Place(width, network, self._rules)
            found.append(place)
        return found

    def _failed(self, event: Failed) -> None:
        at, rules = event.at, self._rules
        around = self._at(event.address)
        if any(place.ban for place in around):
            return  # G1: adds no key
        key = Key(event.kind, event.label, event.account, at)
        name = key.name
        new = [place for place in around if name not in place.keys or at - place.keys[name][0].at >= HOUR]
        if not new or not self._leaves_trace(event, around[0]):
            return
        for place in new:
            place.expire(at)
            may = place.may_count(key, rules)
            place.keys[name] = (key, may)
            place.bound += may
        for place in new:
            self._judge(place, at)

    def _leaves_trace(self, event: Failed, origin: _Place) -> bool:
        network = origin.known.allowed if origin.known else None
        if network is None or event.kind != UNKNOWN_MAC:
            return True
        hour = event.at // HOUR
        since, count = self._unknown.get(network, (hour, 0))
        count = count if since == hour else 0
        if not leaves_trace(event.kind, allowed=True, unknown_macs=count, rules=self._rules):
            return False
        self._unknown[network] = (hour, count + 1)
        return True

    def _judge(self, place: _Place, at: float) -> None:
        """Ask for a judgement where there can be one that says something."""
        rules = self._rules
        if place.bound < place.needed:
            return
        facts = place.facts()
        if is_spared(facts):
            return
        held = [key for key, may in place.keys.values() if may]
        judgement = judge(held, facts, at, rules)
        if judgement.outcome is Outcome.NOTHING:
            return
        place.spent.update((key.name, at) for key in judgement.counted)
        if judgement.ban is not None:
            place.ban, place.hit = judgement.ban, place.proved
            place.earlier.append(at)
            self._bans += 1
            heapq.heappush(self._ends, (judgement.ban.until, self._bans, place, judgement.ban))
        place.count_anew(rules)

    def _know(self, event: Known) -> None:
        origin, *wider = self._at(event.address)
        was = origin.known or Known(event.at, event.address, 0)
        says = event.proved or event.proved_by_account or event.window_devices or event.allowed
        origin.known = event if says else None
        origin.proved, origin.windows = event.proved, event.window_devices
        origin.allowed = int(event.allowed is not None)
        for place in wider:
            place.proved += event.proved - was.proved
            place.windows += event.window_devices - was.window_devices
            place.allowed += (event.allowed is not None) - (was.allowed is not None)
        if origin.by_account != event.proved_by_account:
            origin.by_account = event.proved_by_account
            origin.count_anew(self._rules)
        for place in (origin, *wider):
            place.needed = threshold(place.facts(), self._rules).value
            if place.ban is not None:
                place.hit = max(place.hit, place.proved)
                if not stands(place.ban, place.facts(), event.at, self._rules):
                    self._end(place, place.ban, event.at, earned=False)

    def _end(self, place: _Place, ban: Ban, at: float, *, earned: bool) -> None:
        place.ban = None
        self._over.append(WouldBe(place.network, ban, at, place.hit))
        if not earned:
            place.earlier = [start for start in place.earlier if start != ban.since]
            for key in ban.keys:
                place.spent.pop(key.name, None)
            place.count_anew(self._rules)

    def _end_what_is_over(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            until, _, place, ban = heapq.heappop(self._ends)
            if place.ban is ban:
                self._end(place, ban, until, earned=True)

    def _sweep(self, now: float) -> None:
        """Once an hour: a month has seen far more addresses than matter at any time."""
        self._swept = now
        for network in [n for n, place in self._places.items() if place.forget(now, self._rules)]:
            del self._places[network]
