"""Incidents over the API: lists with filters, one with its timeline, notes, an end by hand."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from provisioning import incidents
from provisioning.models import Incident
from tests.world import World, make_key, program

URL = "/api/v1/incidents/"


def test_a_list_and_its_filters(world: World) -> None:
    now = timezone.now()
    storm = incidents.open_(
        Incident.Kind.STORM, account=world.acme.account, subject="x", title="Many at once", now=now
    )
    incidents.end(storm, how="All were served", now=now + timedelta(minutes=9))
    rita = program(make_key(world.harbour, Role.RESELLER, world.rita))

    def found(query: str = "") -> set[tuple[str, str]]:
        rows = rita.get(URL + query).json()["results"]
        return {(row["account"], row["kind"]) for row in rows}

    assert found() >= {("acme", "storm"), ("acme", "silence"), ("globex", "silence")}
    assert ("acme", "storm") not in found("?open=true")
    assert found("?open=true") >= {("acme", "silence"), ("globex", "silence")}
    assert found("?open=false") == {("acme", "storm")}
    assert found("?kind=silence&account=globex") == {("globex", "silence")}
    assert rita.get(f"{URL}?kind=silence").json()["count"] == 2
    assert rita.get(f"{URL}?kind=nonsense").status_code == 400


def test_one_with_its_timeline_and_evidence(world: World) -> None:
    row = world.acme.incident
    got = program(world.acme.key).get(f"{URL}{row.code}/").json()

    assert (got["title"], got["site"], got["ended_at"]) == (row.title, str(world.acme.site.code), None)
    assert got["evidence"] == [
        {"label": "Phone", "text": world.acme.other_phone.name, "device": str(world.acme.other_phone.code)}
    ]
    assert [(step["what"], step["said"]) for step in got["timeline"]] == [("opened", row.title)]
    assert got["consequence"].startswith("Phones that cannot reach us")
    assert got["next"] != ""
    assert "timeline" not in program(world.acme.key).get(URL).json()["results"][0]


def test_a_note_and_an_end(world: World) -> None:
    url, ana = f"{URL}{world.acme.incident.code}/", program(world.acme.key)

    noted = ana.post(f"{url}notes/", {"note": "Called the site"})
    closed = ana.post(f"{url}close/", {"reason": "A fire drill"})
    again = ana.post(f"{url}close/", {"reason": "Once more"})

    assert noted.status_code == 201
    assert [step["what"] for step in noted.json()["timeline"]] == ["opened", "noted"]
    assert noted.json()["timeline"][1]["by"] != ""
    assert (closed.status_code, closed.json()["how_ended"], closed.json()["next"]) == (
        200,
        "A fire drill",
        "",
    )
    assert (again.status_code, again.json()["code"]) == (409, "over")


@pytest.mark.parametrize("body", [{}, {"note": ""}, {"note": "a\nb"}, {"note": "x" * 501}, {"said": "x"}])
def test_a_note_has_to_be_one_line(body: dict[str, str], world: World) -> None:
    answer = program(world.acme.key).post(f"{URL}{world.acme.incident.code}/notes/", body)

    assert answer.status_code == 400
    assert world.acme.incident.steps.count() == 1


def test_another_tenant_and_a_viewer_change_nothing(world: World) -> None:
    url = f"{URL}{world.acme.incident.code}/"
    viewer = make_key(world.acme.account, Role.VIEWER, world.ana)

    for key, status in ((world.globex.key, 404), (viewer, 403)):
        assert program(key).post(f"{url}notes/", {"note": "Mine"}).status_code == status
        assert program(key).post(f"{url}close/", {"reason": "Mine"}).status_code == status
    assert program(world.globex.key).get(url).status_code == 404
    assert world.acme.incident.steps.count() == 1
