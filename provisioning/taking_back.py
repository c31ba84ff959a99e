"""E16: the wrong one came first. A claim and all later ones are undone; the phone is what it was before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices import exposing
from devices.models import Device, Site
from provisioning import events, locking, publishing, tokens
from provisioning.evidence import is_bound_there
from provisioning.following import FOLLOWING
from provisioning.gate import State
from provisioning.models import Claim, Denial, Lock, Proof, Token
from security.networks import Network

DENIED_FOR = timedelta(days=30)
CHOICES = 100
ORIGINS_NAMED = 3


def choices(device: Device) -> list[Claim]:
    """The claims that can be undone, the newest first; what was before a move or a swap is out of reach."""
    return list(_within_reach(device).order_by("-pk")[:CHOICES])


def offered(device: Device, *, now: datetime | None = None) -> Claim | None:
    """The claim to be undone if nobody names another: the first since the token to come back was current.

    That is the suspected clone's token (T3). Without one it is the token that the phone had before a claim
    bound it to where it is now; a phone that never changed its place had it before the last claim.
    """
    reach = _within_reach(device)
    suspected = tokens.suspected([device.pk], now or timezone.now()).first()
    if suspected is not None and suspected.claim_id is not None:
        return reach.filter(pk__gt=suspected.claim_id).order_by("pk").first()
    newest = reach.order_by("-pk")
    moved = newest.exclude(rule="R4").first()
    if moved is not None and reach.filter(pk__lt=moved.pk).exists():
        return moved
    return newest.first()


def take_back(device: Device, *, by: Actor, claim: Claim | None = None, now: datetime | None = None) -> Lock:
    """Undo this claim (or the one offered) and all later ones; what they brought is dead at once (E16).

    1. The binding and the current token before it come back: were there none, LOCKED to no place.
    2. The origins of the undone claims are denied for 30 days, but for what is bound again.
    3. An open unlock ends, and the phone's secrets are marked as known to others (E15).
    """
    if not by.may(Power.TAKE_BACK, device.account.path):
        raise Forbidden
    now = now or timezone.now()
    with transaction.atomic():
        extensions = exposing.hold(device)
        lock = locking.locked_row(device)
        locking.refuse_put_away(lock)
        device = lock.device
        first = _meant(device, claim, now)
        reach = _within_reach(device)
        undone = list(reach.filter(pk__gte=first.pk).order_by("pk"))
        before = reach.filter(pk__lt=first.pk).order_by("-pk").first()

        tokens.kill(Token.objects.filter(device=device, claim__gte=first.pk), now=now)
        token = tokens.bring_back(before, now=now) if before is not None else None
        Claim.objects.filter(pk__in=[row.pk for row in undone]).update(
            undone_at=now, undone_by=by.label[:200]
        )
        _bind_as_before(lock, first, by=by, now=now)
        origins = _deny(lock, undone, by=by, now=now)
        Proof.objects.filter(
            device=device, first__in=[n.hex_first for n in origins], at__gte=first.at
        ).delete()  # it was not the phone that proved itself there
        exposing.expose(extensions, by=by, why=f"{device} was taken back", now=now)
        _write_down(lock, undone, token, by=by, now=now)
        publishing.claimed(device.pk)
    return lock


def _within_reach(device: Device) -> "QuerySet[Claim]":
    return Claim.objects.filter(device=device, mac=device.mac, undone_at=None)


def _meant(device: Device, claim: Claim | None, now: datetime) -> Claim:
    found = offered(device, now=now) if claim is None else _within_reach(device).filter(pk=claim.pk).first()
    if found is None and claim is None:
        raise Refusal(
            "E16", gettext("Nobody has set this phone up, so there is nothing to take back."), code="none"
        )
    if found is None:
        raise Refusal(
            "E16",
            gettext("This first fetch was undone already, or is none of this phone's."),
            code="undone",
            field="claim",
        )
    return found


def _bind_as_before(lock: Lock, claim: Claim, *, by: Actor, now: datetime) -> None:
    """LOCKED to what the phone was bound to before the claim; a new phone was bound to nothing."""
    before: dict[str, Any] = claim.before
    was_new = before.get("state") == State.NEW.value
    locking.close_grant(lock, state=State.LOCKED, since=now, by=by.label)
    lock.reason = "" if was_new else before.get("reason", "")
    lock.bound_site = None
    if before.get("site"):
        lock.bound_site = Site.objects.filter(account=lock.device.account, code=before["site"]).first()
    lock.bound_first, lock.bound_last = before.get("bound", ("", ""))
    if was_new or before.get("site"):
        lock.bound_first = lock.bound_last = ""
    lock.follow_first = lock.follow_last = ""
    lock.follow_since = None
    cleaning.full_clean(lock)
    lock.save(update_fields=[*locking.GRANT, *locking.BINDING, *FOLLOWING, "reason"])


def _deny(lock: Lock, undone: Sequence[Claim], *, by: Actor, now: datetime) -> list[Network]:
    """Deny the origins of these claims but for what is bound again, which no denial keeps out any more."""
    for denial in Denial.objects.filter(lock=lock):
        if is_bound_there(lock, Network.from_hex(denial.first, denial.last)):
            denial.delete()
    origins = dict.fromkeys(Network.from_hex(claim.first, claim.last) for claim in undone)
    foreign = [origin for origin in origins if not is_bound_there(lock, origin)]
    for origin in foreign:
        Denial.objects.update_or_create(
            lock=lock,
            first=origin.hex_first,
            last=origin.hex_last,
            defaults={"since": now, "until": now + DENIED_FOR, "by": by.label[:200]},
        )
    return foreign


def _write_down(
    lock: Lock, undone: Sequence[Claim], token: Token | None, *, by: Actor, now: datetime
) -> None:
    origins = [str(n) for n in dict.fromkeys(Network.from_hex(c.first, c.last) for c in undone)]
    bound = lock.bound_site.name if lock.bound_site else lock.bound_network
    details: dict[str, Any] = {
        "since": undone[0].at.isoformat(),
        "origins": ", ".join(origins[:ORIGINS_NAMED]) + (" and more" if origins[ORIGINS_NAMED:] else ""),
        "bound": str(bound) if bound else None,
        "claims": len(undone),
        "token": token is not None,
    }
    codes = [str(claim.code) for claim in undone]
    audit.record(by, "device.taken-back", lock.device, now=now, **details, codes=codes)
    events.write(lock.device, "taken-back", by=by, rule="E16", at=now, **details)
