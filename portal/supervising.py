"""Child processes with prefixed logs: started together, started again when they die, ended in order."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

GRACE = 10.0
# A child that dies sooner than this before it ever answered will die again: it is badly configured.
INFANCY = 5.0
LONGEST_BACKOFF = 30.0
COLOURS = {"portal": 36, "edge": 32, "worker": 33, "beat": 35}


class DiedAtOnce(RuntimeError):
    """A child cannot run here."""


@dataclass
class Child:
    """One process of the installation, whichever incarnation of it lives now."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    start_again_at: float = 0.0

    def start(self, output: IO[str]) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches the parent alone."""
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        assert self.process.stdout
        threading.Thread(target=_prefix, args=(self.name, self.process.stdout, output), daemon=True).start()

    def is_running(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None

    def ask_to_end(self) -> None:
        """Send SIGTERM, which all of them take as: finish what you do, then go."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def end(self, deadline: float) -> None:
        """Wait for its end, and make sure of it for everything that it started."""
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.1, deadline - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Household:
    """The children of one command."""

    def __init__(self, children: list[Child], output: IO[str] = sys.stdout) -> None:
        self.children = children
        self.output = output

    def start(self) -> None:
        """Start all of them."""
        for child in self.children:
            child.start(self.output)

    def wait_until(self, ready: Callable[[], bool], patience: float) -> bool:
        """Return whether it came true in time; DiedAtOnce when a child ends meanwhile."""
        deadline = time.monotonic() + patience
        while not ready():
            self._refuse_dead()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def look_after(self) -> None:
        """Start again what has died, later each time; call this every second or so."""
        now = time.monotonic()
        for child in self.children:
            if child.is_running():
                if now - child.started_at > 2 * LONGEST_BACKOFF:
                    child.failures = 0
                continue
            if not child.start_again_at:
                code = child.process.returncode if child.process else None
                child.end(now)  # what it started itself
                wait = min(LONGEST_BACKOFF, 2.0**child.failures)
                child.failures += 1
                child.start_again_at = now + wait
                print(
                    f"{child.name} ended by itself ({_ending(code)}); starting it again in {wait:.0f} s",
                    file=self.output,
                    flush=True,
                )
            elif now >= child.start_again_at:
                child.start_again_at = 0.0
                child.start(self.output)

    def end(self, *groups: tuple[str, ...]) -> None:
        """End the named groups one after the other, each as a whole; the rest follows last."""
        named = {name for group in groups for name in group}
        rest = tuple(child.name for child in self.children if child.name not in named)
        for group in (*groups, rest):
            members = [child for child in self.children if child.name in group]
            for child in members:
                child.ask_to_end()
            deadline = time.monotonic() + GRACE
            for child in members:
                child.end(deadline)

    def kill(self) -> None:
        """End every child and what it started, without a word."""
        for child in self.children:
            if child.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.process.pid, signal.SIGKILL)

    def _refuse_dead(self) -> None:
        for child in self.children:
            if not child.is_running():
                code = child.process.returncode if child.process else None
                raise DiedAtOnce(
                    f"{child.name} does not start ({_ending(code)}); its last lines stand above."
                )


def end_with_starter(end: Callable[[int, FrameType | None], object]) -> None:
    """Call `end` when the process that started this one is gone; a killed script leaves nothing behind."""
    if sys.platform == "linux" and os.getppid() > 1:
        signal.signal(signal.SIGUSR1, end)
        ctypes.CDLL(None).prctl(1, signal.SIGUSR1)


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _ending(code: int | None) -> str:
    if code is None:
        return "no exit code"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _prefix(name: str, source: IO[bytes], output: IO[str]) -> None:
    label = f"{name:<6} | "
    if output.isatty():
        label = f"\x1b[{COLOURS.get(name, 37)}m{label}\x1b[0m"
    for line in source:
        try:
            output.write(label + line.decode(errors="replace").rstrip("\n") + "\n")
            output.flush()
        except (OSError, ValueError):
            continue  # nobody reads any more; the child must not stop for that
    source.close()
