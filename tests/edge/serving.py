"""An edge in a real server, asked over real sockets, so that what is compared are the bytes a phone gets."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvicorn

from accounts.sealing import Keyring, new_key
from provisioning.edge import app
from provisioning.edge.asking import Away, ClaimAnswer, ClaimRequest
from provisioning.edge.config import Config
from provisioning.gate import Outcome, Then, Verdict

T = TypeVar("T")

SECRET_KEYS = new_key("k1")
TOKEN_KEY = b"token-key-of-the-tests"
PATIENCE = 10.0
ADMITTED = ClaimAnswer(Verdict(Outcome.BOOTSTRAP, "R1", Then.CLAIM, binds=True), b"bootstrap", "text/plain")


@dataclass
class Doors:
    """Stand-ins for what portal/asgi.py hands in, and what they were asked."""

    claims: list[ClaimRequest] = field(default_factory=list)
    first_uses: list[tuple[str, int, str]] = field(default_factory=list)
    wanted: list[str] = field(default_factory=list)
    uploads: list[tuple[str, str, bytes, str]] = field(default_factory=list)
    away: bool = False
    answer: ClaimAnswer = ADMITTED
    on_want: Callable[[str], None] | None = None
    claim_waits: threading.Event | None = None

    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        self.claims.append(request)
        if self.claim_waits is not None:
            await asyncio.to_thread(self.claim_waits.wait, PATIENCE)
        if self.away:
            raise Away
        return self.answer

    async def first_use(self, token_hash: str, address: int, agent: str) -> None:
        self.first_uses.append((token_hash, address, agent))
        if self.away:
            raise Away

    async def want_file(self, token_hash: str) -> None:
        self.wanted.append(token_hash)
        if self.on_want is not None:
            self.on_want(token_hash)

    async def keep_upload(self, token_hash: str, name: str, body: bytes, content_type: str) -> None:
        self.uploads.append((token_hash, name, body, content_type))
        if self.away:
            raise Away


@dataclass(frozen=True)
class Reply:
    """A response as it came over the wire."""

    raw: bytes
    status: int
    headers: dict[str, str]
    body: bytes


def config_for(redis_url: str, **changes: Any) -> Config:
    values: dict[str, Any] = {
        "secret_keys": SECRET_KEYS,
        "token_key": TOKEN_KEY,
        "redis_url": redis_url,
        "phones_url": "https://phones.example.org",
        "portal_url": "https://portal.example.org",
        "trusted_proxies": (),
    }
    settings = {name: changes.pop(name) for name in tuple(changes) if name in values}
    config = Config.make(**{**values, **settings})
    for name, value in changes.items():
        object.__setattr__(config, name, value)
    return config


class ServedEdge:
    """An edge on a port of its own."""

    def __init__(self, config: Config, doors: Doors | None = None) -> None:
        self.doors = doors or Doors()
        self.config = config
        self.kept = False  # ask over connections that could be kept: the short way, where there is one
        self.edge = app.build(
            config,
            claim=self.doors.claim,
            first_use=self.doors.first_use,
            want_file=self.doors.want_file,
            keep_upload=self.doors.keep_upload,
        )
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.edge,
                http="provisioning.edge.daily:DailyProtocol",
                loop="uvloop",
                ws="none",
                server_header=False,
                date_header=False,
                proxy_headers=False,
                log_config=None,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> "ServedEdge":
        self._thread.start()
        wait_for(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        self._socket.close()

    @property
    def connections(self) -> set[Any]:
        return self._server.server_state.connections

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | list[tuple[str, str]] | None = None,
        source: str = "127.0.0.1",
        body: bytes | None = None,
    ) -> Reply:
        """Send one request from the source address and return the whole answer."""
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
        if body is not None:
            pairs.append(("Content-Length", str(len(body))))
        data = written(method, path, pairs, body, kept=self.kept)
        with socket.create_connection(("127.0.0.1", self.port), 10, (source, 0)) as caller:
            caller.settimeout(PATIENCE)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                caller.sendall(data)
            raw = b""
            with contextlib.suppress(ConnectionResetError):
                while (part := caller.recv(65536)) or not raw:
                    raw += part
                    if not part or (self.kept and _is_whole(raw, method)):
                        break
        return parse(raw)

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop the event loop, so that what is sent meanwhile is there in one turn."""
        go_on, stands = threading.Event(), threading.Event()

        def stand() -> None:
            stands.set()
            go_on.wait(PATIENCE)

        keeper = self.edge.store._keeper
        assert keeper is not None
        keeper.get_loop().call_soon_threadsafe(stand)
        assert stands.wait(PATIENCE)
        try:
            yield
        finally:
            go_on.set()


def written(
    method: str, path: str, pairs: list[tuple[str, str]], body: bytes | None = None, *, kept: bool
) -> bytes:
    """The bytes of a request."""
    head = [f"{method} {path} HTTP/1.1", "Host: phones.example.org"]
    head += [] if kept else ["Connection: close"]
    head += [f"{name}: {value}" for name, value in pairs]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + (body or b"")


def _is_whole(raw: bytes, method: str) -> bool:
    _, end, body = raw.partition(b"\r\n\r\n")
    if not end:
        return False
    reply = parse(raw)
    bodiless = method == "HEAD" or reply.status in (204, 304)
    return bodiless or len(body) == int(reply.headers["content-length"])


def parse(raw: bytes) -> Reply:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return Reply(raw, int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}, body)


def wait_for(condition: Callable[[], T], patience: float = PATIENCE) -> T:
    """Return the condition's value once it is true; fail when it does not become so."""
    until = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
    return value


def keyring() -> Keyring:
    return Keyring.parse(SECRET_KEYS)
