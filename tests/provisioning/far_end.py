"""The SIP edge of the tests: sipp with a scenario, on loopback, and what it got."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START = 20.0
ANSWER = """
  <send><![CDATA[
    SIP/2.0 {status} Said
    [last_Via:]
    [last_From:]
    [last_To:];tag=far[call_number]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0

  ]]></send>"""
PATIENT = '  <recv request="NOTIFY" crlf="true"></recv>'


@dataclass
class FarEnd:
    """Where it listens, and the file that holds all it was sent and has said."""

    address: str
    trace: Path

    def requests(self) -> list[str]:
        """Every NOTIFY that arrived, in order, copies included."""
        # sipp writes a line of dashes with the time above each message.
        parts = self.trace.read_text(errors="replace").split("-" * 47)
        received = [part for part in parts if " message received " in part]
        return [part.partition("\n\n")[2].strip("\n") for part in received if "NOTIFY sip:" in part]


def scenario(*steps: int | None) -> str:
    """For each NOTIFY the status to answer with, or None for silence."""
    said = [PATIENT + (ANSWER.format(status=status) if status else "") for status in steps]
    return '<?xml version="1.0"?>\n<scenario name="far end">\n' + "\n".join(said) + "\n</scenario>\n"


@contextmanager
def far_end(folder: Path, *steps: int | None, transport: str = "udp") -> Iterator[FarEnd]:
    """A sipp that plays these steps to every call."""
    port = free_port()
    (folder / "far.xml").write_text(scenario(*steps))
    trace = folder / "messages.log"
    command = [
        *("sipp", "-sf", "far.xml", "-i", "127.0.0.1", "-p", str(port), "-nostdin"),
        # Copies are what is counted here: sipp is not to swallow them.
        *("-nr", "-t", "t1" if transport == "tcp" else "u1", "-trace_msg", "-message_file", str(trace)),
    ]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as sipp:
        try:
            wait_until_bound(port, transport, sipp)
            yield FarEnd(f"sip:127.0.0.1:{port};transport={transport}", trace)
        finally:
            sipp.kill()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        other.bind(("127.0.0.1", port))
        return port


def wait_until_bound(port: int, transport: str, sipp: "subprocess.Popen[bytes]") -> None:
    """Until somebody else has the port."""
    over = time.monotonic() + START
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    while time.monotonic() < over and sipp.poll() is None:
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return
        time.sleep(0.02)
    raise AssertionError(f"sipp does not listen (exit {sipp.poll()})")
