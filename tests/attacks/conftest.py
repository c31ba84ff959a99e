"""A scene for every attack."""

from collections.abc import Iterator

import pytest
import redis
import time_machine

from portal.celery import app as celery
from tests.attacks.scene import Scene
from tests.provisioning.inside_edge import Judges


@pytest.fixture
def scene(
    db: None, store: "redis.Redis", clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """The product at noon of a Monday, with its accounts and no phone."""
    celery.conf.task_always_eager = True
    made = Scene(Judges(monkeypatch), store, clock)
    yield made
    made.close()
    celery.conf.task_always_eager = False
