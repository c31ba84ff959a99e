"""Reads a compiled file back as the phone would: keys and values."""

import re
import string
import xml.etree.ElementTree as ElementTree

HEADER = "#!version:1.0.0.1"
_NUMBER = re.compile(r"(?<=[._])\d+(?=[._@]|$)")
# Documents whose settings are elements; in all others they are attributes.
_PLAIN = {"setting-files", "settings", "sysConf", "VOIP_CONFIG_FILE"}
_NAMED = {"gs_provision", "flat-profile"}  # documents of one element a setting, by its name or its tag
_SUMMED_HEAD = 16
_REPEATED = {"static.security.user_password", "security.user_password"}  # one line a user, named in the value
_MARKS = {"idx", "index", "perm"}  # attributes that count or permit, and are no settings


def read(form: str, body: bytes) -> dict[str, str]:
    """The settings in a file; repeated keys keep every value, one a line."""
    if body.startswith(b"\0"):
        return _read_summed(body)
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
    if root.tag in _NAMED:
        for element in root.iter():
            if not len(element):
                key = element.get("name", element.tag)
                assert key not in found, f"{key} stands twice"
                found[key] = element.text or ""
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


def _read_summed(body: bytes) -> dict[str, str]:
    """Keys and values behind a head: half its length in words, a checksum, the MAC."""
    words = [int.from_bytes(body[at : at + 2], "big") for at in range(0, len(body), 2)]
    assert len(body) % 2 == 0
    assert (words[0], words[1]) == (0, len(words)), "the length is wrong"
    assert sum(words) % 0x10000 == 0, "the checksum is wrong"
    assert body[12:_SUMMED_HEAD] == b"\r\n\r\n"
    found = dict(pair.split("=") for pair in body[_SUMMED_HEAD:].rstrip(b"\0").decode("ascii").split("&"))
    assert list(found.items())[-1] == ("gnkey", "0b82"), "the last one says what kind of file it is"
    return found


def _number(element: ElementTree.Element) -> str | None:
    """What tells an element from its namesakes: an attribute, or the digits of its ID."""
    own = (element.findtext("ID") or "").lstrip(string.ascii_letters + "-")
    return element.get("idx") or element.get("index") or own


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
        assert key not in found or key in _REPEATED, f"{key} stands twice"
        value = value.strip(" \t")
        found[key] = f"{found[key]}\n{value}" if key in found else value
    return found
