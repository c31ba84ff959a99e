"""What all work on many phones has in common: its phones are written down, however many they are."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, AuditEntry
from accounts.scope import Actor
from devices.models import Device
from provisioning import bulk, jobs
from provisioning.models import Job, JobItem
from tests.factories import make_phone

pytestmark = pytest.mark.django_db


def test_its_phones_are_written_down_in_their_order(acme: Account, ana: Actor) -> None:
    made = [make_phone(acme, by=ana, name=name) for name in ("Bob's", "", "50 % off", "Ärger")]
    chosen = Device.objects.order_by("-name", "mac")

    job = bulk.start(acme, "lock", by=ana, phones=chosen)

    rows = list(JobItem.objects.filter(job=job).order_by("pk"))
    assert [row.device for row in rows] == list(chosen)
    assert [row.name for row in rows] == [str(device) for device in chosen]
    assert made[1].mac in [row.name for row in rows]
    assert [row.mac for row in rows] == [device.mac for device in chosen]
    assert {(row.result, row.rule, row.why, str(row.details)) for row in rows} == {("waiting", "", "", "{}")}
    assert (job.total, Job.objects.get().total) == (4, 4)
    assert AuditEntry.objects.get(verb="job.started").details["phones"] == 4


def test_many_phones_cost_no_more_queries_than_one(acme: Account, ana: Actor) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            bulk.start(acme, "lock", by=ana)
        return len(queries)

    make_phone(acme, by=ana)
    one = cost()
    Device.objects.bulk_create(
        Device(
            account=acme, mac=f"00005e2{at:05x}", family="yealink", model="T46U", created_at=timezone.now()
        )
        for at in range(1200)
    )

    assert cost() == one
    assert JobItem.objects.count() == 1202


def test_of_no_phones_there_is_a_job_of_none(acme: Account, ana: Actor) -> None:
    job = jobs.start(acme, "lock", by=ana, params={}, devices=Device.objects.none(), now=timezone.now())

    assert (job.total, JobItem.objects.count()) == (0, 0)
