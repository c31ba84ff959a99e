"""The audit: who did what to what, from which address and for whom; append-only, kept for two years."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from accounts.guards import PageRequest, needs
from accounts.models import AuditEntry
from accounts.roles import Power
from devices.models import Device
from portal.deeds import DETAILS, KINDS, VERBS, verbs_with
from portal.templatetags.latchkey import who
from provisioning import sentences

A_PAGE = 50
LONGEST = 80


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One entry as the page shows it."""

    entry: AuditEntry
    what: str
    by: str
    on_behalf_of: str
    details: list[tuple[str, str]]
    device: UUID | None  #: its code, where the reader may still see the phone


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    """The newest entries of the reader's accounts; older ones a page at a time."""
    # PostgreSQL takes no NUL in a text, and no entry has one.
    given = {name: request.GET.get(name, "").replace("\0", " ") for name in ("q", "kind", "account")}
    asked = {name: text.strip()[:LONGEST] for name, text in given.items()}
    rows = _asked_for(AuditEntry.objects.visible_to(request.actor), **asked)
    before = _before(request)
    if before is not None:
        rows = rows.filter(Q(at__lt=before.at) | Q(at=before.at, pk__lt=before.pk))
    found = list(rows.select_related("account").order_by("-at", "-pk")[: A_PAGE + 1])
    shown = found[:A_PAGE]
    context = {
        "section": "audit",
        "lines": _lines(request, shown),
        "asked": asked,
        "kinds": KINDS.items(),
        "older": shown[-1].code if len(found) > A_PAGE else None,
        "is_first": before is None,
        "several": len({entry.account_slug for entry in shown}) > 1,
    }
    template = "portal/_audit.html" if request.htmx else "portal/audit.html"
    return render(request, template, context)


def _before(request: PageRequest) -> AuditEntry | None:
    """The entry after which the page goes on; its code is nothing that somebody could count up."""
    code = _uuid(request.GET.get("before", ""))
    return AuditEntry.objects.visible_to(request.actor).filter(code=code).first() if code else None


def _asked_for(rows: Any, *, q: str, kind: str, account: str) -> Any:
    if kind in KINDS:
        rows = rows.filter(verb__startswith=f"{kind}.")
    if account:
        rows = rows.filter(account_slug=account)
    for word in q.split():
        rows = rows.filter(
            Q(target_name__icontains=word)
            | Q(actor__icontains=word)
            | Q(verb__icontains=word)
            | Q(verb__in=verbs_with(word))
            | Q(address=word)
            | Q(target_code=word)
        )
    return rows


def _lines(request: PageRequest, entries: list[AuditEntry]) -> list[AuditLine]:
    codes = {
        code for entry in entries if entry.target_kind == "device" and (code := _uuid(entry.target_code))
    }
    there = Device.objects.visible_to(request.actor).filter(code__in=codes).values_list("code", flat=True)
    known, now = set(there) if codes else set(), timezone.now()
    return [
        AuditLine(
            entry=entry,
            what=what(entry.verb),
            by=who(entry.actor),
            on_behalf_of=entry.on_behalf_of,
            details=list(_details(entry.details, _zone(entry), now)),
            device=code if (code := _uuid(entry.target_code)) in known else None,
        )
        for entry in entries
    ]


def what(verb: str) -> str:
    """A verb in words: "device.taken-back" is "Phone taken back"."""
    return str(VERBS.get(verb, verb))


def _zone(entry: AuditEntry) -> str:
    return entry.account.time_zone if entry.account else "UTC"


def _details(details: dict[str, Any], zone: str, now: datetime) -> Iterator[tuple[str, str]]:
    for name, value in details.items():
        if value in (None, "", [], {}):
            continue
        yield _name(name), said(value, zone, now)


def said(value: Any, zone: str, now: datetime) -> SafeString:
    """A detail as people read it: times in the account's zone, old and new beside each other.

    What a row or a program calls something is shown as it is, in every language.
    """
    if isinstance(value, bool):
        return SafeString(gettext("yes") if value else gettext("no"))
    if isinstance(value, dict):
        parts = ((_name(key), said(inner, zone, now)) for key, inner in value.items())
        return format_html_join(", ", "{}: {}", parts)
    if isinstance(value, list):
        return format_html_join(", ", "{}", ((said(inner, zone, now),) for inner in value))
    if isinstance(value, str) and len(value) > len("2026-01-01T"):
        try:
            at = datetime.fromisoformat(value)
            return SafeString(sentences.when(at, zone, now=now)) if at.tzinfo else _data(value)
        except (ValueError, OverflowError):  # no time, or one that the zone's calendar does not hold
            return _data(value)
    return _data(value)


def _name(name: str) -> SafeString | str:
    return str(DETAILS[name]) if name in DETAILS else _data(name)


def _data(value: object) -> SafeString:
    return format_html('<span translate="no">{}</span>', value)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
