"""The list of phones: searched, narrowed and in pages, with a constant number of queries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.guards import PageRequest, needs
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor, below
from devices.catalog import catalog
from devices.models import Device
from portal.clone_cards import suspected_phones
from portal.pages.rows import phone_rows
from provisioning.gate import State
from provisioning.models import Approval

A_PAGE = 25
STATES = ("waiting", "clone", "suspect", "unlocked", "new", "locked", "quarantined", "retired", "disabled")
_SEPARATORS = str.maketrans("", "", " :.-")


@dataclass(frozen=True, slots=True)
class Chip:
    """One state to narrow the list to, with how many phones are in it."""

    state: str
    words: str
    count: int
    query: str
    is_chosen: bool


@needs(Power.SEE_ACCOUNT)
def phones(request: PageRequest) -> HttpResponse:
    """The page, or with htmx the list alone."""
    now = timezone.now()
    asked = {name: request.GET.get(name, "").strip()[:120] for name in ("q", "account", "model", "state")}
    visible = Device.objects.visible_to(request.actor)
    found = narrowed(request.actor, visible, asked)
    counts = count_states(request.actor, found, now)
    shown = dressed(request.actor, in_state(request.actor, found, asked["state"], now))
    page = Paginator(shown, A_PAGE).get_page(request.GET.get("page"))
    context = {
        "section": "phones",
        "find": asked["q"],
        "live_search": True,
        "asked": asked,
        "total": visible.count(),
        "chips": chips(counts, asked),
        "page": page,
        "rows": phone_rows(page, now),
        "pages": page_links(page, asked),
        "models": models_of(visible),
        "accounts": Account.objects.visible_to(request.actor).order_by("path"),
        "may_add": request.actor.may_anywhere(Power.EDIT_DEVICES),
        "may_resync": request.actor.may_anywhere(Power.EDIT_DEVICES),
        "may_unlock_all": request.actor.may_anywhere(Power.UNLOCK_ALL),
        "query": urlencode({k: v for k, v in asked.items() if v}),
    }
    return render(request, template_for(request), context)


def template_for(request: PageRequest) -> str:
    """The whole page; the list while somebody types; the states alone while somebody reads."""
    if request.htmx and request.GET.get("part") == "states":
        return "devices/_states.html"
    return "devices/_phones.html" if request.htmx else "devices/phones.html"


def narrowed(actor: Actor, phones: QuerySet[Device], asked: dict[str, str]) -> QuerySet[Device]:
    """Keep what fits the search, the account (with those below it) and the model."""
    if asked["account"]:
        paths = Account.objects.visible_to(actor).filter(slug=asked["account"]).values_list("path", flat=True)
        phones = phones.filter(below(paths, "account__path"))
    if asked["model"]:
        family, _, model = asked["model"].partition("/")
        phones = phones.filter(family=family, model=model)
    return phones.filter(matching(actor, asked["q"])) if asked["q"] else phones


def matching(actor: Actor, text: str) -> Q:
    """Name, owner, extension, or the MAC however it is spelled; a part of each is enough."""
    shown = Q(appearances__extension__username__icontains=text)
    shown |= Q(appearances__extension__display_name__icontains=text)
    fits = Q(name__icontains=text) | Q(owner__name__icontains=text) | Q(owner__email__icontains=text)
    fits |= Q(pk__in=Device.objects.visible_to(actor).filter(shown).order_by().values("pk"))
    digits = text.translate(_SEPARATORS).lower()
    if len(digits) > 1 and not digits.strip("0123456789abcdef"):
        fits |= Q(mac__contains=digits)
    return fits


def dressed(actor: Actor, phones: QuerySet[Device]) -> QuerySet[Device]:
    """Everything that a row shows, in the same number of queries for one phone and for a hundred."""
    return (
        phones.select_related("account", "owner", "site", "lock__bound_site", "last_seen")
        .prefetch_related("appearances__extension")
        .annotate(is_waiting=Exists(open_cards(actor).filter(device=OuterRef("pk"))))
        .order_by("name", "mac")
    )


def open_cards(actor: Actor) -> QuerySet[Approval]:
    return Approval.objects.visible_to(actor).filter(status=Approval.Status.OPEN).order_by()


def conditions(actor: Actor, now: datetime) -> dict[str, Q]:
    """What each chip counts. An unlock that is over counts as locked at once, swept or not."""
    on = Q(is_enabled=True)
    over = Q(lock__state=State.UNLOCKED.value, lock__grant_until__lte=now)
    return {
        "waiting": Q(pk__in=open_cards(actor).values("device")),
        "clone": Q(pk__in=suspected_phones(actor, now)),
        "suspect": Q(lock__suspicion_until__gt=now),
        "unlocked": on & Q(lock__state=State.UNLOCKED.value) & ~over,
        "new": on & Q(lock__state=State.NEW.value),
        "locked": on & (Q(lock__state=State.LOCKED.value) | over),
        "quarantined": Q(lock__state=State.QUARANTINED.value),
        "retired": on & Q(lock__state=State.RETIRED.value),
        "disabled": Q(is_enabled=False),
    }


def count_states(actor: Actor, phones: QuerySet[Device], now: datetime) -> dict[str, int]:
    """How many of these phones each chip would show."""
    counted: dict[str, Any] = {
        name: Count("pk", filter=fits) for name, fits in conditions(actor, now).items()
    }
    return phones.order_by().aggregate(all=Count("pk"), **counted)


def in_state(actor: Actor, phones: QuerySet[Device], state: str, now: datetime) -> QuerySet[Device]:
    fits = conditions(actor, now).get(state)
    return phones if fits is None else phones.filter(fits)


def chips(counts: dict[str, int], asked: dict[str, str]) -> list[Chip]:
    words = {"waiting": "Refused, waiting", "clone": "Clone suspected", "suspect": "Under suspicion"}
    rest = {name: value for name, value in asked.items() if value and name != "state"}
    made = [Chip("", "All", counts["all"], urlencode(rest), not asked["state"])]
    for state in STATES:
        if counts[state] or asked["state"] == state:
            query = urlencode({**rest, "state": state})
            made.append(
                Chip(
                    state, words.get(state, state.capitalize()), counts[state], query, asked["state"] == state
                )
            )
    return made


def models_of(phones: QuerySet[Device]) -> list[tuple[str, str]]:
    """The models that are there, as the filter's choices."""
    families = catalog().families
    pairs = phones.order_by("family", "model").values_list("family", "model").distinct()
    return [(f"{f}/{m}", f"{families[f].name if f in families else f} {m}") for f, m in pairs]


def page_links(page: Page[Device], asked: dict[str, str]) -> dict[str, Any]:
    """Where the buttons below the list lead, and which rows they stand under."""
    kept = {name: value for name, value in asked.items() if value}
    return {
        "from": page.start_index(),
        "to": page.end_index(),
        "of": page.paginator.count,
        "previous": urlencode({**kept, "page": page.number - 1}) if page.has_previous() else "",
        "next": urlencode({**kept, "page": page.number + 1}) if page.has_next() else "",
        "here": urlencode({**kept, "page": page.number}),
    }
