"""Allowed networks: asked for, granted, turned down and ended (B8)."""

from datetime import timedelta
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, needs, refused_into
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from portal.frame import home_account
from portal.pages.forms import NetworkField
from security import allowances
from security.models import AllowedNetwork

SHOWN = 200


class AllowanceForm(forms.Form):
    """Whose network it is, for how long, and why more fails there than elsewhere."""

    account = forms.ModelChoiceField(
        Account.objects.none(), to_field_name="slug", empty_label=None, label=gettext_lazy("Account")
    )
    network = NetworkField(label=gettext_lazy("Which address or network?"))
    days = forms.IntegerField(
        min_value=1, max_value=365, initial=365, label=gettext_lazy("For how many days?")
    )
    reason = forms.CharField(
        max_length=300,
        label=gettext_lazy("Why?"),
        help_text=gettext_lazy("Such as: our headquarters, 300 phones behind one address."),
    )

    def __init__(self, *args: object, actor: Actor, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        reachable = Account.objects.reachable_by(actor, Power.PROPOSE_ALLOWANCE).order_by("path")
        self.fields["account"].queryset = reachable  # type: ignore[attr-defined]


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    now, actor = timezone.now(), request.actor
    rows = AllowedNetwork.objects.visible_to(actor).select_related("account").order_by("-created_at")[:SHOWN]
    shown = [
        {
            "row": row,
            "state": row.state(now),
            "may_grant": allowances.may_grant(row, actor),
            "may_end": actor.may(Power.PROPOSE_ALLOWANCE, row.account.path),
        }
        for row in rows
    ]
    context = {
        "section": "allowances",
        "waiting": [line for line in shown if line["state"] == "proposed"],
        "standing": [line for line in shown if line["state"] == "allowed"],
        "past": [line for line in shown if line["state"] in ("ended", "refused")][:20],
        "may_ask": actor.may_anywhere(Power.PROPOSE_ALLOWANCE),
    }
    return render(request, "provisioning/allowances.html", context)


@needs(Power.PROPOSE_ALLOWANCE)
def add(request: PageRequest) -> HttpResponse:
    account = home_account(request.actor)
    initial = {
        "network": request.GET.get("network", "")[:60],
        "account": account.slug if account else None,
        "days": 365,
    }
    form = AllowanceForm(request.POST or None, actor=request.actor, initial=initial)
    if request.method == "POST" and form.is_valid():
        kept = form.cleaned_data
        with refused_into(form):
            row = allowances.propose(
                kept["account"],
                kept["network"],
                by=request.actor,
                reason=kept["reason"],
                length=timedelta(days=kept["days"]),
            )
            said = gettext("{network} waits for an answer.")
            if row.granted_at:
                said = gettext("{network} is allowed now.")
            messages.success(request, said.format(network=row.network))
            return redirect("allowances")
    return render(request, "provisioning/allowance_add.html", {"section": "allowances", "form": form})


@require_POST
@needs(Power.SEE_ACCOUNT)
def grant(request: PageRequest, code: UUID) -> HttpResponse:
    visible = AllowedNetwork.objects.visible_to(request.actor).select_related("account")
    row = allowances.grant(get_object_or_404(visible, code=code), by=request.actor)
    messages.success(request, gettext("{network} is allowed now.").format(network=row.network))
    return redirect("allowances")


@require_POST
@needs(Power.SEE_ACCOUNT)
def end(request: PageRequest, code: UUID) -> HttpResponse:
    """Turn down what was proposed, or end what was granted."""
    visible = AllowedNetwork.objects.visible_to(request.actor).select_related("account")
    row = allowances.end(get_object_or_404(visible, code=code), by=request.actor)
    messages.success(request, gettext("{network} is not allowed any more.").format(network=row.network))
    return redirect("allowances")
