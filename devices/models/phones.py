"""What the phones are: devices, the identities they show, where they stand, how they are set."""

import uuid
from typing import Any, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import Account, User
from accounts.roles import Power
from accounts.scope import Actor, ScopedQuerySet, below, outside
from devices.catalog import catalog


def family_choices() -> list[tuple[str, str]]:
    """The families on disk; a callable, so that a new vendor is not a migration."""
    return [(code, family.name) for code, family in catalog().families.items()]


class Site(models.Model):
    """A place with public networks of its own; a phone bound to it is bound to it as it is now."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="sites")
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=60, blank=True, help_text=gettext_lazy("Empty: the account's."))
    # Seven days from Monday on, each a list of [opens, closes] in minutes; none: open day and night.
    opening: Any = models.JSONField(null=True, default=None, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "name"],
                name="site_name_once",
                violation_error_message=gettext_lazy("This account has a site of that name."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Holiday(models.Model):
    """A day on which nobody expects phones to ask: at one site, or at all of an account."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="holidays")
    site = models.ForeignKey(Site, on_delete=models.CASCADE, null=True, blank=True, related_name="holidays")
    day = models.DateField()
    name = models.CharField(max_length=80)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["day"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "day"],
                name="holiday_site_once",
                violation_error_message=gettext_lazy("The site has a holiday on that day."),
            ),
            models.UniqueConstraint(
                fields=["account", "day"],
                condition=Q(site=None),
                name="holiday_account_once",
                violation_error_message=gettext_lazy("The account has a holiday on that day."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.day}"


class ProfileQuerySet(ScopedQuerySet):
    def visible_to(self, actor: Actor) -> Self:
        """Keep those of the accounts the actor may look into, and those of the accounts above them."""
        paths = actor.paths(Power.SEE_ACCOUNT)
        above = {path[:end] for path in paths for end in range(Account.steplen, len(path), Account.steplen)}
        return self.filter(below(paths, "account__path") | Q(account__path__in=above))


class Profile(models.Model):
    """Keys for many phones of a family or of one model, in this account and in those below it."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="profiles")
    family = models.CharField(max_length=40)
    model = models.CharField(
        max_length=60, blank=True, help_text=gettext_lazy("Empty: every model of the family.")
    )
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ProfileQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "name"],
                name="profile_name_once",
                violation_error_message=gettext_lazy("This account has a profile of that name."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SiteNetwork(models.Model):
    """One public network of a site, first and last address as fixed-width hex of the IPv6-mapped form."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="networks")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="site_networks")
    first = models.CharField(max_length=32)
    last = models.CharField(max_length=32)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["first"]
        constraints = [models.CheckConstraint(name="site_network_ordered", condition=Q(first__lte=F("last")))]
        indexes = [models.Index(fields=["first", "last"], name="site_network_range")]

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


class DeviceQuerySet(ScopedQuerySet):
    def visible_to(self, actor: Actor) -> Self:
        """Keep the phones of the accounts the actor may look into, and his own."""
        seen = actor.paths(Power.SEE_ACCOUNT)
        reach = below(seen, "account__path")
        if actor.user is not None and (own := outside(actor.paths(Power.OWN_PHONES), seen)):
            reach |= Q(owner=actor.user) & below(own, "account__path")
        return self.filter(reach)


class Device(models.Model):
    """One phone, known by its MAC address, unique on the whole platform."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="devices")
    mac = models.CharField(max_length=12)
    family = models.CharField(max_length=40)
    model = models.CharField(max_length=60)
    name = models.CharField(max_length=120, blank=True)
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="phones")
    site = models.ForeignKey(Site, on_delete=models.SET_NULL, null=True, blank=True, related_name="devices")
    profile = models.ForeignKey(
        Profile, on_delete=models.PROTECT, null=True, blank=True, related_name="devices"
    )
    is_enabled = models.BooleanField(default=True)
    notes = models.TextField(blank=True)
    # Drawn once, so that the files stay a pure function of the settings.
    poll_minute = models.PositiveSmallIntegerField(default=0, editable=False)
    admin_password = models.BinaryField(default=b"", editable=False)
    user_password = models.BinaryField(default=b"", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        ordering = ["name", "mac"]
        constraints = [
            models.CheckConstraint(
                name="device_mac_canonical",
                condition=Q(mac__regex=r"^[0-9a-f]{12}$"),
                violation_error_message=gettext_lazy("A MAC address is twelve hexadecimal digits."),
            ),
            models.UniqueConstraint(
                fields=["mac"],
                name="device_mac_unique",
                # E10: the same words whoever holds it, so that nobody learns who does.
                violation_error_message=gettext_lazy("This MAC cannot be added; ask your provider."),
            ),
        ]
        indexes = [
            models.Index(fields=["account", "name"], name="device_account_name"),
            # A page far into a list is found in these alone; so are the models that an account has.
            models.Index(fields=["name", "mac", "account", "id"], name="device_in_order"),
            models.Index(fields=["created_at", "mac"], name="device_by_age"),
            models.Index(fields=["model", "name", "mac"], name="device_by_model"),
            models.Index(fields=["account", "family", "model"], name="device_models"),
            models.Index(fields=["account"], condition=Q(is_enabled=False), name="device_disabled"),
        ]

    def __str__(self) -> str:
        return self.name or self.mac


class Extension(models.Model):
    """One SIP identity. On two or more devices it is a shared line."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="extensions")
    username = models.CharField(max_length=64)
    auth_name = models.CharField(max_length=64, blank=True, help_text=gettext_lazy("Empty: the user name."))
    realm = models.CharField(
        max_length=120, blank=True, help_text=gettext_lazy("Empty: the account's SIP server.")
    )
    display_name = models.CharField(max_length=120, blank=True)
    # What holds once it is a shared line: how many calls at once, and whether others may join one.
    call_appearances = models.PositiveSmallIntegerField(
        default=2, validators=[MinValueValidator(1), MaxValueValidator(8)]
    )
    barge_in = models.BooleanField(default=True)
    in_directory = models.BooleanField(
        default=True, help_text=gettext_lazy("Whether phones show it in their directory.")
    )
    secret = models.BinaryField(editable=False)
    # E15: the secret may be known to others, since when and why; ended by a new one.
    exposed_since = models.DateTimeField(null=True, blank=True, editable=False)
    exposed_why = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["username"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "username", "realm"],
                name="extension_once",
                violation_error_message=gettext_lazy("This account has an extension of that user name."),
            ),
            models.CheckConstraint(
                name="extension_call_appearances",
                condition=Q(call_appearances__range=(1, 8)),
                violation_error_message=gettext_lazy("A shared line holds one to eight calls."),
            ),
        ]
        indexes = [models.Index(fields=["username", "code"], name="extension_in_order")]

    def __str__(self) -> str:
        return f"{self.username} {self.display_name}".strip()


class Appearance(models.Model):
    """One line key of one device showing one extension of the same account."""

    class Ring(models.TextChoices):
        NOW = "now", gettext_lazy("At once")
        DELAYED = "delayed", gettext_lazy("After a while")
        NEVER = "never", gettext_lazy("Never")

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="appearances")
    extension = models.ForeignKey(Extension, on_delete=models.PROTECT, related_name="appearances")
    position = models.PositiveSmallIntegerField()
    label = models.CharField(max_length=60, blank=True)
    ring = models.CharField(max_length=7, choices=Ring.choices, default=Ring.NOW)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["device", "position"],
                name="appearance_position_once",
                violation_error_message=gettext_lazy("This line key shows an extension already."),
            ),
            models.CheckConstraint(
                name="appearance_position_from_one",
                condition=Q(position__gte=1),
                violation_error_message=gettext_lazy("Line keys are counted from 1."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.extension} on key {self.position}"


class KeyColumns(models.Model):
    """What a programmable key is, whether a phone's own or a profile's."""

    class Kind(models.TextChoices):
        EMPTY = "empty", gettext_lazy("Empty")
        BLF = "blf", gettext_lazy("Busy lamp")
        SPEED_DIAL = "speed_dial", gettext_lazy("Speed dial")
        PARK = "park", gettext_lazy("Park")
        DTMF = "dtmf", gettext_lazy("DTMF")
        URL = "url", gettext_lazy("Web address")

    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    value = models.CharField(max_length=200, blank=True)
    label = models.CharField(max_length=60, blank=True)
    line = models.PositiveSmallIntegerField(default=1)

    class Meta:
        abstract = True
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.kind} on key {self.position}"


class Key(KeyColumns):
    """One programmable key of a device that is not a line; an empty one hides what its profile has there."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="keys")

    class Meta(KeyColumns.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["device", "position"],
                name="key_position_once",
                violation_error_message=gettext_lazy("This key is set already."),
            ),
        ]


class ProfileKey(KeyColumns):
    """One programmable key of a profile."""

    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="keys")

    class Meta(KeyColumns.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["profile", "position"],
                name="profile_key_position_once",
                violation_error_message=gettext_lazy("This key is set already."),
            ),
        ]


class SettingValue(models.Model):
    """One neutral setting: for an account and those below it, for one model there, or for one device."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="setting_values")
    family = models.CharField(max_length=40, blank=True, help_text=gettext_lazy("Of a model; empty: all."))
    model = models.CharField(max_length=60, blank=True, help_text=gettext_lazy("Empty: all."))
    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, null=True, blank=True, related_name="setting_values"
    )
    name = models.CharField(max_length=60)
    value: Any = models.JSONField()

    objects = ScopedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "family", "model", "name"],
                condition=Q(device=None),
                name="setting_account_once",
            ),
            models.UniqueConstraint(
                fields=["device", "name"], condition=Q(device__isnull=False), name="setting_device_once"
            ),
            models.CheckConstraint(
                name="setting_of_one_level",
                condition=Q(family="", model="") | (Q(device=None) & ~Q(family="") & ~Q(model="")),
                violation_error_message=gettext_lazy(
                    "A setting is given for an account, for a model, or for a phone."
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"


class RawValue(models.Model):
    """One of the vendor's own keys: for a family or a model in an account and below, or for one device."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="raw_values")
    family = models.CharField(max_length=40)
    model = models.CharField(max_length=60, blank=True, help_text=gettext_lazy("Empty: all of the family."))
    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, null=True, blank=True, related_name="raw_values"
    )
    key = models.CharField(max_length=120)
    value = models.CharField(max_length=500, blank=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "family", "model", "key"],
                condition=Q(device=None),
                name="raw_account_once",
            ),
            models.UniqueConstraint(
                fields=["device", "key"], condition=Q(device__isnull=False), name="raw_device_once"
            ),
            models.CheckConstraint(
                name="raw_of_one_level",
                condition=Q(device=None) | Q(model=""),
                violation_error_message=gettext_lazy("A key is given for a model or for a phone."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} = {self.value}"
