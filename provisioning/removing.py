"""What becomes of a deleted account after its grace: all of it goes but the MAC ledger and the audit."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from accounts import audit
from accounts.models import Account, ApiKey, Membership, User
from accounts.roles import Role
from accounts.scope import Actor, Standing
from devices.models import Contact, Device, Directory, Extension, Profile, RawValue, SettingValue, Site
from provisioning import books, entering, publishing
from provisioning.locking import CLOCK
from provisioning.models import (
    Approval,
    Claim,
    DeviceEvent,
    Incident,
    IncidentStep,
    Job,
    JobItem,
    PolicyValue,
    UnlockLink,
    Window,
)
from security.models import AllowedNetwork

BATCH = 500
PHONES = 50  # each with its files, tokens and ledger entry

#: What an account owns, in the order in which it can go; phones and people are taken out before.
OWNED: tuple[type[Model], ...] = (
    Job, Incident, Approval, UnlockLink, Window, DeviceEvent, SettingValue, RawValue, PolicyValue,
    Extension, Contact, Directory, Profile, Site, AllowedNetwork, ApiKey,
)  # fmt: skip
LISTED = (Window, Site, AllowedNetwork)  # what the edges hold in lists


def accounts(cut: datetime, since: datetime | None) -> Iterator[int]:
    """Remove the accounts that were deleted before the cut, those below first."""
    over = Account.objects.filter(deleted_at__lte=cut).order_by("-depth", "path")
    for account in list(over):
        yield from remove(account)


def remove(account: Account) -> Iterator[int]:
    """Empty one account batch by batch, then take it out of the tree; begun anew it goes on where it was.

    The order matters: what is known by a phone's MAC goes while the log still says which MACs were here.
    """
    yield from _rows(JobItem.objects.filter(Q(device__account=account) | Q(job__account=account)))
    yield from _rows(IncidentStep.objects.filter(incident__account=account))
    yield from _rows(Claim.objects.filter(device__account=account))
    yield from _rows(Claim.objects.filter(device=None, mac__in=_macs(account)))
    yield from _phones(account)
    for model in OWNED:
        yield from _rows(model._default_manager.filter(account=account), listed=model in LISTED)
    yield from _people(account)
    books.withdraw(account)
    yield _leave_the_tree(account)


def _rows(found: "QuerySet[Model]", *, listed: bool = False) -> Iterator[int]:
    while ids := list(found.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            found.model._default_manager.filter(pk__in=ids).delete()
            if listed:
                publishing.lists_changed()
        yield len(ids)


def _macs(account: Account) -> "QuerySet[Any, dict[str, Any]]":
    return DeviceEvent.objects.filter(account=account).order_by().values("mac").distinct()


def _phones(account: Account) -> Iterator[int]:
    """Each by the verb that people use: its tokens die, the ledger remembers its MAC as a hash."""
    janitor = Actor(label=CLOCK.label, standings=(Standing(account.path, Role.MANAGER),))
    while phones := list(Device.objects.filter(account=account).select_related("account")[:PHONES]):
        for phone in phones:
            entering.remove(phone, by=janitor)
        yield len(phones)


def _people(account: Account) -> Iterator[int]:
    """Whoever belonged to this account alone goes with it; the audit says by name and address who he was."""
    members = Membership.objects.filter(account=account)
    while found := list(members.order_by("pk").values_list("pk", "user_id")[:BATCH]):
        with transaction.atomic():
            Membership.objects.filter(pk__in=[pk for pk, _ in found]).delete()
            alone = User.objects.filter(pk__in=[user for _, user in found], is_superuser=False)
            alone.exclude(pk__in=Membership.objects.values("user")).delete()
        yield len(found)


def _leave_the_tree(account: Account) -> int:
    with transaction.atomic():
        row = Account.objects.select_for_update().filter(pk=account.pk).first()
        if row is None or row.deleted_at is None or not row.is_leaf():
            return 0  # somebody else was quicker, or an account below still has rows that would not go
        audit.record(CLOCK, "account.removed", row, now=timezone.now(), kind=row.kind, name=row.name)
        row.delete()
    return 1
