"""People and API keys of the accounts that a manager reaches: listed, added, taken out."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts import keys, tenants
from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account, ApiKey, Membership
from accounts.roles import Power, Role, role_choices
from accounts.scope import Actor


class InAccountForm(forms.Form):
    """Something new in one of the accounts whose people the reader may change."""

    account = forms.ModelChoiceField(Account.objects.none(), to_field_name="slug", empty_label=None)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = Account.objects.reachable_by(actor, Power.EDIT_PEOPLE).order_by("path")
        self.fields["account"].queryset = accounts  # type: ignore[attr-defined]


class PersonForm(InAccountForm):
    email = forms.EmailField(label="E-mail", help_text="He signs in with it.")
    name = forms.CharField(max_length=120)
    role = forms.ChoiceField(choices=role_choices)
    password = forms.CharField(
        required=False,
        label="First password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Empty: he sets his own by “I cannot sign in”.",
    )


class KeyForm(InAccountForm):
    name = forms.CharField(max_length=50, help_text="Which program uses it.")
    role = forms.ChoiceField(choices=[(role.value, role.value.capitalize()) for role in keys.ROLES])
    networks = forms.CharField(
        required=False,
        label="Only from these networks",
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono"}),
        help_text="One a line. Empty: from anywhere.",
    )
    expires_at = forms.DateTimeField(
        required=False,
        label="Ends on",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Empty: never.",
    )

    def clean_networks(self) -> list[str]:
        return str(self.cleaned_data["networks"]).split()


@needs(Power.EDIT_PEOPLE)
def people(request: PageRequest) -> HttpResponse:
    members = Membership.objects.reachable_by(request.actor, Power.EDIT_PEOPLE).select_related(
        "user", "account"
    )
    context = {"section": "people", "members": members.order_by("account__path", "user__name")[:500]}
    return render(request, "accounts/people.html", {**context, "me": request.actor.user})


@sensitive_post_parameters("password")
@needs(Power.EDIT_PEOPLE)
def person_add(request: PageRequest) -> HttpResponse:
    form = PersonForm(request.POST or None, actor=request.actor, initial={"role": Role.USER.value})
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            kept = form.cleaned_data
            member = tenants.add_person(
                kept["account"],
                by=request.actor,
                email=kept["email"],
                name=kept["name"],
                role=Role(kept["role"]),
                password=kept["password"] or None,
            )
            messages.success(request, f"{member.user} is {member.role} of {member.account}.")
            return redirect("people")
    return render(request, "accounts/person_add.html", {"section": "people", "form": form})


@require_POST
@needs(Power.EDIT_PEOPLE)
def person_remove(request: PageRequest, slug: str, code: UUID) -> HttpResponse:
    reach = Membership.objects.visible_to(request.actor).select_related("user", "account")
    member = get_object_or_404(reach, account__slug=slug, user__code=code)
    tenants.remove_person(member, by=request.actor)
    messages.success(request, f"{member.user} has no role in {member.account} any more.")
    return redirect("people")


@needs(Power.EDIT_PEOPLE)
def api_keys(request: PageRequest) -> HttpResponse:
    shown = ApiKey.objects.reachable_by(request.actor, Power.EDIT_PEOPLE).select_related("account")
    context = {"section": "keys", "keys": shown.order_by("revoked", "account__path", "name")[:500]}
    return render(request, "accounts/keys.html", context)


@never_cache
@needs(Power.EDIT_PEOPLE)
def api_key_add(request: PageRequest) -> HttpResponse:
    """Make a key; its text stands on the answer to this form and nowhere else, ever."""
    form = KeyForm(request.POST or None, actor=request.actor, initial={"role": Role.VIEWER.value})
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            kept = form.cleaned_data
            key, text = keys.create(by=request.actor, **{**kept, "role": Role(kept["role"])})
            return render(request, "accounts/key_made.html", {"section": "keys", "key": key, "text": text})
    return render(request, "accounts/key_add.html", {"section": "keys", "form": form})


@require_POST
@needs(Power.EDIT_PEOPLE)
def api_key_revoke(request: PageRequest, code: UUID) -> HttpResponse:
    reach = ApiKey.objects.visible_to(request.actor).select_related("account")
    key = get_object_or_404(reach, code=code)
    keys.revoke(key, by=request.actor)
    messages.success(request, f"The key {key.name} is revoked. It opens nothing any more.")
    return redirect("keys")
