"""A language in brackets: what of a page stands outside of them, no translator would ever see."""

import re
from collections.abc import Callable, Iterable, Iterator
from html.parser import HTMLParser
from typing import Any

from django.apps import apps
from django.db.models import CharField, EmailField, SlugField, TextField
from django.utils import translation

OPEN, CLOSE = "⟦", "⟧"
SPOKEN = {"aria-label", "alt", "title", "placeholder", "aria-description"}
#: What stands in these is data or code, whatever the language.
DATA_CLASSES = {"mono", "rule", "code"}
DATA_TAGS = {"script", "style", "code", "kbd", "svg", "pre", "textarea"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
#: Letters that no translator touches: the name of the product, protocols, units, zones, formats.
NAMES = (
    "Latchkey", "MAC", "IPv4", "IPv6", "CSV", "XLSX", "DHCP", "SIP", "HTTPS", "HTTP", "URL", "TLS", "API",
    "UTC", "CET", "CEST", "GMT", "BST", "min", "d", "h", "s", "KB", "KiB", "MB", "XML", "JSON", "AM", "PM",
)  # fmt: skip
WORD = re.compile(r"[^\W\d_]{2,}")
PATTERNS = [
    re.compile(text)
    for text in (
        r"https?://\S+",
        r"[\w.+-]+@[\w.-]+",
        r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b",
        r"\b[0-9a-f]{12}\b",
        r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
        r"\b[0-9A-Fa-f]*:[0-9A-Fa-f:]+(?:/\d+)?",
        r"\b[A-Z]\d{1,2}[a-z]?\b",
        r"\b[A-Z][a-z]+/[A-Z]\w+\b",
    )
]


def speak(set_attribute: Callable[[object, str, Any], None]) -> None:
    """Let Django's gettext answer in brackets; `set_attribute` is a test's monkeypatch.setattr."""

    def wrapped(text: str) -> str:
        return f"{OPEN}{text}{CLOSE}" if text.strip() else text

    def plural(one: str, many: str, count: int) -> str:
        return wrapped(one if count == 1 else many)

    trans = translation._trans  # type: ignore[attr-defined]
    set_attribute(trans, "gettext", wrapped)
    set_attribute(trans, "pgettext", lambda context, text: wrapped(text))
    set_attribute(trans, "ngettext", plural)
    set_attribute(trans, "npgettext", lambda context, one, many, count: plural(one, many, count))


def data() -> list[str]:
    """Every text that stands in a row: names, notes, agents; the longest first."""
    found: set[str] = set()
    for app in ("accounts", "devices", "provisioning", "security"):
        for model in apps.get_app_config(app).get_models():
            fields = [
                f.attname for f in model._meta.concrete_fields
                if isinstance(f, CharField | TextField | SlugField | EmailField) and not f.choices
            ]  # fmt: skip
            if fields:
                for row in model._default_manager.values_list(*fields)[:500]:
                    found.update(str(value) for value in row if value)
    return sorted(found, key=len, reverse=True)


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
            elif self.depth == 0:
                kept.append(letter)
        if not self.skipping:
            self.found.append("".join(kept))


def untranslated(page: str, known: Iterable[str]) -> Iterator[str]:
    """The texts of a page that no translator would ever see."""
    reader = _Reader()
    reader.feed(page)
    for text in reader.found:
        rest = outside(text)
        if not WORD.search(rest):
            continue
        for name in known:
            if name in rest:
                rest = rest.replace(name, " ")
        for pattern in PATTERNS:
            rest = pattern.sub(" ", rest)
        words = [word for word in WORD.findall(rest) if word not in NAMES]
        if words:
            yield " ".join(text.split())
