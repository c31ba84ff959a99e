"""The one SIP message that is sent: a NOTIFY outside of any dialog, and what may come back. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import quote

PORT = 5060
TRANSPORTS = ("udp", "tcp")
SENDER = "latchkey"  # the user of From and Contact; the SIP edge knows this portal by its address
MOST_HEADERS = 65536  # a stream that goes on for longer without an end of headers speaks no SIP

_EDGE = re.compile(
    r"(?:sip:)?(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,252}[A-Za-z0-9])?)"
    r"(?::(?P<port>[0-9]{1,5}))?(?:;transport=(?P<transport>[A-Za-z]+))?"
)
_HOST = re.compile(r"\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,252}[A-Za-z0-9])?")
_TOKEN = r"[A-Za-z0-9.!%*_+`'~\-]+"  # noqa: S105  (RFC 3261's word)
_EVENT = re.compile(rf"{_TOKEN}(?:;{_TOKEN}(?:={_TOKEN})?)*")
_STATUS = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: .*)?")
_BRANCH = re.compile(rf";\s*branch\s*=\s*({_TOKEN})", re.IGNORECASE)
_COMPACT = {"v": "via", "l": "content-length"}
_UNRESERVED_IN_USER = "-_.!~*'()&=+$,;?/"


@dataclass(frozen=True, slots=True)
class SipEdge:
    """Where NOTIFYs go: the provider's SIP proxy, which knows where each phone is."""

    host: str  #: without brackets
    port: int
    transport: str  #: udp | tcp

    @classmethod
    def parse(cls, text: str) -> "SipEdge | None":
        """Read "sip:host:port" or "host:port;transport=tcp"; None for no text, ValueError for a bad one."""
        if not text.strip():
            return None
        found = _EDGE.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no address such as sip.example.net:5060;transport=udp")
        port, transport = int(found["port"] or PORT), (found["transport"] or "udp").lower()
        if not 0 < port < 65536:
            raise ValueError(f"{port} is no port")
        if transport not in TRANSPORTS:
            raise ValueError(f"the transport is one of {', '.join(TRANSPORTS)}, not {transport!r}")
        return cls(found["host"].strip("[]"), port, transport)

    def __str__(self) -> str:
        return f"{spell_host(self.host)}:{self.port};transport={self.transport}"


@dataclass(frozen=True, slots=True)
class Notify:
    """Who is told what: the user and realm of a phone's line, and the event that its family knows."""

    user: str
    realm: str
    event: str
    call_id: str
    tag: str

    def __post_init__(self) -> None:
        if not self.user or any(ord(character) < 33 or ord(character) == 127 for character in self.user):
            raise ValueError("the line has no name that SIP can address")
        if not _HOST.fullmatch(self.realm):
            raise ValueError(f"{self.realm!r} is no host that SIP can address")
        if not _EVENT.fullmatch(self.event):
            raise ValueError(f"{self.event!r} is no event")

    @property
    def address(self) -> str:
        return f"sip:{quote(self.user, safe=_UNRESERVED_IN_USER)}@{self.realm}"

    def as_bytes(self, *, host: str, port: int, transport: str, branch: str) -> bytes:
        """Return the request as it is sent from this end; `branch` names the transaction (8.1.1.7)."""
        here = f"{spell_host(host)}:{port}"
        by_tcp = ";transport=tcp" if transport == "tcp" else ""
        return "\r\n".join(
            (
                f"NOTIFY {self.address} SIP/2.0",
                f"Via: SIP/2.0/{transport.upper()} {here};branch={branch};rport",
                "Max-Forwards: 70",
                f"From: <sip:{SENDER}@{self.realm}>;tag={self.tag}",
                f"To: <{self.address}>",
                f"Call-ID: {self.call_id}",
                "CSeq: 1 NOTIFY",
                f"Contact: <sip:{SENDER}@{here}{by_tcp}>",
                f"Event: {self.event}",
                "Subscription-State: terminated",  # nobody subscribed, and nothing follows
                "User-Agent: Latchkey",
                "Content-Length: 0",
                "",
                "",
            )
        ).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the transaction that it is for."""

    status: int
    branch: str

    @property
    def is_final(self) -> bool:
        return self.status >= 200


def spell_host(host: str) -> str:
    """An IPv6 address stands in brackets."""
    return f"[{host}]" if ":" in host else host


def read_answer(message: bytes) -> Answer | None:
    """The answer that one whole message is; None for requests, and for what speaks no SIP."""
    lines = _lines(message)
    status = _STATUS.fullmatch(lines[0]) if lines else None
    if status is None:
        return None
    headers = _headers(lines[1:])
    branch = _BRANCH.search(headers.get("via", "").partition(",")[0])
    if branch is None or not headers.get("cseq", "").upper().endswith(" NOTIFY"):
        return None
    return Answer(int(status[1]), branch[1])


def cut(stream: bytes) -> tuple[bytes, bytes] | None:
    """The first whole message of a stream and the rest; None while it is not there, ValueError for no SIP."""
    stream = stream.lstrip(b"\r\n")  # a peer keeps the connection open with empty lines
    head, end, rest = stream.partition(b"\r\n\r\n")
    if not end:
        if len(stream) > MOST_HEADERS:
            raise ValueError("no end of headers")
        return None
    length = int(_headers(_lines(head)[1:]).get("content-length") or 0)
    if not 0 <= length <= MOST_HEADERS:
        raise ValueError("no length of a body")
    return (head + end + rest[:length], rest[length:]) if len(rest) >= length else None


def _lines(message: bytes) -> list[str]:
    head = message.partition(b"\r\n\r\n")[0].decode("utf-8", errors="replace")
    return re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")  # a folded line is one line


def _headers(lines: list[str]) -> dict[str, str]:
    """Each header's first value, by its lower-case long name."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        found.setdefault(_COMPACT.get(name, name), value.strip())
    return found
