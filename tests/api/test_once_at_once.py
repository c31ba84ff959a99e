"""One Idempotency-Key, many callers at once: over HTTP, by threads, and with one of them killed."""

import http.client
import json
import os
import select
import signal
import threading
from collections import Counter
from unittest.mock import patch

import pytest
import time_machine
from django.db import connection, connections
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from accounts import keys, once
from accounts.models import Account, AuditEntry, KeptAnswer
from accounts.roles import Role
from accounts.scope import Actor
from devices.models import Device
from provisioning import entering
from tests.api.test_once import BODY, DEVICES, MAC, counts, send
from tests.world import program

REQUESTS, AT_ONCE = 1000, 20

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both, pytest.mark.timeout(600)]


@pytest.fixture
def key(acme: Account, ana: Actor) -> str:
    """A manager's key."""
    return keys.create(acme, by=ana, name="Tests", role=Role.MANAGER)[1]


def test_a_thousand_posts_with_one_key_make_one_phone(key: str, live_server: LiveServer) -> None:
    devices, entries = counts()
    place = live_server.url.removeprefix("http://")
    headers = {
        "Authorization": f"Api-Key {key}",
        "Content-Type": "application/json",
        once.HEADER: "one",
    }
    begin, body = threading.Barrier(AT_ONCE), json.dumps(BODY)
    answers: list[tuple[int, bytes]] = []

    def ask(share: int) -> None:
        begin.wait(60)
        for _ in range(share):
            caller = http.client.HTTPConnection(place, timeout=120)
            caller.request("POST", DEVICES, body, headers)
            answer = caller.getresponse()
            answers.append((answer.status, answer.read()))
            caller.close()

    threads = [threading.Thread(target=ask, args=(REQUESTS // AT_ONCE,)) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    seen = Counter(answers)
    made = [body for status, body in seen if status == 201]
    others = {(status, json.loads(body)["code"]) for status, body in seen if status != 201}
    assert seen.total() == REQUESTS
    assert len(made) == 1
    assert others <= {(409, "still-running")}
    assert Device.objects.filter(mac=MAC).count() == 1
    assert counts() == (devices + 1, entries + 1)


def test_who_is_killed_between_its_two_steps_leaves_nothing(key: str) -> None:
    """`kill -9` when the phone is entered, and neither it nor the answer committed."""
    before = counts()
    hears, says = os.pipe()
    connections.close_all()
    if connection.vendor == "postgresql":
        connection.close_pool()
    child = os.fork()
    if child == 0:
        _enter_and_hang(key, says)
    try:
        assert select.select([hears], [], [], 120)[0], "the call has not come that far"
        assert os.read(hears, 10) == b"entered"
        assert KeptAnswer.objects.get().status == 0
        meanwhile = send(program(key)) if connection.vendor == "postgresql" else None
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    at_once = send(program(key))
    then = counts()
    with time_machine.travel(timezone.now() + once.FREE_AFTER, tick=True):
        after = send(program(key))

    assert meanwhile is None or meanwhile.json()["code"] == "still-running"
    assert (at_once.status_code, at_once.json()["code"]) == (409, "still-running")
    assert then == before
    assert after.status_code == 201
    assert Device.objects.filter(mac=MAC).count() == 1


def _enter_and_hang(key: str, says: int) -> None:
    """What the child does, and never comes back from."""
    enter = entering.enter

    def enter_and_hang(*args: object, **kwargs: object) -> None:
        enter(*args, **kwargs)  # type: ignore[arg-type]
        os.write(says, b"entered")
        signal.pause()

    try:
        with patch.object(entering, "enter", enter_and_hang):
            send(program(key))
    finally:
        os._exit(1)


def test_a_slow_runner_keeps_its_turn_beyond_its_minute(key: str) -> None:
    """Whoever comes later does not begin anew while it works: it waits, or is told to."""
    entered, go_on = threading.Event(), threading.Event()
    enter, answers = entering.enter, []

    def slow(*args: object, **kwargs: object) -> Device:
        device = enter(*args, **kwargs)  # type: ignore[arg-type]
        entered.set()
        assert go_on.wait(60)
        return device

    def run() -> None:
        try:
            answers.append(send(program(key)))
        finally:
            connections.close_all()

    with patch.object(entering, "enter", slow):
        first = threading.Thread(target=run)
        first.start()
        assert entered.wait(60)
        with time_machine.travel(timezone.now() + once.FREE_AFTER, tick=True):
            if connection.vendor == "postgresql":
                late = send(program(key))
                assert (late.status_code, late.json()["code"]) == (409, "still-running")
                go_on.set()
                first.join()
            else:  # it waits for the database
                second = threading.Thread(target=run)
                second.start()
                go_on.set()
                first.join()
                second.join()

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert KeptAnswer.objects.get().turn == 1
    assert AuditEntry.objects.filter(verb="device.entered", details__mac=MAC).count() == 1
