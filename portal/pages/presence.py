"""Proof of where a person is: what a page needs to ask for it, and where the phones' host sends him back."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import presence
from accounts.guards import PageRequest, signed_in
from security import address_proof

LONGEST = 200
OVER = gettext_lazy("That took longer than a minute, or was not asked for here. Try it once more.")


@dataclass(frozen=True, slots=True)
class Way:
    """One form that goes to the phones' host: by one address family, or by whichever the browser takes."""

    name: str
    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Presence:
    """What a page shows of where its reader is, and how he proves it."""

    nonce: str
    ways: list[Way]
    proved: tuple[str, ...]


def presence_of(request: PageRequest, *, query: str = "") -> Presence:
    """The ways to prove an address that lead back to this very page, as it was asked for."""
    found = (
        ("v4", settings.PHONES_URL_V4, gettext("Prove my IPv4 address")),
        ("v6", settings.PHONES_URL_V6, gettext("Prove my IPv6 address")),
    )
    ways = [Way(name, f"{url}/.me", words) for name, url, words in found if url]
    return Presence(
        nonce=presence.nonce_for(request.session, f"{request.path}?{query}" if query else request.path),
        ways=ways or [Way("any", f"{settings.PHONES_URL}/.me", gettext("Prove where I am"))],
        proved=request.actor.presence,
    )


@require_safe
@never_cache
@signed_in
def land(request: PageRequest) -> HttpResponse:
    """Keep the address that the phones' host has signed for a page of this session, and go back there."""
    proof = {name: request.GET.get(name, "")[:LONGEST] for name in ("nonce", "address", "until", "mac")}
    place, now = presence.place_of(request.session, proof["nonce"]), timezone.now()
    key = address_proof.proof_key(settings.TOKEN_KEY)
    if place is None or not address_proof.verify(key, **proof, now=now.timestamp()):
        messages.error(request, OVER)
        return redirect(place or "home")
    presence.remember(request.session, proof["address"], now=now)
    minutes = int(presence.KEPT.total_seconds() // 60)
    messages.success(
        request,
        gettext("You are at {value}. That counts here for {minutes} minutes.").format(
            value=proof["address"], minutes=minutes
        ),
    )
    return redirect(place)
