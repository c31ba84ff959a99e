"""E-mails wait in rows until they are due, and leave gathered: each piece of news once, none lost.

A row is taken for some minutes before its mail is sent: of two workers one sends it, no lock is held
meanwhile, and what a killed worker had taken is due again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import audit
from accounts.authentication import actor_of
from accounts.models import Account, NoticeChoice, User
from accounts.refusals import Forbidden, Invalid
from accounts.roles import Power, Role
from accounts.scope import Actor
from provisioning.gate import TokenKind
from provisioning.models import Approval, Notice, Token
from provisioning.noticing import HOUR, KINDS, About, How, due_at, way

log = structlog.get_logger(__name__)

TAKEN_FOR = timedelta(minutes=10)
# What gathers itself in the morning is in the rows by then, and leaves in the same e-mail.
GATHERED = timedelta(minutes=2)
GIVEN_UP = timedelta(days=4)  # news that could not be sent for so long is none
SUBJECT_LENGTH = 200
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Letter:
    """One piece of news of an account; its name says which, so that nobody is told twice."""

    kind: About
    account: Account
    name: str
    subject: str
    body: str


# --- choices -----------------------------------------------------------------------------------------------


def choices_of(user: User) -> dict[About, How]:
    """How each kind reaches this person."""
    chosen = dict(NoticeChoice.objects.filter(user=user).values_list("kind", "how"))
    return {kind: way(kind, chosen.get(kind.value)) for kind in KINDS}


def kinds_for(by: Actor) -> list[About]:
    """The kinds that such a person can ever be told of: who may unlock phones, and support of more."""
    if not by.may_anywhere(Power.UNLOCK_DEVICE):
        return []
    supports = any(standing.role is Role.SUPPORT for standing in by.standings)
    return [kind for kind, known in KINDS.items() if supports or not known.is_supports]


def choose(user: User, *, by: Actor, choices: dict[str, str], now: datetime) -> dict[About, How]:
    """Change how a person hears of some kinds; what waits for him follows. His own affair alone."""
    if by.user is None or by.user.pk != user.pk or by.on_behalf_of or by.api_key is not None:
        raise Forbidden(detail=_("Everybody chooses for himself what he is told of."))
    wanted = {_kind(name, by): text for name, text in choices.items()}
    for kind, text in wanted.items():
        if text not in KINDS[kind].ways:
            raise Invalid(kind.value, _("This kind is not told like that."))
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        before = choices_of(user)
        changed = {kind: How(text) for kind, text in wanted.items() if before[kind] != text}
        for kind, how in changed.items():
            mine = NoticeChoice.objects.filter(user=user, kind=kind.value)
            if how is KINDS[kind].usual:
                mine.delete()
            else:
                NoticeChoice.objects.update_or_create(user=user, kind=kind.value, defaults={"how": how.value})
            _wait_anew(user, kind, how, now)
        home = home_of(user)
        if changed and home is not None:
            said = {kind.value.replace("-", "_"): how.value for kind, how in changed.items()}
            audit.record(by, "person.notices-changed", user, account=home, now=now, **said)
    return choices_of(user)


def _kind(name: str, by: Actor) -> About:
    found = next((kind for kind in kinds_for(by) if kind.value == name), None)
    if found is None:
        raise Invalid(name, _("There is no such kind of e-mail for you."))
    return found


def _wait_anew(user: User, kind: About, how: How, now: datetime) -> None:
    waiting = Notice.objects.filter(user=user, kind=kind.value, sent_at=None)
    due = due_at(how, at=now, zone=zone_of(user), last_hourly=_last_hourly(user))
    if due is None:
        waiting.delete()
    else:
        waiting.update(due_at=due)


def home_of(user: User) -> Account | None:
    """The highest account that a person belongs to."""
    mine = user.memberships.select_related("account").order_by("account__path").first()
    return mine.account if mine else None


def zone_of(user: User) -> str:
    """Where a person's morning is."""
    home = home_of(user)
    return home.time_zone if home else "UTC"


def waiting_for(user: User) -> list[Notice]:
    """What this person will be told of, in the order in which it leaves."""
    rows = Notice.objects.filter(user=user, sent_at=None).select_related("account")
    return list(rows.order_by("due_at", "pk")[:SHOWN])


# --- written -----------------------------------------------------------------------------------------------


def put(letter: Letter, people: Iterable[User], *, at: datetime) -> list[User]:
    """Have these people told, each in his way, in the caller's transaction; returns who will be, and was not.

    Nothing leaves by this alone.
    """
    told = []
    for person in people:
        how = choices_of(person)[letter.kind]
        due = due_at(how, at=at, zone=zone_of(person), last_hourly=_last_hourly(person))
        if due is None:
            continue
        _row, is_new = Notice.objects.get_or_create(
            user=person,
            kind=letter.kind.value,
            name=letter.name,
            defaults={
                "account": letter.account,
                "subject": letter.subject[:SUBJECT_LENGTH],
                "body": letter.body.strip(),
                "at": at,
                "due_at": due,
            },
        )
        if is_new:
            told.append(person)
    return told


def _last_hourly(user: User) -> datetime | None:
    """When the last hourly e-mail to this person left."""
    hourly = [kind.value for kind, how in choices_of(user).items() if how is How.HOURLY]
    last: datetime | None = Notice.objects.filter(user=user, kind__in=hourly).aggregate(at=Max("sent_at"))[
        "at"
    ]
    return last


# --- sent --------------------------------------------------------------------------------------------------


def send_due(now: datetime, *, to: Sequence[User] | None = None) -> list[Notice]:
    """Send what is due, to these people or to all; returns the news that left.

    What could not be sent is tried again with the next round.
    """
    waiting = Notice.objects.filter(sent_at=None, due_at__lte=now)
    if to is not None:
        waiting = waiting.filter(user__in=to)
    people = User.objects.filter(pk__in=waiting.order_by().values("user")).order_by("email")
    return [row for person in people for row in _send_to(person, now)]


def give_up(now: datetime) -> None:
    """What could not be sent for days goes; what was sent goes by the table of keeping.py."""
    Notice.objects.filter(sent_at=None, at__lt=now - GIVEN_UP).delete()


def _send_to(person: User, now: datetime) -> list[Notice]:
    left: list[Notice] = []
    for rows in _taken(person, now):
        try:
            EmailMessage(subject=_subject(rows), body=_body(rows), to=[person.email]).send()
        except OSError as error:
            log.warning("an e-mail did not leave", what=rows[0].kind, error=type(error).__name__)
            _mine(rows).update(due_at=now)
        else:
            _mine(rows).update(sent_at=now)
            left += rows
    return left


def _taken(person: User, now: datetime) -> list[list[Notice]]:
    """The person's e-mails that leave now, each with its news; nobody else sends them meanwhile."""
    choices, actor = choices_of(person), actor_of(person)
    with transaction.atomic():
        due = Notice.objects.select_for_update(of=("self",)).filter(
            user=person, sent_at=None, due_at__lte=now
        )
        kept: list[Notice] = []
        gone: list[Notice] = []
        for row in due.select_related("account").order_by("account__path", "at", "pk"):
            (kept if person.is_active and _still_wanted(row, actor, choices, now) else gone).append(row)
        _mine(gone).delete()
        mails = _gathered(person, kept, choices, now)
        _mine([row for rows in mails for row in rows]).update(due_at=now + TAKEN_FOR)
    return mails


def _gathered(
    person: User, rows: list[Notice], choices: dict[About, How], now: datetime
) -> list[list[Notice]]:
    """What is told at once is a mail of its own; the rest is one mail an hour, and one a day."""
    by_way: dict[How, list[Notice]] = {how: [] for how in How}
    for row in rows:
        by_way[choices[About(row.kind)]].append(row)
    mails = [[row] for row in by_way[How.AT_ONCE]]
    last = _last_hourly(person)
    if last is not None and now < last + HOUR:  # one has left since this was put down
        _mine(by_way[How.HOURLY]).update(due_at=last + HOUR)
    else:
        mails.append(by_way[How.HOURLY])
    if all(row.due_at <= now - GATHERED for row in by_way[How.DAILY]):
        mails.append(by_way[How.DAILY])
    return [mail for mail in mails if mail]


def _still_wanted(row: Notice, actor: Actor, choices: dict[About, How], now: datetime) -> bool:
    """Whether he still belongs there and wants it, and whether what waited is still true."""
    if choices[About(row.kind)] is How.NEVER or not actor.may(Power.SEE_ACCOUNT, row.account.path):
        return False
    if row.account.deleted_at is not None:
        return False
    return row.kind != About.WAITING or row.at >= now - GATHERED or _something_waits(row.account, now)


def _something_waits(account: Account, now: datetime) -> bool:
    cards = Approval.objects.filter(account=account, status=Approval.Status.OPEN, closes_at__gt=now)
    clones = Token.objects.filter(
        kind=TokenKind.FORMER.value, clone_since__isnull=False, until__gt=now, device__account=account
    )
    return cards.exists() or clones.exists()


def _mine(rows: Iterable[Notice]) -> QuerySet[Notice]:
    return Notice.objects.filter(pk__in=[row.pk for row in rows])


def _subject(rows: Sequence[Notice]) -> str:
    if len(rows) == 1:
        return rows[0].subject
    names = list(dict.fromkeys(row.account.name for row in rows))
    said = ", ".join(names) if len(names) <= 3 else _("%(count)d accounts") % {"count": len(names)}
    return ngettext("%(count)d thing to know: %(said)s", "%(count)d things to know: %(said)s", len(rows)) % {
        "count": len(rows),
        "said": said,
    }


def _body(rows: Sequence[Notice]) -> str:
    """The news, under the names of their accounts where there are several pieces of it."""
    parts: list[str] = []
    account = None
    for row in rows:
        if len(rows) > 1 and row.account_id != account:
            parts.append(f"{row.account.name}\n{'=' * len(row.account.name)}")
        account = row.account_id
        parts.append(row.body)
    page = f"{settings.PORTAL_URL}/notifications/"
    parts.append("-- \n" + _("Which of these e-mails you get, and how often: %(page)s") % {"page": page})
    return "\n\n".join(parts) + "\n"
