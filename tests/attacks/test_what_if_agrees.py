"""Two days of traffic through the real edge, replayed by today's rules: the bans that there were.

Issue 5, "done when" 8.
"""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from provisioning import earned, replaying
from provisioning.models import FailureKey, ProvedHour
from security import allowances
from security.models import Ban
from security.networks import parse_address
from security.pressure import RULES, Rules
from security.what_if import WouldBe, replay
from tests.attacks.scene import HOUR, MINUTE, SECOND, Handset, Scene, network, unknown
from tests.provisioning.inside_edge import committed

pytestmark = [pytest.mark.timeout(900), pytest.mark.rule("B9")]

CAMPUS, FAILOVER, OFFICE = "203.0.113.24", "203.0.113.25", "198.51.100.9"
SCANNER, SLOW, LAB, HOTEL = "192.0.2.66", "192.0.2.67", "198.51.100.200", "192.0.2.80"
LIVING = 20  # phones of the campus: a threshold of 12

Said = tuple[str, float, float, int]


def as_said(would_be: WouldBe) -> Said:
    return str(would_be.network), would_be.ban.since, would_be.ended, would_be.ban.step


def that_there_were() -> list[Said]:
    """The earned bans as rows."""
    rows = Ban.objects.filter(step__gt=0).exclude(lifted_by=earned.BY_ALLOWANCE)
    return sorted(
        (str(row.network), row.starts_at.timestamp(), (row.lifted_at or row.ends_at).timestamp(), row.step)
        for row in rows
    )


def replayed(since: float, rules: Rules = RULES) -> list[Said]:
    now = timezone.now()
    begin = now - timedelta(seconds=now.timestamp() - since)
    return sorted(map(as_said, replay(replaying.events(begin, now), rules)))


def agree(there: list[Said], here: list[Said]) -> bool:
    """The same addresses and steps; starts and ends to the second."""
    return [(network_, step) for network_, _, _, step in there] == [
        (network_, step) for network_, _, _, step in here
    ] and all(
        abs(one[1] - other[1]) <= SECOND and abs(one[2] - other[2]) <= SECOND
        for one, other in zip(there, here, strict=True)
    )


def test_todays_rules_replayed_are_the_bans_that_there_were(scene: Scene) -> None:
    scene.beat_every, scene.drained_every = 3 * HOUR, 5 * SECOND
    dice = random.Random(8)
    numbers = iter(range(100_000))
    campus = [scene.settle(f"00005e00c0{number:02x}", CAMPUS) for number in range(LIVING)]
    scene.lock_away([f"00005e00d0{number:02x}" for number in range(14)], "198.51.100.77")
    with committed():
        allowances.propose(
            scene.tree.acme, network(LAB), by=scene.tree.support, reason="Tests", length=timedelta(days=9)
        )
    scene.passes(MINUTE)
    begun = scene.now

    def scan(address: str, count: int, pause: float = 1.0) -> None:
        for _ in range(count):
            scene.tries(unknown(next(numbers)), address)
            scene.passes(pause * dice.uniform(0.5, 1.5))

    def poll(phones: list[Handset], address: str) -> None:
        for phone in phones:
            phone.address = address
            assert scene.boots(phone).status == 200
            scene.passes(dice.uniform(0.1, 2.0))

    # An office whose phones nobody has entered, again and again; below the threshold of a campus; a lab.
    office = [unknown(next(numbers)) for _ in range(9)]
    for _ in range(14):
        for mac in office:
            scene.tries(mac, OFFICE)
        scene.passes(6 * MINUTE)
    scan(OFFICE, 1)  # the tenth, while the nine go on
    for mac in office:
        scene.tries(mac, OFFICE)
    scan(CAMPUS, 11)
    for number in range(14):  # phones of the campus's own account: cards there, an attack elsewhere
        for address in (CAMPUS, HOTEL):
            scene.tries(f"00005e00d0{number:02x}", address)
    scan(LAB, 30)
    poll(campus[:10], CAMPUS)

    # A scanner who comes back, and a slow one.
    for rest in (70 * MINUTE, 5 * HOUR, 2 * HOUR):
        scan(SCANNER, 14)
        scan(SLOW, 8, pause=2.0)
        scene.passes(rest)

    # Strangers first, then the phones of the campus at their other address: the ban is not earned.
    scan(FAILOVER, 11)
    poll(campus, FAILOVER)
    scan(FAILOVER, 3)

    # One /56 from one /64 after the other.
    for number in range(30):
        where = parse_address("2001:db8:5::1") + (number % 6 << 64)
        scene.tries(unknown(next(numbers)), where)
        scene.passes(3.0)
    scene.passes(26 * HOUR)
    scan(SCANNER, 10)
    scene.passes(2 * MINUTE)

    there = that_there_were()
    here = replayed(begun)

    assert agree(there, here), f"there were {there}, replayed {here}"
    steps = sorted((name, step) for name, _, _, step in there)
    assert steps == sorted(
        [
            (OFFICE, 1), (HOTEL, 1), (SCANNER, 1), (SCANNER, 2), (SCANNER, 3), (SCANNER, 1), (FAILOVER, 1),
            (FAILOVER, 1), ("2001:db8:5::/56", 1),
        ]
    )  # fmt: skip
    unearned, earned_ = (end - start for name, start, end, _ in there if name == FAILOVER)
    assert unearned < MINUTE < earned_
    assert not agree(there, replayed(begun, Rules(base=12)))
    assert FailureKey.objects.count() > 150
    assert ProvedHour.objects.filter(first=network(FAILOVER).hex_first).exists()
