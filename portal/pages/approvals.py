"""Refused phones that wait for an answer: the evidence first, then the buttons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Site
from devices.user_agent import parse_stranger
from portal.clone_cards import clones_of, suspected_clones
from portal.pages.forms import said_origin
from portal.refusals import back
from provisioning import approvals
from provisioning.models import Approval, DeviceEvent

SHOWN = 25
LATE = timedelta(minutes=5)  # a note is read later than it was made
ANSWERS = {
    "once": gettext_lazy("%(phone)s is let in from %(origin)s, once, within 24 hours."),
    "site": gettext_lazy("%(origin)s belongs to %(site)s now, and %(phone)s is let in from there."),
    "deny": gettext_lazy("%(phone)s stays as it is. Requests from %(origin)s are refused for 30 days."),
    "quarantine": gettext_lazy("%(phone)s is quarantined. It gets nothing from anywhere."),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One fact that speaks for or against, with its voice and its shape."""

    voice: str
    icon: str
    words: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A card as the pages show it."""

    approval: Approval
    evidence: approvals.Evidence
    points: list[Point]
    doubtful: bool
    zone: str
    may_answer: bool
    may_take_back: bool


def cards_of(shown: Sequence[Approval], by: Actor, now: datetime) -> list[Card]:
    """Gather the evidence of these cards and put it into words, what speaks for each first."""
    known = approvals.evidence_of(shown, by=by, now=now)
    return [_card(approval, evidence, by) for approval, evidence in zip(shown, known, strict=True)]


def _card(approval: Approval, known: approvals.Evidence, by: Actor) -> Card:
    points = [*_for(known, approval), *_against(known)]
    against = sum(point.voice == "is-wrong" for point in points)
    return Card(
        approval=approval,
        evidence=known,
        points=points,
        doubtful=against > 0 and not known.approve_first,
        zone=approval.account.time_zone,
        may_answer=by.may(Power.ANSWER_APPROVAL, approval.device.account.path),
        may_take_back=by.may(Power.TAKE_BACK, approval.device.account.path),
    )


def _for(known: approvals.Evidence, approval: Approval) -> list[Point]:
    points = []
    if known.agent_fits:
        points.append(Point("is-well", "check", _("Its agent fits the phone: %s") % known.agent))
    if known.reader_there:
        points.append(Point("is-well", "check", _("You are at this address yourself")))
    if known.owner_there:
        words = _("%s was here, ") % approval.device.owner
        points.append(Point("is-well", "check", words, known.owner_there))
    if known.manager_there and not known.reader_there:
        points.append(Point("is-well", "check", _("A manager of the phone was here, "), known.manager_there))
    if known.phones_there:
        words = ngettext(
            "%d other phone of this account lives here",
            "%d other phones of this account live here",
            known.phones_there,
        )
        points.append(Point("is-well", "check", words % known.phones_there))
    else:
        words = _("No other phone of this account has been here in 30 days")
        points.append(Point("is-care", "question", words))
    return points


def _against(known: approvals.Evidence) -> list[Point]:
    points = []
    if not known.agent_fits:
        if stranger := parse_stranger(known.agent):
            said = _("it is of a phone that is not served here, %s") % stranger
        elif known.agent:
            said = _("it calls itself %s") % known.agent
        else:
            said = _("it says nothing of itself")
        points.append(Point("is-wrong", "x", _("Its agent does not fit: %s") % said))
    if known.last_check_in:
        words = _("The phone itself still checks in, from %s, last ") % known.last_check_in_from
        points.append(Point("is-wrong", "x", words, known.last_check_in))
    else:
        words = _("The phone has never checked in at its private URL")
        points.append(Point("is-care", "question", words))
    if known.shared:
        words = _("Phones of several customers live at this address: it proves nothing")
        points.append(Point("is-care", "shared", words))
    if known.blocked:
        points.append(Point("is-banned", "ban", _("The address is blocked. Approving does not help")))
    elif known.banned:
        words = _("The address is banned. Approving helps once the ban ends")
        points.append(Point("is-banned", "ban", words))
    return points


@needs(Power.SEE_ACCOUNT)
def cards(request: PageRequest) -> HttpResponse:
    """The page; for htmx what has changed since: new cards, and who answered those that are shown."""
    now = timezone.now()
    if request.htmx:
        return render(request, "provisioning/_approvals_news.html", news(request, now))
    context = {"section": "approvals", **cards_for(request, now)}
    return render(request, "provisioning/approvals.html", context)


def cards_for(request: PageRequest, now: datetime) -> dict[str, Any]:
    waiting = open_cards(request.actor, now)
    suspected = suspected_clones(request.actor, now)
    tries, addresses = approvals.further(DeviceEvent.objects.visible_to(request.actor), now=now)
    answered = shown_to(request.actor).filter(decided_at__gt=now - timedelta(days=1)).order_by("-decided_at")
    return {
        "now": now,
        "since": now - LATE,
        "cards": cards_of(list(waiting[:SHOWN]), request.actor, now),
        "title": title(counted := waiting.count(), len(suspected)),
        "waiting": counted,
        "clones": clones_of(suspected[:SHOWN], request.actor),
        "suspected": len(suspected),
        "further": further(tries, addresses) if tries else "",
        "answered": answered[:10],
        "may_answer": request.actor.may_anywhere(Power.ANSWER_APPROVAL),
    }


def title(waiting: int, suspected: int) -> str:
    """What waits, in a sentence."""
    phones = ngettext("%d refused phone", "%d refused phones", waiting) % waiting
    clones = ngettext("%d suspected clone", "%d suspected clones", suspected) % suspected
    if waiting and suspected:
        return _("%(phones)s and %(clones)s wait for your answer") % {"phones": phones, "clones": clones}
    if suspected:
        words = ngettext(
            "%d suspected clone waits for your answer", "%d suspected clones wait for your answer", suspected
        )
        return words % suspected
    if waiting:
        words = ngettext(
            "%d phone was refused and waits for your answer",
            "%d phones were refused and wait for your answer",
            waiting,
        )
        return words % waiting
    return _("Nobody waits for you")


def further(tries: int, addresses: int) -> str:
    """The line of the tries that have no card."""
    counted = {
        "tries": ngettext("%d further try", "%d further tries", tries) % tries,
        "addresses": ngettext("%d address", "%d addresses", addresses) % addresses,
    }
    words = _("And %(tries)s from %(addresses)s in the last 24 hours, of phones that have no card.")
    return words % counted


def shown_to(by: Actor) -> QuerySet[Approval]:
    return Approval.objects.visible_to(by).select_related(
        "account", "device__account", "device__owner", "device__lock__bound_site"
    )


def open_cards(by: Actor, now: datetime) -> QuerySet[Approval]:
    return shown_to(by).filter(status=Approval.Status.OPEN, closes_at__gt=now)


def news(request: PageRequest, now: datetime) -> dict[str, Any]:
    """What a page that shows these cards lacks: those that came since, and the answers to its own."""
    known = [code for text in request.GET.getlist("known")[: 4 * SHOWN] if (code := _uuid(text))]
    since = parse_datetime(request.GET.get("since", "")) or now
    waiting = open_cards(request.actor, now)
    fresh = list(waiting.filter(opened_at__gt=since).exclude(code__in=known)[:SHOWN])
    over = shown_to(request.actor).filter(code__in=known)
    over = over.exclude(status=Approval.Status.OPEN, closes_at__gt=now)
    return {
        "now": now,
        "cards": cards_of(fresh, request.actor, now),
        "over": list(over),
        "title": title(waiting.count(), len(suspected_clones(request.actor, now))),
    }


@require_POST
@needs(Power.ANSWER_APPROVAL)
def answer(request: PageRequest, code: UUID) -> HttpResponse:
    """Back to the page with a message; for htmx the card's answers alone are replaced."""
    visible = Approval.objects.visible_to(request.actor).select_related("device__account", "device__lock")
    approval = get_object_or_404(visible, code=code)
    decision = request.POST.get("decision", "")
    site = _site(request) if decision == "site" else None
    origin = said_origin(request.POST.get("origin", ""))
    try:
        approvals.answer(
            approval,
            by=request.actor,
            decision=decision,
            site=site,
            typed=request.POST.get("typed", ""),
            origin=origin,
        )
    except Refusal as refusal:
        if not request.htmx or isinstance(refusal, Forbidden):
            raise
        return render(request, "provisioning/_approval_refused.html", {"code": code, "refusal": refusal})
    where = origin or _("that address")
    said = ANSWERS[decision] % {"phone": approval.device, "origin": where, "site": site}
    if request.htmx:
        now = timezone.now()
        context = {"code": code, "said": said, "decision": decision}
        waiting = open_cards(request.actor, now).count()
        context["title"] = title(waiting, len(suspected_clones(request.actor, now)))
        return render(request, "provisioning/_approval_answered.html", context)
    messages.success(request, said)
    return redirect(back(request))


def _site(request: PageRequest) -> Site | None:
    """The site that the form names, as far as the reader can see it; none for what is no code."""
    code = _uuid(request.POST.get("site", ""))
    if code is None:
        return None
    found: Site | None = Site.objects.visible_to(request.actor).filter(code=code).first()
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
