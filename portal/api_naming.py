"""What the API's description calls things: operation ids for clients' methods, areas, summaries, schemas."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.serializers import Serializer

from accounts.authentication import KEYWORD

SUFFIXES = {"partial_update": "update", "update": "set", "destroy": "delete"}
BY_METHOD = {"get": "retrieve", "post": "create", "put": "set", "patch": "update", "delete": "delete"}
SAYS = {
    "list": "List",
    "create": "Add",
    "retrieve": "Show",
    "update": "Change",
    "set": "Set",
    "delete": "Remove",
}
PLURAL = {"list", "set"}
STANDARD = ("list", "create", "retrieve", *SUFFIXES)


@dataclass(frozen=True)
class Area:
    """Calls that belong together, by the first words of their addresses."""

    name: str
    sentence: str
    roots: tuple[str, ...]


AREAS = (
    Area("Yourself", "Who the caller is, what he may do, and what he is told about.", ("me",)),
    Area(
        "Accounts",
        "The tree of resellers, customers and sub-accounts: make, rename, suspend, move, delete.",
        ("accounts", "customers", "overview", "holidays", "policies", "keeping"),
    ),
    Area("People", "Who signs in to an account, and with which role.", ("people", "roles")),
    Area("API keys", "Keys for programs: what they reach, from where, until when.", ("api-keys",)),
    Area(
        "Devices",
        "Phones with their locks: enter, unlock, quarantine, take back, swap, move, retire.",
        ("devices", "bulk", "resync", "unlock-all", "explain", "unknown-phones", "heard"),
    ),
    Area("Imports", "Lists of phones: looked at first, then run as a job.", ("imports",)),
    Area(
        "Lines and keys",
        "Extensions, the line keys that show them, and profiles of keys for many phones.",
        ("extensions", "appearances", "profiles"),
    ),
    Area("Directory", "The contacts that an account's phones show.", ("directory",)),
    Area(
        "Settings",
        "What phones are set to: what holds, where it comes from, what a change would do.",
        ("settings", "raw-keys", "hardening"),
    ),
    Area(
        "Catalogue", "The makes and models that are served, and what each can and cannot do.", ("catalogue",)
    ),
    Area("Sites", "Places with their networks and closing times.", ("sites",)),
    Area(
        "Approvals and windows",
        "Phones that ask from elsewhere: cards to answer, and hours in which a place may set up phones.",
        ("approvals", "windows"),
    ),
    Area(
        "Addresses",
        "Bans, allowed networks, and what stands against an address.",
        ("bans", "allowed-networks", "ip-check", "what-if"),
    ),
    Area(
        "Incidents",
        "What has gone wrong or quiet, and who looks after it.",
        ("incidents", "silence", "check-ins"),
    ),
    Area("Jobs", "Long work, with its counts and a result per phone.", ("jobs",)),
    Area(
        "Webhooks",
        "Endpoints that are told of events, what was sent to them and what they answered.",
        ("webhooks", "webhook-deliveries", "webhook-kinds"),
    ),
    Area("Audit", "Who did what to what, and what phones have done.", ("audit", "events")),
)
AREA_OF = {root: area.name for area in AREAS for root in area.roots}


class Description(AutoSchema):
    """One call as the description names it."""

    def get_operation_id(self) -> str:
        words = [word.replace("-", "_") for word in self._tokenize_path()]
        return "_".join([*words, *filter(None, [self._suffix()])])

    def _suffix(self) -> str:
        """What the call does, unless the last word of its address says that already."""
        method, action = self.method.lower(), getattr(self.view, "action", None) or ""
        if action in STANDARD:
            return SUFFIXES.get(action, action)
        is_list = method == "get" and self._is_list_view()
        if self.path.rstrip("/").endswith("}"):
            return action if method == "post" else BY_METHOD[method]
        if len(self._methods()) == 1:
            return ""
        return "list" if is_list else BY_METHOD[method]

    def _methods(self) -> set[str]:
        """The methods that this address takes; HEAD, which is mapped with the first request, is none."""
        mapped = getattr(self.view, "action_map", None)
        return {name for name in BY_METHOD if (name in mapped if mapped else hasattr(self.view, name))}

    def get_serializer_name(
        self, serializer: Serializer[Any], direction: Literal["request", "response"]
    ) -> str:
        name: str = super().get_serializer_name(serializer, direction)
        return name.removeprefix("_").removesuffix("Shape")

    def get_tags(self) -> list[str]:
        root = self._tokenize_path()[0]
        return [AREA_OF.get(root, root)]

    def get_summary(self) -> str:
        """The first sentence about this very call, or what its kind of call does to what it is about."""
        own = self._own_words()
        if own and not (self._suffix() and getattr(self.view, "action", "") not in STANDARD):
            return re.split(r"(?<=[^.])[.;:](?:\s|$)", " ".join(own.split()), maxsplit=1)[0]
        verb, thing = SAYS.get(self._suffix(), "Show"), self._tokenize_path()[-1].replace("-", " ")
        thing = thing.replace("api", "API")
        if self._suffix() in PLURAL or not thing.endswith("s"):
            return f"{verb} {thing}"
        one = re.sub("ie$", "y", thing.removesuffix("s"))
        return f"{verb} {'an' if one[0] in 'aeiouA' else 'a'} {one}"

    def get_description(self) -> str:  # type: ignore[override]
        return self._own_words() or (self._words_of_list() if self._suffix() in ("list", "retrieve") else "")

    def _own_words(self) -> str:
        """What stands at the method that answers this call."""
        handler = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        ours = getattr(handler, "__module__", "").split(".")[0] != "rest_framework"
        words: str = (getattr(handler, "__doc__", "") or "") if ours else ""
        if words or getattr(self.view, "action", None):
            return _plain(words)
        return _plain(type(self.view).__doc__ or "") if len(self._methods()) == 1 else ""

    def _words_of_list(self) -> str:
        return _plain(type(self.view).__doc__ or "")


def _plain(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the description names the key."""

    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        words = f"A key of an account: `{KEYWORD} <key>`. It acts there and below, with its role."
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": words}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The session of a person who has signed in to the portal."""

    target_class = "rest_framework.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        words = "A signed-in person's session, for the portal's own pages; changes need `csrf` too."
        return {"type": "apiKey", "in": "cookie", "name": "__Host-session", "description": words}
