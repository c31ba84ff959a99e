"""Distinct phones by place and quarter of an hour, as the drain counts them (rules.md section 7)."""

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Account
from devices.models import Device, Site
from provisioning import claims, quarters, wire
from provisioning.models import CheckInDay
from security.networks import parse_address
from tests.provisioning.making import HOME, make_account, make_phone, request
from tests.provisioning.notes import drain, used

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Account:
    return make_account("acme", make_account("platform", kind=Account.Kind.PLATFORM))


def phone(acme: Account, **more: Any) -> Device:
    made = make_phone(acme, now=NOW, **more)
    claims.claim(request(made), now=NOW - timedelta(days=1))
    return made


def counts() -> dict[tuple[int | None, date], dict[int, int]]:
    return {
        (row.site_id, row.day): {at: n for at, n in enumerate(quarters.unpack(row.quarters)) if n}
        for row in CheckInDay.objects.exclude(account=None)
    }


def came(device: Device, *at: datetime) -> None:
    drain(*(used(device, HOME, moment, drift=False) for moment in at), now=NOW)


def test_a_phone_counts_once_in_a_quarter_whatever_batch_its_notes_come_in(acme: Account) -> None:
    one, two = phone(acme), phone(acme)

    came(one, NOW, NOW + MINUTE)
    came(one, NOW + 14 * MINUTE, NOW + 15 * MINUTE)
    came(two, NOW + 5 * MINUTE)
    came(one, NOW + 2 * MINUTE)

    assert counts() == {(None, NOW.date()): {50: 2, 51: 1}}


def test_each_place_and_each_day_has_its_own_counts(acme: Account) -> None:
    site = Site.objects.create(account=acme, name="Yard")
    at_none, at_site = phone(acme), phone(acme)
    Device.objects.filter(pk=at_site.pk).update(site=site)
    midnight = NOW.replace(hour=0, minute=0) + timedelta(days=1)

    came(at_none, midnight - MINUTE, midnight)
    came(at_site, midnight)

    assert counts() == {
        (None, NOW.date()): {95: 1},
        (None, midnight.date()): {0: 1},
        (site.pk, midnight.date()): {0: 1},
    }
    found = {key: sum(kept) for key, _, kept in quarters.days(midnight.date())}
    assert found == {(acme.pk, None): 1, (acme.pk, site.pk): 1, quarters.ALL: 2}
    assert {key for key, _, _ in quarters.days(midnight.date(), accounts=())} == {quarters.ALL}


def test_what_was_held_before_anybody_knew_who_asked_is_counted(acme: Account) -> None:
    note = wire.Note(NOW.timestamp(), f"{parse_address(HOME):x}", "G6", "held", count=7)

    drain(note, wire.Note(**{**asdict(note), "code": str(acme.code)}), now=NOW)
    drain(note, now=NOW)

    assert {day: sum(kept) for day, kept in quarters.held(NOW.date()).items()} == {NOW.date(): 14}
    assert quarters.held(NOW.date())[NOW.date()][50] == 14


def test_a_late_note_is_counted_in_its_own_quarter(acme: Account) -> None:
    one = phone(acme)

    came(one, NOW)
    came(one, NOW - timedelta(hours=3))

    assert counts() == {(None, NOW.date()): {50: 1, 38: 1}}


def test_a_days_counts_come_back_as_they_were_put_away() -> None:
    kept = list(range(quarters.IN_A_DAY))
    kept[7] = 4_000_000_000

    assert quarters.unpack(quarters.pack(kept)) == kept
    assert quarters.pack(kept)[4:8] == b"\x01\x00\x00\x00"
