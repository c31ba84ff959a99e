"""A list of phones is looked at, row by row, and what can be added of it is added by a job.

1. `look` keeps what was sent as a draft, for a day. Nothing else is changed.
2. `preview` says of each row what would become of it now.
3. `start` makes a job of the rows that can be added; `run` adds them, each in a transaction of its own, and
   judges each once more in there. Broken off or run twice it goes on from where it stands.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.deleting import refuse_deleted
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices import appearances, extensions, profiles
from devices.appearances import AppearanceRow
from devices.models import Device
from provisioning import entering, jobs
from provisioning.models import ImportDraft, Job, JobItem
from provisioning.phone_import_around import look_around
from provisioning.phone_import_rows import Verdict, Wanted, What, judge
from provisioning.phone_import_table import (
    COLUMNS,
    PhoneTable,
    kept,
    opened,
    without_secret,
    written,
)

KEPT = timedelta(days=1)
#: What needs somebody comes first.
_ORDER = (What.REFUSED, What.HERE, What.ADD)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of each row, those that cannot be added first."""

    verdicts: tuple[Verdict, ...]
    counts: Mapping[What, int]

    def of(self, what: What) -> list[Verdict]:
        """The rows that would be treated so."""
        return [verdict for verdict in self.verdicts if verdict.what is what]

    @property
    def bad(self) -> list[Verdict]:
        """The rows that are not added."""
        return [verdict for verdict in self.verdicts if verdict.what is not What.ADD]


def drafts(by: Actor) -> QuerySet[ImportDraft]:
    """The lists that the actor may look at: those of accounts whose phones he may edit, for a day."""
    rows: QuerySet[ImportDraft] = ImportDraft.objects.reachable_by(by, Power.EDIT_DEVICES)
    return rows.filter(created_at__gt=timezone.now() - KEPT).select_related("account", "job")


def look(
    account: Account,
    table: PhoneTable,
    *,
    by: Actor,
    file_name: str = "",
    make_extensions: bool = False,
    now: datetime | None = None,
) -> ImportDraft:
    """Keep the list as a draft of the actor's.

    A MAC that another account holds is told here as it is told to whoever adds one phone, so it counts as it
    counts there (E10): once a day, and more than a few alert support. Else this were the way to ask for them
    by thousands.
    """
    _needs(by, account)
    refuse_deleted(account)
    now = now or timezone.now()
    draft = ImportDraft(account=account, user=by.user, by=by.label[:200], created_at=now)
    draft.file_name = "".join(c for c in file_name if c.isprintable()).strip()[-120:]
    draft.params = {"make_extensions": make_extensions, "ignored": list(table.ignored)}
    draft.rows = [kept(row, draft.code) for row in table.rows]
    with transaction.atomic():
        draft.save()
        _count_refusals(draft, preview(draft, by=by, now=now), by, now)
    return draft


def preview(draft: ImportDraft, *, by: Actor, now: datetime | None = None) -> Preview:
    """What would become of each row if it were run now; of one that was run, what was not added."""
    _needs(by, draft.account)
    now = now or timezone.now()
    if draft.job is not None:
        return _preview([_as_it_was(row) for row in draft.rows], added=draft.job.total)
    rows, found = [], []
    for kept_row in draft.rows:
        try:
            rows.append(opened(kept_row, draft.code))
        except Invalid as error:
            found.append(_unreadable(kept_row, error))
    make_extensions = draft.params["make_extensions"]
    around = look_around(draft.account, rows, by=by, make_extensions=make_extensions, now=now)
    return _preview([*found, *(judge(row, around) for row in rows)])


def start(draft: ImportDraft, *, by: Actor, expected: int | None = None, now: datetime | None = None) -> Job:
    """Hand the rows that can be added to a worker; a list that was started is not started twice.

    `expected` is the number of phones that the actor was told would be added.
    """
    _needs(by, draft.account)
    now = now or timezone.now()
    with transaction.atomic():
        held = ImportDraft.objects.select_for_update(of=("self",)).select_related("account", "job")
        draft = held.get(pk=draft.pk)
        if draft.job is not None:
            return draft.job
        refuse_deleted(draft.account)
        found = preview(draft, by=by, now=now)
        wanted = sorted(found.of(What.ADD), key=lambda verdict: verdict.line)
        if not wanted:
            raise Invalid("table", _("No phone of this list can be added."))
        if expected is not None and expected != len(wanted):
            words = _("Something has changed since you looked: %(count)d can be added now. Look again.")
            raise Refusal("input", words % {"count": len(wanted)}, code="changed-meanwhile")
        by_line = {row["line"]: row for row in draft.rows}
        items = [
            JobItem(name=verdict.name or verdict.mac, mac=verdict.mac, details=by_line[verdict.line])
            for verdict in wanted
        ]
        params = {
            "draft": str(draft.code),
            "file": draft.file_name,
            "make_extensions": draft.params["make_extensions"],
        }
        draft.job = jobs.start_with(
            draft.account, Job.Kind.IMPORT, by=by, params=params, items=items, now=now
        )
        draft.rows = [_with_reason(by_line[verdict.line], verdict) for verdict in found.bad]
        draft.save(update_fields=["job", "rows"])
    return draft.job


def run(job_id: int) -> None:
    """Add the phones that wait, one after the other; broken off or run twice it goes on from there."""
    jobs.work_through(job_id, _run_row)


def bad_rows(draft: ImportDraft, *, by: Actor) -> bytes:
    """The rows that are not added, as a table to correct and to import again; without their secrets."""
    verdicts = {verdict.line: verdict for verdict in preview(draft, by=by).bad}
    used = [column for column in COLUMNS if any(column.name in row for row in draft.rows)]
    table: list[list[object]] = [
        [*(column.title for column in used), _("Line of the list"), _("Why it was not added")]
    ]
    for row in draft.rows:
        verdict = verdicts.get(row["line"])
        if verdict is not None:
            cells = without_secret(row)
            table.append([*(cells.get(column.name, "") for column in used), verdict.line, verdict.sentence])
    return written(table)


# --- looking -----------------------------------------------------------------------------------------------


def _preview(verdicts: list[Verdict], *, added: int = 0) -> Preview:
    ordered = sorted(verdicts, key=lambda verdict: (_ORDER.index(verdict.what), verdict.line))
    counts = Counter(verdict.what for verdict in verdicts)
    counts[What.ADD] += added
    return Preview(tuple(ordered), counts)


def _unreadable(kept_row: Mapping[str, Any], error: Invalid) -> Verdict:
    cells = without_secret(kept_row)
    return Verdict(
        line=cells["line"],
        what=What.REFUSED,
        mac=cells.get("mac", "")[:40],
        name=cells.get("name", "")[:120],
        make=cells.get("model", "")[:60],
        field=error.field or "",
        sentence=error.detail,
        code=error.code,
    )


def _with_reason(kept_row: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """A row that is not added, as it stays once the others are: without its secret, with the reason."""
    told = {name: getattr(verdict, name) for name in _TOLD}
    emptied = {"secret": ""} if "secret" in kept_row else {}
    return {**without_secret(kept_row), **emptied, "verdict": told}


def _as_it_was(row: Mapping[str, Any]) -> Verdict:
    told = row["verdict"]
    return Verdict(line=row["line"], **{**told, "what": What(told["what"])})


_TOLD = ("what", "mac", "name", "make", "field", "sentence", "rule", "code")


def _count_refusals(draft: ImportDraft, found: Preview, by: Actor, now: datetime) -> None:
    """Put MACs that others hold on record (E10): each once a day, and no more than alert support."""
    held = [verdict.mac for verdict in found.of(What.REFUSED) if verdict.code == "active-elsewhere"]
    if not held:
        return
    lately = entering.refused_lately(draft.account, now)
    known = set(lately.values_list("details__mac", flat=True))
    for mac in [mac for mac in held if mac not in known][: entering.REFUSED_A_DAY + 1]:
        entering.count_refusal(draft.account, by=by, mac=mac, now=now)


def _needs(by: Actor, account: Account) -> None:
    if not by.may(Power.EDIT_DEVICES, account.path):
        raise Forbidden


# --- adding ------------------------------------------------------------------------------------------------


def _run_row(job: Job) -> bool:
    """Add the next phone that waits, or say why not; False when none waits."""
    now, by = timezone.now(), jobs.recall(job.actor)
    with transaction.atomic():
        # One worker at a time: a second one waits here and then finds the rest.
        Job.objects.select_for_update().get(pk=job.pk)
        item = job.items.filter(result=JobItem.Result.WAITING).order_by("pk").first()
        if item is None:
            return False
        try:
            with transaction.atomic():
                item.device = _add(job, item, by, now)
            item.result = JobItem.Result.DONE
        except Refusal as refusal:
            if refusal.code == "active-elsewhere":
                entering.count_refusal(job.account, by=by, mac=item.mac, now=now)
            item.result, item.why = JobItem.Result.SKIPPED, refusal.detail[:300]
            item.rule = "" if refusal.rule == "input" else refusal.rule
        except IntegrityError:
            # Somebody made the same extension in this very moment: no reason to stop the others.
            item.result = JobItem.Result.SKIPPED
            item.why = _("Somebody else has just changed the same. Import this row again.")
        item.details = {"line": item.details["line"]}
        item.save(update_fields=["device", "result", "rule", "why", "details"])
        done = int(item.result == JobItem.Result.DONE)
        Job.objects.filter(pk=job.pk).update(done=F("done") + done, skipped=F("skipped") + 1 - done)
    return True


def _add(job: Job, item: JobItem, by: Actor, now: datetime) -> Device:
    """Judge the row as it is now, and do all that it says, or nothing."""
    row = opened(item.details, UUID(job.params["draft"]))
    make_extensions = job.params["make_extensions"]
    around = look_around(job.account, [row], by=by, make_extensions=make_extensions, now=now)
    verdict = judge(row, around)
    if verdict.wanted is None:
        raise Refusal(verdict.rule or "input", verdict.sentence, code=verdict.code or "not-added")
    return _enter(job.account, verdict.wanted, by, now)


def _enter(account: Account, wanted: Wanted, by: Actor, now: datetime) -> Device:
    device = entering.enter(
        account,
        by=by,
        mac=wanted.mac,
        family=wanted.family,
        model=wanted.model,
        name=wanted.name,
        owner=wanted.owner,
        site=wanted.site,
        ship_on=wanted.ship_on,
        notes=wanted.notes,
        now=now,
    )
    extension = wanted.extension
    if wanted.new_extension is not None:
        new = wanted.new_extension
        extension = extensions.create(
            account,
            by=by,
            username=new["username"],
            secret=new["secret"],
            display_name=new["display_name"],
            auth_name=new["auth_name"],
            now=now,
        )
    if extension is not None:
        appearances.put(device, by=by, rows=[AppearanceRow(position=1, extension=extension)], now=now)
    if wanted.profile is not None:
        profiles.apply(wanted.profile, by=by, devices=[device], now=now)
    return device
