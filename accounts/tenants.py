"""The tree of accounts and the people in it: made, renamed, switched off, given roles and taken out again."""

import functools
from copy import copy
from datetime import datetime
from zoneinfo import available_timezones

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.deleting import refuse_deleted
from accounts.models import Account, Membership, User
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power, Role, may_give
from accounts.scope import Actor
from accounts.signals import account_switched

Kind = Account.Kind

#: What may stand directly below what; the first is meant when nothing is said.
BELOW: dict[Account.Kind, tuple[Account.Kind, ...]] = {
    Kind.PLATFORM: (Kind.RESELLER, Kind.CUSTOMER),
    Kind.RESELLER: (Kind.CUSTOMER,),
    Kind.CUSTOMER: (Kind.SUB_ACCOUNT,),
    Kind.SUB_ACCOUNT: (),
}
_TREE = ("path", "depth", "numchild")
NO_PLACES = frozenset({"Factory", "localtime"})  # what a machine says that knows no zone


# --- accounts --------------------------------------------------------------------------------------------


def platform() -> Account:
    """The top of the tree; there is one."""
    found: Account | None = Account.objects.filter(depth=1).order_by("path").first()
    if found is None:
        raise Refusal("input", gettext("There is no platform account yet."), code="no-platform")
    return found


def found_platform(
    *, by: Actor, slug: str, name: str, time_zone: str = "UTC", now: datetime | None = None
) -> Account:
    """Make the top of an empty tree; afterwards everybody's powers come from it."""
    now = now or timezone.now()
    with transaction.atomic():
        if Account.objects.exists():
            raise Refusal("input", gettext("There is a platform account already."), code="taken")
        account = _new(slug=slug, name=name, kind=Kind.PLATFORM, time_zone=time_zone, now=now)
        Account.objects.add_root({}, instance=account)
        audit.record(by, "account.created", account, now=now, kind=account.kind)
    return account


def create_account(
    parent: Account,
    *,
    by: Actor,
    slug: str,
    name: str,
    kind: Account.Kind | None = None,
    time_zone: str | None = None,
    now: datetime | None = None,
) -> Account:
    """Make an account below another one; its time zone is the parent's unless said."""
    if not by.may(Power.EDIT_CUSTOMERS, parent.path):
        raise Forbidden
    possible = BELOW[Kind(parent.kind)]
    kind = Kind(kind) if kind else next(iter(possible), None)
    if kind not in possible:
        raise Invalid(
            "kind",
            gettext("Below a {above} there is no {kind}.").format(
                above=parent.kind, kind=kind or gettext("account")
            ),
        )
    now = now or timezone.now()
    with transaction.atomic():
        # Two children at once want one path. The key stays free for whoever writes of the account meanwhile.
        parent = Account.objects.select_for_update(no_key=True).get(pk=parent.pk)
        refuse_deleted(parent)
        account = _new(slug=slug, name=name, kind=kind, time_zone=time_zone or parent.time_zone, now=now)
        Account.objects.add_child(parent, {}, instance=account)
        audit.record(by, "account.created", account, now=now, kind=account.kind, below=parent.slug)
    return account


def rename_account(account: Account, *, by: Actor, name: str, now: datetime | None = None) -> Account:
    """Give the account another name; the slug stays, programs know it."""
    if not by.may(Power.EDIT_SETTINGS, account.path):
        raise Forbidden
    kept = cleaning.needed("name", name, gettext("The name"), longest=120)
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        before, account.name = account.name, kept
        if before != kept:
            account.save(update_fields=["name"])
            audit.record(by, "account.renamed", account, now=now, old=before, new=kept)
    return account


def switch_account(
    account: Account, *, by: Actor, is_active: bool, reason: str = "", now: datetime | None = None
) -> Account:
    """Disable an account with all below it, or enable it again: a power of those who stand above it."""
    above = account.path[: -account.steplen]
    if not above:
        raise Refusal("powers", gettext("The platform cannot be disabled."), code="platform")
    if not by.may(Power.EDIT_CUSTOMERS, above):
        raise Forbidden
    why = cleaning.one_line("reason", reason, longest=300)
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        refuse_deleted(account)
        if account.is_active != is_active:
            account.is_active = is_active
            account.save(update_fields=["is_active"])
            verb = "account.enabled" if is_active else "account.disabled"
            audit.record(by, verb, account, now=now, reason=why)
            account_switched.send(sender=Account, account=account)
    return account


@functools.cache
def time_zones() -> frozenset[str]:
    """The time zones that an account may have: each is a place's, as phones know it."""
    return frozenset(available_timezones() - NO_PLACES)


def _zone(name: str) -> str:
    kept = name.strip()
    if kept not in time_zones():
        raise Invalid("time_zone", gettext("There is no such time zone. One is called Europe/Berlin."))
    return kept


def _new(*, slug: str, name: str, kind: Account.Kind, time_zone: str, now: datetime) -> Account:
    account = Account(
        slug=slug.strip().lower(),
        name=cleaning.needed("name", name, gettext("The name"), longest=120),
        kind=kind,
        time_zone=_zone(time_zone),
        created_at=now,
    )
    cleaning.full_clean(account, blame="slug", exclude=_TREE)
    return account


# --- people ----------------------------------------------------------------------------------------------


def add_person(
    account: Account,
    *,
    by: Actor,
    email: str,
    name: str,
    role: Role,
    password: str | None = None,
    is_demo: bool = False,
    invited: bool = False,
    now: datetime | None = None,
) -> Membership:
    """Give a person a role; whoever signs in with that address already keeps name and password."""
    may_deal_with(account, role, by)
    return _add(account, by, email, name, role, password, is_demo, now or timezone.now(), invited=invited)


def add_first_person(
    account: Account,
    *,
    by: Actor,
    email: str,
    name: str,
    password: str | None = None,
    is_demo: bool = False,
    now: datetime | None = None,
) -> Membership:
    """Give a platform without people its first supporter; nobody can hold the power for it yet."""
    if account.kind != Kind.PLATFORM or Membership.objects.exists():
        raise Forbidden
    return _add(account, by, email, name, Role.SUPPORT, password, is_demo, now or timezone.now())


def change_role(membership: Membership, *, by: Actor, role: Role, now: datetime | None = None) -> Membership:
    """Give a person another role in the same account, neither of them above the actor's own."""
    account = membership.account
    may_deal_with(account, Role(membership.role), by)
    may_deal_with(account, role, by)
    not_oneself(membership, by)
    role_fits(account, role)
    with transaction.atomic():
        membership = locked(membership)
        before, membership.role = membership.role, role.value
        if before != membership.role:
            membership.sees_secrets = False  # it was given to the manager, or whatever he was
            cleaning.full_clean(membership, blame="role")
            membership.save(update_fields=["role", "sees_secrets"])
            _staff_as_roles_say(membership.user)
            record(by, "person.role-changed", membership, now, old=before)
    return membership


def let_see_secrets(
    membership: Membership, *, by: Actor, sees: bool, now: datetime | None = None
) -> Membership:
    """Let a person see the secrets of this account and those below, or no more; each time is in the audit."""
    may_deal_with(membership.account, Role(membership.role), by)
    if not by.may(Power.GIVE_SECRETS, membership.account.path):
        raise Forbidden
    not_oneself(membership, by)
    with transaction.atomic():
        membership = locked(membership)
        if membership.sees_secrets != sees:
            membership.sees_secrets = sees
            membership.save(update_fields=["sees_secrets"])
            record(by, "person.sees-secrets" if sees else "person.sees-no-secrets", membership, now)
    return membership


def remove_person(membership: Membership, *, by: Actor, now: datetime | None = None) -> None:
    """Take a person out of the account; who he is and what he did stays on record."""
    may_deal_with(membership.account, Role(membership.role), by)
    not_oneself(membership, by)
    with transaction.atomic():
        membership = locked(membership)
        record(by, "person.removed", membership, now)
        membership.delete()
        _staff_as_roles_say(membership.user)


def switch_person(user: User, *, by: Actor, is_active: bool, now: datetime | None = None) -> User:
    """Let a person sign in no more, or again; only where the actor stands above every role that he holds."""
    memberships = stand_above(user, by=by)
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        if user.is_active != is_active:
            user.is_active = is_active
            user.save(update_fields=["is_active"])
            for membership in memberships:
                record(by, "person.enabled" if is_active else "person.disabled", membership, now)
    return user


def _add(
    account: Account,
    by: Actor,
    email: str,
    name: str,
    role: Role,
    password: str | None,
    is_demo: bool,
    now: datetime,
    *,
    invited: bool = False,
) -> Membership:
    role_fits(account, role)
    refuse_deleted(account)
    email = email.strip().lower()
    with transaction.atomic():
        user = User.objects.filter(email=email).first()
        if user is None:
            user = _new_user(email, name, password, is_demo=is_demo, now=now)
        membership = Membership(user=user, account=account, role=role.value)
        membership.invited_at = now if invited else None
        cleaning.full_clean(membership, blame="email")
        membership.save()
        _staff_as_roles_say(user)
        record(by, "person.invited" if invited else "person.added", membership, now)
    return membership


def _new_user(email: str, name: str, password: str | None, *, is_demo: bool, now: datetime) -> User:
    user = User(
        email=email,
        name=cleaning.needed("name", name, gettext("The name"), longest=120),
        has_demo_password=is_demo,
        date_joined=now,
    )
    if password is not None:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise Invalid("password", error.messages[0]) from error
    user.set_password(password)
    cleaning.full_clean(user)
    user.save()
    return user


def is_at_home(account: Account, role: Role) -> bool:
    """Whether an account of that kind has people of that role."""
    home = {Role.SUPPORT: Kind.PLATFORM, Role.RESELLER: Kind.RESELLER}.get(role)
    return home is None or account.kind == home


def role_fits(account: Account, role: Role) -> None:
    """Support belongs to the platform, resellers to a reseller: elsewhere the name would promise too much."""
    if not is_at_home(account, role):
        raise Invalid(
            "role",
            gettext("A {kind} has nobody with the role {role}.").format(kind=account.kind, role=role.value),
        )


def stand_above(user: User, *, by: Actor) -> list[Membership]:
    """The person's memberships, if the actor may give and take all of them and is not that person."""
    memberships = list(user.memberships.select_related("account").order_by("account__path"))
    if not memberships:
        raise Forbidden
    for membership in memberships:
        may_deal_with(membership.account, Role(membership.role), by)
        not_oneself(membership, by)
    return memberships


def may_deal_with(account: Account, role: Role, by: Actor) -> None:
    """Refuse to whoever may not give and take this role in that account."""
    if not by.may(Power.EDIT_PEOPLE, account.path):
        raise Forbidden
    if not deals_with(account, role, by):
        raise Forbidden(
            detail=gettext("Your role does not allow giving or taking the role {role}.").format(
                role=role.value
            )
        )


def deals_with(account: Account, role: Role, by: Actor) -> bool:
    """Whether the actor may give and take this role in that account: his own rank and below."""
    return any(s.covers(account.path) and may_give(s.role, role) for s in by.standings)


def not_oneself(membership: Membership, by: Actor) -> None:
    """Refuse to the person himself: nobody raises himself, or leaves an account without its last manager."""
    if by.user is not None and membership.user_id == by.user.pk:
        raise Refusal("powers", gettext("Your own role is changed by somebody else."), code="own-role")


def locked(membership: Membership) -> Membership:
    """The row as it is now, held until the transaction ends."""
    rows = Membership.objects.select_for_update(of=("self",)).select_related("user", "account")
    locked: Membership = rows.get(pk=membership.pk)
    return locked


def _staff_as_roles_say(user: User) -> None:
    """Platform support, and nobody else, reaches Django's admin."""
    is_staff = user.is_superuser or user.memberships.filter(role=Role.SUPPORT.value).exists()
    if user.is_staff != is_staff:
        user.is_staff = is_staff
        user.save(update_fields=["is_staff"])


def record(by: Actor, verb: str, membership: Membership, now: datetime | None, **details: str) -> None:
    """Write into the account's audit what was done to one of its people."""
    shown = copy(membership.user)
    shown.name = "" if membership.is_pending else shown.name  # whom it names the inviter may not know
    audit.record(
        by,
        verb,
        shown,
        account=membership.account,
        now=now,
        email=membership.user.email,
        role=membership.role,
        **details,
    )
