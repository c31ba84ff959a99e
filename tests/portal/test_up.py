"""`manage.py up`: it answers, it heals, it ends, and it refuses early."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.household import free_port

ROOT = Path(__file__).resolve().parents[2]
OURS = (
    "LATCHKEY_",
    "PORTAL_URL",
    "PHONES_URL",
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "TRUSTED_PROXIES",
    "LOG_",
)

pytestmark = [pytest.mark.once, pytest.mark.timeout(180)]


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**clean, "LATCHKEY_NO_VENV": "1", "PYTHONUNBUFFERED": "1", **more}


def up(data: Path, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "up", "--data", str(data), *options],
        cwd=ROOT,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
    )


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def eventually(true: Callable[[], bool], patience: float = 60.0) -> bool:
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def status(port: int, path: str = "/") -> int:
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        caller.request("GET", path)
        return caller.getresponse().status
    except OSError:
        return 0
    finally:
        caller.close()


def processes_with(text: str) -> list[int]:
    """Ids of the processes whose environment names this data directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if text.encode() in path.read_bytes() + (path.parent / "cmdline").read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


Running = tuple[subprocess.Popen[str], Path, int, int]


def start_empty(top: Path) -> Iterator[Running]:
    """An empty installation on this machine, ended in the end."""
    data, log = top / "data", top / "log"
    port, phones_port = free_ports(2)
    with log.open("w") as output:
        parent = subprocess.Popen(
            [
                *(sys.executable, "manage.py", "up", "--empty", "--data", str(data)),
                *("--port", str(port), "--phones-port", str(phones_port)),
            ],
            cwd=ROOT,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    ready = eventually(lambda: "Ctrl-C" in log.read_text() or parent.poll() is not None)
    assert ready, log.read_text()
    assert parent.poll() is None, log.read_text()
    yield parent, data, port, phones_port
    if parent.poll() is None:
        parent.terminate()
        parent.wait(60)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An installation that several tests look at."""
    yield from start_empty(tmp_path_factory.mktemp("lasting"))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """An installation for one test, which ends it."""
    yield from start_empty(tmp_path)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_end_takes_every_process_along(running: Running, how: signal.Signals) -> None:
    parent, data, port, phones_port = running
    assert status(port, "/accounts/login/") == 200
    assert status(phones_port, "/nothing.cfg") in {404, 503}
    assert len(processes_with(str(data))) > 5

    parent.send_signal(how)

    assert parent.wait(60) == 0
    assert processes_with(str(data)) == []


def test_what_dies_by_itself_is_started_again(lasting: Running) -> None:
    _, data, _, phones_port = lasting
    killed = [
        pid
        for pid in processes_with(str(data))
        if {b"uvicorn"} & set((Path("/proc") / str(pid) / "cmdline").read_bytes().split(b"\0"))
    ]

    for pid in killed:
        os.kill(pid, signal.SIGKILL)

    assert len(killed) == 1
    assert eventually(lambda: status(phones_port, "/nothing.cfg") in {404, 503})
    assert killed[0] not in processes_with(str(data))


def test_a_killed_parent_leaves_nothing_behind(running: Running) -> None:
    parent, data, _, _ = running

    parent.kill()
    parent.wait()

    assert eventually(lambda: processes_with(str(data)) == [])


def test_secrets_are_for_this_user_alone_and_stay(
    lasting: Running,
) -> None:
    _, data, _, _ = lasting
    kept = (data / "latchkey.env").read_text()

    second = up(data, "--port", "1", "--phones-port", "2")

    assert (data / "latchkey.env").stat().st_mode & 0o777 == 0o600
    assert all(f"{name}=" in kept for name in ("SECRET_KEY", "LATCHKEY_SECRET_KEYS", "LATCHKEY_TOKEN_KEY"))
    assert second.returncode == 1
    assert (data / "latchkey.env").read_text() == kept


def test_a_second_one_on_the_same_data_is_refused(
    lasting: Running,
) -> None:
    _, data, _, _ = lasting
    port, phones_port = free_ports(2)

    second = up(data, "--port", str(port), "--phones-port", str(phones_port))

    assert (second.returncode, second.stderr) == (1, f"latchkey: Another `up` runs on the data in {data}.\n")


def test_a_busy_port_is_said_in_one_line(tmp_path: Path) -> None:
    (other,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        run = up(tmp_path / "data", "--port", str(other), "--phones-port", str(port))

    line = f"latchkey: port {port} of 127.0.0.1 is in use; choose another with --phones-port.\n"
    assert (run.returncode, run.stderr) == (1, line)
    assert not (tmp_path / "data").exists()


def test_lost_keys_are_not_replaced_by_fresh_ones(
    running: Running,
) -> None:
    parent, data, port, phones_port = running
    parent.terminate()
    parent.wait(60)
    account = "from accounts.models import Account; Account.add_root(slug='p', name='P', kind='platform')"
    here = environment(LATCHKEY_DATA=str(data))
    subprocess.run([sys.executable, "manage.py", "shell", "-c", account], cwd=ROOT, env=here, check=True)
    (data / "latchkey.env").unlink()

    run = up(data, "--port", str(port), "--phones-port", str(phones_port))

    assert run.returncode == 1
    assert run.stderr.startswith("latchkey: The database is in use, but its keys are not here:")
    assert not (data / "latchkey.env").exists()


@pytest.mark.parametrize(
    ("case", "setting", "value", "line"),
    [
        ("no database", "DATABASE_URL", "postgres://a:b@127.0.0.1:1/c", "The database cannot be reached:"),
        ("no address", "DATABASE_URL", "elsewhere", "DATABASE_URL is no database's address;"),
        ("no store", "REDIS_URL", "redis://127.0.0.1:1/0", "The store cannot be reached:"),
        ("no store's address", "REDIS_URL", "elsewhere", "The store cannot be reached:"),
    ],
)
def test_what_cannot_be_reached_is_said_in_one_line(
    case: str, setting: str, value: str, line: str, tmp_path: Path
) -> None:
    port, phones_port = free_ports(2)

    run = up(tmp_path / "data", "--port", str(port), "--phones-port", str(phones_port), **{setting: value})

    assert run.returncode == 1, case
    assert run.stderr.startswith(f"latchkey: {line}")
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_it_ends_with_the_script_that_started_it(tmp_path: Path) -> None:
    """A script that is killed, not asked, leaves no installation behind."""
    data = tmp_path / "data"
    port, phones_port = free_ports(2)
    line = [sys.executable, "manage.py", "up", "--empty", "--data", str(data)]
    line += ["--port", str(port), "--phones-port", str(phones_port)]
    script = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess; subprocess.run({line!r})"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    started = eventually(lambda: status(port) > 0)

    script.kill()
    script.wait()

    assert started
    assert eventually(lambda: processes_with(str(data)) == [])
