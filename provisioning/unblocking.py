"""A signed-in person ends the ban of the address he is at, within limits; nothing is forgotten by it (B6)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import tenants
from accounts.models import Account
from accounts.refusals import Refusal
from accounts.scope import Actor
from devices.models import Device
from provisioning.models import FailureKey, Proof
from provisioning.standing import PROVED_TIME
from security import bans
from security.models import Ban, Unblocking
from security.networks import Network, origin_of, parse_address, show_address

LIMIT, LIMIT_TIME = 3, timedelta(hours=24)
_HOURS = int(LIMIT_TIME.total_seconds() // 3600)


def unblock(address: str, *, by: Actor, now: datetime | None = None) -> Ban:
    """End the ban of this address, where the actor must be himself.

    Refused for any other address, for a block or a wider network, beyond three in 24 hours for a person or an
    address, and a second time where none of the phones that he may see was proved or refused in 30 days.
    """
    now = now or timezone.now()
    origin = origin_of(parse_address(address))
    with transaction.atomic():
        # One at a time, so that the limits hold for whoever asks twice at once.
        Account.objects.select_for_update(no_key=True).get(pk=tenants.platform().pk)
        if (why_not := refusal(address, by=by, now=now)) is not None:
            raise why_not
        for ban in _standing(origin, now):
            Unblocking.objects.create(ban=ban, person=_person(by), first=origin.hex_first, at=now)
            ended = bans.end(ban, by=by, rule="B6", reason="Unblocked by somebody at this address", now=now)
    return ended


@dataclass(frozen=True, slots=True)
class Offer:
    """What stands against the address of somebody, until when, and whether he may end it himself."""

    address: str
    until: datetime
    blocked: bool
    left: int  #: how often he may still do it today, this time included
    why_not: Refusal | None


def offer(address: str, *, by: Actor, now: datetime) -> Offer | None:
    """What the actor may do about this address; None when nothing stands against it."""
    where = parse_address(address)
    origin = origin_of(where)
    standing = _standing(origin, now)
    if not standing:
        return None
    return Offer(
        address=show_address(where),
        until=max(ban.ends_at for ban in standing),
        blocked=any(ban.kind == Ban.Kind.BLOCKED for ban in standing),
        left=max(0, LIMIT - max(_done(origin, by, now))),
        why_not=refusal(address, by=by, now=now),
    )


def refusal(address: str, *, by: Actor, now: datetime) -> Refusal | None:
    """Why the actor may not end the ban of this address; None when he may."""
    where = parse_address(address)
    origin, shown = origin_of(where), show_address(where)
    if all(origin_of(parse_address(own)) != origin for own in by.addresses):
        return Refusal(
            "B6",
            gettext("Only somebody at {shown} can unblock it, or platform support.").format(shown=shown),
            code="not-there",
        )
    standing = _standing(origin, now)
    if any(ban.kind == Ban.Kind.BLOCKED for ban in standing):
        return Refusal(
            "B6",
            gettext("{shown} was blocked by platform support, who alone end that.").format(shown=shown),
            code="blocked",
        )
    if not standing:
        return Refusal("B6", gettext("{shown} is not banned.").format(shown=shown), code="not-banned")
    if wider := next((ban for ban in standing if ban.network != origin), None):
        return Refusal(
            "B6",
            gettext("All of {network} is banned; only platform support ends that.").format(
                network=wider.network
            ),
            code="wider-ban",
        )
    return _beyond_limits(origin, shown, by, now)


def _beyond_limits(origin: Network, shown: str, by: Actor, now: datetime) -> Refusal | None:
    by_person, here = _done(origin, by, now)
    if max(by_person, here) >= LIMIT:
        said = gettext(
            "People at {shown} have ended {limit} bans in the last {hours} hours. Platform support can end"
            " this one."
        )
        if by_person >= LIMIT:
            said = gettext(
                "You have ended {limit} bans in the last {hours} hours. Platform support can end this one."
            )
        return Refusal("B6", said.format(shown=shown, limit=LIMIT, hours=_HOURS), code="too-often")
    if max(by_person, here) >= 1 and not _phone_was_there(origin, by, now):
        return Refusal(
            "B6",
            gettext("A second time this takes a phone of yours that worked or was refused at this address."),
            code="no-phone-there",
        )
    return None


def _done(origin: Network, by: Actor, now: datetime) -> tuple[int, int]:
    """How many bans ended lately by this person, and at this origin."""
    lately = Unblocking.objects.filter(at__gt=now - LIMIT_TIME)
    return lately.filter(person=_person(by)).count(), lately.filter(first=origin.hex_first).count()


def _standing(origin: Network, now: datetime) -> list[Ban]:
    return list(Ban.objects.standing(now).holding(origin).order_by("pk"))


def _phone_was_there(origin: Network, by: Actor, now: datetime) -> bool:
    seen = Device.objects.visible_to(by)
    proved = Proof.objects.filter(
        first=origin.hex_first, at__gte=now - PROVED_TIME, device__in=seen.values("pk")
    )
    refused = FailureKey.objects.filter(
        first=origin.hex_first, hour__gte=now - PROVED_TIME, label__in=seen.values("mac")
    )
    return proved.exists() or refused.exists()


def _person(by: Actor) -> str:
    """Who he is, whoever he acts for."""
    if by.user is not None:
        return f"user {by.user.pk}"
    return f"key {by.api_key.pk}" if by.api_key is not None else by.label
