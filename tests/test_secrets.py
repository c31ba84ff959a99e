"""Planted secrets, tokens, keys and passwords stand in no answer, page, log, event or stored note."""

import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import redis
from django.http import HttpResponse
from pytest_django import Settings

from accounts.models import AuditEntry
from accounts.roles import Role
from devices import secrets
from devices.models import Device
from provisioning import files
from provisioning.models import DeviceEvent, Job, Outbox, Token
from tests.url_map import api_urls, page_urls, staff_urls, writes
from tests.world import PASSWORD, World, make_key, make_world, program, signed_in

ADMIN_PASSWORD, USER_PASSWORD = "planted-Admin-7Qx", "planted-User-9Zk"
NEW_SECRET = "planted-new-sip-secret-5Y"
Capture = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


@pytest.fixture
def planted(db: None, settings: Settings, django_capture_on_commit_callbacks: Capture) -> World:
    """The world, published to the store, with passwords that the test knows."""
    settings.LATCHKEY_TRIAL = True
    with django_capture_on_commit_callbacks(execute=True):
        world = make_world()
    for device in Device.objects.all():
        for kind, column, text in (
            (secrets.Kind.ADMIN_PASSWORD, "admin_password", ADMIN_PASSWORD),
            (secrets.Kind.USER_PASSWORD, "user_password", USER_PASSWORD),
        ):
            Device.objects.filter(pk=device.pk).update(**{column: secrets.seal(kind, device.code, text)})
    assert files.publish_files(list(Device.objects.values_list("pk", flat=True))) == {}
    return world


def all_secrets(world: World) -> list[str]:
    both = (world.acme, world.globex)
    tokens = [token for tenant in both for token in tenant.tokens]
    keys = [tenant.key.partition(".")[2] for tenant in both]
    assert len(tokens) == 4  # a current and an entry token of each claimed phone
    return [*tokens, *keys, *(t.secret for t in both), ADMIN_PASSWORD, USER_PASSWORD, PASSWORD, NEW_SECRET]


def found_in(text: str, hidden: list[str]) -> list[str]:
    return [secret for secret in hidden if secret in text]


def text_of(answer: HttpResponse) -> str:
    body = b"".join(answer) if answer.streaming else answer.content
    return body.decode(errors="replace") + str(answer.headers)


def test_no_answer_and_no_page_holds_a_secret(planted: World) -> None:
    hidden = all_secrets(planted)
    everybody = [
        signed_in(user) for user in (planted.sam, planted.rita, planted.ana, planted.acme.viewer, planted.ben)
    ]

    for client in (program(planted.acme.key), *everybody):
        for url in api_urls(planted.acme).values():
            assert found_in(text_of(client.get(url)), hidden) == [], url
    for client in everybody:
        for url in page_urls(planted.acme).values():
            assert found_in(text_of(client.get(url)), hidden) == [], url
    seen = 0
    for url in staff_urls():
        if "logout" not in url:
            answer = everybody[0].get(url)
            seen += answer.status_code == 200
            assert found_in(text_of(answer), hidden) == [], url
    assert seen > 10, "support reads the staff site"


def test_no_change_answers_with_a_secret_or_writes_one_down(
    planted: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    hidden = all_secrets(planted)
    caplog.set_level(logging.DEBUG)
    support = program(make_key(planted.platform, Role.SUPPORT, planted.sam))
    calls = writes(planted.acme)
    removals = [(name, *call) for name, made in calls.items() for call in made if call[0] == "delete"]
    changes = [(name, *call) for name, made in calls.items() for call in made if call[0] != "delete"]
    changes += [
        ("extension-list", "post", {"account": "acme", "username": "777", "secret": NEW_SECRET}),
        ("extension-list", "post", {"account": "acme", "username": "77\n7", "secret": NEW_SECRET}),
        ("extension-list", "post", {"account": "acme", "username": "778", "secret": f"{NEW_SECRET}\n"}),
        ("extension-list", "post", {"account": "acme", "secret": NEW_SECRET * 9}),
        ("extension-detail", "patch", {"secret": NEW_SECRET}),
        ("extension-detail", "patch", {"secret": [NEW_SECRET]}),
    ]
    done = 0

    for name, method, body in (*changes, *removals):
        answer = getattr(support, method)(api_urls(planted.acme)[name], body)
        done += answer.status_code < 300
        assert answer.status_code < 500, (name, method)
        assert found_in(text_of(answer), hidden) == [], (name, method)
    refused = program(planted.acme.key + "x").get("/api/v1/me/")
    assert (refused.status_code, found_in(text_of(refused), hidden)) == (401, [])

    assert done >= 18
    written = capfd.readouterr()
    rows = [str(list(model.objects.values())) for model in (AuditEntry, DeviceEvent, Outbox, Job)]
    for text in (caplog.text, written.out, written.err, *rows):
        assert found_in(text, hidden) == []


def test_the_rows_of_tokens_and_secrets_are_sealed(planted: World) -> None:
    hidden = [secret.encode() for secret in all_secrets(planted)]

    for row in (*Token.objects.values(), *Device.objects.values()):
        for value in row.values():
            raw = (
                bytes(value)
                if isinstance(value, bytes | memoryview)
                else json.dumps(value, default=str).encode()
            )
            assert [secret for secret in hidden if secret in raw] == []


def test_the_store_holds_no_secret(planted: World, store: redis.Redis) -> None:
    hidden = [secret.encode() for secret in all_secrets(planted)]
    keys = store.keys("*")
    files_kept = [key for key in keys if key.startswith(b"f:")]

    assert len(files_kept) >= 2
    for key in keys:
        dump = store.dump(key) or b""
        whole = key + dump + _plain(store, key)
        assert [secret for secret in hidden if secret in whole] == [], key


def _plain(store: redis.Redis, key: bytes) -> bytes:
    """The value as it was put in: a dump may be compressed."""
    kind = store.type(key)
    read: dict[bytes, Callable[[], Any]] = {
        b"string": lambda: store.get(key),
        b"hash": lambda: store.hgetall(key),
        b"list": lambda: store.lrange(key, 0, -1),
        b"set": lambda: store.smembers(key),
        b"zset": lambda: store.zrange(key, 0, -1),
        b"stream": lambda: store.xrange(key),
    }
    value = read[kind]()
    return value if isinstance(value, bytes) else repr(value).encode()
