"""What stands around every page: the account, what waits, how old the background work is, the colours."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts.models import Account
from accounts.role_words import NAMES
from accounts.roles import Power, Role
from accounts.scope import NOBODY, Actor
from portal.clone_cards import suspected_phones
from provisioning.models import Approval, Incident, Stamp

THEMES = ("system", "light", "dark")
THEME_COOKIE = "theme"
LATE = timedelta(minutes=10)
#: What runs once a day; the canary is watched by incidents of its own.
RARE = {"forget": timedelta(hours=30), "canary": timedelta(days=3650)}


@dataclass(frozen=True, slots=True)
class Frame:
    """What the rail and the bar show of the reader and his account."""

    account: Account | None
    provider: str
    role: str
    zone: str
    zone_words: str
    address: str
    waiting: int
    incidents: int
    oldest_stamp: datetime | None
    is_late: bool
    manages: bool
    edits_sites: bool
    edits_people: bool
    edits_webhooks: bool
    edits_settings: bool
    edits_customers: bool
    is_staff: bool


def frame(request: HttpRequest) -> dict[str, Any]:
    """The theme for every page; the frame only for a page that draws one."""
    actor: Actor = getattr(request, "actor", NOBODY)
    theme = request.COOKIES.get(THEME_COOKIE, "system")
    return {
        "theme": theme if theme in THEMES else "system",
        "frame": SimpleLazyObject(lambda: frame_of(actor)),
        "here": request.get_full_path(),
        "acting": getattr(request, "acting", None),
    }


def home_account(actor: Actor) -> Account | None:
    """The account that an actor's pages are about: the highest one that he belongs to."""
    return _account_and_provider(actor)[0]


def _account_and_provider(actor: Actor) -> tuple[Account | None, Account | None]:
    """The same, and the account above it."""
    # An end user's account is his own frame as well, though he may not look into it.
    top = min((standing.path for standing in actor.standings), default="")
    if not top:
        return None, None
    provider = top[: -Account.steplen]
    found = {account.path: account for account in Account.objects.filter(path__in=[top, provider])}
    return found.get(top), found.get(provider)


def frame_of(actor: Actor) -> Frame:
    account, provider = _account_and_provider(actor)
    zone = account.time_zone if account else "UTC"
    oldest, is_late = _oldest_stamp(timezone.now())
    return Frame(
        account=account,
        provider=provider.name if provider and provider.kind != Account.Kind.PLATFORM else "",
        role=_role(actor, account),
        zone=zone,
        zone_words=zone.rpartition("/")[2].replace("_", " "),
        address=actor.address or "",
        waiting=_waiting(actor),
        incidents=Incident.objects.visible_to(actor).going_on().count(),
        oldest_stamp=oldest,
        is_late=is_late,
        manages=actor.may_anywhere(Power.SEE_ACCOUNT),
        edits_sites=actor.may_anywhere(Power.EDIT_SITES),
        edits_people=actor.may_anywhere(Power.EDIT_PEOPLE),
        edits_webhooks=actor.may_anywhere(Power.EDIT_WEBHOOKS),
        edits_settings=actor.may_anywhere(Power.EDIT_SETTINGS),
        edits_customers=actor.may_anywhere(Power.EDIT_CUSTOMERS),
        is_staff=bool(actor.user and actor.user.is_staff and not actor.on_behalf_of),
    )


def _oldest_stamp(now: datetime) -> tuple[datetime | None, bool]:
    """The oldest of the periodic jobs' stamps and whether one is late, each by its own measure."""
    stamps = dict(Stamp.objects.values_list("name", "at"))
    late = [at for name, at in stamps.items() if now - at > RARE.get(name, LATE)]
    often = [at for name, at in stamps.items() if name not in RARE]
    return min(late or often, default=None), bool(late)


def _waiting(actor: Actor) -> int:
    """What waits for an answer: refused phones and suspected clones."""
    cards = Approval.objects.visible_to(actor).filter(status=Approval.Status.OPEN).count()
    return cards + suspected_phones(actor, timezone.now()).count()


def _role(actor: Actor, account: Account | None) -> str:
    roles = [s.role for s in actor.standings if account and s.path == account.path]
    return str(NAMES[Role(roles[0])]) if roles else ""
