"""Extensions: made, changed and removed; who shows them, and whether their secret may be known to others."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import second_factor
from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from devices import exposing, extensions
from devices.models import Device, Extension

A_PAGE = 50
SWITCHES = ("barge_in", "in_directory")


class ChangeForm(forms.Form):
    """What can be changed of an extension; its secret is changed on a page of its own."""

    username = forms.CharField(
        max_length=64,
        label=gettext_lazy("User name"),
        help_text=gettext_lazy("By which it registers: often its number, such as 4102."),
    )
    display_name = forms.CharField(
        max_length=120,
        required=False,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What displays show: Sales, Ben Hall."),
    )
    auth_name = forms.CharField(
        max_length=64,
        required=False,
        label=gettext_lazy("Name for signing in"),
        help_text=gettext_lazy("Empty: the user name."),
    )
    realm = forms.CharField(
        max_length=120,
        required=False,
        label=gettext_lazy("Realm"),
        help_text=gettext_lazy("Empty: the SIP server of its account."),
    )
    call_appearances = forms.IntegerField(
        min_value=1,
        max_value=8,
        initial=2,
        label=gettext_lazy("Calls at once"),
        help_text=gettext_lazy("How many calls it holds as a shared line, from 1 to 8."),
    )
    barge_in = forms.BooleanField(
        required=False,
        initial=True,
        label=gettext_lazy("Others who show the shared line may join its calls"),
    )
    in_directory = forms.BooleanField(
        required=False, initial=True, label=gettext_lazy("Phones show it in their directory")
    )


class AddForm(ChangeForm):
    """What makes an extension."""

    account = forms.ModelChoiceField(
        Account.objects.none(), to_field_name="slug", empty_label=None, label=gettext_lazy("Account")
    )
    secret = forms.CharField(
        max_length=128,
        strip=False,
        label=gettext_lazy("Secret"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        required=False,
        help_text=gettext_lazy(
            "The one that your SIP server has; no page ever shows it again. Empty: one is drawn."
        ),
    )
    field_order = ("account", "username", "display_name", "secret", "auth_name", "realm", "call_appearances")

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.reachable_by(actor, Power.EDIT_EXTENSIONS).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]


class NewSecretForm(forms.Form):
    """The new secret, or nothing for one that is drawn."""

    secret = forms.CharField(
        max_length=128,
        required=False,
        strip=False,
        label=gettext_lazy("New secret"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Empty: a random one is drawn. Or type one that your SIP server has already."),
    )


class MarkForm(forms.Form):
    why = forms.CharField(
        max_length=200,
        required=False,
        label=gettext_lazy("Why?"),
        help_text=gettext_lazy("Shown beside the mark."),
    )


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    visible = Extension.objects.visible_to(request.actor).select_related("account")
    known = visible.filter(exposed_since__isnull=False)
    only_known = request.GET.get("show") == "known"
    words = request.GET.get("q", "").strip()
    known_first = F("exposed_since").asc(nulls_last=True)
    shown = (known if only_known else visible).order_by(known_first, "account__path", "username", "pk")
    if words:
        shown = shown.filter(Q(username__icontains=words) | Q(display_name__icontains=words))
    page = Paginator(shown.prefetch_related("appearances__device"), A_PAGE).get_page(request.GET.get("page"))
    context = {
        "section": "extensions",
        "page": page,
        "rows": [row_of(request, extension) for extension in page],
        "total": visible.count(),
        "known": known.count(),
        "only_known": only_known,
        "q": words,
        "several_accounts": request.actor.may_anywhere(Power.EDIT_CUSTOMERS),
        "may_edit": request.actor.may_anywhere(Power.EDIT_EXTENSIONS),
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


def shows_secret(request: PageRequest, extension: Extension) -> bool:
    """Whether the reader may see a secret, and has just shown a second factor."""
    may = request.actor.may(Power.SEE_SECRETS, extension.account.path)
    return may and second_factor.is_fresh(request)


def seeing(request: PageRequest) -> dict[str, bool]:
    """What a form says beforehand of whether its reader will see a drawn secret."""
    may = request.actor.may_anywhere(Power.SEE_SECRETS)
    return {"may_see": may, "sees": may and second_factor.is_fresh(request)}


def shown_once(request: PageRequest, extension: Extension, done: str) -> HttpResponse:
    """The drawn secret on the answer to this form and nowhere else, ever."""
    text = extensions.show_secret(extension, by=request.actor)
    context = {"section": "extensions", "extension": extension, "text": text, "done": done}
    return render(request, "devices/extension_secret_drawn.html", context)


@never_cache
@sensitive_post_parameters("secret")
@needs(Power.EDIT_EXTENSIONS)
def add(request: PageRequest) -> HttpResponse:
    form = AddForm(request.POST or None, actor=request.actor)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            kept = form.cleaned_data
            account, given = kept.pop("account"), kept.pop("secret")
            extension = extensions.create(account, by=request.actor, secret=given or None, **kept)
            done = gettext("{extension} was added. No phone shows it yet.").format(extension=extension)
            if not given and shows_secret(request, extension):
                return shown_once(request, extension, done)
            messages.success(request, done)
            return redirect("extensions")
    context = {
        "section": "extensions",
        "form": form,
        "extension": None,
        "switches": [form[name] for name in SWITCHES],
        **seeing(request),
    }
    return render(request, "devices/extension_form.html", context)


@needs(Power.EDIT_EXTENSIONS)
def edit(request: PageRequest, code: UUID) -> HttpResponse:
    extension = find_extension(request, code)
    initial = {name: getattr(extension, name) for name in ChangeForm.base_fields}
    form = ChangeForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            extensions.change(extension, by=request.actor, **form.cleaned_data)
            messages.success(
                request, gettext("Saved. Each phone that shows it learns it at its next check-in.")
            )
            return redirect("extensions")
    context = {**page_of(request, extension, form), "switches": [form[name] for name in SWITCHES]}
    return render(request, "devices/extension_form.html", context)


@needs(Power.EDIT_EXTENSIONS)
def remove(request: PageRequest, code: UUID) -> HttpResponse:
    extension = find_extension(request, code)
    if request.method == "POST":
        name = str(extension)
        extensions.remove(extension, by=request.actor)
        messages.success(request, gettext("{name} was removed.").format(name=name))
        return redirect("extensions")
    return render(request, "devices/extension_remove.html", page_of(request, extension, forms.Form()))


@never_cache
@sensitive_post_parameters("secret")
@needs(Power.EDIT_EXTENSIONS)
def new_secret(request: PageRequest, code: UUID) -> HttpResponse:
    extension = find_extension(request, code)
    form = NewSecretForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            given = form.cleaned_data["secret"] or None
            changed = exposing.new_secret(extension, by=request.actor, secret=given)
            said = gettext(
                "{extension} has a new secret. Each phone that shows it learns it at its next check-in."
            )
            done = said.format(extension=extension)
            if given is None and shows_secret(request, changed):
                return shown_once(request, changed, done)
            messages.success(request, done)
            return redirect("extensions")
    context = {**page_of(request, extension, form), **seeing(request)}
    return render(request, "devices/extension_secret.html", context)


@needs(Power.EDIT_EXTENSIONS)
def mark(request: PageRequest, code: UUID) -> HttpResponse:
    """Say that the secret may be known, and change nothing else yet."""
    extension = find_extension(request, code)
    form = MarkForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            exposing.mark(extension, by=request.actor, why=form.cleaned_data["why"])
            messages.success(
                request,
                gettext("The secret of {extension} is marked as known to others.").format(
                    extension=extension
                ),
            )
            return redirect("extensions")
    return render(request, "devices/extension_mark.html", page_of(request, extension, form))


def page_of(request: PageRequest, extension: Extension, form: forms.Form) -> dict[str, Any]:
    return {"section": "extensions", "form": form, **row_of(request, extension)}
