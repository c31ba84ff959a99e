"""The first start on a bare machine: what is missing is said in one line, and nothing stays half made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = os.path.realpath(sys.executable)
OUTSIDE = ("VIRTUAL_ENV", "PYTHONPATH", "LATCHKEY_NO_VENV", "LATCHKEY_DATA", "DATABASE_URL", "REDIS_URL")

pytestmark = pytest.mark.once


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A fresh clone as far as the first start reads it."""
    top = tmp_path / "clone"
    shutil.copytree(ROOT / "portal", top / "portal", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docker" / "requirements", top / "docker" / "requirements")
    shutil.copy(ROOT / "manage.py", top)
    return top


def manage(top: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in OUTSIDE}
    return subprocess.run(
        [PYTHON, "manage.py", *arguments],
        cwd=top,
        env={**clean, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def made(top: Path) -> set[str]:
    return {path.name for path in top.iterdir()} - {"portal", "docker", "manage.py"}


def test_a_missing_venv_module_is_said_in_one_line(bare: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "ensurepip.py").write_text("raise ImportError('gone', name='ensurepip')\n")

    run = manage(bare, "check", PYTHONPATH=str(hidden))

    assert run.returncode == 1
    assert run.stderr.startswith("latchkey: Python's module ensurepip is missing; install it")
    assert run.stderr.count("\n") == 1
    assert made(bare) == set()


def test_an_index_out_of_reach_leaves_no_environment_behind(bare: Path) -> None:
    run = manage(
        bare,
        "check",
        PIP_CONFIG_FILE=os.devnull,
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS="",
        PIP_EXTRA_INDEX_URL="",
    )

    assert run.returncode == 1
    assert "latchkey: the packages cannot be installed (is the package index in reach?):" in run.stderr
    assert "Traceback" not in run.stderr
    assert made(bare) == set()


def test_a_finished_environment_is_used_as_it_is(bare: Path) -> None:
    from portal import bootstrap

    venv = bare / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(PYTHON)
    (venv / bootstrap.STAMP).write_text(bootstrap._stamp(str(bare), str(venv), "test"))

    assert bootstrap._is_current(str(bare), str(venv), "test")
    assert bootstrap._is_current(str(bare), str(venv), "embedded")


def test_another_lock_makes_an_environment_outdated(bare: Path) -> None:
    from portal import bootstrap

    venv = bare / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(PYTHON)
    (venv / bootstrap.STAMP).write_text(bootstrap._stamp(str(bare), str(venv), "embedded"))
    (bare / "docker" / "requirements" / "embedded.txt").write_text("django==5.2.99\n")

    assert not bootstrap._is_current(str(bare), str(venv), "embedded")
    assert not bootstrap._is_current(str(bare), str(venv), "test")


def test_an_old_python_could_read_the_first_start() -> None:
    """It must get as far as the sentence that it is too old."""
    import ast

    for name in ("manage.py", "portal/bootstrap.py"):
        ast.parse((ROOT / name).read_text(), feature_version=(3, 7))
