"""Every call of the description with what schemathesis thinks of: over WSGI, in this process, nothing kept.

What names a row of the world is put where any text would do, for otherwise nearly every call would be a 404.
"""

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import schemathesis
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.middleware.csrf import _get_new_csrf_string  # type: ignore[attr-defined]
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Flaky
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, Failure, FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    create_test,
)
from schemathesis.openapi.checks import IgnoredAuth, UseAfterFree

from portal import api_examples
from tests.world import World, signed_in

#: A body may be right by the description and still name nothing that there is, or break a rule.
GOOD_ENOUGH = ["2xx", "400", "401", "403", "404", "409", "412", "422"]
REFUSED = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422", "429"]
CONFIG = {
    "checks": {
        "positive_data_acceptance": {"expected-statuses": GOOD_ENOUGH},
        "negative_data_rejection": {"expected-statuses": REFUSED},
    },
    "generation": {"allow-x00": True},
}
EXPLICIT = {"max_examples", "database", "deadline", "derandomize", "phases", "suppress_health_check"}
ENDED_AND_KEPT = {"windows", "bans", "allowed-networks", "api-keys"}
NAMED = {
    "account": "acme", "parent": "acme", "device": "phone", "site": "site", "profile": "profile", "extension":
    "extension", "claim": None, "owner": "ben@acme.example",
}  # fmt: skip


@dataclass(frozen=True)
class Caller:
    """Who calls: what he sends with everything."""

    name: str
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    def sends(self) -> dict[str, Any]:
        return {"headers": dict(self.headers), "cookies": dict(self.cookies)}


def callers(world: World) -> dict[str, Caller]:
    """A manager's key, an end user's session, and nobody."""
    browser, token = signed_in(world.ben), _get_new_csrf_string()
    cookies = {
        settings.SESSION_COOKIE_NAME: browser.cookies[settings.SESSION_COOKIE_NAME].value,
        settings.CSRF_COOKIE_NAME: token,
    }
    return {
        "manager": Caller("manager", {"Authorization": f"Api-Key {world.acme.key}"}),
        "user": Caller("user", {"X-CSRFToken": token}, cookies),
        "nobody": Caller("nobody"),
    }


class Fuzz:
    """One run against one world."""

    def __init__(self, world: World, codes: dict[str, str], *, seed: int) -> None:
        description = json.loads((api_examples.HERE / "v1.json").read_text(encoding="utf-8"))
        # Plain http has no cookies with a prefix.
        description["components"]["securitySchemes"]["session"]["name"] = settings.SESSION_COOKIE_NAME
        config = SchemathesisConfig.from_dict(CONFIG)
        self.description = schemathesis.openapi.from_dict(description, config=config)
        self.description.app = WSGIHandler()
        self.callers, self.codes, self.seed = callers(world), codes, seed
        self.calls = 0
        self.statuses: dict[int, int] = {}

    def operations(self) -> Iterator[Any]:
        for found in self.description.get_all_operations():
            yield found.ok()

    def try_one(self, operation: Any, caller: Caller, *, examples: int, thorough: bool = False) -> list[str]:
        """What is wrong with this call."""
        faults: dict[str, str] = {}

        def call(case: Any) -> None:
            self.aim(case)
            with nothing_kept():
                sent = caller.sends()
                answer = case.call(**sent)
                self.note(answer.status_code)
                if _says_nothing(case.query):
                    return
                try:
                    case.validate_response(answer, headers=sent["headers"], transport_kwargs=sent)
                except (FailureGroup, Failure) as found:
                    for one in _that_count(found, case, caller):
                        faults.setdefault(type(one).__name__, _told(one, case, answer))

        modes = [HypothesisTestMode.FUZZING]
        modes += [HypothesisTestMode.COVERAGE, HypothesisTestMode.EXAMPLES] if thorough else []
        create_test(
            operation=operation,
            test_func=call,
            config=HypothesisTestConfig(
                project=self.description.config,
                modes=modes,
                settings=quick(examples),
                explicit_setting_names=EXPLICIT,  # or the profile of all tests would count for more
                seed=self.seed,
            ),
        )()
        return [f"{caller.name} {operation.label}: {words}" for words in faults.values()]

    def try_together(self, caller: Caller, *, scenarios: int, steps: int) -> list[str]:
        """What is wrong with calls that follow each other, as their links and answers lead on."""
        fuzz, faults = self, dict[str, str]()

        class Machine(self.description.as_state_machine()):  # type: ignore[misc]
            def setup(self) -> None:
                self.kept = transaction.atomic()
                self.kept.__enter__()

            def teardown(self) -> None:
                transaction.set_rollback(True)
                self.kept.__exit__(None, None, None)

            def before_call(self, case: Any) -> None:
                fuzz.aim(case)

            def get_call_kwargs(self, case: Any) -> dict[str, Any]:
                return caller.sends()

            def validate_response(self, response: Any, case: Any, **more: Any) -> None:
                fuzz.note(response.status_code)
                if _says_nothing(case.query):
                    return
                try:
                    sent = caller.sends()
                    case.validate_response(
                        response, headers=sent["headers"], transport_kwargs=sent, recorder=self.recorder
                    )
                except (FailureGroup, Failure) as found:
                    for one in _that_count(found, case, caller):
                        key = f"{case.operation.label} {type(one).__name__}"
                        faults.setdefault(key, f"{case.operation.label}: {_told(one, case, response)}")

        machine = hypothesis.seed(self.seed)(Machine)
        # Codes are drawn anew by each call, so that no two scenarios are the same to whoever repeats one.
        with suppress(Flaky):
            machine.run(settings=hypothesis.settings(quick(scenarios), stateful_step_count=steps))
        return [f"{caller.name} {words}" for words in faults.values()]

    def note(self, status: int) -> None:
        self.calls += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def aim(self, case: Any) -> None:
        """Name rows that are there, where the case is not about the name itself."""
        if not zlib.crc32(repr((case.path_parameters, case.query, repr(case.body))).encode()) % 4:
            return
        known = api_examples.path_values(case.operation.path, self.codes)
        if case.path_parameters and _is_good(case, ParameterLocation.PATH):
            for name in case.path_parameters:
                case.path_parameters[name] = known.get(name, case.path_parameters[name])
        if isinstance(case.body, dict) and _is_good(case, ParameterLocation.BODY):
            self._name_rows(case.body)
        if case.query and _is_good(case, ParameterLocation.QUERY):
            self._name_rows(case.query)

    def _name_rows(self, values: Any) -> None:
        for name in values:
            if isinstance(values[name], str) and NAMED.get(name):
                values[name] = self.codes.get(NAMED[name] or "", NAMED[name])


def quick(examples: int) -> hypothesis.settings:
    """So many tries, without looking for smaller ones."""
    return hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def staying_connected() -> Iterator[None]:
    """Requests do not end the connection whose transaction they run in; so does Django's own test client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@contextmanager
def nothing_kept() -> Iterator[None]:
    """The world as it was, whatever was done within."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _is_good(case: Any, location: ParameterLocation) -> bool:
    about = case.meta.components.get(location) if case.meta else None
    return about is None or about.mode == GenerationMode.POSITIVE


def _says_nothing(query: Any) -> bool:
    """Whether a parameter that should be wrong is not sent at all, for it has no text."""
    return any(value in ({}, [], "") for value in (query or {}).values())


def _that_count(found: Any, case: Any, caller: Caller) -> list[Exception]:
    """What was found, but for three things.

    A window, a ban or a key that was ended can still be looked at. Bulk calls refuse each item by itself,
    in an answer of 200. And the check of who is let in takes a session's cookie, which comes with each call
    and not with the case, for one that it made up itself.
    """
    words = case.operation.path.removeprefix("/api/v1/").strip("/").split("/")
    beside: list[type[Exception]] = [UseAfterFree] if words[0] in ENDED_AND_KEPT else []
    beside += [AcceptedNegativeData] if len(words) > 1 and words[1] == "bulk" else []
    beside += [IgnoredAuth] if caller.cookies else []
    return [one for one in getattr(found, "exceptions", [found]) if not isinstance(one, tuple(beside))]


def _told(fault: Exception, case: Any, answer: Any) -> str:
    body = answer.content.decode(errors="replace")[:300]
    sent = {
        "path": case.formatted_path,
        "query": case.query,
        "headers": case.headers,
        "body": repr(case.body)[:300],
    }
    return f"{type(fault).__name__}: {str(fault)[:500]}\n  sent {sent}\n  got {answer.status_code} {body}"
