"""What a silence is told by: who checked in quarter by quarter, and when we were not listening ourselves."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from accounts.models import Account
from devices.models import Site


class CheckInDay(models.Model):
    """How many phones of an account, at one of its sites or at none, checked in on a day of UTC.

    `quarters` holds 96 numbers of four bytes, one for each quarter of an hour: distinct phones, not requests.
    The row without an account is the sum of all; `held` in it counts the answers that were held before it
    was known whose phone asked.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, null=True, related_name="check_in_days")
    site = models.ForeignKey(Site, on_delete=models.CASCADE, null=True, related_name="check_in_days")
    day = models.DateField()
    quarters = models.BinaryField()
    held = models.BinaryField(default=b"")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "day"], name="check_in_day_site_once"),
            models.UniqueConstraint(
                fields=["account", "day"], condition=Q(site=None), name="check_in_day_account_once"
            ),
            models.UniqueConstraint(
                fields=["day"], condition=Q(account=None), name="check_in_day_platform_once"
            ),
        ]
        indexes = [models.Index(fields=["day"], name="check_in_day")]

    def __str__(self) -> str:
        return f"{self.site or self.account or 'all'} {self.day}"


class UnknownTime(models.Model):
    """A time whose check-ins say nothing: of one site, of one account, or of everybody.

    For everybody: our answers were held, notes were lost or came late, or the platform was silent. For a
    place: its own silence, once that is over.
    """

    class Why(models.TextChoices):
        HELD = "held", gettext_lazy("Answers were held")
        LOST = "lost", gettext_lazy("Notes were lost")
        LATE = "late", gettext_lazy("Notes came late")
        UNREACHED = "unreached", gettext_lazy("The canary did not reach us")
        PLATFORM = "platform", gettext_lazy("The platform was silent")
        SILENCE = "silence", gettext_lazy("A silence was going on")

    account = models.ForeignKey(Account, on_delete=models.CASCADE, null=True, related_name="unknown_times")
    site = models.ForeignKey(Site, on_delete=models.CASCADE, null=True, related_name="unknown_times")
    since = models.DateTimeField()
    until = models.DateTimeField(db_index=True)
    why = models.CharField(max_length=9, choices=Why.choices)

    class Meta:
        ordering = ["since"]
        constraints = [
            models.CheckConstraint(
                name="unknown_time_ends_after_start",
                condition=Q(until__gt=F("since")),
                violation_error_message=gettext_lazy("An unknown time ends after it begins."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.why} {self.since}"
