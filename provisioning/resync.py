"""Ask a phone to fetch its files again, or many by a job: who may be asked, and the line that they stand in.

The asking itself is a SIP NOTIFY that goes to the provider's SIP edge, never straight to a phone
(resync_sending.py). Every outcome is a line of the phone's log.
"""

import random
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from kombu.exceptions import OperationalError as BrokerAway

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor, below
from devices import settings_tree
from devices.catalog import catalog
from devices.models import Device
from provisioning import events, jobs, locking, sentences, store, unlock_all
from provisioning.models import Job, JobItem, Lock, ResyncRequest
from provisioning.sip_message import SipEdge

log = structlog.get_logger(__name__)

BATCH = 100
WAITING, SENT = ResyncRequest.Outcome.WAITING, ResyncRequest.Outcome.SENT
#: What was not the phone's doing: platform support sees it.
PROBLEMS = ("silent", "untrusted", "trouble")
PROBLEM_TIME = timedelta(days=1)
#: What a phone is asked, and with a restart.
ASKED = ("fetch its files again", "restart and fetch its files")


def edge() -> SipEdge | None:
    """Where NOTIFYs go; None where resync is switched off."""
    return SipEdge.parse(settings.SIP_EDGE)


def ask(device: Device, *, by: Actor, reboot: bool = False, now: datetime | None = None) -> ResyncRequest:
    """Have the phone asked as soon as it is its turn; what waits already is not asked twice."""
    now = now or timezone.now()
    if not by.may(Power.EDIT_DEVICES, device.account.path):
        raise Forbidden
    refuse_without_edge()
    with transaction.atomic():
        lock = locking.locked_row(device)
        refuse_unasked(lock)
        row: ResyncRequest | None = ResyncRequest.objects.filter(device=device, outcome=WAITING).first()
        if row is not None and (row.reboot or not reboot):
            return row
        if row is None:
            row = _line_up(lock, by=by, reboot=reboot, due_at=now, now=now)
        else:
            row.reboot, row.by = True, by.label
            row.save(update_fields=["reboot", "by"])
        audit.record(by, "device.resync-asked", lock.device, now=now, reboot=reboot)
        events.write(lock.device, "resync-asked", by=by, at=now, asked=asked(reboot))
        transaction.on_commit(wake)
    return row


def ask_many(
    account: Account,
    *,
    by: Actor,
    filter: dict[str, Any] | None = None,  # noqa: A002  (the API's word)
    phones: QuerySet[Device] | None = None,
    reboot: bool = False,
    now: datetime | None = None,
) -> Job:
    """Write down which phones are to be asked and hand that to a worker; the job ends with their answers.

    They are the account's and those below it that the filter keeps; or, where a list has narrowed them by
    words of its own, `phones`, and the filter only says how.
    """
    now = now or timezone.now()
    if not by.may(Power.EDIT_DEVICES, account.path):
        raise Forbidden
    refuse_without_edge()
    with transaction.atomic():
        if phones is None:
            phones = unlock_all.phones(account, filter or {})
        chosen = phones.filter(below([account.path], "account__path"))
        params = {"reboot": reboot, "filter": filter or {}}
        return jobs.start(account, Job.Kind.RESYNC, by=by, params=params, devices=chosen, now=now)


def run(job_id: int) -> None:
    """Line up the job's phones; broken off or run twice it goes on from there."""
    jobs.work_through(job_id, _run_batch)


def pick_up(now: datetime) -> bool:
    """Wake the sender for what is due: the broker was away, a sender died, or a retry has its time."""
    lost = Q(outcome=SENT, sent_at__lt=now - overdue())
    due = ResyncRequest.objects.filter(Q(outcome=WAITING, due_at__lte=now) | lost).exists()
    if due:
        wake()
    return due


def overdue() -> timedelta:
    """How long after it was sent an answer can no longer come."""
    return timedelta(seconds=64 * settings.SIP_T1 + 60)


def latest(device: Device) -> ResyncRequest | None:
    """The last time that the phone was to be asked."""
    return ResyncRequest.objects.filter(device=device).order_by("-asked_at", "-pk").first()


def edge_problem(now: datetime) -> ResyncRequest | None:
    """The latest outcome on the whole platform, when the SIP edge was to blame for it."""
    last = ResyncRequest.objects.filter(answered_at__gt=now - PROBLEM_TIME).order_by("-answered_at", "-pk")
    row = last.exclude(why="cancelled").first()
    return row if row is not None and row.why in PROBLEMS else None


def asked(reboot: bool) -> str:
    """What the phone is asked, as the log keeps it; translated when it is read."""
    return ASKED[reboot]


def told(row: ResyncRequest) -> str:
    """What came of it so far, in a sentence."""
    if row.outcome == WAITING:
        return gettext("It waits for its turn.")
    if row.outcome == SENT:
        return gettext("It was asked a moment ago and has not answered yet.")
    return sentences.happened(
        f"resync-{row.why}", code=row.status_code or None, asked=gettext(asked(row.reboot))
    )


# --- who can be asked --------------------------------------------------------------------------------------


def refuse_without_edge() -> None:
    """Refuse where no SIP edge is known."""
    if edge() is None:
        raise Refusal(
            "input",
            gettext("No SIP edge is set up, so phones cannot be asked (SIP_EDGE)."),
            code="no-sip-edge",
        )


def refuse_unasked(lock: Lock) -> None:
    """Refuse for a phone that would get nothing, or that no NOTIFY can find."""
    locking.refuse_put_away(lock)
    locking.refuse_disabled(lock.device, "input")
    line_of(lock.device)


def why_not(lock: Lock) -> str:
    """Why the phone cannot be asked, in a sentence; empty when it can."""
    try:
        refuse_without_edge()
        refuse_unasked(lock)
    except Refusal as refusal:
        return refusal.detail
    return ""


def line_of(device: Device) -> tuple[str, str]:
    """User and realm of the phone's first line: where a NOTIFY finds it."""
    first = device.appearances.select_related("extension").order_by("position").first()
    if first is None:
        raise Refusal(
            "input",
            gettext("This phone shows no line, so the SIP server cannot find it. Give it a line first."),
            code="no-line",
        )
    extension = first.extension
    return extension.username, extension.realm or str(settings_tree.effective(device)["sip_server"].value)


def event_of(device: Device, *, reboot: bool) -> str:
    """The event that the phone's family knows."""
    known = catalog().families[device.family].resync
    return known.reboot_event if reboot else known.event


# --- the line ----------------------------------------------------------------------------------------------


def wake() -> None:
    """Have what is due sent; a broker that is away is no reason to fail: `pick_up` finds it."""
    from provisioning import tasks

    try:
        tasks.send_resyncs.apply_async(expires=60)
    except (store.Away, BrokerAway, OSError) as error:
        log.warning("resync not queued, it is picked up later", error=type(error).__name__)


def _line_up(
    lock: Lock, *, by: Actor, reboot: bool, due_at: datetime, now: datetime, item: JobItem | None = None
) -> ResyncRequest:
    row = ResyncRequest(
        device=lock.device,
        job_item=item,
        by=by.label,
        reboot=reboot,
        place=_place(lock),
        asked_at=now,
        due_at=due_at,
    )
    cleaning.full_clean(row)
    row.save()
    return row


def _place(lock: Lock) -> str:
    """What must not restart all at once: a site, an origin, or what else an account has."""
    site = lock.bound_site_id or lock.device.site_id
    if site is not None:
        return f"site-{site}"
    return f"from-{lock.bound_first}" if lock.bound_first else f"account-{lock.device.account_id}"


def _run_batch(job: Job) -> bool:
    """Line up to a hundred phones of the job up in one transaction; False when none is left."""
    now, by = timezone.now(), jobs.recall(job.actor)
    with transaction.atomic():
        # One worker at a time: a second one waits here and then finds the rest.
        Job.objects.select_for_update().get(pk=job.pk)
        left = job.items.filter(result=JobItem.Result.WAITING, resync=None).order_by("pk")
        items = list(left[:BATCH])
        if not items:
            return False
        locks = {lock.pk: lock for lock in locking.locked_rows(i.device_id for i in items if i.device_id)}
        waiting = ResyncRequest.objects.filter(device__in=locks, outcome=WAITING)
        ahead = set(waiting.values_list("device_id", flat=True))
        skipped = [
            item
            for item in items
            if not _ask_item(item, locks.get(item.device_id or 0), ahead, by, job.params["reboot"], now)
        ]
        JobItem.objects.bulk_update(skipped, ["result", "rule", "why"])
        Job.objects.filter(pk=job.pk).update(skipped=F("skipped") + len(skipped))
        transaction.on_commit(wake)
    return True


def _ask_item(
    item: JobItem, lock: Lock | None, ahead: set[int], by: Actor, reboot: bool, now: datetime
) -> bool:
    """Line one phone of the job up; False when it is skipped, which its item then says."""
    try:
        if lock is None:
            raise Refusal("input", gettext("This phone was removed meanwhile."), code="gone")
        if not by.may(Power.EDIT_DEVICES, lock.device.account.path):
            raise Refusal("input", gettext("This phone has moved to another account."), code="moved")
        if lock.pk in ahead:
            raise Refusal("input", gettext("It waits for its turn to be asked already."), code="waiting")
        refuse_unasked(lock)
    except Refusal as refusal:
        item.result, item.why = JobItem.Result.SKIPPED, refusal.detail[:300]
        item.rule = "" if refusal.rule == "input" else refusal.rule
        return False
    due_at = now + timedelta(seconds=random.uniform(0, settings.RESYNC_JITTER))
    _line_up(lock, by=by, reboot=reboot, due_at=due_at, now=now, item=item)
    events.write(lock.device, "resync-asked", by=by, at=now, asked=asked(reboot))
    return True
