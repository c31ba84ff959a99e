"""Home's hour of check-ins: every minute a bar, the numbers in words, one's own phones alone."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portal.pages import pulse
from provisioning.models import DeviceEvent
from tests.world import Tenant, World, actor, signed_in

pytestmark = pytest.mark.django_db


def checked_in(tenant: Tenant, *, minutes_ago: int, count: int = 1, **more: object) -> None:
    """A line of the log, as the drain writes it."""
    facts = {"what": "request", "outcome": "full", "rule": "O3", "details": {"check_in": True}, **more}
    DeviceEvent.objects.create(
        device=tenant.phone,
        account=tenant.account,
        mac=tenant.phone.mac,
        at=timezone.now() - timedelta(minutes=minutes_ago),
        count=count,
        **facts,
    )


def test_an_hour_without_check_ins_says_so(clock: time_machine.Traveller, world: World) -> None:
    checked_in(world.acme, minutes_ago=61)
    checked_in(world.acme, minutes_ago=1, details={})  # a book, a directory: no check-in

    page = signed_in(world.ana).get("/").content.decode()

    assert pulse.of(actor(world.ana), timezone.now()).is_still
    assert "No phone checked in during the last hour." in page


def test_a_storm_is_one_tall_bar_beside_low_ones(clock: time_machine.Traveller, world: World) -> None:
    for minute in range(6, 59):
        checked_in(world.acme, minutes_ago=minute, count=2)
    checked_in(world.acme, minutes_ago=3, count=700)
    checked_in(world.globex, minutes_ago=3, count=5)

    seen = pulse.of(actor(world.ana), timezone.now())
    page = signed_in(world.ana).get("/").content.decode()

    assert (seen.lately, seen.before, seen.most) == (700, 10, 700)
    assert seen.most_at == timezone.now() - timedelta(minutes=3)
    assert len(seen.bars) == 54
    assert max(float(bar.height) for bar in seen.bars) == pulse.BASE - pulse.TOP
    assert {bar.height for bar in seen.bars} == {"1.5", "68.0"}
    assert "700 in the last 5 minutes; 10 in 5 ordinary minutes of this hour." in page


def test_it_shows_the_phones_that_one_may_see(clock: time_machine.Traveller, world: World) -> None:
    checked_in(world.acme, minutes_ago=0, count=3)
    checked_in(world.globex, minutes_ago=0, count=40)

    most = {
        user.email: pulse.of(actor(user), timezone.now()).most for user in (world.ana, world.eve, world.rita)
    }

    assert most == {world.ana.email: 3, world.eve.email: 40, world.rita.email: 43}


def test_the_minute_that_is_not_over_is_drawn_as_such(clock: time_machine.Traveller, world: World) -> None:
    checked_in(world.acme, minutes_ago=0)
    checked_in(world.acme, minutes_ago=1)

    page = signed_in(world.ana).get("/").content.decode()

    assert page.count('class="sofar"') == page.count('class="did"') == 1


def test_it_refreshes_by_itself_without_the_rest_of_the_page(
    clock: time_machine.Traveller, world: World
) -> None:
    checked_in(world.acme, minutes_ago=2, count=12)

    answer = signed_in(world.ana).get("/", headers={"HX-Request": "true", "HX-Target": "pulse"})

    text = answer.content.decode().strip()
    assert text.startswith('<section class="section" id="pulse"')
    assert text.endswith("</section>")
    assert "12 in the last 5 minutes" in text
    assert "<h1" not in text


def test_a_file_that_a_phone_has_not_got_is_nobody_turned_away(
    clock: time_machine.Traveller, world: World
) -> None:
    client = signed_in(world.ana)
    refused = {"outcome": "refused", "details": {}}
    DeviceEvent.objects.all().delete()
    checked_in(world.acme, minutes_ago=2, rule="O0", file="x-phone.cfg", **refused)
    checked_in(world.acme, minutes_ago=2, rule="G5", **refused)

    quiet = client.get("/").content.decode()
    checked_in(world.acme, minutes_ago=2, rule="R6", **refused)
    told = client.get("/").content.decode()

    assert "No phone was refused." in quiet
    assert "No phone was refused." not in told
    assert "and was refused." in told
