"""Unlock all: a job with a result per phone that goes on wherever it was broken off (E3)."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import tenants
from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid
from accounts.scope import Actor
from devices.models import Device
from provisioning import jobs, locking, tasks, unlock_all
from provisioning.locking import Span
from provisioning.models import DeviceEvent, Job, JobItem, Lock, Outbox
from tests.cast import at
from tests.factories import AWAY, bind, make_phone, make_site, refused
from tests.tree import user_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("E3")]

DAY = timedelta(days=1)


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that were handed to a worker."""
    jobs: list[int] = []
    monkeypatch.setattr(tasks.run_job, "delay", jobs.append)
    return jobs


@pytest.fixture
def phones(acme: Account, ana: Actor) -> list[Device]:
    """Two locked phones, a quarantined, a disabled and a suspected one."""
    made = [make_phone(acme, by=ana, name=name) for name in ("A", "B", "C", "D", "E")]
    for device in made:
        bind(device)
    Lock.objects.filter(pk=made[2].pk).update(state="quarantined")
    Device.objects.filter(pk=made[3].pk).update(is_enabled=False)
    Lock.objects.filter(pk=made[4].pk).update(suspicion_until=timezone.now() + DAY)
    return made


def states(devices: list[Device]) -> list[str]:
    return [Lock.objects.get(pk=device.pk).state for device in devices]


def test_starting_writes_the_phones_down_and_hands_the_job_over_after_the_commit(
    phones: list[Device],
    acme: Account,
    ana: Actor,
    queued: list[int],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = unlock_all.start(acme, by=ana, span=Span.parse("24h"))
        assert queued == []

    assert queued == [job.pk]
    assert (job.total, job.done, job.skipped, job.by) == (5, 0, 0, ana.label)
    assert [item.name for item in job.items.all()] == ["A", "B", "C", "D", "E"]
    assert set(job.items.values_list("result", flat=True)) == {"waiting"}
    assert states(phones) == ["locked", "locked", "quarantined", "locked", "locked"]
    assert AuditEntry.objects.latest("id").verb == "job.started"


def test_every_phone_gets_its_result(phones: list[Device], acme: Account, ana: Actor) -> None:
    job = unlock_all.start(acme, by=ana, span=Span.parse("24h"))

    unlock_all.run(job.pk)

    job.refresh_from_db()
    assert (job.done, job.skipped, job.finished_at) == (2, 3, timezone.now())
    assert states(phones) == ["unlocked", "unlocked", "quarantined", "locked", "locked"]
    results = list(job.items.values_list("result", "rule", "why"))
    assert results == [
        ("done", "E3", ""),
        ("done", "E3", ""),
        ("skipped", "E8q", "This phone is quarantined. Only your provider can lift that."),
        ("skipped", "E3", "This phone is disabled. Enable it first."),
        (
            "skipped",
            "E7",
            "Others have tried to get this phone's file. It can be unlocked for one address only.",
        ),
    ]
    event = DeviceEvent.objects.filter(device=phones[0]).latest("id")
    assert (event.what, event.rule, event.actor) == ("unlocked", "E3", ana.label)
    assert Outbox.objects.filter(device=phones[0]).exists()


def test_run_twice_it_unlocks_once(phones: list[Device], acme: Account, ana: Actor) -> None:
    job = unlock_all.start(acme, by=ana)
    unlock_all.run(job.pk)
    events = DeviceEvent.objects.count()

    unlock_all.run(job.pk)

    assert DeviceEvent.objects.count() == events
    job.refresh_from_db()
    assert (job.done, job.skipped) == (2, 3)


def test_broken_off_it_goes_on_where_it_stands(
    phones: list[Device], acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlock_all, "BATCH", 1)
    real, calls = locking.open_grant, []

    def dies_at_the_second(lock: Lock, **arguments: Any) -> None:
        calls.append(lock.pk)
        if len(calls) == 2:
            raise ConnectionError
        real(lock, **arguments)

    monkeypatch.setattr(locking, "open_grant", dies_at_the_second)
    job = unlock_all.start(acme, by=ana)
    with pytest.raises(ConnectionError):
        unlock_all.run(job.pk)
    job.refresh_from_db()
    assert (job.done, job.finished_at) == (1, None)

    unlock_all.run(job.pk)

    job.refresh_from_db()
    assert (job.done, job.skipped, job.finished_at) == (2, 3, timezone.now())
    assert DeviceEvent.objects.filter(device=phones[0], what="unlocked").count() == 1


def test_until_first_fetch_is_what_is_meant_when_nothing_is_said(
    phones: list[Device], acme: Account, ana: Actor
) -> None:
    unlock_all.run(unlock_all.start(acme, by=ana).pk)

    assert Lock.objects.get(pk=phones[0].pk).grant_until is None


def test_presence_scopes_no_phone_of_many(phones: list[Device], acme: Account, ana: Actor) -> None:
    refused(phones[0], AWAY)

    unlock_all.run(unlock_all.start(acme, by=at(ana, AWAY)).pk)

    assert Lock.objects.get(pk=phones[0].pk).grant_origin is None


def test_a_phone_that_was_removed_meanwhile_is_skipped(
    phones: list[Device], acme: Account, ana: Actor
) -> None:
    job = unlock_all.start(acme, by=ana)
    phones[0].delete()

    unlock_all.run(job.pk)

    assert job.items.values_list("result", "why")[0] == ("skipped", "This phone was removed meanwhile.")


def test_a_phone_that_moved_away_meanwhile_is_skipped(
    phones: list[Device], acme: Account, globex: Account, ana: Actor
) -> None:
    job = unlock_all.start(acme, by=ana)
    Device.objects.filter(pk=phones[0].pk).update(account=globex)

    unlock_all.run(job.pk)

    assert states(phones[:1]) == ["locked"]
    assert job.items.get(device=phones[0]).result == JobItem.Result.SKIPPED


def test_the_accounts_below_are_meant_and_no_sibling(
    phones: list[Device], acme: Account, globex: Account, ana: Actor, eve: Actor, rita: Actor
) -> None:
    below = make_phone(tenants.create_account(acme, by=rita, slug="lab", name="Lab"), by=ana, name="Lab")
    make_phone(globex, by=eve)

    job = unlock_all.start(acme, by=ana)

    assert [item.name for item in job.items.all()] == ["A", "B", "C", "D", "E", "Lab"]
    assert below.pk in job.items.values_list("device", flat=True)


def test_a_filter_keeps_some(phones: list[Device], acme: Account, ana: Actor, ben: Actor) -> None:
    site = make_site(acme, by=ana)
    Device.objects.filter(pk=phones[0].pk).update(site=site, model="T48S", owner=user_of(ben))

    def names(**wanted: Any) -> list[str]:
        return [item.name for item in unlock_all.start(acme, by=ana, filter=wanted).items.all()]

    assert names(site=str(site.code)) == ["A"]
    assert names(model="t48s") == ["A"]
    assert names(owner=str(user_of(ben).code)) == ["A"]
    assert names(devices=[str(phones[1].code), str(phones[0].code)]) == ["A", "B"]
    assert names(state="quarantined") == ["C"]
    assert names(state=["locked"], model="T46U") == ["B", "D", "E"]
    assert names(family="poly") == []
    Device.objects.filter(pk=phones[1].pk).update(name="Kiosk")
    assert names(search="kio") == ["Kiosk"]


@pytest.mark.parametrize(
    "wanted",
    [{"colour": "red"}, {"site": "head office"}, {"site": 1}, {"devices": "x"}, {"devices": ["x"]},
     {"state": "open"}, {"state": []}, {"model": ""}, {"search": None}],
)  # fmt: skip
def test_what_is_no_filter_is_refused(acme: Account, ana: Actor, wanted: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        unlock_all.start(acme, by=ana, filter=wanted)

    assert (caught.value.field, caught.value.rule) == ("filter", "E3")
    assert Job.objects.count() == 0


def test_only_a_manager_unlocks_all(acme: Account, ben: Actor, vic: Actor, eve: Actor) -> None:
    for actor in (ben, vic, eve):
        with pytest.raises(Forbidden):
            unlock_all.start(acme, by=actor)
    assert Job.objects.count() == 0


def test_a_job_over_no_phone_is_finished(acme: Account, ana: Actor) -> None:
    job = unlock_all.start(acme, by=ana)

    unlock_all.run(job.pk)

    job.refresh_from_db()
    assert (job.total, job.finished_at) == (0, timezone.now())


def test_a_job_that_no_worker_took_is_handed_over_again(
    phones: list[Device], acme: Account, ana: Actor, queued: list[int]
) -> None:
    job = unlock_all.start(acme, by=ana)
    now = timezone.now()
    assert jobs.pick_up(now + jobs.LEFT_BEHIND) == 0

    assert jobs.pick_up(now + jobs.LEFT_BEHIND + timedelta(seconds=1)) == 1
    assert queued == [job.pk]
    unlock_all.run(job.pk)
    assert jobs.pick_up(now + DAY) == 0


def test_a_broker_that_is_away_fails_nobody(
    phones: list[Device], acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    def away(job_id: int) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(tasks.run_job, "delay", away)

    with django_capture_on_commit_callbacks(execute=True):
        job = unlock_all.start(acme, by=ana)

    assert Job.objects.get() == job


def test_whoever_started_it_is_known_when_it_runs(phones: list[Device], acme: Account, ana: Actor) -> None:
    job = unlock_all.start(acme, by=at(ana, AWAY))

    unlock_all.run(job.pk)

    entry = AuditEntry.objects.filter(verb="device.unlocked").latest("id")
    assert (entry.user, entry.address, entry.details["rule"]) == (user_of(ana), AWAY, "E3")
