"""Every call with what a machine thinks of: no 5xx, no status and no body that the description does not have.

Ten minutes of it, by hand: `python -m tests.api.fuzz --minutes 10 --seed 7`.
"""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.api.example_world import codes_of
from tests.api.fuzzing import Fuzz, staying_connected
from tests.world import World

pytestmark = [pytest.mark.once, pytest.mark.django_db]
SEED = 7
#: Many calls of a manager; whoever may less is stopped earlier.
EXAMPLES = {"manager": 6, "user": 3, "nobody": 2}


@pytest.fixture
def fuzz(world: World, settings: Settings) -> Iterator[Fuzz]:
    settings.ALLOWED_HOSTS = ["*"]
    with staying_connected():
        yield Fuzz(world, codes_of(world), seed=SEED)


@pytest.mark.parametrize("who", list(EXAMPLES))
def test_each_call(who: str, fuzz: Fuzz) -> None:
    faults: list[str] = []

    for operation in fuzz.operations():
        faults += fuzz.try_one(operation, fuzz.callers[who], examples=EXAMPLES[who])

    assert faults == [], "\n".join(faults)
    assert fuzz.calls > 100


@pytest.mark.parametrize(("who", "scenarios"), [("manager", 15), ("user", 8), ("nobody", 4)])
def test_calls_that_follow_each_other(who: str, scenarios: int, fuzz: Fuzz) -> None:
    faults = fuzz.try_together(fuzz.callers[who], scenarios=scenarios, steps=8)

    assert faults == [], "\n".join(faults)
    assert fuzz.calls > 3 * scenarios
