"""How well an account's phones are protected: its score, each protection, and the worst phones first."""

from django.http import HttpResponse
from django.shortcuts import render

from accounts.guards import PageRequest, needs
from accounts.models import Account
from accounts.roles import Power
from portal.hardening_card import told
from portal.pages.policies import chosen_account
from provisioning import hardening


@needs(Power.SEE_ACCOUNT)
def table(request: PageRequest) -> HttpResponse:
    account = chosen_account(request, request.GET.get("account", ""))
    found = hardening.of_account(account)
    context = {
        "section": "hardening",
        "account": account,
        "accounts": Account.objects.visible_to(request.actor).order_by("path"),
        "found": found,
        "worst": [(row, told(row.score.lacking, request.actor)) for row in found.worst],
        "most": hardening.WORST,
        "settings_page": f"/settings/?account={account.slug}",
        "may": request.actor.may(Power.EDIT_SETTINGS, account.path),
    }
    return render(request, "provisioning/hardening.html", context)
