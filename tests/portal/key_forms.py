"""The form of lines and keys as a browser sends it, and as a page shows it."""

import re
from typing import Any

from devices.models import Device


def url_of(device: Device) -> str:
    return f"/phones/{device.code}/lines/"


def rows(*given: dict[str, Any], do: str = "save") -> dict[str, Any]:
    """The form as a browser sends it."""
    blank = {"position": "", "kind": "line", "value": "", "label": "", "ring": "now", "line": "0"}
    data: dict[str, Any] = {"row-TOTAL_FORMS": len(given), "row-INITIAL_FORMS": len(given), "do": do}
    for at, row in enumerate(given):
        data |= {f"row-{at}-{name}": value for name, value in {**blank, **row}.items()}
    return data


def shown(page: str) -> list[tuple[str, str, str]]:
    """The rows of a page's form: position, kind, value."""
    found = []
    for at in range(page.count('id="row-')):
        position = re.search(rf'name="row-{at}-position" value="(\d+)"', page)
        kind = re.search(rf'name="row-{at}-kind".*?<option value="(\w+)" selected', page, re.S)
        value = re.search(rf'name="row-{at}-value"(?: value="([^"]*)")?', page)
        found.append(tuple(match[1] or "" if match else "" for match in (position, kind, value)))
    return found  # type: ignore[return-value]


def text(answer: Any) -> str:
    return str(answer.content.decode())


def state(device: Device) -> tuple[list[Any], list[Any]]:
    lines = device.appearances.order_by("position").values_list(
        "position", "extension__username", "label", "ring"
    )
    keys = device.keys.order_by("position").values_list("position", "kind", "value", "label")
    return list(lines), list(keys)
