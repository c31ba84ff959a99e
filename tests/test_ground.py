"""The ground itself: the store is real and empty, the clock stands, the databases are what they say."""

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from tests.conftest import NOON


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
