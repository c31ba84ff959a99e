"""The same thirty days as rows of a database of their own: read and replayed as the product does it."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from security.networks import Network, origin_of
from security.pressure import HOUR, LOCKED_MAC, Rules
from security.what_if import Event, Failed, Known
from tests.bench.servers import processor_time

CHUNK = 10_000


@contextmanager
def database(kind: str) -> Iterator[None]:
    """An empty database of that kind, for as long as this lasts; once in a process."""
    from portal import embedded

    server = None
    if kind == "postgresql":
        server = embedded.Postgres()
        server.start()
        os.environ["LATCHKEY_TEST_DATABASE_URL"] = server.url
    try:
        from tests import environment

        environment.prepare()
        os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
        import django
        from django.core.management import call_command
        from django.db import connections

        django.setup()
        call_command("migrate", verbosity=0)
        yield
        connections.close_all()
    finally:
        if server is not None:
            server.stop()


def fill(events: Iterable[Event]) -> tuple[int, int]:
    """Write them as the drain would have; how many rows of keys and of hours."""
    from accounts.models import Account
    from devices.models import Device
    from provisioning.models import FailureKey, ProvedHour

    platform = Account(slug="platform", name="Platform", kind=Account.Kind.PLATFORM)
    account = Account.objects.add_root(instance=platform)
    keys: dict[tuple[int, float, str, str], list[Any]] = {}
    counts: dict[tuple[int, float], list[Any]] = {}
    macs = set()
    for event in events:
        first, hour = origin_of(event.address).first, event.at // HOUR * HOUR
        if isinstance(event, Failed):
            held = keys.setdefault((first, hour, event.kind, event.label), [event.at, event.at, 0])
            held[1], held[2] = event.at, held[2] + 1
            if event.kind == LOCKED_MAC:
                macs.add(event.label)
        else:
            counts.setdefault((first, hour), []).append(_entry(event, str(account.code)))
    _bulk(
        Device,
        (Device(account=account, mac=mac, family="yealink", model="T46S") for mac in sorted(macs)),
    )
    _bulk(
        FailureKey,
        (
            FailureKey(
                **_range(first), hour=_at(hour), kind=kind, label=label, first_at=_at(since),
                last_at=_at(last), count=count, agent="Yealink SIP-T46S 66.85.0.5",
            )
            for (first, hour, kind, label), (since, last, count) in keys.items()
        ),
    )  # fmt: skip
    _bulk(
        ProvedHour,
        (
            ProvedHour(**_range(first), hour=_at(hour), counts=entries)
            for (first, hour), entries in counts.items()
        ),
    )
    return len(keys), len(counts)


def try_out(start: float, days: int, trials: Mapping[str, Rules]) -> float:
    """Replay the rows by each set of thresholds; the longest that one of them took of a processor."""
    from provisioning import replaying
    from security.what_if import replay

    since = _at(start)
    until = since + timedelta(days=days)
    slowest = 0.0
    for name, rules in trials.items():
        began, used = time.monotonic(), _used()
        found = list(replay(replaying.events(since, until), rules))
        result = replaying.compared(found, since, until)
        took, cpu = time.monotonic() - began, _used() - used
        slowest = max(slowest, cpu)
        print(
            f"{name:>22}: {cpu:5.1f} s of CPU, the database's included ({took:.1f} s by the clock); "
            f"{result['would_be']:,} bans, {result['with_phones']:,} with proved phones behind them",
            flush=True,
        )
    return slowest


def _used() -> float:
    """Processor time of this process, and of the database's that works for it."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return time.process_time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return time.process_time() + processor_time(cursor.fetchone()[0])


def _entry(known: Known, account: str) -> list[Any]:
    crowds = dict.fromkeys([account] if known.proved_by_account else [], known.proved)
    allowed = str(known.allowed) if known.allowed else ""
    return [known.at, known.proved, crowds, known.window_devices, allowed]


def _bulk(model: Any, rows: Iterator[Any]) -> None:
    while chunk := list(islice(rows, CHUNK)):
        model.objects.bulk_create(chunk)


def _range(first: int) -> dict[str, str]:
    origin: Network = origin_of(first)
    return {"first": origin.hex_first, "last": origin.hex_last}


def _at(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, tz=UTC)
