"""What all work on many phones has in common: its start, handing it to a worker, its batches, its end."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import F, JSONField, QuerySet, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from accounts import audit
from accounts.models import Account, ApiKey, User
from accounts.roles import Role
from accounts.scope import Actor, Standing
from devices.models import Device
from provisioning import announcing, publishing, store
from provisioning.models import Job, JobItem

log = structlog.get_logger(__name__)

LEFT_BEHIND = timedelta(seconds=30)


def start(
    account: Account,
    kind: str,
    *,
    by: Actor,
    params: dict[str, Any],
    devices: QuerySet[Device],
    now: datetime,
) -> Job:
    """Write down the job and its phones in the caller's transaction; after the commit a worker has it."""
    job = _made(account, kind, by=by, params=params, now=now)
    return _started(job, _write_items(job, devices), by=by)


def start_with(
    account: Account,
    kind: str,
    *,
    by: Actor,
    params: dict[str, Any],
    items: Collection[JobItem],
    now: datetime,
) -> Job:
    """As `start`, for items that are no phones yet, or that carry more than a phone."""
    job = _made(account, kind, by=by, params=params, now=now)
    for item in items:
        item.job = job
    JobItem.objects.bulk_create(items, batch_size=500)
    return _started(job, len(items), by=by)


def _made(account: Account, kind: str, *, by: Actor, params: dict[str, Any], now: datetime) -> Job:
    return Job.objects.create(
        account=account, kind=kind, by=by.label, params=params, actor=remember(by), created_at=now
    )


def _started(job: Job, total: int, *, by: Actor) -> Job:
    job.total = total
    job.save(update_fields=["total"])
    audit.record(by, "job.started", job, now=job.created_at, phones=total, params=job.params)
    transaction.on_commit(partial(hand_over, job.pk))
    return job


def _write_items(job: Job, devices: QuerySet[Device]) -> int:
    """One item a phone, in the order of these: copied by the database, since they may be very many."""
    columns: dict[str, Any] = {
        "job_id": Value(job.pk),
        "device_id": F("pk"),
        "name": Coalesce(NullIf("name", Value("")), "mac"),  # as a phone is called
        "mac": F("mac"),
        "result": Value(JobItem.Result.WAITING.value),
        "rule": Value(""),
        "why": Value(""),
        "details": Value({}, JSONField()),
    }
    try:
        sql, values = devices.values_list(*columns.values()).query.sql_with_params()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {JobItem._meta.db_table} ({', '.join(columns)}) {sql}", values)
        return int(cursor.rowcount)


def work_through(job_id: int, run_batch: Callable[[Job], bool]) -> None:
    """Run batches until one finds nothing left; broken off or run twice it goes on from there."""
    job = Job.objects.select_related("account").get(pk=job_id)
    if job.finished_at is not None:
        return
    Job.objects.filter(pk=job_id, started_at=None).update(started_at=timezone.now())
    while run_batch(job):
        pass
    finish(job_id, now=timezone.now())


def hand_over(job_id: int) -> None:
    """Queue the job; a broker that is away is no reason to fail: `pick_up` finds it."""
    from provisioning import tasks

    try:
        tasks.run_job.delay(job_id)
    except (store.Away, BrokerAway, OSError) as error:
        log.warning("job not queued, it is picked up later", job=job_id, error=type(error).__name__)


def pick_up(now: datetime) -> int:
    """Hand over again what no worker has taken: the broker was away, or a worker died in the middle."""
    left = Job.objects.filter(finished_at=None, created_at__lt=now - LEFT_BEHIND)
    ids = [
        job.pk for job in left if job.items.filter(result=JobItem.Result.WAITING).exists() or job.total == 0
    ]
    for pk in ids:
        hand_over(pk)
    return len(ids)


def finish(job_id: int, *, now: datetime) -> bool:
    """Write down the end of a job once none of its phones waits; True when that was now."""
    with transaction.atomic():
        held = Job.objects.select_for_update().get(pk=job_id)
        waiting = held.items.filter(result=JobItem.Result.WAITING).exists()
        if held.finished_at is not None or waiting:
            return False
        held.finished_at = now
        held.save(update_fields=["finished_at"])
        publishing.tell_later("job-finished", held.pk, "")
        counts = {"done": held.done, "skipped": held.skipped}
        audit.record(recall(held.actor), "job.finished", held, now=now, **counts)
        named = {"job": str(held.code), "kind": held.kind, "by": held.by, "total": held.total}
        announcing.announce("job.finished", held.account, at=now, lane=f"job {held.code}", **named, **counts)
    return True


# --- whoever started it ------------------------------------------------------------------------------------


def remember(by: Actor) -> dict[str, Any]:
    """The actor as a job keeps him."""
    return {
        "label": by.label,
        "standings": [{"path": standing.path, "role": standing.role.value} for standing in by.standings],
        "user": by.user.pk if by.user else None,
        "api_key": by.api_key.pk if by.api_key else None,
        "address": by.address,
        "on_behalf_of": by.on_behalf_of,
    }


def recall(kept: dict[str, Any]) -> Actor:
    """The actor who started the job, with the powers that he had then."""
    return Actor(
        label=kept["label"],
        standings=tuple(Standing(path=s["path"], role=Role(s["role"])) for s in kept["standings"]),
        user=User.objects.filter(pk=kept["user"]).first() if kept["user"] else None,
        api_key=ApiKey.objects.filter(pk=kept["api_key"]).first() if kept["api_key"] else None,
        address=kept["address"],
        on_behalf_of=kept["on_behalf_of"],
    )
