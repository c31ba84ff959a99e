"""GET /api/v1/silence/: quiet phones, places with what was expected, alarms."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from provisioning import incidents, quiet_report
from provisioning.models import Incident, LastSeen
from tests.provisioning.quiet_rows import Rows
from tests.provisioning.quiet_town import DAY, WEEK, site
from tests.world import World, make_key, program

START = 4 * WEEK + 3 * DAY + 9.0


@pytest.mark.django_db
def test_it_tells_what_was_expected_of_each_place() -> None:
    rng = random.Random(11)
    on = [(0.0, float(6 * WEEK))]
    dark, light = site("Dark", 30, "hourly", on, rng), site("Light", 6, "hourly", on, rng)
    dark.silent(START, 6 * WEEK)
    rows = Rows([dark, light], until=START)
    rows.go(START + 6)

    found = quiet_report.of_account(rows.accounts["acme"], rows.clock)

    assert (found.phones, found.quiet, len(found.quiet_phones)) == (36, 30, 30)
    assert {device.site for device, _ in found.quiet_phones} == {rows.places["Dark"]}
    places = {place.name: place for place in found.places}
    assert (places["Dark"].phones, places["Dark"].quiet, places["Light"].quiet) == (30, 30, 0)
    assert places["Dark"].seen == pytest.approx(18 * 30, abs=40)
    assert places["Dark"].expected == pytest.approx(22 * 30, abs=60)
    assert [row.title.split(".")[0] for row in found.alarms] == ["Dark is quiet"]


def test_a_program_reads_it(world: World) -> None:
    phone, now = world.acme.phone, timezone.now()
    last = now - timedelta(hours=40)
    LastSeen.objects.update_or_create(device=phone, defaults={"at": last, "address": "203.0.113.7"})
    alarm = incidents.open_(
        Incident.Kind.SILENCE, account=world.acme.account, subject=f"site {world.acme.site.code}",
        title="Yard is quiet.", now=now, site=world.acme.site,
    )  # fmt: skip
    key = make_key(world.acme.account, Role.VIEWER, world.ana)

    told = program(key).get("/api/v1/silence/?account=acme").json()

    assert (told["phones"], told["quiet"]) == (1, 1)
    (quiet,) = told["quiet_phones"]
    assert (quiet["device"], quiet["site"]) == (str(phone.code), str(world.acme.site.code))
    assert quiet["interval_hours"] == 24
    assert [(row["incident"], row["title"]) for row in told["alarms"]] == [
        (str(alarm.code), "Yard is quiet.")
    ]
    yard = next(place for place in told["places"] if place["site"])
    assert (yard["name"], yard["phones"], yard["quiet"], yard["expected"]) == (
        world.acme.site.name,
        1,
        1,
        None,
    )


def test_nobody_else_reads_it(world: World) -> None:
    key = make_key(world.globex.account, Role.MANAGER, world.eve)

    answer = program(key).get("/api/v1/silence/?account=acme")

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
