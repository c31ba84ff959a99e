"""What is still to be done, and by when it was: outbox, jobs, stamps."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import Account, User
from accounts.scope import ScopedQuerySet
from devices.models import Device
from provisioning.models.locks import OwnedByDevice, first_revision


class Outbox(models.Model):
    """What the store, or people, do not know yet; written with the change, removed when they were told."""

    class What(models.TextChoices):
        DEVICE = "device", gettext_lazy("A device's lock, tokens and files")
        GONE = "gone", gettext_lazy("A MAC and tokens that are on no device")
        LISTS = "lists", gettext_lazy("Windows, sites, networks")
        ADDRESS = "address", gettext_lazy("The standing of an address")
        BOOK = "book", gettext_lazy("The phone book of an account")
        MAIL = "mail", gettext_lazy("People who are to be told")  # nothing for the store (telling.py)

    what = models.CharField(max_length=8, choices=What.choices)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, related_name="outbox")
    details = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now, db_index=True)  # when the sweeper may take it up

    def __str__(self) -> str:
        return f"{self.what} {self.device_id or ''}"


class Job(models.Model):
    """Work on many phones in the background, with its progress and a result per phone."""

    class Kind(models.TextChoices):
        UNLOCK_ALL = "unlock-all", gettext_lazy("Unlock all")
        RESYNC = "resync", gettext_lazy("Resync")
        LOCK = "lock", gettext_lazy("Lock again")
        REARM = "rearm", gettext_lazy("Arm again")
        MOVE = "move", gettext_lazy("Move to another account")
        PROFILE = "profile", gettext_lazy("Give a profile")
        IMPORT = "import", gettext_lazy("Import")

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
        WAITING = "waiting", gettext_lazy("Waiting")
        DONE = "done", gettext_lazy("Done")
        SKIPPED = "skipped", gettext_lazy("Skipped")

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="items")
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="job_items")
    name = models.CharField(max_length=120)
    mac = models.CharField(max_length=12)
    result = models.CharField(max_length=8, choices=Result.choices, default=Result.WAITING)
    rule = models.CharField(max_length=4, blank=True)
    why = models.CharField(max_length=300, blank=True)
    details = models.JSONField(default=dict, blank=True)  # what this one needs: the row of an import

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name}: {self.result}"


class ImportDraft(models.Model):
    """A list of phones that was sent and read, and waits for its Yes; kept a day."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="import_drafts")
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="import_drafts"
    )
    by = models.CharField(max_length=200)
    file_name = models.CharField(max_length=120, blank=True)
    rows = models.JSONField(default=list)  # as they stood in the file, by our names of the columns
    params = models.JSONField(default=dict, blank=True)  # what holds for all rows
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    job = models.OneToOneField(
        Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="import_draft"
    )

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.file_name}, {len(self.rows)} rows"


class Notice(models.Model):
    """What one person is to be told by e-mail, gathered until his hour or his day."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notices")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=80)  # what it is of: told once
    subject = models.CharField(max_length=200)
    body = models.TextField()
    at = models.DateTimeField()
    due_at = models.DateTimeField(db_index=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["at", "id"]
        constraints = [models.UniqueConstraint(fields=["user", "kind", "name"], name="notice_once")]

    def __str__(self) -> str:
        return f"{self.subject} to {self.user}"


class ResyncRequest(models.Model):
    """A phone is to be asked to fetch its files again: when, how often that was tried, what came of it."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", gettext_lazy("Waits for its turn")
        SENT = "sent", gettext_lazy("Sent, no answer yet")
        REACHED = "reached", gettext_lazy("Reached")
        UNREACHABLE = "unreachable", gettext_lazy("Not registered")
        FAILED = "failed", gettext_lazy("Failed")

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="resyncs")
    job_item = models.OneToOneField(
        JobItem, on_delete=models.SET_NULL, null=True, blank=True, related_name="resync"
    )
    by = models.CharField(max_length=200)
    reboot = models.BooleanField(default=False)
    place = models.CharField(max_length=60)  # phones of one place are asked one after the other
    asked_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    status_code = models.PositiveSmallIntegerField(default=0)  # SIP's; 0: no answer
    why = models.CharField(max_length=20, blank=True)  # what came of it, as the phone's log names it
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.WAITING)

    objects = OwnedByDevice.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["device"], condition=models.Q(outcome="waiting"), name="resync_waits_once"
            ),
        ]
        indexes = [
            models.Index(fields=["outcome", "due_at"], name="resync_due"),
            models.Index(fields=["sent_at"], name="resync_sent"),
            models.Index(fields=["-answered_at"], name="resync_answered"),
        ]

    def __str__(self) -> str:
        return f"{self.device}: {self.outcome}"


class Pace(models.Model):
    """A bucket of tokens: what may still be sent now, filled as time goes by; one for the whole platform."""

    name = models.CharField(max_length=20, unique=True)
    tokens = models.FloatField(default=0)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.tokens:.1f}"


class ListsVersion(models.Model):
    """The number of the newest state of the lists (windows, sites, networks) that the edge reads."""

    number = models.PositiveBigIntegerField(default=first_revision)

    def __str__(self) -> str:
        return str(self.number)


class Told(models.Model):
    """When an account's people were last told of something by e-mail: at most one an hour of each kind."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="told")
    what = models.CharField(max_length=20)
    at = models.DateTimeField()
    # What the last e-mail named, or what waits for the next one, as its kind needs (telling.py).
    names = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "what"], name="told_once")]

    def __str__(self) -> str:
        return f"{self.what} to {self.account}"


class Stamp(models.Model):
    """When a periodic job last finished: a job that silently stopped is incident 0 again."""

    name = models.CharField(max_length=60, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"


class Swept(models.Model):
    """What the sweep took of one line of the keeping table (keeping.py): when last, how much, how far."""

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField()
    gone = models.PositiveBigIntegerField(default=0)
    reached = models.DateTimeField(null=True, blank=True)  # where what stays, but less, was gone through
    is_whole = models.BooleanField(default=True)  # False: its time was up before it had finished

    def __str__(self) -> str:
        return f"{self.name} at {self.at}: {self.gone}"
