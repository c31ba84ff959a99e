"""What `python -m tests.api.fuzz` runs: schemathesis on every call, in turns, until the time is over."""

import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.api.example_world import codes_of
from tests.api.fuzzing import Fuzz, staying_connected
from tests.world import World

EXAMPLES = {"manager": 40, "user": 10, "nobody": 3}


@pytest.fixture
def open_hosts(settings: Settings) -> Iterator[None]:
    settings.ALLOWED_HOSTS = ["*"]
    with staying_connected():
        yield


@pytest.mark.django_db
@pytest.mark.timeout(0)
def test_long(world: World, open_hosts: None, long_run: tuple[float, int]) -> None:
    logging.disable(logging.CRITICAL)  # a line for each call
    minutes, seed = long_run
    end, rounds, calls = time.monotonic() + minutes * 60, 0, 0
    faults, statuses = dict[str, str](), Counter[int]()
    tried = set[str]()
    while time.monotonic() < end:
        fuzz, found = Fuzz(world, codes_of(world), seed=seed + rounds), list[str]()
        for caller in fuzz.callers.values():
            found += fuzz.try_together(caller, scenarios=20, steps=10)
        operations = list(fuzz.operations())
        random.Random(fuzz.seed).shuffle(operations)
        for operation in operations:
            for who, examples in EXAMPLES.items():
                if time.monotonic() < end:
                    tried.add(operation.label)
                    # First all of them with a little, then each with all that it can think of.
                    few = examples if rounds else max(2, examples // 8)
                    found += fuzz.try_one(operation, fuzz.callers[who], examples=few, thorough=bool(rounds))
        faults |= {words.split("\n")[0]: words for words in found}
        statuses.update(fuzz.statuses)
        calls, rounds = calls + fuzz.calls, rounds + 1
    answers = dict(sorted(statuses.items()))
    said = f"seed {seed}: {rounds} rounds, {len(tried)} operations, {calls} calls, {answers}"
    print("\n".join(["", said, *faults.values()]), file=sys.__stdout__)
    assert not faults
