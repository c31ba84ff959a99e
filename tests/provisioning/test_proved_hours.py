"""B9: what was known of an address while it failed, as the drain writes it down."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account
from devices.models import Device
from provisioning import proved_hours, wire
from provisioning.models import FailureKey, Lock, Proof, ProvedHour, Window
from security.models import AllowedNetwork
from security.networks import origin_of, parse_address, parse_network
from tests.provisioning import notes
from tests.provisioning.making import make_account

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
HERE, THERE = "203.0.113.24", "203.0.113.25"
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)

pytestmark = [pytest.mark.django_db, pytest.mark.rule("B9")]


@pytest.fixture
def acme() -> Account:
    return make_account("acme", make_account("platform", kind=Account.Kind.PLATFORM))


def phones(account: Account, count: int) -> list[Device]:
    start = Device.objects.count()
    return Device.objects.bulk_create(
        Device(account=account, mac=f"00005e01{start + at:04x}", family="yealink", model="T46S")
        for at in range(count)
    )


def locked(devices: Sequence[Device]) -> list[Device]:
    """As the drain reads them: with the rows that a phone has."""
    Lock.objects.bulk_create(Lock(device=device, armed_at=NOW - DAY) for device in devices)
    return list(devices)


def prove(devices: Sequence[Device], address: str, at: datetime) -> None:
    origin = origin_of(parse_address(address))
    Proof.objects.bulk_create(
        Proof(device=device, first=origin.hex_first, last=origin.hex_last, at=at) for device in devices
    )


def failed(number: int, at: datetime, address: str = HERE) -> wire.Note:
    mac = f"00005e02{number:04x}"
    return wire.Note(
        at=at.timestamp(),
        address=f"{parse_address(address):x}",
        rule="R11",
        outcome="refused",
        key="unknown-mac",
        label=mac,
    )


def fetched(device: Device, at: datetime, address: str = HERE) -> wire.Note:
    return notes.used(device, address, at, drift=False)


def counts(address: str = HERE, hour: datetime = NOW) -> list[Any]:
    row = ProvedHour.objects.filter(
        first=origin_of(parse_address(address)).hex_first, hour=hour.replace(minute=0, second=0)
    ).first()
    return row.counts if row else []


def test_a_failing_address_has_its_count_from_the_first_key_on(acme: Account) -> None:
    living = phones(acme, 12)
    prove(living, HERE, NOW - DAY)
    prove(phones(acme, 3), HERE, NOW - timedelta(days=31))
    prove(phones(acme, 5), THERE, NOW - DAY)

    notes.drain(failed(1, NOW), failed(2, NOW + SECOND), now=NOW)

    assert counts() == [[NOW.timestamp(), 12, {str(acme.code): 12}, 0, ""]]
    assert counts(THERE) == []


def test_each_proof_of_a_phone_that_was_not_proved_there_is_an_entry_of_its_own_time(acme: Account) -> None:
    living = locked(phones(acme, 11))
    prove(living[:8], HERE, NOW - DAY)
    came = [fetched(device, NOW + at * SECOND) for at, device in enumerate(living)]

    notes.drain(failed(1, NOW), *came, now=NOW + HOUR)

    start = NOW.timestamp()
    assert counts() == [
        [start, 8, {}, 0, ""],
        [start + 8, 9, {}, 0, ""],
        [start + 9, 10, {str(acme.code): 10}, 0, ""],
        [start + 10, 11, {str(acme.code): 11}, 0, ""],
    ]


def test_the_same_batch_in_pieces_says_the_same(acme: Account) -> None:
    living = locked(phones(acme, 30))
    happened = [failed(1, NOW), *(fetched(device, NOW + at * SECOND) for at, device in enumerate(living))]
    happened += [failed(2, NOW + 40 * SECOND)]
    happened += [fetched(device, NOW + (50 + at) * SECOND) for at, device in enumerate(living)]
    notes.drain(*happened, now=NOW + HOUR)
    at_once = counts()
    ProvedHour.objects.all().delete()
    FailureKey.objects.all().delete()
    Proof.objects.all().delete()

    for start in range(0, len(happened), 7):
        notes.drain(*happened[start : start + 7], now=NOW + HOUR)

    assert counts() == at_once
    assert [entry[1] for entry in at_once] == list(range(1, 31))


def test_above_a_hundred_they_are_counted_by_tens_and_the_tens_are_exact(acme: Account) -> None:
    living = locked(phones(acme, 125))
    prove(living[:95], HERE, NOW - DAY)
    came = [fetched(device, NOW + at * SECOND) for at, device in enumerate(living[95:])]

    notes.drain(failed(1, NOW - SECOND), *came, now=NOW + HOUR)

    assert [entry[1] for entry in counts()] == [95, 96, 97, 98, 99, 100, 110, 120]


def test_proofs_are_followed_a_day_long_after_the_last_key_and_no_longer(acme: Account) -> None:
    first, second, third = locked(phones(acme, 3))
    notes.drain(failed(1, NOW), now=NOW)

    notes.drain(fetched(first, NOW + 24 * HOUR), now=NOW + 24 * HOUR)
    notes.drain(fetched(first, NOW + 24 * HOUR + SECOND), now=NOW + 24 * HOUR + SECOND)
    notes.drain(fetched(second, NOW + 26 * HOUR), now=NOW + 26 * HOUR)
    notes.drain(fetched(third, NOW, THERE), now=NOW)

    assert counts(hour=NOW + 24 * HOUR) == [[(NOW + 24 * HOUR).timestamp(), 1, {}, 0, ""]]
    assert ProvedHour.objects.count() == 2


def test_windows_and_allowances_are_those_of_the_moment(acme: Account) -> None:
    here = origin_of(parse_address(HERE))
    where = {"first": here.hex_first, "last": here.hex_last}
    Window.objects.create(
        account=acme, **where, starts_at=NOW + HOUR / 10, ends_at=NOW + DAY, opened_by="t", covers=40,
        closed_at=NOW + HOUR / 5,
    )  # fmt: skip
    wide = parse_network("203.0.113.0/24")
    AllowedNetwork.objects.create(
        account=acme, first=wide.hex_first, last=wide.hex_last, reason="Ours", proposed_by="t",
        granted_by="t", granted_at=NOW + HOUR / 4, ends_at=NOW + DAY, created_at=NOW,
    )  # fmt: skip
    moments = [NOW, NOW + HOUR / 8, NOW + HOUR / 4.5, NOW + HOUR / 3]

    notes.drain(*(failed(at, moment) for at, moment in enumerate(moments)), now=NOW + HOUR)

    assert [entry[3:] for entry in counts()] == [[0, ""], [40, ""], [0, ""], [0, "203.0.113.0/24"]]


def test_whoever_lives_in_the_48_of_a_failing_address_counts_with_it(acme: Account) -> None:
    neighbours = locked(phones(acme, 3))
    prove(neighbours[:2], "2001:db8:0:22::5", NOW - DAY)
    prove(neighbours[2:], "2001:db8:1::5", NOW - DAY)

    notes.drain(failed(1, NOW, "2001:db8::66"), now=NOW)
    notes.drain(
        fetched(neighbours[2], NOW + HOUR, "2001:db8:0:33::5"),
        fetched(neighbours[0], NOW + HOUR, "2001:db8:1::5"),
        now=NOW + HOUR,
    )

    assert [entry[1] for entry in counts("2001:db8::66")] == [0]
    assert [entry[1] for entry in counts("2001:db8:0:22::5")] == [2]
    assert [entry[1] for entry in counts("2001:db8:0:33::5", NOW + HOUR)] == [1]
    assert ProvedHour.objects.count() == 3


def test_an_older_note_of_another_edge_comes_after_what_stands_there(acme: Account) -> None:
    first, second = locked(phones(acme, 2))
    notes.drain(failed(1, NOW), fetched(first, NOW + 9 * SECOND), now=NOW)

    notes.drain(fetched(second, NOW + 4 * SECOND), now=NOW)

    assert [(entry[0] - NOW.timestamp(), entry[1]) for entry in counts()] == [(0, 0), (9, 1), (9, 2)]


def test_a_batch_of_a_healthy_day_costs_one_query_and_writes_nothing(acme: Account) -> None:
    living = locked(phones(acme, 6))
    notes.drain(failed(1, NOW, THERE), now=NOW)

    def queries(count: int) -> list[str]:
        with CaptureQueriesContext(connection) as caught:
            notes.drain(*(fetched(device, NOW) for device in living[:count]), now=NOW)
        of_ours = ("provisioning_failurekey", "provisioning_provedhour", "security_allowednetwork")
        return [q["sql"] for q in caught if any(name in q["sql"] for name in of_ours)]

    assert len(queries(1)) == len(queries(6)) == 1
    assert not ProvedHour.objects.exclude(first=origin_of(parse_address(THERE)).hex_first).exists()


def test_a_batch_costs_the_same_whatever_fails_in_it(acme: Account) -> None:
    living = locked(phones(acme, 40))
    addresses = [f"192.0.2.{at}" for at in range(40)] + [f"2001:db8:{at:x}::1" for at in range(40)]

    def cost(count: int) -> int:
        batch = [
            failed(at, NOW, address)
            for at, address in enumerate([*addresses[:count], *addresses[40:][:count]])
        ]
        batch += [
            fetched(device, NOW, address) for device, address in zip(living[:count], addresses, strict=False)
        ]
        with CaptureQueriesContext(connection) as caught:
            proved_hours.write(
                [(note, living[0]) for note in batch if note.current],
                [n for n in batch if n.key],
                timezone.now(),
            )
        return len(caught)

    assert cost(2) == cost(40)
