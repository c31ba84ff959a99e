"""What a setting's value may be: one small type each, which checks it and says what it takes. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from accounts.said import Said

Value = int | bool | str | list[str]

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-_]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")
_DIALLED = re.compile(r"[0-9A-Za-z*#+._\-]{0,40}")
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_IMAGE = re.compile(
    r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
    r"(?:/[A-Za-z0-9._~%(),+@=-]+)+"
)
_LONGEST_ADDRESS = 255  # what most phones can keep
_DAY = 24 * 60
_SHORTEST = 60  # minutes of a window: some families know whole hours only


class Kind(StrEnum):
    """What a form shows for a setting."""

    SWITCH = "switch"
    NUMBER = "number"
    CHOICE = "choice"
    LIST = "list"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a setting takes; `check` returns the value as it is kept, ValueError says what it may be."""

    kind: Kind
    check: Callable[[Any], Value]
    choices: Mapping[str, str] = field(default_factory=dict)  #: value -> how it reads
    lowest: int = 0  #: of a number
    highest: int = 0
    optional: bool = False  #: empty text: as the phone has it


def split_place(text: str) -> tuple[str, int]:
    """Return host and port of `host[:port]`; 0 where no port is given. ValueError when it is neither."""
    host, colon, digits = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, digits = text, ""
    if not _HOST.fullmatch(host):
        raise ValueError(Said("{host!r} is no host name or address.", host=host))
    if not colon or not digits:
        if text.endswith(":"):
            raise ValueError(Said("the port is missing."))
        return host, 0
    if not digits.isascii() or not digits.isdecimal() or not 1 <= int(digits) <= 65535:
        raise ValueError(Said("{digits!r} is no port.", digits=digits))
    return host, int(digits)


def window_minutes(text: str) -> tuple[int, int]:
    """Return the first and last minute of the day of `HH:MM-HH:MM`; empty is the whole day."""
    if not text:
        return 0, _DAY
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ValueError(Said("two times of the day such as 22:00-06:00, or nothing for any time."))
    first, last = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if (last - first) % _DAY < _SHORTEST:
        raise ValueError(Said("at least an hour from the first time to the second."))
    return first, last


def host(*, optional: bool = False) -> Bounds:
    """A host name or address."""

    def check(value: Any) -> str:
        text = value.strip().lower() if isinstance(value, str) else None
        if text is None or not (_HOST.fullmatch(text) or (optional and not text)):
            if optional:
                raise ValueError(Said("a host name or address, or none."))
            raise ValueError(Said("a host name or address."))
        return text

    return Bounds(Kind.TEXT, check)


def place() -> Bounds:
    """A host name or address with or without a port, or nothing."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(Said("a host name or address, with :port where it is needed."))
        text = value.strip().lower()
        if text:
            split_place(text)
        return text

    return Bounds(Kind.TEXT, check)


def image() -> Bounds:
    """The address of a file on a web server, or nothing."""

    def check(value: Any) -> str:
        text = value.strip() if isinstance(value, str) else "?"
        if text and (len(text) > _LONGEST_ADDRESS or not _IMAGE.fullmatch(text)):
            raise ValueError(Said("the http or https address of one file, without blanks, or nothing."))
        return text

    return Bounds(Kind.TEXT, check, optional=True)


def dialled() -> Bounds:
    """What a phone can dial."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not _DIALLED.fullmatch(value.strip()):
            raise ValueError(Said("digits, letters, * # + and nothing else."))
        return value.strip()

    return Bounds(Kind.TEXT, check)


def window() -> Bounds:
    """A part of the day."""

    def check(value: Any) -> str:
        text = value.strip() if isinstance(value, str) else "?"
        window_minutes(text)
        return text

    return Bounds(Kind.TEXT, check)


def switch() -> Bounds:
    """On or off."""

    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(Said("on or off."))
        return value

    return Bounds(Kind.SWITCH, check)


def number(lowest: int, highest: int, *, optional: bool = False) -> Bounds:
    """A whole number between two others; or nothing, where it is optional."""

    def check(value: Any) -> Value:
        if optional and value == "" and isinstance(value, str):
            return ""
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            ends = {"lowest": lowest, "highest": highest}
            if optional:
                raise ValueError(Said("a whole number from {lowest} to {highest}, or nothing.", **ends))
            raise ValueError(Said("a whole number from {lowest} to {highest}.", **ends))
        return value

    return Bounds(Kind.NUMBER, check, lowest=lowest, highest=highest, optional=optional)


def one_of(choices: Mapping[str, str], *, optional: bool = False) -> Bounds:
    """One of some words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or (value not in choices and not (optional and not value)):
            if optional:
                raise ValueError(Said("one of {choices}, or nothing.", choices=", ".join(choices)))
            raise ValueError(Said("one of {choices}.", choices=", ".join(choices)))
        return value

    return Bounds(Kind.CHOICE, check, choices, optional=optional)


def in_order(choices: Mapping[str, str], needed: tuple[str, ...]) -> Bounds:
    """Some of these words, the most wanted first, at least one of `needed` among them."""

    def check(value: Any) -> list[str]:
        listed = isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)
        if not listed or any(word not in choices for word in value) or len(set(value)) != len(value):
            known = ", ".join(choices)
            raise ValueError(Said("a list of {choices}, each once, the most wanted first.", choices=known))
        if not set(needed) & set(value):
            raise ValueError(
                Said("every phone speaks {needed}: name one of them.", needed=" / ".join(needed))
            )
        return list(value)

    return Bounds(Kind.LIST, check, choices)
