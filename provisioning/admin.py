"""The staff site's view of locks, windows, cards, jobs and what phones did; a token shows six characters."""

from django.contrib import admin
from django.utils.translation import gettext_lazy

from accounts.admin import BY_STAFF, LookOnly, by_verb
from accounts.scope import Actor
from provisioning import locking, outgoing, unlock_links, windows
from provisioning.models import (
    Approval,
    CheckInDay,
    CheckInHour,
    Claim,
    Denial,
    DeviceEvent,
    Drain,
    FailureKey,
    ImportDraft,
    Incident,
    IncidentStep,
    Job,
    JobItem,
    LastSeen,
    ListsVersion,
    Lock,
    MacRecord,
    Notice,
    Outbox,
    Pace,
    PolicyValue,
    Proof,
    ProvedHour,
    ResyncRequest,
    Stamp,
    Swept,
    Token,
    Told,
    UnknownTime,
    UnlockLink,
    Upload,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    Window,
)
from provisioning.spans import Span


def unlock(lock: Lock, by: Actor) -> None:
    locking.unlock(lock.device, by=by, span=Span.parse("24h"))


def lock_again(lock: Lock, by: Actor) -> None:
    locking.lock_again(lock.device, by=by)


def quarantine(lock: Lock, by: Actor) -> None:
    locking.quarantine(lock.device, by=by, reason=BY_STAFF)


@admin.register(Lock)
class LockAdmin(LookOnly):
    actions = (
        by_verb(gettext_lazy("Unlock for 24 hours"), unlock),
        by_verb(gettext_lazy("Lock again"), lock_again),
        by_verb(gettext_lazy("Quarantine"), quarantine),
    )
    list_display = ("device", "state", "reason", "since", "by", "grant_until", "suspicion_until")
    list_filter = ("state",)
    list_select_related = ("device__account",)
    search_fields = ("device__mac", "device__name")


@admin.register(Denial)
class DenialAdmin(LookOnly):
    list_display = ("lock", "since", "until", "by")
    list_select_related = ("lock__device",)


@admin.register(Claim)
class ClaimAdmin(LookOnly):
    list_display = ("at", "mac", "rule", "address", "agent")
    search_fields = ("mac__exact", "address__exact")


@admin.register(Token)
class TokenAdmin(LookOnly):
    """A list without pages of its own: nothing of a token is shown but six characters of its hash."""

    list_display = ("__str__", "mac", "issued_at", "first_used_at", "until", "clone_since")
    list_filter = ("kind",)
    list_display_links = None
    search_fields = ("mac__exact",)
    fields = ("mac", "kind", "issued_at", "first_used_at", "until", "clone_since")


@admin.register(PolicyValue)
class PolicyValueAdmin(LookOnly):
    list_display = ("account", "name")
    list_select_related = ("account",)
    search_fields = ("name", "account__slug")


def close(window: Window, by: Actor) -> None:
    windows.close_window(window, by=by)


@admin.register(Window)
class WindowAdmin(LookOnly):
    actions = (by_verb(gettext_lazy("Close"), close),)
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
    search_fields = ("mac__exact", "address__exact")


@admin.register(LastSeen)
class LastSeenAdmin(LookOnly):
    list_display = ("device", "at", "address", "model", "firmware")
    list_select_related = ("device",)
    search_fields = ("device__mac", "address")


@admin.register(FailureKey)
class FailureKeyAdmin(LookOnly):
    list_display = ("hour", "first", "kind", "label", "count", "last_at", "agent")
    search_fields = ("label__exact",)


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
    exclude = ("params", "actor")  # what was asked for may name a secret


@admin.register(JobItem)
class JobItemAdmin(LookOnly):
    exclude = ("details",)  # a row of an import may bring a secret along
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


# --- links, imports, letters -----------------------------------------------------------------------------


def end_link(link: UnlockLink, by: Actor) -> None:
    unlock_links.end(link, by=by)


@admin.register(UnlockLink)
class UnlockLinkAdmin(LookOnly):
    """What finds a link, its HMAC, is no field here."""

    actions = (by_verb(gettext_lazy("Take back"), end_link),)
    list_display = ("device", "account", "made_by", "given_to", "made_at", "ends_at", "used_at", "ended_at")
    list_select_related = ("device__account", "account")
    search_fields = ("device__mac", "account__slug", "made_by")
    exclude = ("key", "maker")


@admin.register(ImportDraft)
class ImportDraftAdmin(LookOnly):
    """The rows of a list may hold secrets, so they stand only before whoever sent it."""

    list_display = ("created_at", "account", "by", "file_name", "job")
    list_select_related = ("account", "job")
    search_fields = ("account__slug", "file_name")
    exclude = ("rows", "params")


@admin.register(Notice)
class NoticeAdmin(LookOnly):
    list_display = ("at", "user", "account", "kind", "subject", "due_at", "sent_at")
    list_select_related = ("user", "account")
    search_fields = ("user__email", "account__slug")


@admin.register(Told)
class ToldAdmin(LookOnly):
    list_display = ("at", "account", "what")
    list_select_related = ("account",)
    search_fields = ("account__slug", "what")


@admin.register(ResyncRequest)
class ResyncRequestAdmin(LookOnly):
    list_display = ("asked_at", "device", "by", "reboot", "sent_at", "status_code", "outcome", "why")
    list_select_related = ("device",)
    search_fields = ("device__mac",)


# --- what other programs are told -------------------------------------------------------------------------


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(LookOnly):
    """What follows the host in an address may be a secret of the other side."""

    list_display = ("name", "account", "host", "is_active", "failing_since", "rests_until", "last_success_at")
    list_filter = ("is_active",)
    list_select_related = ("account",)
    search_fields = ("name", "account__slug")
    fields = (*list_display, "kinds", "with_below", "failures", "former_until", "created_at")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("Address"))
    def host(self, endpoint: WebhookEndpoint) -> str:
        return outgoing.read_url(endpoint.url).place


@admin.register(WebhookEvent)
class WebhookEventAdmin(LookOnly):
    list_display = ("at", "kind", "account", "device")
    list_select_related = ("account", "device")
    search_fields = ("account__slug", "device__mac", "kind")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(LookOnly):
    list_display = ("created_at", "endpoint", "event", "state", "tries", "due_at", "ended_at", "is_replay")
    list_filter = ("state",)
    list_select_related = ("endpoint", "event")
    search_fields = ("endpoint__account__slug",)


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(LookOnly):
    """What the other side answered is for those whose program it is."""

    list_display = ("at", "delivery", "status", "why", "took")
    list_select_related = ("delivery",)
    exclude = ("answer", "request_headers")


# --- what phones left behind -----------------------------------------------------------------------------


@admin.register(Upload)
class UploadAdmin(LookOnly):
    """What a phone sent is sealed; that it did, and when, is here."""

    list_display = ("at", "device", "name", "content_type")
    list_select_related = ("device",)
    search_fields = ("device__mac", "name")
    fields = ("device", "name", "content_type", "at")


@admin.register(Proof)
class ProofAdmin(LookOnly):
    list_display = ("device", "first", "last", "at")
    list_select_related = ("device",)
    search_fields = ("device__mac",)


@admin.register(MacRecord)
class MacRecordAdmin(LookOnly):
    """The ledger of MACs that left: a hash for each, which tells no MAC."""

    list_display = ("left_at", "claimed", "quarantined", "suspicion_until", "account_code")
    list_filter = ("quarantined",)
    search_fields = ("account_code__exact",)
    exclude = ("mac_hash",)


@admin.register(CheckInHour)
class CheckInHourAdmin(LookOnly):
    list_display = ("hour", "device", "count")
    list_select_related = ("device",)
    search_fields = ("device__mac",)


@admin.register(CheckInDay)
class CheckInDayAdmin(LookOnly):
    list_display = ("day", "account", "site")
    list_select_related = ("account", "site")
    search_fields = ("account__slug",)


# --- how the platform does -------------------------------------------------------------------------------


@admin.register(Swept)
class SweptAdmin(LookOnly):
    list_display = ("name", "at", "gone", "reached", "is_whole")


@admin.register(Pace)
class PaceAdmin(LookOnly):
    list_display = ("name", "tokens", "at")


@admin.register(ListsVersion)
class ListsVersionAdmin(LookOnly):
    list_display = ("number",)
