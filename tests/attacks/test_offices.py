"""An honest office whose phones nobody has entered: banned once at most.

Issue 5, "done when" 2.
"""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from provisioning import checking
from provisioning.models import Incident
from security.models import Ban
from tests.attacks.scene import (
    DAY,
    HOUR,
    MINUTE,
    Handset,
    Scene,
    agent_of,
    bans_at,
    unknown,
)
from tests.portal.reading import said
from tests.tree import user_of
from tests.world import signed_in

pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]

OFFICE = "203.0.113.10"


@pytest.mark.rule("B3")
def test_fifteen_phones_that_nobody_has_entered_ban_their_office_once_for_an_hour(scene: Scene) -> None:
    scene.beat_every = HOUR
    dice = random.Random(5)
    desk = scene.settle("00005e00b001", OFFICE)
    strangers = [Handset(unknown(number), OFFICE) for number in range(15)]
    begun = scene.now

    def everybody_tries() -> None:
        for phone in strangers:
            for name in (f"/{phone.mac}.boot", f"/{phone.mac}.cfg"):
                assert scene.ask(name, OFFICE, agent_of(phone.mac)).status == 404
        assert scene.boots(desk).verdict.rule == "O3", "the phone that works does not notice"

    while scene.now < begun + 7 * DAY - HOUR:  # every five minutes at first, then every hour
        everybody_tries()
        scene.passes(5 * MINUTE if scene.now < begun + 3 * HOUR else HOUR * dice.uniform(0.8, 1.2))
    everybody_tries()
    scene.passes(MINUTE)

    ban = Ban.objects.get()
    assert (ban.kind, ban.step, ban.propose_block) == ("banned", 1, False)
    assert (ban.starts_at.timestamp() - begun, ban.ends_at - ban.starts_at) == (0, timedelta(hours=1))
    incident = Incident.objects.get(account=scene.tree.acme, kind=Incident.Kind.BAN)
    assert incident.ended_at == ban.ends_at
    found = checking.check(OFFICE, by=scene.tree.ana, now=timezone.now())
    assert found is not None
    assert {phone.mac for phone in found.unknown} == {phone.mac for phone in strangers}
    shown = signed_in(user_of(scene.tree.ana)).get("/addresses/", {"address": OFFICE})
    assert "Unknown phones at this address" in said(shown)
    assert shown.content.decode().count("/phones/add/?mac=") == 15


@pytest.mark.rule("B3")
def test_once_they_are_entered_they_come_up_as_soon_as_the_ban_is_over(scene: Scene) -> None:
    phones = [Handset(unknown(number), OFFICE) for number in range(15)]
    for phone in phones:
        scene.boots(phone)
        scene.passes(10)
    assert bans_at(OFFICE)
    for phone in phones:
        scene.enter(phone.mac)
    assert {scene.boots(phone).status for phone in phones} == {404}, "the ban touches the root URL"

    scene.passes(HOUR)
    for phone in phones:
        scene.boots(phone)

    assert all(phone.folder for phone in phones)
    assert len(bans_at(OFFICE)) == 1
