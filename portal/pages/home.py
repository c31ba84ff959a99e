"""The first page: what is true now, what waits, what is open."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, signed_in
from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Device
from portal.clone_cards import suspected_phones
from portal.frame import THEME_COOKIE, THEMES, home_account
from portal.kept import MANY, kept
from portal.pages import check_ins, incidents, pulse
from portal.refusals import back
from provisioning import health, locking, quiet_phones, resync, unknown_phones
from provisioning.gate import State
from provisioning.models import Approval, Lock, Window

SHOWN = 4
LEFT_OPEN = 1000
OPEN = Q(state=State.UNLOCKED.value, device__is_enabled=True)
A_DAY = timedelta(days=1)
YEAR = 365 * 24 * 3600


@signed_in
def home(request: PageRequest) -> HttpResponseBase:
    """A manager's morning; who manages nothing goes to his own phones."""
    if not request.actor.may_anywhere(Power.SEE_ACCOUNT):
        return redirect("my-phones")
    now = timezone.now()
    target = request.htmx.target if request.htmx else None
    if target == "pulse":
        return render(request, "portal/_pulse.html", {"now": now, "pulse": pulse.of(request.actor, now)})
    if target == "check-ins":
        return render(request, "portal/_check_ins.html", {"chart": charted(request, now)})
    context = {"section": "home", **what_is_true(request)}
    if request.htmx:
        return render(request, "portal/_home.html", context)
    context |= {"chart": charted(request, now), "pulse": pulse.of(request.actor, now)}
    return render(request, "portal/home.html", context)


def charted(request: PageRequest, now: datetime) -> check_ins.Chart:
    account = home_account(request.actor)
    return check_ins.chart(request.actor, account.time_zone if account else "UTC", now)


def what_is_true(request: PageRequest) -> dict[str, Any]:
    """What is refreshed every half minute: the sentence, the tiles, incidents, what is open."""
    now = timezone.now()
    visible = Device.objects.visible_to(request.actor)
    windows = Window.objects.visible_to(request.actor).open_or_coming(now).select_related("account")
    refused = health.turned_away(now).visible_to(request.actor)
    counts = counted(request.actor, visible, now)
    going = list(windows.order_by("starts_at", "ends_at")[: 2 * SHOWN])
    waiting = Approval.objects.visible_to(request.actor).filter(status=Approval.Status.OPEN)
    suspected = suspected_phones(request.actor, now).count()
    return {
        "now": now,
        "may_open": request.actor.may_anywhere(Power.OPEN_WINDOW),
        "may_add": request.actor.may_anywhere(Power.EDIT_DEVICES),
        "counts": counts,
        "on_time": counts["due"] - counts["quiet"],
        "longest_quiet": longest_quiet(visible, now) if counts["quiet"] else None,
        "locked_out": health.locked_out(refused).values("device").distinct().count(),
        "waiting_since": waiting.order_by("opened_at").values_list("opened_at", flat=True).first(),
        "clones": suspected,
        "windows": [window for window in going if window.starts_at <= now][:SHOWN],
        "coming": [window for window in going if window.starts_at > now][:SHOWN],
        "unlocked": list(unlocked(request.actor, now)[:SHOWN]),
        "more_unlocked": max(0, counts["unlocked"] - SHOWN),
        "open_ends": left_open(visible, now),
        "edge_problem": edge_problem(request, now),
        "strangers": len(unknown_phones.seen_by(request.actor, now)),
        "incidents": incidents.lines(incidents.seen_by(request.actor).going_on()[:SHOWN]),
        "turned_away": list(refused.select_related("device__account").order_by("-at")[:6]),
    }


def counted(by: Actor, visible: QuerySet[Device], now: datetime) -> dict[str, int]:
    """The numbers of the tiles."""
    return kept("home", by, {}, lambda: count(visible, now), is_large=lambda found: found["all"] > MANY)


def count(visible: QuerySet[Device], now: datetime) -> dict[str, int]:
    """The numbers of the tiles, in one query over the phones."""
    due, late = quiet_phones.waited_for(), quiet_phones.late(now)
    on = Q(is_enabled=True)
    still = Q(lock__grant_until__isnull=True) | Q(lock__grant_until__gt=now)
    return visible.order_by().aggregate(
        all=Count("pk"),
        new=Count("pk", filter=on & Q(lock__state=State.NEW.value)),
        unlocked=Count("pk", filter=on & Q(lock__state=State.UNLOCKED.value) & still),
        quiet=Count("pk", filter=late),
        due=Count("pk", filter=due),
        today=Count("pk", filter=Q(last_seen__at__gt=now - A_DAY)),
    )


def unlocked(by: Actor, now: datetime) -> QuerySet[Lock]:
    """The locks that are open, the one whose time ends first before the others."""
    return (
        Lock.objects.visible_to(by)
        .filter(OPEN, Q(grant_until=None) | Q(grant_until__gt=now))
        .select_related("device__account")
        .order_by(F("grant_until").asc(nulls_last=True), "device__name")
    )


def longest_quiet(visible: QuerySet[Device], now: datetime) -> Device | None:
    found: Device | None = (
        visible.filter(quiet_phones.late(now)).select_related("last_seen").order_by("last_seen__at").first()
    )
    return found


def edge_problem(request: PageRequest, now: datetime) -> dict[str, Any] | None:
    """What the SIP edge did not pass on last; platform support alone can do something about it."""
    row = resync.edge_problem(now) if request.actor.may_anywhere(Power.STAFF_SITE) else None
    return {"at": row.answered_at, "told": resync.told(row)} if row else None


def left_open(visible: QuerySet[Device], now: datetime) -> dict[str, Any]:
    """Unlocks without an end that nobody has used for more than 7 days."""
    rows = locking.left_open(now).filter(device__in=visible).select_related("device__account")
    found = [lock.device for lock in rows[:LEFT_OPEN]]
    return {"count": len(found), "first": found[:SHOWN]}


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
