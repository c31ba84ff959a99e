"""Unlock links: a manager lets somebody without a login unlock one phone, once, within 24 hours (E1).

The secret part of a link stands nowhere but in the link itself: a row holds its HMAC.
"""

import hashlib
import hmac
import secrets
import smtplib
import string
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, cleaning
from accounts.authentication import LABEL_LENGTH, actor_of, actor_of_key
from accounts.models import ApiKey, User
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Device
from provisioning import events, jobs, locking, policies, publishing, sentences
from provisioning.gate import State
from provisioning.models import Lock, UnlockLink
from provisioning.spans import Span
from security.networks import Network, origin_of, parse_address

log = structlog.get_logger(__name__)

LONGEST = timedelta(hours=24)
MOST_OPEN = 5  # links of one phone at a time
LENGTH = 50  # characters: 258 bits
ALPHABET = string.ascii_lowercase + string.digits
MAIL_PATIENCE = 10  # seconds; a person waits for the page
RULE = "E1"
BY_LINK = ", by a link"  # after the name of whoever made it, in the audit and the log


@dataclass(frozen=True, slots=True)
class Made:
    """A new link with its secret part, which is shown this once."""

    link: UnlockLink
    secret: str
    url: str
    is_mailed: bool


def make(
    device: Device, *, by: Actor, given_to: str = "", email: str = "", now: datetime | None = None
) -> Made:
    """Make a link that lets its holder unlock this phone once; mail it when an address is given."""
    now = now or timezone.now()
    if not by.may(Power.UNLOCK_DEVICE, device.account.path):
        raise Forbidden
    if email:
        _refuse_bad(email)
    drawn = "".join(secrets.choice(ALPHABET) for _place in range(LENGTH))
    with transaction.atomic():
        lock = locking.locked_row(device)
        _refuse_now(lock, now)
        if open_links(lock.device, now).count() >= MOST_OPEN:
            raise Refusal(
                RULE,
                _("This phone has %(most)d open links. End one of them first.") % {"most": MOST_OPEN},
                code="too-many",
            )
        link = UnlockLink(
            device=lock.device,
            account=lock.device.account,
            key=key_of(drawn),
            made_by=by.label,
            maker=jobs.remember(by),
            given_to=(given_to or email)[:120],
            made_at=now,
            ends_at=now + good_for(lock.device),
        )
        cleaning.full_clean(link)
        link.save()
        _write(link, "unlock-link-made", "device.unlock_link_made", by=by, now=now)
    url = f"{settings.PORTAL_URL}/u/{drawn}/"
    return Made(link, drawn, url, bool(email) and _mail(link, url, to=email, now=now))


def good_for(device: Device) -> timedelta:
    """How long a link, and the unlock that it brings, is good: never longer than an end user's own."""
    return min(LONGEST, policies.effective(device.account).user_unlock_ttl)


def end(link: UnlockLink, *, by: Actor, now: datetime | None = None) -> UnlockLink:
    """Take a link back before it is used; one that is over anyway stays as it is."""
    now = now or timezone.now()
    with transaction.atomic():
        lock = locking.locked_row(link.device)
        # The link belongs to the account that had the phone then, and so do the powers over it.
        if not by.may(Power.UNLOCK_DEVICE, link.account.path):
            raise Forbidden
        held: UnlockLink = UnlockLink.objects.select_for_update(of=("self",)).get(pk=link.pk)
        held.device = lock.device
        if held.used_at is not None:
            raise Refusal(RULE, _("This link was used already. Lock the phone again instead."), code="used")
        if held.ended_at is None and held.ends_at > now:
            held.ended_at = now
            held.save(update_fields=["ended_at"])
            _write(held, "unlock-link-ended", "device.unlock_link_ended", by=by, now=now)
    return held


def use(link: UnlockLink, *, address: str | None, now: datetime | None = None) -> Lock:
    """Unlock the phone by its link, with the powers that whoever made the link has at this moment.

    Of two who press at once one finds it used. A try of this phone that was refused where the presser is
    scopes the unlock to that address, as it does for people with a login.
    """
    now = now or timezone.now()
    with transaction.atomic():
        lock = locking.locked_row(link.device)
        held: UnlockLink = UnlockLink.objects.select_for_update(of=("self",)).get(pk=link.pk)
        by = _maker_now(held, address)
        refusal = _over(held, now) or _refusal(held, lock, by, now)
        if refusal is not None:
            raise refusal
        assert by is not None
        span = Span("link", good_for(lock.device))
        origin = scope_for(lock.device, address, now=now)
        locking.open_grant(lock, by=by, rule=RULE, span=span, origin=origin, now=now)
        held.device, held.used_at, held.used_from = lock.device, now, address or ""
        held.save(update_fields=["used_at", "used_from"])
        _write(held, "unlock-link-used", "device.unlock_link_used", by=by, now=now, address=address or "")
        publishing.device_changed(lock.device.pk)
        whose = _("Somebody with %(maker)s's unlock link") % {"maker": _name(held)}
        publishing.tell_later("own-unlock", lock.device.pk, whose)
    return lock


def find(secret: str, *, now: datetime) -> UnlockLink | None:
    """The link of this secret: open, or used and still followed; None for all that is over or never was."""
    if len(secret) != LENGTH or not set(secret) <= set(ALPHABET):
        return None
    rows = UnlockLink.objects.filter(key=key_of(secret), ended_at=None)
    link: UnlockLink | None = rows.select_related("device__account", "device__lock", "account").first()
    if link is None or (now >= link.ends_at and not _is_followed(link, now)):
        return None
    return link


def why_not(link: UnlockLink, *, now: datetime) -> Refusal | None:
    """Why a link cannot be used now; None when it can."""
    lock: Lock = link.device.lock
    return _over(link, now) or _refusal(link, lock, _maker_now(link, None), now)


def open_links(device: Device, now: datetime) -> "QuerySet[UnlockLink]":
    """The links of this phone that somebody may still use, the newest first."""
    rows: QuerySet[UnlockLink] = UnlockLink.objects.filter(
        device=device, device__account=F("account"), used_at=None, ended_at=None, ends_at__gt=now
    )
    return rows.order_by("-made_at")


def of_phone(device: Device, code: UUID) -> UnlockLink | None:
    """One link of this phone, made by the account that has it."""
    rows = UnlockLink.objects.filter(device=device, account=device.account_id, code=code)
    return rows.select_related("device__account", "account").first()


def scope_for(device: Device, address: str | None, *, now: datetime) -> Network | None:
    """The address of whoever presses, when a try of this phone was refused there in the last 24 h."""
    here = origin_of(parse_address(address)) if address else None
    return here if here in locking.tried_at(device, now=now) else None


def key_of(secret: str) -> str:
    """What stands for a link's secret part in its row."""
    text = b"unlock-link:" + secret.encode("utf-8", "replace")
    return hmac.digest(settings.TOKEN_KEY, text, hashlib.sha256).hex()


# --- what speaks against it --------------------------------------------------------------------------------


def _over(link: UnlockLink, now: datetime) -> Refusal | None:
    if link.used_at is not None:
        return Refusal(RULE, _("This link was used already."), code="used")
    if link.ended_at is not None or now >= link.ends_at:
        return Refusal(RULE, _("This link is over."), code="over")
    return None


def _refusal(link: UnlockLink, lock: Lock, by: Actor | None, now: datetime) -> Refusal | None:
    """Why nobody can unlock this phone by the link now; the phone as it is at this moment."""
    if link.account_id != lock.device.account_id:
        return Refusal(RULE, _("This phone has moved to another account since."), code="moved")
    if by is None or not by.may(Power.UNLOCK_DEVICE, lock.device.account.path):
        return Refusal(RULE, _("Whoever made this link may not unlock the phone any more."), code="maker")
    try:
        _refuse_now(lock, now)
    except Refusal as refusal:
        return refusal
    return None


def _refuse_now(lock: Lock, now: datetime) -> None:
    locking.refuse_shut(lock, RULE)
    if locking.is_suspected(lock, now):
        raise Refusal(
            "E7",
            _("Others have tried to get this phone's file, so no link unlocks it. Ask your provider."),
            code="under-suspicion",
        )


def _is_followed(link: UnlockLink, now: datetime) -> bool:
    """Whether the unlock that the link brought is still open."""
    lock: Lock = link.device.lock
    own = link.used_at is not None and lock.grant_given_at == link.used_at
    until = lock.grant_until
    return own and lock.state == State.UNLOCKED.value and until is not None and now < until


def _maker_now(link: UnlockLink, address: str | None) -> Actor | None:
    """Whoever made the link, with the powers that he has now; None when he is gone or switched off."""
    kept = link.maker
    found: Actor | None = None
    if kept.get("user"):
        user = User.objects.filter(pk=kept["user"], is_active=True).first()
        found = actor_of(user, address=address) if user else None
    elif kept.get("api_key"):
        keys = ApiKey.objects.get_usable_keys().select_related("account")
        key = keys.filter(pk=kept["api_key"]).first()
        found = actor_of_key(key, address=address) if key and not key.has_expired else None
    if found is None:
        return None
    label = f"{found.label}{BY_LINK}"[:LABEL_LENGTH]
    return replace(found, label=label, on_behalf_of=kept.get("on_behalf_of", ""))


# --- telling -----------------------------------------------------------------------------------------------


def _write(link: UnlockLink, what: str, verb: str, *, by: Actor, now: datetime, address: str = "") -> None:
    """The link's line in the audit and in the phone's log; neither has its secret."""
    places: dict[str, Any] = {"given_to": link.given_to, "until": link.ends_at.isoformat()}
    audit.record(by, verb, link.device, now=now, link=str(link.code), **places)
    events.write(link.device, what, by=by, rule=RULE, at=now, address=address, **places)


def _name(link: UnlockLink) -> str:
    return link.made_by.partition(" (")[0]


def _refuse_bad(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid("email", _("This is no e-mail address."), rule=RULE) from error


def _mail(link: UnlockLink, url: str, *, to: str, now: datetime) -> bool:
    """Send the link, here and now: handed to a worker its secret would stand in the queue."""
    places = {
        "maker": _name(link),
        "phone": link.device,
        "url": url,
        "until": sentences.when(link.ends_at, link.device.account.time_zone, now=now),
    }
    body = (
        _(
            "%(maker)s has sent you this link for the phone %(phone)s:\n\n%(url)s\n\n"
            "Open it when the phone is in front of you, and press the button there. It works once, until"
            " %(until)s. Whoever has the link can do the same, so keep it to yourself.\n\n"
            "Do nothing if you know of no such phone.\n"
        )
        % places
    )
    subject = _("Let %(phone)s set itself up again") % places
    try:
        with get_connection(timeout=MAIL_PATIENCE) as connection:
            EmailMessage(subject=subject, body=body, to=[to], connection=connection).send()
    except (smtplib.SMTPException, OSError) as error:
        log.warning("an unlock link was not mailed", error=type(error).__name__)
        return False
    return True
