"""The company directory of an account: who is in it beside its extensions, and how phones show it."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import Account
from accounts.scope import ScopedQuerySet


class Contact(models.Model):
    """Somebody in an account's company directory who is none of its extensions."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="contacts")
    name = models.CharField(max_length=60)
    number = models.CharField(max_length=33, blank=True)
    mobile = models.CharField(max_length=33, blank=True)
    other = models.CharField(max_length=33, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "name"],
                name="contact_name_once",
                violation_error_message=gettext_lazy("This account has a contact of that name."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def dialled(self) -> list[tuple[str, str]]:
        """Its numbers by their kinds, the foremost first."""
        given = (("number", self.number), ("mobile", self.mobile), ("other", self.other))
        return [(kind, number) for kind, number in given if number]


class Directory(models.Model):
    """What the phones of an account have as phone book; the revision grows with each change of it."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="directory")
    revision = models.PositiveBigIntegerField(default=1)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "directories"

    def __str__(self) -> str:
        return f"directory of {self.account_id}"
