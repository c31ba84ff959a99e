"""HTTP to other people's machines: by https, to addresses that we looked up and checked, within limits.

A name is looked up once and the connection goes to one of the very addresses that were checked, so that a
name which answers differently a moment later leads nowhere else. There are no redirects, no proxies, no
cookies: what is used here is the layer below a client that would have them. Knows no Django.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from accounts.said import Said
from security.networks import AddressError, Network, any_holds, parse_address, parse_network

MOST_BYTES = 64 * 1024
A_CONNECTION = 3.0  # seconds for one address of several
MOST_ADDRESSES = 4
LOOK_UPS = 64  # names that are looked up at once; one of which no server knows holds its place for long

#: Of a version of IP everything that is not one place of the Internet; listed here, since what Python calls
#: global differs between its releases.
NOWHERE = tuple(
    parse_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
UNICAST_V6 = parse_network("2000::/3")  # all that is given out; what lies outside is NAT64, local, multicast
LOOPBACK = (parse_network("127.0.0.0/8"), parse_network("::1/128"))


NO_ADDRESS = Said("Write an address that begins with https://.")


class Refused(Exception):
    """Nothing was sent there; the text says why."""

    def __init__(self, said: Said) -> None:
        super().__init__(said)
        self.said = said


@dataclass(frozen=True, slots=True)
class Guard:
    """Where one may go beyond the public Internet, and whether without encryption, too."""

    networks: tuple[Network, ...] = ()
    plain: bool = False  #: http anywhere; else only to those networks

    def check(self, address: str, *, is_plain: bool) -> None:
        """Refuse an address that is not for us to reach."""
        number = parse_address(address)
        if any_holds(self.networks, number):
            return
        network = Network(number, number)
        if any_holds(NOWHERE, number) or not (network.is_v4 or number in UNICAST_V6):
            raise Refused(Said("{address} is no public address.", address=address))
        if is_plain and not self.plain:
            raise Refused(Said("Only https goes over the Internet."))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status with the beginning of a body, or why there is none."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    why: Said | str = ""
    took: float = 0.0

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Target:
    """An address as it was written down."""

    scheme: str
    host: str
    port: int | None

    @property
    def is_number(self) -> bool:
        """Whether it says an address itself, so that nothing is left to look up."""
        with contextlib.suppress(AddressError):
            return bool(parse_address(self.host))
        return False

    @property
    def place(self) -> str:
        """What may be told of it: path and query may be a secret of the other side."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")


def read_url(url: str) -> Target:
    """Take an address apart. Refuses what is no web address, or one with a password in it."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").encode("idna").decode()
    except ValueError as error:
        raise Refused(NO_ADDRESS) from error
    if parts.scheme not in ("https", "http") or not host or not url.isascii() or not url.isprintable():
        raise Refused(NO_ADDRESS)
    if " " in url or "\\" in url or parts.fragment:
        raise Refused(Said("This cannot stand in an address."))
    if "@" in parts.netloc:
        raise Refused(Said("An address names no user and no password."))
    return Target(parts.scheme, host, port)


async def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    guard: Guard,
    seconds: float,
    content: bytes = b"",
    most: int = MOST_BYTES,
) -> Answer:
    """Ask once and return what came of it, whatever that is; one connection, closed when it is over."""
    began = time.monotonic()
    status, kept, read = 0, dict[str, str](), bytearray()
    why: Said | str = ""
    try:
        is_plain = read_url(url).scheme == "http"
        async with asyncio.timeout(seconds), _pool(_Checked(guard, is_plain)) as pool:
            sent = {"host": urlsplit(url).netloc, "accept-encoding": "identity", **headers}
            if content:
                sent["content-length"] = str(len(content))
            async with pool.stream(
                method, url, headers=list(sent.items()), content=content or None
            ) as answer:
                status = answer.status
                kept = {name.decode("latin-1").lower(): _text(value) for name, value in answer.headers}
                async for part in answer.aiter_stream():
                    read += part
                    if len(read) >= most:
                        break
    except Refused as refused:
        why = refused.said
    except TimeoutError:
        why = Said("No answer within {seconds} seconds.", seconds=round(seconds))
    except httpcore2.ProtocolError as error:
        why = Said("The answer is no HTTP: {error}.", error=_cause(error))
    except (httpcore2.NetworkError, httpcore2.TimeoutException, OSError) as error:
        why = Said("No connection: {error}.", error=_cause(error))
    return Answer(status, kept, bytes(read[:most]), "" if status else why, time.monotonic() - began)


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")


def _cause(error: BaseException) -> str:
    """What the lowest layer said."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text or type(error).__name__).rstrip(".")[:200]


# --- names and connections ---------------------------------------------------------------------------------


@cache
def certificates() -> ssl.SSLContext:
    """Those of the machine; read once, since that takes longer than a connection."""
    return httpcore2.default_ssl_context()


def _pool(backend: httpcore2.AsyncNetworkBackend) -> httpcore2.AsyncConnectionPool:
    return httpcore2.AsyncConnectionPool(
        ssl_context=certificates(), max_connections=1, network_backend=backend
    )


class _Checked(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that it has looked up and found fit; encryption is for the name all the same."""

    def __init__(self, guard: Guard, is_plain: bool) -> None:
        self._guard, self._is_plain = guard, is_plain
        self._below = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await look_up(host)
        for address in addresses:
            self._guard.check(address, is_plain=self._is_plain)
        *others, last = addresses[:MOST_ADDRESSES]
        for address in others:
            with contextlib.suppress(httpcore2.NetworkError, httpcore2.TimeoutException):
                return await self._below.connect_tcp(address, port, A_CONNECTION, None, socket_options)
        return await self._below.connect_tcp(last, port, timeout, None, socket_options)


_looked_up: dict[str, "Future[list[Any]]"] = {}


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="look-up")


async def look_up(host: str) -> list[str]:
    """All addresses of a name. Whoever asks for one that is being looked up waits for the same answer."""
    future = _looked_up.get(host)
    if future is None:
        future = _looked_up[host] = _threads().submit(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        future.add_done_callback(lambda _: _looked_up.pop(host, None))
    while not future.done():  # asked, not told: a look-up may outlast the loop that wanted it
        await asyncio.sleep(0.01)
    try:
        found = future.result()
    except (OSError, UnicodeError) as error:
        raise Refused(Said("The name {host} is not known.", host=host)) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
