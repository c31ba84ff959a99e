"""The one shape in which the API says no, and what it refuses to guess."""

import pytest

from accounts.models import ApiKey
from devices.models import Device
from tests.world import World, program, signed_in


def test_an_unknown_field_is_named(world: World) -> None:
    body = {"account": "acme", "mac": "00005e0053f1", "family": "yealink", "model": "T46S", "colour": "red"}

    answer = program(world.acme.key).post("/api/v1/devices/", body)

    assert answer.status_code == 400
    assert answer.json() == {
        "code": "invalid",
        "detail": "colour: There is no field of this name.",
        "errors": [{"code": "unknown-field", "detail": "There is no field of this name.", "attr": "colour"}],
    }
    assert not Device.objects.filter(mac="00005e0053f1").exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (rb'{"role": "\ud800", "account": "acme", "name": "x"}', "role"),
        (rb'{"account": "\udfff", "name": "x"}', "account"),
        (rb'{"networks": [["\ud800"]]}', "networks"),
        (rb'{"\ud800": 1}', "?"),
        (rb'["\ud800"]', "input"),
    ],
)
def test_half_a_character_is_refused_by_its_field(body: bytes, field: str, world: World) -> None:
    before = ApiKey.objects.count()

    answer = program(world.acme.key).post("/api/v1/api-keys/", body, content_type="application/json")

    assert answer.status_code == 400
    assert [error["attr"] for error in answer.json()["errors"]] == [field]
    assert ApiKey.objects.count() == before


@pytest.mark.parametrize("name", ["since", "until"])
def test_a_time_beyond_the_calendar_is_refused_by_its_field(name: str, world: World) -> None:
    program_ = program(world.acme.key)

    for moment in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
        answer = program_.get("/api/v1/audit/", {name: moment})
        assert answer.status_code == 400, moment
        assert answer.json()["errors"][0]["attr"] == name
    assert program_.get("/api/v1/audit/", {name: "2026-01-01T00:00:00Z"}).status_code == 200


def test_a_field_that_is_only_read_cannot_be_set(world: World) -> None:
    answer = program(world.acme.key).patch(
        f"/api/v1/extensions/{world.acme.extension.code}/", {"created_at": "2026-01-01T00:00:00Z"}
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0] == {
        "code": "read-only",
        "detail": "This field cannot be set.",
        "attr": "created_at",
    }


def test_an_account_that_cannot_be_seen_is_one_that_does_not_exist(world: World) -> None:
    body = {"mac": "00005e0053f1", "family": "yealink", "model": "T46S"}
    eve = program(world.globex.key)

    foreign = eve.post("/api/v1/devices/", {**body, "account": "acme"})
    missing = eve.post("/api/v1/devices/", {**body, "account": "nowhere"})

    assert foreign.status_code == missing.status_code == 400
    assert foreign.json() == missing.json()
    assert foreign.json()["errors"] == [
        {"code": "unknown", "detail": "There is no account with this slug.", "attr": "account"}
    ]


@pytest.mark.parametrize("thing", ["site", "devices"])
def test_a_code_of_another_tenant_is_one_that_does_not_exist(world: World, thing: str) -> None:
    eve = program(world.globex.key)
    codes = {"site": world.acme.site.code, "devices": world.acme.phone.code}
    none = "6b3a2f0e-0000-4000-8000-000000000000"
    body = {"account": "globex", "address": "192.0.2.99", "hours": 1}

    def ask(code: object) -> tuple[int, object]:
        answer = eve.post(
            "/api/v1/windows/", {**body, thing: [str(code)] if thing == "devices" else str(code)}
        )
        return answer.status_code, answer.json()

    foreign, missing = ask(codes[thing]), ask(none)

    assert foreign == missing
    assert foreign[0] == 400


def test_a_refusal_is_409_with_its_rule(world: World) -> None:
    body = {"account": "globex", "mac": world.acme.phone.mac, "family": "yealink", "model": "T46S"}

    answer = program(world.globex.key).post("/api/v1/devices/", body)

    assert answer.status_code == 409
    assert answer.json() == {
        "code": "active-elsewhere",
        "detail": "This MAC cannot be added; ask your provider.",
        "rule": "E10",
        "field": "mac",
    }


def test_what_is_not_there_is_404_in_json(world: World) -> None:
    key = program(world.acme.key)
    none = "6b3a2f0e-0000-4000-8000-000000000000"

    for path in (f"devices/{none}/", "devices/not-a-code/", "nothing/", "devices"):
        answer = key.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), path


def test_an_address_that_does_not_exist_says_nothing_to_nobody(world: World) -> None:
    assert program().get("/api/v1/nothing/").status_code == 401
    assert program().post("/api/v1/nothing/", {}).status_code == 401


def test_a_body_that_is_no_json_is_400(world: World) -> None:
    answer = program(world.acme.key).generic(
        "POST", "/api/v1/extensions/", b"{", content_type="application/json"
    )

    assert answer.status_code == 400
    assert answer.json()["code"] == "parse-error"


def test_a_method_that_is_not_offered_is_405(world: World) -> None:
    answer = program(world.acme.key).put(f"/api/v1/devices/{world.acme.phone.code}/", {})

    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("state=open", "state"),
        ("mac=zz", "mac"),
        ("ordering=secret", "ordering"),
        ("site=yard", "site"),
    ],
)
def test_a_list_names_the_parameter_that_is_wrong(world: World, query: str, field: str) -> None:
    answer = program(world.acme.key).get(f"/api/v1/devices/?{query}")

    assert answer.status_code == 400, answer.json()
    assert [error["attr"] for error in answer.json()["errors"]] == [field]


def test_pages_follow_each_other(world: World) -> None:
    key = program(world.acme.key)

    first = key.get("/api/v1/devices/?limit=1").json()
    second = key.get(first["next"]).json()

    assert (first["count"], len(first["results"]), len(second["results"])) == (2, 1, 1)
    assert second["next"] is None
    assert {row["code"] for row in first["results"] + second["results"]} == {
        str(world.acme.phone.code),
        str(world.acme.other_phone.code),
    }


def test_a_session_needs_the_form_token_to_change_something(world: World) -> None:
    browser = signed_in(world.ana, enforce_csrf_checks=True)

    answer = browser.post(f"/api/v1/devices/{world.acme.phone.code}/lock/")

    assert answer.status_code == 403


def test_a_body_that_is_too_large_says_so(world: World) -> None:
    body = {"account": "acme", "table": "0" * 3_000_000}

    for more in ({}, {"HTTP_IDEMPOTENCY_KEY": "large"}):
        answer = program(world.acme.key).post("/api/v1/imports/", body, **more)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_the_item_of_a_list_is_named_as_text(world: World) -> None:
    answer = program(world.acme.key).put(f"/api/v1/devices/{world.acme.phone.code}/keys/", [None])

    assert (answer.status_code, [error["attr"] for error in answer.json()["errors"]]) == (400, ["0"])


def test_a_key_without_its_place_is_refused_in_a_change_too(world: World) -> None:
    place = f"/api/v1/profiles/{world.acme.profile.code}/"
    before = program(world.acme.key).get(place).json()

    answer = program(world.acme.key).patch(place, {"keys": [{"kind": "blf", "value": "207"}]})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "required")
    assert program(world.acme.key).get(place).json() == before
