"""Which phones a list shows: searched, narrowed and in order, the same for pages, the API and their jobs."""

import operator
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any, cast
from uuid import UUID

from django.db import connection
from django.db.models import Case, Count, Exists, F, OuterRef, Prefetch, Q, QuerySet, Value, When
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Account, User
from accounts.roles import Power
from accounts.scope import Actor, below, outside
from devices.catalog import catalog
from devices.models import Appearance, Device, Extension, Site, SiteNetwork
from provisioning import health, quiet_phones
from provisioning.gate import State, TokenKind
from provisioning.models import Approval, LastSeen, Lock, Token
from security.networks import AddressError, Network, origin_of, parse_address, parse_network, show_address

#: What a list can be asked, in the words of its address and of the API's filters.
NAMES = ("q", "account", "state", "family", "model", "site", "firmware", "seen", "quiet")
#: Those that need somebody come first.
STATES = ("waiting", "clone", "suspect", "quarantined", "unlocked", "new", "locked", "retired", "disabled")
LABELS = {
    "q": gettext_lazy("Search"),
    "account": gettext_lazy("Account"),
    "state": gettext_lazy("State"),
    "family": gettext_lazy("Make"),
    "model": gettext_lazy("Model"),
    "site": gettext_lazy("Site"),
    "firmware": gettext_lazy("Firmware"),
    "seen": gettext_lazy("Checked in"),
    "quiet": gettext_lazy("Quiet"),
    "order": gettext_lazy("Order"),
}
LONGEST = {"q": 120, "firmware": 60}
LONGEST_WORD = 130  # of all others; a family and a model with a stroke between them
NO_SITE = "none"
_OPEN = (State.UNLOCKED.value, State.NEW.value)
AT_ONCE = 2000
_BITS = {name: 1 << at for at, name in enumerate(STATES)}
_QUIET = 1 << len(STATES)
FEW_ACCOUNTS = 100
SHORTEST_MAC_PART = 4  # fewer digits are an extension sooner than a MAC
_SEPARATORS = str.maketrans("", "", " :.-…*")
_PART_OF_V4 = re.compile(r"(?:\d{1,3}\.){1,3}\d{0,3}")
_PART_OF_V6 = re.compile(r"[0-9a-fA-F]{1,4}:[0-9a-fA-F:]*:?")

_LATEST, _OLDEST = F("last_seen__at").desc(nulls_last=True), F("last_seen__at").asc(nulls_first=True)
#: How a list can be ordered, and the same the other way round.
ORDERS: dict[str, tuple[Any, ...]] = {
    "name": ("name", "mac"),
    "-name": ("-name", "-mac"),
    "seen": (_LATEST, "name", "mac"),
    "-seen": (_OLDEST, "-name", "-mac"),
    "model": ("family", "model", "name", "mac"),
    "-model": ("-family", "-model", "-name", "-mac"),
    "state": ("urgency", "name", "mac"),
    "-state": ("-urgency", "-name", "-mac"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the list; with a problem it shows nothing but that."""

    values: dict[str, str]
    order: str = "name"
    problems: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def fields(self) -> dict[str, str]:
        """What an address has to carry to ask the same again."""
        order = {"order": self.order} if self.order != "name" else {}
        return {**{name: self[name] for name in NAMES if self[name]}, **order}


def read(actor: Actor, given: Mapping[str, str]) -> Asked:
    """What a query string or a form asks; what makes no sense of it is a sentence that names its field."""
    values: dict[str, str] = {}
    problems: list[str] = []
    for name in (*NAMES, "order"):
        text = str(given.get(name) or "").strip()
        if "\0" in text or len(text) > LONGEST.get(name, LONGEST_WORD):
            problems.append(_("%(field)s: this is too long, or no text.") % {"field": LABELS[name]})
        elif text:
            values[name] = text
    if values.get("state") == "quiet":
        del values["state"]
        values["quiet"] = "yes"
    for name, text in list(values.items()):
        if not _is_known(actor, name, text):
            said = _("%(field)s: nothing here is called “%(value)s”.")
            problems.append(said % {"field": LABELS[name], "value": text})
            del values[name]
    return Asked(values, values.pop("order", "name"), tuple(problems))


def _is_known(actor: Actor, name: str, value: str) -> bool:
    """Whether a value means anything; what is searched for always does."""
    if name == "account":
        return bool(Account.objects.visible_to(actor).filter(slug=value).exists())
    if name == "site":
        code = code_in(value)
        sites = Site.objects.visible_to(actor)
        return value == NO_SITE or (code is not None and bool(sites.filter(code=code).exists()))
    if name == "model":
        family, stroke, model = value.partition("/")
        return bool(stroke and family and model)
    choices: dict[str, Collection[str]] = {
        "state": STATES,
        "family": catalog().families,
        "seen": ("yes", "never", "refused"),
        "quiet": ("yes",),
        "order": ORDERS,
    }
    return name not in choices or value in choices[name]


def code_in(text: str) -> UUID | None:
    """The code that a text is; None for any other text."""
    try:
        return UUID(text)
    except ValueError:
        return None


# --- narrowing ---------------------------------------------------------------------------------------------


def seen_by(actor: Actor) -> tuple[QuerySet[Device], list[Account]]:
    """The phones that the actor sees, and the accounts, from the top down.

    Few accounts are named by their keys: the database knows how many phones each has, and where.
    """
    accounts = list(Account.objects.visible_to(actor).only("slug", "name", "path").order_by("path"))
    if len(accounts) > FEW_ACCOUNTS:
        return Device.objects.visible_to(actor), accounts
    return Device.objects.filter(account__in=[account.pk for account in accounts]), accounts


def visible_to(actor: Actor) -> QuerySet[Device]:
    """Every phone that the actor sees, his own ones too; few accounts are named by their keys, as above."""
    accounts = Account.objects.visible_to(actor).order_by().values_list("pk", flat=True)
    few = list(accounts[: FEW_ACCOUNTS + 1])
    if len(few) > FEW_ACCOUNTS or outside(actor.paths(Power.OWN_PHONES), actor.paths(Power.SEE_ACCOUNT)):
        return Device.objects.visible_to(actor)
    return Device.objects.filter(account__in=few)


def found(actor: Actor, phones: QuerySet[Device], asked: Asked, now: datetime) -> QuerySet[Device]:
    """Of these phones those that fit all that was asked; none when something of it makes no sense."""
    rows = narrowed(actor, phones, asked, now)
    rows = quiet(rows, now) if asked["quiet"] else rows
    gathered = gather(rows, now) if asked["q"] else None
    return gathered.in_state(asked["state"]) if gathered else in_state(rows, asked["state"], now)


def quiet(phones: QuerySet[Device], now: datetime) -> QuerySet[Device]:
    """Of these phones those that are waited for and do not check in."""
    return phones.filter(quiet_phones.late(now))


def narrowed(actor: Actor, phones: QuerySet[Device], asked: Asked, now: datetime) -> QuerySet[Device]:
    """The same without its state and whether it is quiet."""
    if asked.problems:
        return phones.none()
    if asked["account"]:
        paths = Account.objects.visible_to(actor).filter(slug=asked["account"]).values_list("path", flat=True)
        phones = phones.filter(below(list(paths), "account__path"))
    if asked["family"]:
        phones = phones.filter(family=asked["family"])
    if asked["model"]:
        family, _stroke, model = asked["model"].partition("/")
        phones = phones.filter(family=family, model=model)
    if asked["site"]:
        is_at = Q(site=None) if asked["site"] == NO_SITE else Q(site__code=asked["site"])
        phones = phones.filter(is_at)
    if asked["firmware"]:
        phones = phones.filter(last_seen__firmware=asked["firmware"])
    if asked["seen"] == "refused":
        refused = health.locked_out(health.turned_away(now).visible_to(actor))
        phones = phones.filter(pk__in=refused.values("device"))
    elif asked["seen"]:
        phones = phones.filter(last_seen__isnull=asked["seen"] == "never")
    return matching(phones, asked["q"]) if asked["q"] else phones


def matching(phones: QuerySet[Device], text: str) -> QuerySet[Device]:
    """By name, owner, extension, MAC however it is spelled, or address; a part of each is enough.

    Each is looked up by itself, so that the database can use the index that it has for it.
    """
    people = User.objects.filter(Q(name__icontains=text) | Q(email__icontains=text)).order_by()
    lines = Extension.objects.filter(Q(username__icontains=text) | Q(display_name__icontains=text)).order_by()
    hits: list[QuerySet[Any, Any]] = [
        Device.objects.filter(name__icontains=text).order_by().values("pk"),
        Device.objects.filter(owner__in=people.values("pk")).order_by().values("pk"),
        Appearance.objects.filter(extension__in=lines.values("pk")).order_by().values("device"),
    ]
    digits = text.translate(_SEPARATORS).lower()
    spelled = len(digits) > 1 and any(mark in text for mark in ":.-")
    if (len(digits) >= SHORTEST_MAC_PART or spelled) and not digits.strip("0123456789abcdef"):
        hits.append(Device.objects.filter(mac__contains=digits).order_by().values("pk"))
    hits += _at_address(text)
    return phones.filter(pk__in=hits[0].union(*hits[1:], all=True))


def _at_address(text: str) -> list[QuerySet[Any, Any]]:
    """The phones that last asked from there, or are bound to there, themselves or with their site."""
    seen, locks = LastSeen.objects.order_by(), Lock.objects.order_by()
    try:
        where = parse_network(text) if "/" in text else origin_of(parse_address(text))
    except AddressError:
        if not (_PART_OF_V4.fullmatch(text) or _PART_OF_V6.fullmatch(text)):
            return []
        return [seen.filter(address__startswith=text.lower()).values("device"), *_bound_within(text)]
    sites = SiteNetwork.objects.filter(first__lte=where.hex_first, last__gte=where.hex_last)
    bound = Q(bound_first__gte=where.hex_first, bound_first__lte=where.hex_last)
    hits: list[QuerySet[Any, Any]] = [
        locks.filter(bound).values("device"),
        locks.filter(bound_site__in=sites.values("site")).values("device"),
    ]
    if "/" not in text:
        hits.append(seen.filter(address=show_address(parse_address(text))).values("device"))
    return hits


def _bound_within(text: str) -> list[QuerySet[Any, Any]]:
    """Bound to an address that begins with these whole numbers: 203.0.113 or 203.0."""
    octets = [part for part in text.split(".") if part]
    if ":" in text or not text.endswith(".") or any(int(part) > 255 for part in octets):
        return []
    padded = [*octets, *["0"] * (4 - len(octets))]
    where: Network = parse_network(f"{'.'.join(padded)}/{8 * len(octets)}")
    rows = Lock.objects.filter(bound_first__gte=where.hex_first, bound_first__lte=where.hex_last)
    return [rows.order_by().values("device")]


# --- states ------------------------------------------------------------------------------------------------


def waiting() -> QuerySet[Approval]:
    """The open cards of phones that are still where they were refused."""
    open_ = Approval.objects.filter(status=Approval.Status.OPEN, device__account=F("account"))
    return open_.order_by()


def cloned(now: datetime) -> QuerySet[Token]:
    """The private URLs that two parties hold, unanswered (T3)."""
    return Token.objects.filter(
        kind=TokenKind.FORMER.value, clone_since__isnull=False, until__gt=now, device__isnull=False
    ).order_by()


def conditions(now: datetime) -> dict[str, Q]:
    """What each state counts. An unlock that is over counts as locked at once, swept or not."""
    on = Q(is_enabled=True)
    over = Q(lock__state=State.UNLOCKED.value, lock__grant_until__lte=now)
    return {
        "waiting": Q(pk__in=waiting().values("device")),
        "clone": Q(pk__in=cloned(now).values("device")),
        "suspect": Q(lock__suspicion_until__gt=now),
        "unlocked": on & Q(lock__state=State.UNLOCKED.value) & ~over,
        "new": on & Q(lock__state=State.NEW.value),
        "locked": on & (Q(lock__state=State.LOCKED.value) | over),
        "quarantined": Q(lock__state=State.QUARANTINED.value),
        "retired": on & Q(lock__state=State.RETIRED.value),
        "disabled": Q(is_enabled=False),
    }


def in_state(phones: QuerySet[Device], state: str, now: datetime) -> QuerySet[Device]:
    """Of these phones those in this state; without one all."""
    fits = conditions(now).get(state)
    return phones if fits is None else phones.filter(fits)


def count_states(phones: QuerySet[Device], now: datetime, *, state: str = "") -> dict[str, int]:
    """How many of these phones are in each state, how many in all, and how many of `state` are quiet.

    Of many almost all are locked and nothing else: only the others are looked at, each kind by its own index.
    """
    rows, fits = phones.order_by(), conditions(now)
    shut, unlocked = Q(lock__state=State.QUARANTINED.value), Q(lock__state=State.UNLOCKED.value)
    others = [known.value for known in State if known is not State.LOCKED]
    on = rows.filter(is_enabled=True, lock__state__in=others).annotate(kind=F("lock__state"))
    parts = {
        "all": rows,
        "waiting": rows.filter(fits["waiting"]),
        "clone": rows.filter(fits["clone"]),
        "suspect": rows.filter(fits["suspect"]),
        "disabled": rows.filter(is_enabled=False),
        "disabled, quarantined": rows.filter(shut, is_enabled=False),
        "over": rows.filter(unlocked, is_enabled=True, lock__grant_until__lte=now),
        "quiet": quiet(in_state(rows, state, now), now),
    }
    counted = [
        part.annotate(kind=Value(name)).values_list("kind").annotate(n=Count("pk"))
        for name, part in parts.items()
    ]
    counts = dict.fromkeys((*STATES, *parts), 0)  # what keeps nothing is not asked
    counts |= dict(on.values_list("kind").annotate(n=Count("pk")).union(*counted, all=True))
    other = sum(counts[name] for name in others) - counts["over"]
    counts["unlocked"] -= counts.pop("over")
    counts["locked"] = counts["all"] - counts["disabled"] - other
    counts["quarantined"] += counts.pop("disabled, quarantined")
    return counts


@dataclass(frozen=True, slots=True)
class Gathered:
    """Phones that were looked for once: which they are, in order, and in which states, each state a bit."""

    phones: QuerySet[Device]
    bits: dict[int, int]
    now: datetime

    def counts(self, state: str = "") -> dict[str, int]:
        """As `count_states`."""
        masks = Counter(self.bits.values())
        within = _BITS.get(state, 0)
        counts = {name: sum(n for mask, n in masks.items() if mask & bit) for name, bit in _BITS.items()}
        quiet = sum(n for mask, n in masks.items() if mask & _QUIET and mask & within == within)
        return {**counts, "all": len(self.bits), "quiet": quiet}

    def keys(self, state: str) -> list[int]:
        """The keys of those in this state, in order."""
        within = _BITS.get(state, 0)
        return [pk for pk, mask in self.bits.items() if mask & within == within]

    def in_state(self, state: str) -> QuerySet[Device]:
        """The same as rows, by their keys where the database takes as many."""
        keys = self.keys(state)
        most = 10 * AT_ONCE if connection.vendor == "postgresql" else AT_ONCE
        return _among(keys) if len(keys) <= most else in_state(self.phones, state, self.now)


def gather(
    phones: QuerySet[Device], now: datetime, *, order: str = "", most: int | None = None
) -> Gathered | None:
    """Look for these phones in one query; None when they are more than so many."""
    if most is not None:
        found = list(phones.order_by().values_list("pk", flat=True)[: most + 1])
        if len(found) > most:
            return None
        phones = _among(found)
    rows = ordered(phones, order, now) if order else phones.order_by()
    fits = {**conditions(now), "quiet": quiet_phones.late(now)}
    cases = [
        Case(When(fit, then=Value(_BITS.get(name, _QUIET))), default=Value(0)) for name, fit in fits.items()
    ]
    keys = rows.annotate(bits=reduce(operator.add, cases)).values_list("pk", "bits")
    return Gathered(phones, dict(keys), now)


def _among(keys: list[int]) -> QuerySet[Device]:
    if connection.vendor == "postgresql":  # as one value, not each parsed by itself
        return Device.objects.filter(pk__in=RawSQL("SELECT unnest(%s::bigint[])", [keys]))
    return Device.objects.filter(pk__in=keys)


# --- in order ----------------------------------------------------------------------------------------------


def ordered(phones: QuerySet[Device], order: str, now: datetime) -> QuerySet[Device]:
    """In this order; by their states means that those that need somebody come first."""
    if order.endswith("state"):
        fits = conditions(now)
        ranks = [When(fits[name], then=Value(rank)) for rank, name in enumerate(STATES)]
        phones = phones.annotate(urgency=Case(*ranks, default=Value(len(STATES))))
    return phones.order_by(*ORDERS[order])


def keys_of_page(
    phones: QuerySet[Device], order: str, start: int, stop: int, total: int, now: datetime
) -> list[int]:
    """The keys of the phones from `start` to `stop`; what stands near the end is read from there."""
    if start <= total // 2:
        return _keys(parts(phones, order, now), start, stop - start)
    other_way = order[1:] if order.startswith("-") else f"-{order}"
    stop = min(stop, total)
    return _keys(parts(phones, other_way, now), total - stop, stop - start)[::-1]


def parts(phones: QuerySet[Device], order: str, now: datetime) -> list[QuerySet[Device]]:
    """The phones in this order, as rows that follow each other.

    Each part can be read from an index, or is small: who looks at the first page sorts no hundred thousand.
    """
    made = [ordered(phones, order, now)]
    if order.endswith("seen"):
        heard, never = phones.filter(last_seen__isnull=False), phones.filter(last_seen__isnull=True)
        made = [heard.order_by("-last_seen__at", "name", "mac"), never.order_by("name", "mac")]
    elif order.endswith("state"):
        rank, ranked = STATES.index, cast(Any, ordered(phones, "state", now))
        locks = Lock.objects.order_by().values("device")
        shut, open_ = locks.filter(state=State.QUARANTINED.value), locks.filter(state__in=_OPEN)
        doubted = cloned(now).values("device").union(locks.filter(suspicion_until__gt=now), shut, all=True)
        over = Q(is_enabled=False) | Q(lock__state=State.RETIRED.value) | Q(lock__isnull=True)
        made = [
            ranked.filter(pk__in=waiting().values("device")),
            ranked.filter(pk__in=doubted, urgency__range=(rank("clone"), rank("quarantined"))),
            ranked.filter(pk__in=open_, urgency__range=(rank("unlocked"), rank("new"))),
            ranked.filter(urgency=rank("locked")).order_by("name", "mac"),
            ranked.filter(over, urgency__gt=rank("locked")),
        ]
    return [part.reverse() for part in reversed(made)] if order in ("-seen", "-state") else made


def _keys(rows: Iterable[QuerySet[Device]], start: int, size: int) -> list[int]:
    """So many keys from `start` on, of rows that follow each other."""
    keys: list[int] = []
    for part in rows:
        found = list(part.values_list("pk", flat=True)[start : start + size - len(keys)])
        keys += found
        if len(keys) == size:
            break
        start = 0 if found else max(0, start - part.count())
    return keys


def dressed(phones: QuerySet[Device]) -> QuerySet[Device]:
    """Everything that a row shows, in the same number of queries for one phone and for a hundred."""
    return (
        phones.select_related("account", "site", "lock__bound_site", "last_seen")
        .prefetch_related(Prefetch("appearances", Appearance.objects.select_related("extension")))
        .annotate(is_waiting=Exists(waiting().filter(device=OuterRef("pk"))))
        .order_by("name", "mac")
    )


def shown(keys: list[int]) -> list[Device]:
    """The phones of these keys, dressed, in that order; one that was removed meanwhile is left out."""
    there = {device.pk: device for device in dressed(Device.objects.filter(pk__in=keys))}
    return [there[pk] for pk in keys if pk in there]
