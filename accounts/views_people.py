"""The people of the accounts that a manager reaches: listed, invited, given other roles, taken out."""

from collections.abc import Iterable
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts import invitations, second_factor, tenants
from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Membership
from accounts.people import matching, reached_by
from accounts.role_words import MEANT_FOR, NAMES, role_choices
from accounts.roles import RANK, Power, Role, may_give
from accounts.scope import Actor
from accounts.views import InAccountForm

SHOWN = 500


def explained(roles: Iterable[Role]) -> list[tuple[str, str, str]]:
    """Roles as a form offers them: each with its name and what it is for."""
    return [(role.value, str(NAMES[role]), str(MEANT_FOR[role])) for role in roles]


def given_by(actor: Actor) -> list[Role]:
    """The roles that the actor may give somewhere."""
    return [role for role in RANK if any(may_give(standing.role, role) for standing in actor.standings)]


class InviteForm(InAccountForm):
    """Who is invited to what; the first field is the account."""

    email = forms.EmailField(label=gettext_lazy("E-mail"))
    name = forms.CharField(max_length=120, label=gettext_lazy("Name"))
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=role_choices)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=role_choices)


def _find(request: PageRequest, slug: str, code: UUID) -> Membership:
    rows = reached_by(request.actor)
    found: Membership = get_object_or_404(rows, account__slug=slug, user__code=code)
    return found


@needs(Power.EDIT_PEOPLE)
def people(request: PageRequest) -> HttpResponse:
    asked = request.GET.get("person", "").replace("\0", "").strip()
    rows = reached_by(request.actor)
    members = list((matching(rows, asked) if asked else rows)[: SHOWN + 1])
    context = {
        "section": "people",
        "members": members[:SHOWN],
        "more": len(members) > SHOWN,
        "asked": asked,
        "me": request.actor.user,
    }
    return render(request, "accounts/people.html", context)


@needs(Power.EDIT_PEOPLE)
def invite(request: PageRequest) -> HttpResponse:
    form = InviteForm(request.POST or None, actor=request.actor, initial={"role": Role.USER.value})
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            kept = form.cleaned_data
            invitations.invite(
                kept["account"],
                by=request.actor,
                email=kept["email"],
                name=kept["name"],
                role=Role(kept["role"]),
            )
            messages.success(request, _("An invitation is on its way to %s.") % kept["email"])
            return redirect("people")
    context = {"section": "people", "form": form, "roles": explained(given_by(request.actor))}
    return render(request, "accounts/person_add.html", {**context, "chosen": form["role"].value()})


@needs(Power.EDIT_PEOPLE)
def person(request: PageRequest, slug: str, code: UUID) -> HttpResponse:
    """One person in one account: what he is there, and what can be done about it."""
    member = _find(request, slug, code)
    actor, own = request.actor, Role(member.role)
    is_me = actor.user is not None and member.user_id == actor.user.pk
    may = tenants.deals_with(member.account, own, actor) and not is_me
    fitting = [
        role
        for role in RANK
        if tenants.deals_with(member.account, role, actor) and tenants.is_at_home(member.account, role)
    ]
    context = {
        "section": "people",
        "member": member,
        "is_me": is_me,
        "may": may,
        "roles": explained(fitting),
        "chosen": member.role,
        "means": MEANT_FOR[own],
        "may_give_secrets": may and actor.may(Power.GIVE_SECRETS, member.account.path),
        "may_reset": may and not member.is_pending and member.has_factor,  # type: ignore[attr-defined]
    }
    return render(request, "accounts/person.html", context)


@require_POST
@needs(Power.EDIT_PEOPLE)
def change_role(request: PageRequest, slug: str, code: UUID) -> HttpResponse:
    member, form = _find(request, slug, code), RoleForm(request.POST)
    if form.is_valid():
        changed = tenants.change_role(member, by=request.actor, role=Role(form.cleaned_data["role"]))
        words = {"person": changed.shown_as, "role": changed.get_role_display(), "account": changed.account}
        messages.success(request, _("%(person)s is %(role)s of %(account)s now.") % words)
    return redirect("person", slug, code)


@require_POST
@needs(Power.EDIT_PEOPLE)
def give_secrets(request: PageRequest, slug: str, code: UUID) -> HttpResponse:
    sees = request.POST.get("sees") == "yes"
    member = tenants.let_see_secrets(_find(request, slug, code), by=request.actor, sees=sees)
    said = _("%s may see secrets now.") if sees else _("%s sees no secrets any more.")
    messages.success(request, said % member.shown_as)
    return redirect("person", slug, code)


@require_POST
@needs(Power.EDIT_PEOPLE)
def reset_factor(request: PageRequest, slug: str, code: UUID) -> HttpResponse:
    member = _find(request, slug, code)
    second_factor.reset(member.user, by=request.actor)
    said = _("The second factor of %s is reset. The next sign-in is by the password alone.")
    messages.success(request, said % member.shown_as)
    return redirect("person", slug, code)


@require_POST
@needs(Power.EDIT_PEOPLE)
def invite_again(request: PageRequest, slug: str, code: UUID) -> HttpResponse:
    member = invitations.send_again(_find(request, slug, code), by=request.actor)
    messages.success(request, _("Another invitation is on its way to %s.") % member.user.email)
    return redirect("people")


@require_POST
@needs(Power.EDIT_PEOPLE)
def switch(request: PageRequest, slug: str, code: UUID) -> HttpResponse:
    member, on = _find(request, slug, code), request.POST.get("on") == "yes"
    tenants.switch_person(member.user, by=request.actor, is_active=on)
    said = _("%s can sign in again.") if on else _("%s cannot sign in any more.")
    messages.success(request, said % member.shown_as)
    return redirect("person", slug, code)


@require_POST
@needs(Power.EDIT_PEOPLE)
def remove(request: PageRequest, slug: str, code: UUID) -> HttpResponse:
    member = _find(request, slug, code)
    tenants.remove_person(member, by=request.actor)
    words = {"person": member.shown_as, "account": member.account}
    messages.success(request, _("%(person)s has no role in %(account)s any more.") % words)
    return redirect("people")
