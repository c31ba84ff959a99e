"""The whole suite on SQLite and on PostgreSQL, with servers of its own; further arguments go to pytest.

Tests of pages, API and plain rows run on one of the two (tests/conftest.py deals them out), all others of the
database on both.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from portal import embedded
from portal.bootstrap import stop

NO_TESTS = 5  # pytest's exit code when nothing was chosen
PROCESSES = 3  # on two cores: a third of the time a test waits, for a phone's patience, a browser or a server
IN_MEMORY = Path("/dev/shm")  # noqa: S108  (a directory of our own is made there)
ENOUGH = 4 << 30


class Command(BaseCommand):
    """Run pytest once for each database and say at the end how both went."""

    help = __doc__
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand everything to pytest unread: its options are not ours."""
        arguments = argv[2:]
        whole = not any(not argument.startswith("-") for argument in arguments)
        try:
            embedded.store_program()
        except embedded.CannotStart as error:
            stop(str(error))
        # Ended from outside, it still puts away its servers and what was written in memory.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        with _place() as place:
            if place:
                # Open to be passed through: PostgreSQL runs as somebody else.
                Path(place).chmod(0o711)
                os.environ["TMPDIR"] = tempfile.tempdir = place
                # What one process has compiled the others read: some hundred are started, and pytest rewrites
                # every test. It goes with the place, for those who want no such files beside the sources.
                if whole and os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
                    os.environ["PYTHONPYCACHEPREFIX"] = str(Path(place) / "compiled")
            endings = self._run_both(arguments, whole=whole)
        print()
        for name, (_, line) in endings.items():
            print(f"{name:<11} {line}")
        sys.exit(max(code for code, _ in endings.values()))

    def _run_both(self, arguments: list[str], *, whole: bool) -> dict[str, tuple[int, str]]:
        """SQLite, then PostgreSQL; without that, all that SQLite can do runs there."""
        try:
            server = embedded.Postgres()
            server.start()
        except embedded.CannotStart as error:
            only = self._run("SQLite", arguments, whole=whole, environment={})
            missing = 1 if os.environ.get("REQUIRE_ALL") == "1" else 0
            return {"SQLite": only, "PostgreSQL": (missing, f"SKIPPED: {error}")}
        try:
            on_postgres = {"LATCHKEY_RUN": "second", "LATCHKEY_TEST_DATABASE_URL": server.url}
            endings = {
                "SQLite": self._run("SQLite", arguments, whole=whole, environment={"LATCHKEY_RUN": "first"}),
                "PostgreSQL": self._run("PostgreSQL", arguments, whole=whole, environment=on_postgres),
            }
        finally:
            server.stop()
        if all(code == NO_TESTS for code, _ in endings.values()):
            return endings
        nothing = (0, "nothing of this runs here")
        return {name: nothing if end[0] == NO_TESTS else end for name, end in endings.items()}

    def _run(
        self, name: str, arguments: list[str], *, whole: bool, environment: dict[str, str]
    ) -> tuple[int, str]:
        print(f"\n### {name}\n", flush=True)
        parallel = ["--numprocesses", str(PROCESSES)] if whole else []
        # Named before the tests' own environment stands, it would make Django read ours.
        inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        child = subprocess.Popen(
            [sys.executable, "-m", "pytest", *parallel, *arguments],
            cwd=settings.BASE_DIR,
            env={**inherited, **environment},
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        assert child.stdout
        last = ""
        try:
            for line in child.stdout:
                sys.stdout.write(line)
                sys.stdout.flush()
                last = line.strip() or last
        except SystemExit:
            child.terminate()
            raise
        finally:
            code = child.wait()
        return code, re.sub(r"^=+ | =+$", "", last)


def _place() -> AbstractContextManager[str | None]:
    """A directory in memory for all that the tests write, if there is room: no commit waits for a disk."""
    fits = os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > ENOUGH
    # Some tests make an environment of their own and run it.
    if fits and not os.statvfs(IN_MEMORY).f_flag & os.ST_NOEXEC:
        return tempfile.TemporaryDirectory(prefix="latchkey-", dir=IN_MEMORY, ignore_cleanup_errors=True)
    return nullcontext()
