"""A banned address: what goes on there, what the pages say of it, and who frees it how often.

Issue 5, "done when" 5; the ban is earned at the real edge, and freed by forms alone.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from django.utils import timezone

from accounts.refusals import Refusal
from accounts.scope import Actor
from provisioning import unblocking
from security import bans
from security.models import Ban, Unblocking
from tests.attacks.forms import Browser, forms_of
from tests.attacks.scene import HOUR, MINUTE, Handset, Scene, bans_at, network, unknown
from tests.portal.reading import said
from tests.provisioning.inside_edge import committed

pytestmark = [pytest.mark.rule("B4", "B6"), pytest.mark.timeout(300)]

OFFICE, ELSEWHERE, SIX = "203.0.113.10", "198.51.100.77", "2001:db8:5:5::10"
UNBLOCK = "Unblock my address"
_numbers = count(0x100)


@pytest.fixture
def desk(scene: Scene) -> Handset:
    """A phone of acme's that works there."""
    return scene.settle("00005e00b001", OFFICE)


@pytest.fixture
def newcomer(scene: Scene, desk: Handset) -> Handset:
    """One that was entered and not plugged in yet."""
    return Handset(scene.enter("00005e00b002").mac, OFFICE)


def attack(scene: Scene, address: str = OFFICE) -> Ban:
    """Ten MACs that nobody has entered; returns the ban that follows."""
    for number in (next(_numbers) for _ in range(10)):
        scene.tries(unknown(number), address)
    scene.passes(1)
    ban = bans_at(address)[-1]
    assert ban.lifted_at is None
    assert ban.ends_at > timezone.now()
    return ban


def is_shut(scene: Scene, address: str = OFFICE) -> bool:
    return scene.tries(unknown(0), address).verdict.rule == "G1"


def freed(scene: Scene, person: Actor, address: str = OFFICE) -> str:
    """He opens the IP check where he is and presses the button; what the page says."""
    browser = Browser(scene, person, address)
    browser.opens("/addresses/", address=address)
    browser.presses(UNBLOCK)
    scene.passes(1)
    return said(browser.page)


def no(person: Actor, address: str = OFFICE, *, at: str = "") -> str:
    """The code of the refusal, of somebody who is there (or elsewhere)."""
    with pytest.raises(Refusal) as refusal, committed():
        unblocking.unblock(address, by=replace(person, address=at or address))
    return refusal.value.code


def test_phones_that_work_go_on_and_new_ones_wait(scene: Scene, desk: Handset, newcomer: Handset) -> None:
    attack(scene)

    assert scene.boots(desk).verdict.rule == "O3"
    assert scene.boots(newcomer).verdict.rule == "G1"
    assert not newcomer.folder
    assert scene.ask(f"{desk.folder}{unknown(0)}.cfg", OFFICE, "x").status == 404, (
        "its token opens no other file"
    )


def test_the_ip_check_says_what_happened(scene: Scene, desk: Handset) -> None:
    attack(scene)

    browser = Browser(scene, scene.tree.ana, OFFICE)
    browser.opens("/addresses/", address=OFFICE)
    told = said(browser.page)

    assert f"{OFFICE} is banned" in told
    assert "10 different failures within an hour" in told
    assert "10 \N{MULTIPLICATION SIGN} unknown MACs" in told
    assert "Your phone there keeps working." in told
    assert browser.has(UNBLOCK)
    by_program = browser.client.get("/api/v1/ip-check/", {"address": OFFICE}).json()
    assert by_program["banned"] is not None
    assert unknown(0x100)[:4] not in Browser(scene, scene.tree.eve, ELSEWHERE).opens(
        "/addresses/", address=OFFICE
    )


def test_who_is_there_frees_it_by_a_form(scene: Scene, desk: Handset, newcomer: Handset) -> None:
    attack(scene)

    told = freed(scene, scene.tree.ana)

    assert f"{OFFICE} is not banned any more" in told
    assert not is_shut(scene)
    assert scene.boots(newcomer).status == 200
    assert newcomer.folder
    ban = bans_at(OFFICE)[-1]
    assert ban.lifted_by == scene.tree.ana.label


def test_who_is_there_with_his_phones_only_proves_it_first(scene: Scene, desk: Handset) -> None:
    """The portal sees him come over IPv6, the phones' host over the banned IPv4."""
    attack(scene)
    browser = Browser(scene, scene.tree.ana, SIX, phones_see=OFFICE)
    browser.opens("/addresses/", address=OFFICE)
    assert not browser.has(UNBLOCK)

    browser.presses("Prove where I am")
    assert f"You are at {OFFICE}." in said(browser.page)
    browser.presses(UNBLOCK)
    scene.passes(1)

    assert not is_shut(scene)


def test_a_proof_of_another_address_frees_nothing(scene: Scene, desk: Handset) -> None:
    attack(scene)
    browser = Browser(scene, scene.tree.ana, SIX, phones_see=ELSEWHERE)
    browser.opens("/addresses/", address=OFFICE)
    browser.presses("Prove where I am")
    browser.opens("/addresses/", address=OFFICE)

    assert not browser.has(UNBLOCK)
    assert no(scene.tree.ana, at=SIX) == "not-there"
    assert is_shut(scene)


@pytest.mark.parametrize("who", ["ana", "rita", "support"])
def test_from_another_address_it_is_refused_also_while_masquerading(
    scene: Scene, desk: Handset, who: str
) -> None:
    attack(scene)
    person: Actor = getattr(scene.tree, who)
    elsewhere = Browser(scene, person, ELSEWHERE)
    elsewhere.opens("/addresses/", address=OFFICE)
    csrf = next(filter(None, (form.values.get("csrfmiddlewaretoken") for form in forms_of(elsewhere.shown))))

    assert not elsewhere.has(UNBLOCK)
    forged = elsewhere.client.post(
        "/addresses/unblock/", {"address": OFFICE, "csrfmiddlewaretoken": csrf}, follow=True
    )
    assert f"Only somebody at {OFFICE} can unblock it" in said(forged)
    for as_whom in ("", scene.tree.ana.label, scene.tree.ben.label):
        assert no(replace(person, on_behalf_of=as_whom), at=ELSEWHERE) == "not-there"
    assert is_shut(scene)
    assert not Unblocking.objects.exists()


def test_a_masquerade_is_counted_as_the_person_behind_it(scene: Scene, desk: Handset) -> None:
    attack(scene)
    with committed():
        unblocking.unblock(
            OFFICE, by=replace(scene.tree.support, address=OFFICE, on_behalf_of=scene.tree.ana.label)
        )

    assert scene.tree.support.user is not None
    assert Unblocking.objects.get().person == f"user {scene.tree.support.user.pk}"
    assert not is_shut(scene)


def test_it_forgets_nothing_and_three_a_day_is_all(scene: Scene, desk: Handset) -> None:
    lengths = []
    for _ in range(3):
        ban = attack(scene)
        lengths.append((ban.step, ban.ends_at - ban.starts_at, ban.propose_block))
        assert "is not banned any more" in freed(scene, scene.tree.ana)
        assert not is_shut(scene)
        scene.passes(MINUTE)

    assert lengths == [
        (1, timedelta(hours=1), False),
        (2, timedelta(hours=4), False),
        (3, timedelta(hours=24), True),
    ]
    assert attack(scene).step == 3
    assert no(scene.tree.ana) == "too-often", "he has had his three"
    assert no(scene.tree.vic) == "too-often", "and so has the address"
    assert is_shut(scene)
    assert not Ban.objects.filter(kind=Ban.Kind.BLOCKED).exists()


def test_an_end_user_frees_it_on_his_own_page(scene: Scene, desk: Handset) -> None:
    attack(scene)
    browser = Browser(scene, scene.tree.ben, OFFICE)
    browser.opens("/my-phones/")

    browser.presses(UNBLOCK)
    scene.passes(1)

    assert not is_shut(scene)


def test_what_has_counted_does_not_count_again(scene: Scene, desk: Handset) -> None:
    first = attack(scene)
    assert len(first.evidence["keys"]) == 10
    freed(scene, scene.tree.ana)

    for key in first.evidence["keys"]:
        scene.tries(key[1], OFFICE)
    scene.passes(1)
    assert not is_shut(scene)
    assert len(bans_at(OFFICE)) == 1


def test_whose_phone_was_never_there_frees_it_once(scene: Scene, desk: Handset) -> None:
    attack(scene)
    freed(scene, scene.tree.eve)
    attack(scene)

    assert no(scene.tree.eve) == "no-phone-there"
    assert no(scene.tree.ben) == "no-phone-there", "he sees no phone of this address"
    assert "is not banned any more" in freed(scene, scene.tree.ana)


def test_three_bans_a_day_by_one_person_whatever_the_address(scene: Scene) -> None:
    places = [f"203.0.113.{number}" for number in range(20, 24)]
    for number, place in enumerate(places):
        scene.settle(f"00005e00b0{number + 16:02x}", place)
        attack(scene, place)
    for place in places[:3]:
        freed(scene, scene.tree.ana, place)

    assert no(scene.tree.ana, places[3]) == "too-often"
    assert is_shut(scene, places[3])
    assert "is not banned any more" in freed(scene, scene.tree.vic, places[3])


def test_a_blocked_address_is_not_freed(scene: Scene, desk: Handset, newcomer: Handset) -> None:
    with committed():
        bans.block(network(OFFICE), by=scene.tree.support, length=timedelta(days=1), reason="A botnet")
    scene.passes(1)
    browser = Browser(scene, scene.tree.ana, OFFICE)
    browser.opens("/addresses/", address=OFFICE)

    assert scene.boots(desk).verdict.rule == "O2"
    assert scene.boots(newcomer).status == 404
    assert "is blocked until" in said(browser.page)
    assert not browser.has(UNBLOCK)
    assert no(scene.tree.ana) == no(scene.tree.support) == "blocked"
    scene.passes(HOUR)
    assert scene.boots(desk).status == 404
