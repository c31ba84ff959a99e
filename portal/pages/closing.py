"""Closing times: when nobody expects a site's phones to ask, and the holidays of a whole account."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, gettext_lazy

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from devices.models import Holiday, Site
from provisioning import closing, opening_hours

HELP = gettext_lazy("One a line: the date and its name, such as 2026-12-25 Christmas Day.")


class HolidaysForm(forms.Form):
    """Holidays, a line each."""

    holidays = forms.CharField(
        required=False,
        label=gettext_lazy("Holidays"),
        widget=forms.Textarea(attrs={"rows": 8, "class": "mono"}),
        help_text=HELP,
    )


class ClosingForm(HolidaysForm):
    """The week of a site, a line a day, and its holidays."""

    field_order = [f"day_{number}" for number in range(len(opening_hours.DAYS))]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number, name in enumerate(opening_hours.DAYS):
            self.fields[f"day_{number}"] = forms.CharField(
                label=gettext(name),
                required=False,
                max_length=120,
                widget=forms.TextInput(attrs={"class": "mono"}),
            )
        self.order_fields(self.field_order)

    def lines(self) -> list[str]:
        return [str(self.cleaned_data[f"day_{number}"]) for number in range(len(opening_hours.DAYS))]

    @property
    def days(self) -> list[forms.BoundField]:
        return [self[name] for name in self.field_order]


@needs(Power.EDIT_SITES)
def of_site(request: PageRequest, code: UUID) -> HttpResponse:
    site = get_object_or_404(Site.objects.visible_to(request.actor).select_related("account"), code=code)
    week = dict(zip(ClosingForm.field_order, opening_hours.say(site.opening), strict=True))
    form = ClosingForm(request.POST or None, initial={**week, "holidays": _text(site)})
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            days = closing.read_days(form.cleaned_data["holidays"])
            closing.set_times(site, by=request.actor, lines=form.lines(), days=days)
            messages.success(request, gettext("The closing times of {site} were kept.").format(site=site))
            return redirect("site", site.code)
    zone = site.time_zone or site.account.time_zone
    context = {"section": "sites", "form": form, "site": site, "account": site.account, "zone": zone}
    return render(request, "devices/closing.html", context)


@needs(Power.EDIT_SITES)
def of_account(request: PageRequest, slug: str) -> HttpResponse:
    account = get_object_or_404(Account.objects.visible_to(request.actor), slug=slug)
    form = HolidaysForm(request.POST or None, initial={"holidays": _text(account)})
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            days = closing.read_days(form.cleaned_data["holidays"])
            closing.set_holidays(account, by=request.actor, days=days)
            messages.success(request, gettext("The holidays of {account} were kept.").format(account=account))
            return redirect("sites")
    context = {"section": "sites", "form": form, "site": None, "account": account, "zone": account.time_zone}
    return render(request, "devices/closing.html", context)


def _text(target: Site | Account) -> str:
    rows: list[Holiday] = list(closing.holidays_of(target))
    return "\n".join(f"{row.day} {row.name}" for row in rows)
