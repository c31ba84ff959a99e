"""Who lies about his address gains nothing: one address has one standing, one ban, one rate.

Issue 5, "done when" 7, in the whole product; tests/security/test_client_ip.py says which address is believed.
"""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from pytest_django import Settings

from provisioning import wire
from provisioning.models import DeviceEvent
from security.models import Ban
from tests.attacks.scene import Handset, Scene, agent_of, bans_at, keys_at, unknown
from tests.provisioning.inside_edge import Headers, Reply

pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]

LIAR, VICTIM, PROXY = "192.0.2.66", "203.0.113.10", "10.0.0.1"
Asks = Callable[[int, Headers], Reply]


@pytest.fixture
def proxied(settings: Settings) -> None:
    """The edge that is made next stands behind proxies."""
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]


@pytest.fixture
def behind(proxied: None, scene: Scene) -> Scene:
    return scene


def said(*lines: str) -> Headers:
    return [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]


def tries(scene: Scene, peer: str, number: int, headers: Headers) -> Reply:
    mac = unknown(number)
    return scene.ask(f"/{mac}.cfg", peer, agent_of(mac), headers=headers)


LIES: dict[str, Callable[[int], Headers]] = {
    "the victim's address": lambda number: said(VICTIM),
    "another one each time": lambda number: said(f"198.51.100.{number}"),
    "a proxy's": lambda number: said(PROXY),
    "itself and more": lambda number: said(f"{VICTIM}, {LIAR}", VICTIM),
    "garbage": lambda number: said("\xff, ,,%eth0", ""),
    "other headers": lambda number: [
        (b"x-real-ip", VICTIM.encode()),
        (b"forwarded", f"for={VICTIM}".encode()),
        (b"true-client-ip", VICTIM.encode()),
    ],
}


@pytest.mark.rule("G0", "B1")
@pytest.mark.parametrize("lie", LIES)
def test_what_a_stranger_says_of_his_address_changes_nothing(behind: Scene, lie: str) -> None:
    """Banned at the tenth try as himself; whom he names is as clean as before."""
    newcomer = Handset(behind.enter("00005e00b001").mac, VICTIM)

    rules = [tries(behind, LIAR, number, LIES[lie](number)).verdict.rule for number in range(15)]
    behind.passes(1)

    assert rules == ["R11"] * 10 + ["G1"] * 5
    assert [str(ban.network) for ban in Ban.objects.all()] == [LIAR]
    assert keys_at(VICTIM) == []
    through_proxy = behind.ask(newcomer.root, PROXY, agent_of(newcomer.mac), headers=said(VICTIM))
    assert through_proxy.verdict.rule == "R1"


SPELLINGS = {
    "192.0.2.66": [
        *("192.0.2.66", " 192.0.2.66 ", "192.0.2.66:5060", "192.0.2.66:5061", "::ffff:192.0.2.66"),
        *("::FFFF:C000:242", "0:0:0:0:0:ffff:c000:242", "[::ffff:192.0.2.66]:80", "::ffff:192.0.2.66%eth0"),
        *(
            "garbage, 192.0.2.66",
            "203.0.113.10, 192.0.2.66",
            "192.0.2.66, 10.0.0.2",
            "192.0.2.66, ::ffff:10.0.0.3",
        ),
    ],
    "2001:db8:66:1::a": [
        *("2001:db8:66:1::a", "2001:DB8:66:1::A", "2001:0db8:0066:0001:0000:0000:0000:000a"),
        *("[2001:db8:66:1::a]", "[2001:DB8:66:1::a]:443", "2001:db8:66:1::a%eth0", "2001:db8:66:1::0.0.0.10"),
        *(
            "2001:db8:66:1::b",
            "2001:db8:66:1:ffff::1",
            "203.0.113.10, 2001:db8:66:1::a",
            "2001:db8:66:1::c, 10.0.0.2",
        ),
    ],
}


@pytest.mark.rule("B1", "G1")
@pytest.mark.parametrize("address", SPELLINGS)
def test_one_address_has_one_standing_in_whatever_spelling(behind: Scene, address: str) -> None:
    spellings = SPELLINGS[address]

    first = [
        tries(behind, PROXY, number, said(spelling)).verdict.rule
        for number, spelling in enumerate(spellings[:10])
    ]
    then = {tries(behind, PROXY, 100, said(spelling)).verdict.rule for spelling in spellings}
    behind.passes(1)

    assert first == ["R11"] * 10
    assert then == {"G1"}
    assert len(bans_at(address)) == Ban.objects.count() == 1
    assert tries(behind, address, 101, ()).verdict.rule == "G1", "and so has it without a proxy"


@pytest.mark.rule("R11")
def test_one_mac_is_one_key_in_whatever_spelling(scene: Scene) -> None:
    mac = "0015650a0b0c"
    names = [mac, mac.upper(), "0015650A0b0C", "%30015650a0b0c", "0015650a0b0%63"]
    paths = [f"/{name}.{end}" for name in names for end in ("cfg", "boot")]

    for path in paths:
        scene.ask(path, LIAR, agent_of(mac))
    scene.passes(1)

    assert keys_at(LIAR) == [("unknown-mac", mac)]
    assert not Ban.objects.exists()


@pytest.mark.rule("P")
def test_proofs_of_an_address_are_ten_a_minute_whatever_is_said_of_it(behind: Scene) -> None:
    form = urlencode({"nonce": "n0nce_of-a-session_0123"}).encode()

    def proves(peer: str, *lines: str) -> int:
        kind = [(b"content-type", b"application/x-www-form-urlencoded")]
        headers = [*kind, *said(*lines)]
        return behind.ask("/.me", peer, "Mozilla/5.0", method="POST", body=form, headers=headers).status

    by_a_liar = [proves(LIAR, f"198.51.100.{number}") for number in range(12)]
    by_spelling = [proves(PROXY, "::ffff:203.0.113.10"), *(proves(PROXY, VICTIM) for _ in range(11))]

    assert by_a_liar == by_spelling == [303] * 10 + [404] * 2
    behind.passes(61)
    assert proves(LIAR, VICTIM) == 303


@pytest.mark.rule("G1")
def test_a_flood_from_a_banned_address_leaves_numbers_alone(scene: Scene) -> None:
    """No line of a log: what a stranger sends is not to fill our disks."""
    for number in range(10):
        scene.tries(unknown(number), LIAR)
    scene.passes(1)
    kept, last = DeviceEvent.objects.count(), scene.store.xinfo_stream(wire.NOTES)["last-generated-id"]

    for number in range(300):
        assert scene.tries(unknown(number), LIAR).verdict.rule == "G1"

    left = [
        wire.unpack_note(entry[wire.NOTE]) for _, entry in scene.store.xrange(wire.NOTES, f"({last.decode()}")
    ]
    assert sum(note.count for note in left) == 300
    assert {(note.mac, note.agent, note.file, note.key) for note in left} == {("", "", "", "")}
    scene.passes(1)
    assert DeviceEvent.objects.count() == kept
    assert len(keys_at(LIAR)) == 10
