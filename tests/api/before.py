"""What has to be so before an operation can be done: made by the product itself, on one tenant."""

from dataclasses import replace
from datetime import timedelta

from allauth.mfa.models import Authenticator
from django.utils import timezone

from accounts import deleting, second_factor
from accounts.models import Account, User
from accounts.scope import Actor
from devices import appearances, profiles, raw_keys, settings_tree
from devices.models import Device
from provisioning import locking, policies, replaying
from provisioning.models import Token
from provisioning.spans import Span
from provisioning.verdict import TokenKind
from security import bans
from security.networks import origin_of, parse_address
from tests.second_factors import SECRET
from tests.world import Tenant, actor


def support() -> Actor:
    return actor(User.objects.get(email="sam@platform.example"))


def deleted(tenant: Tenant) -> None:
    if Account.objects.filter(path__startswith=tenant.account.path).count() == 1:
        deleting.delete_account(tenant.account, by=support(), typed=tenant.account.slug)


def unlocked(tenant: Tenant) -> None:
    locking.unlock(tenant.phone, by=support(), span=Span.parse("24h"))


def quarantined(tenant: Tenant) -> None:
    locking.quarantine(tenant.phone, by=support(), reason="Stolen")


def cloned(tenant: Tenant) -> None:
    """A former token of the phone was used again."""
    now = timezone.now()
    tokens = Token.objects.filter(device=tenant.phone)
    tokens.update(
        kind=TokenKind.FORMER.value, superseded_at=now, clone_since=now, until=now + timedelta(days=30)
    )


def shown_nowhere(tenant: Tenant) -> None:
    for device in (tenant.phone, tenant.other_phone):
        appearances.put(device, by=support(), rows=[])


def worn_nowhere(tenant: Tenant) -> None:
    profiles.take_off([Device.objects.get(pk=tenant.phone.pk)], by=support())


def set_to_two(tenant: Tenant) -> None:
    settings_tree.set_value(tenant.account, by=support(), name="poll_hours", value=2)


def given_a_raw_key(tenant: Tenant) -> None:
    target = raw_keys.target_in(tenant.account, "yealink", "")
    raw_keys.set_value(target, by=support(), key="phone_setting.contrast", value="5")


def given_a_policy(tenant: Tenant) -> None:
    policies.set_value(tenant.account, by=support(), name="user_unlock_ttl", value=2)


def banned_here(tenant: Tenant) -> None:
    """The address of the tests' requests."""
    here = origin_of(parse_address("127.0.0.1"))
    bans.set_ban(here, by=support(), length=timedelta(hours=1), reason="Scans")


def replayed(tenant: Tenant) -> Tenant:
    """The job of a replay in place of the tenant's: it is the platform's."""
    return replace(tenant, job=replaying.start(replaying.Wanted(base=5), by=support()))


def with_an_app(tenant: Tenant) -> None:
    """The person has a second factor though the role asks for none."""
    secret = second_factor.seal(SECRET)
    Authenticator.objects.create(user=tenant.viewer, type=Authenticator.Type.TOTP, data={"secret": secret})
