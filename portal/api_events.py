"""What webhooks are sent, as OpenAPI 3.1 describes it."""

from typing import Any

from provisioning.announcing import KINDS

TEXT = {"type": "string"}
ACCOUNT = {"type": "object", "required": ["slug", "name"], "properties": {"slug": TEXT, "name": TEXT}}
DEVICE = {
    "type": "object",
    "required": ["code", "mac", "name"],
    "properties": {"code": {**TEXT, "format": "uuid"}, "mac": TEXT, "name": TEXT},
}
SIGNED = {
    "webhook-id": "The same for every try of an event: by it one that came twice is known.",
    "webhook-timestamp": "When this try was sent, in seconds since 1970.",
    "webhook-signature": "`v1,` and base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`, for each secret.",
}


def webhooks() -> dict[str, Any]:
    """Every kind of event by its name."""
    return {name: {"post": _call(name)} for name in KINDS}


def _call(name: str) -> dict[str, Any]:
    kind = KINDS[name]
    facts = {fact: {"description": str(words)} for fact, words in kind.facts.items()}
    data = {"account": ACCOUNT, **({"device": DEVICE} if kind.about == "device" else {}), **facts}
    body = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": name},
            "timestamp": {**TEXT, "format": "date-time", "description": "When it happened."},
            "data": {"type": "object", "required": ["account", *facts], "properties": data},
        },
    }
    return {
        "operationId": "on_" + name.replace(".", "_"),
        "summary": str(kind.title),
        "description": str(kind.when),
        "tags": ["Webhooks"],
        "parameters": [
            {"name": header, "in": "header", "required": True, "description": words, "schema": TEXT}
            for header, words in SIGNED.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": {"description": "It has arrived. Anything else, and it is sent again."}},
    }
