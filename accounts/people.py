"""The people whom somebody may deal with: their roles, found by what is known of them."""

from typing import Any

from django.db.models import Q

from accounts import second_factor
from accounts.models import Membership
from accounts.roles import Power
from accounts.scope import Actor


def reached_by(actor: Actor) -> Any:
    """The memberships of the accounts whose people the actor may change, in order, with all that is shown."""
    rows = Membership.objects.reachable_by(actor, Power.EDIT_PEOPLE)
    dressed = rows.select_related("user", "account").annotate(has_factor=second_factor.of_the("user"))
    return dressed.order_by("account__path", "user__email")


def matching(rows: Any, asked: str) -> Any:
    """Keep those in whose name, e-mail or account it stands; a name that is not shown finds nobody."""
    found = Q(user__email__icontains=asked) | Q(account__name__icontains=asked)
    return rows.filter(found | Q(user__name__icontains=asked, invited_at=None))
