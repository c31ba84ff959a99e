"""The end user's page: one card a phone, one sentence, one button; none of the trade's words."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, signed_in
from accounts.scope import Actor
from devices.models import Device
from portal.frame import home_account
from portal.pages.forms import said_origin
from portal.pages.phone import OTHERS_NAMED
from portal.pages.phones import dressed
from portal.pages.presence import presence_of
from portal.pages.rows import PhoneRow, phone_rows
from portal.templatetags.latchkey import when_long
from provisioning import facts, locking, policies
from provisioning.gate import State
from provisioning.models import LastSeen, Lock
from provisioning.quiet_phones import Lapse
from security.networks import Network, parse_address


@dataclass(frozen=True, slots=True)
class MyPhone:
    """A phone as its owner sees it."""

    device: Device
    look: str
    badge: str
    place: str
    seen: LastSeen | None
    quiet: Lapse | None
    until: datetime | None
    started: datetime | None
    would_end: datetime
    scoped_to: Network | None
    others: list[str]
    offers: str
    zone: str
    extensions: str


BADGES = {
    "ready": ("unlocked", "Ready to set itself up"),
    "away": ("waiting", "Turned away"),
    "works": ("full", "Works"),
    "fresh": ("new", "Not set up yet"),
    "shut": ("disabled", "Switched off"),
    "closed": ("locked", "Not set up here"),
}


def my_phone(row: PhoneRow, by: Actor, now: datetime) -> MyPhone:
    """What the owner is told, and which button he gets: big, hidden in a fold, or none."""
    device = row.device
    lock: Lock = device.lock
    case = case_of(row)
    here = locking.scope_by_presence(device, by=by, now=now)
    others = [origin for origin in locking.tried_at(device, now=now) if origin != here]
    offers = {"away": "big", "closed": "big", "works": "fold"}.get(case, "")
    look, words = BADGES[case]
    return MyPhone(
        device=device,
        look=look,
        badge=words,
        place=lock.bound_site.name if lock.bound_site else "",
        seen=row.seen,
        quiet=row.quiet,
        until=lock.grant_until if case == "ready" else None,
        started=lock.grant_given_at,
        would_end=now + policies.effective(device.account).user_unlock_ttl,
        scoped_to=here,
        others=[str(origin) for origin in others][:OTHERS_NAMED],
        offers="ask" if offers and row.lock.suspicion and not here else offers,
        zone=row.zone,
        extensions=row.extensions,
    )


def case_of(row: PhoneRow) -> str:
    """Which of the owner's few cases this is."""
    if row.state in ("disabled", State.QUARANTINED.value, State.RETIRED.value):
        return "shut"
    if row.state == State.UNLOCKED.value:
        return "ready"
    if row.state == State.NEW.value:
        return "fresh"
    if row.is_waiting:
        return "away"
    return "works" if row.seen else "closed"


@signed_in
def my_phones(request: PageRequest) -> HttpResponse:
    now = timezone.now()
    own = Device.objects.visible_to(request.actor).filter(owner=request.actor.user)
    account = home_account(request.actor)
    context = {
        "phones": [my_phone(row, request.actor, now) for row in phone_rows(dressed(request.actor, own), now)],
        "address": request.actor.address,
        "presence": presence_of(request),
        "banned": [
            place for place in request.actor.addresses if facts.standing_of(parse_address(place), now)[0]
        ],
        "account": account,
        "zone": account.time_zone if account else "UTC",
        "now": now,
    }
    return render(request, "devices/_my_phones.html" if request.htmx else "devices/my_phones.html", context)


@require_POST
@signed_in
def allow(request: PageRequest, code: UUID) -> HttpResponse:
    """Let his phone set itself up again; how often and how long is the verb's question."""
    own = Device.objects.visible_to(request.actor).select_related("account", "owner")
    device = get_object_or_404(own, code=code)
    origin = said_origin(request.POST.get("origin", ""))
    lock = locking.allow_reprovision(device, by=request.actor, origin=origin)
    end = f"Until {when_long(lock.grant_until, device.account.time_zone)}. " if lock.grant_until else ""
    messages.success(
        request, f"{device} may set itself up, once. {end}Pull its plug, count to ten, plug it in again."
    )
    return redirect("my-phones")
