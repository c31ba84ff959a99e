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


class Dtmf(StrEnum):
    """How the digits dialled during a call travel."""

    RTP = "rtp"
    SIP_INFO = "sip_info"
    IN_BAND = "in_band"


#: Every neutral setting that a family's files express, or that it declines in `cannot_set`. What the
#: protections decide (their switches, encryption, the web page) stands in `hardening` and `cannot`.
VOCABULARY = (
    "sip_server",
    "sip_port",
    "sip_transport",
    "outbound_proxy",
    "register_expires",
    "voicemail_number",
    "codecs",
    "dtmf",
    "call_waiting",
    "dnd_key",
    "forward_key",
    "ring_tone",
    "ntp_server",
    "time_zone",
    "date_format",
    "time_format",
    "language",
    "backlight_seconds",
    "voice_vlan",
    "voice_vlan_priority",
    "pc_vlan",
    "sip_dscp",
    "rtp_dscp",
    "syslog_server",
    "syslog_level",
    "poll_hours",
    "poll_window",
    "firmware",
)


class Ring(StrEnum):
    """Whether a phone rings for a shared line that it shows."""

    NOW = "now"
    DELAYED = "delayed"
    NEVER = "never"


class KeyKind(StrEnum):
    """What a programmable key does."""

    LINE = "line"
    BLF = "blf"
    SPEED_DIAL = "speed_dial"
    PARK = "park"
    URL = "url"
    DTMF = "dtmf"
    EMPTY = "empty"


#: What a family may be unable to say of a shared line; it lists what it cannot in `line_cannot`.
SHARING = ("shared", "call_appearances", "barge_in", "delayed", "never")

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
    call_appearances: int = 2  #: calls that a shared line holds at once
    barge_in: bool = True  #: others who show the shared line may join its call
    ring: Ring = Ring.NOW

    @property
    def rings(self) -> Ring:
        """When it rings; a line that no other phone shows always does."""
        return self.ring if self.shared else Ring.NOW

    @property
    def says_ring(self) -> bool:
        """Whether the file names it: also once it is shared no longer, since phones keep what is left out."""
        return self.shared or self.ring is not Ring.NOW


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
    """The clock on the display: an IANA zone name, a time server, and how date and time are written."""

    zone: str = "UTC"
    ntp: str = "pool.ntp.org"
    date_format: str = ""  #: day-month-year, month-day-year, year-month-day; empty: as the phone has it
    time_format: str = ""  #: 24 or 12 hours; empty: as the phone has it


@dataclass(frozen=True, slots=True)
class CallSettings:
    """How a call sounds and what the phone lets its user do with it."""

    codecs: tuple[str, ...] = ("g722", "pcma", "pcmu", "g729")  #: the first that both sides know is taken
    dtmf: Dtmf = Dtmf.RTP
    waiting: bool = True  #: a second call is let through
    dnd_key: bool = True  #: the user may refuse all calls
    forward_key: bool = True  #: the user may forward calls
    ring_tone: int | None = None  #: by its number; None: as the phone has it


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """The phone in its local network; a VLAN of None stays as the phone and its switch have it."""

    vlan: int | None = None  #: 0 is none
    vlan_priority: int = 5
    pc_vlan: int | None = None  #: of the computer plugged into the phone; 0 is none
    sip_dscp: int = 26
    rtp_dscp: int = 46
    syslog: str = ""  #: empty: no log leaves the phone
    syslog_level: str = "warning"  #: error | warning | info | debug


@dataclass(frozen=True, slots=True)
class PollSettings:
    """How often the phone asks again, and between which minutes of the day when it is once a day."""

    hours: int = 24
    begin: int = 0
    end: int = 24 * 60  #: before `begin`: the window reaches over midnight


@dataclass(frozen=True, slots=True)
class BookEntry:
    """One name of a company's phone book with what can be dialled for it, the foremost first."""

    name: str
    numbers: tuple[tuple[str, str], ...]  #: the kind (number, mobile, other) and what is dialled


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
    calls: CallSettings = CallSettings()
    network: NetworkSettings = NetworkSettings()
    poll: PollSettings = PollSettings()
    backlight: int | None = None  #: seconds until the display goes dark; None: as the phone has it
    language: str = "en"
    voicemail_number: str = ""
    web_page: bool = False
    admin_password: str = field(default="", repr=False)
    user_password: str = field(default="", repr=False)
    poll_minute: int = 0  #: minute of the day, 0 to 1439, drawn once per device
    hardening: frozenset[str] = frozenset(HARDENING)
    firmware: str = ""  #: address of the image that it shall run; empty: none, it keeps what it has
    generation: str | None = None  #: firmware generation when known, otherwise the model's own
    raw: tuple[tuple[str, str], ...] = ()  #: the vendor's own keys that people added, in order
    has_book: bool = True  #: it may fetch its company's phone book

    @property
    def spreads_polls(self) -> bool:
        """Whether it asks at a minute of its own, not at its window's beginning."""
        return "random_delay_before_polling" in self.hardening

    @property
    def plain_http(self) -> bool:
        """Whether its files may travel readable: somebody switched HTTPS off for it."""
        return "provision_over_https_only" not in self.hardening

    def without_accounts(self) -> "PhoneSettings":
        """As a retired phone's last file says it: no line, and no key that would need one."""
        keys = tuple(replace(key, line=0) for key in self.keys if key.kind in NEED_NO_LINE)
        return replace(self, lines=(), keys=keys, raw=(), has_book=False)
