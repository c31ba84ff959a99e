"""How often one may call in a minute: counted for each key and person, told with every answer."""

import re
from typing import Any

import pytest
import redis
import time_machine
from pytest_django import Settings

from accounts.models import ApiKey
from accounts.roles import Role
from devices.models import Extension
from portal import embedded
from tests.world import World, make_key, program, signed_in

pytestmark = pytest.mark.django_db

LIST, WRITE = "/api/v1/sites/", "/api/v1/extensions/"


@pytest.fixture(autouse=True)
def _few(settings: Settings, clock: time_machine.Traveller) -> None:
    settings.API_RATE, settings.API_WRITE_RATE = 4, 2


def left(answer: Any) -> dict[str, tuple[int, int]]:
    """What the answer says is left, and for how many seconds."""
    items = re.findall(r'"(\w+)";r=(\d+);t=(\d+)', answer.headers.get("RateLimit", ""))
    return {name: (int(rest), int(seconds)) for name, rest, seconds in items}


def extension(world: World, username: str) -> dict[str, str]:
    return {"account": "acme", "username": username, "secret": "s3cret-of-this-1"}


def test_every_answer_says_what_is_left(world: World) -> None:
    key = program(world.acme.key)

    first, missing, wrong = key.get(LIST), key.get("/api/v1/nothing/"), key.get(f"{LIST}?limit=0")

    assert [answer.status_code for answer in (first, missing, wrong)] == [200, 404, 400]
    for answer, rest in ((first, 3), (missing, 2), (wrong, 1)):
        assert answer.headers["RateLimit-Policy"] == '"calls";q=4;w=60, "writes";q=2;w=60'
        assert left(answer) == {"calls": (rest, 60)}
        assert "Retry-After" not in answer.headers


def test_beyond_it_the_answer_says_when(world: World, clock: time_machine.Traveller) -> None:
    key = program(world.acme.key)
    clock.shift(20)
    for _ in range(4):
        assert key.get(LIST).status_code == 200

    answer = key.get(LIST)

    assert answer.status_code == 429
    assert answer.json() == {"code": "throttled", "detail": "Too many requests; go on in 40 seconds."}
    assert (answer.headers["Retry-After"], left(answer)) == ("40", {"calls": (0, 40)})
    clock.shift(39)
    assert key.get(LIST).json()["detail"] == "Too many requests; go on in 1 second."
    clock.shift(1)
    assert key.get(LIST).status_code == 200


def test_what_changes_something_has_a_number_of_its_own(world: World) -> None:
    key = program(world.acme.key)
    for at in range(2):
        answer = key.post(WRITE, extension(world, f"90{at}"))
        assert (answer.status_code, left(answer)["writes"][0]) == (201, 1 - at)

    refused = key.post(WRITE, extension(world, "902"))

    assert (refused.status_code, left(refused)["writes"][0]) == (429, 0)
    assert not Extension.objects.filter(username="902").exists()
    assert key.get(LIST).status_code == 200


def test_each_key_and_each_person_is_counted_alone(world: World) -> None:
    other = make_key(world.acme.account, Role.VIEWER, world.ana)
    one, two, ana, ben = program(world.acme.key), program(other), signed_in(world.ana), signed_in(world.ben)
    for _ in range(5):
        one.get(LIST)
        ana.get(LIST)
    elsewhere = signed_in(world.ana)

    assert [caller.get(LIST).status_code for caller in (one, ana, elsewhere)] == [429, 429, 429]
    assert [caller.get(LIST).status_code for caller in (two, ben)] == [200, 200]


def test_who_is_nobody_is_not_counted(world: World) -> None:
    for _ in range(6):
        answer = program().get(LIST)
        assert (answer.status_code, "RateLimit" in answer.headers) == (401, False)


def test_without_the_store_everybody_is_let_in(world: World, store_server: embedded.Store) -> None:
    key = program(world.acme.key)
    store_server.stop()

    answers = [key.get(LIST) for _ in range(6)]

    assert {answer.status_code for answer in answers} == {200}
    assert {
        (answer.headers["RateLimit-Policy"][:7], "RateLimit" in answer.headers) for answer in answers
    } == {('"calls"', False)}


def test_nought_is_no_limit(world: World, settings: Settings) -> None:
    settings.API_RATE = 0
    key = program(world.acme.key)

    answers = [key.get(LIST) for _ in range(6)]

    assert {(answer.status_code, "RateLimit" in answer.headers) for answer in answers} == {(200, False)}
    assert left(key.post(WRITE, extension(world, "903"))) == {"writes": (1, 60)}


def test_what_was_counted_goes_by_itself(world: World, store: redis.Redis) -> None:
    program(world.acme.key).get(LIST)

    (name,) = store.keys("limit:*")
    assert str(ApiKey.objects.get(prefix=world.acme.key.partition(".")[0]).code).encode() in name
    assert 60 < store.ttl(name) <= 120
