"""The programs that are measured, each on a port of its own, with the processor time that they have used."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from accounts.sealing import new_key
from portal import embedded

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
TOKEN_KEY = "token-key-of-the-bench"
SECRET_KEYS = new_key("k1")


class Edge:
    """The edge under uvicorn with the options of `manage.py up`."""

    name = "edge"

    def __init__(self, store: embedded.Store, log: Path, *, python: str = sys.executable) -> None:
        self.port = _free_port()
        self.store = store
        environment = {
            **os.environ,
            "LATCHKEY_SECRET_KEYS": SECRET_KEYS,
            "LATCHKEY_TOKEN_KEY": TOKEN_KEY,
            "REDIS_URL": store.url,
            "PHONES_URL": "https://phones.example.org",
            "PORTAL_URL": "https://portal.example.org",
            "TRUSTED_PROXIES": "",
            "PYTHONPATH": os.pathsep.join((sysconfig.get_path("purelib"), os.environ.get("PYTHONPATH", ""))),
        }
        options = [
            *(
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
                "--loop",
                "uvloop",
                "--http",
                "provisioning.edge.daily:DailyProtocol",
            ),
            *("--ws", "none", "--no-access-log", "--no-server-header", "--no-date-header"),
            *("--no-proxy-headers", "--log-level", "warning", "--app-dir", str(ROOT)),
        ]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [python, "-m", "uvicorn", "tests.bench.stand_in:edge", *options],
                env=environment,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=embedded.die_with_parent,
            )
        _wait_for_port(self.port, self.process)

    def seconds(self) -> float:
        """Processor time of the edge and of its store."""
        assert self.store.process is not None
        return processor_time(self.process.pid) + processor_time(self.store.process.pid)

    def parts(self) -> dict[str, float]:
        assert self.store.process is not None
        return {
            "edge": processor_time(self.process.pid),
            "store": processor_time(self.store.process.pid),
        }

    def stop(self) -> None:
        _stop(self.process)


class Nginx:
    """nginx with one worker, serving a directory of static files."""

    name = "nginx"

    def __init__(self, directory: Path, files: Path) -> None:
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
        if program is None:
            raise SystemExit("nginx is not installed (Debian: apt install nginx).")
        self.port = _free_port()
        config = directory / "nginx.conf"
        config.write_text(
            f"""
            {"user root;" if os.getuid() == 0 else ""}
            daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx.log crit;
            events {{ worker_connections 4096; }}
            http {{
                access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; server_tokens off;
                default_type text/plain;
                client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
                fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
                scgi_temp_path {directory}/scgi;
                server {{ listen 127.0.0.1:{self.port} backlog=4096; root {files}; }}
            }}
            """
        )
        self.process = subprocess.Popen(
            [program, "-p", str(directory), "-c", str(config)],
            stderr=subprocess.DEVNULL,
            preexec_fn=embedded.die_with_parent,
        )
        _wait_for_port(self.port, self.process)

    def seconds(self) -> float:
        """Processor time of the workers."""
        return sum(processor_time(pid) for pid in _children(self.process.pid))

    def stop(self) -> None:
        _stop(self.process)


def processor_time(pid: int) -> float:
    """User and system seconds of a process, all of its threads, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("a server of the bench does not start") from None
            time.sleep(0.05)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
