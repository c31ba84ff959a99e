"""Sites and their networks: what "the same place" means for the phones that are bound to one."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Site
from portal.frame import home_account
from portal.pages.forms import said_origin
from provisioning import closing, opening_hours, sites
from security.networks import Network


class SiteForm(forms.Form):
    """A place: its name, its zone, its networks."""

    name = forms.CharField(max_length=120, label=gettext_lazy("Name"))
    networks = forms.CharField(
        required=False,
        label=gettext_lazy("Networks"),
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono"}),
        help_text=gettext_lazy("Public addresses or networks, one a line: IPv4 up to /24, IPv6 up to /48."),
    )
    time_zone = forms.CharField(
        required=False,
        max_length=60,
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy("Such as Europe/Berlin. Empty: the account's."),
    )

    def clean_networks(self) -> list[str]:
        return str(self.cleaned_data["networks"]).split()


class NewSiteForm(SiteForm):
    account = forms.ModelChoiceField(
        Account.objects.none(), to_field_name="slug", empty_label=None, label=gettext_lazy("Account")
    )
    field_order = ("account", "name", "networks", "time_zone")

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.reachable_by(actor, Power.EDIT_SITES).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    visible = Site.objects.visible_to(request.actor).select_related("account").prefetch_related("networks")
    counted = visible.annotate(
        phones=Count("devices", distinct=True), bound=Count("bound_locks", distinct=True)
    ).order_by("account__path", "name")
    shown = [{"site": site, "networks": [str(n) for n in networks(site)]} for site in counted[:500]]
    context = {
        "section": "sites",
        "adds": said_origin(request.GET.get("address", "")),
        "sites": shown,
        "may_edit": request.actor.may_anywhere(Power.EDIT_SITES),
        "home": home_account(request.actor),
    }
    return render(request, "devices/sites.html", context)


def networks(site: Site) -> list[Network]:
    """The site's networks out of what was fetched with it."""
    return [Network.from_hex(row.first, row.last) for row in site.networks.all()]


@needs(Power.EDIT_SITES)
def add(request: PageRequest) -> HttpResponse:
    asked = said_origin(request.GET.get("address", ""))
    initial = {"networks": str(asked) if asked else ""}
    form = NewSiteForm(request.POST or None, actor=request.actor, initial=initial)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            kept = form.cleaned_data
            site = sites.create(kept.pop("account"), by=request.actor, **kept)
            messages.success(request, gettext("{site} was added.").format(site=site))
            return redirect("sites")
    return render(request, "devices/site_form.html", {"section": "sites", "form": form, "site": None})


@needs(Power.EDIT_SITES)
def edit(request: PageRequest, code: UUID) -> HttpResponse:
    visible = Site.objects.visible_to(request.actor).select_related("account").prefetch_related("networks")
    site = get_object_or_404(visible, code=code)
    kept, asked = networks(site), said_origin(request.GET.get("address", ""))
    if asked is not None and not any(network.holds(asked) for network in kept):
        kept.append(asked)
    initial = {"name": site.name, "time_zone": site.time_zone, "networks": "\n".join(map(str, kept))}
    form = SiteForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            sites.change(site, by=request.actor, **form.cleaned_data)
            messages.success(
                request, gettext("The site was changed. Phones bound to it are bound to it as it is now.")
            )
            return redirect("sites")
    hours = zip(opening_hours.DAYS, opening_hours.say(site.opening), strict=True)
    context = {
        "section": "sites",
        "form": form,
        "site": site,
        "bound": site.bound_locks.count(),
        "week": [] if site.opening is None else list(hours),
        "holidays": closing.holidays_of(site).filter(day__gte=timezone.now().date())[:8],
    }
    return render(request, "devices/site_form.html", context)


@needs(Power.EDIT_SITES)
def remove(request: PageRequest, code: UUID) -> HttpResponse:
    visible = Site.objects.visible_to(request.actor).select_related("account")
    site = get_object_or_404(visible, code=code)
    if request.method == "POST":
        sites.remove(site, by=request.actor)
        messages.success(request, gettext("{site} was removed.").format(site=site))
        return redirect("sites")
    return render(
        request,
        "devices/site_remove.html",
        {"section": "sites", "site": site, "bound": site.bound_locks.count()},
    )
