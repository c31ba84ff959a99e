"""Unlock and Allow Reprovision: how long, from where, by whom, and in which state."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid
from accounts.scope import Actor
from devices.models import Device
from provisioning import entering, locking, policies
from provisioning.locking import Span
from provisioning.models import Denial, DeviceEvent, Outbox
from tests.cast import at
from tests.factories import AWAY, ELSEWHERE, HOME, origin, refused
from tests.provisioning.verb_checks import DAY, HOUR, Verb, everything, is_refused, lock_of, set_lock
from tests.tree import user_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("E1", "E2")]

UNLOCKS: list[tuple[Any, timedelta | None]] = [
    ("24h", DAY),
    ("7d", 7 * DAY),
    ("first-fetch", None),
    ({"hours": 1}, HOUR),
    ({"hours": 40}, 40 * HOUR),
]


@pytest.mark.parametrize(("asked", "length"), UNLOCKS)
def test_a_manager_unlocks_for_as_long_as_he_says(
    locked: Device, ana: Actor, asked: Any, length: timedelta | None
) -> None:
    locking.unlock(locked, by=ana, span=Span.parse(asked))

    lock = lock_of(locked)
    assert (lock.state, lock.by, lock.grant_by) == ("unlocked", ana.label, ana.label)
    assert lock.grant_given_at == lock.since == timezone.now()
    assert lock.grant_until == (timezone.now() + length if length else None)
    assert lock.grant_origin is None
    assert lock.bound_network == origin(HOME)


@pytest.mark.parametrize("wrong", ["8d", "", None, 24, {"hours": 0}, {"hours": 41}, {"hours": True},
                                   {"hours": 1.5}, {"hours": 2, "minutes": 3}, []])  # fmt: skip
def test_no_other_time_can_be_read(wrong: Any) -> None:
    with pytest.raises(Invalid) as caught:
        Span.parse(wrong)

    assert caught.value.field == "for"


@pytest.mark.parametrize("said", ["24h", "7d", "first-fetch", {"hours": 17}])
def test_a_span_is_read_back_as_it_was_said(said: Any) -> None:
    assert Span.parse(said).as_json() == said


def test_the_ordinary_unlock_lasts_as_long_as_the_policy_says(locked: Device, ana: Actor) -> None:
    policies.set_value(locked.account, by=ana, name="manager_unlock_ttl", value=48)

    locking.unlock(locked, by=ana, span=Span.parse("7d"))

    assert lock_of(locked).grant_until == timezone.now() + 2 * DAY


def test_an_unlock_is_audited_and_in_the_log_and_on_its_way_to_the_store(locked: Device, ana: Actor) -> None:
    revision = lock_of(locked).revision
    Outbox.objects.all().delete()

    locking.unlock(locked, by=at(ana, ELSEWHERE), span=Span.parse("24h"), origin=origin(AWAY))

    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.user, entry.address) == ("device.unlocked", user_of(ana), ELSEWHERE)
    assert entry.details == {"rule": "E1", "until": "2026-03-03T12:00:00+00:00", "origin": AWAY}
    event = DeviceEvent.objects.filter(device=locked).latest("id")
    assert (event.what, event.rule, event.actor) == ("unlocked", "E1", ana.label)
    assert lock_of(locked).revision == revision + 1
    assert Outbox.objects.filter(device=locked, what="device").count() == 1


def test_a_second_unlock_replaces_the_first(locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("7d"), origin=origin(AWAY))

    locking.unlock(locked, by=ana, span=Span.parse("24h"))

    lock = lock_of(locked)
    assert (lock.grant_until, lock.grant_origin) == (timezone.now() + DAY, None)


@pytest.mark.parametrize(
    ("asked", "until"),
    [("24h", timedelta(days=7)), ("first-fetch", None), ("7d", timedelta(days=7))],
)
def test_a_new_phone_stays_open_until_the_later_of_both_ends(
    phone: Device, ana: Actor, asked: str, until: timedelta | None
) -> None:
    armed = lock_of(phone).armed_at

    locking.unlock(phone, by=ana, span=Span.parse(asked))

    assert lock_of(phone).grant_until == (armed + until if until else None)


def test_a_new_phone_near_its_end_is_open_longer(phone: Device, ana: Actor) -> None:
    set_lock(phone, armed_at=timezone.now() - 6 * DAY - 23 * HOUR)

    locking.unlock(phone, by=ana, span=Span.parse("24h"))

    assert lock_of(phone).grant_until == timezone.now() + DAY


def test_an_unlock_for_an_address_takes_back_its_denial_alone(locked: Device, ana: Actor) -> None:
    for address in (AWAY, ELSEWHERE):
        where = origin(address)
        Denial.objects.create(
            lock=locked.lock,
            first=where.hex_first,
            last=where.hex_last,
            since=timezone.now() - HOUR,
            until=timezone.now() + 29 * DAY,
            by="Ana",
        )

    locking.unlock(locked, by=ana, span=Span.parse("24h"), origin=origin(AWAY))

    assert [str(denial) for denial in Denial.objects.all()] == [ELSEWHERE]


def test_an_unlock_for_any_address_takes_no_denial_back(locked: Device, ana: Actor) -> None:
    where = origin(AWAY)
    Denial.objects.create(
        lock=locked.lock, first=where.hex_first, last=where.hex_last, since=timezone.now(),
        until=timezone.now() + DAY, by="Ana",
    )  # fmt: skip

    locking.unlock(locked, by=ana, span=Span.parse("24h"))

    assert Denial.objects.count() == 1


# --- presence ----------------------------------------------------------------------------------------------


def test_an_unlock_is_for_the_address_of_who_unlocks_when_the_phone_was_refused_there(
    locked: Device, ana: Actor
) -> None:
    refused(locked, AWAY, at=timezone.now() - 23 * HOUR)

    locking.unlock(locked, by=at(ana, AWAY), span=Span.parse("24h"))

    assert lock_of(locked).grant_origin == origin(AWAY)


@pytest.mark.parametrize(
    ("case", "address", "ago"),
    [("refused elsewhere", ELSEWHERE, HOUR), ("refused a day ago", AWAY, DAY)],
)
def test_otherwise_it_is_for_any_address(
    locked: Device, ana: Actor, case: str, address: str, ago: timedelta
) -> None:
    refused(locked, address, at=timezone.now() - ago)

    locking.unlock(locked, by=at(ana, AWAY), span=Span.parse("24h"))

    assert lock_of(locked).grant_origin is None


def test_an_address_in_the_same_64_is_the_same_place(locked: Device, ana: Actor) -> None:
    refused(locked, "2001:db8:0:1::10", at=timezone.now() - HOUR)

    locking.unlock(locked, by=at(ana, "2001:db8:0:1::99"), span=Span.parse("24h"))

    assert str(lock_of(locked).grant_origin) == "2001:db8:0:1::/64"


def test_a_program_has_no_presence(locked: Device, ana: Actor) -> None:
    refused(locked, AWAY, at=timezone.now() - HOUR)
    program = Actor(label="API key", standings=ana.standings, address=AWAY)

    locking.unlock(locked, by=program, span=Span.parse("24h"))

    assert lock_of(locked).grant_origin is None


# --- who may, and in which state ---------------------------------------------------------------------------


def test_who_may_not_unlock_is_told_so(locked: Device, vic: Actor, eve: Actor, cast: Any) -> None:
    stranger = entering.enter(cast.acme, by=cast.ana, mac="00005e005399", family="yealink", model="T46U")
    for device, actor in ((locked, vic), (locked, eve), (stranger, cast.ben)):
        before = everything(device)
        for verb in (locking.unlock, locking.allow_reprovision, locking.lock_again, locking.rearm):
            with pytest.raises(Forbidden):
                verb(device, by=actor)  # type: ignore[operator]
        assert everything(device) == before


def test_ben_may_neither_lock_again_nor_rearm_nor_quarantine(locked: Device, ben: Actor) -> None:
    before = everything(locked)
    with pytest.raises(Forbidden):
        locking.lock_again(locked, by=ben)
    with pytest.raises(Forbidden):
        locking.rearm(locked, by=ben)
    with pytest.raises(Forbidden):
        locking.quarantine(locked, by=ben, reason="Lost")
    assert everything(locked) == before


UNLOCKING = [
    (locking.unlock, "E1", {"span": Span.parse("24h")}),
    (locking.allow_reprovision, "E2", {}),
]


@pytest.mark.parametrize(("verb", "rule", "arguments"), UNLOCKING)
def test_a_phone_that_is_shut_is_not_unlocked(
    locked: Device, ana: Actor, verb: Verb, rule: str, arguments: dict[str, Any]
) -> None:
    set_lock(locked, state="quarantined")
    is_refused(locked, verb, "quarantined", "E8q", by=ana, **arguments)
    set_lock(locked, state="retired")
    is_refused(locked, verb, "retired", "E19", by=ana, **arguments)
    set_lock(locked, state="locked")
    Device.objects.filter(pk=locked.pk).update(is_enabled=False)
    is_refused(locked, verb, "disabled", rule, by=ana, **arguments)
    Device.objects.filter(pk=locked.pk).update(is_enabled=True)
    Account.objects.filter(slug="harbour").update(is_active=False)
    is_refused(locked, verb, "disabled", rule, by=ana, **arguments)


@pytest.mark.parametrize("state", ["locked", "new"])
def test_under_suspicion_only_an_unlock_for_one_address_is_given(
    locked: Device, ana: Actor, state: str
) -> None:
    set_lock(locked, state=state, suspicion_until=timezone.now() + timedelta(seconds=1))
    is_refused(locked, locking.unlock, "under-suspicion", "E7", by=ana, span=Span.parse("24h"))

    locking.unlock(locked, by=ana, span=Span.parse("24h"), origin=origin(AWAY))

    assert lock_of(locked).grant_origin == origin(AWAY)


def test_suspicion_that_is_over_refuses_nothing(locked: Device, ana: Actor) -> None:
    set_lock(locked, suspicion_until=timezone.now())

    locking.unlock(locked, by=ana, span=Span.parse("24h"))

    assert lock_of(locked).state == "unlocked"


# --- the owner ---------------------------------------------------------------------------------------------


def test_the_owner_allows_reprovisioning_for_a_day(locked: Device, ben: Actor) -> None:
    locking.allow_reprovision(locked, by=ben)

    lock = lock_of(locked)
    assert (lock.state, lock.grant_until) == ("unlocked", timezone.now() + DAY)
    event = DeviceEvent.objects.filter(device=locked).latest("id")
    assert (event.what, event.rule, event.details["as"]) == ("unlocked", "E2", "owner")


def test_a_manager_allows_reprovisioning_as_often_as_he_likes(locked: Device, ana: Actor) -> None:
    for _ in range(4):
        locking.allow_reprovision(locked, by=ana)

    assert lock_of(locked).grant_until == timezone.now() + DAY


def test_the_end_users_time_is_the_policys(locked: Device, ana: Actor, ben: Actor) -> None:
    policies.set_value(locked.account, by=ana, name="user_unlock_ttl", value=2)

    locking.allow_reprovision(locked, by=ben)

    assert lock_of(locked).grant_until == timezone.now() + 2 * HOUR
    is_refused(locked, locking.unlock, "too-long", "E2", by=ben, span=Span.hours(3))
    is_refused(locked, locking.unlock, "too-long", "E2", by=ben, span=Span.parse("first-fetch"))


def test_an_owner_does_it_three_times_a_day(
    locked: Device, ben: Actor, clock: time_machine.Traveller
) -> None:
    for _ in range(3):
        locking.allow_reprovision(locked, by=ben)
        clock.shift(HOUR)
    is_refused(locked, locking.allow_reprovision, "too-often", "E2", by=ben)
    is_refused(locked, locking.unlock, "too-often", "E2", by=ben, span=Span.hours(1))
    clock.shift(21 * HOUR - timedelta(seconds=1))
    is_refused(locked, locking.allow_reprovision, "too-often", "E2", by=ben)

    clock.shift(timedelta(seconds=1))
    locking.allow_reprovision(locked, by=ben)

    assert lock_of(locked).state == "unlocked"
