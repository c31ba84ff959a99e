"""Windows: which are open, who was let in, who is missing; opening one says its end before the click."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor, below
from devices.models import Device, Site
from portal.frame import home_account
from portal.pages.editing import SiteChoice
from portal.pages.forms import read_origin
from portal.pages.presence import presence_of
from portal.templatetags.latchkey import when
from provisioning import policies, windows
from provisioning.models import Window
from security.networks import Network

LONGEST = 168
SHOWN = 100
TICKS = 5


class WindowForm(forms.Form):
    """Where, for how long, from when, and for which phones."""

    account = forms.ModelChoiceField(
        Account.objects.none(),
        to_field_name="slug",
        empty_label=None,
        label=gettext_lazy("For which account?"),
    )
    address = forms.CharField(
        max_length=60,
        label=gettext_lazy("For which address?"),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )
    hours = forms.IntegerField(min_value=1, max_value=LONGEST, label=gettext_lazy("For how many hours?"))
    starts = forms.DateTimeField(
        required=False,
        label=gettext_lazy("From when?"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M"],
        help_text=gettext_lazy("At most 14 days ahead, by the clock of the account. Empty: from now on."),
    )
    site = SiteChoice(
        Site.objects.none(),
        required=False,
        empty_label=gettext_lazy("All of the account's"),
        label=gettext_lazy("Which phones?"),
    )
    confirm = forms.IntegerField(required=False, min_value=0, label=gettext_lazy("How many phones is that?"))

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.reachable_by(actor, Power.OPEN_WINDOW).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]
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
            if kept["starts"] > timezone.now() + windows.START_AHEAD:
                self.add_error(
                    "starts", _("At most {days} days ahead.").format(days=windows.START_AHEAD.days)
                )
            elif kept["starts"].year > 1:  # counted in hours that pass, whatever the clock does meanwhile
                kept["starts"] = kept["starts"].astimezone(UTC)
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
    """The form; `preview` says the end and the number of phones, and then the button opens it.

    For htmx the words and the buttons alone, while somebody moves the slider.
    """
    account = home_account(request.actor)
    initial = {
        "account": account.slug if account else None,
        "address": request.GET.get("address", "")[:60] or request.actor.address,
        "hours": 8,
    }
    data = request.POST.copy() if request.method == "POST" else None
    used = data.get("use") if data else None
    if data and used in request.actor.addresses:
        data["address"] = used
    form = WindowForm(data, actor=request.actor, initial=initial)
    said = foretold(form, request.actor) if data else None
    if request.htmx:
        context: dict[str, Any] = {"said": said, "confirms": bool(data and "confirm" in data), "live": True}
        return render(request, "provisioning/_window_end.html", context)
    if said and said["is_whole"] and not used and data and "preview" not in data:
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
            words = _("The window for %(network)s closes %(at)s.")
            ends = when(window.ends_at, said["zone"])
            messages.success(request, words % {"network": window.network, "at": ends})
            return redirect("window", code=window.code)
    longest = policies.effective(account).window_max_hours if account else LONGEST
    context = {
        "section": "windows",
        "form": form,
        "said": said if said and said["is_whole"] else None,
        "confirms": bool(said and said["type_it"]),
        "longest": said["longest"] if said else longest,
        "ticks": ticks(said["longest"] if said else longest),
        "places": [(place, place in request.actor.presence) for place in request.actor.addresses],
        "presence": presence_of(request),
    }
    return render(request, "provisioning/window_open.html", context)


def ticks(longest: int) -> list[int]:
    """The numbers below a slider that ends there."""
    return [1, *(round(longest * part / TICKS) for part in range(1, TICKS + 1))]


def foretold(form: WindowForm, actor: Actor) -> dict[str, Any] | None:
    """What will happen, to how many phones, until which minute, in which zone; None without an end.

    What can be said is said while the rest is still being typed.
    """
    is_whole, kept = form.is_valid(), form.cleaned_data
    account: Account | None = kept.get("account")
    if account is None or not kept.get("hours") or "starts" not in kept or "site" not in kept:
        return None
    starts: datetime = kept["starts"] or timezone.now()
    covers = windows.cover(account, site=kept["site"])
    everything = Device.objects.visible_to(actor).filter(below([account.path], "account__path"))
    everything = everything.filter(site=kept["site"]) if kept["site"] else everything
    longest = policies.effective(account).window_max_hours
    return {
        "is_whole": is_whole,
        "account": account,
        "origin": kept.get("address", ""),
        "site": kept["site"],
        "zone": account.time_zone,
        "zone_words": account.time_zone.rpartition("/")[2].replace("_", " "),
        "starts": kept["starts"],
        "ends": starts + timedelta(hours=kept["hours"]),
        "hours": kept["hours"],
        "longest": longest,
        "is_too_long": kept["hours"] > longest,
        "covers": covers,
        "left_out": everything.count() - covers,
        "type_it": covers > windows.TYPED_ABOVE,
    }


@needs(Power.SEE_ACCOUNT)
def window(request: PageRequest, code: UUID) -> HttpResponse:
    visible = Window.objects.visible_to(request.actor).select_related("account", "site")
    shown = get_object_or_404(visible, code=code)
    now = timezone.now()
    missing, let_in = windows.missing(shown), windows.let_in(shown)
    is_over = shown.closed_at is not None or shown.ends_at <= now
    context = {
        "section": "windows",
        "now": now,
        "window": shown,
        "zone": shown.account.time_zone,
        "state": "closed" if is_over else ("open" if shown.starts_at <= now else "coming"),
        "let_in": let_in[:SHOWN],
        "let_in_count": let_in.order_by().values("device").distinct().count(),
        "missing": missing[:SHOWN],
        "missing_count": missing.count(),
        "serves": windows.phones_of(shown).count(),
        "may_close": not is_over and request.actor.may(Power.OPEN_WINDOW, shown.account.path),
    }
    context["at_home"] = context["serves"] - context["let_in_count"] - context["missing_count"]
    template = "provisioning/_window.html" if request.htmx else "provisioning/window.html"
    return render(request, template, context)


@require_POST
@needs(Power.OPEN_WINDOW)
def close(request: PageRequest, code: UUID) -> HttpResponse:
    shown = get_object_or_404(Window.objects.visible_to(request.actor).select_related("account"), code=code)
    windows.close_window(shown, by=request.actor)
    messages.success(request, _("The window for %s is closed.") % shown.network)
    return redirect("windows")
