"""The pages on incidents: what goes on, what it means, who was told, how it ended; notes, an end by hand."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device
from provisioning import incidents, telling
from provisioning.models import Incident
from tests.world import World, signed_in

MINUTE = timedelta(minutes=1)


def text(answer: Any) -> str:
    return str(answer.content.decode())


def storm(world: World, **more: Any) -> Incident:
    values: dict[str, Any] = {
        "subject": "203.0.113.10",
        "title": "2,700 phones asked within 54 s behind 203.0.113.10: a power cut, as it seems. No ban.",
        "evidence": {"facts": [["Phones that came", "2,700"]], "state": {"phones": 2700}},
    }
    values |= more
    return incidents.open_(Incident.Kind.STORM, account=world.acme.account, now=timezone.now(), **values)


def end_all() -> None:
    for row in Incident.objects.going_on():
        incidents.end(row, how="The hour was over", now=timezone.now())


def test_what_goes_on_stands_first_with_what_follows(world: World) -> None:
    end_all()
    row = storm(world)

    shown = text(signed_in(world.ana).get("/incidents/"))

    assert "1 incident goes on" in shown
    assert row.title in shown
    assert "nobody is kept out for them" in shown
    assert shown.index(row.title) < shown.index("The hour was over")
    assert '<span class="count is-banned">1<span class="sr"> going on</span></span>' in shown


def test_where_all_is_calm_that_is_said(world: World) -> None:
    end_all()

    shown = text(signed_in(world.ana).get("/incidents/"))

    assert "Nothing is going wrong" in shown
    assert "All is calm" in shown
    assert "going on</span>" not in shown


def test_a_kind_can_be_chosen(world: World) -> None:
    row = storm(world)
    ana = signed_in(world.ana)

    assert row.title in text(ana.get("/incidents/?kind=storm"))
    assert row.title not in text(ana.get("/incidents/?kind=silence"))
    assert row.title in text(ana.get("/incidents/?kind=nonsense"))
    assert row.title in text(ana.get("/incidents/?page=99"))


def test_one_shows_its_evidence_its_timeline_and_who_was_told(world: World) -> None:
    row = world.acme.incident
    telling.tell("incident", world.acme.account.pk, str(row.code), now=timezone.now())

    shown = text(signed_in(world.acme.viewer).get(f"/incidents/{row.code}/"))

    assert "It goes on." in shown
    assert "Phones that cannot reach us keep what they have." in shown
    assert f'href="/phones/{world.acme.other_phone.code}/log/"' in shown
    assert "Told: Ana of acme, by e-mail." in shown
    assert "Add the note" not in shown


def test_a_phone_that_has_gone_is_a_name_and_no_link(world: World) -> None:
    phone = world.acme.other_phone
    Device.objects.filter(pk=phone.pk).update(account=world.globex.account)

    for person in (world.ana, world.rita):
        shown = text(signed_in(person).get(f"/incidents/{world.acme.incident.code}/"))
        assert phone.name in shown
        assert f"/phones/{phone.code}/" not in shown


def test_a_manager_notes_and_closes_by_forms(world: World) -> None:
    ana, url = signed_in(world.ana), f"/incidents/{world.acme.incident.code}/"

    empty = text(ana.post(f"{url}note/", {"note": " "}))
    noted = text(ana.post(f"{url}note/", {"note": "Called <the> site"}, follow=True))
    closed = text(ana.post(f"{url}close/", {"reason": "A fire drill"}, follow=True))
    again = text(ana.post(f"{url}close/", {"reason": "Once more"}))

    assert "This field is required." in empty
    assert "Noted by Ana of acme: Called &lt;the&gt; site" in noted
    assert "It is over.</strong> A fire drill" in closed
    assert "Close this incident" not in closed
    assert Incident.objects.get(pk=world.acme.incident.pk).how_ended == "A fire drill"
    assert "Once more" not in again


def test_others_find_nothing_and_change_nothing(world: World) -> None:
    url = f"/incidents/{world.acme.incident.code}/"

    for person, status in ((world.eve, 404), (world.ben, 403)):
        client = signed_in(person)
        assert client.get(url).status_code == status
        assert client.post(f"{url}note/", {"note": "Mine"}).status_code == status
        assert client.post(f"{url}close/", {"reason": "Mine"}).status_code == status
    viewer = signed_in(world.acme.viewer)
    assert viewer.post(f"{url}note/", {"note": "Mine"}).status_code == 403
    assert viewer.post(f"{url}close/", {"reason": "Mine"}).status_code == 403

    row = Incident.objects.get(pk=world.acme.incident.pk)
    assert (row.ended_at, row.steps.count()) == (None, 1)


def test_platform_support_looks_at_the_rows(world: World) -> None:
    sam = signed_in(world.sam)

    for model in ("incident", "incidentstep", "provedhour"):
        assert sam.get(f"/staff/provisioning/{model}/").status_code == 200
        assert sam.get(f"/staff/provisioning/{model}/add/").status_code == 403


@pytest.mark.parametrize("person", ["ana", "rita"])
def test_home_names_what_goes_on(person: str, world: World) -> None:
    row = storm(world)

    shown = text(signed_in(getattr(world, person)).get("/"))

    assert f'href="/incidents/{row.code}/"' in shown
    assert row.title in shown


def test_home_says_when_nothing_goes_on(world: World) -> None:
    end_all()

    shown = text(signed_in(world.ana).get("/"))

    assert "No incident is going on." in shown
    assert str(world.globex.incident.code) not in shown
