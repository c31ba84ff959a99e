"""The neutral settings: what each is called, what it may hold, and what holds where nobody said anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from accounts.refusals import Invalid
from accounts.said import Said
from accounts.speaking import told
from devices import bounds
from devices.bounds import Bounds, Value, split_place
from devices.catalog import catalog
from devices.phone import HARDENING, VOCABULARY, CallSettings, Dtmf, NetworkSettings, Srtp, Transport
from devices.zones import zone, zone_names

__all__ = [
    "CODECS",
    "GROUPS",
    "SETTINGS",
    "SWITCHES",
    "Group",
    "Setting",
    "Value",
    "languages",
    "split_place",
    "spoken",
]


class Group(StrEnum):
    """Where a setting stands on the page."""

    SERVER = "SIP server"
    CALLS = "Calls"
    DISPLAY = "Display and clock"
    NETWORK = "Network"
    FETCHING = "Provisioning"
    PROTECTION = "Protection"


@dataclass(frozen=True, slots=True)
class Setting:
    """One neutral setting with its bounds."""

    name: str
    called: str  #: as the table has it; `title` is for people
    meaning: str
    group: Group
    default: Value
    bounds: Bounds
    for_models: bool = False  #: given for a model or a phone, never for all phones of an account

    @property
    def title(self) -> str:
        """What people call it."""
        return told(self.called)

    @property
    def help(self) -> str:
        """What it does, in a sentence or two."""
        return told(self.meaning)

    def read(self, value: Any) -> Value:
        """Return the value as it is kept; Invalid names this setting."""
        try:
            return self.bounds.check(value)
        except ValueError as error:
            raise Invalid(self.name, f"{self.title}: {told(error.args[0])}") from error

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it takes, where it takes words."""
        return tuple(self.bounds.choices)


def languages() -> tuple[str, ...]:
    """Every language that some family speaks."""
    return tuple(
        sorted({code for family in catalog().families.values() for code in family.values["language"]})
    )


def spoken(family: str, language: str) -> str:
    """The language where the family speaks it or its mother tongue, otherwise the built-in one."""
    vendor = catalog().families.get(family)
    known = vendor.values["language"] if vendor else {}
    fits = language in known or language.partition("-")[0] in known
    return language if fits else str(SETTINGS["language"].default)


# Read when they are asked for: the families' data and the zones' table are files.
def _language(value: Any) -> str:
    if value not in languages():
        raise ValueError(Said("one of {choices}.", choices=", ".join(languages())))
    return str(value)


def _zone(value: Any) -> str:
    return zone(str(value)).name


CODECS = {
    "opus": "Opus",
    "g722": "G.722 (wide band)",
    "pcma": "G.711 A-law",
    "pcmu": "G.711 \u03bc-law",
    "g729": "G.729",
}
_ALWAYS_SPOKEN = ("pcma", "pcmu")
_TRANSPORTS = {Transport.UDP: "UDP", Transport.TCP: "TCP", Transport.TLS: "TLS"}
_SRTP = {Srtp.OFF: "Never", Srtp.OPTIONAL: "Where both sides can", Srtp.REQUIRED: "Always"}
_DTMF = {Dtmf.RTP: "As events (RFC 4733)", Dtmf.SIP_INFO: "As SIP INFO", Dtmf.IN_BAND: "As tones"}
_DATES = {
    "day-month-year": "31 October 2026",
    "month-day-year": "October 31, 2026",
    "year-month-day": "2026-10-31",
}
_LEVELS = {"error": "Errors", "warning": "Warnings", "info": "Information", "debug": "Everything"}
_DARK = {str(seconds): f"After {seconds} seconds" for seconds in (15, 30, 60, 120, 300, 600, 1800)}
_AS_IS = "Empty: as the phone has it."
_CALLS, _NETWORK = CallSettings(), NetworkSettings()

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
    "provision_over_https_only": (
        "Provisioning over HTTPS only",
        "Off: over HTTP, for phones that do not trust the server; their passwords then travel readable.",
    ),
    "random_delay_before_polling": (
        "Random delay before polling",
        "Each phone asks at a minute of its own. Off: all ask at the beginning of the check-in window.",
    ),
}
assert set(SWITCHES) == set(HARDENING) - {"encrypt_calls", "web_page_off"}


def _table() -> list[Setting]:
    server, calls, display = Group.SERVER, Group.CALLS, Group.DISPLAY
    network, fetching, protection = Group.NETWORK, Group.FETCHING, Group.PROTECTION
    words = bounds.one_of
    return [
        # A name that resolves nowhere: the file can be made, and no stranger is ever sent a registration.
        Setting("sip_server", "SIP server", "Where phones register.", server, "sip.invalid", bounds.host()),
        Setting(
            "sip_port",
            "SIP port",
            "0: the transport's own, 5060 or 5061.",
            server,
            0,
            bounds.number(0, 65535),
        ),
        Setting(
            "sip_transport",
            "SIP transport",
            "How SIP travels between phone and server.",
            server,
            Transport.UDP.value,
            words({transport.value: title for transport, title in _TRANSPORTS.items()}),
        ),
        Setting(
            "outbound_proxy",
            "Outbound proxy",
            "Where SIP goes on its way to the server: host or host:port. Empty: straight to the server.",
            server,
            "",
            bounds.place(),
        ),
        Setting(
            "register_expires",
            "Registration",
            "Seconds from one registration to the next.",
            server,
            3600,
            bounds.number(60, 86400),
        ),
        Setting(
            "voicemail_number",
            "Voicemail number",
            "What the voicemail key dials.",
            calls,
            "",
            bounds.dialled(),
        ),
        Setting(
            "codecs",
            "Codecs",
            "The most wanted first; the others are off. A phone leaves out what it does not know.",
            calls,
            list(_CALLS.codecs),
            bounds.in_order(CODECS, _ALWAYS_SPOKEN),
        ),
        Setting(
            "dtmf",
            "Digits during a call",
            "How digits reach the other side, such as a menu that asks for them.",
            calls,
            _CALLS.dtmf.value,
            words({way.value: title for way, title in _DTMF.items()}),
        ),
        Setting(
            "call_waiting",
            "Call waiting",
            "A second call is shown and heard. Off: the caller hears that the line is busy.",
            calls,
            True,
            bounds.switch(),
        ),
        Setting(
            "dnd_key",
            "Do not disturb",
            "The phone offers its user to refuse all calls.",
            calls,
            True,
            bounds.switch(),
        ),
        Setting(
            "forward_key",
            "Call forwarding",
            "The phone offers its user to forward calls.",
            calls,
            True,
            bounds.switch(),
        ),
        Setting(
            "ring_tone",
            "Ring tone",
            f"One of the phone's own, by its number. {_AS_IS}",
            calls,
            "",
            bounds.number(1, 5, optional=True),
        ),
        Setting(
            "srtp",
            "Encrypted calls",
            "Whether the voice of a call is encrypted.",
            calls,
            Srtp.OPTIONAL.value,
            words({srtp.value: title for srtp, title in _SRTP.items()}),
        ),
        Setting(
            "ntp_server", "Time server", "Where phones get the time.", display, "pool.ntp.org", bounds.host()
        ),
        Setting(
            "time_zone",
            "Time zone",
            "The clock on the display. An account and a site have one of their own.",
            display,
            "UTC",
            Bounds(bounds.Kind.CHOICE, _zone, {name: name for name in zone_names()}),
        ),
        Setting(
            "date_format",
            "Date",
            f"The order of day, month and year; a phone that knows fewer takes the nearest. {_AS_IS}",
            display,
            "",
            words(_DATES, optional=True),
        ),
        Setting(
            "time_format",
            "Time of the day",
            f"Up to 24 or up to 12 hours. {_AS_IS}",
            display,
            "",
            words({"24": "24 hours", "12": "12 hours, am and pm"}, optional=True),
        ),
        Setting(
            "language",
            "Language",
            "The language of the display; English on phones that do not speak it.",
            display,
            "en",
            Bounds(bounds.Kind.CHOICE, _language, {code: code for code in languages()}),
        ),
        Setting(
            "backlight_seconds",
            "Light of the display",
            f"When the display of a phone at rest goes dark. {_AS_IS}",
            display,
            "",
            words(_DARK, optional=True),
        ),
        Setting(
            "voice_vlan",
            "VLAN of the phone",
            "Its number; 0: none. A wrong number cuts the phone off until somebody sets it at the phone."
            " Empty: as the phone and its switch have it.",
            network,
            "",
            bounds.number(0, 4094, optional=True),
        ),
        Setting(
            "voice_vlan_priority",
            "Priority in the VLAN",
            "From 0 to 7, written where the phone has a VLAN.",
            network,
            _NETWORK.vlan_priority,
            bounds.number(0, 7),
        ),
        Setting(
            "pc_vlan",
            "VLAN of the computer",
            "Of the computer that is plugged into the phone; 0: none. Empty: as the phone has it.",
            network,
            "",
            bounds.number(0, 4094, optional=True),
        ),
        Setting(
            "sip_dscp",
            "Quality mark of SIP",
            "DSCP from 0 to 63, by which routers let it pass first.",
            network,
            _NETWORK.sip_dscp,
            bounds.number(0, 63),
        ),
        Setting(
            "rtp_dscp",
            "Quality mark of voice",
            "DSCP from 0 to 63; 46 is the usual one.",
            network,
            _NETWORK.rtp_dscp,
            bounds.number(0, 63),
        ),
        Setting(
            "syslog_server",
            "Syslog server",
            "Where phones send their log. Empty: nowhere.",
            network,
            "",
            bounds.host(optional=True),
        ),
        Setting(
            "syslog_level",
            "Syslog level",
            "What phones send there. Everything may hold numbers that were called.",
            network,
            _NETWORK.syslog_level,
            words(_LEVELS),
        ),
        Setting(
            "poll_hours",
            "Hours between check-ins",
            "24: once a day, in the window. Fewer: every so many hours from the phone's own start.",
            fetching,
            24,
            bounds.number(1, 24),
        ),
        Setting(
            "poll_window",
            "Check-in window",
            "Two times of the day such as 22:00-06:00, by the phone's clock. Empty: any time, each phone has"
            " its own.",
            fetching,
            "",
            bounds.window(),
        ),
        Setting(
            "firmware",
            "Firmware",
            "The address of the image that the phone shall run, by http or https; it fetches it at its next"
            " check-in. Empty: none, it keeps what it has and never updates by itself. Given for a model or"
            " for a phone.",
            fetching,
            "",
            bounds.image(),
            for_models=True,
        ),
        Setting(
            "web_page",
            "The phone's own web page",
            "On: behind a random admin password. Off is safer.",
            protection,
            False,
            bounds.switch(),
        ),
        *(
            Setting(name, title, help_, protection, True, bounds.switch())
            for name, (title, help_) in SWITCHES.items()
        ),
    ]


SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _table()}
assert set(SETTINGS) == {*VOCABULARY, *SWITCHES, "srtp", "web_page"}

GROUPS: Mapping[Group, tuple[Setting, ...]] = {
    group: tuple(setting for setting in SETTINGS.values() if setting.group is group) for group in Group
}
