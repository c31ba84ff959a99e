"""A customer moves below another reseller, over the API: the differences, then the move (E18)."""

from typing import Any

import pytest

from accounts import tenants
from accounts.models import Account, AuditEntry
from accounts.roles import Role
from devices import settings_tree
from provisioning import policies
from provisioning.models import Window
from tests.world import World, actor, make_key, program, signed_in

pytestmark = pytest.mark.rule("E18")

MOVE = "/api/v1/accounts/acme/move/"


@pytest.fixture
def lakeside(world: World) -> Account:
    """Another reseller, with values of its own."""
    sam = actor(world.sam)
    made = tenants.create_account(world.platform, by=sam, slug="lakeside", name="Lakeside Phones")
    policies.set_value(made, by=sam, name="window_max_hours", value=12)
    settings_tree.set_value(made, by=sam, name="sip_server", value="sip.lakeside.example")
    return made


@pytest.fixture
def sam(world: World, lakeside: Account) -> Any:
    return program(make_key(world.platform, Role.SUPPORT, world.sam))


def places() -> tuple[Any, ...]:
    return list(Account.objects.values_list("slug", "path")), AuditEntry.objects.count()


def test_what_would_be_different_is_said_first(sam: Any) -> None:
    before = places()

    answer = sam.get(MOVE, {"below": "lakeside"})

    assert answer.status_code == 200, answer.json()
    found = {row["name"]: row for row in answer.json()}
    assert found["window_max_hours"] == {
        "kind": "policy",
        "name": "window_max_hours",
        "title": "The longest window",
        "before": 40,
        "after": 12,
    }
    assert (found["sip_server"]["kind"], found["sip_server"]["after"]) == ("setting", "sip.lakeside.example")
    assert set(found) == {"window_max_hours", "sip_server"}
    assert sam.get(MOVE, {"below": "harbour"}).json() == []
    assert places() == before


def test_a_customer_moves_with_everything_below_it(sam: Any, world: World, lakeside: Account) -> None:
    rita = signed_in(world.rita)
    assert rita.get("/api/v1/devices/?account=acme").json()["count"] == 2

    answer = sam.post(MOVE, {"below": "lakeside"})

    assert answer.status_code == 200, answer.json()
    assert (answer.json()["slug"], answer.json()["parent"]) == ("acme", "lakeside")
    assert sam.get("/api/v1/accounts/acme/").json()["parent"] == "lakeside"
    assert rita.get("/api/v1/accounts/acme/").status_code == 404
    assert rita.get("/api/v1/devices/?account=acme").status_code == 400
    assert policies.effective(Account.objects.get(slug="acme")).window_max_hours == 12
    assert program(world.acme.key).get("/api/v1/devices/").json()["count"] == 2
    assert Window.objects.filter(account__slug="acme").exists()


def test_only_platform_support_moves_customers(world: World, lakeside: Account) -> None:
    keys = [
        (make_key(world.harbour, Role.RESELLER, world.rita), 403),
        (world.acme.key, 403),
        (world.globex.key, 404),
    ]

    before = places()

    for key, expected in keys:
        client = program(key)
        assert client.get(MOVE, {"below": "harbour"}).status_code == expected
        assert client.post(MOVE, {"below": "harbour"}).status_code == expected
    assert places() == before


@pytest.mark.parametrize(
    ("case", "below", "status"),
    [
        ("nobody", {}, 400),
        ("no such account", {"below": "nowhere"}, 400),
        ("a customer", {"below": "globex"}, 400),
    ],
)
def test_a_place_that_cannot_be_moves_nothing(
    case: str, below: dict[str, str], status: int, sam: Any, lakeside: Account
) -> None:
    before = places()

    answer = sam.post(MOVE, below)

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (status, "below"), case
    assert places() == before


def test_a_reseller_does_not_move(sam: Any, world: World, lakeside: Account) -> None:
    before = places()

    answer = sam.post("/api/v1/accounts/harbour/move/", {"below": "lakeside"})

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "account")
    assert places() == before


def test_a_reseller_that_is_switched_off_takes_nobody(sam: Any, world: World, lakeside: Account) -> None:
    tenants.switch_account(lakeside, by=actor(world.sam), is_active=False)
    before = places()

    answer = sam.post(MOVE, {"below": "lakeside"})

    assert answer.status_code == 409
    assert (answer.json()["rule"], answer.json()["field"]) == ("E18", "below")
    assert places() == before
