"""Real phones' requests fifty times over: their address stays clean, or holds one key a phone.

Issue 5, "done when" 6.
"""

import re
from collections.abc import Iterable
from typing import Any

import pytest

from provisioning.models import Claim, FailureKey
from security.models import Ban
from security.networks import show_address
from tests.attacks.scene import HOUR, MINUTE, Scene, keys_at
from tests.e2e.test_sequences import EXPECTED, FAMILIES, SEQUENCES, own_mac, spelled

pytestmark = [pytest.mark.once, pytest.mark.timeout(900)]

TIMES = 50
EVERYBODY = "00000000000"  # of this MAC are the names that are meant for all phones of a maker
MACS = re.compile(r"(?<![0-9a-zA-Z])([0-9a-fA-F]{12})(?![0-9a-fA-F])")
SERVED = [name for name in sorted(EXPECTED) if SEQUENCES[name][0]["vendor"] in FAMILIES]


def number_of(name: str) -> int:
    return sorted(EXPECTED).index(name)


def address_of(name: str) -> str:
    """A fresh one for every sequence."""
    return show_address(0xFFFF_C612_0001 + (number_of(name) << 8))


def mended(name: str) -> tuple[str, list[dict[str, Any]]]:
    """A MAC for this sequence alone, and its rows with it, also where one carries another phone's."""
    rows = SEQUENCES[name]
    old = own_mac(rows) or "001565000000"
    own, kept = f"{old[:6]}f0f0{number_of(name):02x}", []
    for row in rows:
        path = row["path"]
        for found in others(row, old):
            path = spelled(path, found, own)
        headers = {key: spelled(value, old, own) for key, value in row["headers"].items()}
        kept.append({**row, "path": spelled(path, old, own), "headers": headers})
    return own, kept


def others(row: dict[str, Any], own: str) -> list[str]:
    """The MACs in its path that are another phone's."""
    found = [mac.lower() for mac in MACS.findall(row["path"])]
    return [mac for mac in found if mac != own and not mac.startswith(EVERYBODY)]


def play(scene: Scene, name: str, address: str, times: int) -> None:
    """The whole sequence again and again, a second between two requests, a minute between two rounds."""
    _, rows = mended(name)
    for _ in range(times):
        for row in rows:
            headers = [(key.lower().encode(), value.encode()) for key, value in row["headers"].items()]
            agent = row["headers"].get("User-Agent", "")
            scene.ask(
                row["path"],
                address,
                agent,
                method=row["method"],
                body=b"log",
                headers=[pair for pair in headers if pair[0] != b"user-agent"],
            )
            scene.passes(1)
        scene.passes(MINUTE)


def enter(scene: Scene, names: Iterable[str]) -> None:
    """Make these sequences' phones acme's."""
    scene.beat_every, scene.drained_every = HOUR, 10 * MINUTE
    for name in names:
        first = SEQUENCES[name][0]
        scene.enter(mended(name)[0], family=FAMILIES[first["vendor"]], model=first["model"])


def test_of_all_requests_one_carries_another_phones_mac() -> None:
    odd = [row["path"] for rows in SEQUENCES.values() for row in rows if others(row, own_mac(rows) or "")]

    assert odd == ["/0001A11A1A1A-mb.cfg"]


@pytest.mark.rule("B1")
@pytest.mark.parametrize("family", sorted(set(FAMILIES.values())))
def test_the_address_of_an_entered_phone_stays_clean(scene: Scene, family: str) -> None:
    names = [name for name in SERVED if FAMILIES[SEQUENCES[name][0]["vendor"]] == family]
    enter(scene, names)

    for name in names:
        play(scene, name, address_of(name), TIMES)
    scene.drain()

    dirty = {name: keys_at(address_of(name)) for name in names}
    assert {name: keys for name, keys in dirty.items() if keys} == {}
    assert FailureKey.objects.count() == 0
    assert not Ban.objects.exists()
    assert Claim.objects.exists(), "they were served"


@pytest.mark.rule("B1")
def test_all_of_them_behind_one_address_leave_it_clean(scene: Scene) -> None:
    enter(scene, SERVED)

    for name in SERVED:
        play(scene, name, "203.0.113.10", 1)
    scene.drain()

    assert Claim.objects.values("device").distinct().count() > 40, "they were served"
    assert keys_at("203.0.113.10") == []
    assert not Ban.objects.exists()


@pytest.mark.rule("R11")
def test_the_address_of_a_phone_that_nobody_has_entered_holds_one_key(scene: Scene) -> None:
    scene.beat_every, scene.drained_every = HOUR, 10 * MINUTE
    for name in EXPECTED:
        play(scene, name, address_of(name), TIMES)
    scene.drain()

    left = {name: keys_at(address_of(name)) for name in EXPECTED}

    wanted = {
        name: [("unknown-mac", mac)] if any(mac in row["path"].lower() for row in rows) else []
        for name, (mac, rows) in ((name, mended(name)) for name in EXPECTED)
    }
    for name in set(EXPECTED) - set(SERVED):  # a maker's whose phones are not served: some names are nobody's
        wanted[name].insert(0, ("bad-path", ""))
    assert left == wanted
    assert sum(map(len, left.values())) > 50
    assert not Ban.objects.exists()
