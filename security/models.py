"""Who is kept out: bans and blocks, and the networks that are spared."""

import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import Account
from accounts.scope import ScopedQuerySet
from security.networks import Network


class BanQuerySet(models.QuerySet["Ban"]):
    def standing(self, now: datetime) -> Self:
        """Keep the bans and blocks that are in force."""
        return self.filter(starts_at__lte=now, ends_at__gt=now, lifted_at=None)

    def holding(self, network: Network) -> Self:
        """Keep those that hold the whole network."""
        return self.filter(first__lte=network.hex_first, last__gte=network.hex_last)

    def touching(self, network: Network) -> Self:
        """Keep those that share an address with the network."""
        return self.filter(first__lte=network.hex_last, last__gte=network.hex_first)


class Ban(models.Model):
    """A time in which an address gets nothing at the root URL (BANNED), or nothing at all (BLOCKED)."""

    class Kind(models.TextChoices):
        BANNED = "banned", gettext_lazy("Banned")
        BLOCKED = "blocked", gettext_lazy("Blocked")

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    first = models.CharField(max_length=32)
    last = models.CharField(max_length=32)
    reason = models.CharField(max_length=300, blank=True)
    evidence = models.JSONField(default=dict, blank=True)
    step = models.PositiveSmallIntegerField(default=0)  # earned for the how manyth time in 24 h; 0: set
    propose_block = models.BooleanField(default=False)
    set_by = models.CharField(max_length=200)
    starts_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=200, blank=True)

    objects = BanQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-id"]
        indexes = [
            models.Index(fields=["first", "last"], name="ban_range"),
            models.Index(fields=["ends_at"], name="ban_end"),
        ]
        constraints = [
            models.CheckConstraint(name="ban_range_ordered", condition=Q(first__lte=F("last"))),
            models.CheckConstraint(
                name="ban_ends_after_start",
                condition=Q(ends_at__gt=F("starts_at")),
                violation_error_message=gettext_lazy("A ban ends after it starts."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.network} ({self.kind})"

    @property
    def network(self) -> Network:
        return Network.from_hex(self.first, self.last)


class Unblocking(models.Model):
    """Somebody ended the ban of the address he was at (B6); it counts towards his limit and the address's."""

    ban = models.ForeignKey(Ban, on_delete=models.CASCADE, related_name="unblockings")
    person = models.CharField(max_length=200)
    first = models.CharField(max_length=32)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["person", "at"], name="unblocking_person"),
            models.Index(fields=["first", "at"], name="unblocking_origin"),
        ]

    def __str__(self) -> str:
        return f"{self.ban} by {self.person}"


class AllowedQuerySet(ScopedQuerySet):
    def standing(self, now: datetime) -> Self:
        """Keep the allowances that are granted and in force."""
        return self.filter(ends_at__gt=now, ended_at=None).exclude(granted_at=None)

    def touching(self, network: Network) -> Self:
        """Keep those that share an address with the network."""
        return self.filter(first__lte=network.hex_last, last__gte=network.hex_first)

    def waiting(self, now: datetime) -> Self:
        """Keep what was proposed and not decided yet."""
        return self.filter(ends_at__gt=now, ended_at=None, granted_at=None)


class AllowedNetwork(models.Model):
    """A network whose phones are known in number: thresholds are higher there (B8). First it is proposed."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="allowed_networks")
    first = models.CharField(max_length=32)
    last = models.CharField(max_length=32)
    reason = models.CharField(max_length=300)
    proposed_by = models.CharField(max_length=200)
    granted_by = models.CharField(max_length=200, blank=True)
    granted_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AllowedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(name="allowed_range_ordered", condition=Q(first__lte=F("last"))),
            models.CheckConstraint(
                name="allowed_ends_after_start",
                condition=Q(ends_at__gt=F("created_at")),
                violation_error_message=gettext_lazy("An allowance ends after it is proposed."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.network)

    @property
    def network(self) -> Network:
        return Network.from_hex(self.first, self.last)

    def state(self, now: datetime) -> str:
        """One word: proposed, allowed, refused (ended before anybody granted it) or ended."""
        if self.ended_at is not None or self.ends_at <= now:
            return "refused" if self.granted_at is None and self.ended_at is not None else "ended"
        return "proposed" if self.granted_at is None else "allowed"
