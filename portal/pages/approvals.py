"""Refused phones that wait for an answer: the evidence first, then the buttons."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs
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
ANSWERS = {
    "once": "{phone} is let in from {origin}, once, within 24 hours.",
    "site": "{origin} belongs to {site} now, and {phone} is let in from there.",
    "deny": "{phone} stays as it is. Requests from {origin} are refused for 30 days.",
    "quarantine": "{phone} is quarantined. It gets nothing from anywhere.",
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


def card_of(approval: Approval, by: Actor, now: datetime) -> Card:
    """Gather a card's evidence and put it into words, what speaks for it first."""
    known = approvals.evidence(approval, by=by, now=now)
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
        points.append(Point("is-well", "check", f"Its agent fits the phone: {known.agent}"))
    if known.reader_there:
        points.append(Point("is-well", "check", "You are at this address yourself"))
    if known.owner_there:
        points.append(Point("is-well", "check", f"{approval.device.owner} was here, ", known.owner_there))
    if known.manager_there and not known.reader_there:
        points.append(Point("is-well", "check", "A manager of the phone was here, ", known.manager_there))
    if known.phones_there:
        words = "phone of this account lives" if known.phones_there == 1 else "phones of this account live"
        points.append(Point("is-well", "check", f"{known.phones_there} other {words} here"))
    else:
        points.append(Point("is-care", "question", "No other phone of this account has been here in 30 days"))
    return points


def _against(known: approvals.Evidence) -> list[Point]:
    points = []
    if not known.agent_fits:
        said = f"it calls itself {known.agent}" if known.agent else "it says nothing of itself"
        if stranger := parse_stranger(known.agent):
            said = f"it is of a phone that is not served here, {stranger}"
        points.append(Point("is-wrong", "x", f"Its agent does not fit: {said}"))
    if known.last_check_in:
        words = f"The phone itself still checks in, from {known.last_check_in_from}, last "
        points.append(Point("is-wrong", "x", words, known.last_check_in))
    else:
        points.append(Point("is-care", "question", "The phone has never checked in at its private URL"))
    if known.shared:
        points.append(
            Point("is-care", "shared", "Phones of several customers live at this address: it proves nothing")
        )
    if known.blocked:
        points.append(Point("is-banned", "ban", "The address is blocked. Approving does not help"))
    elif known.banned:
        points.append(Point("is-banned", "ban", "The address is banned. Approving helps once the ban ends"))
    return points


@needs(Power.SEE_ACCOUNT)
def cards(request: PageRequest) -> HttpResponse:
    now = timezone.now()
    visible = Approval.objects.visible_to(request.actor).select_related(
        "account", "device__account", "device__owner", "device__lock__bound_site"
    )
    waiting = visible.filter(status=Approval.Status.OPEN, closes_at__gt=now)
    suspected = suspected_clones(request.actor, now)
    tries, addresses = approvals.further(DeviceEvent.objects.visible_to(request.actor), now=now)
    answered = visible.filter(decided_at__gt=now - timedelta(days=1)).order_by("-decided_at")
    context = {
        "section": "approvals",
        "cards": [card_of(approval, request.actor, now) for approval in waiting[:SHOWN]],
        "waiting": waiting.count(),
        "clones": clones_of(suspected[:SHOWN], request.actor),
        "suspected": len(suspected),
        "tries": tries,
        "addresses": addresses,
        "answered": answered[:10],
    }
    return render(request, "provisioning/approvals.html", context)


@require_POST
@needs(Power.ANSWER_APPROVAL)
def answer(request: PageRequest, code: UUID) -> HttpResponse:
    visible = Approval.objects.visible_to(request.actor).select_related("device__account", "device__lock")
    approval = get_object_or_404(visible, code=code)
    decision = request.POST.get("decision", "")
    site = _site(request) if decision == "site" else None
    origin = said_origin(request.POST.get("origin", ""))
    approvals.answer(
        approval,
        by=request.actor,
        decision=decision,
        site=site,
        typed=request.POST.get("typed", ""),
        origin=origin,
    )
    where = origin or "that address"
    messages.success(request, ANSWERS[decision].format(phone=approval.device, origin=where, site=site))
    return redirect(back(request))


def _site(request: PageRequest) -> Site | None:
    """The site that the form names, as far as the reader can see it; none for what is no code."""
    try:
        code = UUID(request.POST.get("site", ""))
    except ValueError:
        return None
    found: Site | None = Site.objects.visible_to(request.actor).filter(code=code).first()
    return found
