"""The neutral settings: what each is called, what it may hold, and what holds where nobody said anything."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.refusals import Invalid
from devices.catalog import catalog
from devices.phone import HARDENING, Srtp, Transport
from devices.zones import zone

Value = int | bool | str

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-_]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")
_DIALLED = re.compile(r"[0-9A-Za-z*#+._\-]{0,40}")


@dataclass(frozen=True, slots=True)
class Setting:
    """One neutral setting with its check."""

    name: str
    title: str
    help: str
    default: Value
    check: Callable[[Any], Value]  #: returns the value as it is kept; ValueError says what it may be
    choices: tuple[str, ...] = ()

    def read(self, value: Any) -> Value:
        """Return the value as it is kept; Invalid names this setting."""
        try:
            return self.check(value)
        except ValueError as error:
            raise Invalid(self.name, f"{self.title}: {error}") from error


def split_place(text: str) -> tuple[str, int]:
    """Return host and port of `host[:port]`; 0 where no port is given. ValueError when it is neither."""
    host, colon, digits = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, digits = text, ""
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no host name or address.")
    if not colon or not digits:
        if text.endswith(":"):
            raise ValueError("the port is missing.")
        return host, 0
    if not digits.isascii() or not digits.isdecimal() or not 1 <= int(digits) <= 65535:
        raise ValueError(f"{digits!r} is no port.")
    return host, int(digits)


def _host(value: Any) -> str:
    if not isinstance(value, str) or not _HOST.fullmatch(value.strip()):
        raise ValueError("a host name or address.")
    return value.strip().lower()


def _place_or_nothing(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a host name or address, with :port where it is needed.")
    text = value.strip().lower()
    if text:
        split_place(text)
    return text


def _dialled(value: Any) -> str:
    if not isinstance(value, str) or not _DIALLED.fullmatch(value.strip()):
        raise ValueError("digits, letters, * # + and nothing else.")
    return value.strip()


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("on or off.")
    return value


def _number(lowest: int, highest: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}.")
        return value

    return check


def _one_of(words: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}.")
        return str(value)

    return check


def _zone(value: Any) -> str:
    return zone(str(value)).name


def languages() -> tuple[str, ...]:
    """Every language that some family speaks."""
    return tuple(
        sorted({code for family in catalog().families.values() for code in family.values["language"]})
    )


def _language(value: Any) -> str:
    if value not in languages():
        raise ValueError(f"one of {', '.join(languages())}.")
    return str(value)


# Encrypted calls and the web page are settings with more than two positions: `srtp` and `web_page` say it.
SWITCHES: Mapping[str, tuple[str, str]] = {
    "accept_calls_from_server_only": (
        "Accept calls from the SIP server only",
        "Strangers who ring the phone directly are not let through.",
    ),
    "refuse_direct_ip_calls": ("Refuse direct calls", "Nobody is called by an address alone."),
    "check_tls_certificates": (
        "Check TLS certificates",
        "The phone talks to servers only that can show who they are.",
    ),
    "lock_user_menu": ("Lock the user menu", "The phone's menu asks for its user password."),
    "provision_over_https_only": ("Provisioning over HTTPS only", "The phone fetches its files over HTTPS."),
    "random_delay_before_polling": (
        "Random delay before polling",
        "Phones that get power back at once do not ask all at once.",
    ),
}
assert set(SWITCHES) == set(HARDENING) - {"encrypt_calls", "web_page_off"}

_TRANSPORTS = tuple(transport.value for transport in Transport)
_SRTP = tuple(srtp.value for srtp in Srtp)

SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        # A name that resolves nowhere: the file can be made, and no stranger is ever sent a registration.
        Setting("sip_server", "SIP server", "Where phones register.", "sip.invalid", _host),
        Setting("sip_port", "SIP port", "0: the transport's own, 5060 or 5061.", 0, _number(0, 65535)),
        Setting(
            "sip_transport",
            "SIP transport",
            "How SIP travels between phone and server.",
            Transport.UDP.value,
            _one_of(_TRANSPORTS),
            _TRANSPORTS,
        ),
        Setting("outbound_proxy", "Outbound proxy", "host or host:port; empty: none.", "", _place_or_nothing),
        Setting(
            "register_expires", "Registration", "Seconds between registrations.", 3600, _number(60, 86400)
        ),
        Setting(
            "srtp",
            "Encrypted calls",
            "Whether the voice of a call is encrypted.",
            Srtp.OPTIONAL.value,
            _one_of(_SRTP),
            _SRTP,
        ),
        Setting("voicemail_number", "Voicemail number", "What the voicemail key dials.", "", _dialled),
        Setting("ntp_server", "Time server", "Where phones get the time.", "pool.ntp.org", _host),
        Setting("time_zone", "Time zone", "The clock on the display.", "UTC", _zone),
        Setting("language", "Language", "The language of the display.", "en", _language),
        Setting(
            "web_page",
            "The phone's own web page",
            "On: behind a random admin password. Off is safer.",
            False,
            _switch,
        ),
        *(Setting(name, title, help_, True, _switch) for name, (title, help_) in SWITCHES.items()),
    )
}
