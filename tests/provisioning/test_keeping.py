"""What is kept for how long (section 9): the sweep takes what is older, and nothing else."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, models, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, AuditEntry
from devices.models import Device
from portal.celery import app
from provisioning import incidents, keeping, quarters, store, tasks, tokens, wire
from provisioning.gate import TokenKind
from provisioning.keeping import KEPT, Term
from provisioning.models import (
    Approval,
    CheckInDay,
    Claim,
    Denial,
    DeviceEvent,
    FailureKey,
    Incident,
    Lock,
    MacRecord,
    Stamp,
    Swept,
    Token,
)
from security.models import Ban
from security.networks import Network
from tests.factories import AWAY, HOME, banned, claimed, origin, proved, refused
from tests.provisioning.kept import (
    audited,
    card,
    dead_token,
    denial,
    draft,
    hour,
    incident,
    job,
    kept_answer,
    key,
    lifted,
    link,
    listed_session,
    notice,
    over,
    proved_hour,
    served,
    session,
    told_event,
    told_late,
    unknown,
    upload,
    what_if,
    window,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
TERMS = {kept.name: kept.term for kept in KEPT}

Maker = Callable[[Device, datetime], models.Model]


#: For each line of the table what it takes, and of which age.
ROWS: list[tuple[str, Maker]] = [
    ("keys", key),
    ("proved-hours", proved_hour),
    ("refusals", lambda device, at: refused(device, at=at)),
    ("events", served),
    ("claims", lambda device, at: claimed(device, at=at)),
    ("claims", lambda device, at: dead_token(device, at).claim or claimed(device)),
    ("check-ins", hour),
    ("check-in-days", unknown),
    ("proofs", lambda device, at: proved(device, at=at)),
    ("approvals", card),
    ("windows", window),
    ("incidents", incident),
    ("jobs", job),
    ("what-ifs", what_if),
    ("resyncs", lambda device, at: device.resyncs.create(outcome="reached", answered_at=at)),
    ("audit", audited),
    ("bans", over),
    ("bans", lifted),
    ("denials", denial),
    ("uploads", upload),
    ("tokens", dead_token),
    ("sessions", session),
    ("sessions", listed_session),
    ("import-drafts", draft),
    ("kept-answers", kept_answer),
    ("unlock-links", link),
    ("webhooks", told_event),
    ("webhooks", told_late),
    ("notices", notice),
]


@pytest.mark.parametrize(("line", "make"), ROWS)
def test_what_is_older_goes_and_what_is_younger_stays(line: str, make: Maker, locked: Device) -> None:
    cut = TERMS[line].before(NOW)
    row = make(locked, cut + SECOND)
    keeping.sweep(NOW)
    assert type(row)._default_manager.filter(pk=row.pk).exists()

    keeping.sweep(NOW + 2 * SECOND)

    assert not type(row)._default_manager.filter(pk=row.pk).exists()
    assert Swept.objects.get(name=line).gone >= 1


@pytest.mark.parametrize(("days", "stays"), [(60, True), (61, False)])
def test_the_counts_of_a_day_stay_sixty_days(days: int, stays: bool, locked: Device) -> None:
    day = (NOW - days * DAY).date()
    CheckInDay.objects.create(account=locked.account, day=day, quarters=quarters.NONE)

    keeping.sweep(NOW)

    assert CheckInDay.objects.exists() is stays


def test_every_line_of_the_table_is_proved_here() -> None:
    elsewhere = {"addresses", "token-texts", "bindings", "accounts"}

    assert {name for name, _ in ROWS} | elsewhere == {kept.name for kept in KEPT}


def test_the_table_is_section_9() -> None:
    said = {name: str(term) for name, term in TERMS.items()}

    assert (said["keys"], said["refusals"], said["events"]) == ("30 days", "30 days", "13 months")
    assert (said["addresses"], said["audit"], said["bans"]) == ("90 days", "24 months", "90 days")
    assert (said["uploads"], said["tokens"], said["accounts"]) == ("30 days", "400 days", "30 days")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 11, 30, 4, tzinfo=UTC), datetime(2025, 10, 30, 4, tzinfo=UTC)),
        (datetime(2026, 3, 31, 4, tzinfo=UTC), datetime(2025, 2, 28, 4, tzinfo=UTC)),
        (datetime(2025, 1, 31, 4, tzinfo=UTC), datetime(2023, 12, 31, 4, tzinfo=UTC)),
    ],
)
def test_a_month_is_one_of_the_calendar(now: datetime, expected: datetime) -> None:
    assert Term(months=13).before(now) == expected


# --- what is older and stays -------------------------------------------------------------------------------


def test_a_served_request_outlives_a_refused_one(locked: Device) -> None:
    refused(locked, at=NOW - 31 * DAY)
    kept = served(locked, NOW - 31 * DAY)

    keeping.sweep(NOW)

    assert list(DeviceEvent.objects.filter(what="request").values_list("pk", flat=True)) == [kept.pk]


@pytest.mark.parametrize("kind", [TokenKind.CURRENT, TokenKind.FORMER, TokenKind.ENTRY])
def test_a_claim_stays_as_long_as_one_of_its_private_urls_works(kind: TokenKind, locked: Device) -> None:
    token = dead_token(locked, NOW - 800 * DAY, kind=kind)

    keeping.sweep(NOW)

    claim = Claim.objects.get(pk=token.claim_id)
    assert Token.objects.get(pk=token.pk).claim == claim
    assert claim.address == HOME


def test_an_open_card_is_never_swept(locked: Device) -> None:
    old = card(locked, NOW - 800 * DAY, status="open")

    keeping.sweep(NOW)

    assert Approval.objects.get(pk=old.pk).origins[0]["address"] == AWAY


def test_an_incident_that_goes_on_is_never_swept(locked: Device) -> None:
    row = incidents.open_(
        Incident.Kind.SILENCE, account=locked.account, subject="x", title="Silent", now=NOW - 800 * DAY
    )

    keeping.sweep(NOW)

    assert (Incident.objects.get(), row.steps.count()) == (row, 1)


def test_a_standing_ban_and_a_standing_denial_stay(locked: Device) -> None:
    ban, no = banned(at=NOW - 200 * DAY), denial(locked, NOW + DAY)
    Ban.objects.filter(pk=ban.pk).update(ends_at=NOW + DAY)

    keeping.sweep(NOW)

    assert (Ban.objects.count(), Denial.objects.get()) == (1, no)


def test_what_a_phone_is_now_is_not_history(locked: Device) -> None:
    Lock.objects.filter(pk=locked.pk).update(since=NOW - 900 * DAY, last_claim_at=NOW - 900 * DAY)

    keeping.sweep(NOW)

    assert Lock.objects.get(pk=locked.pk).bound_network == origin(HOME)


def test_the_audit_goes_by_the_sweep_alone(locked: Device) -> None:
    audited(locked, NOW)
    entry = AuditEntry.objects.latest("id")

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_auditentry SET actor = 'nobody' WHERE id = %s", [entry.pk])

    assert AuditEntry.objects.get(pk=entry.pk).actor == "tests"


# --- addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "short"),
    [("203.0.113.24", "203.0.113.0/24"), ("2001:db8:7:9::5", "2001:db8:7::/48"), ("", "")],
)
def test_a_former_address_loses_its_end(address: str, short: str, locked: Device) -> None:
    old = served(locked, NOW - 91 * DAY, address=address)
    new = served(locked, NOW - 89 * DAY, address=address)

    for _ in range(2):
        keeping.sweep(NOW)
        assert DeviceEvent.objects.get(pk=old.pk).address == short
        assert DeviceEvent.objects.get(pk=new.pk).address == address


def test_addresses_among_an_events_details_lose_theirs_too(locked: Device) -> None:
    details = {
        "origin": "198.51.100.7",
        "changes": {"bound": ["2001:db8:7:9::/64", "10.0.0.0/8"]},
        "until": "2026-03-02T12:00:00+00:00",
        "count": 4,
        "reason": "He was at 198.51.100.7",
        "none": None,
    }
    event = served(locked, NOW - 91 * DAY, what="unlocked", address="", details=details)

    keeping.sweep(NOW)

    assert DeviceEvent.objects.get(pk=event.pk).details == {
        **details,
        "origin": "198.51.100.0/24",
        "changes": {"bound": ["2001:db8:7::/48", "10.0.0.0/8"]},
    }


def test_a_claim_that_is_history_keeps_no_place_to_go_back_to(locked: Device) -> None:
    claim = dead_token(locked, NOW - 91 * DAY).claim
    assert claim is not None
    where = origin(AWAY)
    Claim.objects.filter(pk=claim.pk).update(
        before={"state": "LOCKED", "bound": [where.hex_first, where.hex_last], "site": None}
    )

    keeping.sweep(NOW)

    claim.refresh_from_db()
    assert str(Network.from_hex(claim.first, claim.last)) == claim.address == "203.0.113.0/24"
    assert claim.before == {"state": "LOCKED", "bound": ["", ""], "site": None}


def test_an_answered_card_keeps_only_the_neighbourhood(locked: Device) -> None:
    old = card(locked, NOW - 91 * DAY, status="deny")

    keeping.sweep(NOW)

    tried = Approval.objects.get(pk=old.pk).origins[0]
    assert str(Network.from_hex(tried["first"], tried["last"])) == tried["address"] == "198.51.100.0/24"


def test_a_note_that_came_late_is_shortened_too(locked: Device) -> None:
    keeping.sweep(NOW)
    late = served(locked, NOW - 91 * DAY)

    keeping.sweep(NOW + DAY)

    assert DeviceEvent.objects.get(pk=late.pk).address == "203.0.113.0/24"


# --- private URLs, the ledger ------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "wiped"), [(29, False), (31, True)])
def test_the_text_of_a_dead_token_goes_long_before_its_hash(age: int, wiped: bool, locked: Device) -> None:
    token = dead_token(locked, NOW - age * DAY)

    keeping.sweep(NOW)

    token.refresh_from_db()
    assert (bytes(token.sealed) == b"") is wiped
    assert token.mac == locked.mac


def test_a_living_token_keeps_its_text(locked: Device) -> None:
    token = dead_token(locked, NOW - 800 * DAY, kind=TokenKind.CURRENT)

    keeping.sweep(NOW)

    token.refresh_from_db()
    assert tokens.text_of(token)


def test_a_forgotten_token_is_gone_from_the_store(locked: Device, store_server: object) -> None:
    token = dead_token(locked, NOW - 401 * DAY)
    store.client().set(wire.token_key(token.hash), b"held")

    keeping.sweep(NOW)

    assert store.read(wire.token_key(token.hash)) is None


@pytest.mark.parametrize(("age", "kept"), [(29, True), (31, False)])
def test_the_ledger_forgets_the_place_and_keeps_the_mac(age: int, kept: bool, acme: Account) -> None:
    where = origin(HOME)
    entry = MacRecord.objects.create(
        mac_hash="h" * 40, account_code=acme.code, claimed=True, quarantined=True, left_at=NOW - age * DAY,
        bound_first=where.hex_first, bound_last=where.hex_last, bound_site_code=acme.code,
    )  # fmt: skip

    keeping.sweep(NOW)

    entry.refresh_from_db()
    assert (entry.bound_first != "", entry.bound_site_code is not None) == (kept, kept)
    assert (entry.claimed, entry.quarantined) == (True, True)


# --- how it is swept ---------------------------------------------------------------------------------------


def test_it_goes_in_batches(locked: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "BATCH", 3)
    for _ in range(8):
        served(locked, NOW - 500 * DAY)

    with CaptureQueriesContext(connection) as queries:
        keeping.sweep(NOW)

    sizes = [
        query["sql"].count(",") + 1
        for query in queries.captured_queries
        if query["sql"].startswith('DELETE FROM "provisioning_deviceevent"')
    ]
    assert sizes == [3, 3, 2]
    assert Swept.objects.get(name="events").gone == 8


def test_it_runs_twice_without_harm(locked: Device) -> None:
    for _, make in ROWS[:-1]:
        make(locked, NOW - 900 * DAY)
    keeping.sweep(NOW)

    again = keeping.sweep(NOW)

    assert again == keeping.Sweep(0, ran_out=False)
    assert set(Swept.objects.values_list("gone", flat=True)) == {0}


def test_what_the_time_is_too_short_for_goes_with_the_next_one(
    locked: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "BATCH", 3)
    for _ in range(8):
        served(locked, NOW - 500 * DAY)

    first = keeping.sweep(NOW, seconds=0)
    line = Swept.objects.get(name="events")
    assert (first.ran_out, line.gone, line.is_whole) == (True, 3, False)
    second = keeping.sweep(NOW)

    assert not second.ran_out
    assert DeviceEvent.objects.filter(at__lt=NOW - 400 * DAY).count() == 0


def test_a_line_that_fails_keeps_no_other_from_its_turn(
    locked: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(cut: datetime, since: datetime | None) -> Iterator[int]:
        raise DatabaseError("of the test")
        yield 0

    broken = [keeping.Kept(k.name, k.what, k.term, fails) if k.name == "keys" else k for k in KEPT]
    monkeypatch.setattr(keeping, "KEPT", broken)
    key(locked, NOW - 500 * DAY)
    served(locked, NOW - 500 * DAY)

    swept = keeping.sweep(NOW)

    assert (FailureKey.objects.count(), swept.ran_out) == (1, False)
    assert not Swept.objects.get(name="keys").is_whole
    assert Swept.objects.get(name="events").is_whole


def test_the_daily_task_sweeps_and_is_stamped(locked: Device) -> None:
    served(locked, timezone.now() - 500 * DAY)

    assert tasks.forget() >= 1

    assert Stamp.objects.filter(name="forget").exists()
    scheduled = app.conf.beat_schedule["forget"]
    assert (scheduled["task"], scheduled["schedule"]) == ("provisioning.tasks.forget", 86400.0)


def test_a_sweep_that_ran_out_of_time_asks_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(keeping, "sweep", lambda now: keeping.Sweep(5, ran_out=True))
    monkeypatch.setattr(tasks.forget, "apply_async", lambda **more: asked.append(more))

    assert tasks.forget() == 5

    assert asked == [{"countdown": tasks.AGAIN}]
