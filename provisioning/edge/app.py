"""The phones' path, put together: an ASGI callable that finds the caller, sorts the path, and answers.

Read on in private.py (a phone's daily work) and root.py (a phone's first day, and every thief's try).
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from devices.catalog import catalog
from devices.paths import split_path
from provisioning.edge import answers, proof
from provisioning.edge.answers import Answer
from provisioning.edge.asking import Away, Claim, ClaimAnswer, ClaimRequest, FirstUse, KeepUpload, WantFile
from provisioning.edge.commons import CommonFiles
from provisioning.edge.config import Config, ConfigError
from provisioning.edge.files import Files
from provisioning.edge.missing import MissingFiles
from provisioning.edge.naming import Names
from provisioning.edge.notes import Notes
from provisioning.edge.pressing import Pressing
from provisioning.edge.private import Inquiry, PrivatePath
from provisioning.edge.reading import Call, Receive, Scope, Where, find_caller
from provisioning.edge.root import RootPath
from provisioning.edge.store import Found, Store

__all__ = ["Away", "ClaimAnswer", "ClaimRequest", "Config", "ConfigError", "Edge", "build"]

Send = Callable[[dict[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)

# What nearly every phone asks, day by day: split without a look at escapes, since there are none.
DAILY = rb"/d/([a-z0-9]{40})/([A-Za-z0-9_-][A-Za-z0-9_.-]{0,199})"
_DAILY = re.compile(DAILY).fullmatch


class Edge:
    """The phone-facing program."""

    def __init__(
        self,
        config: Config,
        *,
        claim: Claim,
        first_use: FirstUse,
        want_file: WantFile,
        keep_upload: KeepUpload,
    ) -> None:
        _silence_access_log()
        self._config = config
        self._in_flight = 0
        self._waiting: set[asyncio.Future[Answer]] = set()
        self._most = config.most_in_flight
        self.store = Store(config.redis_url, config.store_wait)
        self._notes = Notes(self.store)
        self.pressing = Pressing(self.store)
        names = Names(catalog())
        commons = CommonFiles(f"{config.phones_url}/")
        missing = MissingFiles(self.store, want_file, config.file_wait)
        files = Files(config.keyring, self.store, names, missing)
        self._proof = proof.ProofPath(config)
        self._root = RootPath(self.store, self._notes, self.pressing, names, commons, claim)
        self._private = PrivatePath(
            config,
            self.store,
            self._notes,
            self.pressing,
            names,
            commons,
            self._root,
            files,
            first_use,
            keep_upload,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._in_flight += 1
        try:
            answer = await self._answer(Call.of_scope(scope, receive, self._config))
        except Exception:  # a fault of ours is no answer to a phone: it keeps what it has and comes again
            log.exception("a request could not be answered")
            answer = answers.held(private=scope["path"].startswith("/d/"))
        finally:
            self._in_flight -= 1
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body})

    def find_caller(self, peer: str | None, forwarded_for: tuple[bytes, ...]) -> tuple[Where | None, bool]:
        """Return who asks, and whether a proxy of ours says so."""
        return find_caller(peer, forwarded_for, self._config.trusted)

    def answer_daily(self, call: Call, token: str, name: str, done: Callable[[Answer], None]) -> None:
        """Answer a phone's daily request without a task; `done` gets the answer, now or later."""
        self._in_flight += 1
        overloaded = self._in_flight > self._most
        if call.where is None or overloaded:
            self._in_flight -= 1
            done(self._private.unseen(call, overloaded=overloaded))
            return
        inquiry = self._private.inquire(call, call.where, token, [name])
        self.store.look_then(inquiry.keys, partial(self._judge_daily, inquiry, done))

    def _judge_daily(self, inquiry: Inquiry, done: Callable[[Answer], None], found: Found) -> None:
        try:
            answer = self._private.judge(inquiry, found)
        except Exception:
            log.exception("a request could not be answered")
            answer = answers.held(private=True)
        if isinstance(answer, Answer):
            self._in_flight -= 1
            done(answer)
            return
        task = asyncio.ensure_future(answer)
        self._waiting.add(task)
        task.add_done_callback(partial(self._end_daily, done))

    def _end_daily(self, done: Callable[[Answer], None], task: asyncio.Future[Answer]) -> None:
        self._waiting.discard(task)
        self._in_flight -= 1
        if task.cancelled() or (error := task.exception()) is None:
            done(answers.held(private=True) if task.cancelled() else task.result())
            return
        log.error("a request could not be answered", exc_info=error)
        done(answers.held(private=True))

    async def _answer(self, call: Call) -> Answer:
        overloaded = self._in_flight > self._most
        daily = _DAILY(call.raw_path)
        if daily is not None:
            token, name = daily[1].decode(), daily[2].decode()
            return await self._private.answer(call, token, [name], overloaded=overloaded)
        if call.raw_path == proof.PATH:
            return await self._proof.answer(call)
        segments = split_path(call.raw_path)
        if segments is None and call.raw_path.startswith(b"/d/"):
            # Judged after the token: whoever holds one may ask for nonsense without its counting against him.
            token = call.raw_path[3:].partition(b"/")[0].decode("latin-1")
            return await self._private.answer(call, token, [], overloaded=overloaded)
        if segments is not None and segments[0] == "d" and len(segments) > 1:
            return await self._private.answer(call, segments[1], segments[2:], overloaded=overloaded)
        return await self._root.answer(call, segments, overloaded=overloaded)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Connect at the start; at the end hand over what was gathered."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.store.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._notes.flush(everything=True)
                await self.store.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _silence_access_log() -> None:
    """T7: a line a request would hold the phone's token, whatever options the server was started with."""
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate, access.disabled = [], False, True


def build(
    config: Config,
    *,
    claim: Claim,
    first_use: FirstUse,
    want_file: WantFile,
    keep_upload: KeepUpload,
) -> Edge:
    """Return the edge as an ASGI callable; the four callables are its only way to the database."""
    return Edge(config, claim=claim, first_use=first_use, want_file=want_file, keep_upload=keep_upload)
