"""A phone's log in sentences: what was answered by which rule, what people and the clock did, what helps."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.guards import PageRequest, needs
from accounts.roles import Power
from devices.models import Device
from portal.deeds import EVENTS
from portal.pages.phone_frame import find_phone, frame_of
from portal.templatetags.latchkey import who
from provisioning import events, helping, sentences
from provisioning.following import THE_PHONE
from provisioning.gate import Outcome
from provisioning.locking import CLOCK
from provisioning.models import Approval, DeviceEvent
from provisioning.remedies import Remedy
from provisioning.sentences import NOTHING
from provisioning.suspicion import SIGNS
from security.networks import AddressError, parse_address, show_address

A_PAGE = 50
STOP_ASKING = 286  # what htmx takes as the last answer to a question that it repeats
LATE = timedelta(minutes=10)  # how late a line may come and still appear by itself
SERVED = (Outcome.FULL.value, Outcome.BOOTSTRAP.value, Outcome.COMMON.value, Outcome.ACCEPTED.value)
MACHINES = ("", CLOCK.label, THE_PHONE.label, SIGNS.label)
#: What people do to a phone that makes another file of it and leaves its lock alone.
FILE_CHANGES = (
    "changed",
    "lines-changed",
    "keys-changed",
    "profile-applied",
    "profile-changed",
    "profile-taken-off",
    "raw-key-changed",
    "setting-changed",
    "extension-changed",
    "secret-changed",
)
KINDS = [
    ("", gettext_lazy("All"), ""),
    ("served", gettext_lazy("Served"), "full"),
    ("refused", gettext_lazy("Refused"), "refused"),
    ("held", gettext_lazy("Held"), "held"),
    ("people", gettext_lazy("People and clock"), "person"),
]


@dataclass(frozen=True, slots=True)
class Button:
    """What helps with a line: its words, and where it leads or what it sends."""

    words: str
    icon: str
    url: str
    says: str  #: what it does, for who does not see the line beside it
    sends: Mapping[str, str] | None = None  #: the fields of a form; None where it only leads somewhere


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event as the pages show it."""

    event: DeviceEvent
    look: str
    words: str
    sentence: str
    remedy: str
    by: str
    button: Button | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the log is asked for; an address as the log spells it."""

    show: str = ""
    rule: str = ""
    address: str = ""
    wrong: str = ""  #: an address that is none

    @property
    def query(self) -> str:
        """The same as a part of an address of the page."""
        given = {"show": self.show, "rule": self.rule, "address": self.wrong or self.address}
        return urlencode({name: text for name, text in given.items() if text})


@needs(Power.SEE_ACCOUNT)
def log(request: PageRequest, code: UUID) -> HttpResponse:
    """The newest lines, or those before one; with `after` only what has come since."""
    device = find_phone(request, code)
    asked = wanted(request)
    rows = of_wanted(events_of(request, device), asked)
    newest = one_of(request, device, "after")
    if request.htmx and newest is not None:
        return come_since(request, device, rows, newest, asked)
    before = one_of(request, device, "before")
    if before is not None:
        rows = rows.filter(at__lte=before.at).filter(Q(at__lt=before.at) | Q(pk__lt=before.pk))
    found = list(rows[: A_PAGE + 1])
    shown = found[:A_PAGE]
    context = {
        **frame_of(request, device, "log"),
        "asked": asked,
        "kinds": KINDS,
        "rules": sentences.RULES,
        "older": shown[-1].pk if len(found) > A_PAGE else None,
        "is_first": before is None,
        "newest": max((event.pk for event in shown), default=0),
    }
    context["lines"] = helped(request, device, context["lock"], shown, context["now"])
    return render(request, "devices/phone_log.html", context)


def come_since(
    request: PageRequest, device: Device, rows: Any, newest: DeviceEvent, asked: Wanted
) -> HttpResponse:
    """The lines that are newer than one, to stand above it; nothing at all while there are none.

    They ask for the next ones themselves, so those that asked for them are told to stop.
    """
    found = list(rows.filter(at__gt=newest.at - LATE, pk__gt=newest.pk)[:A_PAGE])
    if not found:
        return HttpResponse(status=204)
    frame = frame_of(request, device, "log")
    context = {
        **frame,
        "asked": asked,
        "lines": helped(request, device, frame["lock"], found, frame["now"]),
        "newest": max(event.pk for event in found),
    }
    return render(request, "devices/_log_news.html", context, status=STOP_ASKING)


def events_of(request: PageRequest, device: Device) -> Any:
    """Its log; what happened under another account stays with that account."""
    return (
        DeviceEvent.objects.visible_to(request.actor)
        .filter(device=device, account=device.account_id)
        .select_related("account", "device__account")
    )


def one_of(request: PageRequest, device: Device, name: str) -> DeviceEvent | None:
    """The line that the address of the page names, if it is one of this log."""
    number = request.GET.get(name, "")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        return None
    found: DeviceEvent | None = events_of(request, device).filter(pk=int(number)).first()
    return found


def wanted(request: PageRequest) -> Wanted:
    """The filters of the page's address; an address in any spelling."""
    given = {
        name: request.GET.get(name, "").replace("\0", "").strip()[:60] for name in ("show", "rule", "address")
    }
    if not given["address"]:
        return Wanted(given["show"], given["rule"])
    try:
        given["address"] = show_address(parse_address(given["address"]))
    except AddressError:
        return Wanted(given["show"], given["rule"], wrong=given["address"])
    return Wanted(**given)


def of_wanted(rows: Any, asked: Wanted) -> Any:
    if asked.wrong:
        return rows.none()
    if asked.rule:
        rows = rows.filter(rule__iexact=asked.rule)
    if asked.address:
        rows = rows.filter(address=asked.address)
    return of_kind(rows, asked.show)


def of_kind(rows: Any, kind: str) -> Any:
    """Keep one kind of event; `lock` keeps what concerned the lock: people, the clock, claims, refusals."""
    if kind == "served":
        return rows.filter(what="request", outcome__in=SERVED)
    if kind in ("refused", "held"):
        return rows.filter(what="request", outcome=kind)
    if kind == "people":
        return rows.exclude(what="request")
    if kind == "lock":
        return rows.exclude(what__in=FILE_CHANGES).exclude(
            what="request", outcome__in=(Outcome.FULL.value, Outcome.COMMON.value, Outcome.ACCEPTED.value)
        )
    return rows


def log_lines(rows: Iterable[DeviceEvent]) -> list[LogLine]:
    """The events with the sentence and the remedy of their rules."""
    return [_line(event, None) for event in rows]


def helped(
    request: PageRequest, device: Device, lock: Any, rows: list[DeviceEvent], now: datetime
) -> list[LogLine]:
    """The same with the button that helps."""
    found = helping.remedies(device, lock, rows, by=request.actor, now=now)
    cards = Approval.objects.visible_to(request.actor).filter(device=device, status=Approval.Status.OPEN)
    card = cards.first() if Remedy.APPROVE in found.values() else None
    return [
        _line(event, button_of(found[event.pk], event, device, card) if event.pk in found else None)
        for event in rows
    ]


def button_of(remedy: Remedy, event: DeviceEvent, device: Device, card: Approval | None) -> Button | None:
    """The button of a remedy; what changes something without a page of its own is a form."""
    address = event.address
    there, only = urlencode({"address": address}), {"address": address}

    def to(name: str, query: str = "", *, own: bool = True) -> str:
        url = reverse(name, args=[device.code]) if own else reverse(name)
        return f"{url}?{query}" if query else url

    check = to("addresses", there, own=False)
    match remedy:
        case Remedy.APPROVE:
            if card is None:
                return None
            sends = {"origin": address, "decision": "once"}
            says = _("Its next request from %(address)s is let in, once. It then locks there.") % only
            return Button(_("Approve once"), "check", reverse("approval", args=[card.code]), says, sends)
        case Remedy.UNLOCK_HERE:
            says = _("Unlock it for %(address)s only") % only
            return Button(_("Unlock for there"), "unlock", to("phone-unlock", there), says)
        case Remedy.OPEN_WINDOW:
            says = _("Open a window for %(address)s") % only
            return Button(_("Open a window"), "window", to("window-open", there, own=False), says)
        case Remedy.ADD_TO_SITE:
            says = _("Add %(address)s to a site") % only
            place = reverse("site", args=[device.site.code]) if device.site else reverse("sites")
            return Button(_("Add to a site"), "site", f"{place}?{there}", says)
        case Remedy.REARM:
            return Button(_("Re-arm"), "clock", to("phone-rearm"), _("Make this phone new again"))
        case Remedy.RELEASE:
            return Button(_("Release"), "shield", to("phone-release"), _("Lift the quarantine"))
        case Remedy.ENABLE:
            return Button(_("Enable"), "off", to("phone-edit"), _("Enable this phone"))
        case Remedy.ANSWER_CLONE:
            return Button(
                _("Say which is real"), "shared", to("phone"), _("Two parties hold its private URLs")
            )
        case Remedy.UNBLOCK_MINE:
            says = _("Unblock %(address)s, where you are") % only
            return Button(_("Unblock my address"), "globe", check, says)
        case Remedy.LIFT_BAN:
            return Button(_("Lift the ban"), "ban", check, _("What stands against %(address)s") % only)
        case Remedy.CHECK_ADDRESS:
            return Button(_("IP check"), "globe", check, _("What stands against %(address)s") % only)
        case Remedy.ADDRESSES_TO_ENTER:
            says = _("What to enter in DHCP and at the vendors")
            return Button(_("Connect phones"), "sliders", to("connect", own=False), says)


def _line(event: DeviceEvent, button: Button | None) -> LogLine:
    said = events.described(event)
    if event.what == "request":
        remedy = "" if said.next == NOTHING else said.next
        return LogLine(event, event.outcome, "", said.sentence, remedy, "", button)
    by_person = event.actor not in MACHINES
    # The e-mail address behind a name is for the audit; a page says the name.
    sentence = said.sentence.replace(event.actor, who(event.actor)) if event.actor else said.sentence
    words = str(EVENTS.get(event.what, event.what))
    return LogLine(event, "person" if by_person else "clock", words, sentence, "", who(event.actor))
