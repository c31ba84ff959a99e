"""What is true of every call and stands at each in the description: the noes, headers, areas and examples."""

import copy
import json
from typing import Any

from django.conf import settings
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator

from portal.api_events import webhooks
from portal.api_examples import put_examples
from portal.api_naming import AREAS

Json = dict[str, Any]

COMMITTED = settings.BASE_DIR / "portal" / "openapi" / "v1.json"
TEXT = {"type": "string"}
PROBLEM_FIELDS = {
    "code": {**TEXT, "description": "Stable; programs go by it.", "pattern": "^[a-z][a-z0-9-]*$"},
    "detail": {**TEXT, "description": "A sentence for people, in the language that was asked for."},
}
SCHEMAS: Json = {
    "Problem": {
        "type": "object",
        "description": "A no.",
        "required": ["code", "detail"],
        "properties": PROBLEM_FIELDS,
    },
    "BadInput": {
        "type": "object",
        "description": "Input that makes no sense, field by field; or a body that could not be read at all.",
        "required": ["code", "detail"],
        "properties": {
            **PROBLEM_FIELDS,
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["code", "detail", "attr"],
                    "properties": {
                        **PROBLEM_FIELDS,
                        "attr": {
                            "type": ["string", "null"],
                            "description": "The field, with dots and numbers for what is inside it.",
                        },
                    },
                },
            },
        },
    },
    "Refusal": {
        "type": "object",
        "description": "A rule of the product says no, or somebody else was first.",
        "required": ["code", "detail"],
        "properties": {
            **PROBLEM_FIELDS,
            "rule": {**TEXT, "description": "The rule that refused, for instance E10.", "examples": ["E10"]},
            "field": {**TEXT, "description": "The input at fault, where there is one."},
        },
    },
}
HEADERS: Json = {
    "RateLimit": {
        "description": "What is left (r) of each quota, and in how many seconds (t) it is whole again.",
        "schema": TEXT,
        "example": '"calls";r=1187;t=31',
    },
    "RateLimit-Policy": {
        "description": "The quotas: so many calls (q) in so many seconds (w).",
        "schema": TEXT,
        "example": '"calls";q=3000;w=60, "writes";q=1500;w=60',
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "Idempotency-Replayed": {
        "description": "The answer of the first call with this Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
LIMITS = ("RateLimit", "RateLimit-Policy")
#: status: its name, what it means, its schema, headers, and an example.
NOES: dict[str, tuple[str, str, str, tuple[str, ...], Json]] = {
    "400": (
        "BadInput", "The input makes no sense; `errors` names each field.", "BadInput", LIMITS,
        {
            "code": "invalid",
            "detail": "mac: This is no MAC address.",
            "errors": [{"code": "bad-mac", "detail": "This is no MAC address.", "attr": "mac"}],
        },
    ),
    "401": (
        "Unauthenticated", "No key and no session, or a bad one.", "Problem", (),
        {"code": "bad-key", "detail": "This API key is not valid."},
    ),
    "403": (
        "Forbidden", "The role does not allow it; or the session lacks something.", "Problem", LIMITS,
        {"code": "forbidden", "detail": "Your role does not allow this."},
    ),
    "404": (
        "NotFound", "There is no such thing, or none that the caller can see: nobody can tell which.",
        "Problem", LIMITS,
        {"code": "not-found", "detail": "There is nothing here that you can see."},
    ),
    "406": (
        "NotAcceptable", "The caller takes no JSON.", "Problem", (),
        {"code": "not-acceptable", "detail": "Could not satisfy the request Accept header."},
    ),
    "409": (
        "Conflict", "A rule refuses, or somebody else was first.", "Refusal", LIMITS,
        {"code": "active-elsewhere", "detail": "This MAC cannot be added; ask your provider.",
         "rule": "E10", "field": "mac"},
    ),
    "412": (
        "Changed", "It is no longer what If-Match names; look again.", "Problem", LIMITS,
        {"code": "changed-meanwhile", "detail": "This has been changed meanwhile."},
    ),
    "413": (
        "TooLarge", "The body has more than 2.5 MB.", "Problem", LIMITS,
        {"code": "too-large", "detail": "This body is larger than the API takes."},
    ),
    "415": (
        "NoJson", "The body is not JSON.", "Problem", LIMITS,
        {"code": "unsupported-media-type", "detail": 'Unsupported media type "text/plain" in request.'},
    ),
    "422": (
        "KeyReused", "This Idempotency-Key was used for something else.", "Problem", LIMITS,
        {"code": "idempotency-key-reused", "detail": "This key was used for another request."},
    ),
    "429": (
        "Throttled", "Too many calls; the headers say when to go on.", "Problem", (*LIMITS, "Retry-After"),
        {"code": "throttled", "detail": "Too many requests; go on in 31 seconds."},
    ),
    "503": (
        "Away", "The database is away; nothing was changed.", "Problem", ("Retry-After",),
        {"code": "database-away", "detail": "The database is away; nothing was changed."},
    ),
}  # fmt: skip
DESCRIPTION = """
What the portal's pages can do, for programs.

Start with [the guide](guide.md): keys, errors, pages of lists, repeating a call, jobs, limits and webhooks,
with examples that run. What changes is told in [the changelog](changelog.md).
"""


def build() -> str:
    """The description of the API, the same text on every machine."""
    with translation.override("en-gb"):
        found = SchemaGenerator(api_version="v1").get_schema(public=True)  # type: ignore[no-untyped-call]
        return json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n"


def describe(result: Json, generator: Any, request: Any, public: bool) -> Json:
    """Add to the description what is the same at every call."""
    result["info"] |= {
        "version": "1.0",
        "description": DESCRIPTION.strip(),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    result["servers"] = [{"url": "/", "description": "This installation."}]
    result["tags"] = [{"name": area.name, "description": area.sentence} for area in AREAS]
    result["webhooks"] = copy.deepcopy(webhooks())
    parts = result["components"]
    parts["schemas"] |= copy.deepcopy(SCHEMAS)
    parts |= {
        "headers": copy.deepcopy(HEADERS),
        "parameters": parts.get("parameters", {}),
        "responses": {no[0]: _no(*no[1:]) for no in NOES.values()},
    }
    parts["securitySchemes"]["csrf"] = {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRFToken",
        "description": "The token of the portal's forms, beside `session`.",
    }
    for name, schema in parts["schemas"].items():
        _tighten(name, schema)
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            _dress(path, method, operation)
    _say_null_as_3_1(result)
    return put_examples(result)


def _no(words: str, schema: str, headers: tuple[str, ...], example: Json) -> Json:
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": example}
    found: Json = {"description": words, "content": {"application/json": content}}
    return {**found, "headers": _headers(headers)} if headers else found


def _headers(names: tuple[str, ...]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _tighten(name: str, schema: Json) -> None:
    """What goes in has no other fields than these; what comes out has all of them."""
    if schema.get("type") != "object" or "properties" not in schema or name in SCHEMAS:
        return
    if name.endswith("Request"):
        schema["additionalProperties"] = False
    else:
        schema["required"] = sorted(schema["properties"])


def _say_null_as_3_1(part: Any) -> None:
    """Rewrite `nullable`, which the parts that others describe still have."""
    if isinstance(part, dict):
        if part.get("nullable") is True and isinstance(part.get("type"), str):
            part["type"] = [part["type"], "null"]
            del part["nullable"]
        for inner in part.values():
            _say_null_as_3_1(inner)
    elif isinstance(part, list):
        for inner in part:
            _say_null_as_3_1(inner)


def _dress(path: str, method: str, operation: Json) -> None:
    """Its noes, its headers, and how its caller shows who he is."""
    given = operation.setdefault("parameters", [])
    names = {parameter.get("name") for parameter in given}
    changes = method != "get"
    said = {"401", "403", "406", "429", "503"} | (operation["responses"].keys() & NOES.keys())
    said |= {"404"} if "{" in path else set()
    said |= {"400"} if given or "requestBody" in operation else set()
    said |= {"409"} if changes else set()
    said |= {"412"} if "If-Match" in names else set()
    said |= {"413", "415"} if "requestBody" in operation else set()
    said |= {"422"} if method == "post" else set()
    operation["security"] = [{"apiKey": []}, {"session": [], **({"csrf": []} if changes else {})}]
    for answer in operation["responses"].values():
        answer["headers"] = _headers(LIMITS) | answer.get("headers", {})
        if method == "post":
            answer["headers"] |= _headers(("Idempotency-Replayed",))
        answer["description"] = answer.get("description") or "Done."
    for status in sorted(said):
        operation["responses"][status] = {"$ref": f"#/components/responses/{NOES[status][0]}"}
