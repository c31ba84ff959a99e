"""Acting for a customer: for a while a reseller's session stands in that account alone, as its manager.

Whether he still may is asked again with each request, by the roles that he himself has at that moment. An API
key never acts for anybody.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.deleting import refuse_deleted
from accounts.models import Account, User
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power, Role
from accounts.scope import Actor, Standing

LONGEST = timedelta(hours=8)
_KEPT = "acting"


@dataclass(frozen=True, slots=True)
class Acting:
    """For whom a session acts, who the person is, since when and until when at most."""

    account: Account
    person: str
    since: datetime

    @property
    def until(self) -> datetime:
        return self.since + LONGEST


#: Pages that are the person's own, by their names: how he signs in, what is his, and Django's admin.
_OWN = ("account_", "mfa_", "usersessions_", "my-phone", "notification", "second-", "session")
_STAFF = "admin"


class Over(Exception):
    """The session acted for an account until now; the text says why it does not any more."""


def may_act(account: Account, by: Actor) -> bool:
    """Whether the person himself stands above the account, with the power over customers."""
    above = account.path[: -account.steplen]
    return by.user is not None and bool(above) and by.may(Power.EDIT_CUSTOMERS, above)


def start(session: SessionBase, account: Account, *, by: Actor, now: datetime | None = None) -> Acting:
    """Let the session act for the account from its next request on."""
    if by.on_behalf_of:
        raise Refusal(
            "powers",
            _("You act for %(account)s already. Stop that first.") % {"account": by.on_behalf_of},
            code="acting",
        )
    if by.user is None or not may_act(account, by):
        raise Forbidden
    refuse_deleted(account)
    begun = Acting(account, str(by.user), now or timezone.now())
    with transaction.atomic():
        audit.record(by, "acting.started", account, now=begun.since, until=begun.until.isoformat())
    session[_KEPT] = {
        "account": str(account.code),
        "name": account.name,
        "user": by.user.pk,
        "since": begun.since.timestamp(),
    }
    return begun


def stop(session: SessionBase, *, by: Actor, why: str = "", now: datetime | None = None) -> Account | None:
    """Let the session be the person's own again; returns for whom it acted."""
    kept = session.pop(_KEPT, None)
    if not isinstance(kept, dict):
        return None
    found: Account | None = Account.objects.filter(code=kept["account"]).first()
    if found is not None:
        audit.record(replace(by, on_behalf_of=""), "acting.stopped", found, now=now, why=why)
    return found


def taken_up(session: SessionBase, by: Actor, *, now: datetime) -> tuple[Actor, Acting | None]:
    """Whom a request of this session comes from: the person, or the person for a customer.

    Raises `Over` once, when that has just come to its end; `by` is the person with his own standings.
    """
    kept: dict[str, Any] | None = session.get(_KEPT)
    if kept is None:
        return by, None
    account: Account | None = Account.objects.filter(code=kept["account"]).first()
    begun = datetime.fromtimestamp(kept["since"], UTC)
    names = {"account": account.name if account else kept["name"]}
    if by.user is None or kept["user"] != by.user.pk or now < begun:
        why = _("Sign-in changed.")
    elif account is None or account.deleted_at is not None:
        why = _("%(account)s was deleted.") % names
    elif not may_act(account, by):
        why = _("You do not stand above %(account)s any more.") % names
    elif now >= begun + LONGEST:
        why = _("Eight hours are over.")
    else:
        return _manager_of(account, by), Acting(account, str(by.user), begun)
    stop(session, by=by, why=why, now=now)
    raise Over(_("%(why)s You act for %(account)s no longer.") % {"why": why, **names})


def is_own_matter(namespace: str, name: str) -> bool:
    """Whether a page concerns the person himself, so that nobody reaches it while he acts for somebody."""
    return namespace == _STAFF or (not namespace and name.startswith(_OWN) and name != "account_logout")


def _manager_of(account: Account, by: Actor) -> Actor:
    """The person as a manager of that account and nothing else; his name and where he is stay his own."""
    return Actor(
        label=by.label,
        standings=(Standing(path=account.path, role=Role.MANAGER),),
        user=by.user,
        address=by.address,
        presence=by.presence,
        on_behalf_of=account.name,
    )


def end_with_sign_out(sender: Any, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    """Whoever signs out acts for nobody, and the customer's audit says when that was."""
    actor = getattr(request, "actor", None)
    if request is not None and isinstance(user, User) and isinstance(actor, Actor) and actor.user == user:
        stop(request.session, by=actor, why=_("Signed out."))


user_logged_out.connect(end_with_sign_out, dispatch_uid="acting")
