"""News that gathers what came up: at most once an hour and account, once a day, and on Mondays.

Whose e-mail it stands in, and when that leaves, is each person's choice (letters.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Account
from devices.models import Device
from provisioning import letters, locking, sentences, telling
from provisioning.gate import TokenKind
from provisioning.letters import GATHERED, Letter
from provisioning.models import Approval, Claim, DeviceEvent, Lock, Token, Told
from provisioning.noticing import DAY, HOUR, MORNING, About

WEEK = timedelta(days=7)
NAMED = 10
WITHIN = timedelta(hours=12)  # of the morning; a digest that is later than that waits for the next one
MONDAY = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to tell of: its name among those told, the phone, and what is said of it."""

    name: str
    device: Device
    said: str


def tell_waiting(now: datetime) -> int:
    """Put down what came up, and send every e-mail that is due; returns how many pieces of news left."""
    telling.sweep(now)
    _of_waiting(now)
    _of_new_places(now)
    _of_resets(now)
    _of_open_ends(now)
    left = telling.send(now)
    letters.give_up(now)
    return len(left)


# --- hourly: open approvals and suspected clones -----------------------------------------------------------


def _of_waiting(now: datetime) -> None:
    """What came up since the last one; a card or a clone is told of once."""
    cards, clones = _open_cards(now), _open_clones(now)
    held = {row.account_id: row for row in Told.objects.filter(what=telling.WAITING)}
    for account in _accounts([*cards, *clones]):
        own_cards, own_clones = _of(account, cards), _of(account, clones)
        open_now = [item.name for item in (*own_cards, *own_clones)]
        known = set(held[account.pk].names) if account.pk in held else set()
        if not set(open_now) - known:
            continue
        new_cards = [item for item in own_cards if item.name not in known]
        new_clones = [item for item in own_clones if item.name not in known]
        parts = [_cards_said(new_cards, len(own_cards)), _clones_said(new_clones)]
        subject = _waiting_subject(account, new_cards, new_clones)
        body = "\n\n".join(part for part in parts if part)
        with transaction.atomic():
            if _take(account, telling.WAITING, due=now - HOUR, at=now, names=open_now) is not None:
                _put(About.WAITING, account, subject, body, at=now)


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
    if not where:
        return _("last {at}").format(at=at)
    return _("from {where}, last {at}").format(where=where, at=at)


def _open_clones(now: datetime) -> list[Item]:
    rows = Token.objects.filter(
        kind=TokenKind.FORMER.value, clone_since__isnull=False, until__gt=now, device__isnull=False
    )
    found: dict[int, Item] = {}
    for token in rows.select_related("device__account").order_by("clone_since"):
        device, since = token.device, token.clone_since
        assert device is not None
        assert since is not None
        at = sentences.when(since, device.account.time_zone, now=now)
        said = _("since {at}").format(at=at)
        found.setdefault(device.pk, Item(f"clone-{token.pk}-{int(since.timestamp())}", device, said))
    return list(found.values())


def _cards_said(cards: Sequence[Item], in_all: int) -> str:
    if not cards:
        return ""
    head = ngettext(
        "A phone asked from a new place and was refused:",
        "{count} phones asked from a new place and were refused:",
        len(cards),
    ).format(count=len(cards))
    tail = _("It stays so until you approve it; what works goes on working. Deny what is not yours.")
    more = ""
    if in_all > len(cards):
        more = "\n" + _("In all {count} phones wait for an answer.").format(count=in_all)
    return f"{head}\n\n{_listed(cards)}\n\n{tail}{more}\n{settings.PORTAL_URL}/approvals/"


def _clones_said(clones: Sequence[Item]) -> str:
    if not clones:
        return ""
    head = ngettext(
        "Two parties fetch the file of a phone, so a copy of it may be in other hands:",
        "Two parties each fetch the files of {count} phones, so copies of them may be in other hands:",
        len(clones),
    ).format(count=len(clones))
    tail = _("Both are served until somebody says which one is right, for at most 30 days.")
    return f"{head}\n\n{_listed(clones, with_links=True)}\n\n{tail}"


def _waiting_subject(account: Account, cards: Sequence[Item], clones: Sequence[Item]) -> str:
    if clones:
        words = ngettext(
            "a phone may have been copied", "{count} phones may have been copied", len(clones)
        ).format(count=len(clones))
    else:
        words = ngettext(
            "a phone waits for your answer", "{count} phones wait for your answer", len(cards)
        ).format(count=len(cards))
    return _of_account(account, words)


# --- hourly: polls from a new address ----------------------------------------------------------------------


def _of_new_places(now: datetime) -> None:
    """`poll_from_new_origin` = alert: the phones that telling.py has put down since the last one."""
    waiting = Told.objects.filter(what=telling.NEW_PLACES, at__lte=now - HOUR).exclude(names=[])
    for row in waiting.select_related("account"):
        with transaction.atomic():
            phones = _take(row.account, telling.NEW_PLACES, due=now - HOUR, at=now, names=[])
            found = _at_new_places(row.account, phones or [], now)
            if found:
                _put(About.NEW_PLACES, row.account, *_new_places_said(row.account, found), at=now)


def _at_new_places(account: Account, phones: list[Any], now: datetime) -> list[Item]:
    events = DeviceEvent.objects.filter(
        device__in=phones, what="origin-drift", account=account, at__gt=now - DAY
    )
    items: dict[int, Item] = {}
    for event in events.select_related("device__account").order_by("-at"):
        device = event.device
        assert device is not None
        at = sentences.when(event.at, account.time_zone, now=now)
        items.setdefault(
            device.pk, Item("", device, _("from {where}, {at}").format(where=event.address, at=at))
        )
    return list(items.values())


def _new_places_said(account: Account, found: list[Item]) -> tuple[str, str]:
    head = ngettext(
        "A phone fetched its file from an address that is new for it:",
        "{count} phones fetched their files from addresses that are new for them:",
        len(found),
    ).format(count=len(found))
    tail = _(
        "Nothing to do if somebody took the phone there. If not, its private URL may be in other hands:"
        " take it back on its page."
    )
    subject = ngettext("a phone at a new address", "{count} phones at new addresses", len(found)).format(
        count=len(found)
    )
    return _of_account(account, subject), f"{head}\n\n{_listed(found, with_links=True)}\n\n{tail}"


# --- daily: factory resets at home (R4) --------------------------------------------------------------------


def _of_resets(now: datetime) -> None:
    """Phones that were let in again at the place they are locked to; only if there were any."""
    rows = Claim.objects.filter(rule="R4", at__gt=now - WEEK - DAY, device__isnull=False)
    claims = list(rows.select_related("device__account").order_by("at"))
    held = {row.account_id: row.at for row in Told.objects.filter(what=telling.RESETS)}
    for account in _living({claim.device.account for claim in claims if claim.device}):
        morning = _morning(account, now - GATHERED)
        since = max(held.get(account.pk, morning - WEEK), morning - WEEK)
        if now - morning > WITHIN:
            continue
        newest: dict[int, Item] = {}
        for claim in claims:
            device = claim.device
            if device is not None and device.account_id == account.pk and since < claim.at <= morning:
                at = sentences.when(claim.at, account.time_zone, now=now)
                newest[device.pk] = Item(
                    "", device, _("from {where}, {at}").format(where=claim.address, at=at)
                )
        found = list(newest.values())
        if not found:
            continue
        head = ngettext(
            "A phone was set up anew at the place it is locked to, as after a factory reset (R4):",
            "{count} phones were set up anew at the places they are locked to, as after a factory reset"
            " (R4):",
            len(found),
        ).format(count=len(found))
        tail = _(
            "Nothing to do if somebody did that. If not, somebody at that place may have fetched a phone's"
            " file: look at its log, and take the phone back."
        )
        subject = ngettext("a phone was set up anew", "{count} phones were set up anew", len(found)).format(
            count=len(found)
        )
        body = f"{head}\n\n{_listed(found, with_links=True)}\n\n{tail}"
        with transaction.atomic():
            if _take(account, telling.RESETS, due=since, at=morning, names=[]) is not None:
                _put(
                    About.RESETS,
                    account,
                    _of_account(account, subject),
                    body,
                    at=morning,
                )


# --- Mondays: unlocks without an end -----------------------------------------------------------------------


def _of_open_ends(now: datetime) -> None:
    """Unlocks *until first fetch* that have been open for more than 7 days."""
    locks = list(locking.left_open(now).select_related("device__account"))
    for account in _living({lock.device.account for lock in locks}):
        there = now.astimezone(ZoneInfo(account.time_zone))
        if there.weekday() != MONDAY or there.hour < MORNING:
            continue
        found = [
            Item("", lock.device, _open_said(lock, now)) for lock in locks if lock.device.account == account
        ]
        head = ngettext(
            "A phone has been unlocked until its first fetch for more than 7 days:",
            "{count} phones have been unlocked until their first fetch for more than 7 days:",
            len(found),
        ).format(count=len(found))
        tail = _("Whoever asks first is let in, however long that takes. Lock again what is not needed.")
        subject = ngettext(
            "a phone is still unlocked", "{count} phones are still unlocked", len(found)
        ).format(count=len(found))
        body = f"{head}\n\n{_listed(found, with_links=True)}\n\n{tail}"
        morning = _morning(account, now)
        with transaction.atomic():
            if _take(account, telling.OPEN_ENDS, due=morning, at=now, names=[]) is not None:
                _put(
                    About.OPEN_ENDS,
                    account,
                    _of_account(account, subject),
                    body,
                    at=morning,
                )


def _open_said(lock: Lock, now: datetime) -> str:
    assert lock.grant_given_at is not None
    since = sentences.when(lock.grant_given_at, lock.device.account.time_zone, now=now)
    if not lock.grant_origin:
        return _("since {since}, for any address").format(since=since)
    return _("since {since}, for {origin}").format(since=since, origin=lock.grant_origin)


# --- inside ------------------------------------------------------------------------------------------------


def _take(account: Account, what: str, *, due: datetime, at: datetime, names: list[Any]) -> list[Any] | None:
    """Take the account's turn for this kind; None when it was told after `due`, or just now.

    Returns what stood there. In the transaction that puts the news down: of two workers one does it, and of
    a killed one neither the turn nor the news is there.
    """
    row, is_new = Told.objects.select_for_update().get_or_create(
        account=account, what=what, defaults={"at": at, "names": names}
    )
    if is_new:
        return []
    if row.at > due:
        return None
    before: list[Any] = row.names
    row.at, row.names = at, names
    row.save(update_fields=["at", "names"])
    return before


def _put(kind: About, account: Account, subject: str, body: str, *, at: datetime) -> None:
    """Have the people nearest to the account told."""
    letter = Letter(kind, account, f"{account.code} {int(at.timestamp())}", subject, body)
    letters.put(letter, telling.managers_in(account), at=at)


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
        lines.append("  " + _("and {count} more").format(count=len(items) - NAMED))
    return "\n".join(lines)


def _of_account(account: Account, words: str) -> str:
    return _("{account}: {words}").format(account=account, words=words)
