"""Invitations: a person is given a role and told by e-mail how to sign in.

What is answered and shown is the same whether anybody signs in with that address already, for that may be at
another tenant; only the letter differs, and it goes to the person himself.
"""

from datetime import datetime, timedelta

import structlog
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import cleaning, tenants
from accounts.models import Account, Membership
from accounts.refusals import Refusal
from accounts.roles import Role
from accounts.scope import Actor

log = structlog.get_logger(__name__)

AGAIN_AFTER = timedelta(minutes=2)


def invite(
    account: Account, *, by: Actor, email: str, name: str, role: Role, now: datetime | None = None
) -> Membership:
    """Give a person a role and send him the way in; whoever signs in already keeps name and password."""
    now = now or timezone.now()
    name = cleaning.needed("name", name, _("The name"), longest=120)
    with transaction.atomic():
        membership = tenants.add_person(
            account, by=by, email=email, name=name, role=role, invited=True, now=now
        )
        transaction.on_commit(lambda: _send(membership, by))
    return membership


def send_again(membership: Membership, *, by: Actor, now: datetime | None = None) -> Membership:
    """Send the way in once more, with a new link; not to somebody who has found it."""
    now = now or timezone.now()
    tenants.may_deal_with(membership.account, Role(membership.role), by)
    tenants.not_oneself(membership, by)
    with transaction.atomic():
        membership = tenants.locked(membership)
        if membership.user.last_login is not None and not membership.is_pending:
            raise Refusal("input", _("This person has signed in already."), code="signed-in")
        if membership.invited_at is not None and now < membership.invited_at + AGAIN_AFTER:
            raise Refusal(
                "input", _("An e-mail went out just now. Wait two minutes before the next."), code="just-sent"
            )
        membership.invited_at = now
        membership.save(update_fields=["invited_at"])
        tenants.record(by, "person.invited-again", membership, now)
        transaction.on_commit(lambda: _send(membership, by))
    return membership


def link(membership: Membership) -> str:
    """Where the person sets his first password: good once, for three days."""
    user = membership.user
    place = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    return f"{settings.PORTAL_URL}{reverse('account_reset_password_from_key', kwargs=place)}"


def _send(membership: Membership, by: Actor) -> None:
    words = {
        "by": by.label,
        "account": membership.account,
        "role": membership.get_role_display(),
        "portal": f"{settings.PORTAL_URL}/",
        "cannot": f"{settings.PORTAL_URL}{reverse('account_reset_password')}",
    }
    if membership.user.last_login is None:
        subject = _("Your access to %(account)s") % words
        words["link"] = link(membership)
        body = _(
            "%(by)s invites you to %(account)s. Your role there is: %(role)s.\n\nChoose your password here:\n"
            "%(link)s\n\nThe link is good once, for three days. Afterwards you can ask for another one:\n"
            "%(cannot)s\n\nNothing to do if you know nothing of this: without you nobody can use it.\n"
        )
    else:
        subject = _("You have a role in %(account)s now") % words
        body = _(
            "%(by)s has given you a role in %(account)s: %(role)s.\n\nSign in as before:\n%(portal)s\n\n"
            "Nothing to do if you know nothing of this; you can ask to be taken out.\n"
        )
    try:
        EmailMessage(subject=subject, body=body % words, to=[membership.user.email]).send()
    except OSError as error:  # smtplib's errors are OSErrors
        log.exception("an invitation could not be sent")
        said = _("The role is given, but the e-mail could not be sent. Send it again later.")
        raise Refusal("input", said, code="mail-away") from error
