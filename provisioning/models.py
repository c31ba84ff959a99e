"""Which phone gets which file, and when: locks, tokens, claims, windows, approvals, and what phones did."""

import uuid
from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor, ScopedQuerySet, below
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
        reach = below(actor.paths(Power.SEE_ACCOUNT), self.account_path)
        if actor.user is not None:
            reach |= Q(device__owner=actor.user) & below(actor.paths(Power.OWN_PHONES), self.account_path)
        return self.filter(reach)


class Lock(models.Model):
    """One phone's lock: its state, what it is bound to, and the unlock (grant) that may be open.

    One row, so that the claim decides under one row lock. `revision` grows with everything that changes
    what the phone may get, `files_revision` with what its files say; the store never takes an older one over
    a newer one. Both start at the milliseconds of the day the phone was entered, so that they go on growing
    when a MAC is deleted and entered again.
    """

    class Reason(models.TextChoices):
        NONE = "", "None"
        STALE = "stale", "Stale"
        PREVIOUSLY_REGISTERED = "previously-registered", "Previously registered"
        MOVED = "moved", "Moved"

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
        null=True, blank=True, help_text="Empty while open: until the first fetch."
    )
    grant_first = models.CharField(max_length=32, blank=True)
    grant_last = models.CharField(max_length=32, blank=True)
    grant_by = models.CharField(max_length=200, blank=True)

    suspicion_until = models.DateTimeField(null=True, blank=True)
    accepted_agents = models.JSONField(default=list, blank=True)
    last_claim_at = models.DateTimeField(null=True, blank=True)

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
                violation_error_message="A phone is unlocked exactly while an unlock is open.",
            ),
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

    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="claims")
    mac = models.CharField(max_length=12)
    at = models.DateTimeField()
    rule = models.CharField(max_length=4)
    first = models.CharField(max_length=32)
    last = models.CharField(max_length=32)
    address = models.CharField(max_length=45)
    agent = models.CharField(max_length=256, blank=True)
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
    # An entry token's end; a former one's once a later token was used; a dead one's hour of death.
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
                violation_error_message="A window ends after it starts.",
            )
        ]
        indexes = [models.Index(fields=["ends_at"], name="window_end")]

    def __str__(self) -> str:
        return f"{self.network} for {self.account}"

    @property
    def network(self) -> Network:
        return Network.from_hex(self.first, self.last)


class Approval(models.Model):
    """A card: a phone was refused somewhere, and a person may say yes or no (E14)."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        ONCE = "once", "Approved once"
        SITE = "site", "Approved for a site"
        DENY = "deny", "Denied"
        QUARANTINE = "quarantine", "Quarantined"
        CLOSED = "closed", "Closed unanswered"

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

    objects = OwnedByDevice.as_manager()

    class Meta:
        ordering = ["-last_try_at"]
        constraints = [
            models.UniqueConstraint(fields=["device"], condition=Q(status="open"), name="approval_one_open")
        ]

    def __str__(self) -> str:
        return f"{self.device}: {self.status}"


class DeviceEvent(models.Model):
    """One line of a phone's log: a request's answer with its rule, or what a person or the clock did.

    Equal refusals of a second are one row with a count. `account` is the one that owned the phone then:
    old events stay with the old account.
    """

    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="events")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="device_events")
    mac = models.CharField(max_length=12)
    at = models.DateTimeField()
    what = models.CharField(max_length=32)  # "request" or a verb's name
    outcome = models.CharField(max_length=10, blank=True)
    rule = models.CharField(max_length=4, blank=True)
    address = models.CharField(max_length=45, blank=True)
    agent = models.CharField(max_length=256, blank=True)
    file = models.CharField(max_length=120, blank=True)
    count = models.PositiveIntegerField(default=1)
    actor = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict, blank=True)

    objects = OwnedByDevice.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["device", "-at"], name="event_device_at"),
            models.Index(fields=["account", "-at"], name="event_account_at"),
        ]

    def __str__(self) -> str:
        return f"{self.mac} {self.rule or self.what}"


class LastSeen(models.Model):
    """A phone's last check-in: when, from where, with which firmware."""

    device = models.OneToOneField(
        Device, on_delete=models.CASCADE, primary_key=True, related_name="last_seen"
    )
    at = models.DateTimeField(db_index=True)
    address = models.CharField(max_length=45)
    agent = models.CharField(max_length=256, blank=True)
    model = models.CharField(max_length=60, blank=True)
    firmware = models.CharField(max_length=60, blank=True)

    def __str__(self) -> str:
        return f"{self.device} at {self.at}"


class CheckInHour(models.Model):
    """How often a phone checked in within one hour."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="check_in_hours")
    hour = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "hour"], name="check_in_hour_once")]
        indexes = [models.Index(fields=["hour"], name="check_in_hour")]

    def __str__(self) -> str:
        return f"{self.device} {self.hour}: {self.count}"


class Proof(models.Model):
    """A phone is proved at an origin: it fetched its full file from there by its current token, when last."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="proofs")
    first = models.CharField(max_length=32)
    last = models.CharField(max_length=32)
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "first"], name="proof_once")]
        indexes = [models.Index(fields=["first", "at"], name="proof_origin")]

    def __str__(self) -> str:
        return f"{self.device} at {self.first}"


class FailureKey(models.Model):
    """One distinct failure of an address in one hour (rules.md section 6): the evidence."""

    first = models.CharField(max_length=32)
    last = models.CharField(max_length=32)
    hour = models.DateTimeField(db_index=True)
    kind = models.CharField(max_length=20)
    label = models.CharField(max_length=40, blank=True)  # the MAC, or six characters of a token's hash
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)
    agent = models.CharField(max_length=256, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["first", "hour", "kind", "label"], name="failure_key_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.label}"


class Outbox(models.Model):
    """Something that the store does not know yet; written with the change, removed when it was published."""

    class What(models.TextChoices):
        DEVICE = "device", "A device's lock, tokens and files"
        GONE = "gone", "A MAC and tokens that are on no device"
        LISTS = "lists", "Windows, sites, networks"
        ADDRESS = "address", "The standing of an address"

    what = models.CharField(max_length=8, choices=What.choices)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, related_name="outbox")
    details = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now, db_index=True)  # when the sweeper may take it up

    def __str__(self) -> str:
        return f"{self.what} {self.device_id or ''}"


class Upload(models.Model):
    """A personal directory or call list that a phone put away below its private URL: the last valid one."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=60)
    body = models.BinaryField()  # sealed
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "name"], name="upload_once")]

    def __str__(self) -> str:
        return self.name


class Job(models.Model):
    """Work on many phones in the background, with its progress and a result per phone."""

    class Kind(models.TextChoices):
        UNLOCK_ALL = "unlock-all", "Unlock all"

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="jobs")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    by = models.CharField(max_length=200)
    params = models.JSONField(default=dict)
    actor = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind} of {self.total}"


class JobItem(models.Model):
    """One phone of a job: waiting, done, or skipped and why."""

    class Result(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Skipped"

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="items")
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="job_items")
    name = models.CharField(max_length=120)
    mac = models.CharField(max_length=12)
    result = models.CharField(max_length=8, choices=Result.choices, default=Result.WAITING)
    rule = models.CharField(max_length=4, blank=True)
    why = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name}: {self.result}"


class Drain(models.Model):
    """How far a stream of notes was read; moved in the transaction that wrote the rows."""

    stream = models.CharField(max_length=40, unique=True)
    epoch = models.CharField(max_length=40, blank=True)
    cursor = models.CharField(max_length=40, default="0-0")
    drained = models.PositiveBigIntegerField(default=0)
    moved_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.stream} at {self.cursor}"


class ListsVersion(models.Model):
    """The number of the newest state of the lists (windows, sites, networks) that the edge reads."""

    number = models.PositiveBigIntegerField(default=first_revision)

    def __str__(self) -> str:
        return str(self.number)


class Stamp(models.Model):
    """When a periodic job last finished: a job that silently stopped is incident 0 again."""

    name = models.CharField(max_length=60, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"
