"""How well an account's phones are protected: its score, each protection, and the worst phones first."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, gettext_lazy

from accounts.guards import PageRequest, needs
from accounts.models import Account
from accounts.roles import Power
from portal.hardening_card import told
from portal.pages.policies import chosen_account
from provisioning import hardening
from provisioning.hardening import Tally

#: What helps where a make cannot do it.
REMEDIES = {
    "accept_calls_from_server_only": gettext_lazy("Keep these phones behind the office's own network."),
    "refuse_direct_ip_calls": gettext_lazy("Keep these phones behind the office's own network."),
    "web_page_off": gettext_lazy("Let nobody but the office's own network reach these phones."),
    "check_tls_certificates": gettext_lazy(
        "Give them a network of their own, where nobody can pose as the server."
    ),
    "provision_over_https_only": gettext_lazy(
        "Use them in the office's own network only, and replace them in time."
    ),
    "encrypt_calls": gettext_lazy(
        "Calls of these phones can be overheard on their way: replace them where that matters."
    ),
    "lock_user_menu": gettext_lazy("Keep these phones where no guest is left alone with them."),
    "random_delay_before_polling": gettext_lazy(
        "Nothing, unless many of these phones share one power supply."
    ),
}


@needs(Power.SEE_ACCOUNT)
def table(request: PageRequest) -> HttpResponse:
    account = chosen_account(request, request.GET.get("account", ""))
    found = hardening.of_account(account)
    context = {
        "section": "hardening",
        "account": account,
        "accounts": Account.objects.visible_to(request.actor).order_by("path"),
        "found": found,
        "rows": [(row, remedy(row)) for row in found.tallies],
        "worst": [(row, told(row.score.lacking, request.actor)) for row in found.worst],
        "most": hardening.WORST,
        "may": request.actor.may(Power.EDIT_SETTINGS, account.path),
    }
    return render(request, "provisioning/hardening.html", context)


def remedy(row: Tally) -> str:
    """What to do about one protection; empty where every phone has it."""
    if row.off:
        return gettext("Switch it on where nobody needs it off.")
    return str(REMEDIES[row.name]) if row.cannot else ""
