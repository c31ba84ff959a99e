"""What a body or a filter names is answered alike, to the byte, whether it is a stranger's or nobody's."""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import spectacular_settings
from rest_framework import serializers

from accounts.shapes import AccountField, CodeField, CodesField
from tests.api.matrix import Caller, Role
from tests.api.test_matrix import calls, client_of, same_for_all, world
from tests.api.wide_world import WideWorld
from tests.test_access_matrix import ask, leaked, snapshot
from tests.url_map import api_urls
from tests.world import Tenant

__all__ = ["world"]  # the fixture
pytestmark = pytest.mark.django_db

RESELLER = Caller(Role.RESELLER)
NOBODYS_CODE = "00000000-0000-4000-8000-000000000000"
#: What a tenant's rows are called by a field that names one.
THINGS = {
    "Device": "phone", "Site": "site", "Profile": "profile", "Extension": "extension", "Contact": "contact",
    "WebhookEndpoint": "endpoint",
}  # fmt: skip


def views() -> list[tuple[str, str, Any, Any]]:
    """Each operation with its view and what its body is made of, as the description of the API sees them."""
    generator = SchemaGenerator()
    generator._initialise_endpoints()
    found = []
    for path, _, method, view in generator._get_paths_and_endpoints():
        view.request = spectacular_settings.GET_MOCK_REQUEST(method, path, view, None)
        view.schema.method, view.schema.path = method, path
        shape = view.schema.get_request_serializer() if method in ("POST", "PUT", "PATCH") else None
        name = resolve(re.sub(r"{\w+}", NOBODYS_CODE, path)).url_name or ""
        found.append((method.lower(), name, view, shape))
    return found


Names = list[tuple[tuple[Any, ...], Any]]


def naming(shape: Any, at: tuple[Any, ...] = ()) -> Names:
    """The places in a body where something is named, each with its field."""
    if isinstance(shape, type):
        shape = shape()
    if isinstance(shape, serializers.ListSerializer):
        return naming(shape.child, (*at, 0))
    if isinstance(shape, serializers.BaseSerializer):
        fields = getattr(shape, "fields", {})
        return [
            one for name, field in fields.items() if not field.read_only for one in naming(field, (*at, name))
        ]
    named = isinstance(shape, AccountField | CodeField | CodesField | serializers.UUIDField)
    owner = isinstance(shape, serializers.EmailField) and at[-1] == "owner"
    return [(at, shape)] if named or owner else []


def names_in(field: Any, tenant: Tenant) -> tuple[Any, Any]:
    """A stranger's thing and nobody's, of the same form."""
    if isinstance(field, AccountField):
        return tenant.account.slug, "q" * len(tenant.account.slug)
    if isinstance(field, serializers.EmailField):
        return (
            tenant.user.email,
            f"{'q' * len(tenant.user.email.partition('@')[0])}@{tenant.account.slug}.example",
        )
    model = getattr(field, "model", None)
    thing = getattr(tenant, THINGS[model.__name__]) if model else tenant.phone.claims.get()
    if isinstance(field, CodesField):
        return [str(thing.code)], [NOBODYS_CODE]
    return str(thing.code), NOBODYS_CODE


def put(body: Any, at: tuple[Any, ...], value: Any) -> Any:
    """The body with the value there."""
    body = json.loads(json.dumps(body))
    if not at:
        return value
    step, rest = at[0], at[1:]
    if isinstance(step, int):
        return [put((body or [{}])[0], rest, value), *(body or [{}])[1:]]
    return {**(body or {}), step: put((body or {}).get(step), rest, value)}


def alike(client: Any, method: str, url: str, bodies: tuple[Any, Any], names: tuple[Any, Any]) -> str:
    """What differs between the answers, in words; nothing when they are the same."""
    before = snapshot()
    answers: list[HttpResponse] = []
    for body in bodies:
        undo = transaction.savepoint()
        answers.append(ask(client, method, url, body))
        transaction.savepoint_rollback(undo)
    theirs, nobodys = map(same_for_all, answers)
    theirs = (*theirs[:2], theirs[2].replace(str(names[0]).encode(), str(names[1]).encode()))
    assert snapshot() == before
    return "" if theirs == nobodys else f"{answers[0].content[:200]!r} for {answers[1].content[:200]!r}"


def test_what_a_body_names(world: WideWorld) -> None:
    client, urls, own = client_of(RESELLER, world), api_urls(world.acme), calls(world.acme)
    wrong, tried = [], 0

    for method, name, _, shape in views():
        body = json.loads(own[f"{method.upper()} {name}"][2]) if shape is not None else None
        for at, field in naming(shape) if shape is not None else ():
            names = names_in(field, world.initech)
            bodies = put(body, at, names[0]), put(body, at, names[1])
            tried += 1
            undo = transaction.savepoint()
            answer = ask(client, method, urls[name], bodies[0])
            transaction.savepoint_rollback(undo)
            if answer.status_code == 403:
                continue  # support alone, to whom nobody is a stranger
            if answer.status_code not in (400, 409) or str(at[-1]) not in answer.content.decode():
                wrong.append((method, name, at, answer.status_code, answer.content[:200]))
            elif other := alike(client, method, urls[name], bodies, names):
                wrong.append((method, name, at, other))

    assert tried > 30
    assert not wrong, "\n" + "\n".join(map(str, wrong))


def test_what_a_list_is_narrowed_by(world: WideWorld) -> None:
    """Each filter of each list with each word of a stranger, against words of the same form."""
    client, urls, tenant = client_of(RESELLER, world), api_urls(world.acme), world.initech
    words = {tenant.account.slug: "q" * len(tenant.account.slug), tenant.phone.mac: "00005e0053ff"}
    words |= {tenant.user.email: re.sub(r"^\w+", lambda name: "q" * len(name[0]), tenant.user.email)}
    words |= {str(tenant.phone.code): NOBODYS_CODE, tenant.phone.name: "q" * len(tenant.phone.name)}
    words |= {str(tenant.site.code): NOBODYS_CODE, tenant.extension.username: "ext-qqqqqqq-201"}
    hidden, wrong, tried = tenant.words, [], 0

    for method, name, view, _ in views():
        filters = getattr(getattr(view, "filterset_class", None), "base_filters", {})
        if method != "get" or not name.endswith("-list"):
            continue
        for asked in filters:
            for word, other in words.items():
                if asked == "mac" and word != tenant.phone.mac:
                    continue  # says what is wrong with it
                address = urls[name].partition("?")[0]
                theirs = client.get(f"{address}?{urlencode({asked: word})}")
                nobodys = client.get(f"{address}?{urlencode({asked: other})}")
                tried += 1
                same = theirs.content.replace(word.encode(), other.encode()) == nobodys.content
                if theirs.status_code != nobodys.status_code or not same or leaked(theirs, hidden, word):
                    wrong.append((name, asked, word, theirs.content[:150], nobodys.content[:150]))

    assert tried > 200
    assert not wrong, "\n" + "\n".join(map(str, wrong))
