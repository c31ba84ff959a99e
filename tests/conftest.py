"""The ground of every test: a real store, the clock, what a test needs of this machine."""

import os
import shutil
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests import environment

DATA = environment.prepare()  # before anything reads Django's settings

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
django.setup()
# Left in place, it would make pytest-django read the settings in xdist's workers before they have their own.
del os.environ["DJANGO_SETTINGS_MODULE"]

import pytest
import redis
import time_machine
from django.conf import settings as django_settings
from django.test import override_settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadScopeScheduling

from portal import embedded

pytest_plugins = ["tests.cast", "tests.world"]

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
USUAL, LONGEST = 300.0, 3600.0  # seconds that a test may take: by pyproject.toml, and where there is no end

hypothesis_settings.register_profile(
    "steady",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.register_profile(
    "searching", derandomize=False, database=None, deadline=None, max_examples=5000
)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


# --- what a test needs of this machine ---------------------------------------------------------------------

PACKAGES = {
    "curl": lambda: shutil.which("curl"),
    "chromium": lambda: shutil.which("chromium") or shutil.which("chromium-browser"),
    "gettext": lambda: shutil.which("xgettext") and shutil.which("msgmerge"),
    "nginx": lambda: shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin"),
    "nodejs": lambda: shutil.which("node"),
    "postgresql": embedded.postgres_programs,
    "sipp": lambda: shutil.which("sipp"),  # of the package sip-tester
}
_lacking: dict[str, list[str]] = {}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for package in marker.args:
            if PACKAGES[package]():
                continue
            _lacking.setdefault(package, []).append(item.nodeid)
            reason = f"needs {package}: apt install {package}"
            if os.environ.get("REQUIRE_ALL") == "1":
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose what this of the two runs is for (`manage.py test` names it), and let what may take long begin.

    Begun last, it would leave all cores but one without work.
    """
    run = os.environ.get("LATCHKEY_RUN", "")
    kept, left = [], []
    for item in items:
        (kept if _is_for(run, item) else left).append(item)
    config.hook.pytest_deselected(items=left)
    patience, place = dict[str, float](), dict[str, int]()
    for item in kept:
        scope = scope_of(item.nodeid)
        patience[scope] = max(patience.get(scope, 0.0), _patience(item))
        place.setdefault(scope, len(place))

    def order(item: pytest.Item) -> tuple[bool, bool, float, int, float]:
        scope, folder = scope_of(item.nodeid), _folder(item)
        return folder not in TOGETHER, folder not in FIRST, -patience[scope], place[scope], -_patience(item)

    items[:] = sorted(kept, key=order)


#: Pages, the API and plain rows do the same on either database: with both at hand each test runs on one.
DEALT_OUT = {"accounts", "api", "devices", "portal", "security", "test_access_matrix.py", "test_secrets.py"}


def _is_for(run: str, item: pytest.Item) -> bool:
    """Whether a test belongs to the first run (SQLite), the second (PostgreSQL), or the only one."""
    if item.get_closest_marker("large"):
        return run == "second"  # too much for SQLite
    if run == "second" and (item.get_closest_marker("once") or not _touches_database(item)):
        return False
    folder = _folder(item)
    if run and folder in DEALT_OUT and _touches_database(item) and not _is_bound(item):
        return (zlib.crc32(item.nodeid.encode()) % 2 == 0) == (run == "first")
    return True


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


def _is_bound(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(marker) for marker in ("both", "once", "needs"))


#: Their tests share an installation that takes half a minute to start: one process has all of a folder's.
TOGETHER = {"e2e", "stories"}
FIRST = TOGETHER | {"attacks", "browser"}  # what takes longest


def scope_of(nodeid: str) -> str:
    """What goes to one process as a whole."""
    file = nodeid.split("::")[0]
    folder = file.removeprefix("tests/").split("/")[0]
    return folder if folder in TOGETHER else file


class _ByFile(LoadScopeScheduling):
    """Each file to whoever is free, so that its browser is started once; the folders above as a whole.

    xdist's own groups come to nothing with this pytest: it cannot write them into a test's name any more.
    """

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # ours is the better order: not by how many tests a file has
    return _ByFile(config, log)


def _patience(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0] or LONGEST) if marker else USUAL


def _touches_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(
        item.get_closest_marker("django_db")
        or fixtures & {"db", "transactional_db", "live_server", "household"}
    )


# --- settings that make tests quick, not weak --------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def _quick_settings() -> Iterator[None]:
    storages = {
        **django_settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(STORAGES=storages, PASSWORD_HASHERS=hashers):
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Keep SQLite in a file, as in operation: threads and other processes must see the same rows."""
    database = django_settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database.setdefault("TEST", {})["NAME"] = str(DATA / "test.sqlite3")


# --- the store ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def store_of_session() -> Iterator[embedded.Store]:
    server = embedded.Store(Path(DATA))
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def store_server(store_of_session: embedded.Store) -> embedded.Store:
    """The store's server, empty and running; a test may stop and start it."""
    if not store_of_session.is_running():
        store_of_session.start()
    with redis.Redis.from_url(store_of_session.url) as client:
        client.flushall()
    return store_of_session


@pytest.fixture
def store(store_server: embedded.Store) -> Iterator[redis.Redis]:
    """A client of the empty store."""
    with redis.Redis.from_url(store_server.url) as client:
        yield client


# --- the clock ---------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands at noon of a Monday until the test moves it."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller
