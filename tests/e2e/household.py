"""The whole product as its user runs it: `manage.py up` in a directory of its own, driven over HTTP."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OURS = (
    "LATCHKEY_", "DATABASE_", "REDIS_", "SECRET_", "PORTAL_", "PHONES_", "TRUSTED_", "EMAIL_",
    "DJANGO_", "LOG_", "STATIC_", "HSTS_", "ALLOWED_", "DEBUG",
)  # fmt: skip
PATIENCE = 120.0
#: A shell that stays open: to start one takes a second of a core, as often as somebody looks at the rows.
READER = """
import contextlib, io, json, sys, traceback
from django.db import connections
for line in sys.stdin:
    said, failed = io.StringIO(), ""
    with contextlib.redirect_stdout(said):
        try:
            exec(json.loads(line), {})
        except Exception:
            failed = traceback.format_exc()
    connections.close_all()
    print(json.dumps([said.getvalue(), failed]), flush=True)
"""
PROXY = "127.255.0.1"  # plays the server that ends TLS in front of the edge


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def same_for_all(self) -> tuple[object, ...]:
        """What must not differ between refusals: all but the clock."""
        return (self.status, tuple((k, v) for k, v in self.headers if k.lower() != "date"), self.body)


def free_port() -> int:
    """A port below those that the kernel gives out by itself: a client must not meet itself there."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def eventually(
    condition: Callable[[], Any], *, patience: float = 20.0, what: str = "it", pause: float = 0.05
) -> Any:
    """Return the first true value of the condition; AssertionError when it never comes."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {patience} s"
        time.sleep(pause)


@dataclass
class Household:
    """One installation: its processes, its addresses, a key of the platform."""

    data: Path
    database_url: str | None = None
    port: int = field(default_factory=free_port)
    phones_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    key: str = ""
    reader: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        kept["LATCHKEY_DATA"] = str(self.data)
        kept["TRUSTED_PROXIES"] = f"{PROXY}/32"
        if self.database_url:
            kept["DATABASE_URL"] = self.database_url
        return kept

    def start(self, *options: str) -> None:
        """Start `up` and wait until the portal and the edge answer."""
        self.data.mkdir(parents=True, exist_ok=True)
        ports = ("--port", str(self.port), "--phones-port", str(self.phones_port))
        log = (self.data.parent / f"{self.data.name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", *ports, *options],
            cwd=ROOT,
            env=self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        eventually(self.answers, patience=PATIENCE, what="up")

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"up ended by itself:\n{self.log()[-3000:]}"
        try:
            return self.ask("GET", "/healthz-none", port=self.port).status > 0 and self.phone(
                "/x"
            ).status in (404, 503)
        except (OSError, http.client.HTTPException):
            return False

    def log(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text(errors="replace")

    def stop(self) -> int:
        """SIGTERM and wait; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """End everything without ceremony; for clean-up."""
        if self.reader is not None:
            self.reader.communicate()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def command(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def read(self, script: str) -> Any:
        """What the script prints in a shell of the installation, read as JSON."""
        if self.reader is None:
            self.reader = subprocess.Popen(
                [sys.executable, "manage.py", "shell", "-v", "0", "-c", READER],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.reader.stdin is not None
        assert self.reader.stdout is not None
        self.reader.stdin.write(json.dumps(script) + "\n")
        self.reader.stdin.flush()
        said, failed = json.loads(self.reader.stdout.readline())
        assert not failed, failed
        return json.loads(said)

    def make_key(self, account: str, role: str) -> str:
        result = self.command("apikey", "--account", account, "--role", role)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def children(self, word: str) -> list[int]:
        """The pids of this installation's processes whose command line holds the word."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                mine = f"LATCHKEY_DATA={self.data}".encode() in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if mine and word in line:
                found.append(int(entry.name))
        return found

    # --- people --------------------------------------------------------------------------------------

    def api(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Reply:
        headers = {"Authorization": f"Api-Key {self.key if key is None else key}"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        return self.ask(method, f"/api/v1{path}", headers=headers, body=data, port=self.port)

    # --- phones ---------------------------------------------------------------------------------------

    def phone(
        self,
        path: str,
        *,
        agent: str | None = None,
        source: str = "127.0.0.1",
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        https: bool = False,
    ) -> Reply:
        """One request of a phone from a loopback address of its own; over HTTPS it comes by the proxy."""
        sent = dict(headers or {})
        if agent is not None:
            sent["User-Agent"] = agent
        if https:
            sent |= {"X-Forwarded-For": source, "X-Forwarded-Proto": "https"}
            source = PROXY
        return self.ask(method, path, headers=sent, body=body, port=self.phones_port, source=source)

    @staticmethod
    def ask(
        method: str,
        path: str,
        *,
        port: int,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        source: str = "127.0.0.1",
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(source, 0))
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Reply(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()
