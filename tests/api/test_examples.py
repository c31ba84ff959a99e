"""Every call of the API has an example that works, and an answer as the description has it."""

import json
import os
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.test import Client
from jsonschema import Draft202012Validator, FormatChecker
from pytest_django import Settings

from portal import api_description, api_examples
from provisioning import tasks
from tests.api.example_world import GIVEN, caller, codes_of, neutral
from tests.world import World

pytestmark = [pytest.mark.once, pytest.mark.django_db]

RECORD = "python3 manage.py apischema --record"
DESCRIPTION: dict[str, Any] = json.loads(api_description.build())
CALLS = {
    operation["operationId"]: (path, method, operation)
    for path, operations in DESCRIPTION["paths"].items()
    for method, operation in operations.items()
}


def strict(description: dict[str, Any]) -> dict[str, Any]:
    """The parts of the description, with nothing allowed that they do not name."""
    schemas = {
        name: {"additionalProperties": False, **schema} if "properties" in schema else schema
        for name, schema in description["components"]["schemas"].items()
    }
    return {"components": {"schemas": schemas}}


def faults(operation: dict[str, Any], status: str, body: Any) -> list[str]:
    """What the description finds wrong in an answer."""
    answer = operation["responses"].get(status)
    if answer is None:
        return [f"{status} is not described"]
    content = answer.get("content", {})
    if not content:
        return [] if body is None else [f"{status} has a body that is not described"]
    (described,) = content.values()
    schema = {**described["schema"], **strict(DESCRIPTION)}
    found = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(body)
    return [f"{'.'.join(map(str, fault.absolute_path))}: {fault.message[:300]}" for fault in found]


def send(name: str, world: World, codes: dict[str, str]) -> Any:
    """Send the example of that name."""
    path, method, _ = CALLS[name]
    asked = api_examples.requests(codes)[name]
    address = path.format(**{**api_examples.path_values(path, codes), **asked.get("path", {})})
    query = {
        key: str(value).lower() if value is True else value for key, value in asked.get("query", {}).items()
    }
    client = caller(world, asked.get("as", ""))
    body = {"data": asked["body"]} if "body" in asked else {}
    if body and type(client) is Client:
        body["content_type"] = "application/json"
    return getattr(client, method)(f"{address}?{urlencode(query)}" if query else address, **body)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_its_example_works(
    name: str,
    clock: time_machine.Traveller,
    world: World,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = api_examples.requests()
    assert name in written, f"give {name} an example in portal/openapi/examples.toml, then run {RECORD}"
    monkeypatch.setattr(tasks.run_job, "delay", lambda job: None)
    codes = codes_of(world)
    for given in filter(None, [written[name].get("given")]):
        codes |= GIVEN[given](world, settings, monkeypatch) or {}
    for before in written[name].get("first", []):
        earlier = send(before, world, codes)
        assert 200 <= earlier.status_code < 300, (before, earlier.content)

    answer = send(name, world, codes)

    said = b"".join(answer) if answer.streaming else answer.content
    assert 200 <= answer.status_code < 300, said.decode()
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    body = json.loads(said) if said and is_json else (said.decode() or None)
    assert faults(CALLS[name][2], str(answer.status_code), body) == []
    _keep(name, neutral(body, codes))


@pytest.mark.parametrize("name", sorted(CALLS))
def test_its_recorded_answer_is_one(name: str) -> None:
    _, _, operation = CALLS[name]
    status = next(status for status in operation["responses"] if status.startswith("2"))
    if not operation["responses"][status].get("content"):
        assert name not in api_examples.answers()
        return

    assert name in api_examples.answers(), f"run {RECORD}"
    assert faults(operation, status, api_examples.answers()[name]) == [], f"run {RECORD}"


def test_what_is_recorded_is_of_a_call_and_of_no_real_place() -> None:
    text = api_examples.ANSWERS.read_text(encoding="utf-8").lower()

    assert sorted(set(api_examples.answers()) - set(CALLS)) == [], f"run {RECORD}"
    assert "sip-secret" not in text
    assert "127.0.0.1:" not in text


def _keep(name: str, body: Any) -> None:
    """Write the answer down when that is asked for; a list is shortened."""
    if os.environ.get("LATCHKEY_EXAMPLES") != "write":
        return
    path = api_examples.ANSWERS
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept = {known: answer for known, answer in kept.items() if known in CALLS}
    if body is not None:
        kept[name] = _short(body)
    path.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    api_examples.answers.cache_clear()


def _short(body: Any) -> Any:
    """At most two of all things that there are more of."""
    if isinstance(body, dict):
        return {key: _short(value) for key, value in body.items()}
    if not isinstance(body, list):
        return body
    return [_short(value) for value in (body[:2] if all(isinstance(one, dict) for one in body) else body)]
