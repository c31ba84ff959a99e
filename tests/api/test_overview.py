"""How things are, over the API: an account's numbers, check-ins by the hour, what is kept, unknown phones."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.roles import Role
from devices.models import Device
from provisioning import keeping, windows
from provisioning.models import DeviceEvent, FailureKey
from security.networks import origin_of, parse_address
from tests.world import AGENT, ELSEWHERE, World, actor, make_key, program, signed_in

OVERVIEW = "/api/v1/overview/"


def asked(key: str, account: str) -> dict[str, Any]:
    answer = program(key).get(f"{OVERVIEW}?account={account}")
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def test_an_account_is_told_in_one_call(world: World) -> None:
    now = timezone.now()
    DeviceEvent.objects.create(
        device=world.acme.phone, account=world.acme.account, mac=world.acme.phone.mac, at=now,
        what="request", outcome="refused", rule="R7", address=ELSEWHERE,
    )  # fmt: skip
    windows.open_window(
        world.acme.account,
        by=actor(world.ana),
        origin=origin_of(parse_address("203.0.113.99")),
        hours=1,
        starts=now + timedelta(hours=5),
    )

    told = asked(world.acme.key, "acme")

    assert told["phones"] == {
        "all": 2, "quiet": 0, "waiting": 1, "clone": 0, "suspect": 0, "quarantined": 0, "unlocked": 1,
        "new": 0, "locked": 1, "retired": 0, "disabled": 0,
    }  # fmt: skip
    assert told["account"] == "acme"
    assert (told["turned_away"], told["locked_out"], told["needs_answer"]) == (1, 1, 1)
    assert (told["windows_open"], told["windows_coming"]) == (1, 1)
    assert (told["incidents"], told["bans"], told["left_open"]) == (1, 1, 0)
    assert told["oldest_approval"] is not None


def test_the_accounts_below_count_with_it_and_no_others_do(world: World) -> None:
    Device.objects.filter(account=world.globex.account).update(is_enabled=False)
    rita = make_key(world.harbour, Role.RESELLER, world.rita)

    both, one = asked(rita, "harbour"), asked(rita, "acme")

    assert (both["phones"]["all"], one["phones"]["all"]) == (4, 2)
    assert (both["phones"]["disabled"], one["phones"]["disabled"]) == (2, 0)
    assert both["incidents"] == 2


def test_another_account_is_one_that_does_not_exist(world: World) -> None:
    eve = program(world.globex.key)

    answers = {eve.get(f"{OVERVIEW}?account={slug}").content for slug in ("acme", "nowhere", "harbour")}

    assert len(answers) == 1
    assert eve.get(f"{OVERVIEW}?account=acme").status_code == 400
    assert eve.get(OVERVIEW).json()["errors"][0]["attr"] == "account"
    assert eve.get(f"{OVERVIEW}?account=globex&colour=red").json()["errors"][0]["attr"] == "colour"


def test_check_ins_come_by_the_hour(world: World) -> None:
    now = timezone.now()

    hours = program(world.acme.key).get("/api/v1/check-ins/").json()

    assert len(hours) == 48
    assert [hour["is_over"] for hour in hours] == [True] * 47 + [False]
    assert hours[-1]["at"] <= now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert signed_in(world.ben).get("/api/v1/check-ins/").status_code == 403


def test_what_is_kept_is_the_table(world: World) -> None:
    rows = program(world.acme.key).get("/api/v1/keeping/").json()

    assert [row["name"] for row in rows] == [kept.name for kept in keeping.KEPT]
    audit = next(row for row in rows if row["name"] == "audit")
    assert (audit["months"], audit["days"], audit["then"], audit["swept_at"]) == (24, 0, "Removed", None)
    assert (
        program(make_key(world.acme.account, Role.VIEWER, world.ana)).get("/api/v1/keeping/").status_code
        == 403
    )


# --- phones that nobody has entered ---------------------------------------------------------------------

STRANGER = "00005e0053e0"


@pytest.fixture
def stranger(world: World) -> None:
    """A phone that nobody has entered asks where a phone of acme lives."""
    there, now = origin_of(parse_address("203.0.113.90")), timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    FailureKey.objects.create(
        first=there.hex_first, last=there.hex_last, hour=hour, kind="unknown-mac", label=STRANGER,
        first_at=now, last_at=now, agent=AGENT.format(mac="00:00:5e:00:53:e0"),
    )  # fmt: skip


@pytest.mark.usefixtures("stranger")
def test_an_unknown_phone_is_named_to_whoever_may_add_it(world: World) -> None:
    ana = program(world.acme.key)

    (found,) = ana.get("/api/v1/unknown-phones/").json()

    assert (found["mac"], found["family"], found["model"], found["account"]) == (
        STRANGER, "yealink", "T46S", "acme",
    )  # fmt: skip
    assert found["address"] == "203.0.113.90"
    assert program(world.globex.key).get("/api/v1/unknown-phones/").json() == []
    assert asked(world.acme.key, "acme")["unknown_phones"] == 1
    added = ana.post(
        "/api/v1/devices/", {name: found[name] for name in ("account", "mac", "family", "model")}
    )
    assert added.status_code == 201, added.json()
    assert ana.get("/api/v1/unknown-phones/").json() == []


@pytest.mark.usefixtures("stranger")
def test_unknown_phones_of_one_account(world: World) -> None:
    rita = program(make_key(world.harbour, Role.RESELLER, world.rita))

    assert len(rita.get("/api/v1/unknown-phones/?account=acme").json()) == 1
    assert rita.get("/api/v1/unknown-phones/?account=globex").json() == []
    assert rita.get("/api/v1/unknown-phones/?account=nowhere").status_code == 400
    viewer = program(make_key(world.acme.account, Role.VIEWER, world.ana))
    assert viewer.get("/api/v1/unknown-phones/").status_code == 403


@pytest.mark.usefixtures("stranger")
def test_who_asked_just_now_from_where_the_caller_is(world: World) -> None:
    DeviceEvent.objects.create(
        device=world.acme.phone, account=world.acme.account, mac=world.acme.phone.mac, at=timezone.now(),
        what="request", outcome="full", rule="O3", address="203.0.113.90",
    )  # fmt: skip
    there = program(world.acme.key, REMOTE_ADDR="203.0.113.90")

    heard = there.get("/api/v1/heard/").json()

    assert {row["device"] for row in heard} == {str(world.acme.phone.code), None}
    assert [row["stranger"]["mac"] for row in heard if row["stranger"]] == [STRANGER]
    assert [row["outcome"] for row in heard if row["device"]] == ["full"]
    theirs = program(world.globex.key, REMOTE_ADDR="203.0.113.90").get("/api/v1/heard/")
    assert STRANGER not in theirs.content.decode()
    assert world.acme.phone.mac not in theirs.content.decode()
