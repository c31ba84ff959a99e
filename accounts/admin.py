"""The staff site's view of tenants, people and the audit. Looked at here, changed by verbs."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.models import Account, ApiKey, AuditEntry, Membership, User
from accounts.roles import Power
from accounts.scope import NOBODY

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]
else:
    Admin = admin.ModelAdmin


class LookOnly(Admin):
    """Platform support sees the rows; adding, changing and deleting are the verbs' business.

    Whether somebody may look is asked of his roles, as everywhere else, not of Django's own permissions.
    """

    actions: Any = None
    show_full_result_count = False

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


def _may_look(request: HttpRequest) -> bool:
    actor = getattr(request, "actor", NOBODY)
    return bool(request.user.is_active and actor.may_anywhere(Power.STAFF_SITE))


@admin.register(Account)
class AccountAdmin(LookOnly):
    list_display = ("name", "slug", "kind", "is_active", "deleted_at", "time_zone", "created_at")
    list_filter = ("kind", "is_active")
    search_fields = ("name", "slug")
    ordering = ("path",)


@admin.register(User)
class UserAdmin(LookOnly):
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


@admin.register(Membership)
class MembershipAdmin(LookOnly):
    list_display = ("user", "role", "account")
    list_filter = ("role",)
    list_select_related = ("user", "account")
    search_fields = ("user__email", "account__slug")


@admin.register(ApiKey)
class ApiKeyAdmin(LookOnly):
    """A list without pages of its own: a key's primary key holds its hash, not for address bars."""

    list_display = ("name", "prefix", "role", "account", "last_used_at", "expiry_date", "revoked")
    list_filter = ("role", "revoked")
    list_display_links = None
    list_select_related = ("account",)
    search_fields = ("name", "prefix", "account__slug")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_view_permission(request)


@admin.register(AuditEntry)
class AuditEntryAdmin(LookOnly):
    list_display = ("at", "actor", "verb", "target_name", "account_slug", "address", "on_behalf_of")
    list_filter = ("verb",)
    search_fields = ("actor", "target_name", "target_code", "account_slug")
    # Who and where are text: the rows they name may be gone.
    exclude = ("account", "user")
    date_hierarchy = "at"
