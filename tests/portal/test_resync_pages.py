"""Many phones resynced from the list: ticked or all that fit, counted first, then a job."""

from typing import Any

import pytest
from pytest_django import Settings

from accounts import tenants
from accounts.roles import Role
from devices import appearances, extensions
from devices.appearances import AppearanceRow
from devices.models import Device
from provisioning import entering, resync, tasks
from provisioning.models import Job, ResyncRequest
from tests.portal.reading import said
from tests.world import World, actor, signed_in

LIST, MANY = "/phones/", "/phones/resync/"


@pytest.fixture(autouse=True)
def edge(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SIP_EDGE = "sip.example.net:5060"
    monkeypatch.setattr(tasks.send_resyncs, "apply_async", lambda **options: None)
    monkeypatch.setattr(tasks.run_job, "delay", lambda job: None)


@pytest.fixture
def speaking(world: World) -> World:
    """Both of Acme's phones show a line."""
    acme = world.acme.account
    for at, phone in enumerate((world.acme.phone, world.acme.other_phone)):
        if not phone.appearances.exists():
            line = extensions.create(acme, by=actor(world.ana), username=f"77{at}", secret="s3cret-77")
            appearances.put(phone, by=actor(world.ana), rows=[AppearanceRow(1, line)])
    return world


def job() -> Job:
    return Job.objects.get(kind="resync")


def asked() -> set[Device]:
    resync.run(job().pk)
    return {row.device for row in ResyncRequest.objects.select_related("device")}


def test_the_list_offers_it_to_those_who_may(world: World) -> None:
    shown = signed_in(world.ana).get(LIST).content.decode()

    assert f'form="many" name="phone" value="{world.acme.phone.code}"' in shown
    assert f'formaction="{MANY}"' in shown
    assert f'formaction="{MANY}"' not in signed_in(world.acme.viewer).get(LIST).content.decode()


def test_ticked_phones_are_counted_and_then_asked(speaking: World) -> None:
    ana, phone = signed_in(speaking.ana), speaking.acme.phone

    before = ana.get(MANY, {"chosen": "yes", "phone": [str(phone.code)]})
    assert f"1 of 1 phone of {speaking.acme.account} will be asked." in said(before)
    assert not Job.objects.filter(kind="resync").exists()
    after = ana.post(MANY, {"chosen": "yes", "phone": [str(phone.code)], "start": "yes", "reboot": "on"})

    assert after["Location"] == f"/jobs/{job().code}/"
    assert job().params == {"reboot": True, "filter": {"devices": [str(phone.code)]}}
    assert asked() == {phone}
    assert f"Resyncing 1 phone of {speaking.acme.account}" in said(ana.get(after["Location"]))


def test_all_that_fit_the_list_are_asked(speaking: World) -> None:
    ana, other = signed_in(speaking.ana), speaking.acme.other_phone
    narrow = {"q": other.name}

    assert f"1 of 1 phone of {speaking.acme.account} will be asked." in said(ana.get(MANY, narrow))
    ana.post(MANY, {**narrow, "start": "yes"})

    assert job().params == {"reboot": False, "filter": narrow}
    assert asked() == {other}


def test_the_words_and_states_of_the_list_count_here_too(speaking: World) -> None:
    ana, phone = signed_in(speaking.ana), speaking.acme.phone
    (line,) = (shown.extension.username for shown in phone.appearances.all())

    assert "2 of 2 phones" in said(ana.get(MANY, {"q": line}))
    assert "No phone was chosen" in said(ana.get(MANY, {"state": "quarantined"}))


def test_who_would_be_skipped_is_said_first(speaking: World) -> None:
    phone, other = speaking.acme.phone, speaking.acme.other_phone
    entering.change(phone, by=actor(speaking.ana), is_enabled=False)
    appearances.put(other, by=actor(speaking.ana), rows=[])

    told = said(signed_in(speaking.ana).get(MANY))

    assert f"0 of 2 phones of {speaking.acme.account} will be asked." in told
    assert "2 are skipped: 1 disabled, 1 without a line." in told


@pytest.mark.parametrize("chosen", [{"chosen": "yes"}, {"chosen": "yes", "phone": "x"}, {"q": "nothing-so"}])
def test_nothing_chosen_starts_nothing(speaking: World, chosen: dict[str, Any]) -> None:
    ana = signed_in(speaking.ana)

    assert "No phone was chosen" in said(ana.get(MANY, chosen))
    assert ana.post(MANY, {**chosen, "start": "yes"}).status_code == 200
    assert not Job.objects.filter(kind="resync").exists()


def test_strangers_phones_are_none(speaking: World) -> None:
    code = str(speaking.globex.phone.code)

    signed_in(speaking.ana).post(MANY, {"chosen": "yes", "phone": [code], "start": "yes"})

    assert not Job.objects.filter(kind="resync").exists()
    assert signed_in(speaking.acme.viewer).get(MANY).status_code == 403


def test_a_resellers_job_is_of_his_account(speaking: World) -> None:
    codes = [str(speaking.acme.phone.code), str(speaking.globex.phone.code)]

    signed_in(speaking.rita).post(MANY, {"chosen": "yes", "phone": codes, "start": "yes"})

    assert (job().account, job().total) == (speaking.harbour, 2)


def test_phones_of_two_accounts_side_by_side_are_two_jobs(speaking: World) -> None:
    tenants.add_person(
        speaking.globex.account, by=actor(speaking.rita), email=speaking.ana.email, name="Ana",
        role=Role.MANAGER, password=None,
    )  # fmt: skip
    codes = [str(speaking.acme.phone.code), str(speaking.globex.phone.code)]

    answer = signed_in(speaking.ana).post(MANY, {"chosen": "yes", "phone": codes, "start": "yes"})

    assert "Choose phones of one account, and those below it." in said(answer)
    assert not Job.objects.filter(kind="resync").exists()


def test_without_an_edge_there_is_no_button(speaking: World, settings: Settings) -> None:
    settings.SIP_EDGE = ""
    ana = signed_in(speaking.ana)

    shown = ana.get(MANY).content.decode()
    answer = ana.post(MANY, {"start": "yes"})

    assert "No SIP edge is set up" in shown
    assert 'value="yes" disabled' in shown
    assert "Nobody was asked" in said(answer)
    assert not Job.objects.filter(kind="resync").exists()


def test_a_stranger_learns_nothing_by_asking(speaking: World) -> None:
    acme = speaking.acme
    for asked_for in (
        {"account": "acme"},
        {"chosen": "yes", "phone": str(acme.phone.code)},
        {"q": acme.phone.mac},
    ):
        shown = signed_in(speaking.eve).get(MANY, asked_for)

        assert "No phone was chosen" in said(shown)
        assert [word for word in acme.words if word in said(shown)] == []
