"""A phone goes out of use, gets other hardware or another account; each page says first what that does."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.scope import Actor
from accounts.speaking import told
from devices.catalog import catalog
from devices.mac import parse_mac, pretty
from devices.models import Device
from portal.pages.phone import find_phone, frame_of
from portal.pages.taking_back import shown_lines
from provisioning import moving, retiring, swapping


@needs(Power.RETIRE_DEVICE)
def retire(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            retiring.retire(device, by=request.actor)
            messages.success(
                request,
                gettext("{device} is retired. It gets one last file without accounts.").format(device=device),
            )
            return redirect("phone", code=device.code)
    context = {
        **frame_of(request, device, "advanced"),
        "form": form,
        "lines": shown_lines(device),
        "until": timezone.now() + retiring.LAST_FILES_FOR,
    }
    return render(request, "devices/phone_retire.html", context)


# --- other hardware ----------------------------------------------------------------------------------------


class SwapForm(forms.Form):
    """The new hardware."""

    mac = forms.CharField(
        max_length=40,
        label=gettext_lazy("MAC of the new phone"),
        help_text=gettext_lazy("As on its label: with colons, dashes, dots or nothing between the digits."),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    model = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Its model"),
        help_text=gettext_lazy("Of the same make; its keys have to fit."),
    )

    def __init__(self, *args: Any, device: Device, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        family = catalog().families.get(device.family)
        others = [name for name in (family.models if family else ()) if name != device.model]
        choices = [
            ("", gettext("{model}, as before").format(model=device.model)),
            *((name, name) for name in others),
        ]
        self.fields["model"].choices = choices  # type: ignore[attr-defined]

    def clean_mac(self) -> str:
        try:
            return parse_mac(self.cleaned_data["mac"])
        except ValueError as error:
            raise forms.ValidationError(told(error.args[0])) from error


@needs(Power.EDIT_DEVICES)
def swap(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    form = SwapForm(request.POST or None, device=device)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            swapped = swapping.swap(device, by=request.actor, **form.cleaned_data)
            messages.success(
                request,
                gettext("{swapped} is {pretty} now. The old hardware gets nothing any more.").format(
                    swapped=swapped, pretty=pretty(swapped.mac)
                ),
            )
            return redirect("phone", code=device.code)
    context = {**frame_of(request, device, "advanced"), "form": form, "lines": shown_lines(device)}
    return render(request, "devices/phone_swap.html", context)


# --- another account ---------------------------------------------------------------------------------------


class MoveForm(forms.Form):
    """Where the phone goes, and what it is called there."""

    account = forms.ModelChoiceField(
        Account.objects.none(),
        to_field_name="slug",
        label=gettext_lazy("To which account?"),
        empty_label=gettext_lazy("Choose one"),
    )
    name = forms.CharField(
        max_length=120,
        required=False,
        label=gettext_lazy("Name there"),
        help_text=gettext_lazy("Empty: its MAC, until it is named."),
    )

    def __init__(self, *args: Any, actor: Actor, device: Device, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reach = Account.objects.reachable_by(actor, Power.MOVE_DEVICE).order_by("path")
        self.fields["account"].queryset = reach.exclude(pk=device.account_id)  # type: ignore[attr-defined]


@needs(Power.SEE_ACCOUNT)
def move(request: PageRequest, code: UUID) -> HttpResponse:
    """For those who have the power over both accounts (E17)."""
    device = find_phone(request, code)
    if not request.actor.may(Power.MOVE_DEVICE, device.account.path):
        raise Forbidden
    form = MoveForm(request.POST or None, actor=request.actor, device=device)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            to, name = form.cleaned_data["account"], form.cleaned_data["name"]
            moved = moving.move(device, by=request.actor, to=to, name=name)
            messages.success(
                request,
                gettext("{moved} belongs to {to} now. It is locked to no place and shows no line.").format(
                    moved=moved, to=to
                ),
            )
            return redirect("phone", code=device.code)
    context = {**frame_of(request, device, "advanced"), "form": form, "lines": shown_lines(device)}
    return render(request, "devices/phone_move.html", context)
