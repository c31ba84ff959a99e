"""Who is kept out by a person: bans of the root URL and blocks of everything, set and lifted (B3, B7)."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning, tenants
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from security.models import AllowedNetwork, Ban
from security.networks import Network
from security.signals import addresses_changed, ban_ended, network_banned

LONGEST_BAN = timedelta(hours=24)  # what B3 gives the third time; whoever wants more blocks, with a reason
LONGEST_BLOCK = timedelta(days=90)
# A wider network is a slip of the hand far more often than an attack.
WIDEST_V4, WIDEST_V6 = 16, 32


def set_ban(
    network: Network, *, by: Actor, length: timedelta, reason: str, now: datetime | None = None
) -> Ban:
    """Let a network get nothing at the root URL for a time; private URLs go on (B4)."""
    return _keep_out(network, Ban.Kind.BANNED, by, length, reason, now)


def block(network: Network, *, by: Actor, length: timedelta, reason: str, now: datetime | None = None) -> Ban:
    """Let a network get nothing at all, its phones' private URLs included (O2)."""
    return _keep_out(network, Ban.Kind.BLOCKED, by, length, reason, now)


def lift(ban: Ban, *, by: Actor, reason: str = "", now: datetime | None = None) -> Ban:
    """End a ban or block now."""
    _needs(by, Ban.Kind(ban.kind))
    why = cleaning.one_line("reason", reason, longest=300)
    with transaction.atomic():
        return end(ban, by=by, rule="B7", reason=why, now=now or timezone.now())


def end(ban: Ban, *, by: Actor, rule: str, reason: str, now: datetime) -> Ban:
    """End a ban or block inside the caller's transaction; whether the actor may is the caller's business."""
    ban = Ban.objects.select_for_update().get(pk=ban.pk)
    if ban.lifted_at is not None or ban.ends_at <= now:
        raise Refusal(
            rule,
            gettext("It is over already: {network} is not {kind}.").format(
                network=ban.network, kind=ban.get_kind_display().lower()
            ),
            code="over",
        )
    ban.lifted_at, ban.lifted_by = now, by.label[:200]
    ban.save(update_fields=["lifted_at", "lifted_by"])
    audit.record(by, f"address.{_undone(ban)}", ban, account=tenants.platform(), now=now, reason=reason)
    addresses_changed.send(sender=Ban)
    ban_ended.send(sender=Ban, ban=ban)
    return ban


def may_see_all(by: Actor) -> bool:
    """Whether the actor sees, sets and lifts every ban (B7): a power that only the whole platform gives."""
    return _holds(by, Power.LIFT_BAN)


def _keep_out(
    network: Network, kind: Ban.Kind, by: Actor, length: timedelta, reason: str, now: datetime | None
) -> Ban:
    _needs(by, kind)
    why = cleaning.needed("reason", reason, gettext("The reason"), longest=300)
    longest = LONGEST_BAN if kind is Ban.Kind.BANNED else LONGEST_BLOCK
    if not timedelta(0) < length <= longest:
        raise Invalid("length", gettext("It lasts at most {say}.").format(say=_say(longest)), rule="B3")
    if network.prefix < (WIDEST_V4 if network.is_v4 else WIDEST_V6):
        raise Invalid(
            "network",
            gettext("A network of an IPv4 /{widest_v4} or IPv6 /{widest_v6} is the widest.").format(
                widest_v4=WIDEST_V4, widest_v6=WIDEST_V6
            ),
        )
    now = now or timezone.now()
    with transaction.atomic():
        # One at a time, so that two people cannot set the same one twice.
        Account.objects.select_for_update(no_key=True).get(pk=tenants.platform().pk)
        standing = Ban.objects.standing(now).holding(network).filter(kind=kind).order_by("-ends_at").first()
        if kind is Ban.Kind.BLOCKED:
            _not_allowed_as_well(network, now)
        if standing is not None:
            end = standing.ends_at.strftime("%d %B %Y, %H:%M UTC")
            raise Refusal(
                "B3",
                gettext("{network} is {kind} until {end}; lift that first.").format(
                    network=standing.network, kind=kind.label.lower(), end=end
                ),
                code="already",
            )
        ban = Ban(
            kind=kind,
            first=network.hex_first,
            last=network.hex_last,
            reason=why,
            set_by=by.label[:200],
            starts_at=now,
            ends_at=now + length,
        )
        cleaning.full_clean(ban, blame="network")
        ban.save()
        audit.record(
            by,
            f"address.{kind.value}",
            ban,
            account=tenants.platform(),
            now=now,
            reason=why,
            until=ban.ends_at.isoformat(),
        )
        addresses_changed.send(sender=Ban)
        network_banned.send(sender=Ban, ban=ban)
    return ban


def _needs(by: Actor, kind: Ban.Kind) -> None:
    """Bans are the platform's: a power held in one account only does not reach them."""
    if not _holds(by, Power.LIFT_BAN if kind is Ban.Kind.BANNED else Power.BLOCK_ADDRESS):
        raise Forbidden("B7" if kind is Ban.Kind.BANNED else "B3")


def _holds(by: Actor, power: Power) -> bool:
    return any(len(path) == Account.steplen for path in by.paths(power))


def _not_allowed_as_well(network: Network, now: datetime) -> None:
    allowed = AllowedNetwork.objects.standing(now).touching(network).select_related("account").first()
    if allowed is not None:
        raise Refusal(
            "B8",
            gettext("{network} is allowed to {account}; end that first.").format(
                network=allowed.network, account=allowed.account
            ),
            code="allowed",
            field="network",
        )


def _undone(ban: Ban) -> str:
    return "unbanned" if ban.kind == Ban.Kind.BANNED else "unblocked"


def _say(length: timedelta) -> str:
    return f"{length.days} days" if length.days > 1 else f"{int(length.total_seconds() // 3600)} hours"
