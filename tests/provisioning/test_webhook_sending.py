"""Webhooks on their way: in order, once or more, beside others that are slow, dead or out of their minds."""

import socket
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from accounts import resettling
from accounts.models import Account, AuditEntry
from accounts.scope import Actor
from provisioning import outgoing, webhook_sending, webhooks
from provisioning.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from provisioning.webhook_sending import send_due
from tests.provisioning.webhook_receiver import (
    LOOPBACK,
    Behaviour,
    answers,
    endless,
    endpoint,
    hangs,
    happened,
    nobody,
    receiver,
    states,
    writes,
)
from tests.tree import Tree

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def loopback_is_ours(settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = LOOPBACK


def sent(now: datetime = NOW) -> int:
    return send_due(clock=lambda: now)


def fresh(row: Any) -> Any:
    return type(row)._default_manager.get(pk=row.pk)


# --- what arrives -----------------------------------------------------------------------------------------


def test_an_event_arrives_signed_and_the_log_says_so(acme: Account, ana: Actor) -> None:
    with receiver(answers(200, b"thank you\0")) as crm:
        made, secret = webhooks.create(acme, by=ana, name="CRM", url=crm.url)
        (row,) = happened(made, number=7, at=NOW)

        assert sent() == 1

    (got,) = crm.got
    assert got.path == "/in?key=of-theirs"
    assert got.verify(secret) == {
        "type": "device.locked",
        "timestamp": "2026-03-02T12:00:00Z",
        "data": {"lane": "phone 1", "number": 7},
    }
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == f"127.0.0.1:{crm.port}"
    assert got.headers["webhook-id"] == f"msg_{row.event.code.hex}"
    row = fresh(row)
    assert (row.state, row.tries, row.ended_at, row.due_at, row.taken_until) == (
        "delivered", 1, NOW, None, None
    )  # fmt: skip
    attempt = WebhookAttempt.objects.get()
    assert (attempt.delivery_id, attempt.status, attempt.why, attempt.answer) == (
        row.pk, 200, "", "thank you\N{REPLACEMENT CHARACTER}"
    )  # fmt: skip
    assert attempt.request_headers["webhook-id"] == got.id
    assert attempt.request_headers["webhook-signature"] == got.headers["webhook-signature"][:11] + "…"
    assert fresh(made).last_success_at == NOW


def test_while_a_secret_is_changed_both_sign(acme: Account, ana: Actor) -> None:
    with receiver() as crm:
        made, former = webhooks.create(acme, by=ana, name="CRM", url=crm.url)
        made, current = webhooks.rotate_secret(made, by=ana, overlap=HOUR, now=NOW)
        happened(made, at=NOW)
        sent(NOW + HOUR - SECOND)
        happened(made, at=NOW)
        sent(NOW + HOUR)

    during, after = crm.got
    assert during.verify(former) == during.verify(current)
    assert after.verify(current)
    with pytest.raises(Exception, match="No matching signature"):
        after.verify(former)


def test_a_lane_is_told_in_order_and_lanes_go_side_by_side(acme: Account, ana: Actor) -> None:
    with receiver() as crm:
        made = endpoint(acme, crm.url, by=ana)
        for number in range(6):
            for phone in range(4):
                happened(made, lane=f"phone {phone}", number=number, at=NOW)

        assert sent() == 24

    order = defaultdict(list)
    for got in crm.got:
        order[got.data["lane"]].append(got.data["number"])
    assert order == {f"phone {phone}": list(range(6)) for phone in range(4)}


def test_what_failed_is_sent_again_by_the_schedule_with_the_same_bytes(acme: Account, ana: Actor) -> None:
    with receiver(answers(404)) as crm:
        made = endpoint(acme, crm.url, by=ana)
        (first,) = happened(made, number=1, at=NOW)
        (second,) = happened(made, number=2, at=NOW + 71 * HOUR)
        waits, now = [], NOW
        while (row := fresh(first)).state == "waiting":
            now = row.due_at if row.tries else now
            sent(now)
            if (due_at := fresh(first).due_at) is not None:
                waits.append((due_at - now).total_seconds())
        crm.behave = answers(204)
        sent(now + MINUTE)

    usual = [5, 60, 300, 1800, 7200, 18_000, 36_000, *[50_400] * (len(waits) - 7)]
    assert [abs(wait / want - 1) <= 0.1001 for wait, want in zip(waits, usual, strict=True)] == [True] * len(
        waits
    )
    assert now - NOW >= timedelta(hours=72)
    assert sum(waits[:-1]) < 72 * 3600
    assert states(first, second) == ["dead", "delivered"]  # the dead letter let the rest of its lane go
    bodies = [got.body for got in crm.got if got.data["number"] == 1]
    assert len(bodies) == fresh(first).tries == len(waits) + 1
    assert len(set(bodies)) == 1
    assert len(set(crm.ids)) == 2


def test_one_that_is_put_off_holds_up_its_own_lane_alone(acme: Account, ana: Actor) -> None:
    with receiver(answers(400)) as crm:
        made = endpoint(acme, crm.url, by=ana)
        head, behind = *happened(made, at=NOW), *happened(made, at=NOW)
        sent()
        crm.behave = answers(204)
        (other,) = happened(made, lane="phone 2", at=NOW)

        assert sent(NOW + SECOND) == 1
        assert states(head, behind, other) == ["waiting", "waiting", "delivered"]
        assert sent(NOW + 10 * SECOND) == 2

    assert states(head, behind) == ["delivered", "delivered"]
    assert crm.ids[-2:] == [f"msg_{row.event.code.hex}" for row in (head, behind)]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(status: int, acme: Account, ana: Actor) -> None:
    with receiver() as inside, receiver(answers(status, location=inside.url)) as crm:
        made = endpoint(acme, crm.url, by=ana)
        (row,) = happened(made, at=NOW)
        sent()

    assert (states(row), len(crm.got), inside.got) == (["waiting"], 1, [])
    assert WebhookAttempt.objects.get().status == status


def test_gone_switches_the_endpoint_off_and_drops_what_waits(acme: Account, ana: Actor) -> None:
    with receiver(answers(410)) as crm:
        made = endpoint(acme, crm.url, by=ana)
        rows = [*happened(made, at=NOW), *happened(made, at=NOW)]
        rows += [*happened(made, lane="phone 2", at=NOW + HOUR)]
        sent()
        sent()

    assert (fresh(made).is_active, len(crm.got)) == (False, 1)
    assert states(*rows) == ["dead", "dropped", "dropped"]
    entry = AuditEntry.objects.filter(verb="webhook.changed").get()
    assert (entry.actor, entry.details) == ("webhooks", {"is_active": [True, False], "why": "410 Gone"})


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("120", 120), ("999999", 3600), ("Mon, 02 Mar 2026 12:10:00 GMT", 600), ("soon", 0)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_one_that_is_too_busy_says_for_how_long(
    status: int, asked: str, seconds: int, acme: Account, ana: Actor
) -> None:
    with receiver(answers(status, retry_after=asked)) as crm:
        made = endpoint(acme, crm.url, by=ana)
        (row,) = happened(made, at=NOW)
        happened(made, lane="phone 2", at=NOW + SECOND)
        sent()

    rests = fresh(made).rests_until
    assert ((rests - NOW).total_seconds() if rests else 0) == seconds
    assert (fresh(row).due_at - NOW).total_seconds() >= max(seconds, 4.5)
    assert webhook_sending.due(NOW + SECOND) == ([] if seconds else [made.pk])


# --- rest and recovery -------------------------------------------------------------------------------------


def test_a_dead_endpoint_rests_longer_and_longer_and_one_delivery_tries(acme: Account, ana: Actor) -> None:
    made = endpoint(acme, nobody(), by=ana)
    for phone in range(40):
        happened(made, lane=f"phone {phone}", at=NOW)

    rests, tries, now = [], [], NOW
    for _ in range(9):
        tries.append(sent(now))
        until = fresh(made).rests_until
        rests.append((until - now).total_seconds())
        assert webhook_sending.due(until - SECOND) == []
        now = until

    assert rests == [10, 20, 40, 80, 160, 320, 600, 600, 600]
    assert tries[0] <= 8
    assert tries[1:] == [1] * 8
    assert WebhookAttempt.objects.exclude(why__startswith="No connection: ").count() == 0


def test_the_first_success_wakes_it_and_all_that_was_put_off_goes(acme: Account, ana: Actor) -> None:
    with receiver(answers(503)) as crm:
        made = endpoint(acme, crm.url, by=ana)
        rows = [row for phone in range(12) for row in happened(made, lane=f"phone {phone}", at=NOW)]
        now = NOW
        for _ in range(10):
            sent(now)
            now = fresh(made).rests_until
        crm.behave = answers(204)

        sent(now)

    made = fresh(made)
    assert states(*rows) == ["delivered"] * 12
    assert (made.failures, made.failing_since, made.rests_until) == (0, None, None)


def test_of_one_that_is_down_for_days_what_is_older_dies_without_a_try_of_its_own(
    acme: Account, ana: Actor
) -> None:
    made = endpoint(acme, nobody(), by=ana)
    old = [row for phone in range(20) for row in happened(made, lane=f"phone {phone}", at=NOW)]
    young = happened(made, lane="phone 3", at=NOW + 71 * HOUR)
    WebhookEndpoint.objects.update(failures=9, failing_since=NOW)

    sent(NOW + 72 * HOUR)

    assert states(*old, *young) == ["dead"] * 20 + ["waiting"]
    assert fresh(young[0]).due_at == NOW + 72 * HOUR
    assert WebhookAttempt.objects.count() == 1


def test_an_endpoint_has_eight_at_once(acme: Account, ana: Actor) -> None:
    with receiver() as crm:
        made = endpoint(acme, crm.url, by=ana)
        for phone in range(30):
            happened(made, lane=f"phone {phone}", at=NOW)
        first = webhook_sending.take(made.pk, NOW)
        second = webhook_sending.take(made.pk, NOW)
        later = webhook_sending.take(made.pk, NOW + MINUTE)

        assert sent(NOW + 2 * MINUTE) == 30

    assert (len(first.taken), len(second.taken)) == (8, 0)
    assert {one.pk for one in later.taken} & {one.pk for one in first.taken} == set()
    assert crm.most_at_once <= 8


# --- others are not delayed --------------------------------------------------------------------------------

TROUBLE: list[tuple[str, Behaviour, int, str]] = [
    ("garbage", writes(b"\0\1\2 not HTTP at all\r\n\r\n"), 0, "The answer is no HTTP: "),
    ("half an answer", writes(b"HTTP/1.1 200 OK\r\nContent-Len"), 0, "The answer is no HTTP: "),
    ("endless headers", writes(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 40_000), 0, "The answer is no HTTP: "),
    ("no answer", hangs, 0, "No answer within 1 seconds."),
    ("an endless body", endless, 200, ""),
]


@pytest.mark.parametrize(("what", "behave", "status", "why"), TROUBLE)
def test_whatever_it_answers_is_written_down(
    what: str,
    behave: Behaviour,
    status: int,
    why: str,
    acme: Account,
    ana: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook_sending, "SECONDS", 1.0)
    with receiver(behave) as crm:
        (row,) = happened(endpoint(acme, crm.url, by=ana), at=NOW)
        sent()

    attempt = WebhookAttempt.objects.get()
    assert (attempt.status, attempt.why[: len(why)]) == (status, why)
    assert len(attempt.answer) == (2000 if what == "an endless body" else 0)
    assert states(row) == ["delivered" if status == 200 else "waiting"]


def test_slow_and_dead_and_mad_endpoints_delay_nobody(
    acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the quick one has had everything, the slow one has not even answered its first."""
    monkeypatch.setattr(webhook_sending, "SECONDS", 600.0)
    with receiver(hangs) as slow, receiver(endless) as mad, receiver() as quick:
        bad = [
            endpoint(acme, url, by=ana, name=name)
            for name, url in (("slow", slow.url), ("mad", mad.url), ("dead", nobody()))
        ]
        good = endpoint(acme, quick.url, by=ana, name="good")
        for number in range(20):
            for phone in range(10):
                happened(*bad, good, lane=f"phone {phone}", number=number, at=NOW)
        answered: list[int] = []

        def goes_on() -> bool:
            if len(quick.got) == 200 and not answered:
                answered.append(WebhookAttempt.objects.filter(delivery__endpoint=bad[0]).count())
                slow.over.set()
                mad.over.set()
            return not answered

        send_due(clock=lambda: NOW, goes_on=goes_on)

    assert answered == [0]
    assert slow.most_at_once == 8
    assert WebhookDelivery.objects.filter(endpoint=good, state="delivered").count() == 200


def test_a_name_that_no_server_knows_delays_nobody(
    acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_sending, "SECONDS", 600.0)
    honest = socket.getaddrinfo
    asked, answered = [], []

    with receiver(hangs) as stuck, receiver() as quick:

        def look_up(host: str, *arguments: Any, **more: Any) -> Any:
            if host == "lost.example.org":
                asked.append(host)
                stuck.over.wait(60)
                raise socket.gaierror("not known")
            return honest(host, *arguments, **more)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        lost = endpoint(acme, "https://lost.example.org/", by=ana, name="lost")
        good = endpoint(acme, quick.url, by=ana, name="good")
        for phone in range(100):
            happened(lost, good, lane=f"phone {phone}", at=NOW)

        def goes_on() -> bool:
            if len(quick.got) == 100 and not answered:
                answered.append(WebhookAttempt.objects.filter(delivery__endpoint=lost).count())
                stuck.over.set()
            return not answered

        send_due(clock=lambda: NOW, goes_on=goes_on)

    assert answered == [0]
    assert asked == ["lost.example.org"]  # one look-up for all that want to go there


def test_an_error_of_ours_at_one_endpoint_stops_no_other(
    acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = outgoing.ask

    async def ask(method: str, url: str, **more: Any) -> outgoing.Answer:
        if "bad" in url:
            raise ZeroDivisionError
        return await honest(method, url, **more)

    monkeypatch.setattr(outgoing, "ask", ask)
    with receiver() as crm:
        bad = endpoint(acme, crm.url + "bad", by=ana, name="bad")
        good = endpoint(acme, crm.url, by=ana, name="good")
        rows = happened(bad, good, at=NOW)
        sent()

    assert states(*rows) == ["waiting", "delivered"]
    assert WebhookAttempt.objects.get(delivery=rows[0]).why == "It could not be sent."


def test_a_secret_that_no_key_opens_fails_by_itself(acme: Account, ana: Actor) -> None:
    with receiver() as crm:
        lost, good = endpoint(acme, crm.url, by=ana, name="1"), endpoint(acme, crm.url, by=ana, name="2")
        WebhookEndpoint.objects.filter(pk=lost.pk).update(secret=good.secret)
        rows = happened(lost, good, at=NOW)
        sent()

    assert states(*rows) == ["waiting", "delivered"]
    assert WebhookAttempt.objects.get(delivery=rows[0]).why == "The secret of this endpoint cannot be opened."


# --- for whom it is no more --------------------------------------------------------------------------------


@pytest.mark.rule("E18")
def test_an_account_that_moved_away_is_told_of_no_more(cast: Tree) -> None:
    """E18: what had not gone yet is not for the one that it left; its own program goes on."""
    other = make_reseller(cast)
    with receiver() as crm:
        above = endpoint(cast.harbour, crm.url, by=cast.rita, name="all", with_below=True)
        own = endpoint(cast.acme, crm.url, by=cast.ana)
        rows = happened(above, own, account=cast.acme, at=NOW)
        behind = happened(above, account=cast.globex, at=NOW)
        resettling.move_customer(cast.acme, by=cast.support, below=other)

        sent()

    assert states(*rows, *behind) == ["dropped", "delivered", "delivered"]


def test_one_that_asks_for_nothing_below_any_more_gets_nothing_below(cast: Tree) -> None:
    with receiver() as crm:
        above = endpoint(cast.harbour, crm.url, by=cast.rita, name="all", with_below=True)
        rows = happened(above, account=cast.acme, at=NOW)
        webhooks.change(above, by=cast.rita, with_below=False)

        assert sent() == 0

    assert states(*rows) == ["dropped"]


def test_what_waits_for_one_that_is_switched_off_is_dropped(acme: Account, ana: Actor) -> None:
    with receiver(answers(404)) as crm:
        made = endpoint(acme, crm.url, by=ana)
        rows = [row for _ in range(450) for row in happened(made, at=NOW)]
        sent()
        webhooks.change(made, by=ana, is_active=False)

        sent()

    assert len(crm.got) == 1
    assert states(*rows) == ["dropped"] * 450
    assert webhook_sending.due(NOW + HOUR) == []


def make_reseller(cast: Tree) -> Account:
    from accounts import tenants

    return tenants.create_account(cast.platform, by=cast.support, slug="pier", name="Pier", kind=None)
