"""What a phone's file is made of: plain values only, built from rows by the caller. Pure."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

#: Every neutral protection (rules.md section 8). A family translates each one or lists it in `cannot`.
HARDENING = (
    "accept_calls_from_server_only",
    "refuse_direct_ip_calls",
    "web_page_off",
    "check_tls_certificates",
    "encrypt_calls",
    "lock_user_menu",
    "provision_over_https_only",
    "random_delay_before_polling",
)


class Transport(StrEnum):
    """How SIP travels between the phone and its server."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class Srtp(StrEnum):
    """Whether the voice of a call is encrypted."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


class KeyKind(StrEnum):
    """What a programmable key does."""

    LINE = "line"
    BLF = "blf"
    SPEED_DIAL = "speed_dial"
    PARK = "park"
    URL = "url"
    DTMF = "dtmf"
    EMPTY = "empty"


NEED_NO_LINE = (KeyKind.URL, KeyKind.EMPTY)


@dataclass(frozen=True, slots=True)
class Line:
    """One appearance: the line key at `position` (from 1) shows this extension."""

    position: int
    username: str
    auth_name: str
    secret: str = field(repr=False)
    realm: str = ""
    display_name: str = ""
    label: str = ""
    shared: bool = False


@dataclass(frozen=True, slots=True)
class KeySetting:
    """One programmable key; `position` counts in the same row as the lines, expansion modules follow."""

    position: int
    kind: KeyKind
    value: str = ""
    label: str = ""
    line: int = 0  #: the position of the Line that it calls on; 0 is the first one


@dataclass(frozen=True, slots=True)
class SipServer:
    """Where the phone registers."""

    host: str
    port: int = 5060
    transport: Transport = Transport.UDP
    outbound_host: str = ""
    outbound_port: int = 0  #: 0 is the transport's own port
    expires: int = 3600
    srtp: Srtp = Srtp.OFF


@dataclass(frozen=True, slots=True)
class TimeSettings:
    """The clock on the display: an IANA zone name and a time server."""

    zone: str = "UTC"
    ntp: str = "pool.ntp.org"


@dataclass(frozen=True, slots=True)
class PhoneSettings:
    """Everything a phone's file depends on besides its URL; equal settings give equal bytes."""

    mac: str
    family: str
    model: str
    name: str
    sip: SipServer
    lines: tuple[Line, ...] = ()
    keys: tuple[KeySetting, ...] = ()
    time: TimeSettings = TimeSettings()
    language: str = "en"
    voicemail_number: str = ""
    web_page: bool = False
    admin_password: str = field(default="", repr=False)
    user_password: str = field(default="", repr=False)
    poll_minute: int = 0  #: minute of the day, 0 to 1439, drawn once per device
    hardening: frozenset[str] = frozenset(HARDENING)
    generation: str | None = None  #: firmware generation when known, otherwise the model's own

    def without_accounts(self) -> "PhoneSettings":
        """As a retired phone's last file says it: no line, and no key that would need one."""
        keys = tuple(replace(key, line=0) for key in self.keys if key.kind in NEED_NO_LINE)
        return replace(self, lines=(), keys=keys)
