"""API keys: made with a role no higher than the maker's, shown once, rotated, revoked for good."""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit
from accounts.deleting import refuse_deleted
from accounts.models import Account, ApiKey
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power, Role, may_give
from accounts.scope import Actor
from accounts.tenants import role_fits

MOST_NETWORKS = 50
LONGEST = timedelta(days=3653)
OVERLAP, LONGEST_OVERLAP = timedelta(hours=24), timedelta(hours=720)
# A user sees his own phones; a key is nobody's owner and would see nothing, for ever.
ROLES = tuple(role for role in Role if role is not Role.USER)


def create(
    account: Account,
    *,
    by: Actor,
    name: str,
    role: Role,
    networks: Sequence[str] = (),
    expires_at: datetime | None = None,
    now: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Return the new key with its text, which is kept nowhere: it is shown this once."""
    now = now or timezone.now()
    if not by.may(Power.EDIT_PEOPLE, account.path):
        raise Forbidden
    if not _gives(account, role, by):
        raise Forbidden(
            detail=gettext("Your role does not allow keys with the role {role}.").format(role=role.value)
        )
    return make(account, by=by, name=name, role=role, networks=networks, expires_at=expires_at, now=now)


def make(
    account: Account,
    *,
    by: Actor,
    name: str,
    role: Role,
    networks: Sequence[str] = (),
    expires_at: datetime | None = None,
    now: datetime,
) -> tuple[ApiKey, str]:
    """As `create`, for a command on the server, whose caller holds the database anyway."""
    if role not in ROLES:
        raise Invalid("role", gettext("A key cannot be an end user; take viewer or manager."))
    role_fits(account, role)
    refuse_deleted(account)
    if expires_at is not None and expires_at <= now:
        raise Invalid("expires_at", gettext("A key ends in the future."))
    if expires_at is not None and expires_at > now + LONGEST:
        raise Invalid("expires_at", gettext("A key ends within ten years, or never."))
    key = ApiKey(
        account=account,
        name=name,
        role=role.value,
        networks=read_networks(networks),
        expiry_date=expires_at,
    )
    text: str = ApiKey.objects.assign_key(key)
    key.full_clean()
    with transaction.atomic():
        key.save(force_insert=True)
        details = {"role": role.value, "prefix": key.prefix, "networks": key.networks}
        audit.record(by, "api-key.created", key, now=now, **details)
    return key, text


def may_rotate(key: ApiKey, by: Actor) -> bool:
    """Whether the actor is the key itself, or could have made it."""
    if by.api_key is not None and by.api_key.pk == key.pk:
        return True
    return by.may(Power.EDIT_PEOPLE, key.account.path) and _gives(key.account, Role(key.role), by)


def rotate(
    key: ApiKey, *, by: Actor, overlap: timedelta = OVERLAP, now: datetime | None = None
) -> tuple[ApiKey, str]:
    """Return the key that follows this one, with its text; both open until the overlap is over.

    The new one is like the old: account, name, role, networks and end. A program may do it for itself.
    """
    now = now or timezone.now()
    if not may_rotate(key, by):
        raise Forbidden
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Invalid("overlap_hours", gettext("The two keys overlap by 720 hours at most."))
    with transaction.atomic():
        key = ApiKey.objects.select_for_update(of=("self",)).select_related("account").get(pk=key.pk)
        _refuse_past_use(key, now)
        end = key.expiry_date
        new, text = make(
            key.account,
            by=by,
            name=key.name,
            role=Role(key.role),
            networks=key.networks,
            expires_at=end,
            now=now,
        )
        key.replaced_by, key.expiry_date = new, min(end or now + overlap, now + overlap)
        key.save(update_fields=["replaced_by", "expiry_date"])
        audit.record(
            by, "api-key.rotated", key, now=now, prefix=new.prefix, until=key.expiry_date.isoformat()
        )
    return new, text


def revoke(key: ApiKey, *, by: Actor, now: datetime | None = None) -> ApiKey:
    """End the key for good; a second time changes nothing."""
    if not by.may(Power.EDIT_PEOPLE, key.account.path):
        raise Forbidden
    with transaction.atomic():
        key = ApiKey.objects.select_for_update(of=("self",)).select_related("account").get(pk=key.pk)
        if not key.revoked:
            key.revoked = True
            key.save(update_fields=["revoked"])
            audit.record(by, "api-key.revoked", key, now=now, prefix=key.prefix)
    return key


def _gives(account: Account, role: Role, by: Actor) -> bool:
    return any(standing.covers(account.path) and may_give(standing.role, role) for standing in by.standings)


def _refuse_past_use(key: ApiKey, now: datetime) -> None:
    """Only a key that opens something, and that no other one follows, can be rotated."""
    if key.revoked:
        raise Refusal("input", gettext("This key is revoked. Make another one."), code="revoked")
    if key.replaced_by_id is not None:
        raise Refusal("input", gettext("This key was rotated already. Rotate the new one."), code="rotated")
    if key.expiry_date is not None and key.expiry_date <= now:
        raise Refusal("input", gettext("This key has ended. Make another one."), code="ended")


def read_networks(texts: Sequence[str]) -> list[str]:
    """Return the networks as they are kept; a Refusal names the one that is none."""
    if len(texts) > MOST_NETWORKS:
        raise Invalid(
            "networks",
            gettext("A key has at most {most_networks} networks.").format(most_networks=MOST_NETWORKS),
        )
    kept = []
    for text in texts:
        try:
            kept.append(str(ipaddress.ip_network(text.strip())))
        except ValueError as error:
            raise Invalid("networks", gettext("{text!r} is not a network.").format(text=text)) from error
    return list(dict.fromkeys(kept))
