"""API keys of the accounts that a manager reaches: listed, made, rotated, revoked."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import keys
from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account, ApiKey
from accounts.role_words import NAMES
from accounts.roles import Power, Role
from accounts.scope import Actor


class InAccountForm(forms.Form):
    """Something new in one of the accounts whose people the reader may change."""

    account = forms.ModelChoiceField(
        Account.objects.none(), to_field_name="slug", empty_label=None, label=gettext_lazy("Account")
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.reachable_by(actor, Power.EDIT_PEOPLE).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]


class KeyForm(InAccountForm):
    name = forms.CharField(
        max_length=50, label=gettext_lazy("Name"), help_text=gettext_lazy("Which program uses it.")
    )
    role = forms.ChoiceField(
        label=gettext_lazy("Role"), choices=[(role.value, NAMES[role]) for role in keys.ROLES]
    )
    networks = forms.CharField(
        required=False,
        label=gettext_lazy("Only from these networks"),
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono"}),
        help_text=gettext_lazy("One a line. Empty: from anywhere."),
    )
    expires_at = forms.DateTimeField(
        required=False,
        label=gettext_lazy("Ends on"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Empty: never."),
    )

    def clean_networks(self) -> list[str]:
        return str(self.cleaned_data["networks"]).split()


class RotationForm(forms.Form):
    """How long the programs have to take the new one."""

    overlap_hours = forms.ChoiceField(
        label=gettext_lazy("The old one goes on for"),
        choices=[
            ("24", gettext_lazy("24 hours")),
            ("1", gettext_lazy("1 hour")),
            ("168", gettext_lazy("7 days")),
            ("720", gettext_lazy("30 days")),
            ("0", gettext_lazy("No time: it ends now")),
        ],
    )


@needs(Power.EDIT_PEOPLE)
def api_keys(request: PageRequest) -> HttpResponse:
    reach = ApiKey.objects.reachable_by(request.actor, Power.EDIT_PEOPLE)
    shown = reach.select_related("account", "replaced_by")
    rows = [
        {
            "key": key,
            "is_over": key.revoked or key.has_expired,
            "may_rotate": not key.replaced_by and keys.may_rotate(key, request.actor),
        }
        for key in shown.order_by("revoked", "account__path", "name", "created")[:500]
    ]
    return render(request, "accounts/keys.html", {"section": "keys", "rows": rows})


@never_cache
@needs(Power.EDIT_PEOPLE)
def api_key_add(request: PageRequest) -> HttpResponse:
    """Make a key; its text stands on the answer to this form and nowhere else, ever."""
    form = KeyForm(request.POST or None, actor=request.actor, initial={"role": Role.VIEWER.value})
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            kept = form.cleaned_data
            key, text = keys.create(by=request.actor, **{**kept, "role": Role(kept["role"])})
            return _shown_once(request, key, text)
    return render(request, "accounts/key_add.html", {"section": "keys", "form": form})


@never_cache
@needs(Power.EDIT_PEOPLE)
def api_key_rotate(request: PageRequest, code: UUID) -> HttpResponse:
    """Make the key that follows this one; its text stands on the answer, and when the old one ends."""
    key = _found(request, code)
    form = RotationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            overlap = timedelta(hours=int(form.cleaned_data["overlap_hours"]))
            new, text = keys.rotate(key, by=request.actor, overlap=overlap)
            return _shown_once(request, new, text, old=_found(request, code))
    return render(request, "accounts/key_rotate.html", {"section": "keys", "form": form, "key": key})


@require_POST
@needs(Power.EDIT_PEOPLE)
def api_key_revoke(request: PageRequest, code: UUID) -> HttpResponse:
    key = _found(request, code)
    keys.revoke(key, by=request.actor)
    messages.success(request, _("The key %s is revoked. It opens nothing any more.") % key.name)
    return redirect("keys")


def _found(request: PageRequest, code: UUID) -> ApiKey:
    reach = ApiKey.objects.visible_to(request.actor).select_related("account")
    key: ApiKey = get_object_or_404(reach, code=code)
    return key


def _shown_once(request: PageRequest, key: ApiKey, text: str, old: ApiKey | None = None) -> HttpResponse:
    context = {"section": "keys", "key": key, "text": text, "old": old}
    return render(request, "accounts/key_made.html", context)
