"""`bulk/` of phones, extensions and lines: what the single calls do, to many, each for itself."""

from typing import Any

import pytest
from django.db import OperationalError

from accounts import once
from accounts.models import AuditEntry
from accounts.roles import Role
from devices.models import Appearance, Device, Extension
from provisioning import entering
from tests.test_access_matrix import snapshot
from tests.world import World, make_key, program

API = "/api/v1/"
MACS = [f"00005e0053c{number}" for number in range(10)]
UNKNOWN = "5a3c0000-0000-4000-8000-00000000ffff"


def phone(number: int, **more: Any) -> dict[str, Any]:
    entered = {"account": "acme", "mac": MACS[number], "family": "yealink", "model": "T46S"}
    return {"op": "create", **entered, **more}


def bulk(world: World, what: str, items: Any, *, key: str | None = None, **headers: str) -> Any:
    return program(key or world.acme.key).post(f"{API}{what}/bulk/", {"items": items}, headers=headers)


def results(answer: Any) -> list[tuple[int, str | None]]:
    """Each one's status with the code of its problem."""
    assert answer.status_code == 200, answer.json()
    rows = answer.json()["results"]
    assert [row["index"] for row in rows] == list(range(len(rows)))
    assert all(set(row) == {"index", "status", "code", "problem"} for row in rows)
    return [(row["status"], row["problem"] and row["problem"]["code"]) for row in rows]


def test_phones_are_entered_changed_and_removed_in_order(world: World) -> None:
    one, other = str(world.acme.phone.code), str(world.acme.other_phone.code)
    items = [
        phone(0, name="First"),
        {"op": "update", "code": one, "name": "Changed", "notes": "Dusty"},
        {"op": "delete", "code": other},
        {"op": "update", "code": other, "name": "Too late"},
    ]

    answer = bulk(world, "devices", items)

    assert results(answer) == [(201, None), (200, None), (204, None), (404, "not-found")]
    made = Device.objects.get(mac=MACS[0])
    codes = [row["code"] for row in answer.json()["results"]]
    assert codes == [str(made.code), one, other, None]
    assert (made.name, Device.objects.get(code=one).name) == ("First", "Changed")
    assert not Device.objects.filter(code=other).exists()
    verbs = AuditEntry.objects.order_by("-pk").values_list("verb", flat=True)[:3]
    assert list(verbs) == ["device.removed", "device.changed", "device.entered"]


#: What is wrong with an item, and what its own call says of it.
WRONG: list[tuple[str, dict[str, Any]]] = [
    ("create", {"account": "acme", "mac": "hello", "family": "yealink", "model": "T46S"}),
    ("create", {"account": "acme", "mac": MACS[1], "family": "rotary", "model": "T46S"}),
    ("create", {"account": "acme", "mac": MACS[1], "family": "yealink", "model": "T46S", "extra": 1}),
    ("create", {"account": "globex", "mac": MACS[1], "family": "yealink", "model": "T46S"}),
    ("create", {"account": "acme", "mac": "{mac}", "family": "yealink", "model": "T46S"}),
    ("create", {"account": "acme", "mac": "{foreign mac}", "family": "yealink", "model": "T46S"}),
    ("create", {}),
    ("update", {"code": "{phone}", "model": "T4600"}),
    ("update", {"code": "{phone}", "mac": MACS[1]}),
    ("update", {"code": "{phone}", "owner": "eve@globex.example"}),
    ("update", {"code": "{foreign}", "name": "Mine"}),
    ("update", {"code": UNKNOWN, "name": "None"}),
    ("update", {"code": "no-code", "name": "None"}),
    ("delete", {"code": "{foreign}"}),
    ("delete", {"code": UNKNOWN}),
]


@pytest.mark.parametrize(("op", "fields"), WRONG)
def test_what_is_wrong_with_one_is_said_as_by_its_own_call(
    world: World, op: str, fields: dict[str, Any]
) -> None:
    """And changes nothing of it, nor of the others."""
    ana = program(world.acme.key)
    words = {
        "{mac}": world.acme.phone.mac, "{foreign mac}": world.globex.phone.mac,
        "{phone}": str(world.acme.phone.code), "{foreign}": str(world.globex.phone.code),
    }  # fmt: skip
    sent = {name: words.get(value, value) for name, value in fields.items()}
    method = {"create": "post", "update": "patch", "delete": "delete"}[op]
    address = f"{API}devices/" + (f"{sent['code']}/" if op != "create" else "")
    body = {name: value for name, value in sent.items() if name != "code"}
    alone = getattr(ana, method)(address, body)
    noted = AuditEntry.objects.filter(verb="device.not-added").count()

    answer = bulk(world, "devices", [phone(2), {"op": op, **sent}, phone(3)])

    first, wrong, last = answer.json()["results"]
    assert alone.status_code >= 400
    assert (wrong["status"], wrong["problem"]) == (alone.status_code, alone.json())
    assert (first["status"], last["status"]) == (201, 201)
    assert Device.objects.filter(mac__in=MACS[2:4]).count() == 2
    assert not Device.objects.filter(mac=MACS[1]).exists()
    again = AuditEntry.objects.filter(verb="device.not-added").count()
    assert again == noted * 2, "E10 counts what was refused, here too"


@pytest.mark.parametrize(
    ("item", "field"),
    [({}, "op"), ({"op": "drop"}, "op"), ({"op": ["create"]}, "op"), ({"op": "update", "name": "x"}, "code"),
     ({"op": "delete"}, "code"), ({"op": "delete", "code": UNKNOWN, "name": "x"}, "name"),
     ({"op": "update", "code": 7}, "code")],
)  # fmt: skip
def test_an_item_that_is_none_is_said(world: World, item: dict[str, Any], field: str) -> None:
    before = snapshot()

    answer = bulk(world, "devices", [item])

    assert results(answer) == [(400, "invalid")]
    assert [error["attr"] for error in answer.json()["results"][0]["problem"]["errors"]] == [field]
    assert snapshot() == before


@pytest.mark.parametrize("what", ["devices", "extensions", "appearances"])
@pytest.mark.parametrize("items", [None, [], "x", ["x"], [[]], [{"op": "delete"}] * 1001])
def test_what_is_no_list_of_up_to_a_thousand_is_refused_as_a_whole(
    world: World, what: str, items: Any
) -> None:
    before = snapshot()

    answer = bulk(world, what, items)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"].startswith("items")
    assert snapshot() == before


@pytest.mark.parametrize("what", ["devices", "extensions", "appearances"])
def test_without_the_power_nothing_is_even_read(world: World, what: str) -> None:
    viewer = make_key(world.acme.account, Role.VIEWER, world.ana)
    before = snapshot()

    answer = bulk(world, what, "no list", key=viewer)

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert snapshot() == before


@pytest.mark.parametrize("error", [RuntimeError, OperationalError])
def test_what_fails_in_the_middle_of_one_leaves_nothing_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """The others stand; once the database is away, the rest is not tried."""
    enter = entering.enter

    def failing(*args: Any, **more: Any) -> Device:
        device = enter(*args, **more)
        if more["mac"] == MACS[1]:
            raise error("in the middle")
        return device

    monkeypatch.setattr(entering, "enter", failing)
    client = program(world.acme.key, raise_request_exception=False)
    answer = client.post(f"{API}devices/bulk/", {"items": [phone(0), phone(1), phone(2)]})

    away = error is OperationalError
    expected = [201, 503, 503] if away else [201, 500, 201]
    assert [row["status"] for row in answer.json()["results"]] == expected
    assert Device.objects.filter(mac=MACS[1]).count() == 0
    assert Device.objects.filter(mac__in=(MACS[0], MACS[2])).count() == (1 if away else 2)


@pytest.mark.parametrize("order", [0, 1])
def test_with_an_idempotency_key_the_whole_of_it_is_done_once(world: World, order: int) -> None:
    """Also what was refused in it is on record once."""
    items = [phone(0), phone(1, mac=world.globex.phone.mac), phone(2, model="T4600")]
    items = items[order:] + items[:order]

    first, again = (bulk(world, "devices", items, **{once.HEADER: "one"}) for _ in "12")

    assert sorted(results(first)) == [(201, None), (400, "invalid"), (409, "active-elsewhere")]
    assert (again[once.REPLAYED], again.content) == ("true", first.content)
    assert Device.objects.filter(mac=MACS[0]).count() == 1
    assert AuditEntry.objects.filter(verb="device.not-added").count() == 1


# --- extensions ------------------------------------------------------------------------------------------


def test_extensions_are_made_changed_and_removed_and_no_secret_comes_out(world: World) -> None:
    shown = world.acme.extension
    new = {"op": "create", "account": "acme", "username": "301", "secret": "a-secret-of-301"}
    items = [
        new,
        {**new, "display_name": "Twice"},
        {"op": "update", "code": str(shown.code), "secret": "another-secret-of-it"},
        {"op": "delete", "code": str(shown.code)},
        {"op": "update", "code": str(world.globex.extension.code), "display_name": "x"},
    ]

    answer = bulk(world, "extensions", items)

    told = results(answer)
    assert [status for status, _ in told] == [201, 400, 200, 409, 404]
    assert told[3] == (409, "in-use")
    assert Extension.objects.filter(username="301").count() == 1
    assert "secret-of" not in answer.content.decode()


# --- lines -----------------------------------------------------------------------------------------------


def lines(device: Device) -> list[tuple[int, str, str]]:
    rows = Appearance.objects.filter(device=device).order_by("position")
    return list(rows.values_list("position", "extension__username", "label"))


def test_lines_are_put_replaced_and_taken_off(world: World) -> None:
    one, other = world.acme.phone, world.acme.other_phone
    name = world.acme.extension.username
    rows = [{"position": 3, "extension": name, "label": "Three"}]
    items = [
        {"op": "create", "device": str(one.code), "position": 2, "extension": name, "label": "Two"},
        {"op": "create", "device": str(one.code), "position": 2, "extension": name, "label": "Again"},
        {"op": "delete", "device": str(one.code), "position": 1},
        {"op": "delete", "device": str(one.code), "position": 1},
        {"op": "update", "device": str(other.code), "rows": rows},
        {"op": "update", "device": str(world.globex.phone.code), "rows": rows},
        {"op": "update", "device": str(other.code), "rows": [{**rows[0], "extension": "ext-globex-201"}]},
        {"op": "update", "device": str(other.code)},
    ]

    answer = bulk(world, "appearances", items)

    assert [status for status, _ in results(answer)] == [201, 400, 200, 404, 200, 400, 400, 400]
    assert lines(one) == [(2, name, "Two")]
    assert lines(other) == [(3, name, "Three")]
    codes = [row["code"] for row in answer.json()["results"]]
    assert codes[:5] == [str(one.code), None, str(one.code), None, str(other.code)]
