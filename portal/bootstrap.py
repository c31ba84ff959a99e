"""Before Django: makes .venv from the hashed lock, once, and goes on in it. Standard library only.

Written so that an old Python can read it and say what it lacks.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from typing import NoReturn

OLDEST = (3, 11)
STAMP = "latchkey-stamp"
MAKING = "latchkey-making"


def stop(reason: str) -> NoReturn:
    """End with one clear line."""
    sys.stderr.write(f"latchkey: {reason}\n")
    sys.exit(1)


def say(line: str) -> None:
    """Show progress without mixing it with what a command prints."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def enter(root: str, argv: "list[str]") -> None:
    """Return only inside the project's own environment, with every locked package there."""
    if sys.version_info < OLDEST:
        have = ".".join(str(part) for part in sys.version_info[:3])
        stop(f"Python 3.11 or newer is needed, this is {have}.")
    from portal import starting  # not for an old Python's eyes

    command = argv[1] if len(argv) > 1 else ""
    if command == "up":
        starting.read_options(argv[2:])
    if os.environ.get("LATCHKEY_NO_VENV") != "1":
        _go_on_in_venv(root, argv, "test" if command == "test" else "embedded")
    if command == "up":
        starting.prepare(root)


def _go_on_in_venv(root: str, argv: "list[str]", kind: str) -> None:
    venv = os.path.join(root, ".venv")
    python = os.path.join(venv, "bin", "python")
    if not _is_current(root, venv, kind):
        _make(root, venv, kind)
    if os.path.realpath(sys.prefix) != os.path.realpath(venv):
        sys.stdout.flush()
        os.execv(python, [python, os.path.join(root, "manage.py"), *argv[1:]])  # noqa: S606


def _lock(root: str, kind: str) -> str:
    return os.path.join(root, "docker", "requirements", kind + ".txt")


def _stamp(root: str, venv: str, kind: str) -> str:
    """What a finished environment says of itself: its lock and the interpreter that it was made with."""
    with open(_lock(root, kind), "rb") as lock:
        digest = hashlib.sha256(lock.read()).hexdigest()
    python = os.path.realpath(os.path.join(venv, "bin", "python"))
    return f"{kind} {digest} {python}\n"


def _is_current(root: str, venv: str, kind: str) -> bool:
    """The tests' lock holds all of the embedded one, so its stamp is good for both."""
    if not os.path.exists(os.path.join(venv, "bin", "python")):
        return False
    try:
        with open(os.path.join(venv, STAMP)) as file:
            stamp = file.read()
    except OSError:
        return False
    return stamp in {_stamp(root, venv, "test"), _stamp(root, venv, kind)}


def _make(root: str, venv: str, kind: str) -> None:
    """Make or complete the environment; one that cannot be finished is taken away again."""
    import fcntl
    import signal

    # Ended from outside while it installs, it must take away what it has begun, like on Ctrl-C.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = os.open(root, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)  # a second command waits here for the first one's work
    try:
        if _is_current(root, venv, kind):
            return
        broken = not os.path.exists(os.path.join(venv, "bin", "python"))
        unfinished = os.path.exists(os.path.join(venv, MAKING))
        # One without a stamp is somebody's own: complete it, never take it away.
        outdated = os.path.exists(os.path.join(venv, STAMP)) and not _same_python(venv)
        if broken or unfinished or outdated:
            _make_new(root, venv, kind)
        else:
            _install(root, venv, kind)
    finally:
        os.close(directory)
        signal.signal(signal.SIGTERM, before)


def _same_python(venv: str) -> bool:
    """Whether the environment's interpreter is the one its packages were installed for."""
    with open(os.path.join(venv, STAMP)) as file:
        made_with = file.read().split(" ", 2)[2].strip()
    return made_with == os.path.realpath(os.path.join(venv, "bin", "python"))


def _make_new(root: str, venv: str, kind: str) -> None:
    try:
        import ensurepip
        import venv as venv_module
    except ImportError as error:
        version = "{}.{}".format(*sys.version_info)
        stop(
            f"Python's module {error.name} is missing; install it (Debian: apt install python{version}-venv)."
        )
    del ensurepip
    shutil.rmtree(venv, ignore_errors=True)
    say("Making .venv ...")
    try:
        os.makedirs(venv)
        open(os.path.join(venv, MAKING), "w").close()
        # In a process of its own: what fails inside must not end this one without a word.
        made = subprocess.run(
            [sys.executable, "-m", venv_module.__name__, venv], capture_output=True, text=True, check=False
        )
        if made.returncode:
            lines = (made.stdout + made.stderr).strip().splitlines() or ["no reason given"]
            stop(f"the environment .venv cannot be made: {lines[-1]}")
        _install(root, venv, kind)
        os.unlink(os.path.join(venv, MAKING))
    except BaseException as error:
        shutil.rmtree(venv, ignore_errors=True)
        if isinstance(error, OSError):
            stop(f"the environment .venv cannot be made: {error}")
        raise


def _install(root: str, venv: str, kind: str) -> None:
    """Install from the lock with the machine's own pip configuration, and stamp last."""
    with open(_lock(root, kind)) as lock:
        total = len(re.findall(r"(?m)^[a-z0-9][^ ]*==", lock.read()))
    say(f"Installing about {total} packages from docker/requirements/{kind}.txt ...")
    started = time.monotonic()
    pip = [os.path.join(venv, "bin", "python"), "-m", "pip", "install", "--require-hashes", "--no-input"]
    child = subprocess.Popen(
        [*pip, "--progress-bar", "off", "--disable-pip-version-check", "-r", _lock(root, kind)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PIP_USER": "0", "PYTHONUNBUFFERED": "1"},
    )
    assert child.stdout
    errors = []
    seen = 0
    try:
        for line in child.stdout:
            if line.startswith(("Collecting ", "Requirement already satisfied: ")):
                seen += 1
                if seen % 10 == 0:
                    say(f"  {seen} of about {total} packages found")
            elif line.startswith("Installing collected packages"):
                say("  unpacking")
            elif line.startswith("ERROR"):
                errors.append(line.strip())
    except BaseException:
        child.terminate()
        child.wait()
        raise
    if child.wait():
        reason = (errors or ["pip gave no reason"])[0]
        stop(f"the packages cannot be installed (is the package index in reach?): {reason}")
    with open(os.path.join(venv, STAMP), "w") as file:
        file.write(_stamp(root, venv, kind))
    say(f"  done after {time.monotonic() - started:.0f} s")
