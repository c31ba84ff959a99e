"""Refusals of every kind in turn: the same bytes, medians within five percent, database up and stopped.

The whole product runs, on PostgreSQL, whose server is really stopped in between.

Each address asks for at most nine MACs, as a thief would who does not want to be banned.
"""

import argparse
import json
import random
import socket
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from portal import embedded
from tests.bench.fleet import FAMILY, MODEL
from tests.e2e.household import Household, eventually

GOAL = 0.05
KINDS = ("unknown", "locked", "stale", "wrong agent", "quarantined")
ROUND = 4  # times that an address asks for each of its MACs
_AGENT = "Yealink SIP-T42S 66.86.0.15 {colons}"
_FOREIGN_AGENT = "FileTransport PolycomVVX-VVX_450-UA/5.9.1.0615 (SN:{mac}) Type/Application"


FILL = """
import json
from datetime import timedelta
from django.utils import timezone
from accounts.models import Account
from devices.models import Device
from provisioning import publishing
from provisioning.models import Lock, Outbox
from security.networks import parse_origin
now, elsewhere = timezone.now(), parse_origin("192.0.2.1")
bound = {{"bound_first": elsewhere.hex_first, "bound_last": elsewhere.hex_last}}
states = {{
    "locked": {{"state": "locked", **bound}},
    "stale": {{"state": "new", "armed_at": now - timedelta(days=90)}},
    "wrong agent": {{"state": "new"}},
    "quarantined": {{"state": "quarantined", **bound}},
}}
account = Account.objects.get(slug="initech")
macs = json.load(open({path!r}))
for kind, values in states.items():
    devices = Device.objects.bulk_create(
        [Device(account=account, mac=mac, family={family!r}, model={model!r}) for mac in macs[kind]]
    )
    Lock.objects.bulk_create([Lock(device=device, **values) for device in devices])
publishing.publish_devices(list(Lock.objects.values_list("pk", flat=True)))
"""


@dataclass(frozen=True)
class Try:
    """One request, and what kind of MAC it is for."""

    kind: str
    data: bytes


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=10_000)


def run(options: argparse.Namespace) -> int:
    """Print the medians with the database up and with it stopped."""
    addresses = options.requests // (ROUND * len(KINDS))
    server = embedded.Postgres()
    server.start()
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        home = Household(Path(name) / "data", database_url=server.url)
        try:
            home.start()
            path = Path(name) / "macs.json"
            path.write_text(json.dumps(macs_of(addresses)))
            script = FILL.format(path=str(path), family=FAMILY, model=MODEL)
            filled = home.command("shell", "-v", "0", "-c", script)
            if filled.returncode:
                raise SystemExit(filled.stderr)
            visits = visits_of(addresses)
            missed = measure(home.phones_port, visits, "up")
            server.stop()
            eventually(
                lambda: home.api("GET", "/me/", key="any.key").status >= 500, what="a portal without it"
            )
            return missed | measure(home.phones_port, visits, "stopped")
        finally:
            home.kill()
            server.stop()


def macs_of(addresses: int) -> dict[str, list[str]]:
    """The MACs of each kind, one of each for each address."""
    return {
        kind: [f"0015{number * len(KINDS) + at:08x}" for number in range(addresses)]
        for at, kind in enumerate(KINDS)
    }


def visits_of(addresses: int) -> list[list[Try]]:
    """Each address's requests, in random order."""
    chance = random.Random(1)
    visits = []
    for macs in zip(*macs_of(addresses).values(), strict=True):
        tries = []
        for kind, mac in zip(KINDS, macs, strict=True):
            spelled = ":".join(mac[i : i + 2] for i in range(0, 12, 2))
            agent = (_FOREIGN_AGENT if kind == "wrong agent" else _AGENT).format(mac=mac, colons=spelled)
            head = f"GET /{mac}.cfg HTTP/1.1\r\nHost: phones.example.org\r\nUser-Agent: {agent}\r\n\r\n"
            tries += [Try(kind, head.encode())] * ROUND
        chance.shuffle(tries)
        visits.append(tries)
    return visits


def measure(port: int, visits: list[list[Try]], database: str) -> int:
    """Play the visits and print the medians; 1 when a goal is missed."""
    times: dict[str, list[int]] = {kind: [] for kind in KINDS}
    seen: set[bytes] = set()
    for number, tries in enumerate(visits):
        source = f"127.{1 + number // 60000}.{1 + number // 250 % 240}.{1 + number % 250}"
        with socket.create_connection(("127.0.0.1", port), 10, (source, 0)) as line:
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
