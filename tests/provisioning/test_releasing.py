"""Release: who lifts suspicion and quarantine, and how the phone stands then (E8, E8q)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden
from accounts.scope import Actor
from devices.models import Device
from provisioning import (
    approvals,
    claims,
    entering,
    events,
    locking,
    moving,
    retiring,
    suspicion,
    swapping,
    taking_back,
    wire,
)
from provisioning.models import DeviceEvent, Lock, MacRecord, Outbox
from provisioning.spans import Span
from security.networks import Network
from tests.factories import AWAY, ELSEWHERE, HOME, bind, make_phone, origin
from tests.factories import tried as card_of
from tests.provisioning.making import request as fetch
from tests.provisioning.notes import DAY, HOUR, drain, tried
from tests.provisioning.verb_checks import everything, is_refused, lock_of, set_lock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("E8")]

WEEK = timedelta(days=7)
FOREIGN = (AWAY, ELSEWHERE, "100.64.7.1")
WHY = "The thief was our own installer"


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def quarantined(locked: Device, ana: Actor) -> Device:
    locking.quarantine(locked, by=ana, reason="Stolen")
    return locked


@pytest.fixture
def suspected(locked: Device, now: datetime) -> Device:
    drain(*(tried(locked, address, now - HOUR) for address in FOREIGN), now=now)
    assert locking.is_suspected(lock_of(locked), now)
    return locked


def record_of(device: Device) -> MacRecord:
    return MacRecord.objects.get(mac_hash=wire.mac_hash(settings.TOKEN_KEY, device.mac))


# --- what is lifted ----------------------------------------------------------------------------------------


def test_a_quarantined_phone_is_locked_as_before(quarantined: Device, rita: Actor, now: datetime) -> None:
    suspicion.release(quarantined, by=rita, reason=WHY)

    lock = lock_of(quarantined)
    assert (lock.state, lock.since, lock.by) == ("locked", now, rita.label)
    assert lock.bound_network == origin(HOME)
    assert not record_of(quarantined).quarantined


def test_a_suspicion_is_lifted_and_the_lock_stands(suspected: Device, rita: Actor, now: datetime) -> None:
    MacRecord.objects.create(
        mac_hash=wire.mac_hash(settings.TOKEN_KEY, suspected.mac),
        account_code=suspected.account.code,
        suspicion_until=now + WEEK,
    )
    before = lock_of(suspected)

    suspicion.release(suspected, by=rita, reason=WHY)

    lock = lock_of(suspected)
    assert (lock.suspicion_since, lock.suspicion_until, lock.suspicion_why) == (None, None, "")
    assert (lock.state, lock.since, lock.bound_network) == (before.state, before.since, before.bound_network)
    assert record_of(suspected).suspicion_until is None


def test_both_are_lifted_at_once(suspected: Device, ana: Actor, rita: Actor) -> None:
    locking.quarantine(suspected, by=ana, reason="Stolen")

    suspicion.release(suspected, by=rita, reason=WHY)

    lock = lock_of(suspected)
    assert (lock.state, lock.suspicion_until) == ("locked", None)
    event = DeviceEvent.objects.get(device=suspected, what="released")
    assert events.described(event).sentence == (
        f"The quarantine and suspicion was lifted by {rita.label}: {WHY}"
    )


def test_an_unlock_for_one_address_outlives_it(suspected: Device, ana: Actor, rita: Actor) -> None:
    locking.unlock(suspected, by=ana, origin=origin(AWAY))

    suspicion.release(suspected, by=rita, reason=WHY)

    assert lock_of(suspected).grant_origin == origin(AWAY)


@pytest.mark.parametrize("where", [None, origin(AWAY)])
@pytest.mark.parametrize("shut", ["quarantined", "suspected"])
def test_it_can_be_unlocked_in_the_same_step(
    shut: str, where: Network | None, request: pytest.FixtureRequest, rita: Actor, now: datetime
) -> None:
    device: Device = request.getfixturevalue(shut)

    suspicion.release(device, by=rita, reason=WHY, unlock=Span.parse("24h"), origin=where)

    lock = lock_of(device)
    assert (lock.state, lock.grant_until, lock.grant_origin) == ("unlocked", now + DAY, where)
    assert DeviceEvent.objects.filter(device=device).latest("id").rule == "E8"


def test_it_is_audited_and_on_its_way_to_the_store(quarantined: Device, rita: Actor) -> None:
    revision = lock_of(quarantined).revision
    Outbox.objects.all().delete()

    suspicion.release(quarantined, by=rita, reason=WHY)

    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.details) == ("device.released", {"lifted": "quarantine", "reason": WHY})
    assert lock_of(quarantined).revision == revision + 1
    assert Outbox.objects.filter(device=quarantined).count() == 1


def test_a_released_phone_is_let_in_at_home_again(quarantined: Device, rita: Actor, clock: Any) -> None:
    assert claims.claim(fetch(quarantined, HOME), now=timezone.now()).verdict.rule == "R10"

    suspicion.release(quarantined, by=rita, reason=WHY)

    assert claims.claim(fetch(quarantined, HOME), now=timezone.now()).verdict.rule == "R4"


# --- who may, and when -------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["rita", "support"])
def test_the_provider_lifts_it(quarantined: Device, who: str, request: pytest.FixtureRequest) -> None:
    suspicion.release(quarantined, by=request.getfixturevalue(who), reason=WHY)

    assert lock_of(quarantined).state == "locked"


@pytest.mark.parametrize("who", ["ana", "vic", "ben", "eve"])
def test_nobody_below_does(quarantined: Device, who: str, request: pytest.FixtureRequest) -> None:
    actor = request.getfixturevalue(who)
    before = everything(quarantined)

    with pytest.raises(Forbidden):
        suspicion.release(quarantined, by=actor, reason=WHY)

    assert everything(quarantined) == before
    assert record_of(quarantined).quarantined


@pytest.mark.parametrize("reason", ["", "  ", "x" * 301, "two\nlines"])
def test_it_needs_a_reason(quarantined: Device, rita: Actor, reason: str) -> None:
    is_refused(quarantined, suspicion.release, "invalid", "input", by=rita, reason=reason)


def test_an_address_needs_a_time(quarantined: Device, rita: Actor) -> None:
    is_refused(quarantined, suspicion.release, "invalid", "E8", by=rita, reason=WHY, origin=origin(AWAY))


def test_there_has_to_be_something_to_lift(locked: Device, rita: Actor, now: datetime) -> None:
    is_refused(locked, suspicion.release, "nothing-to-lift", "E8", by=rita, reason=WHY)

    set_lock(locked, suspicion_until=now)

    is_refused(locked, suspicion.release, "nothing-to-lift", "E8", by=rita, reason=WHY)


def test_a_disabled_or_retired_phone_is_released_but_not_unlocked(
    quarantined: Device, rita: Actor, now: datetime
) -> None:
    Device.objects.filter(pk=quarantined.pk).update(is_enabled=False)
    unlock = {"by": rita, "reason": WHY, "unlock": Span.parse("24h")}
    is_refused(quarantined, suspicion.release, "disabled", "E8", **unlock)
    assert record_of(quarantined).quarantined

    suspicion.release(quarantined, by=rita, reason=WHY)
    assert lock_of(quarantined).state == "locked"

    set_lock(quarantined, state="retired", suspicion_until=now + DAY)
    is_refused(quarantined, suspicion.release, "retired", "E19", **unlock)
    suspicion.release(quarantined, by=rita, reason=WHY)
    assert lock_of(quarantined).state == "retired"


# --- afterwards --------------------------------------------------------------------------------------------


@pytest.mark.rule("E7")
def test_what_was_tried_before_is_no_sign_any_more(suspected: Device, rita: Actor, now: datetime) -> None:
    suspicion.release(suspected, by=rita, reason=WHY)
    late = tried(suspected, FOREIGN[0], now - timedelta(minutes=1))

    drain(late, tried(suspected, FOREIGN[1], now + HOUR), now=now + HOUR)
    assert lock_of(suspected).suspicion_until is None

    drain(*(tried(suspected, address, now + 2 * HOUR) for address in FOREIGN), now=now + 2 * HOUR)
    assert lock_of(suspected).suspicion_until == now + 2 * HOUR + WEEK


@pytest.mark.rule("E7")
def test_a_release_counts_wherever_the_phone_has_moved_since(
    suspected: Device, globex: Account, rita: Actor, now: datetime
) -> None:
    suspicion.release(suspected, by=rita, reason=WHY)
    moving.move(suspected, by=rita, to=globex)

    drain(tried(suspected, FOREIGN[0], now + HOUR), now=now + HOUR)

    assert lock_of(suspected).suspicion_until is None


@pytest.mark.rule("E7")
def test_a_sign_from_before_that_comes_late_raises_nothing(
    suspected: Device, rita: Actor, now: datetime
) -> None:
    suspicion.release(suspected, by=rita, reason=WHY)
    lock = lock_of(suspected)

    assert not suspicion.raise_(lock, why=Lock.Suspicion.CLONE, at=now, now=now + HOUR)
    assert suspicion.raise_(lock, why=Lock.Suspicion.CLONE, at=now + HOUR, now=now + HOUR)


# --- nothing else ends a quarantine ------------------------------------------------------------------------


@pytest.mark.rule("E8q")
def test_no_verb_of_a_manager_frees_it(quarantined: Device, ana: Actor, rita: Actor) -> None:
    for verb in (locking.unlock, locking.allow_reprovision, locking.lock_again, locking.rearm):
        for actor in (ana, rita):
            is_refused(quarantined, verb, "quarantined", "E8q", by=actor)
    is_refused(quarantined, locking.unlock, "quarantined", "E8q", by=ana, origin=origin(AWAY))


@pytest.mark.rule("E8q")
def test_neither_a_move_nor_another_mac_nor_a_take_back_frees_it(
    locked: Device, globex: Account, rita: Actor, ana: Actor, clock: Any
) -> None:
    claims.claim(fetch(locked, HOME), now=timezone.now())
    locking.quarantine(locked, by=ana, reason="Stolen")

    is_refused(locked, moving.move, "quarantined", "E8q", by=rita, to=globex)
    is_refused(locked, swapping.swap, "quarantined", "E8q", by=rita, mac="00005e005399")
    is_refused(locked, taking_back.take_back, "quarantined", "E8q", by=rita)
    is_refused(locked, retiring.retire, "quarantined", "E8q", by=rita)


@pytest.mark.rule("E8q")
def test_no_approval_frees_it(locked: Device, ana: Actor) -> None:
    card = card_of(locked)
    assert card is not None
    locking.quarantine(locked, by=ana, reason="Stolen")

    is_refused(
        locked, lambda device, **_: approvals.answer(card, by=ana, decision="once"), "quarantined", "E8q"
    )


@pytest.mark.rule("E8q")
def test_switching_it_off_and_on_does_not_free_it(quarantined: Device, ana: Actor) -> None:
    for is_enabled in (False, True):
        entering.change(quarantined, by=ana, is_enabled=is_enabled)

    assert lock_of(quarantined).state == "quarantined"


@pytest.mark.rule("E8q")
def test_delete_and_add_does_not_free_it_not_even_elsewhere(
    quarantined: Device, globex: Account, ana: Actor, eve: Actor, clock: Any
) -> None:
    mac = quarantined.mac
    entering.remove(quarantined, by=ana)
    clock.shift(60 * DAY)
    elsewhere = make_phone(globex, by=eve, mac=mac)
    assert lock_of(elsewhere).state == "quarantined"
    entering.remove(elsewhere, by=eve)

    again = make_phone(quarantined.account, by=ana, mac=mac)

    assert lock_of(again).state == "quarantined"


@pytest.mark.rule("E8q")
def test_after_a_release_a_deletion_brings_it_not_back(quarantined: Device, ana: Actor, rita: Actor) -> None:
    mac, account = quarantined.mac, quarantined.account
    suspicion.release(quarantined, by=rita, reason=WHY)
    entering.remove(quarantined, by=ana)

    again = make_phone(account, by=ana, mac=mac)

    assert lock_of(again).state != "quarantined"


@pytest.mark.rule("E9")
def test_the_ledger_keeps_a_suspicion_over_a_deletion(
    suspected: Device, globex: Account, ana: Actor, eve: Actor, now: datetime
) -> None:
    mac, until = suspected.mac, lock_of(suspected).suspicion_until
    entering.remove(suspected, by=ana)

    again = make_phone(globex, by=eve, mac=mac)

    lock = lock_of(again)
    assert (lock.suspicion_until, lock.grant_given_at) == (until, None)
    is_refused(again, locking.rearm, "under-suspicion", "E7", by=eve)
    is_refused(again, locking.unlock, "under-suspicion", "E7", by=eve)


@pytest.mark.rule("E9")
def test_a_suspicion_that_was_lifted_or_is_over_does_not_come_back(
    suspected: Device, ana: Actor, rita: Actor, clock: Any
) -> None:
    mac, account = suspected.mac, suspected.account
    suspicion.release(suspected, by=rita, reason=WHY)
    entering.remove(suspected, by=ana)
    again = make_phone(account, by=ana, mac=mac)
    assert not locking.is_suspected(lock_of(again), timezone.now())
    bind(again)

    suspicion.raise_(lock_of(again), why=Lock.Suspicion.CLONE, at=timezone.now(), now=timezone.now())
    entering.remove(again, by=ana)
    clock.shift(WEEK)

    assert not locking.is_suspected(lock_of(make_phone(account, by=ana, mac=mac)), timezone.now())
