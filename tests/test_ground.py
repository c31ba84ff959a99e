"""The ground itself: the store is real and empty, the clock stands, the databases are what they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from tests.conftest import NOON, scope_of

ROOT = Path(__file__).parents[1]


def test_the_store_never_evicts(store: redis.Redis) -> None:
    assert store.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert store.dbsize() == 0


@pytest.mark.usefixtures("clock")
def test_the_clock_stands() -> None:
    assert timezone.now() == NOON


def test_sqlite_commits_durably(db: None) -> None:
    if connection.vendor != "sqlite":
        assert connection.vendor == "postgresql"
        return

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)
        cursor.execute("PRAGMA synchronous")
        assert cursor.fetchone() == (2,)
    assert settings.DATABASES["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


@pytest.mark.parametrize(
    ("case", "one", "other", "together"),
    [
        ("a file's tests share its browser", "browser/test_a.py::one", "browser/test_a.py::two[b::c]", True),
        ("each file to whoever is free", "browser/test_a.py::one", "browser/test_b.py::one", False),
        ("a folder that shares an installation", "e2e/test_a.py::one", "e2e/test_b.py::one", True),
        ("another installation", "e2e/test_a.py::one", "stories/test_a.py::one", False),
    ],
)
def test_what_one_process_gets_as_a_whole(case: str, one: str, other: str, together: bool) -> None:
    assert (scope_of(f"tests/{one}") == scope_of(f"tests/{other}")) is together, case


def collected(run: str, *paths: str) -> set[str]:
    """The tests that pytest would run of these files."""
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", *paths],
        cwd=ROOT,
        env={**os.environ, "LATCHKEY_RUN": run},
        capture_output=True,
        text=True,
        check=True,
    )
    return {line for line in found.stdout.splitlines() if "::" in line}


@pytest.mark.once
def test_of_pages_each_test_runs_on_one_of_the_two_databases_and_none_is_lost() -> None:
    paths = ("tests/portal/test_pages.py", "tests/test_queries.py", "tests/portal/test_bootstrap.py")
    alone, first, second = (collected(run, *paths) for run in ("", "first", "second"))

    assert first | second == alone
    dealt = {test for test in alone if "test_pages.py" in test}
    assert first & dealt
    assert second & dealt
    assert not first & second & dealt
    assert {test for test in alone if "test_queries.py" in test} <= first & second
    assert not second & {test for test in alone if "test_bootstrap.py" in test}
