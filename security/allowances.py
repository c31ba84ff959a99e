"""Networks where more failures are allowed and a ban becomes an alert: proposed, granted, ended (B8)."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from security.bans import may_see_all
from security.models import AllowedNetwork, Ban
from security.networks import Network, is_public
from security.signals import addresses_changed

LONGEST = timedelta(days=366)  # "at most a year", leap years too
RESELLER_V4, RESELLER_V6 = 29, 64
SUPPORT_V4, SUPPORT_V6 = 20, 40


def propose(
    account: Account,
    network: Network,
    *,
    by: Actor,
    reason: str,
    length: timedelta,
    now: datetime | None = None,
) -> AllowedNetwork:
    """Ask that a network of this account may fail more often; granted at once to whoever may grant it."""
    if not by.may(Power.PROPOSE_ALLOWANCE, account.path):
        raise Forbidden("B8")
    why = cleaning.needed("reason", reason, gettext("The reason"), longest=300)
    if not timedelta(0) < length <= LONGEST:
        raise Invalid("ends_at", gettext("It lasts at most a year."), rule="B8")
    _check_width(network, SUPPORT_V4, SUPPORT_V6, gettext("nobody grants more"))
    if not is_public(network):
        raise Invalid(
            "network", gettext("{network} is no public network.").format(network=network), rule="B8"
        )
    now = now or timezone.now()
    with transaction.atomic():
        # One at a time in an account, so that nobody asks for the same twice.
        account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        _refuse_conflicts(network, now)
        same = AllowedNetwork.objects.filter(account=account).touching(network)
        open_ = (same.standing(now) | same.waiting(now)).first()
        if open_ is not None:
            raise Refusal(
                "B8",
                gettext("{network} is {state} already.").format(
                    network=open_.network, state=open_.state(now)
                ),
                code="already",
                field="network",
            )
        row = AllowedNetwork(
            account=account,
            first=network.hex_first,
            last=network.hex_last,
            reason=why,
            proposed_by=by.label[:200],
            ends_at=now + length,
            created_at=now,
        )
        cleaning.full_clean(row, blame="network")
        row.save()
        _record(by, "proposed", row, now, until=row.ends_at.isoformat(), reason=why)
        return _grant(row, by, now) if may_grant(row, by) else row


def may_grant(row: AllowedNetwork, by: Actor) -> bool:
    """Whether the actor may grant a network of this width to this account."""
    network = row.network
    if may_see_all(by):
        return True
    if not by.may(Power.GRANT_ALLOWANCE, row.account.path):
        return False
    return network.prefix >= (RESELLER_V4 if network.is_v4 else RESELLER_V6)


def grant(row: AllowedNetwork, *, by: Actor, now: datetime | None = None) -> AllowedNetwork:
    """Grant what was proposed; a width beyond the actor's is refused and stays proposed."""
    now = now or timezone.now()
    if not (by.may(Power.GRANT_ALLOWANCE, row.account.path) or may_see_all(by)):
        raise Forbidden("B8")
    with transaction.atomic():
        row = _locked(row)
        if row.state(now) != "proposed":
            raise Refusal(
                "B8",
                gettext("{network} is {state} already.").format(network=row.network, state=row.state(now)),
                code="already",
            )
        if not may_grant(row, by):
            _check_width(row.network, RESELLER_V4, RESELLER_V6, gettext("platform support grants more"))
        _refuse_conflicts(row.network, now)
        return _grant(row, by, now)


def end(row: AllowedNetwork, *, by: Actor, reason: str = "", now: datetime | None = None) -> AllowedNetwork:
    """Turn down what was proposed, or end what was granted."""
    now = now or timezone.now()
    why = cleaning.one_line("reason", reason, longest=300)
    if not (by.may(Power.PROPOSE_ALLOWANCE, row.account.path) or may_see_all(by)):
        raise Forbidden("B8")
    with transaction.atomic():
        row = _locked(row)
        before = row.state(now)
        if before not in ("proposed", "allowed"):
            raise Refusal(
                "B8",
                gettext("It is over already: {network} is {before}.").format(
                    network=row.network, before=before
                ),
                code="over",
            )
        row.ended_at, row.ended_by = now, by.label[:200]
        row.save(update_fields=["ended_at", "ended_by"])
        _record(by, "ended" if before == "allowed" else "turned-down", row, now, reason=why)
        addresses_changed.send(sender=AllowedNetwork)
    return row


def _grant(row: AllowedNetwork, by: Actor, now: datetime) -> AllowedNetwork:
    row.granted_at, row.granted_by = now, by.label[:200]
    row.save(update_fields=["granted_at", "granted_by"])
    _record(by, "granted", row, now, until=row.ends_at.isoformat())
    addresses_changed.send(sender=AllowedNetwork)
    return row


def _locked(row: AllowedNetwork) -> AllowedNetwork:
    rows = AllowedNetwork.objects.select_related("account").select_for_update(of=("self",))
    found: AllowedNetwork = rows.get(pk=row.pk)
    return found


def _check_width(network: Network, v4: int, v6: int, otherwise: str) -> None:
    if network.prefix < (v4 if network.is_v4 else v6):
        raise Invalid(
            "network",
            gettext("An IPv4 /{v4} or IPv6 /{v6} is the widest; {otherwise}.").format(
                v4=v4, v6=v6, otherwise=otherwise
            ),
            rule="B8",
        )


def _refuse_conflicts(network: Network, now: datetime) -> None:
    blocked = Ban.objects.standing(now).touching(network).filter(kind=Ban.Kind.BLOCKED).first()
    if blocked is not None:
        raise Refusal(
            "B8",
            gettext("{network} is blocked by platform support.").format(network=blocked.network),
            code="blocked",
            field="network",
        )


def _record(by: Actor, what: str, row: AllowedNetwork, now: datetime, **details: str) -> None:
    audit.record(
        by, f"allowance.{what}", row, account=row.account, now=now, network=str(row.network), **details
    )
