"""The same settings give the same bytes, whichever process compiles them on whichever day."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.families.test_golden import MODELS

ROOT = Path(__file__).resolve().parents[2]
COMPILE = """
import hashlib, sys
import time_machine
with time_machine.travel(sys.argv[1], tick=True):
    import datetime
    from tests.families.samples import everything
    from tests.families.test_golden import MODELS, _files
    from provisioning.compiling import compile_full
    print("on", datetime.datetime.now(datetime.timezone.utc).date(), hash("the seed shows here"))
    for family, model in MODELS:
        more = compile_full(everything(family, model), "https://p.example.org/d/" + "k3" * 20 + "/")
        for name, file in [*_files(family, model).items(), *more.items()]:
            print(family, model, name, file.content_type, hashlib.sha256(file.body).hexdigest())
"""


def compiled(seed: str, day: str, zone: str) -> tuple[str, list[str]]:
    """What a process of its own compiles: how it shows that it is another one, and a line for each file."""
    surroundings = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", COMPILE, day],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    head, *files = run.stdout.splitlines()
    return head, files


@pytest.mark.timeout(300)
def test_two_processes_on_two_days_make_the_same_bytes() -> None:
    head, files = compiled("1", "2026-03-01T23:59:58Z", "Asia/Kolkata")
    other_head, other_files = compiled("4102", "2027-11-09T04:30:00Z", "America/New_York")

    assert head.startswith("on 2026-03-0")
    assert other_head.startswith("on 2027-11-09")
    assert head.split()[-1] != other_head.split()[-1]
    assert {tuple(line.split()[:2]) for line in files} == set(MODELS)
    assert len(files) > 3 * len(MODELS)
    assert files == other_files
