"""What if: the rows of the last weeks replayed under other thresholds, beside the bans that there were."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import tenants
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.scope import Actor
from devices.models import Device
from provisioning import earned, facts, jobs
from provisioning.models import FailureKey, Job, ProvedHour
from security import bans
from security.models import Ban
from security.networks import Network, origin_of, parse_network
from security.pressure import LOCKED_MAC, RULES, Rules
from security.what_if import Event, Failed, Known, WouldBe, replay

KIND = "what-if"
LONGEST = 30  # days: no key is kept longer
RESTED = timedelta(seconds=RULES.spent_for)  # what counted so long before the first day still decides
HOUR = timedelta(hours=1)
#: Tries of one kind so close together in an hour went on all the time between the first and the last.
STEADY, STEPS = 900.0, 300.0  # seconds
SHOWN = 200
SAID_EVERY = 1.0  # seconds between two words about how far it is
LOST = 120.0  # seconds without a word, after which a worker has died
BOUNDS: dict[str, tuple[int, int]] = {
    "base": (1, 10_000),
    "percent": (0, 100),
    "most": (1, 100_000),
    "allowed": (1, 100_000),
    "crowd": (10, 100_000),  # smaller crowds are on no record
}
LONGEST_BAN = 7 * 24  # hours


@dataclass(frozen=True, slots=True)
class Wanted:
    """Other thresholds, and over how many of the last days they are tried."""

    base: int = RULES.base
    percent: int = RULES.percent
    most: int = RULES.most
    allowed: int = RULES.allowed
    crowd: int = RULES.crowd
    hours: tuple[int, ...] = tuple(int(length // 3600) for length in RULES.lengths)
    days: int = LONGEST

    @property
    def rules(self) -> Rules:
        """The platform's values with these in their place."""
        return replace(
            RULES,
            base=self.base,
            percent=self.percent,
            most=self.most,
            allowed=self.allowed,
            crowd=self.crowd,
            lengths=tuple(hours * 3600.0 for hours in self.hours),
        )

    @classmethod
    def of(cls, job: Job) -> "Wanted":
        """What the job was started with."""
        kept = dict(job.params["wanted"])
        return cls(**kept | {"hours": tuple(kept["hours"])})


# --- a job -------------------------------------------------------------------------------------------------


def start(wanted: Wanted, *, by: Actor, now: datetime | None = None) -> Job:
    """Hand a replay to a worker; one at a time, for it keeps a processor busy."""
    if not bans.may_see_all(by):
        raise Forbidden("B7")
    for name, (least, most) in BOUNDS.items():
        if not least <= getattr(wanted, name) <= most:
            raise Invalid(
                name, gettext("From {least:,} to {most:,}.").format(least=least, most=most), rule="B9"
            )
    if not 1 <= wanted.days <= LONGEST:
        raise Invalid(
            "days",
            gettext("From 1 to {longest}: keys are kept no longer.").format(longest=LONGEST),
            rule="B9",
        )
    if len(wanted.hours) != 3 or not all(1 <= hours <= LONGEST_BAN for hours in wanted.hours):
        raise Invalid(
            "hours",
            gettext("Three lengths, each from 1 to {longest_ban} hours.").format(longest_ban=LONGEST_BAN),
            rule="B9",
        )
    now = now or timezone.now()
    with transaction.atomic():
        # One at a time, so that two people cannot start two.
        platform = Account.objects.select_for_update(no_key=True).get(pk=tenants.platform().pk)
        running = Job.objects.filter(kind=KIND, finished_at=None)
        if any(not _is_lost(job, now) for job in running):
            raise Refusal(
                "B9", gettext("Another what-if is running. It takes a minute at most."), code="busy"
            )
        running.update(finished_at=now)
        params = {"wanted": asdict(wanted)}
        return jobs.start_with(platform, KIND, by=by, params=params, items=(), now=now)


def run(job_id: int) -> None:
    """Replay and write down what came of it; a second worker leaves it to the first."""
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job_id)
        if job.finished_at is not None or (job.started_at is not None and not _is_lost(job, timezone.now())):
            return
        job.started_at = timezone.now()
        _say(job, 0, 1)
        job.save(update_fields=["started_at"])
    wanted = Wanted.of(job)
    until = job.created_at
    since = until - timedelta(days=wanted.days)
    try:
        job.params["result"] = compared(list(_told(job, since, until, wanted.rules)), since, until)
        job.save(update_fields=["params"])
    finally:  # one that fails would fail again
        jobs.finish(job_id, now=timezone.now())


def _told(job: Job, since: datetime, until: datetime, rules: Rules) -> Iterator[WouldBe]:
    """The bans that begin in that time, while the job says how far it is."""
    begin = max(since - RESTED, until - timedelta(days=LONGEST))
    whole = (until - begin).total_seconds()
    said = time.monotonic()

    def heard() -> Iterator[Event]:
        nonlocal said
        for event in events(begin, until):
            if (ticked := time.monotonic()) - said >= SAID_EVERY:
                said = ticked
                _say(job, event.at - begin.timestamp(), whole)
            yield event

    for would_be in replay(heard(), rules):
        if would_be.ban.since >= since.timestamp():
            yield would_be


def _say(job: Job, done: float, whole: float) -> None:
    job.params["progress"] = {
        "at": timezone.now().timestamp(),
        "percent": max(0, min(100, int(100 * done / whole))),
    }
    Job.objects.filter(pk=job.pk).update(params=job.params)


def _is_lost(job: Job, now: datetime) -> bool:
    said = job.params.get("progress", {}).get("at", job.created_at.timestamp())
    return bool(now.timestamp() - said > LOST)


# --- from rows to events -----------------------------------------------------------------------------------


def events(since: datetime, until: datetime) -> Iterator[Event]:
    """All that is on record of that time, in its order, an hour of it in memory at once."""
    accounts: dict[str, str] = {}
    hour = since.replace(minute=0, second=0, microsecond=0)
    while hour < until:
        # What is known of a moment is known before its failures are judged.
        here: list[Event] = [*_known(hour), *_failed(hour, accounts), *_evidence(hour)]
        here.sort(key=lambda event: event.at)
        yield from here
        hour += HOUR


def _known(hour: datetime) -> list[Known]:
    rows = ProvedHour.objects.filter(hour=hour).values_list("first", "counts")
    return [
        Known(at, int(first, 16), proved, crowds, windows, parse_network(allowed) if allowed else None)
        for first, counts in rows.iterator()
        for at, proved, crowds, windows, allowed in counts
    ]


def _failed(hour: datetime, accounts: dict[str, str]) -> Iterator[Failed]:
    columns = ("first", "kind", "label", "first_at", "last_at", "count")
    rows = list(FailureKey.objects.filter(hour=hour).order_by().values_list(*columns).iterator())
    if unread := {label for _, kind, label, *_ in rows if kind == LOCKED_MAC} - accounts.keys():
        accounts.update(dict.fromkeys(unread, ""))
        found = Device.objects.filter(mac__in=unread).values_list("mac", "account__code")
        accounts.update((mac, str(account)) for mac, account in found)
    for first, kind, label, first_at, last_at, count in rows:
        address = int(first, 16)
        account = accounts[label] if kind == LOCKED_MAC else ""
        for at in _times(first_at.timestamp(), last_at.timestamp(), count):
            yield Failed(at, address, kind, label, account)


def _times(first: float, last: float, count: int) -> Iterator[float]:
    """When it was tried, as far as a row tells: a key is one again an hour after it became one."""
    yield first
    if count > 2 and last - first <= STEADY * (count - 1):
        at = first + STEPS
        while at < last:
            yield at
            at += STEPS
    if last > first:
        yield last


def _evidence(hour: datetime) -> Iterator[Failed]:
    """The keys of that hour by which an address was banned: of a fast scan not each one is a row."""
    rows = Ban.objects.filter(step__gt=0, starts_at__gte=hour, starts_at__lt=hour + 2 * HOUR)
    start, end = hour.timestamp(), (hour + HOUR).timestamp()
    for first, last, evidence in rows.values_list("first", "last", "evidence").iterator():
        network = Network.from_hex(first, last)
        if network != origin_of(network.first):
            continue  # of a wider network it does not say whose key it was
        for kind, label, account, at in evidence.get("keys", ()):
            if start <= at < end:
                yield Failed(at, network.first, kind, label, account)


# --- what came of it ---------------------------------------------------------------------------------------


def compared(found: list[WouldBe], since: datetime, until: datetime) -> dict[str, Any]:
    """The bans that would have been beside those that there were, as a job keeps them."""
    earned_bans = Ban.objects.filter(kind=Ban.Kind.BANNED, step__gt=0).exclude(lifted_by=earned.BY_ALLOWANCE)
    there_were = list(earned_bans.filter(starts_at__gte=since, starts_at__lt=until))
    real: dict[tuple[str, str], list[Ban]] = {}
    for ban in there_were:
        real.setdefault((ban.first, ban.last), []).append(ban)
    again: set[int] = set()
    rows = []
    for would_be in found:
        network = would_be.network
        met = [ban for ban in real.get((network.hex_first, network.hex_last), ()) if _overlap(would_be, ban)]
        again |= {ban.pk for ban in met}
        rows.append(_row(would_be, met))
    rows.sort(key=lambda row: (-row["hit"], row["since"]))
    spared = [ban for ban in there_were if ban.pk not in again]
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "would_be": len(found),
        "there_were": len(there_were),
        "again": len(again),
        "with_phones": sum(would_be.hit > 0 for would_be in found),
        "hit": sum(would_be.hit for would_be in found),
        "bans": rows[:SHOWN],
        "spared": [_of(ban) for ban in sorted(spared, key=lambda ban: ban.starts_at)[:SHOWN]],
    }


def _row(would_be: WouldBe, met: list[Ban]) -> dict[str, Any]:
    return {
        "network": str(would_be.network),
        "since": facts.aware(would_be.ban.since).isoformat(),
        "until": facts.aware(would_be.ended).isoformat(),
        "step": would_be.ban.step,
        "propose_block": would_be.ban.propose_block,
        "keys": len(would_be.ban.keys),
        "hit": would_be.hit,
        "was": _of(min(met, key=lambda ban: ban.starts_at)) if met else None,
    }


def _of(ban: Ban) -> dict[str, Any]:
    return {
        "network": str(ban.network),
        "since": ban.starts_at.isoformat(),
        "until": _end(ban).isoformat(),
        "step": ban.step,
    }


def _overlap(would_be: WouldBe, ban: Ban) -> bool:
    return would_be.ban.since <= _end(ban).timestamp() and ban.starts_at.timestamp() <= would_be.ended


def _end(ban: Ban) -> datetime:
    return min(ban.ends_at, ban.lifted_at or ban.ends_at)
