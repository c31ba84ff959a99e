"""What is told to other people's programs: endpoints, events, and each delivery with its tries."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import Account
from accounts.scope import ScopedQuerySet
from devices.models import Device


class WebhookEndpoint(models.Model):
    """An address of somebody's program that is told what happens in an account, and below it if wanted."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="webhook_endpoints")
    name = models.CharField(max_length=60)
    url = models.CharField(max_length=500)
    kinds = models.JSONField(default=list, blank=True, help_text="Names of events; empty: all of them.")
    with_below = models.BooleanField(default=False, help_text="Also what happens in the accounts below.")
    is_active = models.BooleanField(default=True)
    # What signs (Standard Webhooks), sealed with the endpoint's code; the former signs beside it for a while.
    secret = models.BinaryField(default=bytes, editable=False)
    former_secret = models.BinaryField(default=bytes, blank=True, editable=False)
    former_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # How it goes: after failures in a row it rests, and one delivery tries whether it is back.
    failures = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    rests_until = models.DateTimeField(null=True, blank=True, editable=False)
    last_success_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "name"],
                name="webhook_endpoint_name_once",
                violation_error_message=gettext_lazy("There is an endpoint of this name already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WebhookEvent(models.Model):
    """Something that happened, as it is told; written with the change, only where somebody wants it."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # The one in which it happened: what a phone did stays with the account that had it then.
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="webhook_events")
    device = models.ForeignKey(
        Device, on_delete=models.SET_NULL, null=True, blank=True, related_name="webhook_events"
    )
    kind = models.CharField(max_length=40)
    # What is told in the order in which it happened: a phone's code, or what else the event is of.
    lane = models.CharField(max_length=60)
    at = models.DateTimeField(db_index=True)
    data = models.JSONField(default=dict)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at}"


class OfEndpoint(ScopedQuerySet):
    """What belongs to the account of its endpoint."""

    account_path = "endpoint__account__path"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint: its turn, its tries, its end."""

    class State(models.TextChoices):
        WAITING = "waiting", gettext_lazy("Waiting")
        DELIVERED = "delivered", gettext_lazy("Delivered")
        DEAD = "dead", gettext_lazy("Given up")
        DROPPED = "dropped", gettext_lazy("Not sent")  # the endpoint no longer stands above the account

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="deliveries")
    lane = models.CharField(max_length=60)  # the event's
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Its next turn; empty while those before it in its lane have not gone.
    due_at = models.DateTimeField(default=timezone.now, null=True, blank=True)
    taken_until = models.DateTimeField(null=True, blank=True)  # a worker has it in hand
    ended_at = models.DateTimeField(null=True, blank=True)
    # Asked for again by a person: it does not wait for others, and nobody waits for it.
    is_replay = models.BooleanField(default=False)

    objects = OfEndpoint.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # Of those that wait, said without a value: SQLite finds no such index by one that is filled in.
            models.Index(fields=["endpoint", "due_at"], name="webhook_due", condition=Q(ended_at=None)),
            models.Index(fields=["endpoint", "lane", "id"], name="webhook_lane", condition=Q(ended_at=None)),
            models.Index(fields=["endpoint", "-id"], name="webhook_log"),
            models.Index(fields=["ended_at"], name="webhook_ended"),
        ]
        constraints = [
            models.CheckConstraint(
                name="webhook_delivery_ends",
                condition=Q(state="waiting", ended_at=None)
                | (~Q(state="waiting") & Q(ended_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.endpoint_id}: {self.state}"


class WebhookAttempt(models.Model):
    """One try of a delivery: what was asked and what came back."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    took = models.FloatField(help_text="Seconds.")
    status = models.PositiveSmallIntegerField(default=0, help_text="HTTP's; 0: no answer.")
    why = models.CharField(max_length=300, blank=True)  # what went wrong, where no answer came
    answer = models.TextField(blank=True)  # its first 2,000 characters
    request_headers = models.JSONField(default=dict)  # as sent, the signature without its end

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["delivery", "at"], name="webhook_attempts")]

    def __str__(self) -> str:
        return f"{self.delivery_id} at {self.at}: {self.status or self.why}"
