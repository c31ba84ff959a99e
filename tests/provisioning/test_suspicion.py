"""The signs of a thief: what counts as one, until when, and that late notes do no harm (E7)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, AuditEntry
from accounts.scope import Actor
from devices.models import Device
from provisioning import (
    draining,
    events,
    locking,
    suspicion,
    wire,
)
from provisioning.models import DeviceEvent, FailureKey, Lock
from tests.factories import AWAY, ELSEWHERE, HOME, bind, make_phone, make_site
from tests.provisioning.notes import DAY, HOUR, drain, tried, used
from tests.provisioning.verb_checks import lock_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("E7")]

SECOND, MINUTE, WEEK = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=7)
THIRD = "192.0.2.200"
FOREIGN = ("198.51.100.7", "192.0.2.44", "100.64.7.1")


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def seen(device: Device, *places: tuple[str, timedelta], now: datetime, **more: Any) -> Lock:
    """The lock after the phone was refused at these addresses, so long ago each."""
    drain(*(tried(device, address, now - ago, **more) for address, ago in places), now=now)
    return lock_of(device)


def raise_now(device: Device, *, at: datetime | None = None) -> bool:
    at = at or timezone.now()
    lock = locking.locked_row(device)
    return suspicion.raise_(lock, why=Lock.Suspicion.ORIGINS, at=at, now=timezone.now())


# --- three foreign origins in 24 hours ---------------------------------------------------------------------


def test_three_foreign_origins_in_a_day_are_a_sign(locked: Device, now: datetime) -> None:
    lock = seen(locked, (FOREIGN[0], 20 * HOUR), (FOREIGN[1], 3 * HOUR), (FOREIGN[2], HOUR), now=now)

    assert lock.suspicion_why == "origins"
    assert (lock.suspicion_since, lock.suspicion_until) == (now - HOUR, now - HOUR + WEEK)


@pytest.mark.parametrize(
    ("case", "addresses", "suspected"),
    [
        ("two", FOREIGN[:2], False),
        ("a /24 is one", ("192.0.2.44", "192.0.2.45", "192.0.2.200", "198.51.100.7"), False),
        ("next to a /24", ("192.0.2.255", "192.0.3.0", "198.51.100.7"), True),
        ("a /48 is one", ("2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1"), False),
        ("three /48", ("2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1"), True),
        ("home is not foreign", (HOME, *FOREIGN[:2]), False),
        ("a neighbour of home is", ("203.0.113.25", *FOREIGN[:2]), True),
    ],
)
def test_what_counts_as_three_origins(
    locked: Device, now: datetime, case: str, addresses: tuple[str, ...], suspected: bool
) -> None:
    lock = seen(locked, *((address, HOUR) for address in addresses), now=now, key="wrong-agent")

    assert locking.is_suspected(lock, now) == suspected


@pytest.mark.parametrize(("ago", "suspected"), [(DAY, False), (DAY - SECOND, True)])
def test_they_have_to_come_within_a_day(
    locked: Device, now: datetime, ago: timedelta, suspected: bool
) -> None:
    lock = seen(locked, (FOREIGN[0], ago), (FOREIGN[1], HOUR), (FOREIGN[2], timedelta()), now=now)

    assert locking.is_suspected(lock, now) == suspected


@pytest.mark.parametrize(
    ("key", "suspected"),
    [
        ("locked-mac", True),
        ("wrong-agent", True),
        ("wrong-certificate", True),
        ("unknown-mac", False),
        ("bad-token", False),
        ("browser", False),
    ],
)
def test_refused_claiming_fetches_count_and_nothing_else(
    locked: Device, now: datetime, key: str, suspected: bool
) -> None:
    lock = seen(locked, *((address, HOUR) for address in FOREIGN), now=now, key=key)

    assert locking.is_suspected(lock, now) == suspected


def test_what_it_was_refused_before_anybody_entered_it_does_not_count(locked: Device, now: datetime) -> None:
    seen(locked, *((address, 2 * HOUR) for address in FOREIGN[:2]), now=now, key="unknown-mac", code="")

    lock = seen(locked, (FOREIGN[2], HOUR), now=now)

    assert not locking.is_suspected(lock, now)


def test_the_three_may_come_in_batches_of_one(locked: Device, now: datetime) -> None:
    for number, address in enumerate(FOREIGN):
        assert not locking.is_suspected(lock_of(locked), now)
        drain(tried(locked, address, now + number * MINUTE), now=now + number * MINUTE)

    assert lock_of(locked).suspicion_until == now + 2 * MINUTE + WEEK


def test_a_site_of_the_account_is_one_origin(
    locked: Device, acme: Account, ana: Actor, now: datetime
) -> None:
    make_site(acme, by=ana, networks=("198.51.100.0/28", "192.0.2.0/28"))
    places = [("198.51.100.7", HOUR), ("192.0.2.4", HOUR), (FOREIGN[2], HOUR)]
    assert not locking.is_suspected(seen(locked, *places, now=now), now)

    lock = seen(locked, ("192.0.2.200", HOUR), now=now)

    assert locking.is_suspected(lock, now)


def test_a_site_that_the_phone_is_bound_to_is_home(
    locked: Device, acme: Account, ana: Actor, now: datetime
) -> None:
    bind(locked, site=make_site(acme, by=ana, networks=("198.51.100.0/28", "192.0.2.44/32")))

    lock = seen(locked, *((address, HOUR) for address in FOREIGN), now=now, key="wrong-agent")

    assert not locking.is_suspected(lock, now)


def test_another_phones_keys_are_no_signs(locked: Device, acme: Account, ana: Actor, now: datetime) -> None:
    other = make_phone(acme, by=ana)
    bind(other)

    drain(*(tried(phone, a, now) for phone, a in zip([locked, other, other], FOREIGN, strict=True)), now=now)

    assert not Lock.objects.filter(suspicion_until__isnull=False).exists()


# --- one foreign origin in 12 of 24 hours ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "hours", "suspected"),
    [
        ("eleven", range(11), False),
        ("twelve in a row", range(12), True),
        ("twelve in 24", [*range(11), 23], True),
        ("twelve in 25", [*range(11), 24], False),
    ],
)
def test_one_origin_in_twelve_of_24_hours_is_a_sign(
    locked: Device, now: datetime, case: str, hours: list[int], suspected: bool
) -> None:
    lock = seen(locked, *((AWAY, hour * HOUR) for hour in hours), now=now)

    assert locking.is_suspected(lock, now) == suspected
    if suspected:
        assert (lock.suspicion_why, lock.suspicion_until) == ("hours", now + WEEK)


def test_often_within_few_hours_is_no_sign(locked: Device, now: datetime) -> None:
    lock = seen(locked, *((AWAY, minutes * MINUTE) for minutes in range(0, 600, 10)), now=now)

    assert not locking.is_suspected(lock, now)


def test_two_origins_of_six_hours_each_are_no_sign(locked: Device, now: datetime) -> None:
    places = [(AWAY if hour % 2 else ELSEWHERE, hour * HOUR) for hour in range(12)]

    assert not locking.is_suspected(seen(locked, *places, now=now), now)


def test_a_neighbourhood_is_one_origin_there_too(locked: Device, now: datetime) -> None:
    places = [(f"192.0.2.{hour}", hour * HOUR) for hour in range(12)]

    assert locking.is_suspected(seen(locked, *places, now=now), now)


# --- until when --------------------------------------------------------------------------------------------


def test_it_lasts_seven_days_after_the_last_sign(locked: Device, now: datetime) -> None:
    seen(locked, *((address, HOUR) for address in FOREIGN), now=now)
    later = now + 2 * HOUR

    drain(tried(locked, FOREIGN[1], later), now=later)

    lock = lock_of(locked)
    assert (lock.suspicion_since, lock.suspicion_until) == (now - HOUR, later + WEEK)
    assert locking.is_suspected(lock, later + WEEK - SECOND)
    assert not locking.is_suspected(lock, later + WEEK)


def test_a_try_that_is_no_sign_makes_it_no_longer(locked: Device, now: datetime) -> None:
    until = seen(locked, *((address, HOUR) for address in FOREIGN), now=now).suspicion_until
    later = now + 2 * DAY

    drain(tried(locked, FOREIGN[1], later), now=later)

    assert lock_of(locked).suspicion_until == until


def test_it_is_written_again_when_it_has_moved_by_an_hour(locked: Device, now: datetime) -> None:
    assert raise_now(locked, at=now - HOUR)
    assert not raise_now(locked, at=now - SECOND)
    assert raise_now(locked, at=now)

    assert lock_of(locked).suspicion_until == now + WEEK


def test_it_is_told_once_however_often_it_is_seen(locked: Device, now: datetime) -> None:
    for hour in range(5):
        places = (tried(locked, address, now + hour * HOUR) for address in FOREIGN)
        drain(*places, now=now + hour * HOUR)

    event = DeviceEvent.objects.get(device=locked, what="suspicion")
    assert (event.rule, event.details["why"]) == ("E7", "origins")
    assert AuditEntry.objects.filter(verb="device.suspected").count() == 1
    assert events.described(event).sentence == (
        "Under suspicion until Mon 9 Mar, 13:00 CET: refused at three foreign addresses within 24 hours."
    )


def test_once_it_is_over_it_begins_anew(locked: Device, now: datetime) -> None:
    seen(locked, *((address, HOUR) for address in FOREIGN), now=now)
    later = now + 8 * DAY

    drain(*(tried(locked, address, later) for address in FOREIGN), now=later)

    assert lock_of(locked).suspicion_since == later
    assert DeviceEvent.objects.filter(device=locked, what="suspicion").count() == 2


# --- late and repeated notes -------------------------------------------------------------------------------


def test_late_notes_are_judged_by_their_own_time(locked: Device, now: datetime) -> None:
    lock = seen(locked, *((address, 3 * DAY) for address in FOREIGN), now=now)

    assert (lock.suspicion_since, lock.suspicion_until) == (now - 3 * DAY, now + 4 * DAY)


def test_what_would_be_over_by_now_is_not_begun(locked: Device, now: datetime) -> None:
    places = [(address, 7 * DAY) for address in FOREIGN]

    assert seen(locked, *places, now=now).suspicion_until is None
    assert not DeviceEvent.objects.filter(device=locked, what="suspicion").exists()


def test_the_order_in_which_they_come_says_nothing(locked: Device, now: datetime) -> None:
    for address, ago in ((FOREIGN[2], HOUR), (FOREIGN[0], 10 * HOUR), (FOREIGN[1], 5 * HOUR)):
        drain(tried(locked, address, now - ago), now=now)

    assert lock_of(locked).suspicion_until == now - HOUR + WEEK


def test_a_late_key_moves_neither_end_of_its_hour_inwards(locked: Device, now: datetime) -> None:
    for minute in (30, 50, 10):
        drain(tried(locked, AWAY, now + minute * MINUTE), now=now + HOUR)

    key = FailureKey.objects.get()
    assert (key.first_at, key.last_at, key.count) == (now + 10 * MINUTE, now + 50 * MINUTE, 3)


# --- what it costs -----------------------------------------------------------------------------------------


def test_looking_for_signs_costs_one_query(
    locked: Device, now: datetime, django_assert_num_queries: Any
) -> None:
    drain(tried(locked, AWAY, now), tried(locked, ELSEWHERE, now), now=now)

    with django_assert_num_queries(1):
        suspicion.judge([locked.mac], now=now)


def queries(notes: list[wire.Note], now: datetime) -> int:
    with CaptureQueriesContext(connection) as caught:
        draining.write(notes, now)
    return len(caught)


def test_a_batch_costs_the_same_however_many_notes_it_has(
    acme: Account, ana: Actor, now: datetime, django_assert_num_queries: Any
) -> None:
    phones = [make_phone(acme, by=ana) for _ in range(8)]
    for phone in phones:
        bind(phone)

    def batch(count: int) -> list[wire.Note]:
        some = phones[:count]
        home = [used(phone, HOME, now, drift=False) for phone in some]
        return home + [tried(phone, AWAY, now) for phone in some]

    queries(batch(1), now)  # the day's first counts are rows to be made, the next ones to be changed
    assert queries(batch(2), now) == queries(batch(8), now)


def test_during_an_attack_it_is_looked_at_once_an_hour(
    locked: Device, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_now(locked)
    judged: list[str] = []
    monkeypatch.setattr(suspicion, "judge", lambda macs, **_: judged.extend(macs))

    drain(tried(locked, AWAY, now + 59 * MINUTE), now=now + HOUR)
    assert judged == []
    drain(tried(locked, AWAY, now + HOUR), now=now + HOUR)

    assert judged == [locked.mac]


def test_a_thousand_addresses_are_one_suspicion(locked: Device, now: datetime) -> None:
    addresses = [f"2001:db8:{number:x}::1" for number in range(1000)]

    drain(*(tried(locked, a, now + n * SECOND) for n, a in enumerate(addresses)), now=now + HOUR)

    assert lock_of(locked).suspicion_until == now + 999 * SECOND + WEEK
    assert DeviceEvent.objects.filter(device=locked, what="suspicion").count() == 1
