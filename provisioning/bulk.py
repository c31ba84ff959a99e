"""One deed done to many phones: lock again, re-arm, move, give a profile or take it off; as jobs.

Each phone gets the verb that it would get alone. What is refused is skipped, with the rule that says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, F, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.deleting import refuse_deleted
from accounts.models import Account
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor, below
from devices import holding, profiles
from devices.models import Device, Profile
from provisioning import announcing, jobs, locking, moving, unlock_all
from provisioning.gate import State
from provisioning.models import Job, JobItem

BATCH = 50

Wanted = dict[str, Any]
Skips = list[tuple[Any, Q]]


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done to each phone, by which power and rule, and whom it will skip, each why."""

    kind: Job.Kind
    power: Power
    rule: str
    do: Callable[[Device, Actor, Wanted, datetime], None]
    skips: Callable[[Actor, Wanted, datetime], Skips]
    batch: int = BATCH


@dataclass(frozen=True, slots=True)
class Foretold:
    """To how many phones it will be done, and how many are skipped, each why."""

    total: int
    does: int
    reasons: tuple[tuple[int, str], ...]

    @property
    def skipped(self) -> int:
        return self.total - self.does


def start(
    account: Account,
    what: str,
    *,
    by: Actor,
    filter: dict[str, Any] | None = None,  # noqa: A002  (the API's word)
    phones: QuerySet[Device] | None = None,
    ship_on: date | None = None,
    to: Account | None = None,
    profile: Profile | None = None,
    now: datetime | None = None,
) -> Job:
    """Write down which phones it is to be done to and hand that to a worker.

    They are the account's and those below it that the filter keeps; or, where a list has narrowed them by
    words of its own, `phones`, and the filter only says how.
    """
    now, deed = now or timezone.now(), DEEDS[what]
    keeper = _keeper(account, what, by, ship_on=ship_on, to=to, profile=profile, now=now)
    wanted = {
        "do": what,
        "ship_on": ship_on.isoformat() if ship_on else None,
        "to": to.slug if to else None,
        "profile": str(profile.code) if profile else None,
    }
    with transaction.atomic():
        if phones is None:
            phones = unlock_all.phones(account, filter or {})
        chosen = phones.filter(below([account.path], "account__path"))
        params = {"filter": filter or {}, **{name: value for name, value in wanted.items() if value}}
        return jobs.start(keeper, deed.kind, by=by, params=params, devices=chosen, now=now)


def _keeper(
    account: Account,
    what: str,
    by: Actor,
    *,
    ship_on: date | None,
    to: Account | None,
    profile: Profile | None,
    now: datetime,
) -> Account:
    """The account that keeps the job of this deed; a refusal where it cannot be done as it is asked for."""
    if not by.may(DEEDS[what].power, account.path):
        raise Forbidden
    if what == "rearm":
        locking.armed_from(account, ship_on, now)
    elif what == "move":
        return _above(account, to, by)
    elif what == "profile" and profile is None:
        raise Refusal("input", _("Say which profile."), code="no-profile", field="profile")
    return account


def preview(
    account: Account,
    what: str,
    *,
    by: Actor,
    filter: dict[str, Any] | None = None,  # noqa: A002  (the API's word)
    ship_on: date | None = None,
    to: Account | None = None,
    profile: Profile | None = None,
    now: datetime | None = None,
) -> Foretold:
    """What `start`, or unlock_all's, would do now; refused as it would be, and nothing is done."""
    now = now or timezone.now()
    if what != "unlock":
        _keeper(account, what, by, ship_on=ship_on, to=to, profile=profile, now=now)
    elif not by.may(Power.UNLOCK_ALL, account.path):
        raise Forbidden
    return foretell(unlock_all.phones(account, filter or {}), what, by=by, now=now, to=to, profile=profile)


def foretell(phones: QuerySet[Device], what: str, *, by: Actor, now: datetime, **wanted: Any) -> Foretold:
    """What the job would do now, in one query; a key that does not fit is only seen when it is done.

    Of `unlock` as well, which unlock_all does.
    """
    skips = (_not_opened if what == "unlock" else DEEDS[what].skips)(by, wanted, now)
    ranked = Case(
        *(When(fits, then=Value(rank)) for rank, (_why, fits) in enumerate(skips)), default=Value(-1)
    )
    rows = (
        phones.order_by().annotate(rank=ranked).values_list("rank").annotate(count=Count("pk", distinct=True))
    )
    counts: dict[int, int] = dict(rows)
    told = [(counts.get(rank, 0), str(why)) for rank, (why, _fits) in enumerate(skips)]
    return Foretold(sum(counts.values()), counts.get(-1, 0), tuple(row for row in told if row[0]))


def run(job_id: int) -> None:
    """Work through the phones that wait, some at a time; broken off or run twice it goes on from there."""
    jobs.work_through(job_id, _run_batch)


@announcing.asked_once()
def _run_batch(job: Job) -> bool:
    """Do it to the next waiting phones in one transaction; False when none waits."""
    now, by, deed = timezone.now(), jobs.recall(job.actor), DEEDS[job.params["do"]]
    with transaction.atomic():
        # One worker at a time: a second one waits here and then finds the rest.
        Job.objects.select_for_update().get(pk=job.pk)
        waiting = job.items.filter(result=JobItem.Result.WAITING).order_by("pk")
        items = list(waiting[: deed.batch])
        if not items:
            return False
        there = _held(item.device_id for item in items if item.device_id is not None)
        done = sum(_do_item(item, there.get(item.device_id or 0), job, by, deed, now) for item in items)
        JobItem.objects.bulk_update(items, ["result", "rule", "why", "device"])
        Job.objects.filter(pk=job.pk).update(done=F("done") + done, skipped=F("skipped") + len(items) - done)
    return True


def _held(pks: Any) -> dict[int, Device]:
    """The phones, and their locks, held in the order of their keys, so that two jobs make no ring."""
    there = {device.pk: device for device in holding.hold_many(pks)}
    for lock in locking.locked_rows(there):
        there[lock.pk].lock = lock
    return there


def _do_item(item: JobItem, device: Device | None, job: Job, by: Actor, deed: Deed, now: datetime) -> bool:
    """Do it to one phone and write down what came of it; True when it was done."""
    item.rule = deed.rule
    try:
        if device is None:
            raise Refusal(deed.rule, _("This phone was removed meanwhile."), code="gone")
        if not (by.may(deed.power, device.account.path) and device.account.path.startswith(job.account.path)):
            raise Refusal(deed.rule, _("This phone has moved to another account."), code="moved")
        with transaction.atomic():
            deed.do(device, by, job.params, now)
    except Refusal as refusal:
        item.result, item.why = JobItem.Result.SKIPPED, refusal.detail[:300]
        item.rule = "" if refusal.rule in ("input", "powers") else refusal.rule
        return False
    item.result, item.why = JobItem.Result.DONE, ""
    if deed.kind == Job.Kind.MOVE:
        item.device = None  # it is another account's now
    return True


# --- the deeds ---------------------------------------------------------------------------------------------


def _lock(device: Device, by: Actor, wanted: Wanted, now: datetime) -> None:
    if device.lock.state in (State.LOCKED.value, State.RETIRED.value):
        raise Refusal("E5", _("This phone is locked already."), code="locked")
    locking.lock_again(device, by=by, now=now)


def _rearm(device: Device, by: Actor, wanted: Wanted, now: datetime) -> None:
    ships = wanted.get("ship_on")
    locking.rearm(device, by=by, ship_on=date.fromisoformat(ships) if ships else None, now=now)


def _move(device: Device, by: Actor, wanted: Wanted, now: datetime) -> None:
    to = Account.objects.filter(slug=wanted["to"]).first()
    if to is None:
        raise Refusal("E17", _("The other account was removed meanwhile."), code="gone")
    moving.move(device, by=by, to=to, now=now)


def _profile(device: Device, by: Actor, wanted: Wanted, now: datetime) -> None:
    profile = Profile.objects.filter(code=wanted["profile"]).first()
    if profile is None:
        raise Refusal("input", _("The profile was removed meanwhile."), code="gone")
    if not profiles.apply(profile, by=by, devices=[device], now=now):
        raise Refusal("input", _("This phone has the profile already."), code="same")


def _take_off(device: Device, by: Actor, wanted: Wanted, now: datetime) -> None:
    if not profiles.take_off([device], by=by, now=now):
        raise Refusal("input", _("This phone has no profile."), code="same")


# --- who is skipped ----------------------------------------------------------------------------------------

_QUARANTINED = (gettext_lazy("quarantined"), Q(lock__state=State.QUARANTINED.value))
_OFF = (gettext_lazy("disabled"), Q(is_enabled=False) | Q(account__is_active=False))


def _not_unlocked(by: Actor, wanted: Wanted, now: datetime) -> Skips:
    shut = [State.LOCKED.value, State.RETIRED.value]
    return [_QUARANTINED, (gettext_lazy("locked already"), Q(lock__state__in=shut))]


def _not_armed(by: Actor, wanted: Wanted, now: datetime) -> Skips:
    others = ~below(by.paths(Power.RELEASE_DEVICE), "account__path")
    return [
        _QUARANTINED,
        _OFF,
        (gettext_lazy("under suspicion"), Q(lock__suspicion_until__gt=now) & others),
    ]


def _not_moved(by: Actor, wanted: Wanted, now: datetime) -> Skips:
    return [_QUARANTINED, (gettext_lazy("in that account already"), Q(account=wanted.get("to")))]


def _not_given(by: Actor, wanted: Wanted, now: datetime) -> Skips:
    profile: Profile = wanted["profile"]
    other_model = ~Q(family=profile.family) | (~Q(model=profile.model) if profile.model else Q(pk__in=[]))
    return [
        (gettext_lazy("of another account"), ~below([profile.account.path], "account__path")),
        (gettext_lazy("of another model"), other_model),
        (gettext_lazy("with it already"), Q(profile=profile)),
    ]


def _not_taken_off(by: Actor, wanted: Wanted, now: datetime) -> Skips:
    return [(gettext_lazy("without a profile"), Q(profile=None))]


def _not_opened(by: Actor, wanted: Wanted, now: datetime) -> Skips:
    shut = [State.QUARANTINED.value, State.RETIRED.value]
    return [
        (gettext_lazy("quarantined or retired"), Q(lock__state__in=shut)),
        _OFF,
        (gettext_lazy("under suspicion"), Q(lock__suspicion_until__gt=now)),
    ]


def _above(account: Account, to: Account | None, by: Actor) -> Account:
    """The nearest account above both, which alone may know of both (E17); it keeps the job."""
    if to is None:
        raise Refusal("E17", _("Say to which account."), code="no-account", field="to")
    if not by.may(Power.MOVE_DEVICE, to.path):
        raise Forbidden
    refuse_deleted(to)
    shared = set(account.ancestor_paths()) & set(to.ancestor_paths())
    above: Account = Account.objects.get(path=max(shared, key=len))
    if not by.may(Power.MOVE_DEVICE, above.path):
        raise Forbidden
    return above


DEEDS: dict[str, Deed] = {
    "lock": Deed(Job.Kind.LOCK, Power.UNLOCK_DEVICE, "E5", _lock, _not_unlocked),
    "rearm": Deed(Job.Kind.REARM, Power.REARM_DEVICE, "E11", _rearm, _not_armed),
    # A move holds other phones' locks and keeps the drain waiting: one at a time.
    "move": Deed(Job.Kind.MOVE, Power.MOVE_DEVICE, "E17", _move, _not_moved, batch=1),
    "profile": Deed(Job.Kind.PROFILE, Power.EDIT_DEVICES, "", _profile, _not_given),
    "take-off": Deed(Job.Kind.PROFILE, Power.EDIT_DEVICES, "", _take_off, _not_taken_off),
}
