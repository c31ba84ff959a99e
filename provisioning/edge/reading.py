"""What a request says, as far as the rules ask: who, how, which path, and a browser's marks."""

import functools
import re
from collections.abc import Awaitable, Callable
from typing import Any, Self

from devices.mac import parse_mac
from devices.user_agent import parse_agent
from provisioning.edge.config import Config
from provisioning.gate import Caller, Method
from provisioning.pressed import places
from security.client_ip import client_ip, is_proxy
from security.networks import Network, origin_of

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]

LONGEST_AGENT = 256
_METHODS = {
    "GET": Method.GET,
    "HEAD": Method.HEAD,
    "PUT": Method.UPLOAD,
    "POST": Method.UPLOAD,
}
_MARKS = frozenset({b"origin", b"referer", b"cookie"})
TOKEN_LENGTH = 40
_TOKEN_LIKE = re.compile(r"[a-z0-9]{40,}")
_COMMON_NAME = re.compile(rb"(?:^|[,/+])\s*CN\s*=\s*([^,/+]+)")


class Where:
    """A caller's address in every form that is needed."""

    __slots__ = ("address", "blocked_caller", "caller", "hex", "key", "origin", "places", "standings")

    def __init__(self, address: int) -> None:
        self.address = address
        self.hex = f"{address:x}"
        self.origin = origin_of(address)
        self.places = places(address)
        self.standings = tuple(place.standing for place in self.places)
        self.key = self.standings[0]
        self.caller = Caller(address)
        self.blocked_caller = Caller(address, blocked=True)


class Call:
    """One request."""

    __slots__ = (
        "agent",
        "headers",
        "is_head",
        "method",
        "raw_path",
        "receive",
        "scope",
        "through_proxy",
        "where",
    )

    def __init__(
        self,
        method: str,
        raw_path: bytes,
        headers: dict[bytes, bytes],
        where: Where | None,
        through_proxy: bool,
        scope: Scope | None = None,
        receive: Receive | None = None,
    ) -> None:
        self.method = _METHODS.get(method, Method.OTHER)
        self.is_head = method == "HEAD"
        self.raw_path = raw_path
        self.headers = headers
        self.where = where
        self.through_proxy = through_proxy
        self.scope = scope
        self.receive = receive
        self.agent = hide_tokens(headers.get(b"user-agent", b"")[:LONGEST_AGENT].decode("latin-1"))

    @classmethod
    def of_scope(cls, scope: Scope, receive: Receive, config: Config) -> Self:
        """Read an ASGI request."""
        peer = scope["client"][0] if scope.get("client") else None
        pairs = scope["headers"]
        lines = tuple(value for name, value in pairs if name == b"x-forwarded-for")
        where, through_proxy = find_caller(peer, lines, config.trusted)
        raw_path = scope.get("raw_path") or scope["path"].encode()
        # Of a header sent twice the last one counts; X-Forwarded-For is read from all its lines.
        return cls(scope["method"], raw_path, dict(pairs), where, through_proxy, scope, receive)

    @property
    def is_browser(self) -> bool:
        """G2: marks that no phone sends.

        A browser sends none of them over plain HTTP when the page asks for no referrer; then its agent tells,
        which no phone's is, with the languages that its reader speaks.
        """
        headers = self.headers
        if not _MARKS.isdisjoint(headers) or any(name.startswith(b"sec-fetch-") for name in headers):
            return True
        reads = b"accept-language" in headers and self.agent.startswith("Mozilla/")
        return reads and parse_agent(self.agent) is None

    @property
    def is_secure(self) -> bool:
        """Whether it came over HTTPS, as a trusted proxy says or as our own server knows."""
        if self.through_proxy:
            return self.headers.get(b"x-forwarded-proto") == b"https"
        return self.scope is not None and self.scope.get("scheme") == "https"

    @property
    def certificate_mac(self) -> str | None:
        """The MAC in a client certificate that a trusted proxy has verified."""
        if not self.through_proxy or self.headers.get(b"x-client-verify") != b"SUCCESS":
            return None
        pairs = self.scope["headers"] if self.scope else ()
        names = [value for name, value in pairs if name == b"x-client-s-dn"]
        found = [cn for name in names for cn in _COMMON_NAME.findall(name)]
        if len(found) != 1:
            return None
        try:
            return parse_mac(found[0].decode("latin-1").strip())
        except ValueError:
            return None

    async def body(self, most: int) -> bytes | None:
        """Read the body; None when it is longer than `most` or the caller went away."""
        assert self.receive is not None
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                return None
            part = message.get("body", b"")
            size += len(part)
            if size > most:
                return None
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)


def find_caller(
    peer: str | None, forwarded_for: tuple[bytes, ...], trusted: tuple[Network, ...]
) -> tuple[Where | None, bool]:
    """Return who asks, and whether a proxy of ours says so."""
    if not trusted:
        return _where_of_peer(peer), False
    return _where_through(peer, forwarded_for, trusted)


def hide_tokens(text: str) -> str:
    """Whatever looks like a token is not one's to keep (T7), wherever a caller has put it."""
    if max(map(len, text.split()), default=0) < TOKEN_LENGTH:
        return text
    return _TOKEN_LIKE.sub("-", text)


@functools.lru_cache(maxsize=65536)
def _where_of_peer(peer: str | None) -> Where | None:
    address = client_ip(peer, (), ())
    return None if address is None else _where(address)


@functools.lru_cache(maxsize=65536)
def _where_through(
    peer: str | None, forwarded_for: tuple[bytes, ...], trusted: tuple[Network, ...]
) -> tuple[Where | None, bool]:
    lines = [line.decode("latin-1") for line in forwarded_for]
    address = client_ip(peer, lines, trusted)
    return (None if address is None else _where(address)), is_proxy(peer, trusted)


@functools.lru_cache(maxsize=65536)
def _where(address: int) -> Where:
    return Where(address)
