"""Examples for every call: requests are written by hand and run by a test, which records the answers."""

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent / "openapi"
REQUESTS, ANSWERS = HERE / "examples.toml", HERE / "answers.json"

#: What the examples are about, with the codes that stand for them in the description.
THINGS = (
    "phone", "other_phone", "extension", "profile", "contact", "site", "window", "approval", "allowed", "ban",
    "incident", "job", "draft", "unlock_link", "key", "person", "replay", "webhook", "delivery", "event",
)  # fmt: skip
CODES = {thing: f"5a3c0000-0000-4000-8000-{number:012x}" for number, thing in enumerate(THINGS, 1)}
#: What is in the path of a call, by the first word of its address.
PATHS: dict[str, dict[str, str]] = {
    "accounts": {"slug": "acme"},
    "allowed-networks": {"code": "{allowed}"},
    "api-keys": {"code": "{key}"},
    "approvals": {"code": "{approval}"},
    "bans": {"code": "{ban}"},
    "customers": {"slug": "acme"},
    "devices": {"code": "{phone}", "link": "{unlock_link}"},
    "directory": {"code": "{contact}"},
    "extensions": {"code": "{extension}"},
    "imports": {"code": "{draft}"},
    "incidents": {"code": "{incident}"},
    "jobs": {"code": "{job}"},
    "people": {"slug": "acme", "code": "{person}"},
    "policies": {"name": "user_unlock_ttl"},
    "profiles": {"code": "{profile}"},
    "raw-keys": {"key": "phone_setting.contrast"},
    "settings": {"name": "poll_hours"},
    "sites": {"code": "{site}"},
    "webhook-deliveries": {"code": "{delivery}"},
    "webhooks": {"code": "{webhook}", "endpoint": "{webhook}"},
    "what-if": {"code": "{replay}"},
    "windows": {"code": "{window}"},
}


def requests(codes: Mapping[str, str] = CODES) -> dict[str, Any]:
    """By operation id: `body`, `query`, `path`, and for the test `as`, `first` and `given`."""
    return tomllib.loads(_filled(REQUESTS.read_text(encoding="utf-8"), codes))


def path_values(path: str, codes: Mapping[str, str] = CODES) -> dict[str, str]:
    """What the parameters of an address are in its example, unless the example says otherwise."""
    root = path.removeprefix("/api/v1/").split("/")[0]
    return {name: _filled(value, codes) for name, value in PATHS.get(root, {}).items()}


@cache
def answers() -> dict[str, Any]:
    """By operation id: the body that answered the example."""
    found: dict[str, Any] = json.loads(ANSWERS.read_text(encoding="utf-8")) if ANSWERS.exists() else {}
    return found


def put_examples(result: dict[str, Any]) -> dict[str, Any]:
    """Put each call's examples where readers and tools look for them."""
    written = requests()
    for path, operations in result["paths"].items():
        for operation in operations.values():
            asked = written.get(operation["operationId"], {})
            in_path = {("path", name): value for name, value in path_values(path).items()}
            in_path |= {("path", name): value for name, value in asked.get("path", {}).items()}
            values = in_path | {("query", name): value for name, value in asked.get("query", {}).items()}
            for parameter in operation.get("parameters", []):
                place = parameter.get("in"), parameter.get("name")
                if place in values:
                    parameter["example"] = values[place]
            if "body" in asked and "requestBody" in operation:
                operation["requestBody"]["content"]["application/json"]["example"] = asked["body"]
            if operation["operationId"] in answers():
                _answer(operation, answers()[operation["operationId"]])
    return result


def _filled(text: str, codes: Mapping[str, str]) -> str:
    for thing, code in codes.items():
        text = text.replace(f"{{{thing}}}", code)
    return text


def _answer(operation: dict[str, Any], body: Any) -> None:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            for content in answer.get("content", {}).values():
                content["example"] = body
