"""Bans, storms, silences, incidents and single phones that go quiet are told, each once, and their ends."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account
from accounts.scope import Actor
from devices.models import Device
from devices.settings_tree import set_value
from provisioning import draining, earned, incidents, listening, locking, quieting, storms, tasks
from provisioning.models import Incident, LastSeen, Stamp, WebhookEndpoint, WebhookEvent
from security import bans
from security.models import Ban
from tests.factories import AWAY, HOME, make_phone, origin, proved
from tests.provisioning.crowds import all_came, make_crowd
from tests.provisioning.ears import Ears, listen, times_asked, told
from tests.provisioning.notes import DAY, HOUR, drain, used
from tests.provisioning.quiet_rows import Rows
from tests.provisioning.quiet_town import WEEK, site
from tests.tree import Tree

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

MINUTE = timedelta(minutes=1)
LATE = timedelta(hours=32)  # a daily phone is quiet after it


@pytest.fixture
def now() -> datetime:
    return timezone.now()


# --- bans --------------------------------------------------------------------------------------------------


def ban(cast: Tree, now: datetime, **more: Any) -> Ban:
    keep_out = bans.block if more.pop("blocked", False) else bans.set_ban
    return keep_out(origin(), by=cast.support, length=HOUR, reason="Scanned", now=now)


@pytest.mark.parametrize("blocked", [False, True])
def test_a_ban_is_told_to_the_accounts_whose_phones_live_there(
    blocked: bool, cast: Tree, ana: Actor, now: datetime
) -> None:
    for _ in range(2):
        proved(make_phone(cast.acme, by=ana), AWAY)
    ears = Ears(cast)

    made = ban(cast, now, blocked=blocked)
    incident = Incident.objects.get()
    bans.lift(made, by=cast.support, now=now + MINUTE)

    heard = ears.heard()
    code = str(incident.code)
    assert [kind for kind, _ in heard] == [
        "incident.opened",
        "address.banned",
        "incident.closed",
        "address.unbanned",
    ]
    until = heard[1][1].pop("until")
    assert datetime.fromisoformat(until) == now + HOUR
    assert heard[1][1] == {
        "rule": "B7",
        "network": AWAY,
        "standing": "blocked" if blocked else "banned",
        "phones": 2,
        "incident": code,
    }
    how = f"Lifted by {cast.support.label}."
    assert heard[3][1] == {"network": AWAY, "how": how, "incident": code}


def test_both_ends_of_a_ban_stand_in_one_lane(cast: Tree, ana: Actor, now: datetime) -> None:
    proved(make_phone(cast.acme, by=ana), AWAY)
    endpoint = listen(cast.acme, "address.banned", "address.unbanned")

    ban(cast, now)
    earned.sweep(now + 2 * HOUR)
    earned.sweep(now + 3 * HOUR)

    events = told(endpoint)
    assert [event.kind for event in events] == ["address.banned", "address.unbanned"]
    assert {event.lane for event in events} == {f"address {AWAY}"}
    assert events[1].data["how"] == "Its time was over."


def test_who_comes_while_the_ban_stands_is_told_then_and_nobody_twice(
    cast: Tree, ana: Actor, eve: Actor, now: datetime
) -> None:
    proved(make_phone(cast.acme, by=ana), AWAY)
    first, second = (listen(account, "address.banned") for account in (cast.acme, cast.globex))
    made = ban(cast, now)

    proved(make_phone(cast.globex, by=eve), AWAY)
    for _ in range(2):
        earned.open_incidents(made, now + MINUTE)

    assert [len(told(endpoint)) for endpoint in (first, second)] == [1, 1]


def test_an_incident_that_a_person_closes_says_nothing_of_the_ban(
    cast: Tree, ana: Actor, now: datetime
) -> None:
    proved(make_phone(cast.acme, by=ana), AWAY)
    ban(cast, now)
    incident = Incident.objects.get()
    ears = Ears(cast)

    incidents.close(incident, by=ana, reason="We know", now=now + MINUTE)
    earned.sweep(now + 2 * HOUR)

    ((kind, facts),) = ears.heard()
    assert (kind, facts["by"], facts["how"]) == ("incident.closed", ana.label, "We know")
    assert (facts["kind"], facts["incident"]) == ("ban", str(incident.code))


# --- incidents ---------------------------------------------------------------------------------------------


def test_an_incident_is_told_when_it_opens_and_ends_and_not_as_it_goes_on(
    cast: Tree, ana: Actor, now: datetime
) -> None:
    ears = Ears(cast)

    def again(title: str, at: datetime) -> Incident:
        return incidents.open_(
            Incident.Kind.SUSPICION, account=cast.acme, subject="wave", title=title, now=at
        )

    again("Three phones", now)
    row = again("Four phones", now + MINUTE)
    for _ in range(2):
        incidents.end(row, how="It is over.", now=now + HOUR)

    code = str(row.code)
    assert ears.heard() == [
        (
            "incident.opened",
            {"incident": code, "kind": "suspicion", "title": "Three phones", "network": None},
        ),
        (
            "incident.closed",
            {
                "incident": code,
                "kind": "suspicion",
                "title": "Four phones",
                "how": "It is over.",
                "by": None,
            },
        ),
    ]


def test_what_the_whole_platform_suffers_is_the_platforms(cast: Tree, now: datetime) -> None:
    top, below = listen(cast.platform), listen(cast.acme)

    incidents.open_(
        Incident.Kind.PLATFORM, account=cast.platform, subject="platform", title="All silent", now=now
    )

    assert [event.account for event in told(top)] == [cast.platform]
    assert told(below) == []


# --- storms ------------------------------------------------------------------------------------------------


def test_a_storm_is_told_once_to_the_account(cast: Tree, now: datetime) -> None:
    ears = Ears(cast)

    notes = all_came(make_crowd(cast.acme, 120), now)
    for start in range(0, 120, 60):
        draining.write(notes[start : start + 60], now + MINUTE)
    storms.sweep(now + 2 * MINUTE)

    incident = Incident.objects.get(kind="storm")
    opened, stormed = ears.heard()
    assert (opened[0], opened[1]["kind"], opened[1]["network"]) == ("incident.opened", "storm", HOME)
    assert stormed == (
        "address.storm",
        {"rule": "B2", "network": HOME, "phones": 120, "incident": str(incident.code)},
    )


# --- places that go quiet ----------------------------------------------------------------------------------


@pytest.mark.parametrize("at_site", [True, False])
def test_a_place_that_goes_quiet_is_told_once_and_its_end(at_site: bool) -> None:
    start = 4 * WEEK + 24 * 3 + 9.0
    office = site("Office", 5, "hourly", [(0.0, float(6 * WEEK))], random.Random(3))
    office.silent(start, start + 9)
    rows = Rows([office], until=start + 2)
    if not at_site:
        for phone in rows.phones["Office"]:
            Device.objects.filter(pk=phone.pk).update(site=None)
        move_counts_to_the_account(rows)
    endpoint = listen(rows.accounts["acme"])

    (incident,) = rows.go(start + 8)
    rows.go(start + 10.5)

    events = told(endpoint)
    kind = "site.quiet" if at_site else "account.quiet"
    assert [event.kind for event in events] == ["incident.opened", kind, "incident.closed"]
    facts = events[1].data
    place = rows.places["Office"]
    assert facts["site"] == (str(place.code) if at_site else None)
    assert facts["name"] == ("Office" if at_site else "Acme")
    assert (facts["incident"], facts["title"]) == (str(incident.code), events[0].data["title"])
    assert (facts["expected"], facts["seen"]) == (5, 0)
    assert datetime.fromisoformat(facts["since"]) <= events[1].at
    lane = f"site {place.code}" if at_site else str(rows.accounts["acme"].code)
    assert events[1].lane == lane


def move_counts_to_the_account(rows: Rows) -> None:
    """What was counted for the site counts for the account, as without one."""
    from provisioning.models import CheckInDay

    CheckInDay.objects.exclude(site=None).update(site=None)


# --- single phones -----------------------------------------------------------------------------------------


def seen(device: Device, at: datetime) -> Device:
    LastSeen.objects.update_or_create(device=device, defaults={"at": at, "address": HOME})
    return device


def looked(at: datetime) -> None:
    Stamp.objects.update_or_create(name=listening.LOOKED, defaults={"at": at})


@pytest.fixture
def daily(phone: Device, now: datetime) -> Device:
    """Ben's phone, which checked in now and is quiet in 32 hours; the last round was a minute before that."""
    looked(now + LATE - MINUTE)
    return seen(phone, now)


def test_a_phone_that_goes_quiet_is_told_once_and_when_it_is_back(
    cast: Tree, daily: Device, now: datetime
) -> None:
    ears = Ears(cast)

    quieting.look_at_phones(now + LATE)  # on the line, and not over it
    assert ears.kinds() == []
    for minutes in (5, 10, 15):
        quieting.look_at_phones(now + LATE + minutes * MINUTE)
    for hours in (0, 1):
        at = now + LATE + HOUR + hours * HOUR
        drain(used(daily, HOME, at, drift=False), now=at)
        quieting.look_at_phones(at + MINUTE)

    quiet, back = ears.take()
    assert (quiet.kind, quiet.device, quiet.at) == ("device.quiet", daily, now + LATE + 5 * MINUTE)
    assert datetime.fromisoformat(quiet.data["since"]) == now + LATE
    assert datetime.fromisoformat(quiet.data["last"]) == now
    assert (back.kind, back.at, back.lane) == ("device.back", now + LATE + HOUR, quiet.lane)
    assert datetime.fromisoformat(back.data["last"]) == now
    assert back.data["origin"] == HOME


def test_a_phone_that_comes_before_the_round_was_never_quiet(
    cast: Tree, daily: Device, now: datetime
) -> None:
    ears = Ears(cast)
    at = now + LATE + MINUTE

    drain(used(daily, HOME, at, drift=False), now=at)
    quieting.look_at_phones(at + MINUTE)

    assert ears.kinds() == []


@pytest.mark.parametrize("hours", [1, 4, 23])
def test_the_interval_is_the_phones_own(
    hours: int, cast: Tree, phone: Device, ana: Actor, now: datetime
) -> None:
    set_value(phone, by=ana, name="poll_hours", value=hours)
    line = seen(phone, now).last_seen.at + timedelta(hours=1.25 * hours + 2)
    looked(line - MINUTE)
    endpoint = listen(cast.acme)

    quieting.look_at_phones(line)
    assert told(endpoint) == []
    quieting.look_at_phones(line + MINUTE)

    assert [event.kind for event in told(endpoint)] == ["device.quiet"]


@pytest.mark.parametrize("why", ["disabled", "quarantined", "account"])
def test_nobody_waits_for_a_phone_that_gets_nothing(
    why: str, cast: Tree, daily: Device, ana: Actor, now: datetime
) -> None:
    if why == "disabled":
        Device.objects.filter(pk=daily.pk).update(is_enabled=False)
    elif why == "account":
        Account.objects.filter(pk=cast.acme.pk).update(is_active=False)
    else:
        locking.quarantine(daily, by=ana, reason="Gone")
    endpoint = listen(cast.acme)

    quieting.look_at_phones(now + LATE + HOUR)

    assert told(endpoint) == []


def test_who_begins_to_listen_is_not_told_of_what_was_quiet_before(
    cast: Tree, daily: Device, now: datetime
) -> None:
    quieting.look_at_phones(now + LATE + HOUR)
    endpoint = listen(cast.acme)

    quieting.look_at_phones(now + LATE + 2 * HOUR)
    at = now + LATE + 3 * HOUR
    drain(used(daily, HOME, at, drift=False), now=at)

    assert [event.kind for event in told(endpoint)] == ["device.back"]


def test_the_first_round_tells_of_nothing(cast: Tree, phone: Device, now: datetime) -> None:
    seen(phone, now - 3 * DAY)
    endpoint = listen(cast.acme)

    quieting.look_at_phones(now)

    assert told(endpoint) == []
    assert Stamp.objects.get(name=listening.LOOKED).at == now


def test_while_the_platform_is_quiet_no_phone_is_and_none_comes_back(
    cast: Tree, ana: Actor, daily: Device, now: datetime
) -> None:
    """Who is still missing when it is over is told of then."""
    missing = seen(make_phone(cast.acme, by=ana), now)
    began = now + LATE - MINUTE
    outage = incidents.open_(
        Incident.Kind.PLATFORM, account=cast.platform, subject="platform", title="Silent", now=began
    )
    endpoint = listen(cast.acme)

    quieting.look_at_phones(now + LATE + HOUR)
    at = now + LATE + 2 * HOUR
    drain(used(daily, HOME, at, drift=False), now=at)
    assert told(endpoint) == []
    incidents.end(outage, how="They come again.", now=at + MINUTE)
    quieting.look_at_phones(at + MINUTE)
    quieting.look_at_phones(at + 6 * MINUTE)

    assert [(event.kind, event.device) for event in told(endpoint)] == [("device.quiet", missing)]


def test_only_accounts_in_which_somebody_listens_are_looked_at(
    cast: Tree, daily: Device, eve: Actor, now: datetime
) -> None:
    seen(make_phone(cast.globex, by=eve), now)
    endpoint = listen(cast.globex, "device.quiet")

    assert times_asked(lambda: quieting.look_at_phones(now + LATE + MINUTE)) == 2

    (event,) = told(endpoint)
    assert event.account == cast.globex
    WebhookEndpoint.objects.all().delete()
    WebhookEvent.objects.all().delete()
    looked(now + LATE - MINUTE)
    assert times_asked(lambda: quieting.look_at_phones(now + LATE + MINUTE)) == 1
    assert not WebhookEvent.objects.exists()


def test_the_listening_round_looks_at_phones_too(
    cast: Tree, daily: Device, now: datetime, clock: Any
) -> None:
    endpoint = listen(cast.acme, "device.quiet")
    clock.shift(LATE + MINUTE)

    tasks.listen()

    assert [event.device for event in told(endpoint)] == [daily]
    assert Stamp.objects.get(name=listening.LOOKED).at == now + LATE + MINUTE
