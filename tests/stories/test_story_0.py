"""Story 0: a campus lost power, thousands of phones asked at once, and its provider banned it as an attack.

They live behind one address, most with a private URL, some of a kind that asks at the root for ever; nobody
has entered the phones of their neighbours. Here nobody is banned who should not be, and all are served.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.household import ROOT, Household, eventually, free_port
from tests.simulator import Asked, Crowd, Member, Phone, Tally
from tests.simulator.wires import QuickLine

pytestmark = [pytest.mark.timeout(900)]

# The campus's lines to the world: two by which its phones have come for days, and one for when those fail.
HOME, SECOND, OTHER = "127.60.0.1", "127.60.0.2", "127.60.0.3"
ENTERED = "Yealink SIP-T46S 66.86.0.15 {colons}"
SINGLE = "VP530P 23.70.0.40 {mac}"
PACE = 0.2  # of our seconds in one of a phone's: five seconds until the next try are one
WITHIN = 20.0  # of our seconds in which all of them get power
STOLEN = 10  # phones of the campus that the attacker asks for as well


@dataclass(frozen=True)
class Numbers:
    """How many there are. SQLite is for up to 500 phones."""

    private: int
    single: int
    strangers: int
    tried: int

    @property
    def phones(self) -> int:
        return self.private + self.single


FULL = Numbers(private=2700, single=300, strangers=200, tried=5000)
SMALL = Numbers(private=270, single=30, strangers=20, tried=500)
sizes = pytest.mark.parametrize(
    "campus",
    [
        pytest.param(FULL, marks=pytest.mark.large, id="full"),
        pytest.param(SMALL, marks=pytest.mark.once, id="small"),
    ],
    indirect=True,
)


def spelled(mac: str) -> str:
    return ":".join(mac[at : at + 2] for at in range(0, 12, 2))


class Campus:
    """The phones, the installation, and both of its edges."""

    def __init__(self, home: Household, numbers: Numbers, rows: list[list[str]], edges: list[int]) -> None:
        self.home, self.numbers, self.edges = home, numbers, edges
        self.root = f"http://127.0.0.1:{home.phones_port}/"
        self.single = [mac for mac, token in rows if not token]
        self.private = [(mac, token) for mac, token in rows if token]

    def phones(self, source: str) -> list[Member]:
        members = [
            Member(mac, ENTERED.format(colons=spelled(mac)), source, f"{self.root}d/{token}/")
            for mac, token in self.private
        ]
        return [*members, *(Member(mac, SINGLE.format(mac=mac), source) for mac in self.single)]

    def strangers(self, source: str) -> list[Member]:
        macs = [f"805ec1{at:06x}" for at in range(self.numbers.strangers)]
        return [Member(mac, ENTERED.format(colons=spelled(mac)), source) for mac in macs]

    def crowd(self, members: list[Member], **more: Any) -> Crowd:
        return Crowd(members, self.root, connect_to=self.edge, pace=PACE, **more)

    def edge(self, at: int) -> tuple[str, int]:
        """Phones come by whichever edge they are sent to."""
        return ("127.0.0.1", self.edges[at % len(self.edges)])

    def told(self, address: str, since: float) -> dict[str, Any]:
        """What the rows say."""
        script = f"from tests.stories.campus import tell; tell({address!r}, {since!r})"
        return dict(self.home.read(script))

    def drained(self, address: str, since: float, phones: int) -> dict[str, Any]:
        """The same, once all check-ins are in the rows."""
        found = eventually(
            lambda: (facts := self.told(address, since))["checked_in"] >= phones and facts,
            patience=180,
            what="the check-ins of all in the rows",
            pause=0.5,
        )
        assert isinstance(found, dict)
        return found

    def served_all(self, tally: Tally) -> bool:
        """Whether every known phone was served; the strangers' never are."""
        known = {mac for mac, _ in self.private} | set(self.single)
        return not known & set(tally.unserved)


@pytest.fixture(scope="module")
def campus(
    request: pytest.FixtureRequest, household: Household, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Campus]:
    """Settled for days, on an installation with two edges."""
    numbers: Numbers = request.param
    path = tmp_path_factory.mktemp("campus") / "phones.json"
    places = f"homes={[HOME, SECOND]!r}, other={OTHER!r}"
    script = (
        f"from tests.stories.campus import settle; "
        f"settle({numbers.private}, {numbers.single}, {str(path)!r}, {places})"
    )
    told = household.command("shell", "-v", "0", "-c", script)
    assert told.returncode == 0, told.stderr
    count = "from provisioning.models import Outbox; print(Outbox.objects.count())"
    eventually(
        lambda: household.read(count) == 0,
        patience=360,
        what="all files published",
        pause=0.5,
    )
    port = free_port()
    options = ["--port", str(port), "--http", "provisioning.edge.daily:DailyProtocol", "--loop", "uvloop"]
    options += [
        "--no-proxy-headers",
        "--no-access-log",
        "--no-date-header",
        "--no-server-header",
        "--ws",
        "none",
    ]
    second = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "portal.asgi:edge", *options], cwd=ROOT, env=household.environment
    )
    try:
        eventually(lambda: answers(household, port), patience=60, what="the second edge")
        yield Campus(household, numbers, json.loads(Path(path).read_text()), [household.phones_port, port])
    finally:
        second.terminate()
        second.wait(30)


def answers(home: Household, port: int) -> bool:
    try:
        return home.ask("GET", "/x", port=port).status == 404
    except OSError:
        return False


@sizes
@pytest.mark.rule("B1")
@pytest.mark.rule("B2")
def test_where_they_have_lived_a_power_cut_bans_nobody(campus: Campus) -> None:
    began, numbers = time.time(), campus.numbers

    crowd = campus.crowd([*campus.phones(HOME), *campus.strangers(HOME)])
    tally = asyncio.run(crowd.power_up(within=WITHIN))
    told = campus.drained(HOME, began, numbers.phones)

    assert campus.served_all(tally), (tally.statuses, tally.unserved[:5])
    assert tally.served == numbers.phones
    assert told["bans"] == []
    assert [(one["kind"], one["account"]) for one in told["incidents"]] == [("storm", "initech")]
    assert told["checked_in"] == numbers.phones


@sizes
@pytest.mark.rule("B1")
def test_where_they_never_were_a_ban_ends_as_soon_as_they_outweigh_the_strangers(campus: Campus) -> None:
    began, numbers = time.time(), campus.numbers

    async def come() -> Tally:
        # The strangers have quicker plugs: there is a ban before the first phone of the campus asks.
        await campus.crowd(campus.strangers(OTHER)).power_up()
        return await campus.crowd(campus.phones(OTHER), polls=3, poll_after=30.0).power_up(within=WITHIN)

    tally = asyncio.run(come())
    told = campus.drained(OTHER, began, numbers.phones)

    assert campus.served_all(tally), (tally.statuses, tally.unserved[:5])
    assert told["bans"], "the strangers alone are enough for one"
    for ban in told["bans"]:
        # The threshold is 10 and a tenth of the proved: with the last of these it is above the ban's keys.
        outweighed = told["proved_at"][10 * (ban["keys"] - 9) - 1]
        assert ban["over"] <= max(outweighed, ban["at"]) + 1.0, (ban, outweighed - began)
    assert max(ban["over"] for ban in told["bans"]) < time.time(), "none stands"


@sizes
@pytest.mark.rule("B4")
@pytest.mark.rule("B5")
@pytest.mark.rule("T3")
def test_an_attacker_among_them_gets_nothing_and_harms_nobody(campus: Campus) -> None:
    began, numbers = time.time(), campus.numbers
    stolen = [mac for mac, _ in campus.private[:STOLEN]]

    got = [
        steal(campus, mac) for mac in stolen
    ]  # a neighbour behind the same address: nothing tells him apart
    asked, tally = asyncio.run(attack(campus))
    late = steal(campus, campus.private[STOLEN][0])
    told = campus.drained(SECOND, began, numbers.private)
    (ban,) = told["bans"]
    suspected = eventually(
        lambda: len(found := campus.told(SECOND, began)["suspected"]) >= STOLEN and found,
        patience=60,
        what="the clones",
        pause=0.5,
    )

    assert all(got)
    # Every phone with a private URL was served meanwhile, those that the attacker had asked for too.
    assert tally.served == numbers.private, (tally.statuses, tally.unserved[:5])
    # At the threshold he was banned, and from then on got nothing at the root, whatever he asked for.
    assert {one.status for one in asked} == {404}
    assert ban["threshold"] == f"10 + {numbers.phones // 10} of {numbers.phones:,} proved"
    assert 10 + numbers.phones // 10 <= ban["keys"] < 10 + numbers.phones // 10 + 50
    assert ban["over"] > time.time()
    assert not late
    # The campus was told with the evidence, and each phone that he has asked for shows it at its next poll.
    (alert,) = [one for one in told["incidents"] if one["kind"] == "ban"]
    assert (alert["account"], alert["over"]) == ("initech", False)
    assert SECOND in alert["title"]
    assert len(alert["evidence"]["keys"]) == ban["keys"]
    assert alert["evidence"]["phones of yours proved there"] == numbers.phones
    assert suspected == sorted(stolen)
    eventually(lambda: "ian@example.org" in campus.home.log(), patience=60, what="the mail to the manager")


def steal(campus: Campus, mac: str) -> bool:
    """Ask for a phone of the campus at the root, and use what one is given; whether it was anything."""
    at = ("127.0.0.1", campus.edges[0])
    thief = Phone(mac, ENTERED.format(colons=spelled(mac)), campus.root, SECOND, connect_to=at)
    return bool(thief.boot().moved and thief.boot().secrets)


async def attack(campus: Campus) -> tuple[list[Asked], Tally]:
    """He tries MACs as quickly as he can, on both edges, while the campus's phones go on asking."""
    macs = iter([f"805ec2{at:06x}" for at in range(campus.numbers.tried)])
    answers: list[Asked] = []

    async def try_on(at: int) -> None:
        line = QuickLine(SECOND, connect_to=campus.edge(at), keeps=True)
        for mac in macs:
            url, agent = f"{campus.root}{mac}.cfg", ENTERED.format(colons=spelled(mac))
            answers.append(await line.ask(url, agent))
        line.hang_up()

    phones = [member for member in campus.phones(SECOND) if member.private]
    async with asyncio.TaskGroup() as group:
        polling = group.create_task(campus.crowd(phones, polls=3, poll_after=30.0).day(lasts=WITHIN))
        for at in range(16):
            group.create_task(try_on(at))
    return answers, polling.result()
