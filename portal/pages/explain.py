"""What a phone would get from an address, and why."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.guards import PageRequest, needs, refused_into
from accounts.roles import Power
from accounts.speaking import told
from devices.mac import parse_mac
from provisioning import explaining
from security.networks import AddressError, parse_address, show_address


class ExplainForm(forms.Form):
    """Which phone, from where, and as what it calls itself."""

    mac = forms.CharField(
        max_length=40, label=gettext_lazy("MAC"), widget=forms.TextInput(attrs={"class": "mono"})
    )
    address = forms.CharField(
        max_length=60,
        label=gettext_lazy("From which address?"),
        widget=forms.TextInput(attrs={"class": "mono"}),
    )
    agent = forms.CharField(
        max_length=256,
        required=False,
        label=gettext_lazy("Agent"),
        help_text=gettext_lazy("As in the phone's log. Empty: as this phone says it."),
    )

    def clean_mac(self) -> str:
        try:
            return parse_mac(self.cleaned_data["mac"])
        except ValueError as error:
            raise forms.ValidationError(told(error.args[0])) from error

    def clean_address(self) -> str:
        try:
            return show_address(parse_address(self.cleaned_data["address"]))
        except AddressError as error:
            raise forms.ValidationError(told(error.args[0])) from error


@needs(Power.SEE_ACCOUNT)
def explain(request: PageRequest) -> HttpResponse:
    asked = "mac" in request.GET
    form = ExplainForm(request.GET if asked else None, initial={"address": request.actor.address})
    answer = None
    if asked and form.is_valid():
        with refused_into(form):
            kept: dict[str, Any] = form.cleaned_data
            answer = explaining.explain(
                mac=kept["mac"],
                address=kept["address"],
                agent=kept["agent"] or None,
                by=request.actor,
                now=timezone.now(),
            )
    return render(
        request, "provisioning/explain.html", {"section": "explain", "form": form, "answer": answer}
    )
