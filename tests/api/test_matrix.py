"""Every operation of the API, asked by every role, of what is its own, below, a sibling's and a stranger's.

What is expected stands in tests/api/matrix.py. A no changes nothing, tells no word of whom it is about, and
is the same, byte for byte, whether what was named is somebody else's or nobody's.
"""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver
from pytest_django import Settings

from accounts.roles import Role
from portal import api_urls as the_map
from tests.api.matrix import CALLERS, DONE, OPERATIONS, REACH, Caller, Place
from tests.api.wide_world import WideWorld, wide_world
from tests.remembering import remembered
from tests.test_access_matrix import ask, leaked, snapshot
from tests.url_map import api_urls, writes
from tests.world import HOTEL, Tenant, make_key, program, signed_in

pytestmark = pytest.mark.django_db

NOT_THE_ANSWERS_OWN = {"Date", "X-Request-ID", "RateLimit", "RateLimit-Policy"}


@pytest.fixture(autouse=True)
def _unwritten() -> Iterator[None]:
    """Thousands of log lines are read by nobody."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def world(db: None, settings: Settings, clock: time_machine.Traveller) -> WideWorld:
    settings.LATCHKEY_TRIAL = True  # addresses kept for examples are nobody's public ones
    settings.SIP_EDGE = "sip.example.net:5060"
    return remembered(wide_world)


def offered(patterns: list[Any] | None = None) -> Iterator[str]:
    """The operations that there are: each URL of the API with each of its methods."""
    for entry in the_map.urlpatterns if patterns is None else patterns:
        if isinstance(entry, URLResolver):
            yield from offered(entry.url_patterns)
        elif isinstance(entry, URLPattern) and entry.name != "nowhere":
            view: Any = entry.callback
            methods = getattr(view, "actions", None) or [
                method for method in view.cls.http_method_names if hasattr(view.cls, method)
            ]
            for method in methods:
                if method not in ("head", "options"):
                    yield f"{method.upper()} {entry.name}"


def client_of(caller: Caller, world: WideWorld) -> Any:
    person = {
        Role.USER: world.ben,
        Role.VIEWER: world.acme.viewer,
        Role.MANAGER: world.ana,
        Role.RESELLER: world.rita,
        Role.SUPPORT: world.sam,
    }
    account = {Role.RESELLER: world.harbour, Role.SUPPORT: world.platform}
    if caller.role is None:
        return program()
    if not caller.by_key:
        return signed_in(person[caller.role])
    return program(make_key(account.get(caller.role, world.acme.account), caller.role, world.sam))


Call = tuple[str, str, str]  # method, address and body


def calls(tenant: Tenant) -> dict[str, Call]:
    """Every operation on the tenant's things."""
    urls, bodies = api_urls(tenant), writes(tenant)
    found = {}
    for operation in OPERATIONS:
        method, name = operation.lower().split(" ")
        body = dict(bodies.get(name, ())).get(method)
        found[operation] = (method, urls[name], json.dumps(body))
    return found


def make(client: Any, call: Call) -> HttpResponse:
    method, url, body = call
    return ask(client, method, url, json.loads(body))


def nobodys(call: Call, tenant: Tenant) -> Call:
    """The same call with names of the same form that are nobody's."""
    method, url, body = call
    return method, _nobodys(url, tenant), _nobodys(body, tenant)


def _nobodys(text: str, tenant: Tenant) -> str:
    for at, code in enumerate(sorted(tenant.codes)):
        text = text.replace(code, f"00000000-0000-4000-8000-{at:012x}")
    for mac in (tenant.phone.mac, tenant.other_phone.mac):
        text = text.replace(mac, "0" * 12)
    slug = tenant.account.slug
    for quote in '"=/':
        text = text.replace(f"{quote}{slug}", f"{quote}{'q' * len(slug)}")
    return text


def same_for_all(answer: HttpResponse) -> tuple[Any, ...]:
    headers = {name: value for name, value in answer.headers.items() if name not in NOT_THE_ANSWERS_OWN}
    return answer.status_code, headers, answer.content


def hidden_from(caller: Caller, world: WideWorld) -> list[str]:
    """The words that this caller may never read."""
    reach = REACH[caller.role] if caller.role else frozenset()
    words = [word for place, tenant in world.places.items() if place not in reach for word in tenant.words]
    if caller.role is not Role.USER:
        return words
    acme, other = world.acme, world.acme.other_phone
    words = [word for word in words if word not in acme.words]
    return [*words, str(other.code), other.mac, other.name, str(acme.job.code), acme.viewer.email]


def test_the_table_has_every_operation() -> None:
    assert sorted(offered()) == sorted(OPERATIONS), "say in tests/api/matrix.py what it needs"


def test_everything_that_changes_something_has_a_body(world: WideWorld) -> None:
    there = {f"{m.upper()} {name}" for name, calls in writes(world.acme).items() for m, _ in calls}

    assert there == {operation for operation in OPERATIONS if not operation.startswith("GET ")}


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_everybody_gets_what_his_role_allows(caller: Caller, world: WideWorld) -> None:
    client, words = client_of(caller, world), hidden_from(caller, world)
    all_calls = {place: calls(tenant) for place, tenant in world.places.items()}
    wrong, before = [], snapshot()

    for operation, rule in OPERATIONS.items():
        name = operation.split(" ")[1]
        for place in [Place.OWN] if rule.nobodys else Place:
            call, tenant = all_calls[place][operation], world.places[place]
            expected = rule.expected(name, caller, place)
            shown = rule.shows(name, caller, place)
            is_done = shown and expected == DONE
            answer = done(client, operation, call, tenant) if is_done else make(client, call)
            status = DONE if 200 <= answer.status_code < 300 else answer.status_code
            if status != expected:
                wrong.append((operation, place, f"{answer.status_code} for {expected}", answer.content[:150]))
            elif not rule.written and (told := leaked(answer, words, " ".join(call))):
                wrong.append((operation, place, "tells", told))
            elif caller.role and not shown:
                other = make(client, nobodys(call, tenant))
                if same_for_all(other) != same_for_all(answer):
                    wrong.append((operation, place, "differs from nobody's", other.content[:150]))

    assert not wrong, "\n" + "\n".join(map(str, wrong))
    assert snapshot() == before


def done(client: Any, operation: str, call: Call, tenant: Tenant) -> HttpResponse:
    """The answer to what is allowed, undone again."""
    first, undo = OPERATIONS[operation].first, transaction.savepoint()
    try:
        ready = first(tenant) if first else None
        return make(client, calls(ready)[operation] if ready else call)
    finally:
        transaction.savepoint_rollback(undo)


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if not name.startswith("GET ")])
def test_what_is_done_leaves_a_trace(operation: str, world: WideWorld) -> None:
    """An operation that changes nothing would be denied in vain."""
    rule, tenant = OPERATIONS[operation], world.globex
    ready = (rule.first and rule.first(tenant)) or tenant
    before = snapshot()

    make(signed_in(world.sam), calls(ready)[operation])

    assert (snapshot() != before) == rule.changes


@pytest.mark.rule("E14")
def test_an_owner_answers_his_card_where_his_phone_was_refused(world: WideWorld) -> None:
    """The table has his 403 from anywhere else, and for any other answer he has one here too."""
    url, before = api_urls(world.acme)["approval-detail"], snapshot()
    ben = signed_in(world.ben, REMOTE_ADDR=HOTEL)

    for decision in ("deny", "quarantine", "site"):
        assert ask(ben, "post", url, {"decision": decision}).status_code == 403, decision
    assert snapshot() == before
    assert ask(ben, "post", url, {"decision": "once"}).status_code == 200
