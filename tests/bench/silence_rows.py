"""The same silences from rows of a database of their own, and a round over very many places."""

import argparse
import math
import random
import resource
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import uuid4

from tests.bench.what_if_rows import database

Row = tuple[str, str, str, bool]
NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)  # a Wednesday
DAYS = 36
SECONDS = 30  # a tenth of the time between two rounds


def heard(options: argparse.Namespace) -> Iterator[Row]:
    """From the first minute of silence to the incident, through the drain's rows and the round."""
    with database("sqlite"):
        yield from _heard("3,000 phones spread over the day, from rows", 3000, 1.0, options)
        yield from _heard("5 phones spread over the day, from rows", 5, 36.0, options)


def places(options: argparse.Namespace) -> Iterator[Row]:
    """One round over many sites of ten phones each: on an ordinary day, and after two hours of nothing."""
    with database("sqlite"):
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        from provisioning import quieting

        _fill(options.places, random.Random(options.seed))
        for what, now in (("an ordinary quarter", NOW), ("nothing for two hours", NOW + timedelta(hours=2))):
            begun = time.process_time()
            with CaptureQueriesContext(connection) as queries:
                found = quieting.look(now)
            spent = time.process_time() - begun
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            told = "the platform" if found.platform else f"{len(found.quiet)} places"
            yield (
                f"a round over {options.places:,} sites, {what}",
                f"at most {SECONDS} s of CPU",
                f"{spent:.1f} s, {len(queries)} queries, {told} told of, {memory} MB",
                spent <= SECONDS and not (found.quiet and not found.platform),
            )


def _heard(what: str, phones: int, goal: float, options: argparse.Namespace) -> Iterator[Row]:
    from django.db import transaction

    from tests.provisioning.quiet_rows import Rows
    from tests.provisioning.quiet_town import WEEK, at, site

    waits = []
    for number in range(options.rounds):
        rng = random.Random(options.seed + number)
        start = 4 * WEEK + rng.uniform(24, 72)
        campus = site("campus", phones, "timer", [(0.0, 6.0 * WEEK)], rng)
        campus.silent(start, 6 * WEEK)
        with transaction.atomic():
            rows = Rows([campus], until=start, hours=phones < 100)
            incidents = rows.go(start + goal + 1)
            opened = [row.opened_at for row in incidents if row.kind == "silence"]
            waits.append((opened[0] - at(start)) / timedelta(hours=1) if opened else math.inf)
            transaction.set_rollback(True)
    figure = f"{statistics.median(waits):.2f} h, at most {max(waits):.2f} h"
    yield what, f"at most {goal:.0f} h", figure, max(waits) <= goal


def _fill(sites: int, rng: random.Random) -> None:
    from accounts.models import Account
    from devices.models import Device, Site
    from provisioning import quarters
    from provisioning.models import CheckInDay, LastSeen

    top = Account.objects.add_root(instance=Account(slug="platform", name="P", kind=Account.Kind.PLATFORM))
    accounts = Account.objects.bulk_create(
        Account(slug=f"a{n}", name=f"A {n}", path=Account._get_path(top.path, 2, n + 1), depth=2)
        for n in range(sites // 5)
    )
    office = [[[420, 1140]]] * 5 + [[], []]
    made = Site.objects.bulk_create(
        Site(account=accounts[n // 5], name=f"S {n}", code=uuid4(), opening=None if n % 3 else office)
        for n in range(sites)
    )
    devices = Device.objects.bulk_create(
        (
            Device(
                account=place.account, site=place, mac=f"{n:011x}{phone:x}", family="yealink", model="T46S",
                code=uuid4(),
            )
            for n, place in enumerate(made)
            for phone in range(10)
        ),
        batch_size=5000,
    )  # fmt: skip
    LastSeen.objects.bulk_create(
        (
            LastSeen(device=one, at=NOW - timedelta(hours=24 * rng.random()), address="203.0.113.7")
            for one in devices
        ),
        batch_size=5000,
    )
    patterns = [_pattern(rng) for _ in range(200)]
    whole = [[0] * quarters.IN_A_DAY for _ in range(DAYS)]

    def days() -> Iterator[CheckInDay]:
        for place in made:
            for ago in range(DAYS):
                counts = rng.choice(patterns)
                if not ago:  # noon: the rest of the day is still to come
                    counts = counts[:48] + [0] * 48
                whole[ago] = [a + b for a, b in zip(whole[ago], counts, strict=True)]
                day = (NOW - timedelta(days=ago)).date()
                yield CheckInDay(account=place.account, site=place, day=day, quarters=quarters.pack(counts))

    rows = days()
    while chunk := list(islice(rows, 5000)):
        CheckInDay.objects.bulk_create(chunk)
    CheckInDay.objects.bulk_create(
        CheckInDay(day=(NOW - timedelta(days=ago)).date(), quarters=quarters.pack(counts))
        for ago, counts in enumerate(whole)
    )


def _pattern(rng: random.Random) -> list[int]:
    counts = [0] * 96
    for _ in range(10):
        counts[rng.randrange(96)] += 1
    return counts
