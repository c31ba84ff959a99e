"""Strangers alone at an address: what each of them tries, how fast, from where, and what came of it.

The strongest of their kind: who is banned knows to the second when he is let in again, and is back then.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from provisioning import pressed
from provisioning.gate import Outcome
from security.networks import parse_address
from tests.attacks.scene import HOUR, SECOND, Scene, agent_of, unknown

Macs = Iterator[str]
Way = Callable[[random.Random, Sequence[str]], Macs]  # by what he knows: MACs of phones

DENSITY = 100  # of so many MACs in a row one is a phone's


@dataclass(frozen=True)
class Attacker:
    """How somebody goes about it."""

    name: str
    macs: Way
    an_hour: float  # tries from each of his addresses
    addresses: tuple[str, ...] = ("192.0.2.66",)


@dataclass
class Result:
    """What came of it."""

    lasted: float
    tries: int = 0
    judged: set[str] = field(default_factory=set)  # MACs that were judged, not turned away by a ban
    got: set[str] = field(default_factory=set)  # MACs whose file he was handed
    banned_after: float | None = None  # seconds to the first ban of one of his addresses
    tries_before: int = 0
    kept_out: float = 0.0  # seconds, the mean of all his addresses


def in_a_row(dice: random.Random, known: Sequence[str]) -> Macs:
    """One MAC after the other, from where phones are."""
    first = min(int(mac, 16) for mac in known)
    return (f"{number:012x}" for number in itertools.count(first - DENSITY // 2))


def at_random(dice: random.Random, known: Sequence[str]) -> Macs:
    """Any MAC of a maker's range."""
    return (unknown(dice.randrange(1 << 24)) for _ in itertools.count())


def mixed(dice: random.Random, known: Sequence[str]) -> Macs:
    """Ones that he has read off phones, again and again, and one of his invention in between."""
    return (
        unknown(dice.randrange(1 << 24)) if number % 4 == 3 else dice.choice(known)
        for number in itertools.count()
    )


def known_alone(dice: random.Random, known: Sequence[str]) -> Macs:
    """Those that he has read off phones, each in its turn."""
    return itertools.cycle(known)


def nines(dice: random.Random, known: Sequence[str]) -> Macs:
    """Nine that stay the same, with which he never reaches ten."""
    return itertools.cycle([unknown(dice.randrange(1 << 24)) for _ in range(9)])


def four(count: int) -> tuple[str, ...]:
    """So many addresses of one /24."""
    return tuple(f"192.0.2.{number}" for number in range(1, count + 1))


def six(count: int) -> tuple[str, ...]:
    """So many /64 of one /48, each in a /56 of its own."""
    return tuple(f"2001:db8:66:{number << 8:x}::1" for number in range(count))


def six_together(count: int) -> tuple[str, ...]:
    """So many /64 of one /56."""
    return tuple(f"2001:db8:66:{number:x}::1" for number in range(count))


def play(scene: Scene, attacker: Attacker, known: Sequence[str], *, lasts: float, seed: int) -> Result:
    """Let him do it for so many seconds; his addresses take turns, each at its own pace."""
    dice, result = random.Random(seed), Result(lasts)
    macs = attacker.macs(dice, known)
    begun, pause, many = scene.now, HOUR / attacker.an_hour, len(attacker.addresses)
    turns = [
        (begun + pause * number / many, parse_address(text)) for number, text in enumerate(attacker.addresses)
    ]
    heapq.heapify(turns)
    mac = next(macs)
    while turns[0][0] < begun + lasts:
        at, address = heapq.heappop(turns)
        scene.at(at)
        reply = scene.ask(f"/{mac}.cfg", address, agent_of(mac))
        result.tries += 1
        if reply.verdict.rule == "G1":
            if result.banned_after is None:
                result.banned_after, result.tries_before = at - begun, result.tries - 1
            again = banned_until(scene, address)
            result.kept_out += (min(again, begun + lasts) - at) / many
            heapq.heappush(turns, (again + SECOND, address))
            continue
        result.judged.add(mac)
        if reply.verdict.outcome is Outcome.BOOTSTRAP:
            result.got.add(mac)
        mac = next(macs)
        heapq.heappush(turns, (at + pause, address))
    scene.drain()
    return result


def banned_until(scene: Scene, address: int) -> float:
    """When the last ban of the address and of the networks around it ends, as the edge judges it."""
    held = [scene.store.get(place.standing) for place in pressed.places(address)]
    return max(pressed.unpack_standing(blob) for blob in held)  # type: ignore[arg-type]
