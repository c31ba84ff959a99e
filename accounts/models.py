"""The tenants, the people in them, their keys, and the record of what they did."""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy
from rest_framework_api_key.models import AbstractAPIKey, BaseAPIKeyManager
from treebeard.mp_tree import MP_Node, MP_NodeManager, MP_NodeQuerySet

from accounts.role_words import role_choices
from accounts.roles import Power, Role
from accounts.scope import Actor, ScopedQuerySet, Standing, below

#: How long a deleted account can be restored; then all of it goes but the MAC ledger and the audit.
GRACE = timedelta(days=30)


class AccountQuerySet(MP_NodeQuerySet):  # type: ignore[misc]
    def visible_to(self, actor: Actor) -> "AccountQuerySet":
        """Keep the accounts that the actor may look into."""
        rows: AccountQuerySet = self.filter(below(actor.paths(Power.SEE_ACCOUNT), "path"))
        return rows

    def reachable_by(self, actor: Actor, power: Power) -> "AccountQuerySet":
        """Keep the visible accounts in which the actor also holds this power."""
        rows: AccountQuerySet = self.visible_to(actor).filter(below(actor.paths(power), "path"))
        return rows


class AccountManager(MP_NodeManager.from_queryset(AccountQuerySet)):  # type: ignore[misc]
    """Accounts in tree order."""

    def get_queryset(self) -> AccountQuerySet:
        # treebeard's own names its own queryset, which knows nothing of who may see what.
        rows: AccountQuerySet = AccountQuerySet(self.model, using=self._db).order_by("path")
        return rows


class Account(MP_Node):  # type: ignore[misc]
    """A tenant. Accounts form a tree: platform > reseller > customer > sub-account."""

    class Kind(models.TextChoices):
        PLATFORM = "platform", gettext_lazy("Platform")
        RESELLER = "reseller", gettext_lazy("Reseller")
        CUSTOMER = "customer", gettext_lazy("Customer")
        SUB_ACCOUNT = "sub-account", gettext_lazy("Sub-account")

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    is_active = models.BooleanField(default=True)
    # A deleted account is switched off at once; restored, it is what it was before.
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    active_before_deletion = models.BooleanField(default=True, editable=False)
    time_zone = models.CharField(max_length=60, default="UTC")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AccountManager()
    node_order_by: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["slug"],
                name="account_slug_unique",
                violation_error_message=gettext_lazy("This slug is taken."),
            ),
            models.CheckConstraint(
                name="account_deleted_is_off",
                condition=Q(deleted_at=None) | Q(is_active=False),
                violation_error_message=gettext_lazy("A deleted account is switched off; restore it first."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def removed_at(self) -> datetime | None:
        """When a deleted account is removed for good; None for a living one."""
        return self.deleted_at + GRACE if self.deleted_at else None

    def ancestor_paths(self) -> list[str]:
        """The tree paths from the platform down to this account, itself included."""
        return [self.path[:end] for end in range(self.steplen, len(self.path) + 1, self.steplen)]


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **extra: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **extra)
        user.set_password(password)
        user.full_clean()
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in by e-mail. What he may do comes from his memberships alone."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(
        unique=True, error_messages={"unique": gettext_lazy("Somebody signs in with this address already.")}
    )
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)
    # Demo passwords stand in the README; `up --listen` beyond loopback refuses to keep them.
    has_demo_password = models.BooleanField(default=False, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects = UserManager()

    class Meta:
        ordering = ["email"]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in an account, and so in every account below it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=10, choices=role_choices)
    # `see-secrets` comes with no role: somebody above gives it to one person in one account.
    sees_secrets = models.BooleanField(default=False)
    invited_at = models.DateTimeField(null=True, blank=True, editable=False)  # the last invitation by e-mail

    objects = ScopedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "account"],
                name="membership_once",
                violation_error_message=gettext_lazy("This person has a role in this account already."),
            ),
            models.CheckConstraint(
                name="membership_role_known",
                condition=Q(role__in=[role.value for role in Role]),
                violation_error_message=gettext_lazy("This role does not exist."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.account}"

    @property
    def is_pending(self) -> bool:
        """Invited, and not signed in since: nothing is shown of the person but what the inviter knows."""
        seen = self.user.last_login
        return self.invited_at is not None and (seen is None or seen < self.invited_at)

    @property
    def shown_as(self) -> str:
        return self.user.email if self.is_pending else str(self.user)

    def standing(self) -> Standing:
        extra = frozenset({Power.SEE_SECRETS}) if self.sees_secrets else frozenset()
        return Standing(path=self.account.path, role=Role(self.role), extra=extra)


class NoticeChoice(models.Model):
    """How a person wants to hear of one kind of thing; without a row the kind's own way holds."""

    class How(models.TextChoices):
        AT_ONCE = "at-once", gettext_lazy("At once")
        HOURLY = "hourly", gettext_lazy("At most once an hour")
        DAILY = "daily", gettext_lazy("Once a day")
        NEVER = "never", gettext_lazy("Not at all")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notice_choices")
    kind = models.CharField(max_length=20)
    how = models.CharField(max_length=8, choices=How.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="notice_choice_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.kind} {self.how}"


class ApiKeyQuerySet(ScopedQuerySet):
    pass


class ApiKeyManager(BaseAPIKeyManager.from_queryset(ApiKeyQuerySet)):  # type: ignore[misc]
    """Keys, found by the text that a caller sends."""


class ApiKey(AbstractAPIKey):
    """A program's way in: hashed, with its account, role, networks and end."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="api_keys")
    role = models.CharField(max_length=10, choices=role_choices)
    networks = models.JSONField(
        default=list, blank=True, help_text="CIDR networks it may be used from; empty: any."
    )
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Rotated: this one follows it, and this one's own end was brought forward to the end of the overlap.
    replaced_by = models.OneToOneField(
        "self", on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="replaces"
    )

    objects = ApiKeyManager()  # type: ignore[misc]

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def standing(self) -> Standing:
        return Standing(path=self.account.path, role=Role(self.role))


class KeptAnswer(models.Model):
    """A call that came with an `Idempotency-Key`: that it runs, then what it was answered, for a day.

    Whoever takes it up again after its time raises `turn`; one whose turn is over can no longer end it, and
    what it did is rolled back.
    """

    caller = models.CharField(max_length=60)  # "key <code>" or "user <code>"
    name = models.CharField(max_length=255)  # the Idempotency-Key
    asked = models.CharField(max_length=64)  # a hash of method, address and body
    turn = models.PositiveIntegerField(default=1)
    runs_until = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    status = models.PositiveSmallIntegerField(default=0)  # 0: it runs
    answer = models.TextField(blank=True)  # JSON; empty for one that showed a key
    headers = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "name"], name="kept_answer_once")]

    def __str__(self) -> str:
        return f"{self.name} of {self.caller}: {self.status or 'runs'}"


class AppendOnly(Exception):
    """The audit is never changed."""


class AuditQuerySet(ScopedQuerySet):
    def visible_to(self, actor: Actor) -> Self:
        """Keep what happened in the actor's accounts; what is left of a removed account is the platform's.

        Not by the removed account's place in the tree, which the next account may take over.
        """
        paths = actor.paths(Power.SEE_ACCOUNT)
        reach = below(paths, self.account_path)
        if any(len(path) == Account.steplen for path in paths):
            reach |= Q(account__path__isnull=True)
        return self.filter(reach)

    def update(self, **kwargs: Any) -> int:
        raise AppendOnly("Audit entries are never changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnly("Audit entries are never deleted by hand.")

    def sweep(self, *, before: datetime, most: int) -> int:
        """Delete some of what is older than the keeping time; the only way an entry ever goes."""
        oldest = self.filter(at__lt=before).order_by("at").values_list("pk", flat=True)[:most]
        return models.QuerySet.delete(self.filter(pk__in=list(oldest)))[0]


class AuditEntry(models.Model):
    """Who did what to what, from which address, on whose behalf, when. Append-only."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    at = models.DateTimeField(db_index=True)
    # Both keys without a constraint, and never emptied: an entry outlives its account and its person, and no
    # entry is ever updated. The texts beside them say who they were.
    account = models.ForeignKey(
        Account, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="audit_entries"
    )
    account_slug = models.CharField(max_length=60, db_index=True)
    actor = models.CharField(max_length=200)
    user = models.ForeignKey(
        User,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="audit_entries",
    )
    on_behalf_of = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=45, blank=True)
    verb = models.CharField(max_length=60)
    target_kind = models.CharField(max_length=40)
    target_code = models.CharField(max_length=40)
    target_name = models.CharField(max_length=200)
    details = models.JSONField(default=dict, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.actor}: {self.verb} {self.target_name}"
