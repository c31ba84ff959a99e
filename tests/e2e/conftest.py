"""One installation for all end-to-end tests, filled with the demo data."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tests.e2e.household import Household


@pytest.fixture(scope="session")
def household(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    """`manage.py up`, running; on the suite's second run it works on PostgreSQL."""
    yield from installation(tmp_path_factory, "e2e")


def installation(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[Household]:
    """An installation of this name with data and database of its own."""
    server = os.environ.get("LATCHKEY_TEST_DATABASE_URL")
    url = _fresh_database(server, name) if server else None
    home = Household(tmp_path_factory.mktemp(name) / "data", database_url=url)
    try:
        home.start()
        home.key = home.make_key("acme", "manager")
        yield home
    finally:
        home.kill()


def _fresh_database(server: str, word: str) -> str:
    name = f"{word}_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    base, _, rest = server.partition("?")
    return f"{base.rpartition('/')[0]}/{name}" + (f"?{rest}" if rest else "")
