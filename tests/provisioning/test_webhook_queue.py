"""What waits for endpoints: read by indexes, never past what cannot go, and for living accounts alone."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import deleting
from accounts.models import Account
from accounts.scope import Actor
from provisioning import webhook_sending
from provisioning.models import WebhookDelivery, WebhookEndpoint
from provisioning.webhook_sending import LOOKED_AT, send_due, take
from tests.provisioning.webhook_receiver import endpoint, happened, states
from tests.tree import Tree

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
URL = "https://crm.example.org/in"


@pytest.fixture
def crm(acme: Account, ana: Actor) -> WebhookEndpoint:
    return endpoint(acme, URL, by=ana)


def fill(crm: WebhookEndpoint, count: int, lane: str = "phone 1") -> list[WebhookDelivery]:
    """So many deliveries of one event."""
    (first,) = happened(crm, lane=lane, at=NOW)
    more = [
        WebhookDelivery(endpoint=crm, event=first.event, lane=lane, created_at=NOW, due_at=NOW)
        for _ in range(count - 1)
    ]
    return [first, *WebhookDelivery.objects.bulk_create(more)]


def test_a_look_at_what_is_due_costs_one_query(crm: WebhookEndpoint, cast: Tree) -> None:
    rested = endpoint(cast.globex, URL, by=cast.eve)
    fill(rested, 300)
    WebhookEndpoint.objects.filter(pk=rested.pk).update(rests_until=NOW + HOUR)
    with CaptureQueriesContext(connection) as asked:
        assert send_due(clock=lambda: NOW) == 0

    assert len(asked) == 1


@pytest.mark.once
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the other database plans by what tables hold")
def test_sqlite_finds_it_by_the_indexes_of_what_waits(crm: WebhookEndpoint) -> None:
    fill(crm, 50)
    with CaptureQueriesContext(connection) as asked:
        webhook_sending.due(NOW)
        take(crm.pk, NOW)

    reads = [query["sql"] for query in asked if query["sql"].startswith("SELECT")]
    plans = []
    for read in reads:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + read)
            plans.append(str(cursor.fetchall()))
    looked_at = next(plan for read, plan in zip(reads, plans, strict=True) if "is_replay" in read)
    assert "webhook_due" in plans[0]
    assert "webhook_due" in looked_at
    assert "webhook_lane" in looked_at


def test_what_stands_behind_others_is_read_once_and_has_no_turn(crm: WebhookEndpoint) -> None:
    rows = fill(crm, LOOKED_AT + 5)
    (other,) = happened(crm, lane="phone 2", at=NOW + SECOND)

    first, second = take(crm.pk, NOW + SECOND), take(crm.pk, NOW + SECOND)

    assert [one.pk for one in (*first.taken, *second.taken)] == [rows[0].pk, other.pk]
    parked = WebhookDelivery.objects.filter(due_at=None).values_list("pk", flat=True)
    assert set(parked) == {row.pk for row in rows[1:]}
    assert webhook_sending.due(NOW + SECOND) == []


def test_the_oldest_of_a_lane_goes_though_a_younger_one_was_due_before(crm: WebhookEndpoint) -> None:
    (old,) = happened(crm, at=NOW)
    (young,) = happened(crm, at=NOW)
    WebhookDelivery.objects.filter(pk=old.pk).update(due_at=NOW + HOUR)

    assert take(crm.pk, NOW).taken == ()
    assert [one.pk for one in take(crm.pk, NOW + HOUR).taken] == [old.pk]
    assert states(young) == ["waiting"]


def test_a_result_that_comes_when_the_turn_is_over_changes_nothing(crm: WebhookEndpoint) -> None:
    (row,) = happened(crm, at=NOW)
    (late,) = take(crm.pk, NOW).taken
    (again,) = take(crm.pk, NOW + webhook_sending.LEASE).taken

    webhook_sending.finish(late, webhook_sending.outgoing.Answer(500), now=NOW + HOUR)
    ignored = WebhookDelivery.objects.values_list("state", "tries", "attempts").get(pk=row.pk)
    webhook_sending.finish(again, webhook_sending.outgoing.Answer(200), now=NOW + HOUR)
    webhook_sending.finish(again, webhook_sending.outgoing.Answer(500), now=NOW + HOUR)

    assert ignored == ("waiting", 0, None)
    assert (states(row), row.attempts.count()) == (["delivered"], 1)
    assert WebhookEndpoint.objects.get().failures == 0


def test_a_deleted_account_is_told_nothing_more(cast: Tree) -> None:
    """Though what happens below it, or in it while it is kept, is still written down."""
    crm = endpoint(cast.globex, URL, by=cast.eve)
    (row,) = happened(crm, at=NOW)
    deleting.delete_account(cast.globex, by=cast.rita, typed="globex")

    assert send_due(clock=lambda: NOW) == 0

    assert states(row) == ["dropped"]
