"""The staff site's view of tenants, people, keys and the audit. Looked at here, changed by verbs."""

import re
from collections.abc import Callable
from functools import cached_property
from ipaddress import IPv6Address, summarize_address_range
from typing import TYPE_CHECKING, Any

from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import keys, second_factor, tenants
from accounts.models import Account, ApiKey, AuditEntry, KeptAnswer, Membership, NoticeChoice, User
from accounts.refusals import Refusal
from accounts.roles import Power
from accounts.scope import NOBODY, Actor

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]
    Pages = Paginator[Any]
else:
    Admin = admin.ModelAdmin
    Pages = Paginator

COUNTED = 10_000  # rows of a list that are counted; what is more nobody turns over page by page
BY_STAFF = "On the staff site"


class Capped(Pages):
    """Pages of a table of any size: counting all of a large one takes longer than reading a page."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return len(rows.values_list("pk")[:COUNTED]) if hasattr(rows, "values_list") else len(rows)


class LookOnly(Admin):
    """Platform support sees the rows; adding, changing and deleting are the verbs' business.

    Whether somebody may look is asked of his roles, as everywhere else, not of Django's own permissions.
    """

    actions: Any = None
    show_full_result_count = False
    paginator = Capped

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the list offers: a filter by a column that is not shown would tell what stands in it."""
        return lookup.split("__")[0] in self.get_list_filter(request)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        """A MAC is found however it is spelled."""
        bare = re.sub(r"[\s:.-]", "", search_term).lower()
        found = bare if re.fullmatch("[0-9a-f]{12}", bare) else search_term
        return super().get_search_results(request, queryset, found)

    def get_list_display(self, request: HttpRequest) -> Any:
        return spelled(super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return spelled(super().get_fields(request, obj))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may_look(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _may_look(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def spelled(names: Any) -> list[Any]:
    """The columns of a table, its networks not as two hex numbers but as people write them."""
    low = {name for name in names if name == "first" or str(name).endswith("_first")}
    high = {f"{name[:-5]}last" for name in low}
    return [_network(name) if name in low else name for name in names if name not in high]


def _network(first: str) -> Any:
    @admin.display(description=first.replace("first", "network").replace("_", " "), ordering=first)
    def network(row: Any) -> str:
        hexes = (getattr(row, first), getattr(row, f"{first[:-5]}last"))
        if not all(hexes):
            return ""
        low, high = (address.ipv4_mapped or address for address in (IPv6Address(int(h, 16)) for h in hexes))
        return ", ".join(str(each) for each in summarize_address_range(low, high))

    network.__name__ = first
    return network


class ListOnly(LookOnly):
    """A list without pages of its own: a page names its row, or its key, and that would tell too much."""

    list_display_links = None

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_view_permission(request)


def _may_look(request: HttpRequest) -> bool:
    actor = getattr(request, "actor", NOBODY)
    return bool(request.user.is_active and actor.may_anywhere(Power.STAFF_SITE))


def by_verb(words: Any, verb: Callable[[Any, Actor], object]) -> Any:
    """An action of a list that calls the verb for each chosen row; what a rule refuses is said and stays."""

    def run(modeladmin: Any, request: HttpRequest, chosen: QuerySet[Any]) -> None:
        for row in chosen:
            words_ = {"row": row, "what": words}
            try:
                verb(row, request.actor)  # type: ignore[attr-defined]
            except Refusal as refusal:
                messages.error(request, f"{row}: {refusal.detail}")
            else:
                messages.success(request, _("%(row)s: %(what)s, done.") % words_)

    run.__name__ = verb.__name__
    return admin.action(description=words, permissions=["view"])(run)


# --- tenants and people ----------------------------------------------------------------------------------


def switch_account_off(account: Account, by: Actor) -> None:
    tenants.switch_account(account, by=by, is_active=False, reason=BY_STAFF)


def switch_account_on(account: Account, by: Actor) -> None:
    tenants.switch_account(account, by=by, is_active=True, reason=BY_STAFF)


@admin.register(Account)
class AccountAdmin(LookOnly):
    actions = (
        by_verb(gettext_lazy("Switch off"), switch_account_off),
        by_verb(gettext_lazy("Switch on again"), switch_account_on),
    )
    list_display = ("name", "slug", "kind", "is_active", "deleted_at", "time_zone", "created_at")
    list_filter = ("kind", "is_active")
    search_fields = ("name", "slug")
    ordering = ("path",)


def keep_from_signing_in(user: User, by: Actor) -> None:
    tenants.switch_person(user, by=by, is_active=False)


def let_sign_in(user: User, by: Actor) -> None:
    tenants.switch_person(user, by=by, is_active=True)


def reset_second_factor(user: User, by: Actor) -> None:
    second_factor.reset(user, by=by)


@admin.register(User)
class UserAdmin(LookOnly):
    actions = (
        by_verb(gettext_lazy("Reset the second factor"), reset_second_factor),
        by_verb(gettext_lazy("Keep from signing in"), keep_from_signing_in),
        by_verb(gettext_lazy("Let sign in again"), let_sign_in),
    )
    list_display = ("email", "name", "is_active", "is_staff", "has_demo_password", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    fields = (
        "code",
        "email",
        "name",
        "is_active",
        "is_staff",
        "date_joined",
        "last_login",
        "has_demo_password",
    )
    readonly_fields = fields


def take_out(membership: Membership, by: Actor) -> None:
    tenants.remove_person(membership, by=by)


def see_no_secrets(membership: Membership, by: Actor) -> None:
    tenants.let_see_secrets(membership, by=by, sees=False)


@admin.register(Membership)
class MembershipAdmin(LookOnly):
    actions = (
        by_verb(gettext_lazy("Take out of the account"), take_out),
        by_verb(gettext_lazy("See secrets no more"), see_no_secrets),
    )
    list_display = ("user", "role", "account", "sees_secrets", "invited_at")
    list_filter = ("role", "sees_secrets")
    list_select_related = ("user", "account")
    search_fields = ("user__email", "account__slug")


@admin.register(NoticeChoice)
class NoticeChoiceAdmin(LookOnly):
    list_display = ("user", "kind", "how")
    list_filter = ("how",)
    list_select_related = ("user",)
    search_fields = ("user__email", "kind")


def end_session(session: UserSession, by: Actor) -> None:
    tenants.stand_above(session.user, by=by)
    session.end()


class UserSessionAdmin(LookOnly):
    """Where people are signed in; what a session holds, and its key, are no fields here."""

    actions = (by_verb(gettext_lazy("End the session"), end_session),)
    list_display = ("user", "ip", "user_agent", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "ip")
    fields = ("user", "ip", "user_agent", "created_at", "last_seen_at")


# --- programs --------------------------------------------------------------------------------------------


def revoke(key: ApiKey, by: Actor) -> None:
    keys.revoke(key, by=by)


@admin.register(ApiKey)
class ApiKeyAdmin(ListOnly):
    """A key's primary key holds its hash, which stands in no page and no address."""

    actions = (by_verb(gettext_lazy("Revoke"), revoke),)
    list_display = ("name", "prefix", "role", "account", "last_used_at", "expiry_date", "revoked")
    list_filter = ("role", "revoked")
    list_select_related = ("account",)
    search_fields = ("name", "prefix", "account__slug")

    @admin.display(description="")
    def action_checkbox(self, obj: ApiKey) -> SafeString:
        """Choose a row by its code."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            obj.code,
            obj.name,
        )

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **more: Any) -> Any:
        posted = request.POST.copy()
        chosen = queryset.filter(code__in=posted.getlist(ACTION_CHECKBOX_NAME))
        posted.setlist(ACTION_CHECKBOX_NAME, [str(pk) for pk in chosen.values_list("pk", flat=True)])
        request.POST = posted  # type: ignore[assignment]
        return super().response_action(request, queryset, *args, **more)


@admin.register(KeptAnswer)
class KeptAnswerAdmin(LookOnly):
    """Calls that came with an `Idempotency-Key`; what they were answered is their callers' own."""

    list_display = ("caller", "name", "status", "turn", "created_at", "runs_until")
    list_filter = ("status",)
    search_fields = ("caller", "name")
    fields = list_display


# --- the record ------------------------------------------------------------------------------------------


@admin.register(AuditEntry)
class AuditEntryAdmin(LookOnly):
    list_display = ("at", "actor", "verb", "target_name", "account_slug", "address", "on_behalf_of")
    search_fields = ("actor", "verb", "target_name", "target_code", "account_slug")
    # Who and where are text: the rows they name may be gone.
    exclude = ("account", "user")
