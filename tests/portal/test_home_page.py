"""Home: the tiles' numbers are those of the rows; the chart says what came and what was expected."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts import tenants
from accounts.models import Account
from accounts.roles import Role
from devices.models import Device, SettingValue
from portal.pages import home
from provisioning import arrivals, incidents, listening, quarters, quiet_phones, shortfall
from provisioning.models import (
    CheckInDay,
    DeviceEvent,
    Incident,
    LastSeen,
    Lock,
    UnknownTime,
)
from provisioning.silence import Series, bucket
from tests.portal.reading import said
from tests.world import World, actor, signed_in

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 18, 12, 20, tzinfo=UTC)


def came(account: Account | None, at: datetime, count: int) -> None:
    """So many phones in the quarter of that moment, as the drain adds them."""
    row, _ = CheckInDay.objects.get_or_create(
        account=account, site=None, day=at.astimezone(UTC).date(), defaults={"quarters": quarters.NONE}
    )
    counts = quarters.unpack(row.quarters)
    counts[quarters.number(at)] += count
    row.quarters = quarters.pack(counts)
    row.save()


def weeks_of(account: Account, now: datetime, *, count: int = 20, days: int = 28) -> None:
    for ago in range(days + 1):
        for hour in range(24):
            came(account, (now - timedelta(days=ago)).replace(hour=hour, minute=0), count + (ago + hour) % 3)


def seen(device: Device, ago: timedelta) -> None:
    LastSeen.objects.update_or_create(
        device=device, defaults={"at": timezone.now() - ago, "address": "203.0.113.7"}
    )


def test_the_chart_counts_what_the_rows_hold_of_ones_own_accounts(world: World) -> None:
    came(world.acme.account, NOON, 7)
    came(world.acme.account, NOON - timedelta(minutes=15), 4)
    came(world.acme.account, NOON - timedelta(hours=47), 3)
    came(world.acme.account, NOON - timedelta(hours=48), 90)
    came(world.globex.account, NOON, 1000)
    came(None, NOON, 1007)

    of_ana = arrivals.hours(actor(world.ana), NOON)
    of_rita = arrivals.hours(actor(world.rita), NOON)
    of_sam = arrivals.hours(actor(world.sam), NOON)

    assert len(of_ana) == 48
    assert (of_ana[-1].at, of_ana[-1].count, of_ana[-1].is_over) == (NOON.replace(minute=0), 11, False)
    assert (of_ana[0].count, sum(hour.count for hour in of_ana)) == (3, 14)
    assert (of_rita[-1].count, of_sam[-1].count) == (1011, 1007)


def test_what_is_expected_is_what_silences_are_judged_by(world: World) -> None:
    weeks_of(world.acme.account, NOON)
    now = NOON

    hour = arrivals.hours(actor(world.ana), now)[-3]

    first = (now - arrivals.BACK).date()
    counts: list[int] = []
    for at in range((now.date() - first).days + 1):
        row = CheckInDay.objects.filter(account=world.acme.account, day=first + timedelta(days=at)).first()
        counts += quarters.unpack(row.quarters) if row else [0] * quarters.IN_A_DAY
    start = bucket(datetime.combine(first, datetime.min.time(), UTC), 4)
    number = bucket(hour.at, 4)
    expected = shortfall.expect(list(Series(start, counts, per_hour=4).days([(number, number + 4)])))
    assert expected is not None
    assert hour.low == int(expected.mean - arrivals.WIDTH * expected.variance**0.5)
    assert hour.high is not None
    assert 0 < hour.low < expected.mean < 22 < hour.high < 40


def test_a_few_check_ins_now_and_then_are_as_expected(world: World) -> None:
    for ago in range(1, 30):
        came(world.acme.account, NOON - timedelta(days=ago, hours=ago % 3), 1)
    came(world.acme.account, NOON, 1)

    hour = arrivals.hours(actor(world.ana), NOON)[-1]

    assert hour.low == 0
    assert hour.high is not None
    assert hour.high >= 1


def test_without_a_week_of_check_ins_nothing_is_expected(world: World) -> None:
    weeks_of(world.acme.account, NOON, days=5)

    found = arrivals.hours(actor(world.ana), NOON)

    assert {hour.low for hour in found} == {None}


def test_hours_in_which_nobody_listened_are_unknown_and_hatched(
    clock: time_machine.Traveller, world: World
) -> None:
    now = timezone.now()
    weeks_of(world.acme.account, now)
    held = (now - timedelta(hours=5)).replace(minute=10, second=0, microsecond=0)
    listening.keep_unknown(UnknownTime.Why.HELD, held, held + timedelta(minutes=5))

    found = arrivals.hours(actor(world.ana), now)
    page = signed_in(world.ana).get("/")

    assert [hour.at for hour in found if hour.is_unknown] == [held.replace(minute=0)]
    assert page.content.decode().count('class="unknown"') == 1
    assert "1 hour says nothing" in said(page)


def test_a_hole_is_said_and_a_storm_and_a_ban_are_marked(clock: time_machine.Traveller, world: World) -> None:
    now = timezone.now()
    weeks_of(world.acme.account, now, count=200, days=32)
    hole = (now - timedelta(hours=26)).replace(minute=0, second=0, microsecond=0)
    row = CheckInDay.objects.get(account=world.acme.account, day=hole.date())
    counts = quarters.unpack(row.quarters)
    counts[hole.hour * 4 : hole.hour * 4 + 4] = [0, 0, 0, 0]
    CheckInDay.objects.filter(pk=row.pk).update(quarters=quarters.pack(counts))
    Incident.objects.filter(kind=Incident.Kind.BAN).delete()
    storm = incidents.open_(
        Incident.Kind.STORM,
        account=world.acme.account,
        subject="203.0.113.7",
        title="116 phones asked at once",
        now=now - timedelta(hours=4),
        evidence={"state": {"phones": 116}},
    )
    incidents.open_(Incident.Kind.BAN, account=world.acme.account, subject="x", title="A ban", now=now)
    incidents.open_(Incident.Kind.BAN, account=world.globex.account, subject="x", title="Theirs", now=now)
    Incident.objects.filter(kind=Incident.Kind.BAN).update(opened_at=now - timedelta(hours=1))

    page = signed_in(world.ana).get("/")
    shown = said(page)

    assert "Storm, 116 phones" in shown
    assert "1 storm, nobody banned for it." in shown
    assert "1 ban where phones live." in shown
    assert "1 ban" in shown
    assert "Theirs" not in shown
    assert f'/incidents/{storm.code}/">116 phones asked at once</a>' in page.content.decode()
    assert "Fewer than expected in 1 hour." in shown


def test_the_chart_is_attributes_alone(clock: time_machine.Traveller, world: World) -> None:
    weeks_of(world.acme.account, timezone.now())

    answer = signed_in(world.ana).get("/", headers={"HX-Request": "true", "HX-Target": "check-ins"})

    page = answer.content.decode().strip()
    assert page.startswith('<section class="section" id="check-ins"')
    assert page.endswith("</section>")
    assert " style=" not in page
    assert page.count("<tr><th scope=") == 1 + 48


def test_the_tiles_count_what_is_on_time_and_what_is_quiet(
    clock: time_machine.Traveller, world: World
) -> None:
    seen(world.acme.phone, timedelta(hours=20))
    seen(world.acme.other_phone, timedelta(hours=33))
    seen(world.globex.phone, timedelta(hours=99))

    shown = said(signed_in(world.ana).get("/"))

    assert "1 of 2 phones checked in on time." in shown
    assert "Quiet1longest: Door of acme" in shown
    assert "1 in the last 24 hours" in shown
    assert "Door of globex" not in shown


def test_of_very_many_phones_the_numbers_are_kept_for_a_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = home.counted(actor(world.ana), Device.objects.visible_to(actor(world.ana)), timezone.now())
    seen(world.acme.phone, timedelta(hours=1))
    fresh = home.counted(actor(world.ana), Device.objects.visible_to(actor(world.ana)), timezone.now())
    monkeypatch.setattr(home, "MANY", 1)
    home.counted(actor(world.ana), Device.objects.visible_to(actor(world.ana)), timezone.now())
    seen(world.acme.other_phone, timedelta(hours=1))
    kept = home.counted(actor(world.ana), Device.objects.visible_to(actor(world.ana)), timezone.now())
    theirs = home.counted(actor(world.eve), Device.objects.visible_to(actor(world.eve)), timezone.now())

    assert (first["today"], fresh["today"], kept["today"]) == (0, 1, 1)
    assert theirs["today"] == 0


def test_a_phone_is_late_by_the_interval_that_counts_for_it(
    clock: time_machine.Traveller, world: World
) -> None:
    now = timezone.now()
    phones = (world.acme.phone, world.acme.other_phone, world.globex.phone, world.globex.other_phone)
    for phone in phones:
        seen(phone, timedelta(hours=10))
    SettingValue.objects.create(account=world.harbour, name="poll_hours", value=4)
    SettingValue.objects.create(account=world.globex.account, name="poll_hours", value=24)
    own = {"account": world.globex.account, "device": world.globex.phone}
    SettingValue.objects.create(name="poll_hours", value=6, **own)
    SettingValue.objects.create(
        account=world.harbour, family="yealink", model="T46S", name="poll_hours", value=48
    )
    Device.objects.filter(pk=world.acme.other_phone.pk).update(model="T46U")
    everybody = Device.objects.select_related("account", "lock", "last_seen")

    found = set(Device.objects.filter(quiet_phones.late(now)).values_list("pk", flat=True))

    assert found == set(quiet_phones.lapses(everybody, now))
    assert found == {world.acme.other_phone.pk, world.globex.phone.pk}


def test_locked_out_is_who_was_refused_and_not_let_in_since(
    clock: time_machine.Traveller, world: World
) -> None:
    now = timezone.now()
    DeviceEvent.objects.all().delete()
    Lock.objects.update(last_claim_at=now - timedelta(hours=5))
    for minutes, device in ((30, world.acme.phone), (20, world.acme.phone), (40, world.acme.other_phone)):
        DeviceEvent.objects.create(
            device=device, account=device.account, mac=device.mac, at=now - timedelta(minutes=minutes),
            what="request", outcome="refused", rule="R6", address="198.51.100.20",
        )  # fmt: skip
    client = signed_in(world.ana)
    first = said(client.get("/"))
    assert out(client) == {world.acme.phone, world.acme.other_phone}

    seen(world.acme.other_phone, timedelta(minutes=10))
    second = said(client.get("/"))
    assert out(client) == {world.acme.phone}
    Lock.objects.filter(device=world.acme.phone).update(last_claim_at=now)
    third = said(client.get("/"))

    assert "Locked out2refused today" in first
    assert "Locked out1refused today" in second
    assert "Locked out0refused today" in third
    assert out(client) == set()


def out(client: Client) -> set[Device]:
    """The phones of the list that the tile leads to."""
    found = re.search(r'id="tile-4" href="([^"]+)"', client.get("/").content.decode())
    assert found is not None
    return {row.device for row in client.get(found[1]).context["rows"]}


def test_an_empty_account_is_told_what_to_do_first(world: World) -> None:
    fresh = tenants.create_account(world.harbour, by=actor(world.rita), slug="fresh", name="Fresh Fish")
    person = tenants.add_person(
        fresh, by=actor(world.rita), email="f@fresh.example", name="F", role=Role.MANAGER, password=None
    ).user

    shown = said(signed_in(person).get("/"))

    assert "Fresh Fish has no phones yet." in shown
    assert "Add the first phone" in shown
