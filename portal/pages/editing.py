"""Phones are added, changed and removed; removing says first what will happen."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account, Membership, User
from accounts.roles import Power
from accounts.scope import Actor
from accounts.speaking import told
from devices.catalog import catalog
from devices.mac import parse_mac
from devices.models import Device, Site
from portal.pages.phone import find_phone, frame_of
from provisioning import entering


def model_choices(family: str = "") -> list[tuple[str, list[tuple[str, str]]]]:
    """The models of the catalogue under their makers; of one family alone when it is given."""
    return [
        (shown.name, [(f"{code}/{model}", model) for model in shown.models])
        for code, shown in catalog().families.items()
        if family in ("", code)
    ]


class SiteChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Site) -> str:
        return f"{obj.name} ({obj.account})"


class OwnerChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A person by his role in an account: that is what a reader may see of people."""

    def label_from_instance(self, obj: Membership) -> str:
        return f"{obj.user} ({obj.account})"


class ChangeForm(forms.Form):
    """What can be changed of a phone."""

    name = forms.CharField(
        max_length=120,
        required=False,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What people call it: Ben Hall, desk."),
    )
    model = forms.ChoiceField(label=gettext_lazy("Model"))
    owner = OwnerChoice(
        Membership.objects.none(),
        required=False,
        label=gettext_lazy("Owner"),
        empty_label=gettext_lazy("Nobody"),
        help_text=gettext_lazy("Sees the phone on My phones and can let it set itself up again."),
    )
    site = SiteChoice(
        Site.objects.none(),
        required=False,
        label=gettext_lazy("Site"),
        empty_label=gettext_lazy("No site"),
        help_text=gettext_lazy("Where it stands."),
    )
    notes = forms.CharField(
        required=False, max_length=5000, label=gettext_lazy("Notes"), widget=forms.Textarea(attrs={"rows": 3})
    )
    is_enabled = forms.BooleanField(required=False, label=gettext_lazy("It may fetch its file"))

    def __init__(self, *args: Any, actor: Actor, device: Device | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = (
            Membership.objects.visible_to(actor).select_related("user", "account").order_by("user__name")
        )
        sites = Site.objects.visible_to(actor).select_related("account")
        if device is not None:
            members = members.filter(account__path__in=device.account.ancestor_paths())
            sites = sites.filter(account=device.account)
            self.initial["owner"] = members.filter(user=device.owner).first() if device.owner_id else None
        self.fields["owner"].queryset = members  # type: ignore[attr-defined]
        self.fields["site"].queryset = sites  # type: ignore[attr-defined]
        self.fields["model"].choices = model_choices(device.family if device else "")  # type: ignore[attr-defined]

    def clean_owner(self) -> User | None:
        chosen: Membership | None = self.cleaned_data["owner"]
        return chosen.user if chosen else None

    def clean_model(self) -> str:
        family, _, model = self.cleaned_data["model"].partition("/")
        self.family = family
        return str(model)


class AddForm(ChangeForm):
    """What enters a phone."""

    account = forms.ModelChoiceField(
        Account.objects.none(), to_field_name="slug", empty_label=None, label=gettext_lazy("Account")
    )
    mac = forms.CharField(
        max_length=40,
        label=gettext_lazy("MAC"),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("Twelve digits on the label under the phone, in any spelling."),
    )
    ship_on = forms.DateField(
        required=False,
        label=gettext_lazy("Ships on"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Until that day it gets nothing. At most 60 days ahead; empty: from now on."),
    )
    field_order = ("account", "mac", "model", "name", "owner", "site", "ship_on")

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        accounts = Account.objects.reachable_by(actor, Power.EDIT_DEVICES).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]
        del self.fields["notes"], self.fields["is_enabled"]

    def clean_mac(self) -> str:
        try:
            return parse_mac(self.cleaned_data["mac"])
        except ValueError as error:
            raise forms.ValidationError(told(error.args[0])) from error


@needs(Power.EDIT_DEVICES)
def add(request: PageRequest) -> HttpResponse:
    asked = {name: request.GET.get(name, "")[:60] for name in ("account", "mac", "family", "model")}
    initial = {"account": asked["account"] or None, "mac": asked["mac"]}
    initial["model"] = f"{asked['family']}/{asked['model']}" if asked["model"] else None
    form = AddForm(request.POST or None, actor=request.actor, initial=initial)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            device = entering.enter(by=request.actor, family=form.family, **form.cleaned_data)
            messages.success(
                request,
                gettext("{device} was added. Point it to this portal and let it start.").format(
                    device=device
                ),
            )
            return redirect("phone", code=device.code)
    return render(request, "devices/phone_add.html", {"section": "phones", "form": form})


@needs(Power.EDIT_DEVICES)
def edit(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    initial = {name: getattr(device, name) for name in ("name", "site", "notes", "is_enabled")}
    initial["model"] = f"{device.family}/{device.model}"
    form = ChangeForm(request.POST or None, actor=request.actor, device=device, initial=initial)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            entering.change(device, by=request.actor, **form.cleaned_data)
            messages.success(request, gettext("Changed. Its lock stays as it was."))
            return redirect("phone", code=device.code)
    return render(request, "devices/phone_edit.html", {**frame_of(request, device, "edit"), "form": form})


@needs(Power.EDIT_DEVICES)
def remove(request: PageRequest, code: UUID) -> HttpResponse:
    device = find_phone(request, code)
    if request.method == "POST":
        name = str(device)
        entering.remove(device, by=request.actor)
        messages.success(request, gettext("{name} was removed. It gets no file any more.").format(name=name))
        return redirect("phones")
    return render(request, "devices/phone_remove.html", frame_of(request, device, "remove"))
