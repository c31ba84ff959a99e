"""How the accounts below somebody are: their phones, what waits, what is open, what is wrong."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q

from accounts.models import Account
from accounts.scope import below
from devices.models import Device
from provisioning import quiet_phones
from provisioning.gate import Outcome, TokenKind
from provisioning.models import Approval, DeviceEvent, Incident, OwnedThen, Token, Window

LATELY = timedelta(days=1)
# A phone asks for files that it has not got, at every start: that is nobody who was turned away.
NOT_THERE = ("G5", "O0")


@dataclass(slots=True)
class Health:
    """One account's figures, of its own phones alone; `turned_away` and `checked_in` are of 24 hours."""

    phones: int = 0
    checked_in: int = 0
    quiet: int = 0
    turned_away: int = 0
    waiting: int = 0
    windows: int = 0
    bans: int = 0
    incidents: int = 0

    @property
    def needs_somebody(self) -> bool:
        """Whether a person has something to answer or to look at."""
        return bool(self.bans or self.incidents or self.waiting)

    @property
    def badness(self) -> tuple[int, ...]:
        """What is worse is greater."""
        return (self.bans, self.incidents, self.waiting, self.turned_away, self.quiet)


def of_accounts(accounts: Collection[int], now: datetime) -> dict[int, Health]:
    """The figures of these accounts; as many queries for one as for a thousand."""
    found = {account: Health() for account in accounts}
    since = now - LATELY

    def count(rows: Any, by: str = "account", **figures: Any) -> None:
        of_these = rows.filter(**{f"{by}__in": accounts}).order_by()
        for row in of_these.values(by).annotate(**figures):
            health = found[row.pop(by)]
            for name, figure in row.items():
                setattr(health, name, getattr(health, name) + figure)

    is_lately = Q(last_seen__at__gt=since)
    count(Device.objects.all(), phones=Count("pk"), checked_in=Count("pk", filter=is_lately))
    count(Device.objects.filter(quiet_phones.late(now)), quiet=Count("pk"))
    count(turned_away(now), turned_away=Count("device", distinct=True))
    cards = Approval.objects.filter(status=Approval.Status.OPEN, closes_at__gt=now)
    count(cards.filter(device__account=F("account")), waiting=Count("pk"))
    clones = Token.objects.filter(kind=TokenKind.FORMER.value, clone_since__isnull=False, until__gt=now)
    count(clones, "device__account", waiting=Count("device", distinct=True))
    windows = Window.objects.open_or_coming(now).filter(starts_at__lte=now)
    count(windows, windows=Count("pk"))
    is_ban = Q(kind=Incident.Kind.BAN)
    others = Count("pk", filter=~is_ban)
    count(Incident.objects.going_on(), bans=Count("pk", filter=is_ban), incidents=others)
    return found


def turned_away(now: datetime) -> OwnedThen:
    """The refusals of the last day, of phones that are still there: others were removed, or handed over."""
    refused = DeviceEvent.objects.filter(
        what="request", outcome=Outcome.REFUSED.value, at__gt=now - LATELY, device__isnull=False
    )
    return refused.exclude(rule__in=NOT_THERE).order_by()


def locked_out(refused: OwnedThen) -> OwnedThen:
    """Of these refusals, those after which the phone was neither let in nor heard from again."""
    unheard = Q(device__last_seen__isnull=True) | Q(device__last_seen__at__lt=F("at"))
    not_let_in = Q(device__lock__last_claim_at__isnull=True) | Q(device__lock__last_claim_at__lt=F("at"))
    return refused.filter(unheard, not_let_in)


def phones_below(account: Account) -> int:
    """How many phones a switch of this account reaches: those of all accounts below it, too."""
    return Device.objects.filter(below([account.path], "account__path")).count()
