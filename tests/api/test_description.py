"""The API's description: built without a warning, committed as it is built, precise, with names that read."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from portal import api_description
from portal.api_examples import requests
from portal.api_naming import AREAS
from provisioning import webhook_wire
from provisioning.announcing import KINDS
from tests.world import World, program, signed_in

pytestmark = pytest.mark.once
COMMAND = "python3 manage.py apischema"


@pytest.fixture(scope="module")
def text() -> str:
    """The description as the code makes it now."""
    return api_description.build()


@pytest.fixture(scope="module")
def description(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def operations(description: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]


def test_it_builds_without_a_warning() -> None:
    with GENERATOR_STATS.silence():
        api_description.build()
        said = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]

    assert said == []


def test_it_is_openapi_3_1(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1.")
    validate_schema(description)


def test_it_says_the_same_once_it_was_used(text: str, world: World) -> None:
    program(world.acme.key).get(f"/api/v1/devices/{world.acme.phone.code}/claims/")

    assert api_description.build() == text


def test_what_is_committed_is_current(text: str) -> None:
    assert api_description.COMMITTED.read_text(encoding="utf-8") == text, f"run {COMMAND} and commit the file"


def test_the_ids_are_words_of_their_own(description: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(description)]

    assert [name for name in ids if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []
    assert sorted({name for name in ids if ids.count(name) > 1}) == []
    assert [name for name in ids if re.search("_partial_|_destroy$|_create_create$", name)] == []
    assert {"devices_unlock", "devices_list", "extensions_new_secret", "settings_set", "me"} <= set(ids)


def test_every_call_is_in_an_area_that_has_a_sentence(description: dict[str, Any]) -> None:
    known = {area.name for area in AREAS}

    used = {operation["tags"][0] for _, _, operation in operations(description)}

    assert used <= known, f"name the area of {used - known} in portal/api_naming.py"
    assert [tag["name"] for tag in description["tags"] if not tag["description"].endswith(".")] == []


def test_every_call_says_every_no(description: dict[str, Any]) -> None:
    for path, method, operation in operations(description):
        said = set(operation["responses"])
        assert {"401", "403", "406", "429", "503"} <= said, operation["operationId"]
        assert ("404" in said) >= ("{" in path), operation["operationId"]
        assert ("409" in said) == (method != "get"), operation["operationId"]
        assert ("415" in said) == ("requestBody" in operation), operation["operationId"]
        assert any(status.startswith("2") for status in said), operation["operationId"]
        assert operation["summary"], operation["operationId"]


def test_a_session_needs_the_form_token_for_a_change(description: dict[str, Any]) -> None:
    lock = description["paths"]["/api/v1/devices/{code}/lock/"]["post"]
    look = description["paths"]["/api/v1/devices/{code}/"]["get"]

    assert lock["security"] == [{"apiKey": []}, {"session": [], "csrf": []}]
    assert look["security"] == [{"apiKey": []}, {"session": []}]
    assert set(description["components"]["securitySchemes"]) == {"apiKey", "session", "csrf"}


def test_what_goes_in_is_closed_and_what_comes_out_is_complete(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    bodies = {name: schema for name, schema in schemas.items() if name.endswith("Request")}
    device = schemas["Device"]

    objects = {name: schema for name, schema in bodies.items() if schema.get("properties")}
    assert [name for name, schema in objects.items() if schema.get("additionalProperties") is not False] == []
    assert sorted(device["properties"]) == device["required"]
    assert "secret" not in schemas["Extension"]["properties"]


def test_every_example_is_of_a_call(description: dict[str, Any]) -> None:
    known = {operation["operationId"] for _, _, operation in operations(description)}

    assert sorted(set(requests()) - known) == [], "portal/openapi/examples.toml names calls that are gone"


def test_it_is_given_as_it_is_committed(world: World) -> None:
    assert program().get("/api/v1/schema/").status_code == 401
    for caller in (program(world.acme.key), signed_in(world.ana)):
        answer = caller.get("/api/v1/schema/")
        assert answer.status_code == 200
        assert b"".join(answer.streaming_content) == api_description.COMMITTED.read_bytes()  # type: ignore[attr-defined]


def test_it_describes_what_webhooks_are_sent(description: dict[str, Any]) -> None:
    told = description["webhooks"]

    assert list(told) == list(KINDS)
    body = told["device.locked"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    event = webhook_wire.body("device.locked", datetime.now(UTC), dict.fromkeys(KINDS["device.locked"].facts))
    Draft202012Validator({**body, "properties": {**body["properties"], "data": {"type": "object"}}}).validate(
        json.loads(event)
    )
    assert set(body["properties"]["data"]["properties"]) == {
        "account",
        "device",
        *KINDS["device.locked"].facts,
    }
