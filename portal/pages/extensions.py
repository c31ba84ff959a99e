"""Extensions: who shows them, whether their secret may be known to others, and a new one."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters

from accounts.guards import PageRequest, needs, refused_into
from accounts.roles import Power
from devices import exposing
from devices.models import Device, Extension

A_PAGE = 50


class NewSecretForm(forms.Form):
    """The new secret, or nothing for one that is drawn."""

    secret = forms.CharField(
        max_length=128,
        required=False,
        strip=False,
        label="New secret",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Empty: a random one is drawn, which nobody sees."
        " Type one that your SIP server has already.",
    )


class MarkForm(forms.Form):
    why = forms.CharField(max_length=200, required=False, label="Why?", help_text="Shown beside the mark.")


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    visible = Extension.objects.visible_to(request.actor).select_related("account")
    known = visible.filter(exposed_since__isnull=False)
    only_known = request.GET.get("show") == "known"
    known_first = F("exposed_since").asc(nulls_last=True)
    shown = (known if only_known else visible).order_by(known_first, "account__path", "username", "pk")
    page = Paginator(shown.prefetch_related("appearances__device"), A_PAGE).get_page(request.GET.get("page"))
    context = {
        "section": "extensions",
        "page": page,
        "rows": [row_of(request, extension) for extension in page],
        "total": visible.count(),
        "known": known.count(),
        "only_known": only_known,
        "several_accounts": request.actor.may_anywhere(Power.EDIT_CUSTOMERS),
    }
    return render(request, "devices/extensions.html", context)


def row_of(request: PageRequest, extension: Extension) -> dict[str, Any]:
    """An extension with the phones that show it, each once."""
    phones: dict[int, Device] = {row.device_id: row.device for row in extension.appearances.all()}
    return {
        "extension": extension,
        "phones": list(phones.values()),
        "may_edit": request.actor.may(Power.EDIT_EXTENSIONS, extension.account.path),
    }


def find_extension(request: PageRequest, code: UUID) -> Extension:
    visible = Extension.objects.visible_to(request.actor).select_related("account")
    found: Extension = get_object_or_404(visible.prefetch_related("appearances__device"), code=code)
    return found


@sensitive_post_parameters("secret")
@needs(Power.EDIT_EXTENSIONS)
def new_secret(request: PageRequest, code: UUID) -> HttpResponse:
    extension = find_extension(request, code)
    form = NewSecretForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            exposing.new_secret(extension, by=request.actor, secret=form.cleaned_data["secret"] or None)
            messages.success(
                request,
                f"{extension} has a new secret. Each phone that shows it learns it at its next check-in.",
            )
            return redirect("extensions")
    return render(request, "devices/extension_secret.html", page_of(request, extension, form))


@needs(Power.EDIT_EXTENSIONS)
def mark(request: PageRequest, code: UUID) -> HttpResponse:
    """Say that the secret may be known, and change nothing else yet."""
    extension = find_extension(request, code)
    form = MarkForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            exposing.mark(extension, by=request.actor, why=form.cleaned_data["why"])
            messages.success(request, f"The secret of {extension} is marked as known to others.")
            return redirect("extensions")
    return render(request, "devices/extension_mark.html", page_of(request, extension, form))


def page_of(request: PageRequest, extension: Extension, form: forms.Form) -> dict[str, Any]:
    return {"section": "extensions", "form": form, **row_of(request, extension)}
