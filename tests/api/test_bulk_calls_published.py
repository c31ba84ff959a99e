"""What many items of one call change is in the store when the call is answered, written there in one go."""

from typing import Any

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import keys, once
from accounts.models import Account
from accounts.roles import Role
from accounts.scope import Actor
from devices.models import Device
from provisioning import publishing, wire
from provisioning.models import Outbox
from tests.factories import make_mac, make_phone
from tests.world import program

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both]
BULK = "/api/v1/devices/bulk/"


@pytest.fixture
def key(acme: Account, ana: Actor) -> str:
    return keys.create(acme, by=ana, name="Tests", role=Role.MANAGER)[1]


def new(mac: str) -> dict[str, Any]:
    return {"op": "create", "account": "acme", "mac": mac, "family": "yealink", "model": "T46S"}


@pytest.mark.parametrize("headers", [{}, {once.HEADER: "one"}])
def test_the_store_knows_all_of_them_when_the_call_is_answered(
    acme: Account,
    ana: Actor,
    key: str,
    store: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
) -> None:
    old, macs = make_phone(acme, by=ana), [make_mac() for _ in range(3)]
    store.flushall()
    written: list[list[int]] = []
    publish = publishing.publish_devices

    def counted(ids: Any, **more: Any) -> int:
        written.append(list(ids))
        return publish(ids, **more)

    monkeypatch.setattr(publishing, "publish_devices", counted)
    items = [*(new(mac) for mac in macs), new(old.mac), {"op": "update", "code": str(old.code), "name": "X"}]

    answer = program(key).post(BULK, {"items": items}, headers=headers)

    assert [row["status"] for row in answer.json()["results"]] == [201, 201, 201, 409, 200]
    made = list(Device.objects.filter(mac__in=macs).order_by("pk").values_list("pk", flat=True))
    assert written == [[*made, old.pk]]
    assert [store.exists(wire.mac_key(mac)) for mac in (*macs, old.mac)] == [1, 1, 1, 1]
    assert not Outbox.objects.filter(details__files=False).exists()


def test_after_the_call_each_is_published_by_itself_again(acme: Account, ana: Actor, key: str) -> None:
    program(key).post(BULK, {"items": [new(make_mac())]})

    assert publishing._waiting.get() is None


def test_each_costs_the_same_however_many_they_are(acme: Account, ana: Actor, key: str) -> None:
    def queries(count: int) -> int:
        with CaptureQueriesContext(connection) as seen:
            answer = program(key).post(BULK, {"items": [new(make_mac()) for _ in range(count)]})
        assert {row["status"] for row in answer.json()["results"]} == {201}
        return len(seen)

    queries(1)
    few, more, many = queries(2), queries(4), queries(8)

    assert many - more == 2 * (more - few)
