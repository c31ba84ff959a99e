"""HTTP as uvicorn speaks it, with a short way for what a phone asks every day.

A plain GET below a private URL, whole in one read, needs no parser callbacks, no scope, no task and no
messages: that is most of what it would cost. All else takes uvicorn's own way, and gets the same bytes.
"""

import asyncio
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from provisioning.edge.answers import Answer
from provisioning.edge.app import DAILY, Edge
from provisioning.edge.reading import Call

_REQUEST = re.compile(
    b"GET " + DAILY + rb" HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)+)\r\n"
).fullmatch
# What changes how a message is framed, or how a connection goes on, is the parser's business.
_FRAMING = frozenset(
    {b"connection", b"content-length", b"expect", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
_MOST_HELD = 65536


class DailyProtocol(HttpToolsProtocol):
    """One connection; `uvicorn --http provisioning.edge.daily:DailyProtocol`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._edge = self.app if isinstance(self.app, Edge) else None
        self._in_message = False
        self._busy = False  # a daily request is being answered
        self._held = b""  # what came meanwhile
        self._last = False
        self._active_at = 0.0
        self._idle: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        if self._busy:
            self._hold(data)
            return
        found = _REQUEST(data)
        if found is None or not self._is_between() or not self._take_daily(found):
            super().data_received(data)

    def on_message_begin(self) -> None:
        self._in_message = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._in_message = False
        super().on_message_complete()

    def shutdown(self) -> None:
        if self._busy:
            self._last = True
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        super().connection_lost(exc)

    def _is_between(self) -> bool:
        """Whether the next byte begins a request that nothing stands before."""
        return (
            self._edge is not None
            and not self._in_message
            and not self.pipeline
            and (self.cycle is None or self.cycle.response_complete)
        )

    def _take_daily(self, found: re.Match[bytes]) -> bool:
        """Answer it the short way; False when a header says that there is more to it."""
        assert self._edge is not None
        headers: dict[bytes, bytes] = {}
        forwarded_for: tuple[bytes, ...] = ()
        for line in found[3].split(b"\r\n"):
            name, _, value = line.partition(b":")
            name = name.lower()
            if name in _FRAMING:
                return False
            headers[name] = value = value.strip(b" \t")
            if name == b"x-forwarded-for":
                forwarded_for += (value,)
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        peer = self.client[0] if self.client else None
        where, through_proxy = self._edge.find_caller(peer, forwarded_for)
        call = Call("GET", b"", headers, where, through_proxy)
        self._busy = True
        self._edge.answer_daily(call, found[1].decode(), found[2].decode(), self._finish)
        return True

    def _finish(self, answer: Answer) -> None:
        self._busy = False
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        parts = [STATUS_LINE[answer.status]]
        for name, value in (*self.server_state.default_headers, *answer.headers):
            parts += (name, b": ", value, b"\r\n")
        if self._last:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", answer.body)
        self.transport.write(b"".join(parts))
        if self._last:
            self.transport.close()
            return
        self._active_at = self.loop.time()
        if self._idle is None:
            self._idle = self.loop.call_later(self.timeout_keep_alive, self._look_idle)
        if self._held:
            held, self._held = self._held, b""
            self.transport.resume_reading()
            self.data_received(held)

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > _MOST_HELD:
            self.transport.pause_reading()

    def _look_idle(self) -> None:
        """Close a connection that was not used for the keep-alive time; one timer serves many requests."""
        self._idle = None
        if self.transport.is_closing() or self.timeout_keep_alive_task is not None:
            return  # closed, or the parser's own timer runs
        rest = self._active_at + self.timeout_keep_alive - self.loop.time()
        if self._busy or not self._is_between():
            rest = self.timeout_keep_alive
        if rest <= 0:
            self.transport.close()
        else:
            self._idle = self.loop.call_later(rest, self._look_idle)
