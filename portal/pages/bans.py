"""Bans and blocks: support sets and lifts them, everybody else sees those that hit his own phones (B7)."""

from datetime import timedelta
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, refused_into
from accounts.roles import Power
from portal.pages.forms import NetworkField
from provisioning import checking
from security import bans
from security.models import Ban

SHOWN = 200


class BanForm(forms.Form):
    """Who is kept out, from what, for how long and why."""

    network = NetworkField(label=gettext_lazy("Which address or network?"))
    kind = forms.ChoiceField(
        choices=[
            (Ban.Kind.BANNED.value, gettext_lazy("Banned: no new setups, working phones go on")),
            (Ban.Kind.BLOCKED.value, gettext_lazy("Blocked: nothing at all, working phones included")),
        ],
        label=gettext_lazy("From what?"),
    )
    length = forms.IntegerField(
        min_value=1,
        max_value=90 * 24,
        initial=1,
        label=gettext_lazy("For how many hours?"),
        help_text=gettext_lazy("A ban lasts at most 24 hours, a block at most 90 days (2,160 hours)."),
    )
    reason = forms.CharField(
        max_length=300, label=gettext_lazy("Why?"), help_text=gettext_lazy("It stands in the audit.")
    )


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    now = timezone.now()
    seen = checking.bans_seen_by(request.actor, now)
    standing = seen.standing(now).order_by("ends_at")
    context = {
        "section": "bans",
        "now": now,
        "standing": standing[:SHOWN],
        "past": seen.exclude(pk__in=standing.values("pk")).order_by("-starts_at")[:20],
        "may_set": bans.may_see_all(request.actor),
    }
    return render(request, "provisioning/bans.html", context)


@needs(Power.LIFT_BAN)
def add(request: PageRequest) -> HttpResponse:
    asked = {"network": request.GET.get("network", "")[:60]}
    if request.GET.get("kind") == Ban.Kind.BLOCKED.value:
        asked["kind"] = Ban.Kind.BLOCKED.value
    form = BanForm(request.POST or None, initial=asked)
    if request.method == "POST" and form.is_valid():
        kept = form.cleaned_data
        keep_out = bans.block if kept["kind"] == Ban.Kind.BLOCKED else bans.set_ban
        with refused_into(form):
            length = timedelta(hours=kept["length"])
            ban = keep_out(kept["network"], by=request.actor, length=length, reason=kept["reason"])
            said = gettext("{network} is banned.")
            if ban.kind == Ban.Kind.BLOCKED:
                said = gettext("{network} is blocked.")
            messages.success(request, said.format(network=ban.network))
            return redirect("bans")
    return render(request, "provisioning/ban_add.html", {"section": "bans", "form": form})


@require_POST
@needs(Power.SEE_ACCOUNT)
def lift(request: PageRequest, code: UUID) -> HttpResponse:
    seen = checking.bans_seen_by(request.actor, timezone.now())
    ban = bans.lift(get_object_or_404(seen, code=code), by=request.actor)
    said = gettext("{network} is not banned any more.")
    if ban.kind == Ban.Kind.BLOCKED:
        said = gettext("{network} is not blocked any more.")
    messages.success(request, said.format(network=ban.network))
    return redirect("bans")
