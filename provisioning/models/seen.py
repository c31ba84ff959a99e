"""What phones did and where they were seen, as the drained notes tell."""

from django.db import models
from django.db.models import Q

from accounts.models import Account
from devices.models import Device
from provisioning.models.locks import OwnedThen


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

    objects = OwnedThen.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["device", "-at"], name="event_device_at"),
            models.Index(fields=["account", "-at"], name="event_account_at"),
            # What is swept by age (keeping.py), refusals long before the rest.
            models.Index(fields=["at"], name="event_at"),
            models.Index(
                fields=["at"], condition=Q(what="request", outcome="refused"), name="event_refused_at"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mac} {self.rule or self.what}"


class LastSeen(models.Model):
    """A phone's last check-in: when, from where, with which firmware."""

    device = models.OneToOneField(
        Device, on_delete=models.CASCADE, primary_key=True, related_name="last_seen"
    )
    at = models.DateTimeField(db_index=True)
    address = models.CharField(max_length=45, db_index=True)
    agent = models.CharField(max_length=256, blank=True)
    model = models.CharField(max_length=60, blank=True)
    firmware = models.CharField(max_length=60, blank=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.device} at {self.at}"


class CheckInHour(models.Model):
    """How often a phone checked in within one hour.

    `quarters` has a bit for each quarter of the hour in which it was counted for its place (CheckInDay).
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="check_in_hours")
    hour = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)
    quarters = models.PositiveSmallIntegerField(default=0)

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
        indexes = [models.Index(fields=["label", "hour"], name="failure_key_label")]

    def __str__(self) -> str:
        return f"{self.kind} {self.label}"


class ProvedHour(models.Model):
    """What was known of an address that failed in that hour (B9): `counts` has a list each time it changed.

    Each is [epoch, devices proved, {account code: how many of them, from 10 on}, devices that an open window
    may serve, the ALLOWED network or ""].
    """

    first = models.CharField(max_length=32)
    last = models.CharField(max_length=32)
    hour = models.DateTimeField(db_index=True)
    counts = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["first", "hour"], name="proved_hour_once")]

    def __str__(self) -> str:
        return f"{self.first} {self.hour}"


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


class Drain(models.Model):
    """How far a stream of notes was read; moved in the transaction that wrote the rows."""

    stream = models.CharField(max_length=40, unique=True)
    epoch = models.CharField(max_length=40, blank=True)
    cursor = models.CharField(max_length=40, default="0-0")
    drained = models.PositiveBigIntegerField(default=0)
    moved_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.stream} at {self.cursor}"
