"""What a phone did since its unlock, as its owner may follow it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account
from accounts.scope import Actor
from devices.models import Device
from provisioning import live_lines, locking
from provisioning.gate import Outcome
from provisioning.live_lines import Step
from provisioning.models import DeviceEvent
from tests.factories import AWAY, ELSEWHERE, HOME, bind
from tests.portal.following import asked

pytestmark = pytest.mark.django_db


@pytest.fixture
def quiet_phone(phone: Device) -> Device:
    bind(phone, HOME)
    DeviceEvent.objects.filter(device=phone).delete()
    return phone


def steps(device: Device, now: datetime | None = None) -> list[tuple[Step, bool | None]]:
    found = live_lines.lines_of([device], addresses=(AWAY,), now=now or timezone.now())
    return [(line.step, line.here) for line in found[device.pk]]


def test_what_repeats_itself_is_one_line_at_its_last_time(quiet_phone: Device) -> None:
    for minutes in (9, 8, 7):
        asked(quiet_phone, Outcome.REFUSED, AWAY, ago=timedelta(minutes=minutes), rule="R6")
    last = asked(quiet_phone, Outcome.REFUSED, AWAY, ago=timedelta(minutes=6), rule="R6")

    found = live_lines.lines_of([quiet_phone], addresses=(AWAY,), now=timezone.now())[quiet_phone.pk]

    assert [(line.at, line.step) for line in found] == [(last.at, Step.TURNED_AWAY)]


def test_without_an_unlock_the_last_hour_counts(quiet_phone: Device) -> None:
    asked(quiet_phone, Outcome.REFUSED, AWAY, ago=timedelta(minutes=61), rule="R6")
    asked(quiet_phone, Outcome.FULL, AWAY, ago=timedelta(minutes=59), rule="O3")

    assert steps(quiet_phone) == [(Step.CONFIGURED, True)]


def test_with_an_unlock_all_since_then_counts(quiet_phone: Device, ben: Actor) -> None:
    now = timezone.now()
    asked(quiet_phone, Outcome.REFUSED, AWAY, ago=timedelta(hours=4), rule="R6")
    locking.unlock(quiet_phone, by=ben, now=now - timedelta(hours=3))
    asked(quiet_phone, Outcome.BOOTSTRAP, ELSEWHERE, ago=timedelta(hours=2))

    assert steps(quiet_phone) == [(Step.ALLOWED, None), (Step.LET_IN, False)]


def test_files_that_a_phone_has_not_got_are_no_line(quiet_phone: Device) -> None:
    for rule in ("G5", "O0", "T8"):
        asked(quiet_phone, Outcome.REFUSED, ago=timedelta(minutes=1), rule=rule)
    asked(quiet_phone, Outcome.COMMON, ago=timedelta(minutes=1), rule="G4")

    assert steps(quiet_phone) == []


def test_what_happened_under_another_account_is_nobodys_here(quiet_phone: Device, globex: Account) -> None:
    asked(quiet_phone, Outcome.REFUSED, AWAY, ago=timedelta(minutes=1), rule="R6", account=globex)

    assert steps(quiet_phone) == []


def test_many_phones_cost_one_query(quiet_phone: Device, django_assert_num_queries: Any) -> None:
    asked(quiet_phone, Outcome.FULL, ago=timedelta(minutes=1), rule="O3")

    with django_assert_num_queries(1):
        live_lines.lines_of([quiet_phone] * 50, addresses=(AWAY, "2001:db8::1"), now=timezone.now())
