"""Phones behind eight addresses power up together, by the simulator on the same cores, and somebody scans.

The whole product runs, on PostgreSQL. Every phone boots as its maker says, from its private URL, and asks
again when it gets no answer.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from portal import embedded
from tests.e2e.household import Household, eventually
from tests.simulator import Crowd, Member, Tally
from tests.simulator.wires import QuickLine

GOAL = 120.0
ADDRESSES = [f"127.61.0.{at}" for at in range(1, 9)]
SCANNER = "127.62.0.9"
_AGENT = "Yealink SIP-T46S 66.86.0.15 {colons}"

FILL = """
from tests.e2e.fill import fill
from provisioning import publishing
for at, (address, path) in enumerate({places!r}):
    fill({each}, path, source=address, first=100_000 * (at + 1), publish=False)
publishing.republish_all()
"""
FACTS = """
import json
from django.db.models import Sum
from provisioning.models import CheckInHour, FailureKey, Outbox
from security.models import Ban
from security.networks import origin_of, parse_address
own = CheckInHour.objects.filter(device__account__slug="initech", device__name__startswith="Desk ")
bans = Ban.objects.filter(starts_at__gte="{since}")
scanner = origin_of(parse_address({scanner!r})).hex_first
failed = FailureKey.objects.filter(first=scanner)
print(json.dumps({{
  "check_ins": own.aggregate(n=Sum("count"))["n"] or 0,
  "outbox": Outbox.objects.count(),
  "bans": bans.exclude(first=scanner).count(),
  "scanner": [[ban.starts_at.timestamp(), len(ban.evidence["keys"])] for ban in bans.filter(first=scanner)],
  "failed": [at.timestamp() for at in failed.order_by("first_at").values_list("first_at", flat=True)],
}}))
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--phones", type=int, default=20_000)
    parser.add_argument("--within", type=float, default=60.0, help="seconds in which all get power")
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace) -> int:
    """Print how long it took until all were served, and what was lost; 1 when a goal is missed."""
    each = options.phones // len(ADDRESSES)
    server = embedded.Postgres()
    server.start()
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        home = Household(Path(name) / "data", database_url=server.url)
        try:
            home.start()
            members = settled(home, Path(name), each)
            began, since = time.time(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            tally = asyncio.run(play(home, members, options))
            took = time.time() - began
            told = drained(home, since, tally.statuses[200])
            return say(tally, told, took)
        finally:
            home.kill()
            server.stop()


def root_of(home: Household) -> str:
    return f"http://127.0.0.1:{home.phones_port}/"


def agent_of(mac: str) -> str:
    return _AGENT.format(colons=":".join(mac[at : at + 2] for at in range(0, 12, 2)))


def settled(home: Household, directory: Path, each: int) -> list[Member]:
    """Enter them in bulk, and wait until all of their files are published."""
    places = [(address, str(directory / f"{at}.json")) for at, address in enumerate(ADDRESSES)]
    filled = home.command("shell", "-v", "0", "-c", FILL.format(places=places, each=each), timeout=1800)
    if filled.returncode:
        raise SystemExit(filled.stderr)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    eventually(lambda: facts(home, now)["outbox"] == 0, patience=900, what="all files published")
    members = []
    for address, path in places:
        for mac, token in json.loads(Path(path).read_text()):
            members.append(Member(mac, agent_of(mac), address, f"{root_of(home)}d/{token}/"))
    return members


def facts(home: Household, since: str) -> dict[str, Any]:
    told = home.command("shell", "-v", "0", "-c", FACTS.format(since=since, scanner=SCANNER))
    if told.returncode:
        raise SystemExit(told.stderr)
    return dict(json.loads(told.stdout.strip().splitlines()[-1]))


def drained(home: Household, since: str, full: int) -> dict[str, Any]:
    """What stands in the rows once nothing more comes."""
    until = time.monotonic() + 180
    while (told := facts(home, since))["check_ins"] < full and time.monotonic() < until:
        time.sleep(1)
    return told


async def play(home: Household, members: list[Member], options: argparse.Namespace) -> Tally:
    """All power up, and half-way somebody scans."""
    at = ("127.0.0.1", home.phones_port)
    crowd = Crowd(members, root_of(home), polls=10, poll_after=10.0, seed=options.seed)

    async def scan() -> None:
        line = QuickLine(SCANNER, connect_to=at, keeps=True)
        for number in range(200):
            mac = f"805ec1{number:06x}"
            await line.ask(f"{root_of(home)}{mac}.cfg", agent_of(mac))
        line.hang_up()

    async with asyncio.TaskGroup() as group:
        playing = group.create_task(crowd.power_up(within=options.within))
        await asyncio.sleep(options.within / 2)
        group.create_task(scan())
    return playing.result()


def say(tally: Tally, told: dict[str, Any], took: float) -> int:
    """Print the figures; 1 when a goal is missed."""
    waits = sorted(tally.seconds)
    half, most = (waits[len(waits) // 2], waits[-1]) if waits else (0.0, 0.0)
    tenth = told["failed"][9] if len(told["failed"]) > 9 else 0.0
    bans = ", ".join(f"at key {n}, {1000 * (at - tenth):.0f} ms after the tenth" for at, n in told["scanner"])
    answered = tally.statuses[200]
    print(f"{tally.served} of {tally.phones} phones served in {took:.1f} s (goal {GOAL:.0f} s)")
    held, unanswered = tally.statuses[503], tally.statuses[0]
    print(f"  {tally.requests} requests, of them {held} held and {unanswered} unanswered")
    print(f"  a phone's own wait from its power: median {half:.2f} s, longest {most:.2f} s")
    print(f"  check-ins answered {answered}, in the rows {told['check_ins']}")
    print(f"  bans of the eight addresses: {told['bans']}")
    print(f"  the scanner: banned {bans or 'never'}")
    served, kept = tally.served == tally.phones, told["check_ins"] >= answered
    met = served and kept and not told["bans"] and told["scanner"] and took <= GOAL
    return 0 if met else 1
