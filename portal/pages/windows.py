"""Windows: which are open, who was let in, who is missing; opening one says its end before the click."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Device, Site
from portal.frame import home_account
from portal.pages.editing import SiteChoice
from portal.pages.forms import read_origin
from portal.templatetags.latchkey import when
from provisioning import policies, windows
from provisioning.models import Window
from security.networks import Network

LONGEST = 168
SHOWN = 100


class WindowForm(forms.Form):
    """Where, for how long, from when, and for which phones."""

    account = forms.ModelChoiceField(Account.objects.none(), to_field_name="slug", empty_label=None)
    address = forms.CharField(
        max_length=60,
        label="For which address?",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
        help_text="The public address of the place where the phones are.",
    )
    hours = forms.IntegerField(min_value=1, max_value=LONGEST, label="For how many hours?")
    starts = forms.DateTimeField(
        required=False,
        label="From when?",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M"],
        help_text="At most 14 days ahead, in the account's time. Empty: from now on.",
    )
    site = SiteChoice(
        Site.objects.none(), required=False, empty_label="All of the account's", label="Which phones?"
    )
    confirm = forms.IntegerField(required=False, min_value=0, label="How many phones is that?")

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.reachable_by(actor, Power.OPEN_WINDOW).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]
        if actor.address:
            self.fields["address"].help_text += f" You are at {actor.address} now."
        sites = Site.objects.visible_to(actor).select_related("account")
        self.fields["site"].queryset = sites  # type: ignore[attr-defined]

    def clean_address(self) -> Network:
        return read_origin(self.cleaned_data["address"])

    def clean(self) -> dict[str, Any]:
        kept = super().clean() or {}
        if kept.get("starts") and kept.get("account"):
            # What was typed is the wall clock of the account, not of the server.
            zone = ZoneInfo(kept["account"].time_zone)
            kept["starts"] = kept["starts"].replace(tzinfo=zone)
        return kept


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    now = timezone.now()
    visible = Window.objects.visible_to(request.actor).select_related("account", "site")
    over = Q(ends_at__lte=now) | Q(closed_at__isnull=False)
    context = {
        "section": "windows",
        "now": now,
        "open": visible.open_or_coming(now).order_by("starts_at"),
        "past": visible.filter(over).order_by("-ends_at")[:5],
        "may_open": request.actor.may_anywhere(Power.OPEN_WINDOW),
        "may_unlock_all": request.actor.may_anywhere(Power.UNLOCK_ALL),
    }
    return render(request, "provisioning/windows.html", context)


@needs(Power.OPEN_WINDOW)
def open_window(request: PageRequest) -> HttpResponse:
    """The form; `preview` says the end and the number of phones, and then the button opens it."""
    account = home_account(request.actor)
    initial = {"account": account.slug if account else None, "address": request.actor.address, "hours": 8}
    form = WindowForm(request.POST or None, actor=request.actor, initial=initial)
    said = foretold(form, request.actor) if request.method == "POST" and form.is_valid() else None
    if said and "preview" not in request.POST:
        with refused_into(form):
            kept = form.cleaned_data
            window = windows.open_window(
                kept["account"],
                by=request.actor,
                origin=kept["address"],
                hours=kept["hours"],
                starts=kept["starts"],
                site=kept["site"],
                confirm=kept["confirm"],
            )
            messages.success(
                request, f"The window for {window.network} closes {when(window.ends_at, said['zone'])}."
            )
            return redirect("window", code=window.code)
    context = {"section": "windows", "form": form, "said": said}
    return render(request, "provisioning/window_open.html", context)


def foretold(form: WindowForm, actor: Actor) -> dict[str, Any]:
    """What will happen, to how many phones, until which minute, in which zone."""
    kept = form.cleaned_data
    account: Account = kept["account"]
    starts: datetime = kept["starts"] or timezone.now()
    covers = windows.cover(account, site=kept["site"])
    everything = Device.objects.visible_to(actor).filter(account__path__startswith=account.path)
    everything = everything.filter(site=kept["site"]) if kept["site"] else everything
    return {
        "account": account,
        "origin": kept["address"],
        "site": kept["site"],
        "zone": account.time_zone,
        "starts": kept["starts"],
        "ends": starts + timedelta(hours=kept["hours"]),
        "hours": kept["hours"],
        "longest": policies.effective(account).window_max_hours,
        "covers": covers,
        "left_out": everything.count() - covers,
        "type_it": covers > windows.TYPED_ABOVE,
    }


@needs(Power.SEE_ACCOUNT)
def window(request: PageRequest, code: UUID) -> HttpResponse:
    visible = Window.objects.visible_to(request.actor).select_related("account", "site")
    shown = get_object_or_404(visible, code=code)
    now = timezone.now()
    missing = windows.missing(shown)
    is_over = shown.closed_at is not None or shown.ends_at <= now
    context = {
        "section": "windows",
        "window": shown,
        "zone": shown.account.time_zone,
        "state": "closed" if is_over else ("open" if shown.starts_at <= now else "coming"),
        "let_in": windows.let_in(shown)[:SHOWN],
        "missing": missing[:SHOWN],
        "missing_count": missing.count(),
        "may_close": not is_over and request.actor.may(Power.OPEN_WINDOW, shown.account.path),
    }
    template = "provisioning/_window.html" if request.htmx else "provisioning/window.html"
    return render(request, template, context)


@require_POST
@needs(Power.OPEN_WINDOW)
def close(request: PageRequest, code: UUID) -> HttpResponse:
    shown = get_object_or_404(Window.objects.visible_to(request.actor).select_related("account"), code=code)
    windows.close_window(shown, by=request.actor)
    messages.success(request, f"The window for {shown.network} is closed.")
    return redirect("windows")
