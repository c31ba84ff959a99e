"""Addresses over the API: the IP check, bans and allowances, and who may do what with them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.roles import Role
from provisioning.models import Incident, ListsVersion
from security import bans
from security.models import AllowedNetwork, Ban, Unblocking
from security.networks import origin_of, parse_address, parse_network
from tests.factories import AGENT, failure
from tests.world import World, actor, make_key, program, signed_in

CHECK, BANS, ALLOWED = "/api/v1/ip-check/", "/api/v1/bans/", "/api/v1/allowed-networks/"
THERE = "203.0.113.90"  # where acme's second phone lives, and is banned
LOCAL = "127.0.0.1"  # where the tests' own requests come from


def unchanged() -> tuple[Any, ...]:
    rows = [list(model.objects.order_by("pk").values()) for model in (Ban, AllowedNetwork, Unblocking)]
    number = ListsVersion.objects.get_or_create(pk=1)[0].number
    return *rows, AuditEntry.objects.count(), number


def test_the_check_tells_what_stands_against_an_address(world: World) -> None:
    key = failure(THERE, kind="unknown-mac", label="00005e0053f7")
    key.agent = AGENT
    key.save()
    failure(THERE, kind="locked-mac", label=world.acme.phone.mac)

    answer = program(world.acme.key).get(CHECK, {"address": THERE})

    assert answer.status_code == 200
    body = answer.json()
    assert (body["address"], body["origin"], body["phones"], body["caller_is_there"]) == (
        THERE,
        THERE,
        1,
        False,
    )
    assert body["banned"]["code"] == str(world.acme.ban.code)
    assert (body["blocked"], body["allowed_until"], body["failed"]) == (None, None, 2)
    assert body["storm_since"] is None
    assert (body["banned"]["step"], body["banned"]["propose_block"], body["banned"]["threshold"]) == (
        0,
        False,
        "",
    )
    assert {"kind": "unknown-mac", "count": 1} in body["failures"]
    assert [row["device"] for row in body["own_failures"]] == [str(world.acme.phone.code)]
    assert body["may_unblock"] is False
    assert THERE in body["why_not"]
    [unknown] = body["unknown_phones"]
    assert (unknown["mac"], unknown["family"], unknown["account"]) == ("00005e0053f7", "yealink", "acme")


def test_others_addresses_are_not_there(world: World) -> None:
    for caller in (program(world.globex.key), signed_in(world.eve), signed_in(world.ben)):
        assert caller.get(CHECK, {"address": THERE}).status_code == 404
    assert signed_in(world.sam).get(CHECK, {"address": THERE}).status_code == 200
    assert signed_in(world.ben).get(CHECK).json()["address"] == LOCAL


def test_what_is_no_address_names_the_field(world: World) -> None:
    answer = program(world.acme.key).get(CHECK, {"address": "203.0.113"})

    assert answer.status_code == 400
    assert [error["attr"] for error in answer.json()["errors"]] == ["address"]


def test_support_sees_sets_and_lifts_every_ban(world: World) -> None:
    sam = program(make_key(world.platform, Role.SUPPORT, world.sam))

    made = sam.post(
        BANS, {"network": "198.51.100.0/30", "kind": "blocked", "hours": 48, "reason": "A botnet"}, "json"
    )

    assert made.status_code == 201, made.json()
    assert (made.json()["network"], made.json()["kind"]) == ("198.51.100.0/30", "blocked")
    assert sam.get(BANS).json()["count"] == 3
    assert sam.get(BANS, {"kind": "blocked"}).json()["count"] == 1
    assert sam.delete(f"{BANS}{made.json()['code']}/").status_code == 204
    assert sam.get(BANS, {"standing": "true"}).json()["count"] == 2
    assert sam.get(BANS, {"standing": "false"}).json()["count"] == 1


def test_others_see_the_bans_that_hit_their_own_phones_and_change_none(world: World) -> None:
    ana = program(world.acme.key)
    rita = program(make_key(world.harbour, Role.RESELLER, world.rita))
    before = unchanged()

    assert [row["code"] for row in ana.get(BANS).json()["results"]] == [str(world.acme.ban.code)]
    assert ana.post(BANS, {"network": "198.51.100.7", "hours": 1, "reason": "x"}, "json").status_code == 403
    assert ana.delete(f"{BANS}{world.acme.ban.code}/").status_code == 403
    assert ana.delete(f"{BANS}{world.globex.ban.code}/").status_code == 404
    assert rita.get(BANS).json()["count"] == 2
    assert unchanged() == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"network": "203.0.113.24/24"}, "network"),
        ({"network": "no"}, "network"),
        ({"hours": 0}, "hours"),
        ({"hours": 30}, "length"),
        ({"reason": ""}, "reason"),
        ({"kind": "gone"}, "kind"),
    ],
)
def test_a_ban_that_cannot_be_names_its_field(world: World, changes: dict[str, Any], field: str) -> None:
    sam = program(make_key(world.platform, Role.SUPPORT, world.sam))
    before = unchanged()

    answer = sam.post(BANS, {"network": "198.51.100.7", "hours": 1, "reason": "Scans", **changes}, "json")

    assert answer.status_code == 400, answer.json()
    assert [error["attr"] for error in answer.json()["errors"]] == [field]
    assert unchanged() == before


@pytest.mark.rule("B6")
def test_whoever_is_there_unblocks_his_own_address_and_no_other(world: World) -> None:
    ban = bans.set_ban(
        parse_network(LOCAL),
        by=actor(world.sam),
        length=timedelta(hours=1),
        reason="Scans",
        now=timezone.now(),
    )
    ben = signed_in(world.ben)
    before = unchanged()

    elsewhere = ben.post(f"{BANS}mine/lift/", {"address": THERE}, content_type="application/json")
    assert (elsewhere.status_code, elsewhere.json()["rule"]) == (409, "B6")
    assert unchanged() == before
    answer = ben.post(f"{BANS}mine/lift/", {}, content_type="application/json")

    assert answer.status_code == 200, answer.json()
    assert answer.json()["code"] == str(ban.code)
    assert answer.json()["lifted_at"] is not None


@pytest.mark.rule("B8")
def test_an_allowance_from_the_manager_to_the_reseller_and_its_end(world: World) -> None:
    ana, rita = program(world.acme.key), program(make_key(world.harbour, Role.RESELLER, world.rita))
    until = (timezone.now() + timedelta(days=90)).isoformat()
    body = {"account": "acme", "network": "198.51.100.8/30", "reason": "Our hotel", "ends_at": until}

    made = ana.post(ALLOWED, body, "json")

    assert (made.status_code, made.json()["state"]) == (201, "proposed"), made.json()
    row = f"{ALLOWED}{made.json()['code']}/"
    assert ana.post(f"{row}grant/").status_code == 403
    assert rita.post(f"{row}grant/").json()["state"] == "allowed"
    assert rita.post(f"{row}grant/").status_code == 409
    assert rita.get(ALLOWED, {"standing": "true"}).json()["count"] == 1
    assert ana.delete(row).status_code == 204
    assert ana.get(row).json()["state"] == "ended"


@pytest.mark.rule("B8")
def test_an_allowance_that_cannot_be_names_its_field(world: World) -> None:
    ana = program(world.acme.key)
    good = {"account": "acme", "network": "198.51.100.8", "reason": "Ours"}
    before = unchanged()

    for changes, field in (
        ({"ends_at": (timezone.now() + timedelta(days=400)).isoformat()}, "ends_at"),
        ({"ends_at": "soon"}, "ends_at"),
        ({"network": "198.51.0.0/16"}, "network"),
        ({"account": "globex"}, "account"),
        ({"state": "allowed"}, "state"),
    ):
        soon = (timezone.now() + timedelta(days=9)).isoformat()
        answer = ana.post(ALLOWED, {**good, "ends_at": soon, **changes}, "json")
        assert answer.status_code == 400, (field, answer.json())
        assert [error["attr"] for error in answer.json()["errors"]] == [field]

    assert unchanged() == before


@pytest.mark.rule("B2", "B3")
def test_an_earned_ban_and_a_storm_are_told(world: World) -> None:
    network, now = origin_of(parse_address(THERE)), timezone.now()
    Ban.objects.filter(first=network.hex_first).update(
        step=2, evidence={"keys": [], "threshold": "10 + 5 of 50 proved"}
    )
    Incident.objects.create(
        kind=Incident.Kind.STORM,
        account=world.acme.account,
        first=network.hex_first,
        last=network.hex_last,
        subject=THERE,
        title="200 phones asked within a minute",
        opened_at=now,
    )

    body = program(world.acme.key).get(CHECK, {"address": THERE}).json()

    assert (body["banned"]["step"], body["banned"]["threshold"]) == (2, "10 + 5 of 50 proved")
    assert "evidence" not in body["banned"]  # others' MACs
    assert datetime.fromisoformat(body["storm_since"]) == now
