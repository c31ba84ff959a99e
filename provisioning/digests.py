"""E-mails that gather what came up: at most one an hour and account, a daily one, and one on Mondays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction

from accounts.models import Account
from devices.models import Device
from provisioning import locking, sentences, telling
from provisioning.gate import TokenKind
from provisioning.models import Approval, Claim, DeviceEvent, Lock, Token, Told

log = structlog.get_logger(__name__)

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
NAMED = 10
MORNING = 7  # the hour in the account's zone from which on digests leave
WITHIN = timedelta(hours=12)  # of the morning; a digest that is later than that waits for the next one
COMMITTED = timedelta(minutes=2)  # what happened before the morning is in the rows by then
MONDAY = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to tell of: its name among those told, the phone, and what is said of it."""

    name: str
    device: Device
    said: str


def tell_waiting(now: datetime) -> int:
    """Send every e-mail that is due; returns how many accounts were told of something."""
    return _of_waiting(now) + _of_new_places(now) + _of_resets(now) + _of_open_ends(now)


# --- hourly: open approvals and suspected clones -----------------------------------------------------------


def _of_waiting(now: datetime) -> int:
    """What came up since the last one; a card or a clone is told of once."""
    cards, clones = _open_cards(now), _open_clones(now)
    held = {row.account_id: row for row in Told.objects.filter(what=telling.WAITING)}
    told = 0
    for account in _accounts([*cards, *clones]):
        own_cards, own_clones = _of(account, cards), _of(account, clones)
        open_now = [item.name for item in (*own_cards, *own_clones)]
        known = set(held[account.pk].names) if account.pk in held else set()
        if not set(open_now) - known:
            continue
        taken = _take(account, telling.WAITING, due=now - HOUR, at=now, names=open_now)
        if taken is None:
            continue
        new_cards = [item for item in own_cards if item.name not in known]
        new_clones = [item for item in own_clones if item.name not in known]
        parts = [_cards_said(new_cards, len(own_cards)), _clones_said(new_clones)]
        subject = _waiting_subject(account, new_cards, new_clones)
        told += _send(account, subject, "\n\n".join(part for part in parts if part), taken)
    return told


def _open_cards(now: datetime) -> list[Item]:
    rows = Approval.objects.filter(status=Approval.Status.OPEN, closes_at__gt=now)
    return [
        Item(f"card-{card.pk}", card.device, _tried(card, now))
        for card in rows.select_related("device__account", "account")
        if card.device.account_id == card.account_id
    ]


def _tried(card: Approval, now: datetime) -> str:
    at = sentences.when(card.last_try_at, card.account.time_zone, now=now)
    where = card.origins[0]["address"] if card.origins else ""
    return f"from {where}, last {at}" if where else f"last {at}"


def _open_clones(now: datetime) -> list[Item]:
    rows = Token.objects.filter(
        kind=TokenKind.FORMER.value, clone_since__isnull=False, until__gt=now, device__isnull=False
    )
    found: dict[int, Item] = {}
    for token in rows.select_related("device__account").order_by("clone_since"):
        device, since = token.device, token.clone_since
        assert device is not None
        assert since is not None
        said = sentences.when(since, device.account.time_zone, now=now)
        found.setdefault(
            device.pk, Item(f"clone-{token.pk}-{int(since.timestamp())}", device, f"since {said}")
        )
    return list(found.values())


def _cards_said(cards: Sequence[Item], in_all: int) -> str:
    if not cards:
        return ""
    head = _say(
        len(cards),
        "A phone asked from a new place and was refused:",
        "{} phones asked from a new place and were refused:",
    )
    tail = "It stays so until you approve it; what works goes on working. Deny what is not yours."
    more = f"\nIn all {in_all} phones wait for an answer." if in_all > len(cards) else ""
    return f"{head}\n\n{_listed(cards)}\n\n{tail}{more}\n{settings.PORTAL_URL}/approvals/"


def _clones_said(clones: Sequence[Item]) -> str:
    if not clones:
        return ""
    head = _say(
        len(clones),
        "Two parties fetch the file of a phone, so a copy of it may be in other hands:",
        "Two parties each fetch the files of {} phones, so copies of them may be in other hands:",
    )
    tail = "Both are served until somebody says which one is right, for at most 30 days."
    return f"{head}\n\n{_listed(clones, with_links=True)}\n\n{tail}"


def _waiting_subject(account: Account, cards: Sequence[Item], clones: Sequence[Item]) -> str:
    if clones:
        words = _say(len(clones), "a phone may have been copied", "{} phones may have been copied")
    else:
        words = _say(len(cards), "a phone waits for your answer", "{} phones wait for your answer")
    return f"{account}: {words}"


# --- hourly: polls from a new address ----------------------------------------------------------------------


def _of_new_places(now: datetime) -> int:
    """`poll_from_new_origin` = alert: the phones that telling.py has put down since the last one."""
    told = 0
    waiting = Told.objects.filter(what=telling.NEW_PLACES, at__lte=now - HOUR).exclude(names=[])
    for row in waiting.select_related("account"):
        taken = _take(row.account, telling.NEW_PLACES, due=now - HOUR, at=now, names=[])
        if taken is None:
            continue
        events = DeviceEvent.objects.filter(
            device__in=taken.names, what="origin-drift", account=row.account, at__gt=now - DAY
        )
        items: dict[int, Item] = {}
        for event in events.select_related("device__account").order_by("-at"):
            device = event.device
            assert device is not None
            at = sentences.when(event.at, row.account.time_zone, now=now)
            items.setdefault(device.pk, Item("", device, f"from {event.address}, {at}"))
        if not items:
            continue
        found = list(items.values())
        head = _say(
            len(found),
            "A phone fetched its file from an address that is new for it:",
            "{} phones fetched their files from addresses that are new for them:",
        )
        tail = (
            "Nothing to do if somebody took the phone there. If not, its private URL may be in other hands:"
            " take it back on its page."
        )
        subject = _say(len(found), "a phone at a new address", "{} phones at new addresses")
        body = f"{head}\n\n{_listed(found, with_links=True)}\n\n{tail}"
        told += _send(row.account, f"{row.account}: {subject}", body, taken)
    return told


# --- daily: factory resets at home (R4) --------------------------------------------------------------------


def _of_resets(now: datetime) -> int:
    """Phones that were let in again at the place they are locked to; only if there were any."""
    rows = Claim.objects.filter(rule="R4", at__gt=now - WEEK - DAY, device__isnull=False)
    claims = list(rows.select_related("device__account").order_by("at"))
    held = {row.account_id: row.at for row in Told.objects.filter(what=telling.RESETS)}
    told = 0
    for account in _living({claim.device.account for claim in claims if claim.device}):
        morning = _morning(account, now - COMMITTED)
        since = max(held.get(account.pk, morning - WEEK), morning - WEEK)
        if now - morning > WITHIN:
            continue
        newest: dict[int, Item] = {}
        for claim in claims:
            device = claim.device
            if device is not None and device.account_id == account.pk and since < claim.at <= morning:
                at = sentences.when(claim.at, account.time_zone, now=now)
                newest[device.pk] = Item("", device, f"from {claim.address}, {at}")
        found = list(newest.values())
        if not found:
            continue
        taken = _take(account, telling.RESETS, due=since, at=morning, names=[])
        if taken is None:
            continue
        head = _say(
            len(found),
            "A phone was set up anew at the place it is locked to, as after a factory reset (R4):",
            "{} phones were set up anew at the places they are locked to, as after a factory reset (R4):",
        )
        tail = (
            "Nothing to do if somebody did that. If not, somebody at that place may have fetched a phone's"
            " file: look at its log, and take the phone back."
        )
        subject = _say(len(found), "a phone was set up anew", "{} phones were set up anew")
        body = f"{head}\n\n{_listed(found, with_links=True)}\n\n{tail}"
        told += _send(account, f"{account}: {subject}", body, taken)
    return told


# --- Mondays: unlocks without an end -----------------------------------------------------------------------


def _of_open_ends(now: datetime) -> int:
    """Unlocks *until first fetch* that have been open for more than 7 days."""
    locks = list(locking.left_open(now).select_related("device__account"))
    told = 0
    for account in _living({lock.device.account for lock in locks}):
        there = now.astimezone(ZoneInfo(account.time_zone))
        if there.weekday() != MONDAY or there.hour < MORNING:
            continue
        found = [
            Item("", lock.device, _open_said(lock, now)) for lock in locks if lock.device.account == account
        ]
        taken = _take(account, telling.OPEN_ENDS, due=_morning(account, now), at=now, names=[])
        if taken is None:
            continue
        head = _say(
            len(found),
            "A phone has been unlocked until its first fetch for more than 7 days:",
            "{} phones have been unlocked until their first fetch for more than 7 days:",
        )
        tail = "Whoever asks first is let in, however long that takes. Lock again what is not needed."
        subject = _say(len(found), "a phone is still unlocked", "{} phones are still unlocked")
        body = f"{head}\n\n{_listed(found, with_links=True)}\n\n{tail}"
        told += _send(account, f"{account}: {subject}", body, taken)
    return told


def _open_said(lock: Lock, now: datetime) -> str:
    assert lock.grant_given_at is not None
    since = sentences.when(lock.grant_given_at, lock.device.account.time_zone, now=now)
    return f"since {since}, for {lock.grant_origin or 'any address'}"


# --- inside ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """The turn that was taken: what stood in the row, so that it can be given back."""

    pk: int
    what: str
    before: datetime | None
    at: datetime
    names: list[Any]


def _take(account: Account, what: str, *, due: datetime, at: datetime, names: list[Any]) -> Taken | None:
    """Take the account's turn for this kind of e-mail; None when it was told after `due`, or just now.

    Committed before the mail leaves: of two workers one writes it, and no lock is held meanwhile.
    """
    with transaction.atomic():
        row, is_new = Told.objects.select_for_update().get_or_create(
            account=account, what=what, defaults={"at": at, "names": names}
        )
        if is_new:
            return Taken(row.pk, what, None, at, [])
        if row.at > due:
            return None
        taken = Taken(row.pk, what, row.at, at, row.names)
        row.at, row.names = at, names
        row.save(update_fields=["at", "names"])
    return taken


def _give_back(taken: Taken) -> None:
    """The mail did not leave: the next round writes it, with what was put down meanwhile."""
    with transaction.atomic():
        row = Told.objects.select_for_update().filter(pk=taken.pk, at=taken.at).first()
        if row is None:
            return
        if taken.before is None:
            row.delete()
            return
        added = row.names if taken.what == telling.NEW_PLACES else []
        row.at, row.names = taken.before, list(dict.fromkeys([*taken.names, *added]))
        row.save(update_fields=["at", "names"])


def _send(account: Account, subject: str, body: str, taken: Taken) -> int:
    """Write to the people nearest to the account; 0 when none of the mails left."""
    people = telling.managers_in(account)
    sent = 0
    for person in people:
        try:
            EmailMessage(subject=subject, body=f"{body}\n", to=[person.email]).send()
        except OSError as error:
            log.warning("an e-mail did not leave", what=subject, error=type(error).__name__)
        else:
            sent += 1
    if people and not sent:
        _give_back(taken)
    return int(sent > 0)


def _accounts(items: Iterable[Item]) -> list[Account]:
    return _living({item.device.account for item in items})


def _living(accounts: Iterable[Account]) -> list[Account]:
    return sorted((a for a in accounts if a.deleted_at is None), key=lambda account: str(account.path))


def _of(account: Account, items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item.device.account_id == account.pk]


def _morning(account: Account, now: datetime) -> datetime:
    """The last morning in the account's zone."""
    there = now.astimezone(ZoneInfo(account.time_zone))
    today = there.replace(hour=MORNING, minute=0, second=0, microsecond=0)
    return today if today <= there else today - DAY


def _listed(items: Sequence[Item], *, with_links: bool = False) -> str:
    """The first ten by name, each with what is said of it; how many more there are."""
    by_name = sorted(items, key=lambda item: str(item.device).casefold())
    lines = []
    for item in by_name[:NAMED]:
        lines.append(f"  {item.device}, {item.said}")
        if with_links:
            lines.append(f"    {settings.PORTAL_URL}/phones/{item.device.code}/")
    if len(items) > NAMED:
        lines.append(f"  and {len(items) - NAMED} more")
    return "\n".join(lines)


def _say(count: int, one: str, many: str) -> str:
    return one if count == 1 else many.format(count)
