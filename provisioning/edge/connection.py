"""One pipelined connection to the store: commands leave as they come, replies come back in the same order.

redis-py's asyncio client waits for each reply before the next command and costs more processor time a command
than all our rules; its URL and TLS handling and its C parser (hiredis) are used here as they are.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection, parse_url

Take = Callable[[Any], None]  # gets the reply; an exception instance when there is none

pack: Callable[[tuple[Any, ...]], bytes] = hiredis.pack_command
_NOTHING = object()
_LOOK_EVERY = 0.25


class StoreAway(Exception):
    """The store cannot be reached, or does not answer in time."""


class Connection(asyncio.Protocol):
    """The wire itself; `ready()` makes one that may be used."""

    def __init__(self, wait: float) -> None:
        self.run_id = ""
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wait = wait
        self._waiting: deque[Take] = deque()
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._transport: asyncio.Transport | None = None
        self._progress = 0.0
        self._watch: asyncio.TimerHandle | None = None

    @classmethod
    async def ready(cls, url: str, wait: float) -> "Connection":
        """Connect, sign in, ask for the server's run id; StoreAway when that fails or takes too long."""
        try:
            async with asyncio.timeout(wait):
                return await cls._connect(url, wait)
        except (OSError, TimeoutError, ValueError, hiredis.HiredisError) as error:
            raise StoreAway(str(error) or type(error).__name__) from error

    @classmethod
    async def _connect(cls, url: str, wait: float) -> "Connection":
        options: dict[str, Any] = dict(parse_url(url))
        kind = options.pop("connection_class", None)
        loop = asyncio.get_running_loop()

        if kind is UnixDomainSocketConnection:
            _, connection = await loop.create_unix_connection(lambda: cls(wait), options["path"])
        else:
            context: ssl.SSLContext | None = None
            if kind is SSLConnection:
                context = SSLConnection(**options).ssl_context.get()
            host, port = options.get("host", "localhost"), int(options.get("port", 6379))
            _, connection = await loop.create_connection(lambda: cls(wait), host, port, ssl=context)
        try:
            if options.get("password"):
                names = (options["username"],) if options.get("username") else ()
                await connection.call(b"AUTH", *names, options["password"])
            if options.get("db"):
                await connection.call(b"SELECT", int(options["db"]))
            server = (await connection.call(b"INFO", b"server")).decode()
        except BaseException:
            connection.close()
            raise
        pairs = (line.split(":", 1) for line in server.splitlines() if ":" in line)
        connection.run_id = dict(pairs).get("run_id", "")
        return connection

    def send(self, data: bytes, *takes: Take) -> None:
        """Send packed commands, and hand each one's reply to its taker."""
        if self._transport is None:
            for take in takes:
                take(StoreAway("the connection is lost"))
            return
        if not self._waiting:
            self._progress = time.monotonic()
        self._waiting.extend(takes)
        self._transport.write(data)

    async def call(self, *command: Any) -> Any:
        """Send one command and return its reply; StoreAway when the store refuses it or is lost."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def take(reply: Any) -> None:
            if not future.done():
                future.set_result(reply)

        self.send(pack(command), take)
        reply = await future
        if isinstance(reply, StoreAway):
            raise reply
        if isinstance(reply, Exception):
            raise StoreAway(str(reply)) from reply
        return reply

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # --- called by the event loop ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by name
        self._look()

    def data_received(self, data: bytes) -> None:
        self._progress = time.monotonic()
        reader, waiting = self._reader, self._waiting
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _NOTHING:
                waiting.popleft()(reply)
        except (hiredis.ProtocolError, IndexError):  # whatever speaks there is no store
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._watch is not None:
            self._watch.cancel()
        waiting, self._waiting = self._waiting, deque()
        for take in waiting:
            take(StoreAway("the connection is lost"))
        if not self.lost.done():
            self.lost.set_result(None)

    def _look(self) -> None:
        """Give up a connection on which nothing has moved for too long although replies are due."""
        if self._transport is None:
            return
        if self._waiting and time.monotonic() - self._progress > self._wait:
            self._transport.abort()
        self._watch = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)
