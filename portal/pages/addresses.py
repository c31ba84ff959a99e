"""The IP check: what stands against an address, how a ban ends there, and unknown phones to add."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, signed_in
from accounts.roles import Power
from accounts.speaking import told
from portal.pages.presence import presence_of
from provisioning import checking, standing, unblocking, unknown_phones
from provisioning.gate import Outcome
from provisioning.models import DeviceEvent
from security import bans
from security.networks import AddressError, show_address

MOST = 2000


@needs(Power.SEE_ACCOUNT)
def addresses(request: PageRequest) -> HttpResponse:
    now = timezone.now()
    refused = DeviceEvent.objects.visible_to(request.actor).filter(
        what="request", outcome=Outcome.REFUSED.value, at__gt=now - timedelta(days=1)
    )
    asked = request.GET.get("address", "").strip()[:60]
    context: dict[str, Any] = {
        "section": "addresses",
        "now": now,
        "rows": by_address(refused),
        "asked": asked,
        "mine": request.actor.address,
        "places": [place for place in request.actor.addresses if place != asked],
        "presence": presence_of(request, query=urlencode({"address": asked}) if asked else ""),
        "may_ask": request.actor.may_anywhere(Power.PROPOSE_ALLOWANCE),
        "may_lift": bans.may_see_all(request.actor),
    }
    if asked:
        try:
            context |= checked(asked, request, now)
        except AddressError as error:
            messages.error(request, told(error.args[0]))
    return render(request, "provisioning/addresses.html", context)


@needs(Power.EDIT_DEVICES)
def strangers(request: PageRequest) -> HttpResponse:
    """Phones that nobody has entered and that ask where the reader's own phones live, each to be added."""
    now = timezone.now()
    context = {
        "section": "unknown-phones",
        "now": now,
        "found": unknown_phones.seen_by(request.actor, now),
        "presence": presence_of(request),
    }
    template = "provisioning/_unknown_phones.html" if request.htmx else "provisioning/unknown_phones.html"
    return render(request, template, context)


def by_address(events: Any) -> list[dict[str, Any]]:
    """One row an address: how many tries, of which phones, by which rules, when last; the busiest first."""
    rows: dict[str, dict[str, Any]] = {}
    for event in events.select_related("account", "device").exclude(address="").order_by("-at")[:MOST]:
        row = rows.setdefault(
            event.address, {"address": event.address, "tries": 0, "phones": {}, "rules": set(), "last": event}
        )
        row["tries"] += event.count
        if event.device is not None:  # otherwise it was removed, or is another account's now
            row["phones"][event.mac] = event.device
        row["rules"].add(event.rule)
    made = [
        {**row, "phones": list(row["phones"].values()), "rules": sorted(row["rules"])}
        for row in rows.values()
    ]
    return sorted(made, key=lambda row: -row["tries"])


def checked(asked: str, request: PageRequest, now: datetime) -> dict[str, Any]:
    """What the page says of an address that is the reader's business."""
    found = checking.check(asked, by=request.actor, now=now)
    kinds = [(standing.KINDS[kind], count) for kind, count in found.kinds] if found else []
    voice = "well"
    if found and (found.banned or found.blocked):
        voice = "banned"
    elif found and found.failed:
        voice = "care"
    step = found.banned.step if found and found.banned else 0
    return {"found": found, "kinds": kinds, "voice": voice, "step": step}


@require_POST
@signed_in
def unblock(request: PageRequest) -> HttpResponse:
    """End the ban of an address where the reader is; back to the page that he came from."""
    asked = request.POST.get("address", "")[:60]
    try:
        ban = unblocking.unblock(asked, by=request.actor)
    except AddressError as error:
        messages.error(request, told(error.args[0]))
        return redirect("home")
    messages.success(
        request,
        _("%s is not banned any more. What failed there stays counted.") % show_address(ban.network.first),
    )
    if not request.actor.may_anywhere(Power.SEE_ACCOUNT):
        return redirect("my-phones")
    return redirect(f"{reverse('addresses')}?{urlencode({'address': asked})}")
