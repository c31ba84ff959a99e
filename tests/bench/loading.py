"""Load by wrk: many paths in random order over connections that are kept."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """
local requests = {}
for line in io.lines("%(requests)s") do
  local path, agent = line:match("^(%%S+) (.*)$")
  requests[#requests + 1] = "GET " .. path .. " HTTP/1.1\\r\\nHost: phones.example.org\\r\\n"
    .. "User-Agent: " .. agent .. "\\r\\n\\r\\n"
end
math.randomseed(%(seed)d)
request = function() return requests[math.random(#requests)] end
"""


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    requests: int
    seconds: float
    failed: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def write_script(directory: Path, requests: list[tuple[str, str]], seed: int = 1) -> Path:
    """Write wrk's script for these paths and agents."""
    names = directory / "requests.txt"
    names.write_text("".join(f"{path} {agent}\n" for path, agent in requests))
    script = directory / "load.lua"
    script.write_text(_SCRIPT % {"requests": names, "seed": seed})
    return script


def load(port: int, script: Path, *, seconds: float, connections: int) -> Load:
    """Run wrk against one port of this machine."""
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is not installed (Debian: apt install wrk).")
    done = subprocess.run(
        [
            *(program, "-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s"),
            *("-s", str(script), "--timeout", "10s", f"http://127.0.0.1:{port}"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout
    total = re.search(r"(\d+) requests in ([\d.]+)(m?s|m)", said)
    assert total is not None, said
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0}[total[3]]
    bad = sum(int(number) for number in re.findall(r"Non-2xx or 3xx responses: (\d+)", said))
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    bad += sum(map(int, errors.groups())) if errors else 0
    return Load(int(total[1]), float(total[2]) * unit, bad)
