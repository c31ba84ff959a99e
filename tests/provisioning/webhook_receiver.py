"""Other people's programs: real HTTP servers on loopback that write down what they get, and misbehave."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import time_machine
from standardwebhooks import Webhook

from accounts.models import Account
from accounts.scope import Actor
from provisioning import webhooks
from provisioning.models import WebhookDelivery, WebhookEndpoint, WebhookEvent

LOOPBACK = ["127.0.0.0/8"]


@dataclass(frozen=True)
class Got:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> Any:
        return json.loads(self.body)["data"]

    def verify(self, secret: str) -> Any:
        """What the independent library reads out of it, at the moment at which it was sent."""
        sent = datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), UTC)
        with time_machine.travel(sent + timedelta(seconds=1), tick=False):
            return Webhook(secret).verify(self.body, self.headers)


Behaviour = Callable[[BaseHTTPRequestHandler, "Receiver"], None]


@dataclass
class Receiver:
    """A program that listens; how it answers may be changed at any time."""

    port: int
    behave: Behaviour
    got: list[Got] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    at_once: int = 0
    most_at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in?key=of-theirs"

    @property
    def ids(self) -> list[str]:
        return [got.id for got in self.got]


def answers(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Answer at once."""

    def behave(handler: BaseHTTPRequestHandler, receiver: Receiver) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def writes(*parts: bytes) -> Behaviour:
    """Whatever that is, it is no answer."""

    def behave(handler: BaseHTTPRequestHandler, receiver: Receiver) -> None:
        for part in parts:
            handler.wfile.write(part)

    return behave


def hangs(handler: BaseHTTPRequestHandler, receiver: Receiver) -> None:
    """Take the request and never answer."""
    receiver.over.wait(60)


def endless(handler: BaseHTTPRequestHandler, receiver: Receiver) -> None:
    """A body that does not end."""
    handler.send_response(200)
    handler.end_headers()
    while not receiver.over.is_set():
        handler.wfile.write(b"more and " * 1000)


@contextmanager
def receiver(
    behave: Behaviour | None = None, *, tls: ssl.SSLContext | None = None, port: int = 0
) -> Iterator[Receiver]:
    """Listen for as long as the block lasts."""
    made = Receiver(0, behave or answers(204))
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if len(body) != int(self.headers["content-length"]):
                return  # whoever sent it was killed meanwhile
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                made.got.append(Got(self.path, headers, body))
                made.at_once += 1
                made.most_at_once = max(made.most_at_once, made.at_once)
            made.arrived.release()
            self.close_connection = True
            try:
                made.behave(self, made)
            except OSError:
                pass  # whoever asked has gone
            finally:
                with lock:
                    made.at_once -= 1

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *arguments: Any) -> None:
            pass

    server = Server(("127.0.0.1", port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.over.set()
        server.shutdown()
        server.server_close()


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/in"


# --- what they are to be told ------------------------------------------------------------------------------


def endpoint(account: Account, url: str, *, by: Actor, name: str = "CRM", **changes: Any) -> WebhookEndpoint:
    return webhooks.create(account, by=by, name=name, url=url, **changes)[0]


def happened(
    *endpoints: WebhookEndpoint, lane: str = "phone 1", number: int = 0, at: datetime, account: Any = None
) -> list[WebhookDelivery]:
    """An event on its way to these endpoints."""
    event = WebhookEvent.objects.create(
        account=account or endpoints[0].account,
        kind="device.locked",
        lane=lane,
        at=at,
        data={"lane": lane, "number": number},
    )
    return [
        WebhookDelivery.objects.create(endpoint=one, event=event, lane=lane, created_at=at, due_at=at)
        for one in endpoints
    ]


def states(*rows: WebhookDelivery) -> list[str]:
    """How they stand now, in their order."""
    found = dict(WebhookDelivery.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", "state"))
    return [found[row.pk] for row in rows]
