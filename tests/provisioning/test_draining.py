"""Notes become rows, once each, whatever is killed and flushed meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.db.models import Sum

from accounts.models import Account
from devices.models import Device
from provisioning import claims, draining, standing, tokens, wire
from provisioning.gate import TokenKind
from provisioning.models import (
    Approval,
    CheckInHour,
    DeviceEvent,
    Drain,
    FailureKey,
    LastSeen,
    Lock,
    Proof,
    Token,
)
from security.networks import origin_of, parse_address
from tests.provisioning.making import HOME, HOTEL, THIEF, colons, make_account, make_phone, request

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone() -> Device:
    phone = make_phone(make_account("acme", make_account("platform", kind=Account.Kind.PLATFORM)), now=NOW)
    claims.claim(request(phone), now=NOW - timedelta(days=1))
    Lock.objects.filter(pk=phone.pk).update(armed_at=NOW - timedelta(days=2))
    if not Token.objects.filter(device=phone).exists():
        claims.claim(request(phone), now=NOW - timedelta(hours=20))
    return phone


def current(phone: Device) -> Token:
    return Token.objects.get(device=phone, kind=TokenKind.CURRENT.value)


def check_in(phone: Device, *, address: str = HOME, at: datetime = NOW, **more: Any) -> wire.Note:
    values: dict[str, Any] = {
        "at": at.timestamp(),
        "address": f"{parse_address(address):x}",
        "rule": "O3",
        "outcome": "full",
        "mac": phone.mac,
        "code": str(phone.code),
        "agent": f"Yealink SIP-T46S 66.85.0.5 {colons(phone.mac)}",
        "file": f"{phone.mac}.cfg",
        "token": current(phone).hash,
        "check_in": True,
        "current": True,
    }
    return wire.Note(**(values | more))


def refusal(phone: Device | None, **more: Any) -> wire.Note:
    values: dict[str, Any] = {
        "at": NOW.timestamp(),
        "address": f"{parse_address(THIEF):x}",
        "rule": "R6",
        "outcome": "refused",
        "agent": "Yealink SIP-T46S 66.85.0.5",
        "key": "locked-mac",
    }
    if phone is not None:
        values |= {"mac": phone.mac, "code": str(phone.code), "label": phone.mac, "card": True}
    return wire.Note(**(values | more))


def put(store: redis.Redis, *notes: wire.Note) -> None:
    for note in notes:
        store.xadd(wire.NOTES, {wire.NOTE: wire.pack_note(note)})


def drain_all(now: datetime = NOW) -> int:
    draining.drain(now)  # takes up the epoch
    read = draining.drain(now)
    assert draining.drain(now) == 0
    return read


def test_a_check_in_is_a_row_an_hour_a_proof_and_the_last_sight(store: redis.Redis, phone: Device) -> None:
    put(
        store,
        check_in(phone),
        check_in(phone, at=NOW + timedelta(minutes=5)),
        check_in(phone, at=NOW + timedelta(hours=1)),
    )

    assert drain_all() == 3

    hours = dict(CheckInHour.objects.values_list("hour", "count"))
    assert hours == {NOW.replace(minute=0): 2, NOW.replace(hour=13, minute=0): 1}
    seen = LastSeen.objects.get(device=phone)
    assert (seen.at, seen.address, seen.firmware) == (NOW + timedelta(hours=1), HOME, "66.85.0.5")
    assert standing.proved_count(origin_of(parse_address(HOME)), NOW) == 1
    assert DeviceEvent.objects.filter(device=phone, details__check_in=True).count() == 3


def test_what_was_drained_is_not_drained_again(store: redis.Redis, phone: Device) -> None:
    put(store, check_in(phone))
    drain_all()
    put(store, check_in(phone))
    drain_all()

    assert CheckInHour.objects.aggregate(n=Sum("count"))["n"] == 2


def test_a_drain_that_dies_in_the_middle_leaves_rows_and_cursor_as_they_were(
    store: redis.Redis, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    draining.drain(NOW)
    put(store, check_in(phone))
    before = (Drain.objects.values().get(), DeviceEvent.objects.count())
    with monkeypatch.context() as broken:
        broken.setattr(draining, "_write_keys", lambda notes: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            draining.drain(NOW)
    assert (Drain.objects.values().get(), DeviceEvent.objects.count()) == before

    assert draining.drain(NOW) == 1
    assert CheckInHour.objects.aggregate(n=Sum("count"))["n"] == 1


def test_after_a_flush_a_new_epoch_begins(store: redis.Redis, phone: Device) -> None:
    put(store, check_in(phone))
    drain_all()
    epoch = Drain.objects.get().epoch
    store.flushall()
    put(store, check_in(phone))

    assert drain_all() == 1
    assert Drain.objects.get().epoch != epoch
    assert CheckInHour.objects.aggregate(n=Sum("count"))["n"] == 2


def test_a_note_that_cannot_be_read_stops_nothing(store: redis.Redis, phone: Device) -> None:
    store.xadd(wire.NOTES, {wire.NOTE: b"not a note"})
    put(store, check_in(phone))

    assert drain_all() == 2
    assert CheckInHour.objects.aggregate(n=Sum("count"))["n"] == 1


@pytest.mark.rule("R6")
@pytest.mark.usefixtures("clock")
def test_a_refusal_is_a_line_in_the_log_a_key_and_a_card(store: redis.Redis, phone: Device) -> None:
    put(store, refusal(phone, count=3), refusal(phone, at=NOW.timestamp() + 60))

    drain_all()

    key = FailureKey.objects.get()
    assert (key.kind, key.label, key.count) == ("locked-mac", phone.mac, 4)
    card = Approval.objects.get(device=phone)
    assert (card.status, card.tries, card.origins[0]["address"]) == ("open", 4, THIEF)
    counts = list(
        DeviceEvent.objects.filter(device=phone, what="request", rule="R6").values_list("count", flat=True)
    )
    assert sorted(counts) == [1, 3]


@pytest.mark.rule("R11")
def test_an_unknown_mac_is_evidence_and_no_phones_event(store: redis.Redis, phone: Device) -> None:
    before = DeviceEvent.objects.count()
    put(store, refusal(None, rule="R11", key="unknown-mac", label="00005e0053ff", mac="00005e0053ff"))

    drain_all()

    assert FailureKey.objects.get().label == "00005e0053ff"
    assert DeviceEvent.objects.count() == before


@pytest.mark.rule("O4")
def test_a_drift_is_told_and_changes_no_lock(store: redis.Redis, phone: Device) -> None:
    lock = Lock.objects.values("state", "bound_first").get(pk=phone.pk)
    put(store, check_in(phone, address=HOTEL, rule="O4", drift=True))

    drain_all()

    assert DeviceEvent.objects.get(device=phone, rule="O4").details["drift"] is True
    assert Lock.objects.values("state", "bound_first").get(pk=phone.pk) == lock


@pytest.mark.rule("T3")
def test_a_suspected_clone_is_served_until_a_person_decides(store: redis.Redis, phone: Device) -> None:
    old = current(phone)
    claims.first_use(old.hash, parse_address(HOME), now=NOW - timedelta(hours=12))
    claims.claim(request(phone), now=NOW - timedelta(hours=2))
    claims.first_use(current(phone).hash, parse_address(HOME), now=NOW - timedelta(hours=1))
    put(store, check_in(phone, token=old.hash, rule="T3", clone=True, current=False))

    drain_all()
    drain_all()

    old.refresh_from_db()
    assert (old.clone_since, old.until) == (NOW, NOW + timedelta(days=30))
    assert DeviceEvent.objects.filter(device=phone, what="clone-suspected").count() == 1


@pytest.mark.rule("T2")
def test_a_first_use_that_the_edge_could_not_write_is_written_here(store: redis.Redis, phone: Device) -> None:
    token = current(phone)
    put(store, check_in(phone, first_use=True))

    drain_all()

    token.refresh_from_db()
    assert token.first_used_at == NOW


@pytest.mark.rule("T3")
def test_a_former_token_remembers_from_where_it_was_used(store: redis.Redis, phone: Device) -> None:
    put(store, check_in(phone, address=HOTEL))

    drain_all()

    names = {wire.pack_network(origin_of(parse_address(a))) for a in (HOME, HOTEL)}
    assert set(current(phone).origins) == names


def test_notes_of_a_deleted_phone_are_dropped(store: redis.Redis, phone: Device) -> None:
    note = check_in(phone)
    Token.objects.all().delete()
    phone.delete()
    put(store, note)

    assert drain_all() == 1
    assert not CheckInHour.objects.exists()


def test_proofs_are_one_row_an_origin(store: redis.Redis, phone: Device) -> None:
    put(store, *[check_in(phone, at=NOW + timedelta(days=d)) for d in range(3)])

    drain_all()

    assert Proof.objects.get().at == NOW + timedelta(days=2)


def test_no_note_names_a_token(phone: Device) -> None:
    text = tokens.text_of(current(phone))

    assert text not in wire.pack_note(check_in(phone)).decode()


def test_a_single_step_phone_is_proved_by_two_days_at_one_place(store: redis.Redis, phone: Device) -> None:
    Device.objects.filter(pk=phone.pk).update(model="VP530")
    here = origin_of(parse_address(HOME))
    put(store, check_in(phone, rule="R4"), check_in(phone, rule="R4", at=NOW + timedelta(hours=2)))
    drain_all()
    assert standing.proved_count(here, NOW) == 0

    put(store, check_in(phone, rule="R4", at=NOW + timedelta(days=1)))
    drain_all()

    assert standing.proved_count(here, NOW + timedelta(days=1)) == 1
