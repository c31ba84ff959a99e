"""What all work on many phones has in common: who started it, handing it to a worker, its end."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerAway

from accounts import audit
from accounts.models import ApiKey, User
from accounts.roles import Role
from accounts.scope import Actor, Standing
from provisioning import store
from provisioning.models import Job, JobItem

log = structlog.get_logger(__name__)

LEFT_BEHIND = timedelta(seconds=30)


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
        counts = {"done": held.done, "skipped": held.skipped}
        audit.record(recall(held.actor), "job.finished", held, now=now, **counts)
    return True


# --- whoever started it ------------------------------------------------------------------------------------


def remember(by: Actor) -> dict[str, Any]:
    """The actor as a job keeps him."""
    return {
        "label": by.label,
        "standings": [asdict(standing) for standing in by.standings],
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
