"""A phone's lock, its tokens and claims, and what the platform remembers of a MAC."""

import uuid
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor, ScopedQuerySet, below, outside
from devices.models import Device, Site
from provisioning.gate import State, TokenKind
from security.networks import Network


def state_choices() -> list[tuple[str, str]]:
    return [(state.value, state.value.capitalize()) for state in State]


def token_kind_choices() -> list[tuple[str, str]]:
    return [(kind.value, kind.value.capitalize()) for kind in TokenKind]


def network_or_none(first: str, last: str) -> Network | None:
    """The network of two hex columns; two empty ones are none."""
    return Network.from_hex(first, last) if first else None


def first_revision() -> int:
    return int(timezone.now().timestamp() * 1000)


class OwnedByDevice(ScopedQuerySet):
    """Rows of a phone: seen by whoever sees the phone."""

    account_path = "device__account__path"

    def visible_to(self, actor: Actor) -> Self:
        """Keep the rows of the phones in the actor's accounts, and of his own phones."""
        seen = actor.paths(Power.SEE_ACCOUNT)
        reach = below(seen, self.account_path)
        if actor.user is not None and (own := outside(actor.paths(Power.OWN_PHONES), seen)):
            reach |= Q(device__owner=actor.user) & below(own, self.account_path)
        return self.filter(reach)


class OwnedThen(OwnedByDevice):
    """What happened to a phone: it stays with the account that had the phone then (E17)."""

    account_path = "account__path"

    def visible_to(self, actor: Actor) -> Self:
        """Keep what happened in the actor's accounts, and to his own phones while they were here."""
        seen = actor.paths(Power.SEE_ACCOUNT)
        reach = below(seen, self.account_path)
        if actor.user is not None and (paths := outside(actor.paths(Power.OWN_PHONES), seen)):
            own = Q(device__owner=actor.user, device__account=F("account"))
            reach |= own & below(paths, self.account_path)
        return self.filter(reach)


class Lock(models.Model):
    """One phone's lock: its state, what it is bound to, and the unlock (grant) that may be open.

    One row, so that the claim decides under one row lock. `revision` grows with everything that changes
    what the phone may get, `files_revision` with what its files say; the store never takes an older one over
    a newer one. Both start at the milliseconds of the day the phone was entered, so that they go on growing
    when a MAC is deleted and entered again.
    """

    class Reason(models.TextChoices):
        NONE = "", gettext_lazy("None")
        STALE = "stale", gettext_lazy("Stale")
        PREVIOUSLY_REGISTERED = "previously-registered", gettext_lazy("Previously registered")
        MOVED = "moved", gettext_lazy("Moved")

    class Suspicion(models.TextChoices):
        ORIGINS = "origins", gettext_lazy("Refused at three foreign origins within 24 hours")
        HOURS = "hours", gettext_lazy("Refused at one foreign origin in 12 of 24 hours")
        CLONE = "clone", gettext_lazy("Two parties hold its tokens")

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="lock")
    state = models.CharField(max_length=12, choices=state_choices, default=State.NEW.value)
    reason = models.CharField(max_length=24, choices=Reason.choices, blank=True)
    since = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=200, blank=True)
    revision = models.PositiveBigIntegerField(default=first_revision)
    files_revision = models.PositiveBigIntegerField(default=first_revision)
    armed_at = models.DateTimeField(default=timezone.now)

    bound_first = models.CharField(max_length=32, blank=True)
    bound_last = models.CharField(max_length=32, blank=True)
    bound_site = models.ForeignKey(
        Site, on_delete=models.SET_NULL, null=True, blank=True, related_name="bound_locks"
    )

    grant_given_at = models.DateTimeField(null=True, blank=True)
    grant_until = models.DateTimeField(
        null=True, blank=True, help_text=gettext_lazy("Empty while open: until the first fetch.")
    )
    grant_first = models.CharField(max_length=32, blank=True)
    grant_last = models.CharField(max_length=32, blank=True)
    grant_by = models.CharField(max_length=200, blank=True)

    suspicion_since = models.DateTimeField(null=True, blank=True)
    suspicion_until = models.DateTimeField(null=True, blank=True)
    suspicion_why = models.CharField(max_length=12, choices=Suspicion.choices, blank=True)
    accepted_agents = models.JSONField(default=list, blank=True)
    last_claim_at = models.DateTimeField(null=True, blank=True)

    # O4: where the current token was used from, other than the bound origin, and when first.
    follow_first = models.CharField(max_length=32, blank=True)
    follow_last = models.CharField(max_length=32, blank=True)
    follow_since = models.DateTimeField(null=True, blank=True)

    objects = OwnedByDevice.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="lock_state_known", condition=Q(state__in=[state.value for state in State])
            ),
            models.CheckConstraint(
                name="lock_grant_only_when_unlocked",
                condition=Q(state=State.UNLOCKED.value, grant_given_at__isnull=False)
                | (~Q(state=State.UNLOCKED.value) & Q(grant_given_at__isnull=True)),
                violation_error_message=gettext_lazy("A phone is unlocked exactly while an unlock is open."),
            ),
        ]
        indexes = [
            # Almost all locks are locked and under no suspicion: lists count the others.
            models.Index(fields=["state"], condition=~Q(state=State.LOCKED.value), name="lock_not_locked"),
            models.Index(
                fields=["suspicion_until"],
                condition=Q(suspicion_until__isnull=False),
                name="lock_suspicion",
            ),
            models.Index(fields=["bound_first"], name="lock_bound_first"),
        ]

    def __str__(self) -> str:
        return f"{self.device}: {self.state}"

    @property
    def bound_network(self) -> Network | None:
        return network_or_none(self.bound_first, self.bound_last)

    @property
    def grant_origin(self) -> Network | None:
        return network_or_none(self.grant_first, self.grant_last)


class Denial(models.Model):
    """An origin that a person denied for a phone, for 30 days (R14)."""

    lock = models.ForeignKey(Lock, on_delete=models.CASCADE, related_name="denials")
    first = models.CharField(max_length=32)
    last = models.CharField(max_length=32)
    since = models.DateTimeField()
    until = models.DateTimeField(db_index=True)
    by = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lock", "first", "last"], name="denial_once")]

    def __str__(self) -> str:
        return str(Network.from_hex(self.first, self.last))


class Claim(models.Model):
    """A root fetch that bound a phone to an origin and brought new tokens."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="claims")
    mac = models.CharField(max_length=12)
    at = models.DateTimeField()
    rule = models.CharField(max_length=4)
    first = models.CharField(max_length=32)
    last = models.CharField(max_length=32)
    address = models.CharField(max_length=45)
    agent = models.CharField(max_length=256, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)  # E16
    undone_by = models.CharField(max_length=200, blank=True)
    # What E16 (take back) needs to undo it: state and binding before.
    before = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["device", "-at"], name="claim_device_at")]

    def __str__(self) -> str:
        return f"{self.mac} from {self.address}"


class Token(models.Model):
    """One private URL's secret part: HMAC for finding it, sealed text for the files that must name it."""

    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="tokens")
    mac = models.CharField(max_length=12)
    hash = models.CharField(max_length=40, unique=True)
    sealed = models.BinaryField(default=b"")
    kind = models.CharField(max_length=8, choices=token_kind_choices)
    claim = models.ForeignKey(Claim, on_delete=models.SET_NULL, null=True, related_name="tokens")
    issued_at = models.DateTimeField()
    first_used_at = models.DateTimeField(null=True, blank=True)
    # A former token: when a later one was first used. From then on its use is a suspected clone (T3).
    superseded_at = models.DateTimeField(null=True, blank=True)
    # An entry token's end, a former one's once it is superseded, a retired phone's, a dead one's last hour.
    until = models.DateTimeField(null=True, blank=True)
    first = models.CharField(max_length=32, blank=True)
    last = models.CharField(max_length=32, blank=True)
    # {"<hex first>-<hex last>": epoch seconds}: given to or used from, when last (T3).
    origins = models.JSONField(default=dict, blank=True)
    clone_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["device"], condition=Q(kind=TokenKind.CURRENT.value), name="token_one_current"
            ),
            models.CheckConstraint(
                name="token_kind_known", condition=Q(kind__in=[kind.value for kind in TokenKind])
            ),
        ]
        indexes = [
            models.Index(fields=["mac"], name="token_mac"),
            models.Index(fields=["kind", "until"], name="token_end"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.hash[:6]}"


class MacRecord(models.Model):
    """The ledger of MACs that were claimed or quarantined, kept over deletions as hashes (E9, E8q)."""

    mac_hash = models.CharField(max_length=40, unique=True)
    account_code = models.UUIDField()
    claimed = models.BooleanField(default=False)
    quarantined = models.BooleanField(default=False)
    bound_first = models.CharField(max_length=32, blank=True)
    bound_last = models.CharField(max_length=32, blank=True)
    bound_site_code = models.UUIDField(null=True, blank=True)
    suspicion_until = models.DateTimeField(null=True, blank=True)
    left_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.mac_hash[:6]


class PolicyValue(models.Model):
    """One policy of rules.md section 1, given for an account and those below it."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="policy_values")
    name = models.CharField(max_length=40)
    value: Any = models.JSONField()

    objects = ScopedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="policy_once")]

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"
