"""The list of phones: searched, narrowed and in pages, with a constant number of queries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.guards import PageRequest, needs
from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from devices.catalog import catalog
from devices.models import Device, Site
from portal.kept import MANY, kept
from portal.pages.rows import phone_rows
from provisioning import bulk, finding
from provisioning.finding import Asked

A_PAGE = 25
MOST_SITES = 300
WORDS = {
    "waiting": gettext_lazy("Refused, waiting"),
    "clone": gettext_lazy("Clone suspected"),
    "suspect": gettext_lazy("Under suspicion"),
    "unlocked": gettext_lazy("Unlocked"),
    "new": gettext_lazy("New"),
    "locked": gettext_lazy("Locked"),
    "quarantined": gettext_lazy("Quarantined"),
    "retired": gettext_lazy("Retired"),
    "disabled": gettext_lazy("Disabled"),
}
QUIET_BEFORE = ("unlocked", "new", "locked", "retired", "disabled")
#: How the list says its order, and by which column the other orders are reached.
ORDERS = {
    "name": gettext_lazy("by name"),
    "-name": gettext_lazy("by name, backwards"),
    "state": gettext_lazy("those that need somebody first"),
    "-state": gettext_lazy("those that need nobody first"),
    "seen": gettext_lazy("the last check-in first"),
    "-seen": gettext_lazy("the longest without a check-in first"),
    "model": gettext_lazy("by model"),
    "-model": gettext_lazy("by model, backwards"),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """One state to narrow the list to, with how many phones are in it."""

    state: str
    words: str
    count: int
    query: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A column that the list can be ordered by: where its head leads, and how it is ordered now."""

    query: str
    sort: str  # as aria-sort says it; empty: by another column


@needs(Power.SEE_ACCOUNT)
def phones(request: PageRequest) -> HttpResponse:
    """The page, or with htmx the list alone."""
    now = timezone.now()
    asked = finding.read(request.actor, request.GET.dict())
    visible, accounts = finding.seen_by(request.actor)
    base = finding.narrowed(request.actor, visible, asked, now)
    if asked["quiet"]:
        base = finding.quiet(base, now)
    found = gathered(base, asked, now)
    counts = found.counts(asked["state"]) if found else counted(request.actor, base, asked, now)
    total = counts[asked["state"] or "all"]

    def keys(start: int, stop: int) -> list[int]:
        if found:
            return found.keys(asked["state"])[start:stop]
        rows = finding.in_state(base, asked["state"], now)
        return finding.keys_of_page(rows, asked.order, start, stop, total, now)

    pages = page_of(keys, asked, total, request.GET.get("page", ""))
    context = {
        "section": "phones",
        "find": asked["q"],
        "live_search": True,
        "asked": asked.values,
        "order": asked.order,
        "problems": asked.problems,
        "fields": asked.fields.items(),
        "chips": chips(counts, asked),
        "rows": phone_rows(pages.pop("phones"), now),
        "pages": pages,
        "columns": columns(asked),
        "query": urlencode(asked.fields),
        **may(request.actor),
    }
    if template_for(request) == "devices/phones.html":
        if asked.values:
            total = kept("phones", request.actor, {}, visible.count, is_large=lambda count: count > MANY)
        context |= choices(request.actor, visible, accounts, asked, total > MANY)
        context["total"] = total
    return render(request, template_for(request), context)


def gathered(phones: QuerySet[Device], asked: Asked, now: datetime) -> finding.Gathered | None:
    """What was searched for, and what is narrowed to few phones, is read once; None of the others."""
    if asked["q"]:
        return finding.gather(phones, now, order=asked.order)
    if asked.values.keys() - {"state"}:
        return finding.gather(phones, now, order=asked.order, most=finding.AT_ONCE)
    return None


def counted(by: Actor, phones: QuerySet[Device], asked: Asked, now: datetime) -> dict[str, int]:
    """How many of these phones there are, and how many in each state."""

    def count() -> dict[str, int]:
        return finding.count_states(phones, now, state=asked["state"])

    return kept("states", by, asked.values, count, is_large=lambda counts: counts["all"] > MANY)


def template_for(request: PageRequest) -> str:
    """The whole page; the list while somebody types; the states alone while somebody reads."""
    if request.htmx and request.GET.get("part") == "states":
        return "devices/_states.html"
    return "devices/_phones.html" if request.htmx else "devices/phones.html"


def may(actor: Actor) -> dict[str, Any]:
    """What the reader can do with phones that he chooses."""
    deeds = {what: actor.may_anywhere(deed.power) for what, deed in bulk.DEEDS.items()}
    deeds["unlock"] = actor.may_anywhere(Power.UNLOCK_ALL)
    deeds["resync"] = actor.may_anywhere(Power.EDIT_DEVICES)
    return {
        "may": deeds,
        "may_choose": any(deeds.values()),
        "may_add": actor.may_anywhere(Power.EDIT_DEVICES),
    }


# --- what it can be narrowed to ----------------------------------------------------------------------------


def choices(
    actor: Actor, visible: QuerySet[Device], accounts: list[Account], asked: Asked, are_many: bool
) -> dict[str, Any]:
    """The choices of the filters: only what is there."""
    sites = Site.objects.visible_to(actor).order_by("name", "pk")
    if asked["account"]:
        sites = sites.filter(account__slug=asked["account"])
    models = models_of(actor, visible, are_many)
    families = dict.fromkeys((value.partition("/")[0], words) for value, words, _model in models)
    return {
        "models": [(value, model, words) for value, words, model in models],
        "families": list(families),
        "sites": [(str(code), name) for code, name in sites.values_list("code", "name")[:MOST_SITES]],
        "accounts": [(account.slug, account.name) for account in accounts],
    }


def models_of(by: Actor, phones: QuerySet[Device], are_many: bool) -> list[tuple[str, str, str]]:
    """The models that are there: as the filter names each, with its maker's name and its own."""
    families = catalog().families
    rows = phones.order_by("family", "model").values_list("family", "model").distinct()
    pairs = kept("models", by, {}, lambda: list(rows), is_large=lambda _: are_many)
    return [(f"{f}/{m}", families[f].name if f in families else f, m) for f, m in pairs]


@needs(Power.SEE_ACCOUNT)
def firmwares(request: PageRequest) -> HttpResponse:
    """The versions that the phones were seen with, for the filter that somebody is about to use."""
    seen = Device.objects.visible_to(request.actor).filter(last_seen__isnull=False)
    found = seen.order_by("last_seen__firmware").values_list("last_seen__firmware", flat=True).distinct()
    return render(request, "devices/_firmwares.html", {"firmwares": [text for text in found if text]})


def chips(counts: Mapping[str, int], asked: Asked) -> list[Chip]:
    """The states that are there, and beside them who is quiet; each keeps what else was asked."""
    rest = {name: value for name, value in asked.fields.items() if name != "state"}
    made = [Chip("", _("All"), counts["all"], urlencode(rest), not asked["state"])]
    for state in finding.STATES:
        if counts[state] or asked["state"] == state:
            query = urlencode({**rest, "state": state})
            made.append(Chip(state, str(WORDS[state]), counts[state], query, asked["state"] == state))
    if counts["quiet"] or asked["quiet"]:
        fields = {name: value for name, value in asked.fields.items() if name != "quiet"}
        query = urlencode(fields if asked["quiet"] else {**fields, "quiet": "yes"})
        at = next((at for at, chip in enumerate(made) if chip.state in QUIET_BEFORE), len(made))
        made.insert(at, Chip("quiet", _("Quiet"), counts["quiet"], query, bool(asked["quiet"])))
    return made


# --- in order and in pages ---------------------------------------------------------------------------------


def columns(asked: Asked) -> dict[str, Column]:
    """The heads of the columns that order the list; that of the present order turns it round."""
    made = {}
    for name in ("name", "state", "seen", "model"):
        is_present = asked.order.removeprefix("-") == name
        to = f"-{name}" if asked.order == name else name
        sort = ("descending" if asked.order.startswith("-") else "ascending") if is_present else ""
        made[name] = Column(urlencode({**asked.fields, "order": to}), sort)
    return made


def page_of(keys: Callable[[int, int], list[int]], asked: Asked, total: int, wanted: str) -> dict[str, Any]:
    """The phones of a page, which rows they are, and where the buttons below the list lead."""
    last = max(1, -(-total // A_PAGE))
    said = wanted if wanted.isascii() and wanted.isdigit() else "1"
    number = min(max(1, int(said[:9])), last)
    start = (number - 1) * A_PAGE
    kept = asked.fields

    def to(page: int) -> str:
        return urlencode({**kept, "page": page}) if 1 <= page <= last and page != number else ""

    return {
        "phones": finding.shown(keys(start, start + A_PAGE)),
        "from": start + 1 if total else 0,
        "to": min(start + A_PAGE, total),
        "of": total,
        "size": A_PAGE,
        "order": ORDERS[asked.order],
        "first": to(1) if number > 2 else "",
        "previous": to(number - 1),
        "next": to(number + 1),
        "last": to(last) if number < last - 1 else "",
        "here": urlencode({**kept, "page": number}),
    }


# --- for the other pages that show phones ------------------------------------------------------------------


def dressed(actor: Actor, phones: QuerySet[Device]) -> QuerySet[Device]:
    """Everything that a row shows."""
    return finding.dressed(phones)


def in_state(actor: Actor, phones: QuerySet[Device], state: str, now: datetime) -> QuerySet[Device]:
    return finding.in_state(phones, state, now)
