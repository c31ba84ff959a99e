"""The staff site's view of locks, windows, cards, jobs and what phones did; a token shows six characters."""

from django.contrib import admin

from accounts.admin import LookOnly
from provisioning.models import (
    Approval,
    Claim,
    Denial,
    DeviceEvent,
    Drain,
    FailureKey,
    Incident,
    IncidentStep,
    Job,
    JobItem,
    LastSeen,
    Lock,
    Outbox,
    PolicyValue,
    ProvedHour,
    Stamp,
    Token,
    UnknownTime,
    Window,
)


@admin.register(Lock)
class LockAdmin(LookOnly):
    list_display = ("device", "state", "reason", "since", "by", "grant_until", "suspicion_until")
    list_filter = ("state", "reason")
    list_select_related = ("device",)
    search_fields = ("device__mac", "device__name")


@admin.register(Denial)
class DenialAdmin(LookOnly):
    list_display = ("lock", "since", "until", "by")
    list_select_related = ("lock__device",)


@admin.register(Claim)
class ClaimAdmin(LookOnly):
    list_display = ("at", "mac", "rule", "address", "agent")
    list_filter = ("rule",)
    search_fields = ("mac", "address")


@admin.register(Token)
class TokenAdmin(LookOnly):
    """A list without pages of its own: nothing of a token is shown but six characters of its hash."""

    list_display = ("__str__", "mac", "issued_at", "first_used_at", "until", "clone_since")
    list_filter = ("kind",)
    list_display_links = None
    search_fields = ("mac",)
    fields = ("mac", "kind", "issued_at", "first_used_at", "until", "clone_since")


@admin.register(PolicyValue)
class PolicyValueAdmin(LookOnly):
    list_display = ("account", "name")
    list_select_related = ("account",)
    search_fields = ("name", "account__slug")


@admin.register(Window)
class WindowAdmin(LookOnly):
    list_display = ("network", "account", "site", "starts_at", "ends_at", "closed_at", "opened_by", "covers")
    list_select_related = ("account", "site")
    fields = ("code", "account", "site", "listed", "starts_at", "ends_at", "closed_at", "opened_by", "covers")
    readonly_fields = fields


@admin.register(Approval)
class ApprovalAdmin(LookOnly):
    list_display = ("device", "status", "rule", "opened_at", "tries", "decided_by")
    list_filter = ("status",)
    list_select_related = ("device",)
    search_fields = ("device__mac", "device__name")


@admin.register(DeviceEvent)
class DeviceEventAdmin(LookOnly):
    list_display = ("at", "mac", "what", "outcome", "rule", "address", "count", "actor")
    list_filter = ("what", "outcome", "rule")
    search_fields = ("mac", "address")


@admin.register(LastSeen)
class LastSeenAdmin(LookOnly):
    list_display = ("device", "at", "address", "model", "firmware")
    list_select_related = ("device",)
    search_fields = ("device__mac", "address")


@admin.register(FailureKey)
class FailureKeyAdmin(LookOnly):
    list_display = ("hour", "first", "kind", "label", "count", "last_at", "agent")
    list_filter = ("kind",)
    search_fields = ("label",)


@admin.register(ProvedHour)
class ProvedHourAdmin(LookOnly):
    list_display = ("hour", "first", "last", "counts")


@admin.register(UnknownTime)
class UnknownTimeAdmin(LookOnly):
    list_display = ("since", "until", "why", "account", "site")
    list_filter = ("why",)
    list_select_related = ("account", "site")


@admin.register(Incident)
class IncidentAdmin(LookOnly):
    list_display = ("opened_at", "kind", "account", "title", "ended_at", "how_ended")
    list_filter = ("kind",)
    list_select_related = ("account",)
    search_fields = ("title", "subject", "account__slug")


@admin.register(IncidentStep)
class IncidentStepAdmin(LookOnly):
    list_display = ("at", "what", "said", "by", "incident")
    list_filter = ("what",)
    list_select_related = ("incident",)


@admin.register(Outbox)
class OutboxAdmin(LookOnly):
    list_display = ("created_at", "what", "device")
    list_filter = ("what",)
    list_select_related = ("device",)


@admin.register(Job)
class JobAdmin(LookOnly):
    list_display = ("created_at", "kind", "account", "by", "total", "done", "skipped", "finished_at")
    list_select_related = ("account",)


@admin.register(JobItem)
class JobItemAdmin(LookOnly):
    list_display = ("job", "name", "mac", "result", "rule", "why")
    list_filter = ("result",)
    list_select_related = ("job",)
    search_fields = ("mac",)


@admin.register(Drain)
class DrainAdmin(LookOnly):
    list_display = ("stream", "epoch", "cursor", "drained", "moved_at")


@admin.register(Stamp)
class StampAdmin(LookOnly):
    list_display = ("name", "at")
