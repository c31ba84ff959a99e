"""What went wrong and was told of: one row each, with a timeline, who was told, how it ended."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from accounts.models import Account
from accounts.said import Said
from accounts.scope import ScopedQuerySet
from accounts.speaking import told
from devices.models import Site
from provisioning.models.locks import network_or_none
from security.networks import Network


class IncidentQuerySet(ScopedQuerySet):
    def going_on(self) -> "IncidentQuerySet":
        """Keep the incidents that have not ended."""
        return self.filter(ended_at=None)


class Incident(models.Model):
    """A storm, a ban where phones live, a wave of suspicion, a silence: of one account, or of the platform.

    `subject` names what it is about within its kind, so that the same trouble twice at once is one row. Its
    texts stand in English; `evidence` has what they are made of: "said" those of the title and the evidence,
    "steps" those of the timeline.
    """

    class Kind(models.TextChoices):
        STORM = "storm", gettext_lazy("Storm")
        BAN = "ban", gettext_lazy("Ban where phones live")
        PRESSURE = "pressure", gettext_lazy("Allowed network under pressure")
        SUSPICION = "suspicion", gettext_lazy("Wave of suspicion")
        SILENCE = "silence", gettext_lazy("Silence")
        PLATFORM = "platform", gettext_lazy("Platform silent")
        CANARY = "canary", gettext_lazy("Canary")
        STALLED = "stalled", gettext_lazy("Background work stopped")

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="incidents")
    site = models.ForeignKey(Site, on_delete=models.SET_NULL, null=True, blank=True, related_name="incidents")
    first = models.CharField(max_length=32, blank=True)
    last = models.CharField(max_length=32, blank=True)
    subject = models.CharField(max_length=100)
    title = models.CharField(max_length=300)
    evidence = models.JSONField(default=dict, blank=True)
    opened_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    how_ended = models.CharField(max_length=300, blank=True)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "subject"], condition=Q(ended_at=None), name="incident_once"
            ),
            models.CheckConstraint(
                name="incident_ends_after_start",
                condition=Q(ended_at=None) | Q(ended_at__gte=F("opened_at")),
                violation_error_message=gettext_lazy("An incident ends after it begins."),
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-opened_at"], name="incident_account"),
            models.Index(fields=["kind", "subject", "-opened_at"], name="incident_subject"),
        ]

    def __str__(self) -> str:
        return self.title

    def told(self, text: str) -> str:
        """One of its texts in the reader's language, where the product said it; a person's as it stands."""
        for name in ("said", "steps"):
            if text in (kept := self.evidence.get(name, {})):
                return told(Said.unpacked(kept[text]))
        return text

    @property
    def told_title(self) -> str:
        """What happened, in the reader's language."""
        return self.told(self.title)

    @property
    def told_end(self) -> str:
        """How it ended, in the reader's language."""
        return self.told(self.how_ended)

    @property
    def network(self) -> Network | None:
        """The network that it is about, if it is about one."""
        return network_or_none(self.first, self.last)


class IncidentStep(models.Model):
    """One line of an incident's timeline: what became known, what somebody did, who was told."""

    class What(models.TextChoices):
        OPENED = "opened", gettext_lazy("Opened")
        SEEN = "seen", gettext_lazy("Seen")
        TOLD = "told", gettext_lazy("Told")
        NOTED = "noted", gettext_lazy("Noted")
        ENDED = "ended", gettext_lazy("Ended")

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="steps")
    at = models.DateTimeField()
    what = models.CharField(max_length=8, choices=What.choices)
    said = models.CharField(max_length=500)
    by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return self.said

    @property
    def told(self) -> str:
        """What it says, in the reader's language; a person's words as they stand."""
        return self.said if self.by else self.incident.told(self.said)
