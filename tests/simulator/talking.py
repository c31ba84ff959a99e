"""A phone's HTTP client: its own source address, one request a connection, no redirects, no cookies."""

import http.client
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """One request and what came of it; status 0 when nothing came."""

    method: str
    url: str
    status: int
    body: bytes = field(default=b"", repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run what never has to wait for others: a phone alone, whose line blocks and whose waits are counted."""
    try:
        work.send(None)
    except StopIteration as ended:
        value: T = ended.value
        return value
    raise AssertionError("a phone alone has nobody to wait for")


class Line:
    """The phone's network socket on the wall; it blocks until the answer is there."""

    def __init__(
        self,
        source_address: str = "127.0.0.1",
        *,
        connect_to: tuple[str, int] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 10.0,
    ) -> None:
        self.source_address = source_address
        self.connect_to = connect_to  # plays the name server and whoever ends TLS: every URL leads here
        self.headers = dict(headers or {})
        self.timeout = timeout

    async def wait(self, seconds: float) -> None:
        """Nobody waits for a phone that is alone."""

    def hang_up(self) -> None:
        """Nothing is kept between two requests."""

    async def ask(
        self, url: str, agent: str, *, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> Asked:
        """Ask one URL and return the answer."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host, port = self.connect_to or (parts.hostname or "", port)
        caller = http.client.HTTPConnection(
            host, port, timeout=self.timeout, source_address=(self.source_address, 0)
        )
        try:
            sent = {"Host": parts.netloc, "User-Agent": agent, **self.headers, **headers}
            caller.request(method, parts.path or "/", body=body, headers=sent)
            answer = caller.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            return Asked(method, url, answer.status, answer.read(), got)
        except (OSError, http.client.HTTPException):
            return Asked(method, url, 0)
        finally:
            caller.close()
