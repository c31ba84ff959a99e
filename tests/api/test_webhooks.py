"""Webhooks over the API: an endpoint is made, seen, changed, tried out, and told again what it missed."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.roles import Role
from devices import secrets
from provisioning import announcing, webhook_wire, webhooks
from provisioning.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from tests.world import World, actor, make_key, program

URL = "/api/v1/webhooks/"
State = WebhookDelivery.State


def call(world: World, method: str, path: str, body: Any = None) -> Any:
    return getattr(program(world.acme.key), method)(path, body)


def one(world: World, rest: str = "") -> str:
    return f"{URL}{world.acme.endpoint.code}/{rest}"


def rows() -> list[Any]:
    columns = ("pk", "name", "url", "kinds", "is_active", "secret", "former_until")
    ours: list[Any] = [
        tuple(map(repr, row)) for row in WebhookEndpoint.objects.order_by("pk").values_list(*columns)
    ]
    return [*ours, WebhookDelivery.objects.count(), AuditEntry.objects.count()]


def delivery_of(endpoint: WebhookEndpoint, kind: str, state: str, **more: Any) -> WebhookDelivery:
    """One of a phone of acme's, as it stands in the log."""
    account, now = endpoint.account, timezone.now()
    event = WebhookEvent.objects.create(
        account=account, kind=kind, lane="a phone", at=now, data={"account": {"slug": account.slug}}, **more
    )
    ended = None if state == State.WAITING else now
    return WebhookDelivery.objects.create(
        endpoint=endpoint, event=event, lane=event.lane, state=state, ended_at=ended, tries=1
    )


def test_an_endpoint_is_made_and_its_secret_shown_once(world: World) -> None:
    body = {
        "account": "acme",
        "name": "Billing",
        "url": "https://billing.example/in",
        "kinds": ["job.finished"],
    }

    made = call(world, "post", URL, body)

    assert made.status_code == 201, made.json()
    row = WebhookEndpoint.objects.get(code=made.json()["code"])
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    assert secrets.open_text(secrets.Kind.WEBHOOK_SECRET, row.code, bytes(row.secret)) == secret
    shown = call(world, "get", f"{URL}{row.code}/").json()
    assert {name: shown[name] for name in body} == body
    assert (shown["with_below"], shown["is_active"], shown["waiting"]) == (False, True, 0)
    assert (shown["health"], shown["sentence"]) == ("new", "Nothing was sent to it yet.")
    everything = call(world, "get", URL).content + call(world, "get", "/api/v1/audit/").content
    assert secret.encode() not in everything
    assert b"billing.example/in" not in call(world, "get", "/api/v1/audit/").content


@pytest.mark.parametrize(
    ("case", "field", "value"),
    [
        ("no event", "kinds", ["device.exploded"]),
        ("the test is no event", "kinds", ["webhook.test"]),
        ("a place of our own", "url", "https://10.0.0.1/in"),
        ("no address", "url", "somewhere"),
        ("a name that is taken", "name", "Tickets of acme"),
        ("no name", "name", ""),
        ("somebody else's account", "account", "globex"),
        ("a field that there is not", "secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(world: World, case: str, field: str, value: Any) -> None:
    body = {"account": "acme", "name": "Billing", "url": "https://billing.example/in"}
    before = rows()

    answer = call(world, "post", URL, {**body, field: value})

    assert answer.status_code == 400, answer.json()
    assert answer.json()["errors"][0]["attr"].split(".")[0] == field
    assert rows() == before


def test_an_endpoint_is_changed_switched_off_and_removed(world: World) -> None:
    changed = call(world, "patch", one(world), {"name": "Desk", "kinds": [], "with_below": True})
    off = call(world, "patch", one(world), {"is_active": False})
    shown = call(world, "get", one(world)).json()
    gone = call(world, "delete", one(world))

    assert (changed.json()["name"], changed.json()["kinds"], changed.json()["with_below"]) == (
        "Desk",
        [],
        True,
    )
    assert off.status_code == 200
    assert (shown["health"], shown["sentence"]) == ("off", "Switched off: nothing is sent to it.")
    assert gone.status_code == 204
    assert call(world, "get", one(world)).status_code == 404
    verbs = AuditEntry.objects.filter(target_code=str(world.acme.endpoint.code)).order_by("pk")
    assert list(verbs.values_list("verb", flat=True))[-3:] == [
        "webhook.changed", "webhook.changed", "webhook.removed",
    ]  # fmt: skip


def test_health_says_what_is_wrong_and_until_when(world: World) -> None:
    now = timezone.now()
    rows_ = WebhookEndpoint.objects.filter(pk=world.acme.endpoint.pk)
    said = {}
    for name, columns in {
        "delivering": {"last_success_at": now},
        "failing": {"failing_since": now, "failures": 2},
        "resting": {"rests_until": now + timedelta(minutes=5)},
    }.items():
        rows_.update(**columns)
        shown = call(world, "get", one(world)).json()
        said[name] = (shown["health"], shown["sentence"].split(" ")[0])

    assert said == {
        "delivering": ("delivering", "Delivering;"),
        "failing": ("failing", "Failing"),
        "resting": ("resting", "Failing"),
    }


def test_the_secret_is_rotated_with_an_overlap(world: World) -> None:
    before = bytes(WebhookEndpoint.objects.get(pk=world.acme.endpoint.pk).secret)

    answer = call(world, "post", one(world, "rotate/"), {"overlap_hours": 2})

    row = WebhookEndpoint.objects.get(pk=world.acme.endpoint.pk)
    assert answer.status_code == 200
    assert answer.json()["secret"] == secrets.open_text(
        secrets.Kind.WEBHOOK_SECRET, row.code, bytes(row.secret)
    )
    assert bytes(row.former_secret) == before
    until = row.former_until
    assert until is not None
    assert timedelta(minutes=119) < until - timezone.now() <= timedelta(hours=2)
    assert answer.json()["former_secret_until"][:19] == until.isoformat()[:19]


def test_a_test_is_a_delivery_that_can_be_read(world: World) -> None:
    answer = call(world, "post", one(world, "test/"))

    assert answer.status_code == 202
    assert (answer.json()["kind"], answer.json()["state"]) == ("webhook.test", "waiting")
    read = call(world, "get", f"/api/v1/webhook-deliveries/{answer.json()['code']}/").json()
    event = WebhookDelivery.objects.get(code=read["code"]).event
    assert read["message"] == webhook_wire.message_id(event.code)
    assert read["body"].encode() == webhook_wire.body(event.kind, event.at, event.data)
    assert read["attempts"] == []


def test_the_log_is_filtered_and_each_try_can_be_read(world: World) -> None:
    phone = world.acme.phone
    endpoint = world.acme.endpoint
    dead = delivery_of(endpoint, "device.locked", State.DEAD, device=phone)
    delivery_of(endpoint, "job.finished", State.DELIVERED)
    WebhookAttempt.objects.create(
        delivery=dead, at=timezone.now(), took=0.25, status=500, answer="Oh no", request_headers={"a": "b"}
    )
    log = one(world, "deliveries/")

    def kinds(query: str) -> list[str]:
        return [row["kind"] for row in call(world, "get", f"{log}{query}").json()["results"]]

    assert kinds("") == ["job.finished", "device.locked", "webhook.test"]
    assert kinds("?state=dead") == ["device.locked"]
    assert kinds("?kind=job.finished") == ["job.finished"]
    assert kinds(f"?device={phone.code}") == ["device.locked"]
    assert call(world, "get", f"{log}?state=lost").status_code == 400
    read = call(world, "get", f"/api/v1/webhook-deliveries/{dead.code}/").json()
    tried = read["attempts"][0]
    assert (tried["status"], tried["took"], tried["answer"], tried["request_headers"]) == (
        500, 0.25, "Oh no", {"a": "b"},
    )  # fmt: skip


def test_what_did_not_arrive_is_sent_again(world: World) -> None:
    endpoint, start = world.acme.endpoint, timezone.now() - timedelta(hours=1)
    dead = delivery_of(endpoint, "job.finished", State.DEAD)
    arrived = delivery_of(endpoint, "job.finished", State.DELIVERED)

    again = call(world, "post", f"/api/v1/webhook-deliveries/{arrived.code}/replay/")
    missed = call(world, "post", one(world, "replay/"), {"since": start.isoformat()})

    assert (again.status_code, again.json()["is_replay"], again.json()["state"]) == (202, True, "waiting")
    assert (missed.status_code, missed.json()) == (202, {"deliveries": 1})
    assert dead.event.deliveries.filter(is_replay=True, state=State.WAITING).count() == 1
    assert arrived.event.deliveries.filter(is_replay=True).count() == 1


@pytest.mark.parametrize("path", ["test/", "replay/"])
def test_an_endpoint_that_is_off_is_sent_nothing(world: World, path: str) -> None:
    webhooks.change(world.acme.endpoint, by=actor(world.ana), is_active=False)
    before = rows()

    answer = call(
        world, "post", one(world, path), {"since": timezone.now().isoformat()} if "re" in path else None
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "switched-off")
    assert rows() == before


def test_a_viewer_is_shown_no_endpoint_and_may_nothing(world: World) -> None:
    viewer = program(make_key(world.acme.account, Role.VIEWER, world.ana))
    before = rows()

    listed = viewer.get(URL).json()["results"]
    read = [viewer.get(path).status_code for path in (one(world), one(world, "deliveries/"))]
    made = viewer.post(URL, {"account": "acme", "name": "Mine", "url": "https://mine.example/"})
    done = [viewer.post(one(world, path)).status_code for path in ("test/", "rotate/", "replay/")]

    assert (listed, read, made.status_code, done) == ([], [404, 404], 403, [403, 403, 403])
    assert rows() == before


def test_a_reseller_sees_his_customers_endpoints_and_not_the_other_way_round(world: World) -> None:
    webhooks.create(
        world.harbour, by=actor(world.rita), name="All", url="https://all.example/", with_below=True
    )
    rita = program(make_key(world.harbour, Role.RESELLER, world.rita))

    seen = {row["name"] for row in rita.get(URL).json()["results"]}
    own = {row["name"] for row in call(world, "get", URL).json()["results"]}
    narrowed = {row["name"] for row in rita.get(f"{URL}?account=globex").json()["results"]}

    assert seen == {"All", "Tickets of acme", "Tickets of globex"}
    assert own == {"Tickets of acme"}
    assert narrowed == {"Tickets of globex"}


def test_the_kinds_are_told_with_their_facts(world: World) -> None:
    told = {row["kind"]: row for row in call(world, "get", "/api/v1/webhook-kinds/").json()}

    assert list(told) == list(announcing.KINDS)
    locked = told["device.locked"]
    assert (locked["title"], locked["about"]) == ("Phone locked", "device")
    assert list(locked["facts"]) == list(announcing.KINDS["device.locked"].facts)
    assert Client().get("/api/v1/webhook-kinds/").status_code == 401
