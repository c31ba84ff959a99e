"""The staff site's view of bans and allowances; lifting and ending one calls the verb."""

from django.contrib import admin
from django.utils.translation import gettext_lazy

from accounts.admin import BY_STAFF, LookOnly, by_verb
from accounts.scope import Actor
from security import allowances, bans
from security.models import AllowedNetwork, Ban, Unblocking


def lift(ban: Ban, by: Actor) -> None:
    bans.lift(ban, by=by, reason=BY_STAFF)


@admin.register(Ban)
class BanAdmin(LookOnly):
    actions = (by_verb(gettext_lazy("Lift"), lift),)
    list_display = ("network", "kind", "reason", "set_by", "starts_at", "ends_at", "lifted_at")
    list_filter = ("kind",)
    search_fields = ("reason", "set_by")


@admin.register(Unblocking)
class UnblockingAdmin(LookOnly):
    list_display = ("at", "ban", "person")
    list_select_related = ("ban",)
    search_fields = ("person",)


def end_allowance(row: AllowedNetwork, by: Actor) -> None:
    allowances.end(row, by=by, reason=BY_STAFF)


@admin.register(AllowedNetwork)
class AllowedNetworkAdmin(LookOnly):
    actions = (by_verb(gettext_lazy("End"), end_allowance),)
    list_display = ("network", "account", "reason", "proposed_by", "granted_by", "ends_at", "ended_at")
    list_select_related = ("account",)
    search_fields = ("account__slug", "reason")
