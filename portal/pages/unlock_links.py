"""Unlock links: a manager makes and ends them; whoever holds one lets the phone set itself up again."""

from contextlib import suppress
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.guards import PageRequest, View, needs, refused_into
from accounts.refusals import Refusal
from accounts.roles import Power
from devices.models import Device
from portal.my_words import link_refusal_words, said
from portal.pages.my_phones import BADGES, FollowedPhone, case_of, heard_at, look_again
from portal.pages.phone_frame import find_phone, frame_of
from portal.pages.rows import phone_rows
from portal.restart_words import restart_words, waiting_words
from provisioning import live_lines, unlock_links
from provisioning.models import Lock, UnlockLink
from security.networks import origin_of, parse_address

STOP_ASKING = 286  # what htmx takes as the last answer to a question that it repeats
#: Wrong links that an address may ask for within the time; then nothing is looked up for it.
MOST_WRONG, WRONG_TIME = 30, timedelta(minutes=10)


# --- a manager's side --------------------------------------------------------------------------------------


class LinkForm(forms.Form):
    """For whom a link is, and where it is sent to."""

    given_to = forms.CharField(
        required=False,
        max_length=120,
        label=gettext_lazy("For whom?"),
        help_text=gettext_lazy("Only for your own memory: the log and the audit say it."),
    )
    email = forms.EmailField(
        required=False,
        max_length=254,
        label=gettext_lazy("E-mail it to"),
        help_text=gettext_lazy("Leave it empty to send the link yourself."),
    )


@never_cache
@needs(Power.UNLOCK_DEVICE)
def make(request: PageRequest, code: UUID) -> HttpResponse:
    """Make a link for this phone; it is shown on the answer, and never again."""
    device = find_phone(request, code)
    form = LinkForm(request.POST if request.method == "POST" else None, label_suffix="")
    now = timezone.now()
    made = None
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            made = unlock_links.make(device, by=request.actor, **form.cleaned_data)
    context = {
        **frame_of(request, device, "unlock"),
        "form": form,
        "made": made,
        "open_links": unlock_links.open_links(device, now),
        "until": now + unlock_links.good_for(device),
    }
    return render(request, "devices/phone_link.html", context)


@require_POST
@needs(Power.UNLOCK_DEVICE)
def end(request: PageRequest, code: UUID, link: UUID) -> HttpResponse:
    """Take a link back."""
    device = find_phone(request, code)
    found = unlock_links.of_phone(device, link)
    if found is None:
        raise Http404
    unlock_links.end(found, by=request.actor)
    messages.success(request, _("The link is ended. Whoever opens it finds nothing."))
    return redirect("phone-link", code=device.code)


# --- the holder's side -------------------------------------------------------------------------------------


def private(view: View[[str]]) -> View[[str]]:
    """Nothing keeps the page, no search engine lists it, and no other site learns its address."""

    @wraps(view)
    def kept_private(request: PageRequest, secret: str) -> HttpResponse:
        response: HttpResponse = view(request, secret)  # type: ignore[assignment]
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return kept_private


# Who knows the secret needs no other proof that he means it; with `no-referrer` a browser's form could not
# give one either, for it says that it comes from nowhere.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@private
def link(request: PageRequest, secret: str) -> HttpResponse:
    """Say what the link does, and do it at the press of the one button; mail scanners press nothing."""
    now = timezone.now()
    address = request.caller_address  # type: ignore[attr-defined]
    if tried_too_often(address):
        return nothing(request, 429)
    found = unlock_links.find(secret, now=now)
    if found is None:
        count_wrong(address)
        return nothing(request, 404)
    if request.method == "POST":
        with suppress(Refusal):  # the page says why, to whoever loads it
            unlock_links.use(found, address=address, now=now)
        return redirect("unlock-link", secret=secret)
    template = "devices/_unlock_link.html" if request.htmx else "devices/unlock_link.html"
    return render(request, template, {"secret": secret, **what_is_true(found, address, now)})


def what_is_true(found: UnlockLink, address: str | None, now: datetime) -> dict[str, Any]:
    """What the holder reads: the question, why it cannot be done, or what the phone does since."""
    zone = found.account.time_zone
    shown = {"link": found, "maker": found.made_by.partition(" (")[0], "zone": zone, "now": now}
    if found.used_at is not None and found.device.account_id == found.account_id:
        phone = followed(found, address, now)
        return {**shown, "phone": phone, "again": phone.again, "refresh": phone.again}
    refusal = unlock_links.why_not(found, now=now)
    if refusal is not None:
        return {**shown, "why_not": link_refusal_words(refusal.code)}
    return {
        **shown,
        "device": found.device,
        "until": min(found.ends_at, now + unlock_links.good_for(found.device)),
        "would_end": now + unlock_links.good_for(found.device),
        "address": address,
        "here_only": unlock_links.scope_for(found.device, address, now=now) is not None,
    }


def followed(found: UnlockLink, address: str | None, now: datetime) -> FollowedPhone:
    """The phone since its link was used."""
    device: Device = found.device
    row = phone_rows([device], now)[0]
    lock: Lock = device.lock
    addresses = (address,) if address else ()
    lines = live_lines.lines_of([device], addresses=addresses, now=now, since=found.used_at)[device.pk]
    case = case_of(row, lines)
    look, words = BADGES[case]
    return FollowedPhone(
        device=device,
        case=case,
        look=look,
        badge=str(words),
        place="",
        heard_at=heard_at(row, lines),
        quiet=row.quiet,
        until=lock.grant_until if case == "ready" else None,
        started=lock.grant_given_at,
        zone=row.zone,
        restart=restart_words(device),
        waiting=waiting_words(device),
        lines=said(lines, zone=row.zone, now=now),
        again=look_again(case, lines, lock.grant_given_at, now),
    )


def nothing(request: PageRequest, status: int) -> HttpResponse:
    """One page for what was used up, ended, is over or never was: trying teaches nothing.

    A page that looks again by itself is told to stop, or it would count against its address for ever.
    """
    if request.htmx:
        return render(request, "devices/_unlock_link_nothing.html", status=STOP_ASKING)
    return render(request, "devices/unlock_link_nothing.html", status=status)


def tried_too_often(address: str | None) -> bool:
    return int(cache.get(_counter(address), 0)) >= MOST_WRONG


def count_wrong(address: str | None) -> None:
    name = _counter(address)
    cache.add(name, 0, timeout=int(WRONG_TIME.total_seconds()))
    with suppress(ValueError):  # its time ended in between
        cache.incr(name)


def _counter(address: str | None) -> str:
    return f"unlock-link-wrong:{origin_of(parse_address(address)).hex_first if address else 'nowhere'}"
