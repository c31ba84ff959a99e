"""The end user's page: one card a phone, one sentence, one button; none of the trade's words."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.guards import PageRequest, signed_in
from accounts.models import User
from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Device
from portal.frame import home_account
from portal.my_words import Said, may_unblock_words, said, why_not_words
from portal.pages.forms import said_origin
from portal.pages.phones import dressed
from portal.pages.presence import presence_of
from portal.pages.rows import PhoneRow, phone_rows
from portal.restart_words import restart_words, waiting_words
from portal.templatetags.latchkey import when_long
from provisioning import live_lines, locking, policies, telling, unblocking
from provisioning.coming_over import LATE_WORD, WAITING
from provisioning.gate import State
from provisioning.live_lines import Line, Step
from provisioning.locking import OwnUnlocks
from provisioning.models import Lock
from provisioning.quiet_phones import Lapse
from security.networks import Network

OTHERS_NAMED = 5
#: Seconds until the page looks again: while a phone is on its way, and while something may happen.
QUICKLY, SLOWLY = 4, 20
ON_ITS_WAY = timedelta(minutes=15)  # after its unlock or its last step; then there is no hurry any more


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedPhone:
    """A phone as somebody sees it who waits for it: what it does in plain words, and what to do with it."""

    device: Device
    case: str
    look: str
    badge: str
    place: str
    heard_at: datetime | None
    quiet: Lapse | None
    until: datetime | None
    started: datetime | None
    zone: str
    restart: str
    waiting: str
    lines: list[Said]
    again: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MyPhone(FollowedPhone):
    """The same as its owner sees it, with the button that he has."""

    would_end: datetime
    scoped_to: Network | None
    others: list[str]
    offers: str
    extensions: str


@dataclass(frozen=True, slots=True)
class KeptOut:
    """What stands against an address where the reader is, and whether he may end it."""

    address: str
    until: datetime
    blocked: bool
    may: bool
    words: str


BADGES = {
    "ready": ("unlocked", gettext_lazy("Ready to set itself up")),
    "coming": ("moved", gettext_lazy("Setting itself up")),
    "late": ("waiting", gettext_lazy("Has to be started again")),
    "away": ("waiting", gettext_lazy("Turned away")),
    "works": ("full", gettext_lazy("Works")),
    "fresh": ("new", gettext_lazy("Not set up yet")),
    "shut": ("disabled", gettext_lazy("Switched off")),
    "closed": ("locked", gettext_lazy("Not set up here")),
}
#: After one of these a try that still waits for an answer is history.
LET_IN_SINCE = (Step.LET_IN, Step.CONFIGURED)
#: Which cards have the button, and where it stands.
OFFERS = {"away": "big", "closed": "big", "late": "fold", "works": "fold"}


@dataclass(frozen=True, slots=True)
class Known:
    """What was read of all the reader's phones together, so that many cost as many queries as one."""

    lines: dict[int, list[Line]]
    tried: dict[int, list[Network]]
    policies: dict[int, policies.Effective]
    mine: OwnUnlocks | None


def my_phone(row: PhoneRow, by: Actor, known: Known, now: datetime) -> MyPhone:
    """What the owner is told, and which button he gets: big, hidden in a fold, or none."""
    device = row.device
    lock: Lock = device.lock
    lines, tried, mine = known.lines[device.pk], known.tried[device.pk], known.mine
    case = case_of(row, lines)
    here = locking.scope_among(tried, by=by)
    others = [origin for origin in tried if origin != here]
    offers = OFFERS.get(case, "")
    if offers and row.lock.suspicion and not here:
        offers = "ask"
    elif offers and mine is not None and not mine.left:
        offers = "spent"
    look, words = BADGES[case]
    return MyPhone(
        device=device,
        case=case,
        look=look,
        badge=str(words),
        place=lock.bound_site.name if lock.bound_site else "",
        heard_at=heard_at(row, lines),
        quiet=row.quiet,
        until=lock.grant_until if case == "ready" else None,
        started=lock.grant_given_at,
        would_end=now + known.policies[device.account_id].user_unlock_ttl,
        scoped_to=here,
        others=[str(origin) for origin in others][:OTHERS_NAMED],
        offers=offers,
        zone=row.zone,
        extensions=row.extensions,
        restart=restart_words(device),
        waiting=waiting_words(device),
        lines=said(lines, zone=row.zone, now=now),
        again=look_again(case, lines, lock.grant_given_at, now),
    )


def case_of(row: PhoneRow, lines: Sequence[Line]) -> str:
    """Which of the owner's few cases this is."""
    if row.state in ("disabled", State.QUARANTINED.value, State.RETIRED.value):
        return "shut"
    if row.state == State.UNLOCKED.value:
        return "ready"
    if row.state == State.NEW.value:
        return "fresh"
    if row.is_waiting and not (lines and lines[-1].step in LET_IN_SINCE):
        return "away"
    if row.lock.handover in (WAITING, LATE_WORD) and not _has_all(row, lines):
        return "coming" if row.lock.handover == WAITING else "late"
    return "works" if heard_at(row, lines) else "closed"


def heard_at(row: PhoneRow, lines: Sequence[Line]) -> datetime | None:
    """When it last fetched its configuration: by its last poll, or at the end of setting itself up."""
    times = [line.at for line in lines if line.step is Step.CONFIGURED]
    return max([*times, row.seen.at] if row.seen else times, default=None)


def _has_all(row: PhoneRow, lines: Sequence[Line]) -> bool:
    """Whether the last that was heard of it is that it has its configuration."""
    let_in = row.device.lock.last_claim_at
    if row.seen and let_in and row.seen.at >= let_in:
        return True
    return bool(lines) and lines[-1].step is Step.CONFIGURED


def look_again(case: str, lines: Sequence[Line], unlocked_at: datetime | None, now: datetime) -> int:
    """In how many seconds the page asks again; 0: nothing is going on."""
    if case in ("ready", "coming"):
        heard = max([unlocked_at or now - ON_ITS_WAY, *(line.at for line in lines)])
        return QUICKLY if now - heard < ON_ITS_WAY else SLOWLY
    return SLOWLY if case in ("late", "away", "fresh", "closed") else 0


def kept_out(by: Actor, zone: str, now: datetime) -> list[KeptOut]:
    """What stands against the addresses where the reader is."""
    found = (unblocking.offer(place, by=by, now=now) for place in by.addresses)
    return [
        KeptOut(
            address=offer.address,
            until=offer.until,
            blocked=offer.blocked,
            may=offer.why_not is None,
            words=why_not_words(offer, zone=zone) if offer.why_not else may_unblock_words(offer, zone=zone),
        )
        for offer in found
        if offer is not None
    ]


@signed_in
def my_phones(request: PageRequest) -> HttpResponse:
    shown = what_is_true(request, timezone.now())
    return render(request, "devices/_my_phones.html" if request.htmx else "devices/my_phones.html", shown)


def what_is_true(request: PageRequest, now: datetime) -> dict[str, Any]:
    by = request.actor
    account = home_account(by)
    zone = account.time_zone if account else "UTC"
    own = dressed(by, Device.objects.visible_to(by).filter(owner=by.user))
    rows = phone_rows(own, now)
    devices = [row.device for row in rows]
    known = Known(
        lines=live_lines.lines_of(devices, addresses=by.addresses, now=now),
        tried=locking.tried_at_many(devices, now=now),
        policies=policies.effective_many({device.account for device in devices}),
        mine=None if by.may_anywhere(Power.UNLOCK_DEVICE) else locking.own_unlocks(by, now=now),
    )
    phones = [my_phone(row, by, known, now) for row in rows]
    banned = kept_out(by, zone, now)
    again = min((phone.again for phone in phones if phone.again), default=SLOWLY if banned else 0)
    news = news_of(phones)
    return {
        "phones": phones,
        "banned": banned,
        "mine": known.mine,
        "address": by.address,
        "presence": presence_of(request),
        "account": account,
        "contact": contact_of(account, by),
        "zone": zone,
        "now": now,
        "again": again,
        "refresh": again,  # for a browser without scripts
        "news": "" if request.GET.get("news", "") == mark_of(news) else news,
        "mark": mark_of(news),
    }


def news_of(phones: list[MyPhone]) -> str:
    """What a screen reader is told when it has changed."""
    last = (
        f"{phone.device}: {phone.badge}. {phone.lines[-1].words if phone.lines else ''}" for phone in phones
    )
    return " ".join(line.strip() for line in last)


def mark_of(news: str) -> str:
    """A short name of the news, by which a browser says which it knows."""
    return f"{zlib.crc32(news.encode()):08x}"


def contact_of(account: Any, by: Actor) -> User | None:
    """Whom the reader can write to: the first of those who look after the phones, unless it is himself."""
    people = telling.managers_in(account) if account else []
    return next((person for person in people if person != by.user), None)


@require_POST
@signed_in
def allow(request: PageRequest, code: UUID) -> HttpResponse:
    """Let his phone set itself up again; how often and how long is the verb's question."""
    own = Device.objects.visible_to(request.actor).select_related("account", "owner")
    device = get_object_or_404(own, code=code)
    origin = said_origin(request.POST.get("origin", ""))
    lock = locking.allow_reprovision(device, by=request.actor, origin=origin)
    if lock.grant_until:
        until = when_long(lock.grant_until, device.account.time_zone)
        told = _("%(phone)s may set itself up, once, until %(until)s.") % {"phone": device, "until": until}
    else:
        told = _("%(phone)s may set itself up, once.") % {"phone": device}
    messages.success(request, told)
    return redirect("my-phones")
