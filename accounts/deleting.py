"""An account is deleted with 30 days' grace: switched off at once, restored as it was, then swept away."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from accounts import audit
from accounts.models import Account
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor, below
from accounts.signals import account_switched


def may_delete(account: Account, by: Actor) -> bool:
    """Whether the actor stands above the account with the power over customers; nobody above the platform."""
    above = account.path[: -account.steplen]
    return bool(above) and by.may(Power.EDIT_CUSTOMERS, above)


def delete_account(account: Account, *, by: Actor, typed: str, now: datetime | None = None) -> Account:
    """Switch the account off and let the sweep remove it after the grace; its slug is typed to confirm."""
    _needs_power(account, by)
    now = now or timezone.now()
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        if account.deleted_at is not None:
            raise Refusal("keeping", gettext("This account is deleted already."), code="deleted")
        living = living_below(account)
        if living:
            raise Refusal(
                "keeping",
                ngettext(
                    "An account stands below this one. Delete what is below first.",
                    "{count} accounts stand below this one. Delete what is below first.",
                    living,
                ).format(count=living),
                code="accounts-below",
            )
        if typed.strip() != account.slug:
            raise Refusal(
                "keeping",
                gettext("Type {slug} to delete {name}.").format(slug=account.slug, name=account.name),
                code="confirm",
                field="typed",
            )
        account.active_before_deletion, account.is_active = account.is_active, False
        account.deleted_at = now
        _save(account)
        until = account.removed_at
        assert until is not None
        audit.record(by, "account.deleted", account, now=now, removed_at=until.isoformat())
        account_switched.send(sender=Account, account=account)
    return account


def restore_account(account: Account, *, by: Actor, now: datetime | None = None) -> Account:
    """Take a deletion back within the grace: the account is as it was, switched on or off."""
    _needs_power(account, by)
    now = now or timezone.now()
    with transaction.atomic():
        # From the top down, so that nobody deletes the one above at the same moment.
        line = (
            Account.objects.select_for_update(no_key=True)
            .filter(path__in=account.ancestor_paths())
            .order_by("path")
        )
        *above, account = line
        if account.removed_at is None:
            return account
        if any(one.deleted_at is not None for one in above):
            raise Refusal(
                "keeping",
                gettext("The account above is deleted. Restore that one first."),
                code="deleted-above",
            )
        if account.removed_at <= now:
            raise Refusal(
                "keeping",
                gettext("The 30 days are over. What is left of it is being removed."),
                code="too-late",
            )
        account.is_active, account.deleted_at = account.active_before_deletion, None
        _save(account)
        audit.record(by, "account.restored", account, now=now, is_active=account.is_active)
        account_switched.send(sender=Account, account=account)
    return account


def refuse_deleted(account: Account) -> None:
    """Refuse what would put something new into an account that is on its way out."""
    if account.deleted_at is not None:
        raise Refusal(
            "keeping",
            gettext("This account is deleted. Restore it, or nothing new can be put into it."),
            code="deleted",
        )


def living_below(account: Account) -> int:
    """How many accounts below this one are not deleted themselves."""
    under = Account.objects.filter(below([account.path], "path"), deleted_at=None)
    return int(under.exclude(pk=account.pk).count())


def _needs_power(account: Account, by: Actor) -> None:
    if len(account.path) <= account.steplen:
        raise Refusal("powers", gettext("The platform cannot be deleted."), code="platform")
    if not may_delete(account, by):
        raise Forbidden


def _save(account: Account) -> None:
    account.save(update_fields=["is_active", "deleted_at", "active_before_deletion"])
