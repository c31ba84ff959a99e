"""Lists of phones over the API: looked at by rows or by a table, and run as a job."""

from typing import Any

import pytest

from accounts.roles import Role
from devices.models import Device
from provisioning import phone_import
from provisioning.models import ImportDraft, Job
from tests.world import World, make_key, program

IMPORTS = "/api/v1/imports/"
ROWS = [
    {"mac": "00:00:5E:00:53:E1", "model": "T46S", "Name": "Desk", "Asset": "7"},
    {"mac": "12", "model": "T46S"},
]


def test_a_list_is_looked_at_and_run(world: World) -> None:
    key = program(world.acme.key)

    made = key.post(IMPORTS, {"account": "acme", "rows": ROWS})

    assert made.status_code == 201, made.json()
    told = made.json()
    counts = (told["add"], told["here"], told["refused"], told["ignored"], told["job"])
    assert counts == (1, 0, 1, ["Asset"], None)
    bad, good = told["rows"]
    assert (bad["line"], bad["what"], bad["field"], bad["code"]) == (2, "refused", "mac", "invalid")
    assert (good["line"], good["what"], good["mac"], good["name"]) == (1, "add", "00005e0053e1", "Desk")
    assert (good["model"], good["forecast_rule"]) == ("Yealink T46S", "R1")
    assert good["forecast"].startswith("The first request within 7 days is let in")
    url = f"{IMPORTS}{told['code']}/"
    assert key.get(url).json() == told

    started = [key.post(f"{url}run/") for _ in range(2)]

    assert [answer.status_code for answer in started] == [202, 202]
    [code] = {answer.json()["job"] for answer in started}
    phone_import.run(Job.objects.get(code=code).pk)
    [result] = key.get(f"/api/v1/jobs/{code}/").json()["results"]
    phone = Device.objects.get(mac="00005e0053e1")
    assert (result["device"], result["result"]) == (str(phone.code), "done")
    after = key.get(url).json()
    assert (after["job"], after["add"], [row["line"] for row in after["rows"]]) == (code, 1, [2])
    assert {row["job"] for row in key.get(IMPORTS).json()["results"]} == {code, None}


def test_a_table_is_read_as_on_the_page(world: World) -> None:
    table = "MAC;Model;Extension\n00005e0053e1;T46S;777\n"

    for make, what in ((False, "refused"), (True, "add")):
        made = program(world.acme.key).post(
            IMPORTS, {"account": "acme", "table": table, "make_extensions": make}
        )
        assert [row["what"] for row in made.json()["rows"]] == [what]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "rows or a table"),
        ({"rows": ROWS, "table": "MAC"}, "rows or a table"),
        ({"rows": []}, "empty"),
        ({"rows": [["mac"]]}, "dictionary"),
        ({"rows": [{"mac": {"a": "b"}}]}, "rows"),
        ({"rows": [{"mac": "1", "MAC": "2"}]}, "Two columns are the MAC."),
        ({"rows": [{"mac": "x" * 6000}]}, "rows"),
        ({"table": "Model\nT46S"}, "no column"),
        ({"rows": ROWS, "notes": "x"}, "notes"),
    ],
)
def test_what_is_no_list_is_refused_and_not_kept(world: World, given: dict[str, Any], field: str) -> None:
    before = ImportDraft.objects.count()

    refused = program(world.acme.key).post(IMPORTS, {"account": "acme", **given})

    assert refused.status_code == 400
    assert field in str(refused.json())
    assert ImportDraft.objects.count() == before


def test_a_list_that_adds_nothing_is_not_run(world: World) -> None:
    key = program(world.acme.key)
    told = key.post(IMPORTS, {"account": "acme", "rows": ROWS[1:]}).json()

    refused = key.post(f"{IMPORTS}{told['code']}/run/")

    assert (refused.status_code, "No phone of this list" in str(refused.json())) == (400, True)
    assert not Job.objects.filter(kind="import").exists()


def test_nobody_but_who_may_add_phones_sees_a_list(world: World) -> None:
    """Own, from above, a sibling's, a viewer's: the others do not learn that it is there."""
    url = f"{IMPORTS}{world.acme.draft.code}/"
    rita = make_key(world.harbour, Role.RESELLER, world.sam)
    viewer = make_key(world.acme.account, Role.VIEWER, world.ana)

    assert [program(key).get(url).status_code for key in (world.acme.key, rita)] == [200, 200]
    for key, run in ((world.globex.key, 404), (viewer, 403)):
        assert program(key).get(url).status_code == 404
        assert program(key).post(f"{url}run/").status_code == run
        listed = program(key).get(IMPORTS).json()["results"]
        assert str(world.acme.draft.code) not in str(listed)
    assert program(viewer).post(IMPORTS, {"account": "acme", "rows": ROWS}).status_code == 403
    assert program(world.globex.key).post(IMPORTS, {"account": "acme", "rows": ROWS}).status_code == 400
    assert not Job.objects.filter(kind="import").exists()
