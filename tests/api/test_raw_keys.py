"""The vendors' own keys over the API: for those who may, and not a word to others."""

from typing import Any

import pytest

from accounts import tenants
from accounts.models import AuditEntry
from accounts.roles import Power, Role
from devices import raw_keys
from devices.models import RawValue
from provisioning.models import Lock
from tests.world import World, actor, make_key, program, signed_in

URL, KEY = "/api/v1/raw-keys/", "phone_setting.contrast"


@pytest.fixture
def rita(world: World) -> Any:
    return program(make_key(world.harbour, Role.RESELLER, world.rita))


def unchanged() -> tuple[Any, ...]:
    revisions = list(Lock.objects.order_by("pk").values_list("pk", "revision", "files_revision"))
    return list(RawValue.objects.values()), AuditEntry.objects.count(), revisions


@pytest.mark.parametrize("level", ["family", "model", "phone"])
def test_a_key_is_given_and_taken_back_at_each_level(level: str, world: World, rita: Any) -> None:
    where: dict[str, Any] = {
        "family": {"account": "acme", "family": "yealink"},
        "model": {"account": "acme", "family": "yealink", "model": "T46S"},
        "phone": {"device": str(world.acme.phone.code)},
    }[level]

    put = rita.put(f"{URL}{KEY}/", {**where, "value": "5"}, format="json")
    held = raw_keys.effective(world.acme.phone)
    query = "&".join(f"{name}={value}" for name, value in where.items())
    gone = rita.delete(f"{URL}{KEY}/?{query}")

    assert put.status_code == 200, put.json()
    assert put.json() == [
        {
            "key": KEY,
            "value": "5",
            "family": "yealink",
            "model": "T46S" if level == "model" else "",
            "account": "acme",
            "device": str(world.acme.phone.code) if level == "phone" else None,
            "is_own": True,
            "holds": True,
        }
    ]
    assert [(row.key, row.value) for row in held] == [(KEY, "5")]
    assert gone.status_code == 204
    assert not RawValue.objects.exists()


def test_what_stands_above_is_listed_and_the_nearest_holds(world: World, rita: Any) -> None:
    by, phone = actor(world.rita), world.acme.phone
    raw_keys.set_value(raw_keys.target_in(world.harbour, "yealink"), by=by, key=KEY, value="1")
    raw_keys.set_value(raw_keys.target_in(world.acme.account, "yealink", "T46S"), by=by, key=KEY, value="2")
    raw_keys.set_value(phone, by=by, key="phone_setting.logo", value="3")
    raw_keys.set_value(raw_keys.target_in(world.acme.account, "poly"), by=by, key="up.idle", value="4")

    def rows(**where: Any) -> list[tuple[Any, ...]]:
        answer = rita.get(URL, where).json()
        return [(row["value"], row["account"], row["is_own"], row["holds"]) for row in answer]

    assert rows(device=str(phone.code)) == [
        ("1", "harbour", False, False),
        ("2", "acme", False, True),
        ("3", "acme", True, True),
    ]
    assert rows(account="acme", family="yealink") == [("1", "harbour", False, True)]
    assert rows(account="acme", family="yealink", model="T46S") == [
        ("1", "harbour", False, False),
        ("2", "acme", True, True),
    ]
    assert rows(account="acme") == [
        ("4", "acme", True, True),
        ("1", "harbour", False, True),
        ("2", "acme", True, True),
    ]
    held = [(row.key, row.value) for row in raw_keys.effective(phone)]
    assert held == [(KEY, "2"), ("phone_setting.logo", "3")]


@pytest.mark.parametrize(
    ("case", "key", "value", "attr"),
    [
        ("the way to the private URL", "static.auto_provision.server.url", "http://x.example", "key"),
        ("a secret", "account.1.password", "open", "key"),
        ("no key of the family", "P123", "1", "key"),
        ("a second line", KEY, "5\nevil = 1", "value"),
        ("too long", KEY, "x" * 501, "value"),
    ],
)
def test_what_cannot_be_added_changes_nothing(
    case: str, key: str, value: str, attr: str, world: World, rita: Any
) -> None:
    before = unchanged()

    put = rita.put(f"{URL}{key}/", {"device": str(world.acme.phone.code), "value": value}, format="json")

    assert put.status_code == 400, case
    assert put.json()["errors"][0]["attr"] == attr
    assert unchanged() == before


def test_a_manager_hears_nothing_of_them(world: World) -> None:
    by, phone = actor(world.rita), world.acme.phone
    raw_keys.set_value(phone, by=by, key=KEY, value="1")
    key, code, before = program(world.acme.key), str(phone.code), unchanged()

    answers = [
        key.get(URL, {"device": code}),
        key.put(f"{URL}{KEY}/", {"device": code, "value": "5"}, format="json"),
        key.delete(f"{URL}{KEY}/?device={code}"),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert all(KEY not in str(answer.json()) for answer in answers)
    assert unchanged() == before


def test_a_reseller_elsewhere_who_manages_here_hears_nothing_of_them_here(world: World) -> None:
    """The power counts where it is held, not somewhere."""
    raw_keys.set_value(world.acme.phone, by=actor(world.rita), key=KEY, value="1")
    sam = actor(world.sam)
    lou: dict[str, Any] = {"email": "lou@lakeside.example", "name": "Lou", "password": None}
    lakeside = tenants.create_account(world.platform, by=sam, slug="lakeside", name="Lakeside")
    person = tenants.add_person(lakeside, by=sam, role=Role.RESELLER, **lou).user
    tenants.add_person(world.acme.account, by=actor(world.rita), role=Role.MANAGER, **lou)
    client, where, before = signed_in(person), {"device": str(world.acme.phone.code)}, unchanged()

    put = client.put(f"{URL}{KEY}/", {**where, "value": "5"}, content_type="application/json")

    assert actor(person).may_anywhere(Power.EDIT_RAW_KEYS)
    assert client.get("/api/v1/settings/", where).status_code == 200
    assert [client.get(URL, where).status_code, put.status_code] == [403, 403]
    assert client.get(URL, {"account": "acme"}).status_code == 403
    assert client.get(URL, {"account": "lakeside"}).json() == []
    assert unchanged() == before


def test_a_key_of_an_account_needs_its_family(world: World, rita: Any) -> None:
    put = rita.put(f"{URL}{KEY}/", {"account": "acme", "value": "5"}, format="json")

    assert put.status_code == 400
    assert put.json()["errors"][0]["attr"] == "family"
    assert not RawValue.objects.exists()
