"""The addresses of the API's description: the same for everybody, strict, and without a session."""

import pytest
from django.test import Client

from portal import api_description
from tests.world import World, program, signed_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["", "v1.json", "guide.md", "changelog.md"])
def test_it_is_the_same_for_everybody(address: str, world: World) -> None:
    answers = [caller.get(f"/api/docs/{address}") for caller in (Client(), signed_in(world.ana))]

    bodies = [b"".join(answer) for answer in answers]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert bodies[0] == bodies[1]
    assert not any(answer.cookies for answer in answers)
    assert Client().post(f"/api/docs/{address}").status_code == 405


def test_the_page_may_load_and_ask_nothing_but_this_host() -> None:
    policy = Client().get("/api/docs/").headers["Content-Security-Policy"]

    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";") if rule.strip()}
    assert rules["default-src"] == rules["form-action"] == rules["frame-ancestors"] == ["'none'"]
    assert {*rules["script-src"], *rules["style-src"], *rules["connect-src"]} == {"'self'"}
    assert "unsafe" not in policy


def test_the_description_is_the_committed_one() -> None:
    answer = Client().get("/api/docs/v1.json")

    assert b"".join(answer) == api_description.COMMITTED.read_bytes()
    assert answer.headers["Content-Type"] == "application/json"


def test_the_page_leads_on_from_where_it_was(world: World) -> None:
    answer = program(world.acme.key).get("/api/v1/docs/")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/api/docs/")


def test_the_keys_page_leads_there(world: World) -> None:
    page = signed_in(world.ana).get("/keys/").content.decode()

    assert 'href="/api/docs/"' in page
    assert 'href="/api/docs/guide.md"' in page
