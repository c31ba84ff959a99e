"""Unlock all: a background job over an account's phones with its progress and a result per phone (E3)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor, below
from devices.models import Device
from provisioning import announcing, jobs, locking, policies, publishing
from provisioning.gate import State
from provisioning.models import Job, JobItem, Lock
from provisioning.spans import Span

BATCH = 100

#: What a filter may say, and the rows that it keeps.
FILTERS: dict[str, Callable[[Any], Q]] = {
    "devices": lambda codes: Q(code__in=_codes("devices", codes)),
    "site": lambda code: Q(site__code=_code("site", code)),
    "family": lambda family: Q(family=_text("family", family)),
    "model": lambda model: Q(model__iexact=_text("model", model)),
    "state": lambda state: Q(lock__state__in=_states(state)),
    "search": lambda text: Q(name__icontains=_text("search", text)) | Q(mac__icontains=_text("search", text)),
    "owner": lambda code: Q(owner__code=_code("owner", code)),
}


def phones(account: Account, wanted: dict[str, Any]) -> QuerySet[Device]:
    """The phones of the account and below that the filter keeps; Invalid for what is no filter."""
    rows = Device.objects.filter(below([account.path], "account__path"))
    for name, value in wanted.items():
        if name not in FILTERS:
            raise Invalid(
                "filter",
                gettext("{name!r} is none of {value}.").format(name=name, value=", ".join(sorted(FILTERS))),
                rule="E3",
            )
        rows = rows.filter(FILTERS[name](value))
    return rows.order_by("name", "mac")


def start(
    account: Account,
    *,
    by: Actor,
    span: Span | None = None,
    filter: dict[str, Any] | None = None,  # noqa: A002  (the API's word)
    chosen: QuerySet[Device] | None = None,
    now: datetime | None = None,
) -> Job:
    """Write down which phones are to be unlocked and hand the work to a worker.

    They are those that the filter keeps; or, where a list has narrowed them by words of its own, `chosen`.
    """
    now = now or timezone.now()
    if not by.may(Power.UNLOCK_ALL, account.path):
        raise Forbidden
    span = span or Span.parse("first-fetch")
    with transaction.atomic():
        if chosen is None:
            chosen = phones(account, filter or {})
        devices = chosen.filter(below([account.path], "account__path"))
        params = {"for": span.as_json(), "filter": filter or {}}
        return jobs.start(account, Job.Kind.UNLOCK_ALL, by=by, params=params, devices=devices, now=now)


def run(job_id: int) -> None:
    """Work through the phones that wait, some at a time; broken off or run twice it goes on from there."""
    jobs.work_through(job_id, _run_batch)


@announcing.asked_once()
def _run_batch(job: Job) -> bool:
    """Unlock up to a hundred waiting phones in one transaction; False when none waits."""
    now = timezone.now()
    by, span = jobs.recall(job.actor), Span.parse(job.params["for"])
    with transaction.atomic():
        # One worker at a time: a second one waits here and then finds the rest.
        Job.objects.select_for_update().get(pk=job.pk)
        waiting = job.items.filter(result=JobItem.Result.WAITING).order_by("pk")
        items = list(waiting.select_related("device__account")[:BATCH])
        if not items:
            return False
        # Rows are held in the order of their keys, so that two jobs cannot wait for each other in a ring.
        ids = sorted(item.device_id for item in items if item.device_id is not None)
        rows = Lock.objects.select_for_update(of=("self",)).filter(pk__in=ids).order_by("pk")
        locks = {lock.pk: lock for lock in rows.select_related("device__account")}
        effective = policies.effective_many({lock.device.account for lock in locks.values()})
        changed = []
        for item in items:
            lock = locks.get(item.device_id) if item.device_id is not None else None
            policy = effective[lock.device.account_id] if lock else None
            if _unlock_item(item, lock, by, span, policy, now):
                changed.append(item.device_id)
        JobItem.objects.bulk_update(items, ["result", "rule", "why"])
        publishing.devices_changed([pk for pk in changed if pk is not None])
        Job.objects.filter(pk=job.pk).update(
            done=F("done") + len(changed), skipped=F("skipped") + len(items) - len(changed)
        )
    return True


def _unlock_item(
    item: JobItem, lock: Lock | None, by: Actor, span: Span, policy: policies.Effective | None, now: datetime
) -> bool:
    """Unlock one phone of the job and write its result down; True when it was unlocked."""
    item.rule = "E3"
    try:
        if lock is None:
            raise Refusal("E3", gettext("This phone was removed meanwhile."), code="gone")
        if not by.may(Power.UNLOCK_ALL, lock.device.account.path):
            raise Refusal("E3", gettext("This phone has moved to another account."), code="moved")
        locking.open_grant(lock, by=by, rule="E3", span=span, origin=None, now=now, policy=policy)
    except Refusal as refusal:
        item.result, item.rule, item.why = JobItem.Result.SKIPPED, refusal.rule, refusal.detail[:300]
        return False
    item.result, item.why = JobItem.Result.DONE, ""
    return True


# --- reading a filter --------------------------------------------------------------------------------------


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > 120:
        raise Invalid("filter", gettext("{name} is one word or code.").format(name=name), rule="E3")
    return value


def _code(name: str, value: Any) -> UUID:
    try:
        return UUID(_text(name, value))
    except ValueError as error:
        raise Invalid(
            "filter", gettext("{name}: {value!r} is no code.").format(name=name, value=value), rule="E3"
        ) from error


def _codes(name: str, value: Any) -> list[UUID]:
    if not isinstance(value, list):
        raise Invalid("filter", gettext("{name} is a list of codes.").format(name=name), rule="E3")
    return [_code(name, entry) for entry in value]


def _states(value: Any) -> list[str]:
    given = value if isinstance(value, list) else [value]
    known = {state.value for state in State}
    if not given or any(state not in known for state in given):
        raise Invalid(
            "filter", gettext("state is one of {value}.").format(value=", ".join(sorted(known))), rule="E3"
        )
    return [str(state) for state in given]
