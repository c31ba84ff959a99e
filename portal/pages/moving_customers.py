"""A customer moves below another reseller: first what would be different, then the move (E18)."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, gettext_lazy

from accounts import resettling
from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.scope import Actor
from accounts.tenants import BELOW
from devices.definitions import Value
from provisioning import policy_words
from provisioning.differences import Difference, preview

POLICY = "policy"


class BelowForm(forms.Form):
    """Below whom."""

    below = forms.ModelChoiceField(
        Account.objects.none(),
        to_field_name="slug",
        label=gettext_lazy("Below which reseller?"),
        empty_label=gettext_lazy("Choose one"),
    )

    def __init__(self, *args: Any, actor: Actor, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        holders = [kind for kind, possible in BELOW.items() if account.kind in possible]
        reach = Account.objects.reachable_by(actor, Power.MOVE_CUSTOMER).filter(kind__in=holders)
        above = account.path[: -account.steplen]
        self.fields["below"].queryset = reach.exclude(path=above).order_by("path")  # type: ignore[attr-defined]


class MoveForm(BelowForm):
    """The same, confirmed."""

    typed = forms.CharField(
        max_length=60,
        label=gettext_lazy("Type its short name"),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, account=account, **kwargs)
        self.slug = account.slug
        self.fields["typed"].help_text = gettext("It is {slug}.").format(slug=account.slug)

    def clean_typed(self) -> str:
        if (typed := str(self.cleaned_data["typed"]).strip()) != self.slug:
            raise forms.ValidationError(gettext("Its short name is {slug}.").format(slug=self.slug))
        return typed


@dataclass(frozen=True, slots=True)
class Change:
    """One value that would be different, in words."""

    title: str
    kind: str
    before: str
    after: str


def change_of(difference: Difference) -> Change:
    def words(value: Value) -> str:
        if isinstance(value, list):
            return ", ".join(value) or gettext("none")
        if difference.kind == POLICY:
            return policy_words.say(difference.name, value)
        if isinstance(value, bool):
            return gettext("On") if value else gettext("Off")
        return str(value) or gettext("empty")

    title = difference.title or difference.name.replace("_", " ").capitalize()
    kind = gettext("Policy") if difference.kind == POLICY else gettext("Setting")
    return Change(title, kind, words(difference.before), words(difference.after))


@needs(Power.SEE_ACCOUNT)
def move(request: PageRequest, slug: str) -> HttpResponse:
    """Choose, read what would be different, type the short name."""
    account: Account = get_object_or_404(Account.objects.visible_to(request.actor), slug=slug)
    if not request.actor.may(Power.MOVE_CUSTOMER, account.path):
        raise Forbidden
    asked = BelowForm(request.GET if "below" in request.GET else None, actor=request.actor, account=account)
    below = asked.cleaned_data["below"] if asked.is_bound and asked.is_valid() else None
    form = MoveForm(
        request.POST or None, actor=request.actor, account=account, initial={"below": below and below.slug}
    )
    if request.method == "POST":
        below = chosen(form)
        if form.is_valid():
            with refused_into(form):
                moved = resettling.move_customer(account, by=request.actor, below=form.cleaned_data["below"])
                messages.success(
                    request, gettext("{moved} stands below {below} now.").format(moved=moved, below=below)
                )
                return redirect("customers")
    context = {
        "section": "customers",
        "account": account,
        "asked": asked,
        "form": form,
        "below": below,
        "parent": Account.objects.visible_to(request.actor)
        .filter(path=account.path[: -account.steplen])
        .first(),
        "changes": [change_of(one) for one in preview(account, below)] if below else [],
    }
    return render(request, "accounts/customer_move.html", context)


def chosen(form: MoveForm) -> Account | None:
    """The reseller that a form names, also where something else in it is wrong."""
    if not form.is_bound:
        return None
    form.is_valid()
    found: Account | None = form.cleaned_data.get("below")
    return found
