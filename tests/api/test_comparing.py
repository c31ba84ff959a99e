"""What is different between two phones or accounts over the API; phones as a table; an owner's unlock."""

from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.roles import Role
from devices import settings_tree
from devices.levels import ModelIn
from provisioning import entering
from provisioning.models import LastSeen, Lock
from tests.test_access_matrix import snapshot
from tests.world import World, actor, make_key, program, signed_in

DIFF = "/api/v1/settings/diff/"


def asked(world: World, **query: Any) -> list[dict[str, Any]]:
    answer = program(make_key(world.harbour, Role.RESELLER, world.rita)).get(DIFF, query)
    assert answer.status_code == 200, answer.json()
    found: list[dict[str, Any]] = answer.json()
    return found


def test_two_phones_differ_where_one_has_its_own(world: World) -> None:
    phone, other = world.acme.phone, world.acme.other_phone
    settings_tree.set_value(phone, by=actor(world.ana), name="poll_hours", value=3)

    found = asked(world, device=phone.code, other=other.code)

    assert found == [
        {
            "group": "Provisioning",
            "name": "poll_hours",
            "title": "Hours between check-ins",
            "here": {"value": 3, "level": "phone", "place": "Desk of Ben at acme", "account": "acme"},
            "there": {"value": 24, "level": "built in", "place": None, "account": None},
        }
    ]
    assert [row["there"]["value"] for row in asked(world, device=other.code, other=phone.code)] == [3]
    assert asked(world, device=phone.code, other=phone.code) == []


def test_two_accounts_a_model_of_both_and_a_phone_against_its_account(world: World) -> None:
    settings_tree.set_value(world.acme.account, by=actor(world.ana), name="language", value="de")
    model = ModelIn(world.acme.account, "yealink", "T46S")
    settings_tree.set_value(model, by=actor(world.ana), name="dtmf", value="sip_info")

    accounts = asked(world, account="acme", other_account="globex")
    models = asked(world, account="acme", family="yealink", model="t46s", other_account="globex")
    phone = asked(world, device=world.acme.phone.code, other_account="acme")

    assert [(row["name"], row["here"]["value"]) for row in accounts] == [("language", "de")]
    assert {row["name"]: row["here"]["level"] for row in models} == {"language": "account", "dtmf": "model"}
    assert [(row["name"], row["here"]["level"]) for row in phone] == [("dtmf", "model")]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"account": "acme"}, "other"),
        ({"account": "acme", "other": "6b3a2f0e-0000-4000-8000-000000000000"}, "other"),
        ({"account": "acme", "other_account": "globex"}, "other_account"),
        ({"account": "globex", "other_account": "acme"}, "account"),
        ({"other_account": "acme"}, "account"),
        ({"account": "acme", "other_account": "acme", "colour": "red"}, "colour"),
    ],
)
def test_what_makes_no_sense_is_named(world: World, query: dict[str, str], field: str) -> None:
    answer = program(world.acme.key).get(DIFF, query)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == field


def test_a_phone_of_somebody_else_is_one_that_does_not_exist(world: World) -> None:
    ana, own, none = program(world.acme.key), world.acme.phone.code, "6b3a2f0e-0000-4000-8000-000000000000"

    for url in (f"{DIFF}?device={own}&other=", f"/api/v1/devices/{own}/files/diff/?other="):
        answers = [ana.get(f"{url}{code}") for code in (world.globex.phone.code, none)]
        assert {answer.status_code for answer in answers} == {400}
        assert answers[0].content == answers[1].content


def test_the_lines_of_two_phones_files_are_held_against_each_other(world: World) -> None:
    ana = program(world.acme.key)
    entering.change(world.acme.other_phone, by=actor(world.ana), name="The other door")

    told = ana.get(
        f"/api/v1/devices/{world.acme.phone.code}/files/diff/?other={world.acme.other_phone.code}"
    ).json()

    lines = [line for file in told["files"] for line in file["lines"]]
    assert {line["sign"] for line in lines} == {"-", "+"}
    assert world.acme.secret not in str(told)
    viewer = program(make_key(world.acme.account, Role.VIEWER, world.ana))
    refused = viewer.get(
        f"/api/v1/devices/{world.acme.phone.code}/files/diff/?other={world.acme.other_phone.code}"
    )
    assert refused.status_code == 403


def test_what_is_nearer_to_the_phones_is_counted(world: World) -> None:
    ana, nearer = program(world.acme.key), "/api/v1/settings/nearer/"
    model = ModelIn(world.acme.account, "yealink", "T46S")
    settings_tree.set_value(model, by=actor(world.ana), name="dtmf", value="sip_info")
    settings_tree.set_value(world.acme.phone, by=actor(world.ana), name="poll_hours", value=3)
    phones = [{"device": str(world.acme.phone.code), "name": "Desk of Ben at acme", "values": 1}]
    models = [{"family": "yealink", "model": "T46S", "title": "Yealink T46S", "values": 1}]

    of_account = ana.get(f"{nearer}?account=acme").json()
    of_model = ana.get(f"{nearer}?account=acme&family=yealink&model=T46S").json()

    assert of_account == {"models": models, "phones": phones, "more_phones": 0}
    assert of_model == {"models": [], "phones": phones, "more_phones": 0}
    for query, field in ((f"device={world.acme.phone.code}", "device"), ("account=globex", "account")):
        refused = ana.get(f"{nearer}?{query}")
        assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, field)


# --- the list as a table --------------------------------------------------------------------------------


def test_phones_come_as_a_table_narrowed_as_the_list(world: World) -> None:
    ana = program(world.acme.key)

    answer = ana.get("/api/v1/devices/export/?search=Door")

    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    head, *rows = text.splitlines()
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert head.startswith("MAC;Vendor;Model;Name;Site;Owner;Extension;Profile")
    assert [row.split(";")[3] for row in rows] == ["Door of acme"]
    assert ana.get("/api/v1/devices/export/?colour=red").json()["errors"][0]["attr"] == "colour"
    assert ana.get("/api/v1/devices/export/?account=globex").status_code == 400


def test_the_firmwares_of_a_list(world: World) -> None:
    for phone, firmware in ((world.acme.phone, "66.86.0.15"), (world.globex.phone, "66.86.0.99")):
        LastSeen.objects.filter(device=phone).delete()
        LastSeen.objects.create(
            device=phone, at=phone.created_at, address="203.0.113.7", agent="", firmware=firmware
        )

    assert program(world.acme.key).get("/api/v1/devices/firmwares/").json() == [{"firmware": "66.86.0.15"}]
    assert program(world.acme.key).get("/api/v1/devices/firmwares/?search=Door").json() == []


# --- for a user's time ----------------------------------------------------------------------------------


@pytest.mark.rule("E2")
def test_a_manager_lets_a_phone_set_itself_up_again_for_its_users_time(world: World) -> None:
    ana, url = program(world.acme.key), f"/api/v1/devices/{world.acme.phone.code}/allow/"

    done = ana.post(url, {"origin": "192.0.2.30"})

    assert (done.status_code, done.json()["state"]) == (200, "unlocked")
    entry = AuditEntry.objects.filter(verb="device.unlocked").latest("pk")
    assert (entry.details["rule"], entry.details["origin"]) == ("E2", "192.0.2.30")
    assert Lock.objects.get(device=world.acme.phone).grant_until is not None


@pytest.mark.rule("E2")
def test_an_owner_may_and_a_viewer_may_not(world: World) -> None:
    own, other = (
        f"/api/v1/devices/{phone.code}/allow/" for phone in (world.acme.phone, world.acme.other_phone)
    )
    before = snapshot()

    assert program(make_key(world.acme.account, Role.VIEWER, world.ana)).post(own, {}).status_code == 403
    assert signed_in(world.ben).post(other, {}, content_type="application/json").status_code == 404
    assert program(world.acme.key).post(own, {"for": "24h"}).status_code == 400
    assert {**snapshot(), "ApiKey": 0, "AuditEntry": 0} == {**before, "ApiKey": 0, "AuditEntry": 0}
    assert signed_in(world.ben).post(own, {}, content_type="application/json").status_code == 200
