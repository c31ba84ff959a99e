"""What if: thirty days with a million keys replayed under four sets of thresholds, each within 60 s.

Offices with unentered phones, scanners behind campuses and alone, an IPv6 /48 that tries from one /64 after
the other, and an ALLOWED network: each of them in bursts of ten minutes. With `--rows` they are rows first.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator

from security.networks import Network, parse_address, parse_network
from security.pressure import DAY, HOUR, LOCKED_MAC, RULES, UNKNOWN_MAC, Rules
from security.what_if import Event, Failed, Known, replay
from tests.bench import what_if_rows

GOAL = 60.0
KEYS = 1_000_000
DAYS = 30
START = 1_767_225_600.0
ALLOWED = parse_network("198.18.0.0/20")
TRIALS = {
    "as they are": RULES,
    "half": Rules(base=5, percent=5, most=250, allowed=250),
    "twice": Rules(base=20, percent=20, most=1000, allowed=1000),
    "nobody is ever banned": Rules(base=10**9, most=10**9, allowed=10**9),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keys", type=int, default=KEYS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", choices=("sqlite", "postgresql"), help="from the rows of such a database")


def run(options: argparse.Namespace) -> int:
    """Print what each set of thresholds would have done, and how long it took to find out."""
    events = make_events(options.keys, random.Random(options.seed))
    if options.rows:
        with what_if_rows.database(options.rows):
            began = time.monotonic()
            keys, hours = what_if_rows.fill(events)
            took = time.monotonic() - began
            del events
            print(f"{keys:,} rows of keys and {hours:,} of hours in {options.rows}, written in {took:.0f} s")
            return int(what_if_rows.try_out(START, DAYS, TRIALS) > GOAL)
    keys = sum(isinstance(event, Failed) for event in events)
    print(f"{keys:,} keys and {len(events) - keys:,} counts of proved phones in {DAYS} days")
    slowest = 0.0
    for name, rules in TRIALS.items():
        began = time.process_time()
        bans = list(replay(events, rules))
        took = time.process_time() - began
        slowest = max(slowest, took)
        steps = Counter(would_be.ban.step for would_be in bans)
        hit = sum(would_be.hit > 0 for would_be in bans)
        print(
            f"{name:>22}: {took:5.1f} s of CPU; {len(bans):,} bans, by step {dict(sorted(steps.items()))}; "
            f"{hit:,} with proved phones behind them, {sum(would_be.hit for would_be in bans):,} in all"
        )
    return int(slowest > GOAL)


def make_events(keys: int, draw: random.Random) -> list[Event]:
    """Thirty days in order of time."""
    events: list[Event] = [*_counts(draw)]
    per_kind = {_office: 15, _campus: 20, _scanner: 35, _ipv6: 15, _allowed: 15}
    for make, percent in per_kind.items():
        for _ in range(keys * percent // 100):
            burst = draw.randrange(max(1, keys // 2000))  # of some hundred keys a kind
            events.append(make(_within(burst, draw), burst, draw))
    events.sort(key=lambda event: event.at)
    return events


def _counts(draw: random.Random) -> Iterator[Event]:
    """B9: each hour's count of proved devices."""
    for hour in range(DAYS * 24):
        at = START + hour * HOUR
        for campus in range(40):
            proved = 2700 + draw.randrange(20) - (1500 if draw.random() < 0.01 else 0)
            yield Known(at, _address("192.0.2.0", campus), proved, {"0001": proved})
        yield Known(at, ALLOWED.first, 50, allowed=ALLOWED)


def _within(burst: int, draw: random.Random) -> float:
    day, minute = burst * 7 % DAYS, burst * 11 % 1400
    return START + day * DAY + minute * 60 + draw.random() * 600


def _office(at: float, burst: int, draw: random.Random) -> Event:
    """Fifteen phones that nobody has entered, at each of many offices."""
    office = burst % 400
    return Failed(at, _address("10.0.0.0", office), UNKNOWN_MAC, f"{office:06x}{draw.randrange(15):06x}")


def _campus(at: float, burst: int, draw: random.Random) -> Event:
    """A neighbour behind a campus: known MACs of it, which are cards, and unknown ones."""
    where = _address("192.0.2.0", burst % 40)
    if draw.random() < 0.5:
        return Failed(at, where, LOCKED_MAC, f"{draw.randrange(3000):012x}", "0001")
    return Failed(at, where, UNKNOWN_MAC, f"{draw.getrandbits(48):012x}")


def _scanner(at: float, burst: int, draw: random.Random) -> Event:
    return Failed(at, _address("11.0.0.0", burst % 3000), UNKNOWN_MAC, f"{draw.getrandbits(48):012x}")


def _ipv6(at: float, burst: int, draw: random.Random) -> Event:
    where = parse_address("2001:db8::1") + ((burst % 256 << 8 | draw.randrange(256)) << 64)
    return Failed(at, where, UNKNOWN_MAC, f"{draw.getrandbits(48):012x}")


def _allowed(at: float, burst: int, draw: random.Random) -> Event:
    return Failed(at, ALLOWED.first, UNKNOWN_MAC, f"{draw.getrandbits(48):012x}")


def _address(first: str, number: int) -> int:
    network: Network = parse_network(first)
    return network.first + number
