"""Puts the vendors' own keys that people added into a document of nested elements. Pure."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class RawKey:
    """A vendor's own key that people added: whole, and by the elements that it stands in."""

    key: str
    path: tuple[str, ...]
    value: str


def graft(text: str, keys: Sequence[RawKey]) -> str:
    """Return the document with these keys among its elements; the same keys give the same text.

    An element that stands there already takes them in, so that the phone finds each of its parts once.
    """
    declaration, _, document = text.partition("\n")
    root = ElementTree.fromstring(document)  # noqa: S314  our own template's
    for key in keys:
        place = root
        for name, number in _steps(key.path):
            place = _below(place, name, number)
        place.text = key.value
    ElementTree.indent(root)
    return f"{declaration}\n{ElementTree.tostring(root, encoding='unicode', short_empty_elements=False)}\n"


def _steps(path: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pair each element's name with the number behind it, or with nothing."""
    for at, name in enumerate(path):
        if not name.isdecimal():
            following = path[at + 1] if at + 1 < len(path) else ""
            yield name, following if following.isdecimal() else ""


def _below(place: ElementTree.Element, name: str, number: str) -> ElementTree.Element:
    for child in place.findall(name):
        if not number or number in (child.get("index"), *_DIGITS.findall(child.findtext("ID") or "")):
            return child
    made = ElementTree.SubElement(place, name)
    if number:
        _number(place, made, name, number)
    return made


def _number(place: ElementTree.Element, made: ElementTree.Element, name: str, number: str) -> None:
    """Number a new element as its neighbours are: by an attribute, or by the digits of its ID."""
    named = next((child.findtext("ID") for child in place.findall(name) if child.findtext("ID")), None)
    if named is None:
        made.set("index", number)
    else:
        ElementTree.SubElement(made, "ID").text = _DIGITS.sub("", named) + number
