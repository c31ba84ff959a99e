"""The real edge over the real store and rows, asked in this process, one request at a time."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import pytest
import uvloop
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.test import TestCase
from django.utils import timezone

from provisioning import claims, files, tasks, wire
from provisioning.edge import app, private, root
from provisioning.edge.asking import ClaimAnswer, ClaimRequest
from provisioning.edge.config import Config
from provisioning.gate import PrivateFacts, RootFacts, Verdict
from security.networks import show_address

Door = tuple[Callable[[], Any], "asyncio.Future[Any]"]
Headers = Sequence[tuple[bytes, bytes]]


@contextmanager
def committed() -> Iterator[None]:
    """Do at the end what a commit would have done; the tests' transactions never come to one."""
    with TestCase.captureOnCommitCallbacks(using=DEFAULT_DB_ALIAS, execute=True):
        yield


@dataclass
class Judged:
    """What was decided on the way to one answer: by the edge on the store's records, by the claim on rows."""

    root: list[tuple[RootFacts, Verdict]] = field(default_factory=list)
    private: list[tuple[PrivateFacts, Verdict]] = field(default_factory=list)
    claims: list[Verdict] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The one that the answer was made by; below a dead token's URL the root's."""
        return self.claims[-1] if self.claims else self.by_edge

    @property
    def by_edge(self) -> Verdict:
        """What the edge alone came to."""
        return self.root[-1][1] if self.root else self.private[-1][1]


@dataclass(frozen=True)
class Reply:
    """An answer, and how it came about."""

    status: int
    body: bytes
    judged: Judged
    headers: Headers = ()

    @property
    def verdict(self) -> Verdict:
        return self.judged.verdict


class Judges:
    """What the edge decides, overheard from its two judges."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.judged = Judged()
        decide_root, decide_private = root.decide_root, private.decide_private

        def overheard_root(facts: RootFacts) -> Verdict:
            verdict = decide_root(facts)
            if facts.device is not root._STAND_IN:
                self.judged.root.append((facts, verdict))
            return verdict

        def overheard_private(facts: PrivateFacts) -> Verdict:
            verdict = decide_private(facts)
            self.judged.private.append((facts, verdict))
            return verdict

        patch.setattr(root, "decide_root", overheard_root)
        patch.setattr(private, "decide_private", overheard_private)


class InsideEdge:
    """The edge, its doors opened to claims.py and files.py as portal/asgi.py opens them."""

    def __init__(self, judges: Judges) -> None:
        self._judges = judges
        self._loop = uvloop.new_event_loop()
        self._knock: asyncio.Future[Door] = self._loop.create_future()
        self._edge = app.build(
            Config.from_settings(settings),
            claim=self._claim,
            first_use=self._first_use,
            want_file=self._want_file,
            keep_upload=self._keep_upload,
        )

    def close(self) -> None:
        self._loop.run_until_complete(self._edge.store.stop())
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def ask(
        self,
        path: str,
        *,
        address: int,
        agent: str,
        method: str = "GET",
        body: bytes = b"",
        headers: Headers = (),
    ) -> Reply:
        """Return the answer to one request, its notes written to the store."""
        self._judges.judged = judged = Judged()
        own = [(b"host", b"phones.example.org"), (b"user-agent", agent.encode())]
        scope = {
            "type": "http",
            "scheme": "https",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "client": (show_address(address), 40000),
            "headers": [*own, *headers],
        }
        answer = self._loop.create_task(self._serve(scope, body))
        fault: Exception | None = None
        while (door := self._loop.run_until_complete(self._knocked(answer))) is not None:
            work, done = door
            try:
                with committed():
                    done.set_result(work())
            except (
                Exception
            ) as error:  # the edge holds the phone, or serves it all the same; here it is a fault
                fault = error
                done.set_exception(error)
        started, got = answer.result()
        if fault is not None:
            raise fault
        return Reply(started["status"], got, judged, started["headers"])

    async def _serve(self, scope: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._edge(scope, receive, send)
        await asyncio.sleep(0)  # a refusal is noted once its answer is on its way
        self._edge._notes.flush(everything=True)
        self._edge.store._send_later()
        await self._edge.store.look(wire.COMPLETE)  # the store answers in order: the notes are there
        while self._edge.pressing.is_busy:  # and the address is judged
            self._edge.store._send_later()
            await asyncio.sleep(0.0005)
        return sent[0], sent[1]["body"]

    # --- the doors: Django's part is done between two runs of the loop, on the tests' own connection --------

    async def _knocked(self, answer: asyncio.Task[Any]) -> "Door | None":
        """Wait until the answer is there (None) or something of Django's is wanted first."""
        await asyncio.wait({answer, self._knock}, return_when=asyncio.FIRST_COMPLETED)
        if not self._knock.done():
            return None
        door, self._knock = self._knock.result(), self._loop.create_future()
        return door

    async def _through_door(self, work: Callable[[], Any]) -> Any:
        done: asyncio.Future[Any] = self._loop.create_future()
        self._knock.set_result((work, done))
        return await done

    async def _claim(self, request: ClaimRequest) -> ClaimAnswer:
        asked = claims.Request(**{f.name: getattr(request, f.name) for f in fields(claims.Request)})
        answer = await self._through_door(lambda: claims.claim(asked, now=timezone.now()))
        self._judges.judged.claims.append(answer.verdict)
        if answer.file is None:
            return ClaimAnswer(answer.verdict)
        return ClaimAnswer(answer.verdict, answer.file.body, answer.file.content_type)

    async def _first_use(self, token_hash: str, address: int, agent: str) -> None:
        await self._through_door(lambda: claims.first_use(token_hash, address, now=timezone.now()))

    async def _want_file(self, token_hash: str) -> None:
        await self._through_door(lambda: tasks.compile_token(token_hash))

    async def _keep_upload(self, token_hash: str, name: str, body: bytes, content_type: str) -> None:
        await self._through_door(lambda: files.keep_upload(token_hash, name, body, content_type))
