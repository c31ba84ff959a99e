"""One phone's pages: what is true of it, its lines, its log, and the rare things."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, refused_into
from accounts.roles import Power
from devices.models import Device
from portal.clone_cards import clone_of
from portal.hardening_card import hardening_card
from portal.model_words import model_words
from portal.pages.approvals import cards_of
from portal.pages.forms import QuarantineForm, RearmForm, UnlockForm, said_origin
from portal.pages.log import events_of, log_lines, of_kind
from portal.pages.phone_frame import find_phone as find_phone
from portal.pages.phone_frame import frame_of as frame_of
from portal.pages.presence import presence_of
from portal.resync_card import resync_card
from portal.templatetags.latchkey import when
from provisioning import locking, policies, taking_back, unlock_links
from provisioning.models import Approval

OTHERS_NAMED = 5


@needs(Power.SEE_ACCOUNT)
def overview(request: PageRequest, code: UUID) -> HttpResponse:
    """The page; asked by htmx what changes by itself: the verdict, or on another tab the badges."""
    device = find_phone(request, code)
    if request.htmx and request.htmx.target == "badges":
        return render(request, "devices/_badges.html", frame_of(request, device, ""))
    frame = frame_of(request, device, "overview")
    cards = Approval.objects.visible_to(request.actor).select_related("account", "device__account")
    cards = cards.select_related("device__owner", "device__lock__bound_site")
    waiting = cards.filter(device=device, status=Approval.Status.OPEN, closes_at__gt=frame["now"])[:1]
    context = {
        **frame,
        "card": next(iter(cards_of(list(waiting), request.actor, frame["now"])), None),
        "history": log_lines(of_kind(events_of(request, device), "lock")[:6]),
    }
    if request.htmx:
        return render(request, "devices/_phone_news.html", {**context, "is_news": True})
    context |= {
        "clone": clone_of(device, request.actor, frame["now"]),
        "resync": resync_card(device, device.lock, request.actor),
        "hardening": hardening_card(device, request.actor),
        "model": model_words(device, frame["row"].seen.firmware if frame["row"].seen else None),
    }
    return render(request, "devices/phone.html", context)


@needs(Power.SEE_ACCOUNT)
def advanced(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    context = {
        **frame_of(request, device, "advanced"),
        "taken": taking_back.offered(device),
        "open_links": unlock_links.open_links(device, timezone.now()),
        "allow_until": timezone.now() + policies.effective(device.account).user_unlock_ttl,
        **scope_of(request, device, timezone.now()),
    }
    return render(request, "devices/phone_advanced.html", context)


@needs(Power.UNLOCK_DEVICE)
def unlock(request: PageRequest, code: UUID) -> HttpResponse:
    """The unlock menu: for how long, from where; says each end before the click."""
    device = find_phone(request, code)
    now = timezone.now()
    scope = scope_of(request, device, now)
    scoped_to = scope["scoped_to"]
    frame = frame_of(request, device, "unlock")
    only_one = scoped_to is not None or frame["lock"].suspicion
    asked = request.GET.get("address", "")[:60]  # by the button beside a line of the log
    initial = {"span": "7d", "scope": "one" if only_one or asked else "any", "hours": 8}
    initial["address"] = asked or scoped_to
    form = UnlockForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            lock = locking.unlock(device, by=request.actor, span=form.chosen_span(), origin=form.origin())
            messages.success(request, unlocked_words(device, lock.grant_until))
            return redirect("phone", code=device.code)
    context = {**frame, "form": form, "only_one": only_one, **scope, **ends(device, now)}
    # Under suspicion whoever was refused is nobody to be let in by a careless click.
    tried = "" if frame["lock"].suspicion else next(iter(scope["others"]), "")
    context["address"] = form["address"].value() or tried
    return render(request, "devices/phone_unlock.html", context)


def ends(device: Device, now: datetime) -> dict[str, Any]:
    """How long each choice lasts and when it would end."""
    ttl = policies.effective(device.account).manager_unlock_ttl
    return {
        "ttl": ttl,
        "in_ttl": now + ttl,
        "in_24h": now + timedelta(hours=24),
        "in_8h": now + timedelta(hours=8),
    }


def scope_of(request: PageRequest, device: Device, now: datetime) -> dict[str, Any]:
    """Whether an unlock is for the reader's own address, where else it was refused, how he proves it."""
    scoped_to = locking.scope_by_presence(device, by=request.actor, now=now)
    tried = locking.tried_at(device, now=now)
    others = [str(origin) for origin in tried if origin != scoped_to][:OTHERS_NAMED]
    return {
        "scoped_to": scoped_to,
        "others": others,
        "others_said": format_html_join(", ", '<span class="mono">{}</span>', ((other,) for other in others)),
        "presence": presence_of(request),
    }


def unlocked_words(device: Device, until: datetime | None) -> str:
    if until is None:
        said = _("%(phone)s may be set up until its first fetch. It then locks to the place it asked from.")
        return said % {"phone": device}
    said = _("%(phone)s may be set up until %(end)s, once. It then locks to the place it asked from.")
    return said % {"phone": device, "end": when(until, device.account.time_zone)}


@require_POST
@needs(Power.UNLOCK_DEVICE)
def allow_reprovision(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    origin = said_origin(request.POST.get("origin", ""))
    lock = locking.allow_reprovision(device, by=request.actor, origin=origin)
    messages.success(request, unlocked_words(device, lock.grant_until))
    return redirect("phone-advanced", code=device.code)


@require_POST
@needs(Power.UNLOCK_DEVICE)
def lock_again(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    locking.lock_again(device, by=request.actor)
    messages.success(request, _("%(phone)s is locked again.") % {"phone": device})
    return redirect("phone", code=device.code)


@needs(Power.REARM_DEVICE)
def rearm(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    form = RearmForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        ship_on: date | None = form.cleaned_data["ship_on"]
        locking.rearm(device, by=request.actor, ship_on=ship_on)
        said = _("%(phone)s is new again from %(day)s.") if ship_on else _("%(phone)s is new again.")
        places = {"phone": device, "day": f"{ship_on:%a %-d %b %Y}" if ship_on else ""}
        messages.success(request, said % places)
        return redirect("phone", code=device.code)
    context = {**frame_of(request, device, "rearm"), "form": form}
    context["fresh"] = policies.effective(device.account).fresh_ttl
    return render(request, "devices/phone_rearm.html", context)


@needs(Power.QUARANTINE_DEVICE)
def quarantine(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    form = QuarantineForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        locking.quarantine(device, by=request.actor, reason=form.cleaned_data["reason"])
        messages.success(
            request, _("%(phone)s is quarantined. It gets nothing from anywhere.") % {"phone": device}
        )
        return redirect("phone", code=device.code)
    return render(
        request, "devices/phone_quarantine.html", {**frame_of(request, device, "quarantine"), "form": form}
    )
