"""A line for a phone among thousands in one process: it waits without blocking; its time may run faster."""

import asyncio
import socket
from urllib.parse import urlsplit

from tests.simulator.talking import Asked, Line

# Linux: the port is chosen at the connect, so that thousands may leave from one address.
_BIND_NO_PORT = 24
_BODILESS = (204, 304)


class QuickLine(Line):
    """The same socket on the wall, for an event loop; kept between two requests where the phone does so."""

    def __init__(
        self,
        source_address: str = "127.0.0.1",
        *,
        connect_to: tuple[str, int] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 30.0,
        pace: float = 1.0,
        keeps: bool = False,
    ) -> None:
        super().__init__(source_address, connect_to=connect_to, headers=headers, timeout=timeout)
        self.pace = pace  # real seconds in one of the phone's
        self.keeps = keeps
        self._kept: tuple[tuple[str, int], _Exchange] | None = None

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.pace)

    async def ask(
        self, url: str, agent: str, *, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> Asked:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        place = self.connect_to or (parts.hostname or "", port)
        sent = {"Host": parts.netloc, "User-Agent": agent, **self.headers, **headers}
        if body is not None:
            sent["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        data = f"{method} {parts.path or '/'} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")
        try:
            async with asyncio.timeout(self.timeout):
                return await self._exchange(place, data, method, url)
        except (OSError, TimeoutError, ValueError):
            self.hang_up()
            return Asked(method, url, 0)

    def hang_up(self) -> None:
        """Let go of a connection that was kept."""
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None

    async def _exchange(self, place: tuple[str, int], data: bytes, method: str, url: str) -> Asked:
        kept, self._kept = self._kept, None
        if kept is not None and (kept[0] != place or kept[1].is_closed):
            kept[1].close()
            kept = None
        line = kept[1] if kept else await self._connect(place)
        answer = await line.ask(data, method, url)
        if self.keeps and answer.headers.get("connection", "").lower() != "close":
            self._kept = (place, line)
        else:
            line.close()
        return answer

    async def _connect(self, place: tuple[str, int]) -> "_Exchange":
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            own.setblocking(False)
            own.setsockopt(socket.IPPROTO_IP, _BIND_NO_PORT, 1)
            own.bind((self.source_address, 0))
            loop = asyncio.get_running_loop()
            await loop.sock_connect(own, place)
            return (await loop.create_connection(_Exchange, sock=own))[1]
        except BaseException:
            own.close()
            raise


class _Exchange(asyncio.Protocol):
    """One connection: a request, its answer, perhaps another one."""

    def __init__(self) -> None:
        self.is_closed = False
        self._transport: asyncio.Transport | None = None
        self._read = bytearray()
        self._asked = ("", "")
        self._answer: asyncio.Future[Asked] | None = None

    async def ask(self, data: bytes, method: str, url: str) -> Asked:
        if self._transport is None or self.is_closed:
            raise ConnectionResetError
        self._read.clear()
        self._asked = (method, url)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._answer

    def close(self) -> None:
        self.is_closed = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._read += data
        end = self._read.find(b"\r\n\r\n")
        if end < 0 or self._answer is None or self._answer.done():
            return
        first, *lines = self._read[:end].decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        status = int(first.split(" ")[1])
        method, url = self._asked
        length = 0 if method == "HEAD" or status in _BODILESS else int(headers.get("content-length", "0"))
        if len(self._read) < end + 4 + length:
            return
        self._answer.set_result(Asked(method, url, status, bytes(self._read[end + 4 :]), headers))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())
