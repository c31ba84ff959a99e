"""Attackers alone: what is caught, when, and what is not, against the whole product under a moved clock.

Issue 5, "done when" 3. The same for each: forty phones of a customer, one in a hundred MACs of a row; four of
them were entered an hour ago and are not plugged in yet. Whoever is banned knows to the second when he is let
in again.
"""

import argparse
import importlib
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.attacks.attackers import Attacker, Result
    from tests.attacks.scene import Scene

DAYS = 1
PHONES, NEW = 40, 4
FIRST_MAC = 0x00005E200000
HOME = "203.0.113.10"
COLUMNS = (
    "attacker",
    "MACs judged a day",
    "first ban",
    "kept out",
    "bans, proposed",
    "suspicion",
    "NEW files",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=float, default=DAYS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", default="", help="attackers whose name holds this")


def run(options: argparse.Namespace) -> int:
    """Print a table, a row for each attacker: the median of the seeds."""
    with product() as make_scene:
        print(f"{options.days:g} days each, seeds {', '.join(map(str, options.seeds))}")
        print("| " + " | ".join(COLUMNS) + " |")
        print("| --- |" + " ---: |" * (len(COLUMNS) - 1))
        for attacker in attackers():
            if options.only in attacker.name:
                rows = [_play(make_scene, attacker, options.days, seed) for seed in options.seeds]
                print(_line(attacker.name, rows), flush=True)
    return 0


def attackers() -> "list[Attacker]":
    """Each of the ways that the issue names, and the ones that get round what is counted."""
    from tests.attacks import attackers as ways
    from tests.attacks.attackers import Attacker

    fast, slow = 3600.0, 8.0
    return [
        Attacker("one after the other, 1 a second", ways.in_a_row, fast),
        Attacker("at random, 1 a second", ways.at_random, fast),
        Attacker("at random, 8 an hour", ways.at_random, slow),
        Attacker("50 addresses of a /24, each 1 a minute", ways.at_random, 60.0, ways.four(50)),
        Attacker("50 addresses of a /24, each 8 an hour", ways.at_random, slow, ways.four(50)),
        Attacker("50 /64 of a /56, each 8 an hour", ways.at_random, slow, ways.six_together(50)),
        Attacker("50 /64 of a /48, each in its own /56, each 8 an hour", ways.at_random, slow, ways.six(50)),
        Attacker("knows all MACs, in turn, 1 a second", ways.known_alone, fast),
        Attacker("knows all MACs, mixed with random ones, 1 a minute", ways.mixed, 60.0),
        Attacker("knows all MACs, in turn, 8 an hour", ways.known_alone, slow),
        Attacker("the same nine unknown MACs for ever, 1 a minute", ways.nines, 60.0),
    ]


def _play(make_scene: Any, attacker: "Attacker", days: float, seed: int) -> dict[str, Any]:
    from django.utils import timezone

    from provisioning.models import Lock
    from security.models import Ban
    from tests.attacks.attackers import play

    begun = time.monotonic()
    with make_scene() as scene:
        known = _settle(scene)
        result: Result = play(scene, attacker, known, lasts=days * 86400, seed=seed)
        return {
            "judged": len(result.judged) / days,
            "banned": result.banned_after,
            "before": result.tries_before,
            "out": result.kept_out / result.lasted,
            "bans": Ban.objects.count(),
            "proposed": Ban.objects.filter(propose_block=True).count(),
            "suspicion": Lock.objects.filter(suspicion_until__gt=timezone.now()).count(),
            "got": len(result.got),
            "seconds": time.monotonic() - begun,
        }


def _settle(scene: "Scene") -> list[str]:
    """The phones that there are: most of them locked to an address far away."""
    macs = [f"{FIRST_MAC + 100 * number:012x}" for number in range(PHONES)]
    new = macs[:: PHONES // NEW]
    scene.lock_away([mac for mac in macs if mac not in new], HOME)
    for mac in new:
        scene.enter(mac)
    scene.drained_every = scene.beat_every = 3600.0
    scene.passes(1)
    return macs


def _line(name: str, rows: list[dict[str, Any]]) -> str:
    def middle(what: str) -> float:
        return statistics.median(row[what] for row in rows)

    first = "never"
    if all(row["banned"] is not None for row in rows):
        first = f"after {middle('before'):,.0f} tries, {_span(middle('banned'))}"
    cells = (
        name,
        f"{middle('judged'):,.0f}",
        first,
        f"{middle('out'):.0%}",
        f"{middle('bans'):,.0f}, {middle('proposed'):,.0f}",
        f"{middle('suspicion'):,.0f} of {PHONES - NEW}",
        f"{middle('got'):,.0f} of {NEW}",
    )
    return "| " + " | ".join(cells) + " |"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))


@contextmanager
def product() -> Iterator[Any]:
    """A database and a store of this process, and scenes that leave nothing behind."""
    conftest = importlib.import_module("tests.conftest")  # makes settings, before anything reads them

    import pytest
    import redis
    import time_machine
    from django.core.management import call_command
    from django.db import transaction
    from django.test import override_settings

    from portal import embedded
    from portal.celery import app as celery
    from tests.attacks.scene import Scene
    from tests.provisioning.inside_edge import Judges

    server = embedded.Store(conftest.DATA)
    call_command("migrate", verbosity=0)
    server.start()
    celery.conf.task_always_eager = True

    @contextmanager
    def make_scene() -> "Iterator[Scene]":
        patch = pytest.MonkeyPatch()
        with (
            redis.Redis.from_url(server.url) as store,
            time_machine.travel(conftest.NOON, tick=False) as clock,
            transaction.atomic(),
        ):
            scene = Scene(Judges(patch), store, clock)
            try:
                yield scene
            finally:
                scene.close()
                patch.undo()
                transaction.set_rollback(True)

    try:
        with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
            yield make_scene
    finally:
        server.stop()
