"""The log of all phones over the API: whose it is, what it can be asked; it reads as a phone's own."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from provisioning import moving
from provisioning.models import DeviceEvent
from tests.world import ELSEWHERE, World, actor, program

EVENTS = "/api/v1/events/"


def asked(world: World, query: str = "") -> list[dict[str, Any]]:
    answer = program(world.acme.key).get(f"{EVENTS}?{query}")
    assert answer.status_code == 200, answer.json()
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def refuse(world: World) -> None:
    """A try elsewhere, which stands in the log of one phone."""
    DeviceEvent.objects.create(
        device=world.acme.phone, account=world.acme.account, mac=world.acme.phone.mac, at=timezone.now(),
        what="request", outcome="refused", rule="R7", address=ELSEWHERE, agent="Yealink", count=3,
    )  # fmt: skip


def test_a_line_reads_as_in_the_phones_own_log(world: World) -> None:
    refuse(world)
    own = program(world.acme.key).get(f"/api/v1/devices/{world.acme.phone.code}/events/").json()["results"]

    found = asked(world, f"device={world.acme.phone.code}")

    assert [line["rule"] for line in found].count("R7") == 1
    assert found == [
        {**line, "account": "acme", "device": str(world.acme.phone.code), "mac": world.acme.phone.mac}
        for line in own
    ]
    assert all(line["sentence"] for line in found)


def test_all_phones_stand_in_it_and_nobody_elses(world: World) -> None:
    found = asked(world)

    assert {line["mac"] for line in found} == {world.acme.phone.mac, world.acme.other_phone.mac}
    assert [line["at"] for line in found] == sorted((line["at"] for line in found), reverse=True)


@pytest.mark.parametrize(
    ("query", "keeps"),
    [
        ("what=request&outcome=refused", ["R7"]),
        ("rule=r7", ["R7"]),
        (f"address={ELSEWHERE}", ["R7"]),
        ("mac=00:00:5E:00:53:A1&outcome=refused", ["R7"]),
        ("mac=00-00-5E-00-53-A2&outcome=refused", []),
        ("what=unlocked", ["E1"]),
        ("account=acme&rule=R1", ["R1"]),
        ("until=2001-01-01T00:00:00Z", []),
    ],
)
def test_it_is_narrowed(world: World, query: str, keeps: list[str]) -> None:
    refuse(world)

    assert [line["rule"] for line in asked(world, query)] == keeps


def test_it_is_cut_at_a_moment(world: World) -> None:
    refuse(world)
    DeviceEvent.objects.filter(rule="R7").update(at=timezone.now() + timedelta(hours=2))
    moment = (timezone.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert [line["rule"] for line in asked(world, f"since={moment}")] == ["R7"]
    assert "R7" not in [line["rule"] for line in asked(world, f"until={moment}")]


@pytest.mark.parametrize(
    "query",
    ["what=nonsense", "rule=Z9", "outcome=perhaps", "mac=12", "address=here", "account=globex", "since=soon"],
)
def test_what_makes_no_sense_is_named(world: World, query: str) -> None:
    answer = program(world.acme.key).get(f"{EVENTS}?{query}")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == query.partition("=")[0]


def test_what_happened_stays_with_the_account_of_then(world: World) -> None:
    refuse(world)
    moving.move(world.acme.phone, by=actor(world.rita), to=world.globex.account)

    ours = asked(world, f"mac={world.acme.phone.mac}")
    theirs = program(world.globex.key).get(f"{EVENTS}?mac={world.acme.phone.mac}").json()["results"]

    assert "R7" in [line["rule"] for line in ours]
    assert {line["device"] for line in ours} == {None}
    assert [line["what"] for line in theirs] == ["moved-here"]
