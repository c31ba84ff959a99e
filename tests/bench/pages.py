"""The portal's pages with 100,000 phones in one account on PostgreSQL: server time of each, p50 and p95.

Django's own test client asks, so that the figures are the portal's and the database's alone, without a web
server. CPU time is this process's and that of its connection's backend.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.bench.what_if_rows import database

GOAL = 0.100
PHONES, REQUESTS = 100_000, 200


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--phones", type=int, default=PHONES)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="of each page")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--only", default="", help="pages whose name holds this")


def run(options: argparse.Namespace) -> int:
    """Print one line of JSON a page; 1 when a page is slower than the goal."""
    with database("postgresql"):
        from tests.bench import pages_rows

        campus = pages_rows.fill(options.phones, options.seed, datetime.now(tz=UTC))
        slow = [row for row in measured(campus, options) if row["p95_ms"] > GOAL * 1000]
    print(json.dumps({"goal_ms": GOAL * 1000, "slower": [row["page"] for row in slow]}))
    return int(bool(slow))


def measured(campus: Any, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every page in turn, asked by the manager of the campus."""
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from portal.settling import settle

    settings.ALLOWED_HOSTS = ["testserver"]
    # Nobody has collected the static files here; what a page costs is the same.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    client = Client(headers={"X-Forwarded-Proto": "https"})
    client.force_login(campus.manager)
    spent = _spent()
    rows = []
    for name, url in urls(campus, options.phones).items():
        if options.only not in name:
            continue
        for _ in range(3):
            answer = client.get(url, secure=True)
        assert answer.status_code == 200, (url, answer.status_code)
        settle()
        with CaptureQueriesContext(connection) as queries:
            client.get(url, secure=True)
        asked = len(queries)
        times = []
        began = spent()
        for _ in range(options.requests):
            start = time.perf_counter()
            client.get(url, secure=True)
            times.append(time.perf_counter() - start)
        cpu = (spent() - began) / options.requests
        ranked = statistics.quantiles(times, n=100)
        row = {
            "page": name,
            "p50_ms": round(statistics.median(times) * 1000, 1),
            "p95_ms": round(ranked[94] * 1000, 1),
            "cpu_ms": round(cpu * 1000, 1),
            "queries": asked,
            "requests": options.requests,
        }
        print(json.dumps(row), flush=True)
        rows.append(row)
    return rows


def urls(campus: Any, phones: int) -> dict[str, str]:
    """What people ask for, by what it is called in the table of figures."""
    phone = f"/phones/{campus.phone.code}/"
    last = -(-phones // 25)
    return {
        "list": "/phones/",
        "last page": f"/phones/?page={last}",
        "page in the middle": f"/phones/?page={last // 2}",
        "search: part of a name": "/phones/?q=lab+5",
        "search: extension": f"/phones/?q={100_000 + phones // 2}",
        "search: MAC": "/phones/?q=00:15:65:aa",
        "search: owner": "/phones/?q=gruber.77",
        "search: address": f"/phones/?q={campus.address}",
        "search: nothing": "/phones/?q=nobody-has-this",
        "filter: locked": "/phones/?state=locked",
        "filter: unlocked": "/phones/?state=unlocked",
        "filter: quiet": "/phones/?quiet=yes",
        "filter: model and site": f"/phones/?model=yealink/T46S&site={campus.site}",
        "filter: firmware": "/phones/?firmware=66.86.0.15",
        "order: last check-in": "/phones/?order=seen",
        "order: state": "/phones/?order=state",
        "a phone": phone,
        "a phone's log": f"{phone}log/",
        "home": "/",
    }


def _spent() -> Callable[[], float]:
    """Processor time of this process, and of the database's backend that works for it."""
    from django.db import connection

    from tests.bench.servers import processor_time

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    return lambda: time.process_time() + processor_time(backend)
