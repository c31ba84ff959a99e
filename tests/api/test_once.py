"""`Idempotency-Key`: a POST that is sent again is answered as the first time, and done once."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import keys, once
from accounts.models import ApiKey, AuditEntry, KeptAnswer
from accounts.roles import Role
from devices.models import Device, Site
from provisioning import entering
from tests.url_map import api_urls, writes
from tests.world import World, actor, make_key, program, signed_in

DEVICES = "/api/v1/devices/"
MAC = "00005e0053f1"
BODY = {"account": "acme", "mac": MAC, "family": "yealink", "model": "T46S", "name": "Desk"}


def send(client: APIClient, body: Any = BODY, *, name: str = "first", url: str = DEVICES) -> Any:
    return client.post(url, body, headers={once.HEADER: name})


def counts() -> tuple[int, int]:
    return Device.objects.count(), AuditEntry.objects.count()


def test_the_second_is_answered_as_the_first_and_does_nothing(world: World) -> None:
    ana = program(world.acme.key)
    devices, entries = counts()

    first, second = send(ana), send(ana, dict(reversed(BODY.items())))

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert (first.get(once.REPLAYED), second[once.REPLAYED]) == (None, "true")
    assert second["Content-Type"] == first["Content-Type"] == "application/json"
    assert counts() == (devices + 1, entries + 1)


def test_without_the_header_nothing_is_kept(world: World) -> None:
    assert program(world.acme.key).post(DEVICES, BODY).status_code == 201

    assert not KeptAnswer.objects.exists()


def test_a_session_may_use_it_too(world: World) -> None:
    ana = signed_in(world.ana)
    first, second = (
        ana.post(DEVICES, BODY, content_type="application/json", headers={once.HEADER: "x"}) for _ in "12"
    )

    assert (first.status_code, second.status_code) == (201, 201)
    assert second[once.REPLAYED] == "true"


@pytest.mark.parametrize("body", [BODY | {"name": "Door"}, BODY | {"extra": 1}, [BODY], {}])
def test_the_same_key_with_another_body_is_refused(world: World, body: Any) -> None:
    ana = program(world.acme.key)
    send(ana)
    before = counts()

    answer = send(ana, body)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert counts() == before


def test_the_same_key_at_another_address_is_refused(world: World) -> None:
    ana = program(world.acme.key)
    one, other = (f"{DEVICES}{phone.code}/rearm/" for phone in (world.acme.phone, world.acme.other_phone))
    assert send(ana, {}, url=one).status_code == 200
    before = counts()

    answer = send(ana, {}, url=other)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert counts() == before


def test_each_caller_has_keys_of_his_own(world: World) -> None:
    """Somebody else's answer is nobody's to have by guessing its key."""
    other = program(make_key(world.acme.account, Role.MANAGER, world.ana))
    send(program(world.acme.key))

    answer = send(other)

    assert (answer.status_code, answer.json()["code"]) == (409, "already-here")


@pytest.mark.parametrize("name", ["", "x" * 256, "schl\u00fcssel", "a\tb"])
def test_a_key_that_is_none_is_said(world: World, name: str) -> None:
    before = counts()

    answer = send(program(world.acme.key), name=name)

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, once.HEADER)
    assert counts() == before
    assert not KeptAnswer.objects.exists()


def test_a_mistake_is_put_right_with_the_same_key(world: World) -> None:
    ana = program(world.acme.key)
    assert send(ana, BODY | {"mac": "hello"}).status_code == 400
    assert send(ana, BODY | {"account": "globex"}).status_code == 400

    assert send(ana).status_code == 201


def test_a_refusal_is_told_again_and_counted_once(world: World) -> None:
    """E10's record of refused MACs is kept though nothing else of the call is."""
    ana, taken = program(world.acme.key), BODY | {"mac": world.globex.phone.mac}
    noted = AuditEntry.objects.filter(verb="device.not-added")

    first, second = send(ana, taken), send(ana, taken)

    assert (first.status_code, first.json()["code"]) == (409, "active-elsewhere")
    assert (second.status_code, second.content) == (409, first.content)
    assert second[once.REPLAYED] == "true"
    assert noted.count() == 1


@pytest.mark.parametrize("by", ["key", "role"])
def test_nobody_is_told_again_what_he_may_not_ask_any_more(world: World, by: str) -> None:
    key = ApiKey.objects.get(code=world.acme.key_code)
    client = program(world.acme.key)
    assert send(client).status_code == 201
    if by == "key":
        keys.revoke(key, by=actor(world.ana))
    else:
        ApiKey.objects.filter(pk=key.pk).update(role=Role.VIEWER)

    answer = send(client)

    assert answer.status_code == (401 if by == "key" else 403)
    assert MAC not in answer.content.decode()


# --- one that runs, one that died ------------------------------------------------------------------------


def running(world: World, client: APIClient) -> KeptAnswer:
    """The row of a call that was begun and not ended, as a runner leaves it who was killed."""
    killed = patch("accounts.once._run", side_effect=KeyboardInterrupt)
    with killed, patch("accounts.once._let_go"), pytest.raises(KeyboardInterrupt):
        send(client)
    return KeptAnswer.objects.get()


def test_while_the_first_runs_the_second_is_told_to_wait(world: World) -> None:
    ana, before = program(world.acme.key), counts()
    row = running(world, ana)

    answer = send(ana)

    assert (row.status, answer.status_code, answer.json()["code"]) == (0, 409, "still-running")
    assert answer["Retry-After"] == "1"
    assert counts() == before


def test_what_a_dead_runner_began_is_taken_up_after_a_minute(
    world: World, clock: time_machine.Traveller
) -> None:
    ana = program(world.acme.key)
    row = running(world, ana)
    clock.shift(once.FREE_AFTER)

    taken_up, again = send(ana), send(ana)

    assert (taken_up.status_code, again.content) == (201, taken_up.content)
    assert KeptAnswer.objects.get().turn == row.turn + 1


def test_who_has_lost_his_turn_does_nothing(world: World) -> None:
    """He slept between two steps, and somebody else has taken the call up meanwhile."""
    ana, before, begin = program(world.acme.key), counts(), once._begin

    def slow(*args: Any) -> KeptAnswer:
        row = begin(*args)
        KeptAnswer.objects.filter(pk=row.pk).update(turn=row.turn + 1)
        return row

    with patch("accounts.once._begin", slow):
        answer = send(ana)

    assert (answer.status_code, answer.json()["code"]) == (409, "still-running")
    assert counts() == before
    assert KeptAnswer.objects.get().status == 0


@pytest.mark.parametrize("error", [RuntimeError, IntegrityError])
def test_what_failed_is_undone_and_may_be_sent_again(world: World, error: type[Exception]) -> None:
    ana, before = program(world.acme.key, raise_request_exception=False), counts()

    def enter(*args: Any, **kwargs: Any) -> Any:
        entering_enter(*args, **kwargs)
        raise error("afterwards")

    entering_enter = entering.enter
    with patch.object(entering, "enter", enter):
        failed = send(ana)

    assert failed.status_code == (500 if error is RuntimeError else 409)
    assert counts() == before
    assert not KeptAnswer.objects.exists()
    assert send(ana).status_code == 201


def test_a_database_error_that_breaks_the_transaction_is_no_answer_to_keep(world: World) -> None:
    ana, before = program(world.acme.key), counts()

    def enter(*args: Any, **kwargs: Any) -> Any:
        Site.objects.create(account=world.acme.account, name="Half")
        Device.objects.bulk_create([Device(account_id=world.acme.account.pk, mac=world.acme.phone.mac)])

    with transaction.atomic(), patch.object(entering, "enter", enter):
        answer = send(ana)

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert counts() == before
    assert not Site.objects.filter(name="Half").exists()
    assert not KeptAnswer.objects.exists()


def test_after_a_day_the_key_is_a_new_one(world: World, clock: time_machine.Traveller) -> None:
    """Also where nobody has swept the row yet."""
    ana = program(world.acme.key)
    first = send(ana)
    clock.shift(once.KEPT - timedelta(seconds=1))
    again = send(ana)
    clock.shift(timedelta(seconds=1))

    after, other = send(ana), send(ana, BODY | {"mac": "00005e0053f2"}, name="second")

    assert again.content == first.content
    assert (after.status_code, after.json()["code"]) == (409, "already-here")
    assert other.status_code == 201


# --- every call ------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_kept_nowhere(world: World) -> None:
    ana, body = program(world.acme.key), {"account": "acme", "name": "Mine", "role": "viewer"}
    first = send(ana, body, url="/api/v1/api-keys/")

    again = send(ana, body, url="/api/v1/api-keys/")

    assert first.status_code == 201
    assert (again.status_code, again.json()["code"]) == (409, "answered-once")
    assert first.json()["key"].partition(".")[2] not in str(list(KeptAnswer.objects.values()))
    assert ApiKey.objects.filter(name="Mine").count() == 1


#: What a POST may answer that is shown once; anything else is told again.
SHOWN_ONCE = {"api-key-list", "api-key-rotate", "device-unlock-links"}
SHOWN_ONCE |= {"webhook-list", "webhook-rotate"}


def test_every_post_of_the_api_honours_it(world: World) -> None:
    """Each is sent twice by whoever may do it; the second time it is the same answer, and nothing is done."""
    soon = (timezone.now() + timedelta(days=5)).isoformat()
    posts = {
        (name, str(body)): body if name != "allowed-network-list" else {**body, "ends_at": soon}
        for name, calls in writes(world.acme).items()
        for method, body in calls
        if method == "post"
    }
    done = set()
    callers = [program(world.acme.key), program(make_key(world.platform, Role.SUPPORT, world.sam))]
    for (name, said), body in posts.items():
        for client in callers:
            with transaction.atomic():
                first = send(client, body, url=api_urls(world.acme)[name])
                entries = AuditEntry.objects.count()
                again = send(client, body, url=api_urls(world.acme)[name])
                if first.status_code < 300 and name in SHOWN_ONCE:
                    assert again.json()["code"] == "answered-once", name
                    assert set(KeptAnswer.objects.values_list("answer")) == {("",)}, name
                    assert AuditEntry.objects.count() == entries, name
                    done.add((name, said))
                elif first.status_code < 300 or first.status_code == 409:
                    assert (again.get(once.REPLAYED), again.content) == ("true", first.content), name
                    assert AuditEntry.objects.count() == entries, name
                    done.add((name, said))
                transaction.set_rollback(True)

    assert posts.keys() - done == set()
