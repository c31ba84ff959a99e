"""Reads a compiled file back as the phone would: keys and values."""

import re
import xml.etree.ElementTree as ElementTree

HEADER = "#!version:1.0.0.1"
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")


def read(form: str, body: bytes) -> dict[str, str]:
    """The settings in a file; repeated keys keep every value, one a line."""
    return _read_xml(body) if form == "xml" else _read_lines(body)


def bare(key: str) -> str:
    """The key with X for each number, as keys.txt has it."""
    return _NUMBER.sub("X", key)


def _read_xml(body: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in ElementTree.fromstring(body).iter():
        for key, value in element.attrib.items():
            assert key not in found, f"{key} stands twice"
            found[key] = value
    return found


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
