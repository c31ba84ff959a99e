"""A customer moves below another reseller, with all that stands below it (E18)."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit
from accounts.deleting import refuse_deleted
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from accounts.scope import below as at_or_below
from accounts.signals import account_moved, account_moving
from accounts.tenants import BELOW

Kind = Account.Kind


def move_customer(account: Account, *, by: Actor, below: Account, now: datetime | None = None) -> Account:
    """Give the customer to another reseller; where it stands already, nothing happens.

    Powers go by paths: those who are no longer above it reach nothing of it from the commit on.
    """
    now = now or timezone.now()
    _needs(by, account, below)
    _check_kinds(account, below)
    with transaction.atomic():
        account, parent, below = _held(account, below)
        _needs(by, account, below)
        if parent.pk == below.pk:
            return account
        _refuse_gone(account, below)
        account_moving.send(sender=Account, account=account)
        old_path = account.path
        Account.objects.move(account, below, pos="last-child")
        account.refresh_from_db()
        _record(account, parent, below, by, now)
        account_moved.send(sender=Account, account=account, old_path=old_path, by=by, now=now)
    return account


def _needs(by: Actor, *accounts: Account) -> None:
    if not all(by.may(Power.MOVE_CUSTOMER, account.path) for account in accounts):
        raise Forbidden


def _held(account: Account, below: Account) -> tuple[Account, Account, Account]:
    """The customer, who stands above it and who shall, as they are now; all paths that change are held.

    From the top down, as everybody holds accounts, and before any phone: their locks come after accounts.
    """
    account = Account.objects.get(pk=account.pk)
    subtree = Account.objects.filter(at_or_below([account.path], "path"))
    ends = Account.objects.filter(path__in=[account.path[: -account.steplen], below.path])
    rows = (subtree | ends).select_for_update(no_key=True).order_by("path")
    held: dict[int, Account] = {row.pk: row for row in rows}
    by_path = {row.path: row for row in held.values()}
    found, target = held.get(account.pk), held.get(below.pk)
    parent = by_path.get(found.path[: -found.steplen]) if found else None
    if found is None or target is None or parent is None:
        raise Refusal(
            "E18", gettext("One of these accounts was moved a moment ago. Load the page again."), code="moved"
        )
    return found, parent, target


def _check_kinds(account: Account, below: Account) -> None:
    if account.kind != Kind.CUSTOMER:
        raise Invalid(
            "account",
            gettext("Only a customer moves; {account} is a {kind}.").format(
                account=account, kind=account.kind
            ),
            rule="E18",
        )
    if Kind.CUSTOMER not in BELOW[Kind(below.kind)]:
        raise Invalid(
            "below", gettext("Below a {kind} there is no customer.").format(kind=below.kind), rule="E18"
        )


def _refuse_gone(account: Account, below: Account) -> None:
    refuse_deleted(account)
    refuse_deleted(below)
    if Account.objects.filter(path__in=below.ancestor_paths(), is_active=False).exists():
        raise Refusal(
            "E18",
            gettext("{below} is switched off: the customer's phones would get nothing there.").format(
                below=below
            ),
            code="disabled",
            field="below",
        )


def _record(account: Account, old: Account, new: Account, by: Actor, now: datetime) -> None:
    """Neither reseller's record names the other one; the record of the nearest account above both does."""
    audit.record(by, "account.moved-here", account, now=now, below=new.slug)
    audit.record(by, "account.moved-away", account, account=old, now=now)
    shared = set(old.ancestor_paths()) & set(new.ancestor_paths())
    above = Account.objects.get(path=max(shared, key=len))
    audit.record(by, "account.moved", account, account=above, now=now, old=old.slug, new=new.slug)
