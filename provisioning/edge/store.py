"""What the edge reads from the store: all requests of one turn of the event loop share one MGET.

Every batch reads the marker `complete` and the number of the lists with it. Without the marker of this very
server a miss proves nothing, so `known` is false and the caller is held, never refused out of ignorance.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from provisioning import wire
from provisioning.edge.connection import Connection, StoreAway, Take, pack
from provisioning.edge.tables import NO_TABLES, Tables

log = logging.getLogger(__name__)

RECONNECT = (0.05, 1.0)  # seconds between two tries: the first, and at most
LATER = 0.02  # what nobody waits for leaves with the next batch, or after this


class Found:
    """What one request found: the values of its keys, in order, and the lists as they are now."""

    __slots__ = ("known", "tables", "values")

    def __init__(self, known: bool, tables: Tables, values: Sequence[bytes | None]) -> None:
        self.known = known
        self.tables = tables
        self.values = values


Then = Callable[[Found], Any]
Turn = list[tuple[tuple[bytes, ...], Then]]


class Store:
    """The way to the store; it connects again by itself."""

    def __init__(self, url: str, wait: float) -> None:
        self.lost_notes = 0
        self._url = url
        self._wait = wait
        self._connection: Connection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._first_try: asyncio.Event = asyncio.Event()
        self._turn: Turn = []
        self._later: list[bytes] = []
        self._takes: list[Take] = []
        self._timer: asyncio.TimerHandle | None = None
        self._tables: Tables = NO_TABLES
        self._marker: bytes | None = None  # the rebuild whose lists we hold
        self._loading: asyncio.Task[bool] | None = None

    async def start(self) -> None:
        """Begin to connect and return when the first try is over, well or not."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_connected())
        await self._first_try.wait()

    async def stop(self) -> None:
        """Send what is left and hang up."""
        if self._keeper is None:
            return
        self._send_later()
        if self._connection is not None:
            with contextlib.suppress(StoreAway, TimeoutError):
                await asyncio.wait_for(self._connection.call(b"PING"), self._wait)
        self._keeper.cancel()
        if self._connection is not None:
            self._connection.close()

    @property
    def is_there(self) -> bool:
        return self._connection is not None

    @property
    def tables(self) -> Tables:
        """The lists as this process knows them, without a look-up."""
        return self._tables

    @property
    def marker(self) -> bytes | None:
        """The rebuild that the store is known to hold; None when that is not known."""
        return self._marker

    # --- reading --------------------------------------------------------------------------------------

    async def look(self, *keys: bytes) -> Found:
        """Read keys together with everybody who asks in this turn of the event loop."""
        if self._connection is None and not self._first_try.is_set():
            await self.start()
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()

        def then(found: Found) -> None:
            if not future.done():
                future.set_result(found)

        self.look_then(keys, then)
        return await future

    def look_then(self, keys: tuple[bytes, ...], then: Then) -> None:
        """As `look`, for one who has no task to wait in."""
        if self._connection is None:
            then(Found(False, self._tables, (None,) * len(keys)))
            return
        if not self._turn:
            asyncio.get_running_loop().call_soon(self._read)
        self._turn.append((keys, then))

    async def set_once(self, key: bytes, seconds: int) -> bool:
        """Whether nobody else has set the key in the last seconds. Raises StoreAway."""
        if self._connection is None:
            raise StoreAway("not connected")
        return await self._connection.call(b"SET", key, b"1", b"NX", b"EX", seconds) is not None

    async def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Send commands in one piece and return their replies. Raises StoreAway."""
        if self._connection is None:
            raise StoreAway("not connected")
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        replies: list[Any] = []

        def take(reply: Any) -> None:
            replies.append(reply)
            if len(replies) == len(commands) and not future.done():
                future.set_result(replies)

        self._connection.send(b"".join(map(pack, commands)), *(take for _ in commands))
        failed = next((reply for reply in await future if isinstance(reply, Exception)), None)
        if failed is not None:
            raise failed if isinstance(failed, StoreAway) else StoreAway(str(failed)) from failed
        return replies

    def _read(self) -> None:
        turn, self._turn = self._turn, []
        names = [wire.COMPLETE, wire.LISTS]
        for keys, _ in turn:
            names += keys
        take = partial(self._take, turn)
        if self._connection is None:
            take(StoreAway("not connected"))
            return
        self._connection.send(pack((b"MGET", *names)), take)
        self._send_later()

    def _take(self, turn: Turn, reply: Any) -> None:
        connection = self._connection
        there = connection is not None and not isinstance(reply, Exception)
        if connection is None or not there or not wire.is_complete(reply[0], connection.run_id):
            self._hand_out(turn, None)
        elif reply[0] == self._marker and wire.unpack_number(reply[1]) <= self._tables.number:
            self._hand_out(turn, reply)
        else:
            task = asyncio.create_task(self._load(reply[0], wire.unpack_number(reply[1])))
            task.add_done_callback(lambda done: self._hand_out(turn, reply if done.result() else None))

    def _hand_out(self, turn: Turn, reply: list[bytes | None] | None) -> None:
        known, tables, at = reply is not None, self._tables, 2
        for keys, then in turn:
            end = at + len(keys)
            then(Found(known, tables, (None,) * len(keys) if reply is None else reply[at:end]))
            at = end

    async def _load(self, marker: bytes, number: int) -> bool:
        """Bring the lists up to this number; False when they are not to be had."""
        for _ in range(3):
            if self._marker == marker and self._tables.number >= number:
                return True
            if self._loading is None or self._loading.done():
                self._loading = asyncio.create_task(self._load_once(marker))
            if not await self._loading:
                return False
        return False

    async def _load_once(self, marker: bytes) -> bool:
        try:
            if self._connection is None:
                return False
            blob = await self._connection.call(b"GET", wire.LISTS_DATA)
            self._tables = Tables(wire.unpack_lists(blob)) if blob else NO_TABLES
            self._marker = marker
            return True
        except StoreAway:
            return False
        except wire.WireError:
            log.exception("the lists in the store cannot be read; phones are held")
            return False

    # --- writing what nobody waits for ----------------------------------------------------------------

    def note(self, blob: bytes) -> None:
        """Add a note to the stream; the phone is served all the same when it cannot be written."""
        self._write_later(_NOTE_HEAD + b"%d\r\n%b\r\n" % (len(blob), blob), self._noted)

    def tell(self, command: tuple[Any, ...], take: Take) -> None:
        """Send a command that nobody waits for; its reply, or the exception, goes to `take`."""
        self._write_later(pack(command), take)

    def _write_later(self, data: bytes, *takes: Take) -> None:
        self._later.append(data)
        self._takes.extend(takes)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LATER, self._send_later)

    def _send_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        later, self._later = self._later, []
        takes, self._takes = self._takes, []
        if self._connection is None:
            for take in takes:
                take(StoreAway("not connected"))
            return
        if self.lost_notes:
            lost, self.lost_notes = self.lost_notes, 0
            later.append(pack((b"INCRBY", wire.LOST_NOTES, lost)))
            takes.append(partial(self._told_of_loss, lost))
        if later:
            self._connection.send(b"".join(later), *takes)

    def _noted(self, reply: Any) -> None:
        if isinstance(reply, Exception):
            self.lost_notes += 1

    def _told_of_loss(self, lost: int, reply: Any) -> None:
        if isinstance(reply, Exception):
            self.lost_notes += lost

    # --- the connection -------------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        pause, said = RECONNECT[0], False
        while True:
            try:
                self._connection = await Connection.ready(self._url, self._wait)
            except StoreAway as error:
                if not said:
                    log.warning("the store is away, phones are held: %s", error)
                    said = True
                self._first_try.set()
                await asyncio.sleep(pause)
                pause = min(2 * pause, RECONNECT[1])
                continue
            pause, said, self._marker = RECONNECT[0], False, None
            self._first_try.set()
            await asyncio.shield(self._connection.lost)
            self._connection = None


_NOTE_HEAD = (
    b"*8\r\n$4\r\nXADD\r\n$%d\r\n%b\r\n$6\r\nMAXLEN\r\n$1\r\n~\r\n$%d\r\n%d\r\n$1\r\n*\r\n$%d\r\n%b\r\n$"
    % (len(wire.NOTES), wire.NOTES, len(str(wire.NOTES_KEPT)), wire.NOTES_KEPT, len(wire.NOTE), wire.NOTE)
)
