"""How long things are kept (section 9): one table of platform values, and the sweep that follows it."""

import time
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import ngettext

from accounts import once
from accounts.models import GRACE, AuditEntry, KeptAnswer
from provisioning import removing, replaying, shortening, tokens
from provisioning.gate import TokenKind
from provisioning.models import (
    Approval,
    CheckInDay,
    CheckInHour,
    Claim,
    Denial,
    DeviceEvent,
    FailureKey,
    ImportDraft,
    Incident,
    IncidentStep,
    Job,
    JobItem,
    MacRecord,
    Notice,
    Proof,
    ProvedHour,
    ResyncRequest,
    Swept,
    Token,
    UnknownTime,
    UnlockLink,
    Upload,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEvent,
    Window,
)
from security.models import Ban

log = structlog.get_logger(__name__)

BATCH = 500
A_SWEEP, A_LINE = 600.0, 150.0  # seconds; what is left then goes with the next one

#: Takes what is older than the time, a batch at a time, and says how much went; `since` is how far it came.
Take = Callable[[datetime, datetime | None], Iterator[int]]


@dataclass(frozen=True, slots=True)
class Term:
    """A length of time in days, or in months of the calendar."""

    days: int = 0
    months: int = 0

    def before(self, now: datetime) -> datetime:
        """The moment from which on things are kept."""
        year, month = divmod(now.year * 12 + now.month - 1 - self.months, 12)
        day = min(now.day, monthrange(year, month + 1)[1])
        return now.replace(year=year, month=month + 1, day=day) - timedelta(days=self.days)

    def __str__(self) -> str:
        if self.months:
            return ngettext("{months} month", "{months} months", self.months).format(months=self.months)
        return ngettext("{days} day", "{days} days", self.days).format(days=self.days)


@dataclass(frozen=True, slots=True)
class Kept:
    """One line of the table: what is kept, for how long, and what becomes of it then."""

    name: str
    what: str
    term: Term
    take: Take = field(repr=False)
    then: str = "Removed"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table with what the sweep last made of it."""

    kept: Kept
    swept: Swept | None


@dataclass(frozen=True, slots=True)
class Sweep:
    """How much one sweep took, and whether its time was too short for the rest."""

    gone: int
    ran_out: bool


# --- how it goes -------------------------------------------------------------------------------------------


def rows(find: Callable[[datetime], "QuerySet[Any]"], by: str = "at") -> Take:
    """Delete what is found, the oldest first; what changed after it was found is judged again."""

    def take(cut: datetime, since: datetime | None) -> Iterator[int]:
        while ids := list(find(cut).order_by(by).values_list("pk", flat=True)[:BATCH]):
            with transaction.atomic():
                find(cut).filter(pk__in=ids).delete()
            yield len(ids)

    return take


def batches(some: Callable[[datetime], int]) -> Take:
    """Call for one batch after the other until nothing is left."""

    def take(cut: datetime, since: datetime | None) -> Iterator[int]:
        while gone := some(cut):
            yield gone

    return take


def both(*takes: Take) -> Take:
    """One after the other: what hangs on something goes before it."""

    def take(cut: datetime, since: datetime | None) -> Iterator[int]:
        for one in takes:
            yield from one(cut, since)

    return take


def _audit(cut: datetime) -> int:
    return AuditEntry.objects.sweep(before=cut, most=BATCH)


def _old_claims(cut: datetime) -> "QuerySet[Claim]":
    """A claim stays with its private URLs: by it they know which of them is the newer one (T2, T3)."""
    living = Token.objects.filter(claim=OuterRef("pk")).exclude(kind=TokenKind.DEAD.value)
    return Claim.objects.filter(~Exists(living), at__lt=cut)


def _forgotten_sessions(cut: datetime) -> "QuerySet[UserSession]":
    """What stands in somebody's list of sessions and is none any more."""
    living = Session.objects.filter(pk=OuterRef("session_key"))
    rows: QuerySet[UserSession] = UserSession.objects.filter(~Exists(living), created_at__lt=cut)
    return rows


def _told_events(cut: datetime) -> "QuerySet[WebhookEvent]":
    """An event stays while one delivery of it does."""
    deliveries = WebhookDelivery.objects.filter(event=OuterRef("pk"))
    rows: QuerySet[WebhookEvent] = WebhookEvent.objects.filter(~Exists(deliveries), at__lt=cut)
    return rows


def _bindings(cut: datetime) -> int:
    """E9 asks for the former binding within 30 days only."""
    left = MacRecord.objects.filter(left_at__lt=cut).exclude(bound_first="", bound_site_code=None)
    ids = list(left.order_by("left_at").values_list("pk", flat=True)[:BATCH])
    with transaction.atomic():
        left.filter(pk__in=ids).update(bound_first="", bound_last="", bound_site_code=None)
    return len(ids)


# --- the table ---------------------------------------------------------------------------------------------

REFUSED = Q(what="request", outcome="refused")
OPEN = Approval.Status.OPEN

KEPT: tuple[Kept, ...] = (
    Kept(
        "keys",
        "Failures of an address, hour by hour",
        Term(days=30),
        rows(lambda cut: FailureKey.objects.filter(hour__lt=cut), "hour"),
    ),
    Kept(
        "proved-hours",
        "How many phones were proved at an address that failed, hour by hour",
        Term(days=30),
        rows(lambda cut: ProvedHour.objects.filter(hour__lt=cut), "hour"),
    ),
    Kept(
        "refusals",
        "Refused requests in the phones' logs",
        Term(days=30),
        rows(lambda cut: DeviceEvent.objects.filter(REFUSED, at__lt=cut)),
    ),
    Kept(
        "addresses",
        "Full addresses in the phones' logs, in claims that are history and in answered approvals",
        Term(days=90),
        both(
            shortening.events,
            batches(lambda cut: shortening.claims(_old_claims(cut))),
            shortening.approvals,
        ),
        "Shortened to their /24 or /48",
    ),
    Kept(
        "events",
        "All else in the phones' logs",
        Term(months=13),
        rows(lambda cut: DeviceEvent.objects.filter(at__lt=cut)),
    ),
    Kept(
        "claims", "Claims, once none of their private URLs works any more", Term(months=13), rows(_old_claims)
    ),
    Kept(
        "check-ins",
        "Check-ins by the hour",
        Term(months=13),
        rows(lambda cut: CheckInHour.objects.filter(hour__lt=cut), "hour"),
    ),
    Kept(
        "check-in-days",
        "Check-ins by place and quarter of an hour, and when we did not listen",
        Term(days=60),
        both(
            rows(lambda cut: CheckInDay.objects.filter(day__lt=cut.date()), "day"),
            rows(lambda cut: UnknownTime.objects.filter(until__lt=cut), "until"),
        ),
    ),
    Kept(
        "proofs",
        "Where a phone has proved itself, since it last did",
        Term(days=90),
        rows(lambda cut: Proof.objects.filter(at__lt=cut)),
    ),
    Kept(
        "approvals",
        "Approvals that were answered or closed",
        Term(months=13),
        rows(
            lambda cut: Approval.objects.filter(last_try_at__lt=cut, closes_at__lt=cut).exclude(status=OPEN),
            "closes_at",
        ),
    ),
    Kept(
        "windows",
        "Windows that are over",
        Term(months=13),
        rows(lambda cut: Window.objects.filter(ends_at__lt=cut), "ends_at"),
    ),
    Kept(
        "incidents",
        "Incidents with their timelines, since they ended",
        Term(months=13),
        both(
            rows(lambda cut: IncidentStep.objects.filter(incident__ended_at__lt=cut), "pk"),
            rows(lambda cut: Incident.objects.filter(ended_at__lt=cut), "ended_at"),
        ),
    ),
    Kept(
        "what-ifs",
        "What other thresholds would have done",
        Term(days=30),
        rows(lambda cut: Job.objects.filter(kind=replaying.KIND, finished_at__lt=cut), "pk"),
    ),
    Kept(
        "jobs",
        "Jobs that are finished",
        Term(months=13),
        both(
            rows(lambda cut: JobItem.objects.filter(job__finished_at__lt=cut), "pk"),
            rows(lambda cut: Job.objects.filter(finished_at__lt=cut), "pk"),
        ),
    ),
    Kept(
        "resyncs",
        "When phones were asked to fetch their files again",
        Term(days=30),
        rows(lambda cut: ResyncRequest.objects.filter(answered_at__lt=cut), "answered_at"),
    ),
    Kept(
        "import-drafts",
        "Lists of phones that were sent for an import",
        Term(days=1),
        rows(lambda cut: ImportDraft.objects.filter(created_at__lt=cut), "created_at"),
    ),
    Kept(
        "kept-answers",
        "Answers of the API to calls with an Idempotency-Key",
        Term(days=once.KEPT.days),
        rows(lambda cut: KeptAnswer.objects.filter(created_at__lt=cut), "created_at"),
    ),
    Kept(
        "unlock-links",
        "Unlock links, since they ended",
        Term(days=30),
        rows(lambda cut: UnlockLink.objects.filter(ends_at__lt=cut), "ends_at"),
    ),
    Kept(
        "notices",
        "Notices to people that were sent by e-mail",
        Term(days=30),
        rows(lambda cut: Notice.objects.filter(sent_at__lt=cut), "sent_at"),
    ),
    Kept("audit", "The audit", Term(months=24), batches(_audit)),
    Kept(
        "bans",
        "Bans and blocks with their evidence, since they ended",
        Term(days=90),
        rows(lambda cut: Ban.objects.filter(Q(ends_at__lt=cut) | Q(lifted_at__lt=cut)), "ends_at"),
    ),
    Kept(
        "denials",
        "Denied addresses, since the denial ended",
        Term(days=30),
        rows(lambda cut: Denial.objects.filter(until__lt=cut), "until"),
    ),
    Kept(
        "uploads",
        "Directories and call lists that phones put away",
        Term(days=30),
        rows(lambda cut: Upload.objects.filter(at__lt=cut)),
    ),
    Kept(
        "webhooks",
        "What other programs were told, with each try, since it ended",
        Term(days=30),
        both(
            rows(lambda cut: WebhookAttempt.objects.filter(delivery__ended_at__lt=cut), "pk"),
            rows(lambda cut: WebhookDelivery.objects.filter(ended_at__lt=cut), "ended_at"),
            rows(_told_events),
        ),
    ),
    Kept(
        "token-texts",
        "The sealed text of private URLs that are over",
        Term(days=30),
        batches(lambda cut: tokens.wipe(before=cut, most=BATCH)),
        "Removed; a hash stays",
    ),
    Kept(
        "tokens",
        "Private URLs that are over, as hashes",
        Term(days=400),
        batches(lambda cut: tokens.forget(before=cut, most=BATCH)),
    ),
    Kept(
        "bindings",
        "Where a removed phone was locked to, in the ledger of MACs",
        Term(days=30),
        batches(_bindings),
        "Removed; the MAC stays as a hash",
    ),
    Kept(
        "sessions",
        "Sessions of people, since they ended",
        Term(days=1),
        both(
            rows(lambda cut: Session.objects.filter(expire_date__lt=cut), "expire_date"),
            rows(_forgotten_sessions, "created_at"),
        ),
    ),
    Kept(
        "accounts",
        "Deleted accounts with all that is in them",
        Term(days=GRACE.days),
        removing.accounts,
        "Removed; the ledger of MACs (hashes) and the audit stay",
    ),
)


def lines() -> list[Line]:
    """The table as people read it."""
    swept = {row.name: row for row in Swept.objects.all()}
    return [Line(kept, swept.get(kept.name)) for kept in KEPT]


# --- the sweep ---------------------------------------------------------------------------------------------


def sweep(now: datetime, *, seconds: float = A_SWEEP) -> Sweep:
    """Take away what was kept long enough, line by line; safe to run twice or late."""
    over = time.monotonic() + seconds
    swept = [_sweep_line(kept, now, min(over, time.monotonic() + A_LINE)) for kept in KEPT]
    return Sweep(sum(line.gone for line in swept), any(line.ran_out for line in swept))


def _sweep_line(kept: Kept, now: datetime, over: float) -> Sweep:
    """Sweep one line and write down what went; a line that fails keeps no other from its turn."""
    cut = kept.term.before(now)
    last = Swept.objects.filter(name=kept.name).first()
    reached = last.reached if last else None
    gone, ran_out, failed = 0, False, False
    try:
        for took in kept.take(cut, reached):
            gone += took
            if ran_out := time.monotonic() >= over:
                break
    except Exception:
        log.exception("a line of the keeping table failed", line=kept.name)
        failed = True
    is_whole = not (ran_out or failed)
    Swept.objects.update_or_create(
        name=kept.name,
        defaults={"at": now, "gone": gone, "is_whole": is_whole, "reached": cut if is_whole else reached},
    )
    return Sweep(gone, ran_out)
