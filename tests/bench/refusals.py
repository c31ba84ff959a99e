"""Refusals of every kind in turn: the same bytes, and medians within five percent, database up and stopped.

Each address asks for at most nine MACs, as a thief would who does not want to be banned.
"""

import argparse
import random
import socket
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from portal import embedded
from provisioning import wire
from provisioning.gate import DeviceFacts, HandOut, State
from security.networks import parse_origin
from tests.bench.fleet import FAMILY, MODEL, publish_lists
from tests.bench.servers import Edge

GOAL = 0.05
KINDS = ("unknown", "locked", "stale", "wrong agent", "quarantined")
ROUND = 4  # times that an address asks for each of its MACs
_AGENT = "Yealink SIP-T42S 66.86.0.15 {colons}"
_FOREIGN_AGENT = "FileTransport PolycomVVX-VVX_450-UA/5.9.1.0615 (SN:{mac}) Type/Application"


@dataclass(frozen=True)
class Try:
    """One request, and what kind of MAC it is for."""

    kind: str
    data: bytes


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=10_000)


def run(options: argparse.Namespace) -> int:
    """Print the medians; 1 when they differ by more than the goal, or any two answers differ at all."""
    missed = 0
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        directory = Path(name)
        store = embedded.Store(directory / "data")
        store.start()
        with redis.Redis.from_url(store.url) as client:
            for database in ("up", "stopped"):
                client.flushall()
                visits = _publish(client, options.requests // (ROUND * len(KINDS)))
                publish_lists(client)
                edge = Edge(store, directory / "edge.log", database=database)
                try:
                    missed |= _measure(edge, visits, database)
                finally:
                    edge.stop()
        store.stop()
    return missed


def _publish(client: "redis.Redis", addresses: int) -> list[list[Try]]:
    """Publish one MAC of each kind for each address; returns each address's requests in random order."""
    chance, now = random.Random(1), time.time()
    elsewhere = parse_origin("192.0.2.1")
    states = {
        "locked": {"state": State.LOCKED, "bound": (elsewhere,), "hand_out": HandOut(1.0, elsewhere, True)},
        "stale": {"state": State.NEW, "armed_at": now - 90 * 86400},
        "wrong agent": {"state": State.NEW, "armed_at": now - 60},
        "quarantined": {"state": State.QUARANTINED, "bound": (elsewhere,)},
    }
    visits = []
    for number in range(addresses):
        tries = []
        for at, kind in enumerate(KINDS):
            mac = f"0015{number * len(KINDS) + at:08x}"
            if kind in states:
                code = f"{mac[4:]}-0000-4000-8000-{mac}"
                facts = DeviceFacts(code, mac, FAMILY, "000100010001", **states[kind])  # type: ignore[arg-type]
                client.set(wire.mac_key(mac), wire.pack_lock(wire.LockRecord(1, facts, model=MODEL)))
            spelled = ":".join(mac[i : i + 2] for i in range(0, 12, 2))
            agent = (_FOREIGN_AGENT if kind == "wrong agent" else _AGENT).format(mac=mac, colons=spelled)
            head = f"GET /{mac}.cfg HTTP/1.1\r\nHost: phones.example.org\r\nUser-Agent: {agent}\r\n\r\n"
            tries += [Try(kind, head.encode())] * ROUND
        chance.shuffle(tries)
        visits.append(tries)
    return visits


def _measure(edge: Edge, visits: list[list[Try]], database: str) -> int:
    times: dict[str, list[int]] = {kind: [] for kind in KINDS}
    seen: set[bytes] = set()
    for number, tries in enumerate(visits):
        source = f"127.{1 + number // 60000}.{1 + number // 250 % 240}.{1 + number % 250}"
        with socket.create_connection(("127.0.0.1", edge.port), 10, (source, 0)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _ask(line, b"HEAD /y000000000028.cfg HTTP/1.1\r\nHost: phones.example.org\r\n\r\n")
            for one in tries:
                began = time.perf_counter_ns()
                seen.add(_ask(line, one.data))
                times[one.kind].append(time.perf_counter_ns() - began)
    medians = {kind: statistics.median(values) / 1000 for kind, values in times.items()}
    middle = statistics.median(medians.values())
    spread = max(abs(median / middle - 1) for median in medians.values())
    shown = ", ".join(f"{kind} {median:.1f} us" for kind, median in medians.items())
    print(f"database {database}: {sum(map(len, times.values()))} requests, medians: {shown}")
    print(f"  furthest from their middle: {spread:.1%} (goal {GOAL:.0%}); different answers: {len(seen)}")
    return int(spread > GOAL or len(seen) != 1)


def _ask(line: socket.socket, data: bytes) -> bytes:
    line.sendall(data)
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = line.recv(65536)
        if not part:
            raise SystemExit("the edge hung up")
        answer += part
    return answer
