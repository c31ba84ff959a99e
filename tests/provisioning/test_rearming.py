"""Lock again, re-arm, quarantine, and what the clock ends."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.scope import Actor
from devices.models import Device
from provisioning import entering, locking, policies, wire
from provisioning.locking import Span
from provisioning.models import DeviceEvent, MacRecord
from tests.factories import AWAY, HOME, bind, make_phone, origin
from tests.provisioning.verb_checks import DAY, HOUR, everything, is_refused, lock_of, set_lock

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("clock"),
    pytest.mark.rule("E5", "E6", "E8q", "E11"),
]


def test_locking_again_restores_the_previous_binding(locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("7d"), origin=origin(AWAY))

    locking.lock_again(locked, by=ana)

    lock = lock_of(locked)
    assert (lock.state, lock.bound_network, lock.grant_until) == ("locked", origin(HOME), None)
    assert (lock.grant_given_at, lock.grant_origin, lock.grant_by) == (None, None, "")


def test_a_new_phone_is_locked_to_nothing(phone: Device, ana: Actor) -> None:
    locking.lock_again(phone, by=ana)

    lock = lock_of(phone)
    assert (lock.state, lock.bound_network, lock.reason) == ("locked", None, "")


def test_a_locked_phone_leaves_nothing_to_do(locked: Device, ana: Actor) -> None:
    before = everything(locked)

    locking.lock_again(locked, by=ana)

    assert everything(locked) == before


def test_locking_again_is_allowed_where_unlocking_is_not(locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("7d"))
    set_lock(locked, suspicion_until=timezone.now() + DAY)
    Device.objects.filter(pk=locked.pk).update(is_enabled=False)

    locking.lock_again(locked, by=ana)

    assert lock_of(locked).state == "locked"


def test_a_quarantined_phone_is_not_locked_again(locked: Device, ana: Actor) -> None:
    set_lock(locked, state="quarantined")

    is_refused(locked, locking.lock_again, "quarantined", "E8q", by=ana)


def test_a_retired_phone_stays_retired(locked: Device, ana: Actor) -> None:
    set_lock(locked, state="retired")

    locking.lock_again(locked, by=ana)

    assert lock_of(locked).state == "retired"


# --- re-arm ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["new", "locked", "unlocked", "retired"])
def test_rearming_makes_new_from_now_on(locked: Device, ana: Actor, state: str) -> None:
    if state == "unlocked":
        locking.unlock(locked, by=ana, span=Span.parse("7d"))
    set_lock(locked, state=state, reason="stale", armed_at=timezone.now() - 30 * DAY)

    locking.rearm(locked, by=ana)

    lock = lock_of(locked)
    assert (lock.state, lock.armed_at, lock.reason) == ("new", timezone.now(), "")
    assert (lock.bound_network, lock.grant_given_at) == (None, None)


def test_the_clock_of_a_shipped_phone_starts_with_its_day_in_the_accounts_zone(
    locked: Device, ana: Actor
) -> None:
    locking.rearm(locked, by=ana, ship_on=date(2026, 3, 12))

    assert lock_of(locked).armed_at == datetime(2026, 3, 11, 23, 0, tzinfo=UTC)


def test_shipped_today_is_armed_now(locked: Device, ana: Actor) -> None:
    locking.rearm(locked, by=ana, ship_on=date(2026, 3, 2))

    assert lock_of(locked).armed_at == timezone.now()


@pytest.mark.parametrize(
    ("ship_on", "allowed"),
    [(date(2026, 3, 1), False), (date(2026, 5, 1), True), (date(2026, 5, 2), False)],
)
def test_a_phone_is_shipped_within_sixty_days(
    locked: Device, ana: Actor, ship_on: date, allowed: bool
) -> None:
    if allowed:
        locking.rearm(locked, by=ana, ship_on=ship_on)
    else:
        is_refused(locked, locking.rearm, "invalid", "E11", by=ana, ship_on=ship_on)

    assert lock_of(locked).state == ("new" if allowed else "locked")


def test_a_phone_that_is_shut_is_not_rearmed(locked: Device, ana: Actor) -> None:
    set_lock(locked, state="quarantined")
    is_refused(locked, locking.rearm, "quarantined", "E8q", by=ana)
    set_lock(locked, state="locked")
    Device.objects.filter(pk=locked.pk).update(is_enabled=False)
    is_refused(Device.objects.get(pk=locked.pk), locking.rearm, "disabled", "E11", by=ana)


def test_under_suspicion_the_reseller_rearms_and_a_manager_does_not(
    locked: Device, ana: Actor, rita: Actor
) -> None:
    set_lock(locked, suspicion_until=timezone.now() + DAY)
    is_refused(locked, locking.rearm, "under-suspicion", "E7", by=ana)

    locking.rearm(locked, by=rita)

    assert lock_of(locked).state == "new"


# --- quarantine --------------------------------------------------------------------------------------------


def test_a_quarantine_shuts_the_phone_and_stays_with_its_mac(locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("7d"))

    locking.quarantine(locked, by=ana, reason="Stolen")

    lock = lock_of(locked)
    assert (lock.state, lock.grant_given_at, lock.bound_network) == ("quarantined", None, origin(HOME))
    assert MacRecord.objects.get(mac_hash=wire.mac_hash(settings.TOKEN_KEY, locked.mac)).quarantined
    assert AuditEntry.objects.latest("id").details == {"reason": "Stolen"}


def test_a_quarantine_outlives_a_deletion(locked: Device, ana: Actor) -> None:
    locking.quarantine(locked, by=ana, reason="Stolen")
    mac, account = locked.mac, locked.account
    entering.remove(Device.objects.get(pk=locked.pk), by=ana)

    again = make_phone(account, by=ana, mac=mac)

    assert lock_of(again).state == "quarantined"


def test_a_quarantine_needs_a_reason(locked: Device, ana: Actor) -> None:
    is_refused(locked, locking.quarantine, "invalid", "input", by=ana, reason="  ")


# --- the clock ---------------------------------------------------------------------------------------------


def test_the_sweep_writes_down_what_is_over_once(
    locked: Device, ana: Actor, clock: time_machine.Traveller
) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("24h"))
    end = timezone.now() + DAY
    clock.move_to(end - timedelta(seconds=1))
    assert locking.sweep(timezone.now()) == 0

    clock.move_to(end)
    assert (locking.sweep(timezone.now()), locking.sweep(timezone.now())) == (1, 0)

    lock = lock_of(locked)
    assert (lock.state, lock.since, lock.by) == ("locked", end, "the clock")
    assert lock.bound_network == origin(HOME)
    event = DeviceEvent.objects.filter(device=locked).latest("id")
    assert (event.what, event.rule) == ("unlock-expired", "R8")
    assert AuditEntry.objects.latest("id").verb == "device.unlock-expired"


def test_an_unlock_without_an_end_is_never_swept(locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("first-fetch"))

    assert locking.sweep(timezone.now() + 400 * DAY) == 0


@pytest.mark.parametrize(("seconds", "swept"), [(-1, 0), (0, 1), (1, 1)])
def test_a_new_phone_that_was_not_set_up_in_time_is_locked(phone: Device, seconds: int, swept: int) -> None:
    end = lock_of(phone).armed_at + timedelta(days=7, seconds=seconds)

    assert locking.sweep(end) == swept

    lock = lock_of(phone)
    assert (lock.state, lock.reason) == (("locked", "stale") if swept else ("new", ""))


def test_the_accounts_own_fresh_time_counts(phone: Device, ana: Actor) -> None:
    policies.set_value(phone.account, by=ana, name="fresh_ttl", value=1)

    assert locking.sweep(timezone.now() + HOUR) == 1


def test_nothing_else_expires(locked: Device, ana: Actor) -> None:
    assert not locking.expire(locked, now=timezone.now())
    bind(locked, AWAY)
    locking.quarantine(locked, by=ana, reason="Stolen")
    assert not locking.expire(locked, now=timezone.now() + 400 * DAY)


def test_a_retired_phone_that_is_disabled_is_not_armed_again(locked: Device, ana: Actor) -> None:
    set_lock(locked, state="retired")
    Device.objects.filter(pk=locked.pk).update(is_enabled=False)
    locked.refresh_from_db()

    is_refused(locked, locking.rearm, "disabled", "E11", by=ana)


def test_the_ledger_learns_of_a_quarantine_when_it_knows_the_mac_already(locked: Device, ana: Actor) -> None:
    mac_hash = wire.mac_hash(settings.TOKEN_KEY, locked.mac)
    MacRecord.objects.create(mac_hash=mac_hash, account_code=locked.account.code, claimed=True)

    locking.quarantine(locked, by=ana, reason="seen in two towns")

    assert MacRecord.objects.get(mac_hash=mac_hash).quarantined
