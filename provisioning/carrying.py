"""What a phone's file can carry: refuses values that would break out of their place, by name. Pure."""

import functools
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from accounts.said import Said
from devices.catalog import Family
from devices.phone import PhoneSettings
from devices.texts import refusal

_MAC = re.compile(r"[0-9a-f]{12}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-_]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")


class CompileError(Exception):
    """The settings cannot be put into this phone's file; `field` says which one stands in the way."""

    def __init__(self, field: str, reason: str) -> None:
        self.said = Said("{field}: {reason}", field=field, reason=reason)
        super().__init__(self.said)
        self.field = field
        self.reason = reason


def check_value(form: str, value: Any) -> Any:
    """Let a value into a template, or raise: the last guard, whatever the template does with it."""
    if isinstance(value, str) and (reason := refusal(form, value)):
        raise CompileError("value", reason)
    return value


def check_settings(phone: PhoneSettings, family: Family) -> None:
    """Raise CompileError with the name of the first setting that this family's files cannot carry."""
    for path, name, value in _texts(replace(phone, raw=()), "", ""):
        if reason := refusal(family.format, value):
            raise CompileError(path, reason)
        limit = family.limits.get(name)
        if limit is not None and not _limit(limit).fullmatch(value):
            raise CompileError(path, Said("{maker} cannot carry this value", maker=family.name))
    if not _MAC.fullmatch(phone.mac):
        raise CompileError("mac", Said("a MAC address is twelve lower-case hexadecimal digits"))
    if not 0 <= phone.poll_minute < 24 * 60:
        raise CompileError("poll_minute", Said("a day has the minutes 0 to 1439"))
    for key, value in phone.raw:
        if reason := family.raw_refusal(key, value):
            raise CompileError(f"raw[{key}]", reason)
    _check_server(phone)
    for at, line in enumerate(phone.lines):
        if not line.username:
            raise CompileError(f"lines[{at}].username", Said("an extension has a user name"))


def _check_server(phone: PhoneSettings) -> None:
    sip = phone.sip
    if not _HOST.fullmatch(sip.host):
        raise CompileError("sip.host", Said("this is no host name or address"))
    if sip.outbound_host and not _HOST.fullmatch(sip.outbound_host):
        raise CompileError("sip.outbound_host", Said("this is no host name or address"))
    if phone.network.syslog and not _HOST.fullmatch(phone.network.syslog):
        raise CompileError("network.syslog", Said("this is no host name or address"))
    if phone.time.ntp and not _HOST.fullmatch(phone.time.ntp):
        raise CompileError("time.ntp", Said("this is no host name or address"))
    for field, port in (("sip.port", sip.port), ("sip.outbound_port", sip.outbound_port)):
        if not 0 <= port <= 65535:
            raise CompileError(field, Said("a port is a number up to 65535"))
    if sip.expires <= 0:
        raise CompileError("sip.expires", Said("a registration lasts at least a second"))


def _texts(part: Any, path: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Walk the settings: where a text stands (`lines[1].label`), its kind (`lines.label`), and the text."""
    if isinstance(part, str):
        yield path, name, str(part)
    elif isinstance(part, tuple):
        for at, item in enumerate(part):
            yield from _texts(item, f"{path}[{at}]", name)
    elif is_dataclass(part):
        for entry in fields(part):
            dot = "." if path else ""
            yield from _texts(
                getattr(part, entry.name), f"{path}{dot}{entry.name}", f"{name}{dot}{entry.name}"
            )


@functools.cache
def _limit(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
