"""Reads a compiled file back as the phone would: keys and values."""

import re
import xml.etree.ElementTree as ElementTree

HEADER = "#!version:1.0.0.1"
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|@|$)")
_PLAIN = {"setting-files", "settings"}  # documents whose settings are elements; in all others, attributes
_MARKS = {"idx", "index", "perm"}  # attributes that count or permit, and are no settings


def read(form: str, body: bytes) -> dict[str, str]:
    """The settings in a file; repeated keys keep every value, one a line."""
    return _read_xml(body) if form == "xml" else _read_lines(body)


def bare(key: str) -> str:
    """The key with X for each number, as keys.txt has it."""
    return _NUMBER.sub("X", key)


def _read_xml(body: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    root = ElementTree.fromstring(body)
    if root.tag in _PLAIN:
        for element in root:
            _walk(element, "", found)
        return found
    for element in root.iter():
        for key, value in element.attrib.items():
            assert key not in found, f"{key} stands twice"
            found[key] = value
    return found


def _walk(element: ElementTree.Element, path: str, found: dict[str, str]) -> None:
    """Take over an element: its text or its children by path, with its number behind its name."""
    key = f"{path}.{element.tag}" if path else element.tag
    if number := _number(element):
        key = f"{key}.{number}"
    assert not (element.text or "").strip() or not len(element), f"{key} has text beside its children"
    for child in element:
        assert not (child.tail or "").strip(), f"{key} has text between its children"
        _walk(child, key, found)
    settings = {name: value for name, value in element.attrib.items() if name not in _MARKS}
    for name, value in settings.items():
        at = f"{key}@{name}"
        found[at] = f"{found[at]}\n{value}" if element.tag == "file" and at in found else value
    if not len(element) and (element.text or not settings):
        assert key not in found, f"{key} stands twice"
        found[key] = element.text or ""


def _number(element: ElementTree.Element) -> str | None:
    return element.get("idx") or element.get("index")


def _read_lines(body: bytes) -> dict[str, str]:
    lines = body.decode("utf-8").split("\n")
    assert lines[0] == HEADER
    assert lines[-1] == "", "the last line has no end"
    found: dict[str, str] = {}
    for line in lines[1:]:
        if not line or line.startswith("#"):
            continue
        if line.startswith("include:config "):
            found["include:config"] = "\n".join(filter(None, [found.get("include:config"), line[16:-1]]))
            continue
        key, sign, value = line.partition(" =")
        assert sign, line
        value = value.strip(" \t")
        found[key] = f"{found[key]}\n{value}" if key in found else value
    return found
