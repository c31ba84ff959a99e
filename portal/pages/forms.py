"""What people type on a phone's pages, read at the door."""

from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from accounts.refusals import Invalid
from accounts.speaking import told
from provisioning import locking
from security.networks import AddressError, Network, parse_network, parse_origin

SPANS = [
    ("7d", gettext_lazy("7 days")),
    ("24h", gettext_lazy("24 hours")),
    ("first-fetch", gettext_lazy("Until its first fetch")),
    ("hours", gettext_lazy("Some hours")),
]
MOST_HOURS = 40


def read_origin(text: str) -> Network:
    """One origin as a person types it; the form says what is wrong with it."""
    try:
        return parse_origin(text)
    except AddressError as error:
        raise forms.ValidationError(told(error.args[0])) from error


def said_origin(text: str) -> Network | None:
    """The one address that a button named; nothing when it named none."""
    try:
        return parse_origin(text) if text else None
    except AddressError as error:
        raise Invalid("origin", told(error.args[0])) from error


class NetworkField(forms.CharField):
    """One address or a network, as a person types it."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"class": "mono", "autocomplete": "off"})
        super().__init__(max_length=60, widget=widget, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return parse_network(text)
        except AddressError as error:
            raise forms.ValidationError(told(error.args[0])) from error


class SpanForm(forms.Form):
    """For how long."""

    span = forms.ChoiceField(choices=SPANS, label=gettext_lazy("For how long?"))
    hours = forms.IntegerField(
        min_value=1, max_value=MOST_HOURS, required=False, label=gettext_lazy("Hours, 1 to 40")
    )

    def clean(self) -> dict[str, Any]:
        kept = super().clean() or {}
        if kept.get("span") == "hours" and not kept.get("hours"):
            self.add_error("hours", gettext("How many? From 1 to 40."))
        return kept

    def chosen_span(self) -> locking.Span:
        chosen = self.cleaned_data["span"]
        return locking.Span.parse({"hours": self.cleaned_data["hours"]} if chosen == "hours" else chosen)


class UnlockForm(SpanForm):
    """For how long and from where one phone may be set up again."""

    scope = forms.ChoiceField(
        choices=[("any", gettext_lazy("Any address")), ("one", gettext_lazy("One address"))],
        label=gettext_lazy("From where?"),
    )
    address = forms.CharField(required=False, max_length=60, label=gettext_lazy("Which address?"))

    def clean(self) -> dict[str, Any]:
        kept = super().clean()
        if kept.get("scope") == "one" and not kept.get("address"):
            self.add_error("address", gettext("Which one? An IPv4 address, or an IPv6 /64."))
        return kept

    def clean_address(self) -> Network | None:
        text: str = self.cleaned_data["address"].strip()
        return read_origin(text) if text else None

    def origin(self) -> Network | None:
        return self.cleaned_data["address"] if self.cleaned_data["scope"] == "one" else None


class RearmForm(forms.Form):
    ship_on = forms.DateField(
        required=False,
        label=gettext_lazy("Ships on"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("At most 60 days ahead. Empty: from now on."),
    )


class QuarantineForm(forms.Form):
    reason = forms.CharField(
        max_length=200,
        label=gettext_lazy("Why?"),
        help_text=gettext_lazy("Stands in the phone's log and in the audit."),
    )
