"""Sends what is due of the resyncs to the SIP edge, paced, and writes down what came of each."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.refusals import Refusal
from provisioning import events, jobs, locking, resync
from provisioning.models import Job, JobItem, Pace, ResyncRequest
from provisioning.resync import SENT, WAITING
from provisioning.sip_exchange import NO_ANSWER, Exchange, Timers
from provisioning.sip_message import Notify, SipEdge

log = structlog.get_logger(__name__)

TICK = 0.2  # seconds between two looks at what is due
RUN_TIME = 120.0  # then another worker may have its turn
SOON = timedelta(seconds=10)  # what is due by then is waited for
FIRST_PAUSE = timedelta(seconds=60)  # before a second try; before the third it is twice that
NOT_REGISTERED = (404, 408, 410, 430, 480, 481, 604)
NOT_TRUSTED = (401, 403, 407)


@dataclass(frozen=True, slots=True)
class Taken:
    """A resync whose turn it is: which try, and what is sent."""

    pk: int
    tries: int
    notify: Notify


def send_due() -> int:
    """Send what is due until nothing is, or until it has taken long enough; returns how many were sent."""
    edge = resync.edge()
    if edge is None:
        return 0
    give_up_lost(timezone.now())
    sent = async_to_sync(_send_due)(edge, Timers(settings.SIP_T1))
    resync.pick_up(timezone.now())
    return sent


async def _send_due(edge: SipEdge, timers: Timers) -> int:
    """Rows are read and written in the caller's thread, one by one; answers are awaited all at once."""
    sent, over = 0, asyncio.get_running_loop().time() + RUN_TIME
    under_way: set[asyncio.Task[None]] = set()
    async with Exchange(edge, timers) as exchange, asyncio.TaskGroup() as group:
        while asyncio.get_running_loop().time() < over:
            due = await sync_to_async(take)(timezone.now())
            for taken in due:
                task = group.create_task(_send_one(exchange, taken))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            sent += len(due)
            if not due and not under_way and not await sync_to_async(_is_more_to_come)(timezone.now()):
                break
            await asyncio.sleep(TICK)
    return sent


async def _send_one(exchange: Exchange, taken: Taken) -> None:
    status = await exchange.ask(taken.notify)
    await sync_to_async(answered)(taken.pk, status, tries=taken.tries, now=timezone.now())


# --- whose turn it is --------------------------------------------------------------------------------------


def take(now: datetime) -> list[Taken]:
    """Take as many as the platform's pace allows, one of each place and none of a place that just had one."""
    with transaction.atomic():
        pace = _pace(now)
        just_had = now - timedelta(seconds=settings.RESYNC_PLACE_GAP)
        busy = set(
            ResyncRequest.objects.filter(sent_at__gt=just_had).order_by().values_list("place", flat=True)
        )
        rows = []
        while pace.tokens >= 1:
            due = ResyncRequest.objects.filter(outcome=WAITING, due_at__lte=now).exclude(place__in=busy)
            row = due.order_by("due_at", "pk").first()
            if row is None:
                break
            row.outcome, row.sent_at, row.tries = SENT, now, row.tries + 1
            row.save(update_fields=["outcome", "sent_at", "tries"])
            busy.add(row.place)
            pace.tokens -= 1
            rows.append(row)
        pace.save(update_fields=["tokens", "at"])
    return [taken for row in rows if (taken := _prepared(row, now)) is not None]


def _pace(now: datetime) -> Pace:
    """The bucket, held and filled: one second's worth at most, so that a rest is followed by no rush."""
    Pace.objects.get_or_create(name="resync", defaults={"tokens": 1.0, "at": now})
    pace = Pace.objects.select_for_update().get(name="resync")
    rate = settings.RESYNC_RATE
    gone = max(0.0, (now - pace.at).total_seconds())
    pace.tokens, pace.at = min(max(1.0, rate), pace.tokens + gone * rate), now
    return pace


def _prepared(row: ResyncRequest, now: datetime) -> Taken | None:
    """What is sent for it; None when it cannot be asked any more, which its log then says."""
    try:
        with transaction.atomic():
            locks = locking.locked_rows([row.device_id])
            if not locks:
                return None  # removed, and the row with it
            resync.refuse_unasked(locks[0])
            user, realm = resync.line_of(locks[0].device)
            event = resync.event_of(locks[0].device, reboot=row.reboot)
        notify = Notify(user, realm, event, call_id=secrets.token_hex(16), tag=secrets.token_hex(8))
    except (Refusal, ValueError) as refused:
        reason = refused.detail if isinstance(refused, Refusal) else f"{refused}."
        with transaction.atomic():
            _close(row.pk, "cancelled", tries=row.tries, now=now, reason=reason)
        return None
    return Taken(row.pk, row.tries, notify)


def _is_more_to_come(now: datetime) -> bool:
    return ResyncRequest.objects.filter(outcome=WAITING, due_at__lte=now + SOON).exists()


def give_up_lost(now: datetime) -> None:
    """What was sent by a worker that died had no answer."""
    lost = ResyncRequest.objects.filter(outcome=SENT, sent_at__lt=now - resync.overdue())
    for pk, tries in list(lost.values_list("pk", "tries")):
        answered(pk, NO_ANSWER, tries=tries, now=now)


# --- what came of it ---------------------------------------------------------------------------------------


def judged(status: int) -> str:
    """What a final status means, by the name under which the phone's log knows it."""
    if status == NO_ANSWER:
        return "silent"
    if status < 300:
        return "reached"
    if status in NOT_REGISTERED:
        return "unreachable"
    if status in NOT_TRUSTED:
        return "untrusted"
    return "declined" if 400 <= status < 500 or status >= 600 else "trouble"


def answered(pk: int, status: int, *, tries: int, now: datetime) -> None:
    """Write down what came of one try; what may be better in a while is tried again. Safe to run twice."""
    why = judged(status)
    with transaction.atomic():
        if why in ("silent", "trouble") and tries < settings.RESYNC_TRIES and _again(pk, status, tries, now):
            return
        _close(pk, why, tries=tries, now=now, status=status)
    if why in resync.PROBLEMS:
        log.warning("the SIP edge did not pass a resync on", why=why, status=status, tries=tries)


def _again(pk: int, status: int, tries: int, now: datetime) -> bool:
    """Line it up again for later; False where somebody has asked anew meanwhile."""
    row = _held(pk, tries)
    if row is None or ResyncRequest.objects.filter(device=row.device_id, outcome=WAITING).exists():
        return False
    row.outcome, row.status_code = WAITING, status
    row.due_at = now + FIRST_PAUSE * 2 ** (tries - 1)
    row.save(update_fields=["outcome", "status_code", "due_at"])
    return True


def _close(
    pk: int, why: str, *, tries: int, now: datetime, status: int = NO_ANSWER, reason: str = ""
) -> None:
    """The end of a resync: its row, the phone's log, and the job that it was for."""
    row = _held(pk, tries)
    if row is None:
        return
    outcomes = {"reached": ResyncRequest.Outcome.REACHED, "unreachable": ResyncRequest.Outcome.UNREACHABLE}
    row.outcome = outcomes.get(why, ResyncRequest.Outcome.FAILED)
    row.why, row.status_code, row.answered_at = why, status, now
    row.save(update_fields=["outcome", "why", "status_code", "answered_at"])
    facts: dict[str, Any] = {"code": status, "reason": reason}
    event = events.write(
        row.device,
        f"resync-{why}",
        at=now,
        asked=resync.asked(row.reboot),
        **{name: fact for name, fact in facts.items() if fact},
    )
    if row.job_item is not None:
        _close_item(row.job_item, why, events.described(event, now=now).sentence, now)


def _close_item(item: JobItem, why: str, sentence: str, now: datetime) -> None:
    reached = why == "reached"
    item.result = JobItem.Result.DONE if reached else JobItem.Result.SKIPPED
    item.why = "" if reached else sentence[:300]
    item.save(update_fields=["result", "why"])
    column = "done" if reached else "skipped"
    Job.objects.filter(pk=item.job_id).update(**{column: F(column) + 1})
    jobs.finish(item.job_id, now=now)


def _held(pk: int, tries: int) -> ResyncRequest | None:
    """The row of that try, held after its job and its phone's lock; None when it is closed already.

    In the order in which a job that lines phones up holds them, so that the two never wait in a ring.
    """
    seen = ResyncRequest.objects.filter(pk=pk).select_related("job_item").first()
    if seen is None:
        return None
    if seen.job_item is not None:
        Job.objects.select_for_update().get(pk=seen.job_item.job_id)
    if not locking.locked_rows([seen.device_id]):
        return None
    held = ResyncRequest.objects.select_for_update().filter(pk=pk, outcome=SENT, tries=tries)
    if not held.values_list("pk", flat=True):
        return None
    row: ResyncRequest = ResyncRequest.objects.select_related("device__account", "job_item").get(pk=pk)
    return row
