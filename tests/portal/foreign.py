"""A language in brackets: what of a page stands outside of them, no translator would ever see."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any
from zoneinfo import available_timezones

from django.apps import apps
from django.db.models import CharField, TextField
from django.utils import translation

from devices.catalog import catalog
from provisioning.models import ImportDraft, Incident

OPEN, CLOSE = "⟦", "⟧"
SPOKEN = {"aria-label", "alt", "title", "placeholder", "aria-description"}
#: What stands in these is data or code, whatever the language.
DATA_CLASSES = {"mono", "rule", "code"}
DATA_TAGS = {"script", "style", "code", "kbd", "svg", "pre", "textarea"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
#: Words that no translator touches: the name of the product, protocols, units, formats.
NAMES = (
    "Latchkey", "MAC", "IPv4", "IPv6", "CSV", "XLSX", "DHCP", "SIP", "HTTPS", "HTTP", "URL", "TLS", "API",
    "UTC", "CET", "CEST", "GMT", "WET", "BST", "KB", "KiB", "MB", "XML", "JSON",
)  # fmt: skip
PLACE = re.compile(r"(%\(\w+\)[sd]|%[sd]|\{[^{} ]*\})")
FILE = re.compile(r"\b[\w.-]+\.(?:boot|cfg|csv|xml)\b")
KEPT_DAY = re.compile(r"[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]{2}, \d\d:\d\d [A-Z]{3,4}")
WORD = re.compile(r"[^\W\d_]{2,}")
#: What is written the same way everywhere: addresses, codes, rules' numbers, zones.
SHAPES = re.compile(
    "|".join(
        (
            r"https?://\S+",
            r"[\w.+-]+@[\w.-]+",
            r"\b[a-z0-9-]+(?:\.[a-z0-9-]+)+\b",
            r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
            r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b",
            r"\b[0-9a-f]{12}\b",
            r"\b[0-9A-Fa-f]*:[0-9A-Fa-f:]+(?:/\d+)?",
            r"\b[A-Z]\d{1,2}[a-z]?\b",
            r"\b(?:text|application)/[\w.+-]+",
        )
    )
)
#: Columns in which the product keeps a word of its own: on a page it has to be said in the reader's language.
OUR_WORDS = re.compile("verb|target_kind|what|outcome|rule|kind|path|password|hash|actor|(.*_)?by")


def speak(set_attribute: Callable[[object, str, Any], None]) -> None:
    """Let Django's gettext answer in brackets; `set_attribute` is a test's monkeypatch.setattr."""

    def wrapped(text: str) -> str:
        parts = PLACE.split(text)  # what fills a place is said by somebody else
        return "".join(
            part if at % 2 or not part.strip() else f"{OPEN}{part}{CLOSE}" for at, part in enumerate(parts)
        )

    def plural(one: str, many: str, count: int) -> str:
        return wrapped(one if count == 1 else many)

    trans = translation._trans  # type: ignore[attr-defined]
    set_attribute(trans, "gettext", wrapped)
    set_attribute(trans, "pgettext", lambda context, text: wrapped(text))
    set_attribute(trans, "ngettext", plural)
    set_attribute(trans, "npgettext", lambda context, one, many, count: plural(one, many, count))


def data(*more: str) -> re.Pattern[str]:
    """Finds what is no text of ours: what people and phones wrote into rows, makers, models, time zones."""
    zones = available_timezones() - {"Factory", "Universal", "Zulu"}  # words of ours, too
    found = {*more, *zones, *(zone.rpartition("/")[2].replace("_", " ") for zone in zones)}
    for family in catalog().families.values():
        found |= {family.name, *([family.connect.service] if family.connect else [])}
        found |= {family.raw.example} if family.raw else set()
        for model in family.models.values():
            found |= {model.name, model.title, *model.aliases}
    for app in ("accounts", "devices", "provisioning", "security"):
        for table in apps.get_app_config(app).get_models():
            columns = [f for f in table._meta.concrete_fields if isinstance(f, CharField | TextField)]
            fields = [f.attname for f in columns if not f.choices and not OUR_WORDS.fullmatch(f.attname)]
            fields += ["rows", "params"] if table is ImportDraft else []
            if fields:
                for row in table._default_manager.values_list(*fields):
                    found.update(text for value in row for text in texts_in(value))
    # A sentence that is kept says the day as it was written then.
    titles = Incident.objects.values_list("title", flat=True)
    found.update(day for title in titles for day in KEPT_DAY.findall(title))
    words = (re.escape(text) for text in sorted(found, key=len, reverse=True) if WORD.search(text))
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)")


def texts_in(value: object) -> Iterator[str]:
    """What a column holds, that of a list of phones in every place of it."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts_in(inner)
    elif value:
        yield str(value)


def outside(text: str) -> str:
    """What of a text stands in no brackets."""
    kept, depth = [], 0
    for letter in text:
        if letter == OPEN:
            depth += 1
        elif letter == CLOSE:
            depth -= 1
            kept.append(" ")
        elif depth == 0:
            kept.append(letter)
    return "".join(kept)


class _Reader(HTMLParser):
    """Collects what is read or spoken of a page, with brackets that may reach over several elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.skipping = 0
        self.stack: list[bool] = []
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if not self.skipping:
            self.found += [value for name, value in attrs if name in SPOKEN and value]
        if tag in VOID:
            return
        skips = tag in DATA_TAGS or bool(set((given.get("class") or "").split()) & DATA_CLASSES)
        skips = skips or given.get("translate") == "no"
        self.stack.append(skips)
        self.skipping += skips

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and self.stack:
            self.skipping -= self.stack.pop()

    def handle_data(self, text: str) -> None:
        kept = []
        for letter in text:
            if letter == OPEN:
                self.depth += 1
            elif letter == CLOSE:
                self.depth -= 1
                kept.append(" ")
            elif self.depth == 0:
                kept.append(letter)
        if not self.skipping:
            self.found.append("".join(kept))


def untranslated(page: str, known: re.Pattern[str]) -> Iterator[str]:
    """The texts of a page that no translator would ever see."""
    reader = _Reader()
    reader.feed(page)
    for text in reader.found:
        if words_left(text, known):
            yield " ".join(text.split())


def words_left(text: str, known: re.Pattern[str]) -> list[str]:
    """The words of a plain text that no translator would ever see."""
    rest = outside(text)
    rest = SHAPES.sub(" ", known.sub(" ", FILE.sub(" ", rest))) if WORD.search(rest) else ""
    return [word for word in WORD.findall(rest) if word not in NAMES]
