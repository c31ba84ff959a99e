"""The customers whom somebody looks after; a new one, with its first manager invited, in one step."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import invitations, tenants
from accounts.models import Account
from accounts.roles import Power, Role
from accounts.scope import Actor


def below_the(actor: Actor) -> Any:
    """The accounts over which the actor has the power of those who stand above them, in tree order."""
    reach = Account.objects.reachable_by(actor, Power.EDIT_CUSTOMERS).order_by("path")
    return reach.exclude(path__in=actor.paths(Power.EDIT_CUSTOMERS))


def take_on(
    parent: Account,
    *,
    by: Actor,
    name: str,
    slug: str,
    time_zone: str | None = None,
    kind: Account.Kind | None = None,
    email: str = "",
    person: str = "",
    now: datetime | None = None,
) -> Account:
    """Make the account, and invite its first manager (of a reseller: its first reseller) by e-mail.

    An invitation that cannot be sent is refused (`mail-away`) when all is there: it can be sent again.
    """
    now = now or timezone.now()
    with transaction.atomic():
        account = tenants.create_account(
            parent, by=by, slug=slug, name=name, kind=kind, time_zone=time_zone, now=now
        )
        if email:
            role = Role.RESELLER if account.kind == Account.Kind.RESELLER else Role.MANAGER
            name = person or email.partition("@")[0]
            invitations.invite(account, by=by, email=email, name=name, role=role, now=now)
    return account
