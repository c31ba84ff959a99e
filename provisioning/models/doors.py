"""Ways in that people open: windows and approvals."""

import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import Account
from accounts.scope import Actor, ScopedQuerySet
from devices.models import Device, Site
from provisioning.models.locks import OwnedThen
from security.networks import Network


class WindowQuerySet(ScopedQuerySet):
    def open_or_coming(self, now: datetime) -> Self:
        """Keep the windows that are open or will open."""
        return self.filter(ends_at__gt=now, closed_at=None)


class Window(models.Model):
    """For 1 to 40 hours one origin may set up the devices of an account and of the accounts below it."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="windows")
    first = models.CharField(max_length=32)
    last = models.CharField(max_length=32)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, null=True, blank=True, related_name="windows")
    listed = models.BooleanField(default=False)
    devices = models.ManyToManyField(Device, blank=True, related_name="windows")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    opened_by = models.CharField(max_length=200)
    covers = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = WindowQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(
                name="window_ends_after_start",
                condition=Q(ends_at__gt=F("starts_at")),
                violation_error_message=gettext_lazy("A window ends after it starts."),
            )
        ]
        indexes = [models.Index(fields=["ends_at"], name="window_end")]

    def __str__(self) -> str:
        return f"{self.network} for {self.account}"

    @property
    def network(self) -> Network:
        return Network.from_hex(self.first, self.last)


class ApprovalQuerySet(OwnedThen):
    def visible_to(self, actor: Actor) -> Self:
        """As what happened, but only while the phone is there: a card shows the phone as it is now."""
        return super().visible_to(actor).filter(device__account=F("account"))


class Approval(models.Model):
    """A card: a phone was refused somewhere, and a person may say yes or no (E14)."""

    class Status(models.TextChoices):
        OPEN = "open", gettext_lazy("Open")
        ONCE = "once", gettext_lazy("Approved once")
        SITE = "site", gettext_lazy("Approved for a site")
        DENY = "deny", gettext_lazy("Denied")
        QUARANTINE = "quarantine", gettext_lazy("Quarantined")
        CLOSED = "closed", gettext_lazy("Closed unanswered")

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="approvals")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="approvals")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    rule = models.CharField(max_length=4)
    opened_at = models.DateTimeField()
    closes_at = models.DateTimeField(db_index=True)
    last_try_at = models.DateTimeField()
    # The last three: {"first", "last", "address", "agent", "product", "at", "rule"}; the newest first.
    origins = models.JSONField(default=list)
    tries = models.PositiveIntegerField(default=0)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=200, blank=True)

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        ordering = ["-last_try_at"]
        constraints = [
            models.UniqueConstraint(fields=["device"], condition=Q(status="open"), name="approval_one_open")
        ]

    def __str__(self) -> str:
        return f"{self.device}: {self.status}"


class UnlockLink(models.Model):
    """A link that a manager gave to somebody without a login: unlocks one phone, once, within 24 hours."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="unlock_links")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="unlock_links")
    key = models.CharField(max_length=64, unique=True)  # HMAC of the link's secret part, which stands nowhere
    made_by = models.CharField(max_length=200)
    maker = models.JSONField(default=dict)  # the manager as an actor, as a job keeps him
    given_to = models.CharField(max_length=120, blank=True)
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    ends_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)  # taken back by a person
    used_at = models.DateTimeField(null=True, blank=True)
    used_from = models.CharField(max_length=45, blank=True)

    objects = OwnedThen.as_manager()

    class Meta:
        ordering = ["-made_at"]
        constraints = [
            models.CheckConstraint(
                name="unlock_link_ends_after_start",
                condition=Q(ends_at__gt=F("made_at")),
                violation_error_message=gettext_lazy("A link ends after it was made."),
            )
        ]

    def __str__(self) -> str:
        return f"Link for {self.device}"
