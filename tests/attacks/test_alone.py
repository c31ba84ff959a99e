"""A stranger alone at his addresses: what is caught and when, and what is not (the README's threat model).

Issue 5, "done when" 3; `python -m tests.bench attacks` measures the same for days, with seeds.
"""

from datetime import timedelta

import pytest

from provisioning.models import FailureKey, Lock
from security.models import Ban
from tests.attacks import attackers
from tests.attacks.attackers import Attacker, play
from tests.attacks.scene import DAY, HOUR, Handset, Scene, bans_at, network, unknown

pytestmark = [pytest.mark.once, pytest.mark.timeout(600)]

HOURS = timedelta(hours=1)
HOME = "203.0.113.10"
KNOWN = [f"00005e2000{number:02x}" for number in range(6)]


@pytest.fixture
def known(scene: Scene) -> list[str]:
    """Phones that are locked to an address far away, and one that is entered and not plugged in yet."""
    scene.lock_away(KNOWN[:5], HOME)
    scene.enter(KNOWN[5])
    scene.passes(1)
    scene.drained_every, scene.beat_every = 600.0, HOUR
    return KNOWN


@pytest.mark.rule("B3")
@pytest.mark.parametrize("way", [attackers.in_a_row, attackers.at_random])
def test_a_fast_one_is_banned_at_the_tenth_try_and_longer_each_time(
    scene: Scene, known: list[str], way: attackers.Way
) -> None:
    result = play(scene, Attacker("fast", way, 3600.0), known, lasts=29 * HOUR, seed=1)

    assert (result.tries_before, result.banned_after) == (10, 10.0)
    assert [ban.ends_at - ban.starts_at for ban in bans_at("192.0.2.66")] == [HOURS, 4 * HOURS, 24 * HOURS]
    assert len(result.judged) == 30
    assert Ban.objects.filter(propose_block=True).count() == 1
    assert not Ban.objects.filter(kind=Ban.Kind.BLOCKED).exists(), "only a person blocks"


@pytest.mark.rule("B1")
def test_a_patient_one_is_never_banned_and_gets_nothing_from_a_locked_phone(
    scene: Scene, known: list[str]
) -> None:
    """What is not caught: eight different MACs an hour. There are sixteen million of each maker's range."""
    result = play(scene, Attacker("slow", attackers.at_random, 8.0), known, lasts=DAY, seed=1)

    assert (result.banned_after, result.got) == (None, set())
    assert len(result.judged) == 192
    assert FailureKey.objects.values("label").distinct().count() == 192, "all of it is on record"


@pytest.mark.rule("B1")
def test_spread_over_a_24_of_ipv4_nobody_adds_it_up(scene: Scene, known: list[str]) -> None:
    """What is not caught: each address is a place of its own, for behind each may live another customer."""
    spread = Attacker("spread", attackers.at_random, 8.0, attackers.four(50))

    result = play(scene, spread, known, lasts=2 * HOUR, seed=1)

    assert result.banned_after is None
    assert len(result.judged) == 800


@pytest.mark.rule("B1", "B3")
@pytest.mark.parametrize(
    ("case", "addresses", "network_banned", "tries"),
    [
        ("of one /56, banned as that", attackers.six_together(50), "2001:db8:66::/56", 20),
        ("of one /48, banned as that", attackers.six(50), "2001:db8:66::/48", 40),
    ],
)
def test_spread_over_ipv6_it_is_added_up(
    scene: Scene, known: list[str], case: str, addresses: tuple[str, ...], network_banned: str, tries: int
) -> None:
    spread = Attacker("spread", attackers.at_random, 8.0, addresses)

    result = play(scene, spread, known, lasts=HOUR, seed=1)

    assert result.tries_before == tries
    assert [str(ban.network) for ban in Ban.objects.all()] == [network_banned]
    assert scene.tries(unknown(1), "2001:db8:66:fe::1").verdict.rule == "G1", "an address that it never used"


@pytest.mark.rule("B1")
def test_where_a_proved_phone_lives_no_wider_network_is_banned(scene: Scene, known: list[str]) -> None:
    """A provider's customers share a /48; then each /64 is judged alone."""
    desk = scene.settle("00005e00b001", "2001:db8:66:aa00::10")
    spread = Attacker("spread", attackers.at_random, 8.0, attackers.six(50))

    result = play(scene, spread, known, lasts=HOUR, seed=1)

    assert result.banned_after is None
    assert not Ban.objects.exists()
    assert scene.boots(desk).status == 200


@pytest.mark.rule("B1", "B2", "E7")
def test_who_mixes_known_macs_in_is_banned_all_the_sooner(scene: Scene, known: list[str]) -> None:
    """A MAC that is known and locked elsewhere is a key as any other, and shields nobody."""
    mixed = Attacker("mixed", attackers.mixed, 60.0)

    result = play(scene, mixed, known, lasts=DAY, seed=1)

    assert result.banned_after is not None
    assert result.banned_after < HOUR
    ban = bans_at("192.0.2.66")[0]
    assert {key[0] for key in ban.evidence["keys"]} == {"unknown-mac", "locked-mac"}
    assert result.got == {KNOWN[5]}, "what is not caught: who knows a NEW phone's MAC is served as that phone"


@pytest.mark.rule("E7")
def test_who_knows_phones_and_is_patient_makes_them_suspicious(scene: Scene, known: list[str]) -> None:
    """Never ten different MACs, so no ban; the same foreign key in 12 of 24 hours is a sign."""
    result = play(scene, Attacker("slow", attackers.known_alone, 10.0), known[:5], lasts=15 * HOUR, seed=1)
    scene.drain()

    assert (result.banned_after, result.got) == (None, set())
    assert Lock.objects.exclude(suspicion_until=None).count() == 5


@pytest.mark.rule("B1")
def test_repeats_are_no_keys(scene: Scene, known: list[str]) -> None:
    result = play(scene, Attacker("nines", attackers.nines, 600.0), known, lasts=3 * HOUR, seed=1)

    assert (result.banned_after, len(result.judged)) == (None, 9)


@pytest.mark.rule("B4")
def test_his_ban_touches_nobody_elsewhere(scene: Scene, known: list[str]) -> None:
    play(scene, Attacker("fast", attackers.at_random, 3600.0), known, lasts=60.0, seed=1)
    newcomer = Handset(KNOWN[5], HOME)

    scene.boots(newcomer)

    assert newcomer.folder
    assert Ban.objects.get().network == network("192.0.2.66")
