"""What a manager does about a phone in wrong hands: take it back, answer a suspected clone; E8 lets it go."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from accounts.guards import PageRequest, needs, refused_into
from accounts.refusals import Forbidden
from accounts.roles import Power
from devices.models import Device
from portal.clone_cards import clone_of
from portal.pages.forms import SPANS, read_origin
from portal.pages.phone import find_phone, frame_of
from portal.templatetags.latchkey import when
from provisioning import clones, describing, locking, suspicion, taking_back
from provisioning.gate import State
from provisioning.models import Claim, Lock
from security.networks import Network

SHORT_LIST = 8
TOLD = {
    clones.TAKE_BACK: gettext_lazy("{phone} was taken back. What the other one holds is dead."),
    clones.MOVED: gettext_lazy("{phone} stays where it is. Its former private URL is dead."),
    clones.SECRETS: gettext_lazy(
        "{phone} stays where it is. Its former private URL is dead, and its extensions have new secrets."
    ),
}


# --- take back ---------------------------------------------------------------------------------------------


class TakeBackForm(forms.Form):
    """Which first fetch was not the phone's."""

    claim = forms.ChoiceField(label=gettext_lazy("Which one was not your phone?"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, choices: list[Claim], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.claims = {str(claim.code): claim for claim in choices}
        self.fields["claim"].choices = [(code, str(claim)) for code, claim in self.claims.items()]  # type: ignore[attr-defined]

    def clean_claim(self) -> Claim:
        return self.claims[self.cleaned_data["claim"]]


@needs(Power.TAKE_BACK)
def take_back(request: PageRequest, code: UUID) -> HttpResponse:
    """A short list of the times it was set up, the offered one chosen, and what will happen (E16)."""
    device = find_phone(request, code)
    choices = taking_back.choices(device)
    offered = taking_back.offered(device)
    named = request.GET.get("claim") or (str(offered.code) if offered else "")
    form = TakeBackForm(request.POST or None, choices=choices, initial={"claim": named})
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            lock = taking_back.take_back(device, by=request.actor, claim=form.cleaned_data["claim"])
            messages.success(request, taken_back_words(device, lock))
            return redirect("phone", code=device.code)
    chosen = form["claim"].value()
    shown = [claim for at, claim in enumerate(choices) if at < SHORT_LIST or str(claim.code) == chosen]
    context = {
        **frame_of(request, device, "advanced"),
        "form": form,
        "choices": [(claim, before_words(claim, device), str(claim.code) == chosen) for claim in shown],
        "left_out": len(choices) - len(shown),
        "offered": offered,
    }
    return render(request, "devices/phone_take_back.html", context)


def taken_back_words(device: Device, lock: Lock) -> str:
    bound = describing.bound_origin(lock)
    said = gettext(
        "{phone} was taken back. It is locked to no place. Whoever else set it up has nothing any more."
    )
    if bound:
        said = gettext(
            "{phone} was taken back. It is locked to {place} again."
            " Whoever else set it up has nothing any more."
        )
    return said.format(phone=device, place=bound)


def before_words(claim: Claim, device: Device) -> str:
    """What the phone comes back to when this claim is undone."""
    before: dict[str, Any] = claim.before
    if before.get("site"):
        site = device.account.sites.filter(code=before["site"]).first()
        gone = gettext("It goes back to no place: its site is gone.")
        return gettext("It goes back to {place}.").format(place=site.name) if site else gone
    if before.get("state") == State.NEW.value:
        return gettext("It goes back to no place: nobody had set it up before.")
    first, last = before.get("bound") or ("", "")
    if not first:
        return gettext("It goes back to no place.")
    return gettext("It goes back to {place}.").format(place=Network.from_hex(first, last))


# --- a suspected clone -------------------------------------------------------------------------------------


@needs(Power.TAKE_BACK)
def clone(request: PageRequest, code: UUID) -> HttpResponse:
    """Say first what an answer does, then give it (T3)."""
    device = find_phone(request, code)
    decision = request.POST.get("decision") or request.GET.get("decision", "")
    if decision not in clones.ANSWERS:
        raise Http404
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            clones.answer(device, by=request.actor, decision=decision)
            messages.success(request, TOLD[decision].format(phone=device))
            return redirect("phone", code=device.code)
    context = {
        **frame_of(request, device, "overview"),
        "form": form,
        "decision": decision,
        "clone": clone_of(device, request.actor, timezone.now()),
        "lines": shown_lines(device),
    }
    return render(request, "devices/phone_clone.html", context)


def shown_lines(device: Device) -> list[tuple[str, int]]:
    """The phone's extensions, each with the number of phones that show it."""
    appearances = device.appearances.select_related("extension").prefetch_related("extension__appearances")
    found = {row.extension: {one.device_id for one in row.extension.appearances.all()} for row in appearances}
    return [(str(extension), len(phones)) for extension, phones in found.items()]


# --- release -----------------------------------------------------------------------------------------------


class ReleaseForm(forms.Form):
    """Why a phone is let go, and whether it is unlocked at once."""

    reason = forms.CharField(
        max_length=300,
        label=gettext_lazy("Why?"),
        help_text=gettext_lazy("Stands in the phone's log and in the audit."),
    )
    then = forms.ChoiceField(
        choices=[("locked", gettext_lazy("Locked")), ("unlocked", gettext_lazy("Unlocked"))],
        label=gettext_lazy("And then?"),
    )
    span = forms.ChoiceField(
        choices=SPANS[:3], required=False, initial="24h", label=gettext_lazy("For how long?")
    )
    origin = forms.CharField(
        max_length=60,
        required=False,
        label=gettext_lazy("For which address only?"),
        help_text=gettext_lazy("An IPv4 address, or an IPv6 address (its /64 counts). Empty: any address."),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )

    def clean_origin(self) -> Network | None:
        text: str = self.cleaned_data["origin"].strip()
        return read_origin(text) if text else None

    def unlock(self) -> dict[str, Any]:
        """What the verb is told of an unlock; nothing for *locked*."""
        if self.cleaned_data["then"] == "locked":
            return {}
        span = locking.Span.parse(self.cleaned_data["span"] or "24h")
        return {"unlock": span, "origin": self.cleaned_data["origin"]}


@needs(Power.SEE_ACCOUNT)
def release(request: PageRequest, code: UUID) -> HttpResponse:
    """Lift suspicion and quarantine, for those who stand above the account (E8)."""
    device = find_phone(request, code)
    if not request.actor.may(Power.RELEASE_DEVICE, device.account.path):
        raise Forbidden
    form = ReleaseForm(request.POST or None, initial={"then": "locked", "span": "24h"})
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            lock = suspicion.release(
                device, by=request.actor, reason=form.cleaned_data["reason"], **form.unlock()
            )
            messages.success(request, released_words(device, lock))
            return redirect("phone", code=device.code)
    context = {**frame_of(request, device, "advanced"), "form": form}
    return render(request, "devices/phone_release.html", context)


def released_words(device: Device, lock: Lock) -> str:
    if lock.grant_given_at is None:
        return gettext("{phone} is released. Its lock is as it was before.").format(phone=device)
    places = {
        "phone": device,
        "place": lock.grant_origin,
        "until": when(lock.grant_until, device.account.time_zone),
    }
    if lock.grant_until and lock.grant_origin:
        said = gettext("{phone} is released, and may be set up once from {place} only, until {until}.")
    elif lock.grant_until:
        said = gettext("{phone} is released, and may be set up once, until {until}.")
    elif lock.grant_origin:
        said = gettext("{phone} is released, and may be set up once from {place} only, without an end.")
    else:
        said = gettext("{phone} is released, and may be set up once, without an end.")
    return said.format(**places)
