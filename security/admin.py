"""The staff site's view of bans and allowances; lifting one calls the verb."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin import LookOnly
from accounts.refusals import Refusal
from security import bans
from security.models import AllowedNetwork, Ban


@admin.action(description="Lift the chosen bans", permissions=["view"])
def lift(modeladmin: Any, request: HttpRequest, chosen: QuerySet[Ban]) -> None:
    """Lift each chosen ban by the same verb as the API."""
    for ban in chosen:
        try:
            bans.lift(ban, by=request.actor, reason="Lifted on the staff site")  # type: ignore[attr-defined]
        except Refusal as refusal:
            messages.error(request, f"{ban}: {refusal.detail}")
        else:
            messages.success(request, f"{ban} is lifted.")


@admin.register(Ban)
class BanAdmin(LookOnly):
    actions = (lift,)
    list_display = ("network", "kind", "reason", "set_by", "starts_at", "ends_at", "lifted_at")
    list_filter = ("kind",)


@admin.register(AllowedNetwork)
class AllowedNetworkAdmin(LookOnly):
    list_display = ("network", "account", "reason", "proposed_by", "granted_by", "ends_at", "ended_at")
    list_select_related = ("account",)
