"""How pages write icons, states, times and addresses; the words are the same on every page."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from django import template
from django.forms import BaseForm
from django.templatetags.static import static
from django.utils import dateformat, timezone
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, ngettext, pgettext

from devices.catalog import catalog
from devices.mac import pretty
from provisioning import sentences

register = template.Library()
RULE = re.compile(r"[A-Z]\d{1,2}[a-z]?")


@dataclass(frozen=True, slots=True)
class Look:
    """A state as people see it: its class (what it is, never a colour), its shape and its words."""

    voice: str
    icon: str
    words: str | Promise


LOOKS = {
    "new": Look("is-new", "new", gettext_lazy("New")),
    "locked": Look("is-locked", "lock", gettext_lazy("Locked")),
    "unlocked": Look("is-unlocked", "unlock", gettext_lazy("Unlocked")),
    "quarantined": Look("is-quarantined", "octagon", gettext_lazy("Quarantined")),
    "retired": Look("is-retired", "off", gettext_lazy("Retired")),
    "disabled": Look("is-off", "off", gettext_lazy("Disabled")),
    "waiting": Look("is-waiting", "diamond", gettext_lazy("Refused, waiting")),
    "quiet": Look("is-quiet", "moon", gettext_lazy("Quiet")),
    "suspect": Look("is-suspect", "eye", gettext_lazy("Under suspicion")),
    "clone": Look("is-waiting", "shared", gettext_lazy("Clone suspected")),
    "exposed": Look("is-care", "eye", gettext_lazy("May be known")),
    "moved": Look("is-moved", "right", gettext_lazy("Moved, waiting")),
    "open": Look("is-open", "window", gettext_lazy("Window open")),
    "coming": Look("is-new", "clock", gettext_lazy("Opens later")),
    "closed": Look("is-off", "minus", gettext_lazy("Closed")),
    "full": Look("is-served", "check", gettext_lazy("Full file")),
    "bootstrap": Look("is-served", "check", gettext_lazy("Let in")),
    "common": Look("is-locked", "file", gettext_lazy("Common file")),
    "accepted": Look("is-locked", "up-tray", gettext_lazy("Upload taken")),
    "refused": Look("is-wrong", "x", gettext_lazy("Refused")),
    "held": Look("is-care", "clock", gettext_lazy("Held")),
    "person": Look("is-note", "people", gettext_lazy("By a person")),
    "clock": Look("is-note", "clock", gettext_lazy("By the clock")),
    "pending": Look("is-note", "clock", gettext_lazy("Waiting")),
    "delivered": Look("is-served", "check", gettext_lazy("Delivered")),
    "dead": Look("is-wrong", "x", gettext_lazy("Given up")),
    "dropped": Look("is-off", "minus", gettext_lazy("Not sent")),
    "delivering": Look("is-served", "check", gettext_lazy("Delivering")),
    "failing": Look("is-wrong", "warn", gettext_lazy("Failing")),
    "resting": Look("is-care", "clock", gettext_lazy("Resting")),
    "off": Look("is-off", "off", gettext_lazy("Switched off")),
    "done": Look("is-served", "check", gettext_lazy("Done")),
    "skipped": Look("is-wrong", "x", gettext_lazy("Skipped")),
}


@register.simple_tag
@cache  # a page has a hundred of them, of thirty kinds
def icon(name: str) -> SafeString:
    """One icon of the sprite: decoration, what it says stands in words beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#i-{}"></use></svg>', static("icons.svg"), name
    )


@register.simple_tag
def badge(state: str, words: str = "", left: str = "") -> SafeString:
    """A state badge: words, a shape and a colour, with what is left of a limited time."""
    look = LOOKS.get(str(state), Look("is-off", "minus", str(state).capitalize()))
    return _badge(look.voice, look.icon, str(words or look.words), left)


@lru_cache(maxsize=1000)
def _badge(voice: str, shape: str, words: str, left: str) -> SafeString:
    rest = format_html(' <span class="left">{}</span>', left) if left else ""
    return format_html('<span class="badge {}">{}{}{}</span>', voice, icon(shape), words, rest)


@register.filter
def voice(state: str) -> str:
    """The class that gives a part the voice of this state."""
    return LOOKS[str(state)].voice if str(state) in LOOKS else "is-off"


@register.filter
def shape(state: str) -> str:
    """The name of the icon of this state."""
    return LOOKS[str(state)].icon if str(state) in LOOKS else "minus"


@register.simple_tag
def rule(number: str) -> SafeString:
    """A rule's number as a key cap; nothing when there is none."""
    return format_html('<span class="rule">{}</span>', number) if number else SafeString("")


@register.simple_tag
def refused_by(form: BaseForm | None) -> SafeString:
    """The key caps of the rules that sent a form back; nothing where only the input was wrong."""
    errors = form.errors.as_data().values() if form is not None else ()
    codes = dict.fromkeys(str(error.code) for found in errors for error in found if error.code)
    return format_html_join(" ", "{}", ((rule(code),) for code in codes if RULE.fullmatch(code)))


@register.filter
def when(at: datetime | None, zone: str = "UTC") -> str:
    """Fri 27 Nov, 14:05 CET; with the year when it is another one."""
    return sentences.when(at, zone, now=timezone.now()) if at else ""


@register.filter
def when_long(at: datetime, zone: str = "UTC") -> str:
    """Saturday 28 November at 06:05 CET."""
    there, now = at.astimezone(ZoneInfo(zone)), timezone.now().astimezone(ZoneInfo(zone))
    if there.year == now.year:
        return dateformat.format(there, pgettext("day and time", r"l j F \a\t H:i T"))
    return dateformat.format(there, pgettext("day and time", r"l j F Y \a\t H:i T"))


@register.filter
def left(until: datetime | None, now: datetime | None = None) -> str:
    """How much time is left, in the two largest units: 6 d 18 h, 19 h 15 min, 38 s."""
    if until is None:
        return gettext("until first fetch")
    return spell(until - (now or timezone.now()))


def spell(length: timedelta) -> str:
    """A length of time in its two largest units."""
    seconds = max(0, int(length.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        text = gettext("{days} d {hours} h") if hours else gettext("{days} d")
    elif hours:
        text = gettext("{hours} h {minutes} min") if minutes else gettext("{hours} h")
    else:
        text = gettext("{minutes} min") if minutes else gettext("{seconds} s")
    return text.format(days=days, hours=hours, minutes=minutes, seconds=seconds)


@register.filter
def mac(digits: str) -> str:
    """A MAC address as it stands on the label of the phone."""
    return pretty(digits)


@register.filter
def make(device: object) -> str:
    """The maker and model of a phone."""
    family = catalog().families.get(getattr(device, "family", ""))
    return f"{family.name if family else ''} {getattr(device, 'model', '')}".strip()


@register.filter
def initials(name: str) -> str:
    """The letters on the button of a person's menu."""
    parts = [part for part in name.split() if part[:1].isalnum()]
    return "".join(part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts)).upper() or "?"


@register.filter
def age(at: datetime) -> str:
    """How long ago something was, in words."""
    return spell(timezone.now() - at)


@register.filter
def who(label: str) -> str:
    """An actor's name without the e-mail address that the audit needs."""
    name, bracket, rest = label.partition(" (")
    return name if bracket and "@" in rest else sentences.doer(label)


@register.simple_tag
def fuse(start: datetime | None, end: datetime | None) -> SafeString:
    """How much of a limited time is left, as a bar beside the end in words; nothing without an end."""
    if start is None or end is None:
        return SafeString("")
    now = timezone.now()
    whole, rest = int((end - start).total_seconds()), int((end - now).total_seconds())
    words = gettext("Time left: {left} of {whole}").format(left=spell(end - now), whole=spell(end - start))
    return format_html(
        '<progress class="fuse" value="{}" max="{}" aria-label="{}"></progress>',
        max(0, rest),
        max(1, whole),
        words,
    )


@register.filter
def length_words(length: timedelta) -> str:
    """A length of time in words: 7 days, 36 hours."""
    hours = int(length.total_seconds() // 3600)
    if hours % 24 == 0 and hours > 24:
        return ngettext("{days} day", "{days} days", hours // 24).format(days=hours // 24)
    return ngettext("{hours} hour", "{hours} hours", hours).format(hours=hours)
