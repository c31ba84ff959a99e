"""Sends SIP requests to the SIP edge and waits for their answers, many at a time (RFC 3261 17.1.2)."""

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, cast

import structlog

from provisioning.sip_message import Answer, Notify, SipEdge, cut, read_answer

log = structlog.get_logger(__name__)

COOKIE = "z9hG4bK"  # what every branch begins with
NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class Timers:
    """How long things take: T1 is the way there and back, all else is a multiple of it."""

    t1: float = 0.5

    @property
    def t2(self) -> float:
        """The longest time between two copies of a request."""
        return 8 * self.t1

    @property
    def f(self) -> float:
        """When nobody waits any longer."""
        return 64 * self.t1


class _Way(Protocol):
    """One end of the way to the SIP edge."""

    here: tuple[str, int]

    def send(self, message: bytes) -> None: ...

    def close(self) -> None: ...


class Exchange:
    """An open way to the SIP edge: `status = await exchange.ask(notify)`; used with `async with`."""

    def __init__(self, edge: SipEdge, timers: Timers) -> None:
        self.edge, self.timers = edge, timers
        self._waiting: dict[str, asyncio.Queue[Answer]] = {}
        self._way: _Way | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._way is not None:
            self._way.close()

    async def ask(self, notify: Notify) -> int:
        """Send it and return the final status, or NO_ANSWER when Timer F fires or there is no way."""
        branch = COOKIE + secrets.token_hex(8)
        answers = self._waiting[branch] = asyncio.Queue()
        try:
            async with asyncio.timeout(self.timers.f):
                return await self._ask(notify, branch, answers)
        except TimeoutError:
            return NO_ANSWER
        except OSError as error:
            log.warning("no way to the SIP edge", edge=str(self.edge), error=str(error))
            return NO_ANSWER
        finally:
            del self._waiting[branch]

    async def _ask(self, notify: Notify, branch: str, answers: "asyncio.Queue[Answer]") -> int:
        way = await self._open()
        host, port = way.here
        transport = self.edge.transport
        request = notify.as_bytes(host=host, port=port, transport=transport, branch=branch)
        way.send(request)
        # A stream loses nothing, so only datagrams are sent again (Timer E).
        pause = self.timers.t1 if transport == "udp" else self.timers.f
        while True:
            try:
                async with asyncio.timeout(pause):
                    answer = await answers.get()
            except TimeoutError:
                way.send(request)
                pause = min(2 * pause, self.timers.t2)
                continue
            if answer.is_final:
                return answer.status
            pause = max(pause, self.timers.t2) if transport == "tcp" else self.timers.t2

    async def _open(self) -> _Way:
        async with self._opening:
            if self._way is None:
                opener = _Datagrams.open if self.edge.transport == "udp" else _Stream.open
                self._way = await opener(self)
            return self._way

    def arrived(self, message: bytes) -> None:
        """Give an answer to whoever waits for it; what nobody waits for is a copy, or none of ours."""
        answer = read_answer(message)
        if answer is not None and answer.branch in self._waiting:
            self._waiting[answer.branch].put_nowait(answer)

    def lost(self, way: _Way) -> None:
        """The connection broke: who waits gets no answer by it, and the next request opens another."""
        if self._way is way:
            self._way = None
        for branch, answers in self._waiting.items():
            answers.put_nowait(Answer(503, branch))  # RFC 3261 8.1.3.1


class _Datagrams(asyncio.DatagramProtocol):
    """One connected socket: only the SIP edge's own address can answer."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    @classmethod
    async def open(cls, exchange: Exchange) -> "_Datagrams":
        edge = exchange.edge
        _, way = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: cls(exchange), remote_addr=(edge.host, edge.port)
        )
        return way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # Python 3.11's own is none by its class
        self.here = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.exchange.arrived(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there at this moment; it is sent again until Timer F says that it is enough."""

    def send(self, message: bytes) -> None:
        self.transport.sendto(message)

    def close(self) -> None:
        self.transport.close()


class _Stream(asyncio.Protocol):
    """One connection for all requests, opened again when it was lost."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange, self.read = exchange, b""

    @classmethod
    async def open(cls, exchange: Exchange) -> "_Stream":
        edge = exchange.edge
        loop = asyncio.get_running_loop()
        _, way = await loop.create_connection(lambda: cls(exchange), edge.host, edge.port)
        return way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.here = transport.get_extra_info("sockname")[:2]

    def data_received(self, data: bytes) -> None:
        self.read += data
        try:
            while found := cut(self.read):
                message, self.read = found
                self.exchange.arrived(message)
        except ValueError:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.exchange.lost(self)

    def send(self, message: bytes) -> None:
        with contextlib.suppress(RuntimeError):  # closing already: `lost` tells
            self.transport.write(message)

    def close(self) -> None:
        self.transport.close()
