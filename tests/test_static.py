"""What the tools say of the code: style, types, templates, migrations."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.once


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("case", "command"),
    [
        ("style", ["ruff", "check", "--quiet", "."]),
        ("format", ["ruff", "format", "--check", "--quiet", "."]),
        ("types", ["mypy", "--no-error-summary"]),
        (
            "templates",
            ["djlint", "--lint", "--quiet", "accounts", "devices", "portal", "provisioning", "security"],
        ),
        ("migrations", ["manage.py", "makemigrations", "--check", "--dry-run"]),
    ],
)
def test_the_tools_find_nothing(case: str, command: list[str]) -> None:
    program = [] if command[0] == "manage.py" else ["-m"]

    run = subprocess.run(
        [sys.executable, *program, *command],
        cwd=ROOT,
        env={**os.environ, "LATCHKEY_NO_VENV": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, f"{case}: {run.stdout[-4000:]}{run.stderr[-2000:]}"
