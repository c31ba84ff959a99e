"""The policy values of an account: what holds, from where, how far it may go, and who may change it."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from portal.frame import home_account
from provisioning import policies, policy_words
from provisioning.policies import POLICIES, Owner, Policy, Reach, Standing, Value

ON, OFF = "on", "off"
DAY = 24
OWNERS = {
    Owner.ACCOUNT: gettext_lazy("A manager of the account may change it."),
    Owner.TIGHTENED: gettext_lazy(
        "The provider sets it. A manager of the account may only make it stricter."
    ),
    Owner.RESELLER: gettext_lazy("Only the provider may change it."),
}
SHORTENED = gettext_lazy("The provider sets it. A manager of the account may only make it shorter.")


class PolicyForm(forms.Form):
    """One value; its field bears the policy's name, so that a refusal finds it."""

    def __init__(self, *args: Any, policy: Policy, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.policy = policy
        self.fields[policy.name] = field_of(policy)

    def wanted(self) -> Value:
        kept: Value = self.cleaned_data[self.policy.name]
        return kept == ON if isinstance(self.policy.default, bool) else kept


def field_of(policy: Policy) -> forms.Field:
    """The field in which people give this policy."""
    if policy.highest:
        widget = forms.NumberInput(attrs={"class": "input short"})
        return forms.IntegerField(
            label=gettext("{title}, in hours").format(title=policy.title),
            min_value=policy.lowest,
            max_value=policy.highest,
            widget=widget,
        )
    words = [(word, policy_words.say(policy.name, word)) for word in policy.choices]
    words = words or [(ON, gettext("On")), (OFF, gettext("Off"))]
    return forms.ChoiceField(label=policy.title, choices=words, widget=forms.Select(attrs={"class": "input"}))


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One policy as the page shows it."""

    name: str
    title: str
    words: policy_words.Words
    value: str
    source: str
    bounds: str
    owner: str
    form: PolicyForm | None
    fixed: str  #: why there is no form
    can_be_reset: bool


def row_of(standing: Standing, account: Account, request: PageRequest, tried: PolicyForm | None) -> PolicyRow:
    policy = standing.policy
    far = policies.reach(policy, account, request.actor)
    shown = ON if standing.value is True else OFF if standing.value is False else standing.value
    mine = tried if tried is not None and tried.policy is policy else None
    form = mine or PolicyForm(policy=policy, initial={policy.name: shown})
    fixed = fixed_words(standing, far)
    return PolicyRow(
        name=policy.name,
        title=policy.title,
        words=policy_words.WORDS[policy.name],
        value=policy_words.say(policy.name, standing.value),
        source=source_words(standing, account, request),
        bounds=bounds_words(standing, far),
        owner=str(SHORTENED if policy.highest and policy.owner is Owner.TIGHTENED else OWNERS[policy.owner]),
        form=None if fixed else form,
        fixed=fixed,
        can_be_reset=standing.can_be_reset(far),
    )


def source_words(standing: Standing, account: Account, request: PageRequest) -> str:
    """From whom the value is; an account above that the reader does not know is his provider."""
    if standing.source is None:
        return gettext("As the product comes")
    if standing.source.pk == account.pk:
        by_provider = "own" not in standing.here and standing.policy.owner is not Owner.ACCOUNT
        said = gettext("Given to {account} by its provider") if by_provider else gettext("Set for {account}")
        return said.format(account=account)
    if request.actor.may(Power.SEE_ACCOUNT, standing.source.path):
        return gettext("Inherited from {account}").format(account=standing.source)
    return gettext("Inherited from your provider")


def fixed_words(standing: Standing, far: Reach) -> str:
    """Why the reader has nothing to choose here; empty when he has."""
    if far is Reach.NONE:
        return gettext("You may look, not change.")
    if far is Reach.TIGHTEN and standing.ceiling == standing.policy.strictest:
        return gettext("It is as strict as it can be. Only the provider can loosen it.")
    return ""


def bounds_words(standing: Standing, far: Reach) -> str:
    """How far the hours may go, for this reader."""
    policy = standing.policy
    highest = standing.ceiling if far is Reach.TIGHTEN else policy.highest
    if not policy.highest or not isinstance(highest, int):
        return ""
    spelled = policy_words.say(policy.name, highest)
    said = gettext("From {lowest} to {highest} hours.")
    if highest > DAY:
        said = gettext("From {lowest} to {highest} hours ({days}).")
    return said.format(lowest=policy.lowest, highest=highest, days=spelled)


def chosen_account(request: PageRequest, slug: str) -> Account:
    """The account that is asked for, else the reader's own."""
    visible = Account.objects.visible_to(request.actor)
    own = home_account(request.actor)
    wanted = visible.filter(slug=slug) if slug else visible.filter(pk=own.pk) if own else visible
    account: Account | None = wanted.first() or (None if slug else visible.first())
    if account is None:
        raise Http404
    return account


def show(request: PageRequest, account: Account, tried: PolicyForm | None = None) -> HttpResponse:
    rows = [row_of(standing, account, request, tried) for standing in policies.table(account)]
    context = {
        "section": "policies",
        "account": account,
        "accounts": Account.objects.visible_to(request.actor).order_by("path"),
        "rows": rows,
        "form": tried,
    }
    return render(request, "provisioning/policies.html", context)


@needs(Power.SEE_ACCOUNT)
def table(request: PageRequest) -> HttpResponse:
    return show(request, chosen_account(request, request.GET.get("account", "")))


@require_POST
@needs(Power.SEE_ACCOUNT)
def change(request: PageRequest, name: str) -> HttpResponse:
    """Set or give up one value; what a rule refuses comes back at its field."""
    if name not in POLICIES:
        raise Http404
    policy = POLICIES[name]
    account = chosen_account(request, request.POST.get("account", ""))
    form = PolicyForm(request.POST, policy=policy)
    if request.POST.get("do") == "reset":
        policies.reset_value(account, by=request.actor, name=name)
        messages.success(
            request,
            gettext("{title}: what stands above {account} holds again.").format(
                title=policy.title, account=account
            ),
        )
        return redirect(f"{reverse('policies')}?account={account.slug}")
    if form.is_valid():
        with refused_into(form):
            policies.set_value(account, by=request.actor, name=name, value=form.wanted())
            said = policy_words.say(name, form.wanted())
            messages.success(
                request,
                gettext("{title}: {said}, for {account} and all below it.").format(
                    title=policy.title, said=said, account=account
                ),
            )
            return redirect(f"{reverse('policies')}?account={account.slug}")
    return show(request, account, form)
