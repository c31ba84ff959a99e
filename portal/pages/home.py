"""The first page: what is true now, what waits, what is open."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, signed_in
from accounts.roles import Power
from devices.models import Device
from portal.frame import THEME_COOKIE, THEMES
from portal.pages import incidents, pulse
from portal.pages.phones import count_states, dressed, in_state
from portal.pages.rows import phone_rows
from portal.refusals import back
from provisioning import locking, resync
from provisioning.gate import Outcome
from provisioning.models import DeviceEvent, Window

SHOWN = 4
# A phone asks for files that it has not got, at every start: that is nobody who was turned away.
NOT_THERE = ("G5", "O0")
YEAR = 365 * 24 * 3600


@signed_in
def home(request: PageRequest) -> HttpResponseBase:
    """A manager's morning; who manages nothing goes to his own phones."""
    if not request.actor.may_anywhere(Power.SEE_ACCOUNT):
        return redirect("my-phones")
    if request.htmx and request.htmx.target == "pulse":
        now = timezone.now()
        return render(request, "portal/_pulse.html", {"now": now, "pulse": pulse.of(request.actor, now)})
    template = "portal/_home.html" if request.htmx else "portal/home.html"
    return render(request, template, {"section": "home", **what_is_true(request)})


def what_is_true(request: PageRequest) -> dict[str, Any]:
    now = timezone.now()
    visible = Device.objects.visible_to(request.actor)
    counts = count_states(request.actor, visible, now)
    windows = Window.objects.visible_to(request.actor).open_or_coming(now).select_related("account")
    open_now = windows.filter(starts_at__lte=now)
    refused = (
        DeviceEvent.objects.visible_to(request.actor)
        .filter(
            what="request",
            outcome=Outcome.REFUSED.value,
            at__gt=now - timedelta(days=1),
            device__isnull=False,  # otherwise it was removed, or is another account's now
        )
        .exclude(rule__in=NOT_THERE)
    )
    unlocked = dressed(request.actor, in_state(request.actor, visible, "unlocked", now))
    return {
        "now": now,
        "may_open": request.actor.may_anywhere(Power.OPEN_WINDOW),
        "counts": counts,
        "refused": refused.order_by().values("device").distinct().count(),
        "open_windows": open_now.count(),
        "windows": list(open_now.order_by("ends_at")[:SHOWN]),
        "unlocked": phone_rows(unlocked[:SHOWN], now),
        "more_unlocked": max(0, counts["unlocked"] - SHOWN),
        "open_ends": left_open(visible, now),
        "edge_problem": edge_problem(request, now),
        "pulse": pulse.of(request.actor, now),
        "incidents": incidents.lines(incidents.seen_by(request.actor).going_on()[:SHOWN]),
        "turned_away": list(refused.select_related("device__account").order_by("-at")[:6]),
    }


def edge_problem(request: PageRequest, now: datetime) -> dict[str, Any] | None:
    """What the SIP edge did not pass on last; platform support alone can do something about it."""
    row = resync.edge_problem(now) if request.actor.may_anywhere(Power.STAFF_SITE) else None
    return {"at": row.answered_at, "told": resync.told(row)} if row else None


def left_open(visible: QuerySet[Device], now: datetime) -> dict[str, Any]:
    """Unlocks without an end that nobody has used for more than 7 days."""
    found = locking.left_open(now).filter(device__in=visible).select_related("device__account")
    return {"count": found.count(), "first": [lock.device for lock in found[:SHOWN]]}


@require_POST
def set_theme(request: PageRequest) -> HttpResponse:
    """Keep the choice of colours for a year, in a cookie that says nothing else."""
    response = redirect(back(request))
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE, theme, max_age=YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
        )
    return response
