"""Examples for every call: requests are written by hand and run by a test, which records the answers."""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent / "openapi"
REQUESTS, ANSWERS = HERE / "examples.toml", HERE / "answers.json"


@cache
def requests() -> dict[str, Any]:
    """By operation id: `body`, `query`, `path`, `headers`, and for the test `as` and `first`."""
    return tomllib.loads(REQUESTS.read_text(encoding="utf-8"))


@cache
def answers() -> dict[str, Any]:
    """By operation id: the body that answered the example."""
    found: dict[str, Any] = json.loads(ANSWERS.read_text(encoding="utf-8")) if ANSWERS.exists() else {}
    return found


def put_examples(result: dict[str, Any]) -> dict[str, Any]:
    """Put each call's examples where readers and tools look for them."""
    for operations in result["paths"].values():
        for operation in operations.values():
            asked = requests().get(operation["operationId"], {})
            values = asked.get("path", {}) | asked.get("query", {})
            for parameter in operation.get("parameters", []):
                if parameter.get("name") in values:
                    parameter["example"] = values[parameter["name"]]
            if "body" in asked and "requestBody" in operation:
                operation["requestBody"]["content"]["application/json"]["example"] = asked["body"]
            if operation["operationId"] in answers():
                _answer(operation, answers()[operation["operationId"]])
    return result


def _answer(operation: dict[str, Any], body: Any) -> None:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            for content in answer.get("content", {}).values():
                content["example"] = body
