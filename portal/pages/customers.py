"""The accounts below a reseller: deleted with 30 days' grace, and restored."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts import deleting
from accounts.guards import PageRequest, needs, refused_into
from accounts.models import GRACE, Account
from accounts.roles import Power
from portal.templatetags.latchkey import when

SHOWN = 500


class DeleteForm(forms.Form):
    """What confirms it."""

    typed = forms.CharField(
        max_length=60,
        label="Type its short name",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )


def below_the(request: PageRequest) -> Any:
    """The accounts over which the reader has the power of those who stand above them."""
    reach = Account.objects.reachable_by(request.actor, Power.EDIT_CUSTOMERS).order_by("path")
    tops = Q(path__in=request.actor.paths(Power.EDIT_CUSTOMERS))
    return reach.exclude(tops)


@needs(Power.SEE_ACCOUNT)
def listing(request: PageRequest) -> HttpResponse:
    shown = below_the(request).annotate(phones=Count("devices"))
    context = {
        "section": "customers",
        "accounts": shown[:SHOWN],
        "may_move": request.actor.may_anywhere(Power.MOVE_CUSTOMER),
    }
    return render(request, "accounts/customers.html", context)


@needs(Power.SEE_ACCOUNT)
def delete(request: PageRequest, slug: str) -> HttpResponse:
    """Say what would go and what would stay, then switch it off; its short name is typed."""
    account: Account = get_object_or_404(below_the(request).annotate(phones=Count("devices")), slug=slug)
    form = DeleteForm(request.POST or None)
    form.fields["typed"].help_text = f"It is {account.slug}."
    if request.method == "POST" and form.is_valid():
        with refused_into(form):
            gone = deleting.delete_account(account, by=request.actor, typed=form.cleaned_data["typed"])
            end = when(gone.removed_at, gone.time_zone)
            messages.success(request, f"{gone} is switched off. It will be removed on {end}.")
            return redirect("customers")
    context = {
        "section": "customers",
        "account": account,
        "form": form,
        "below": deleting.living_below(account),
        "would_end": timezone.now() + GRACE,
    }
    return render(request, "accounts/customer_delete.html", context)


@require_POST
@needs(Power.SEE_ACCOUNT)
def restore(request: PageRequest, slug: str) -> HttpResponse:
    account = get_object_or_404(below_the(request), slug=slug)
    kept = deleting.restore_account(account, by=request.actor)
    state = "Its phones get their files again" if kept.is_active else "It is switched off, as it was before"
    messages.success(request, f"{kept} is back. {state}.")
    return redirect("customers")
