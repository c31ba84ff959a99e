"""What goes where: the rules of the tree that a machine can check."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("portal", "accounts", "devices", "security", "provisioning")
TOP_LEVEL = {"manage.py", "pyproject.toml", "README.md", "docker", "tests", *APPS}
BANNED = {"common", "core", "utils", "helpers", "base", "services", "managers", "misc"}
LONGEST = 450
DOORS = re.compile(r"(^|/)(views|api|forms)(_\w+)?\.py$|^portal/pages/|/api/")

pytestmark = pytest.mark.once


def sources(*tops: str) -> Iterator[Path]:
    for top in tops:
        for path in sorted((ROOT / top).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_calls_go_down() -> None:
    lint = Path(sys.prefix) / "bin" / "lint-imports"

    run = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


def test_the_top_level_is_the_fixed_one() -> None:
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith((".", "__pycache__"))}

    assert visible == TOP_LEVEL


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    named = [short(p) for p in sources(*APPS) if BANNED & {p.stem, *p.relative_to(ROOT).parts[:-1]}]

    assert named == []


@pytest.mark.parametrize("app", APPS)
def test_an_app_says_nothing_when_it_is_imported(app: str) -> None:
    assert (ROOT / app / "__init__.py").read_text() == ""


def test_every_module_says_what_it_decides() -> None:
    silent = [
        short(path)
        for path in sources(*APPS)
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert [name for name in silent if not name.endswith("/apps.py")] == []


def test_no_file_hides_a_second_idea() -> None:
    files = [*sources(*APPS, "tests"), *(p for app in APPS for p in (ROOT / app).rglob("*.html"))]
    long = {short(p): n for p in files if (n := len(p.read_text().splitlines())) > LONGEST}

    assert long == {}


def test_rows_are_reached_through_visible_to_alone() -> None:
    """A forgotten filter in a view shows another customer's phones."""
    found = [
        f"{short(path)}:{node.lineno} .objects.{node.attr}"
        for path in sources(*APPS)
        if DOORS.search(short(path))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "objects"
        and node.attr not in {"visible_to", "reachable_by", "none"}
    ]

    assert found == []


def test_vendors_are_data() -> None:
    codes = [path.name for path in (ROOT / "devices" / "families").iterdir() if path.is_dir()]
    vendor = re.compile(rf"(?<![a-z])({'|'.join(map(re.escape, codes))})(?![a-z])", re.IGNORECASE)
    found = []
    for path in sources(*APPS):
        tree = ast.parse(path.read_text())
        spoken = _docstrings(tree)
        found += [
            f"{short(path)}:{node.lineno} {node.value!r}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in spoken
            and vendor.search(node.value)
        ]

    assert len(codes) >= 2
    assert found == []


def test_no_family_holds_code() -> None:
    assert [short(path) for path in sources("devices/families")] == []


def test_migrations_say_what_they_do() -> None:
    names = [path.stem for app in APPS for path in (ROOT / app).glob("migrations/*.py")]

    assert [name for name in names if "auto" in name.split("_")] == []


def test_the_readme_lists_every_setting() -> None:
    tree = ast.parse((ROOT / "portal" / "settings.py").read_text())
    names = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and (
            (isinstance(node.func, ast.Name) and node.func.id == "secret")
            or (
                isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "env"
            )
        )
    }
    readme = (ROOT / "README.md").read_text()

    assert sorted(name for name in names if f"`{name}`" not in readme) == []


def test_only_settings_read_the_environment() -> None:
    """What reads it elsewhere starts or stands before Django, or is the edge's own configuration."""
    allowed = {
        *("portal/settings.py", "portal/bootstrap.py", "portal/starting.py", "portal/places.py"),
        *("portal/supervising.py", "portal/asgi.py", "portal/wsgi.py", "portal/celery.py"),
        *("portal/management/commands/up.py", "portal/management/commands/test.py"),
        "provisioning/edge/config.py",
    }
    readers = {
        short(path)
        for path in sources(*APPS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }

    assert readers - allowed == set()


@pytest.mark.parametrize("lock", ["production", "embedded", "test"])
def test_locks_are_hashed_and_name_no_address(lock: str) -> None:
    text = (ROOT / "docker" / "requirements" / f"{lock}.txt").read_text()
    packages = re.findall(r"(?m)^[a-z0-9].*==.*$", text)

    assert packages
    assert text.count("==") == len(re.findall(r"(?m)^[a-z0-9].*== *[^ ]+.*\\\n +--hash", text)) + text.count(
        " == "
    )
    assert not re.search(r"(?m)^-|://|@ ", text)


def _docstrings(tree: ast.Module) -> set[int]:
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, holders) and node.body and isinstance(node.body[0], ast.Expr)
    }
