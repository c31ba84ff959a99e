"""Phones over the API: the calls that stay as they are."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import AuditEntry
from devices.models import Appearance, Device
from provisioning.models import Lock
from tests.world import ELSEWHERE, HOTEL, World, program, signed_in

DEVICES = "/api/v1/devices/"
MAC = "00005e0053f1"
LOCK = {"state", "bound_origin", "since", "until", "by", "reason", "next"}


def enter(world: World, **more: object) -> dict[str, object]:
    body = {
        "account": "acme",
        "mac": "00:00:5E:00:53:F1",
        "family": "yealink",
        "model": "T46S",
        "name": "Desk",
    }
    answer = program(world.acme.key).post(DEVICES, {**body, **more})
    assert answer.status_code == 201, answer.json()
    entered: dict[str, object] = answer.json()
    return entered


def test_a_phone_is_entered_with_its_lock(world: World) -> None:
    entered = enter(world)

    assert set(entered["lock"]) >= LOCK
    assert (entered["account"], entered["mac"], entered["family"]) == ("acme", MAC, "yealink")
    assert (entered["lock"]["state"], entered["lock"]["bound_origin"]) == ("new", None)
    assert entered["lock"]["since"].endswith("Z")
    assert Device.objects.get(code=entered["code"]).account == world.acme.account


def test_the_model_may_be_spelled_as_the_user_agent_does(world: World) -> None:
    assert enter(world, model="SIP-T46S")["model"] == "T46S"


def test_a_phone_gets_owner_site_and_the_day_it_ships(world: World) -> None:
    day = (timezone.now() + timedelta(days=5)).date()

    entered = enter(world, owner="Ben@acme.example", site=str(world.acme.site.code), ship_on=day.isoformat())

    assert (entered["owner"], entered["site"]) == ("ben@acme.example", str(world.acme.site.code))
    assert Lock.objects.get(device__code=entered["code"]).armed_at.date() == day


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mac", "00005e0053"),
        ("mac", "hello"),
        ("family", "rotary"),
        ("model", "T4600"),
        ("owner", "eve@globex.example"),
        ("owner", "nobody@acme.example"),
        ("ship_on", "tomorrow"),
        ("ship_on", "2020-01-01"),
        ("name", "a\nb"),
        ("account", ["acme"]),
    ],
)
def test_what_cannot_be_right_is_named_and_enters_nothing(world: World, field: str, value: object) -> None:
    before = (Device.objects.count(), AuditEntry.objects.count())
    body = {"account": "acme", "mac": MAC, "family": "yealink", "model": "T46S", field: value}

    answer = program(world.acme.key).post(DEVICES, body)

    assert answer.status_code == 400, answer.json()
    assert [error["attr"] for error in answer.json()["errors"]] == [field]
    assert answer.json()["detail"].startswith(f"{field}: ")
    assert (Device.objects.count(), AuditEntry.objects.count()) == before


@pytest.mark.parametrize(
    "spelling", ["00005e0053a1", "00:00:5E:00:53:A1", "0000-5e00-53a1", "00 00 5e 00 53 a1"]
)
def test_a_phone_is_found_by_its_mac_in_any_spelling(world: World, spelling: str) -> None:
    found = program(world.acme.key).get(DEVICES, {"mac": spelling}).json()["results"]

    assert [row["code"] for row in found] == [str(world.acme.phone.code)]


def test_lists_filter_by_account_state_and_search(world: World) -> None:
    rita = signed_in(world.rita)

    def names(**query: str) -> list[str]:
        return [row["name"] for row in rita.get(DEVICES, query).json()["results"]]

    assert names() == ["Desk of Ben at acme", "Desk of Bob at globex", "Door of acme", "Door of globex"]
    assert names(account="acme") == ["Desk of Ben at acme", "Door of acme"]
    assert names(account="acme", state="unlocked") == ["Door of acme"]
    assert names(state="locked", ordering="-name") == ["Desk of Bob at globex", "Desk of Ben at acme"]
    assert names(search="door of gl") == ["Door of globex"]
    assert names(search="53:a1") == ["Desk of Ben at acme"]


def test_an_unlock_that_is_over_is_listed_as_locked_before_any_sweep(world: World) -> None:
    with time_machine.travel(timezone.now() + timedelta(days=8), tick=False):
        answer = signed_in(world.ana).get(DEVICES, {"state": "locked", "search": "Door"}).json()["results"]

    assert [row["lock"]["state"] for row in answer] == ["locked"]


def test_a_phone_is_changed_and_removed(world: World) -> None:
    entered = enter(world)
    path = f"{DEVICES}{entered['code']}/"
    key = program(world.acme.key)

    changed = key.patch(path, {"name": "Lift", "site": str(world.acme.site.code), "is_enabled": False})
    assert changed.status_code == 200, changed.json()
    assert [changed.json()[name] for name in ("name", "is_enabled")] == ["Lift", False]
    assert key.patch(path, {"mac": "00005e0053f2"}).status_code == 400
    assert key.delete(path).status_code == 204
    assert key.get(path).status_code == 404


def test_unlock_lock_and_rearm_answer_with_the_lock(world: World) -> None:
    key = program(world.acme.key)
    path = f"{DEVICES}{world.acme.phone.code}/"

    unlocked = key.post(f"{path}unlock/", {"for": {"hours": 4}, "origin": HOTEL})
    assert unlocked.status_code == 200, unlocked.json()
    assert unlocked.json()["state"] == "unlocked"
    assert unlocked.json()["by"].startswith("API key Key of acme")
    assert Lock.objects.get(device=world.acme.phone).grant_origin is not None
    assert key.get(path).json()["lock"]["state"] == "unlocked"
    locked = key.post(f"{path}lock/").json()
    assert (locked["state"], locked["until"]) == ("locked", None)
    day = (timezone.now() + timedelta(days=3)).date().isoformat()
    assert key.post(f"{path}rearm/", {"ship_on": day}).json()["state"] == "new"
    assert key.post(f"{path}rearm/").json()["state"] == "new"


@pytest.mark.parametrize("span", ["24h", "7d", "first-fetch", {"hours": 1}, {"hours": 40}])
def test_spans_that_are_understood(world: World, span: object) -> None:
    answer = program(world.acme.key).post(f"{DEVICES}{world.acme.phone.code}/unlock/", {"for": span})

    assert answer.status_code == 200, answer.json()
    assert (answer.json()["until"] is None) is (span == "first-fetch")


@pytest.mark.parametrize(
    "body",
    [{}, {"for": "8d"}, {"for": {"hours": 0}}, {"for": {"hours": 41}}, {"for": {"hours": True}}, {"for": 24}],
)
def test_spans_that_are_not(world: World, body: object) -> None:
    answer = program(world.acme.key).post(f"{DEVICES}{world.acme.phone.code}/unlock/", body)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == "for"
    assert Lock.objects.get(device=world.acme.phone).state == "locked"


def test_an_origin_that_is_none_is_named(world: World) -> None:
    answer = program(world.acme.key).post(
        f"{DEVICES}{world.acme.phone.code}/unlock/", {"for": "24h", "origin": "198.51.100.0/24"}
    )

    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "origin")


def test_an_owner_unlocks_his_own_phone_and_does_nothing_else(world: World) -> None:
    ben = signed_in(world.ben)
    own, other = (f"{DEVICES}{phone.code}/" for phone in (world.acme.phone, world.acme.other_phone))
    sent = {"content_type": "application/json"}

    assert [row["name"] for row in ben.get(DEVICES).json()["results"]] == ["Desk of Ben at acme"]
    assert ben.get(other).status_code == 404
    assert ben.post(f"{other}unlock/", {"for": "24h"}, **sent).status_code == 404
    assert ben.patch(own, {"name": "Mine"}, **sent).status_code == 403
    assert ben.delete(own).status_code == 403
    assert ben.post(f"{own}rearm/", {}, **sent).status_code == 403
    assert ben.post(f"{own}lock/", {}, **sent).status_code == 403
    unlocked = ben.post(f"{own}unlock/", {"for": "24h"}, **sent)
    assert unlocked.status_code == 200, unlocked.json()
    assert AuditEntry.objects.filter(verb="device.unlocked", user=world.ben, address="127.0.0.1").count() == 1


def test_the_log_is_newest_first_with_sentences(world: World) -> None:
    program(world.acme.key).post(f"{DEVICES}{world.acme.phone.code}/unlock/", {"for": "24h"})

    rows = program(world.acme.key).get(f"{DEVICES}{world.acme.phone.code}/events/").json()["results"]

    assert rows[0]["what"] == "unlocked"
    assert rows[0]["rule"] == "E1"
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    claimed = next(row for row in rows if row["rule"] == "R1")
    assert (claimed["outcome"], claimed["address"], claimed["count"]) == ("bootstrap", "203.0.113.7", 1)
    assert all(row["sentence"] for row in rows)
    assert {"at", "what", "outcome", "rule", "sentence", "next", "address", "agent", "count"} <= set(claimed)


def test_line_keys_are_put_as_a_whole_by_code_or_user_name(world: World) -> None:
    key = program(world.acme.key)
    path = f"{DEVICES}{world.acme.phone.code}/appearances/"
    made = key.post(
        "/api/v1/extensions/",
        {"account": "acme", "username": "202", "secret": "s3cret-202", "display_name": "Two"},
    )
    assert made.status_code == 201, made.json()
    rows = [
        {"position": 1, "extension": "202", "label": "Two"},
        {"position": 2, "extension": str(world.acme.extension.code)},
    ]

    put = key.put(path, rows)

    assert put.status_code == 200, put.json()
    assert put.json() == [
        {"position": 1, "extension": made.json()["code"], "label": "Two", "ring": "now"},
        {"position": 2, "extension": str(world.acme.extension.code), "label": "", "ring": "now"},
    ]
    assert key.get(path).json() == put.json()
    assert key.put(path, put.json()).status_code == 200
    assert key.put(path, []).json() == []


def test_line_keys_of_another_tenant_or_too_many_change_nothing(world: World) -> None:
    key = program(world.acme.key)
    path = f"{DEVICES}{world.acme.phone.code}/appearances/"
    before = list(Appearance.objects.filter(device=world.acme.phone).values())

    answers = [
        key.put(path, rows)
        for rows in (
            [{"position": 1, "extension": str(world.globex.extension.code)}],
            [{"position": 1, "extension": world.globex.extension.username}],
            [{"position": 999, "extension": str(world.acme.extension.code)}],
            [{"position": 0, "extension": str(world.acme.extension.code)}],
            {"position": 1},
        )
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400, 400, 400]
    assert list(Appearance.objects.filter(device=world.acme.phone).values()) == before


def test_explain_says_what_the_phone_would_get(world: World) -> None:
    told = program(world.acme.key).get(
        "/api/v1/explain/", {"mac": "00-00-5E-00-53-A1", "address": ELSEWHERE, "agent": ""}
    )

    assert told.status_code == 200, told.json()
    assert set(told.json()) == {"outcome", "rule", "sentence", "next"}
    assert told.json()["outcome"] == "refused"


def test_explain_tells_strangers_what_it_tells_of_an_unknown_mac(world: World) -> None:
    eve = program(world.globex.key)

    theirs, unknown = (
        eve.get("/api/v1/explain/", {"mac": mac, "address": ELSEWHERE}).json()
        for mac in (world.acme.phone.mac, "00005e0053ff")
    )

    assert theirs == unknown
