"""One deed done to many phones: a result per phone, whatever breaks off, runs twice or moves meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.scope import Actor
from devices import profiles
from devices.appearances import KeyRow
from devices.models import Device, Profile
from devices.phone import KeyKind
from provisioning import bulk, locking, moving, tasks
from provisioning.models import DeviceEvent, Job, JobItem, Lock
from provisioning.spans import Span
from tests.factories import bind, make_phone

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that were handed to a worker."""
    handed: list[int] = []
    monkeypatch.setattr(tasks.run_job, "delay", handed.append)
    return handed


@pytest.fixture
def phones(acme: Account, ana: Actor) -> list[Device]:
    """Two unlocked phones, a locked, a quarantined and a disabled one; all of them bound."""
    made = [make_phone(acme, by=ana, name=name) for name in ("A", "B", "C", "D", "E")]
    for device in made:
        bind(device)
    for device in made[:2]:
        locking.unlock(device, by=ana, span=Span.parse("24h"))
    Lock.objects.filter(pk=made[3].pk).update(state="quarantined")
    Device.objects.filter(pk=made[4].pk).update(is_enabled=False)
    return made


@pytest.fixture
def desks(acme: Account, ana: Actor) -> Profile:
    return profiles.create(
        acme, by=ana, name="Desks", family="yealink", keys=[KeyRow(9, KeyKind.BLF, "207", "Carla")]
    )


def states(devices: list[Device]) -> list[str]:
    return [Lock.objects.get(pk=device.pk).state for device in devices]


def results(job: Job) -> list[tuple[str, str, str]]:
    return list(job.items.values_list("result", "rule", "why"))


def counts(job: Job) -> tuple[int, int, bool]:
    job.refresh_from_db()
    return job.done, job.skipped, job.finished_at is not None


# --- each deed ---------------------------------------------------------------------------------------------


@pytest.mark.rule("E5")
def test_many_are_locked_again(phones: list[Device], acme: Account, ana: Actor) -> None:
    job = bulk.start(acme, "lock", by=ana)
    assert states(phones) == ["unlocked", "unlocked", "locked", "quarantined", "locked"]

    bulk.run(job.pk)

    assert counts(job) == (2, 3, True)
    assert states(phones) == ["locked", "locked", "locked", "quarantined", "locked"]
    assert results(job) == [
        ("done", "E5", ""),
        ("done", "E5", ""),
        ("skipped", "E5", "This phone is locked already."),
        ("skipped", "E8q", "This phone is quarantined. Only your provider can lift that."),
        ("skipped", "E5", "This phone is locked already."),
    ]
    event = DeviceEvent.objects.filter(device=phones[0]).latest("id")
    assert (event.what, event.rule, event.actor) == ("locked", "E5", ana.label)


@pytest.mark.rule("E11")
def test_many_are_armed_for_the_day_they_ship(phones: list[Device], acme: Account, ana: Actor) -> None:
    day = (timezone.now() + 3 * DAY).date()
    job = bulk.start(acme, "rearm", by=ana, filter={"search": "A"}, ship_on=day)

    bulk.run(job.pk)

    lock = Lock.objects.get(pk=phones[0].pk)
    assert (lock.state, lock.bound_first, lock.armed_at > timezone.now() + DAY) == ("new", "", True)
    assert job.params == {"do": "rearm", "filter": {"search": "A"}, "ship_on": day.isoformat()}


@pytest.mark.rule("E17")
def test_many_are_moved_and_neither_account_learns_of_the_other(
    phones: list[Device], acme: Account, globex: Account, harbour: Account, rita: Actor
) -> None:
    job = bulk.start(acme, "move", by=rita, to=globex)

    bulk.run(job.pk)

    assert counts(job) == (4, 1, True)
    moved = Device.objects.filter(account=globex).values_list("mac", flat=True)
    assert set(moved) == {device.mac for device in (*phones[:3], phones[4])}
    assert job.account == harbour
    assert set(job.items.filter(result="done").values_list("device", flat=True)) == {None}
    seen = AuditEntry.objects.filter(account_slug="acme").values_list("details", flat=True)
    assert [details for details in seen if "globex" in str(details)] == []


def test_many_get_a_profile_but_those_that_have_it_and_those_it_does_not_fit(
    acme: Account, ana: Actor, desks: Profile
) -> None:
    first, second = (make_phone(acme, by=ana, name=name) for name in "AB")
    other = make_phone(acme, by=ana, name="C", family="poly", model="VVX 250")
    profiles.apply(desks, by=ana, devices=[second])
    job = bulk.start(acme, "profile", by=ana, profile=desks)

    bulk.run(job.pk)

    assert [result for result, _rule, _why in results(job)] == ["done", "skipped", "skipped"]
    assert results(job)[1] == ("skipped", "", "This phone has the profile already.")
    having = set(Device.objects.filter(profile=desks))
    assert having == {first, second}
    assert other not in having


def test_profiles_are_taken_off_many(acme: Account, ana: Actor, desks: Profile) -> None:
    first, second = (make_phone(acme, by=ana, name=name) for name in "AB")
    profiles.apply(desks, by=ana, devices=[first])
    job = bulk.start(acme, "take-off", by=ana)

    bulk.run(job.pk)

    assert results(job) == [("done", "", ""), ("skipped", "", "This phone has no profile.")]
    assert not Device.objects.filter(profile=desks).exists()
    assert not second.profile_id


# --- broken off, run twice, moved, removed -----------------------------------------------------------------


def test_killed_in_the_middle_it_goes_on_where_it_stands(
    phones: list[Device], acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch that was on its way is undone as a whole, and done again once."""
    deed = bulk.DEEDS["lock"]
    monkeypatch.setitem(bulk.DEEDS, "lock", bulk.Deed(**{**fields(deed), "batch": 1}))
    real, calls = locking.lock_again, []

    def dies_at_the_second(device: Device, **arguments: Any) -> Lock:
        lock = real(device, **arguments)
        calls.append(device.pk)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return lock

    monkeypatch.setattr(locking, "lock_again", dies_at_the_second)
    job = bulk.start(acme, "lock", by=ana)
    with pytest.raises(KeyboardInterrupt):
        bulk.run(job.pk)
    assert counts(job) == (1, 0, False)
    assert states(phones)[:2] == ["locked", "unlocked"]

    bulk.run(job.pk)

    assert counts(job) == (2, 3, True)
    assert DeviceEvent.objects.filter(what="locked").count() == 2


def fields(deed: bulk.Deed) -> dict[str, Any]:
    return {name: getattr(deed, name) for name in deed.__slots__}


def test_run_twice_it_is_done_once(phones: list[Device], acme: Account, ana: Actor) -> None:
    job = bulk.start(acme, "lock", by=ana)
    bulk.run(job.pk)
    locking.unlock(phones[0], by=ana)
    events = DeviceEvent.objects.count()

    bulk.run(job.pk)

    assert DeviceEvent.objects.count() == events
    assert states(phones)[0] == "unlocked"
    assert counts(job) == (2, 3, True)


def test_a_phone_that_moved_or_went_meanwhile_is_skipped(
    phones: list[Device], acme: Account, globex: Account, ana: Actor, rita: Actor
) -> None:
    """Rita has power over both accounts, but this job is of one of them."""
    job = bulk.start(acme, "rearm", by=rita)
    moving.move(phones[0], by=rita, to=globex)
    phones[1].delete()
    before = Lock.objects.filter(pk=phones[0].pk).values().get()

    bulk.run(job.pk)

    assert results(job)[0] == ("skipped", "E11", "This phone has moved to another account.")
    assert results(job)[1] == ("skipped", "E11", "This phone was removed meanwhile.")
    assert Lock.objects.filter(pk=phones[0].pk).values().get() == before


# --- refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", list(bulk.DEEDS))
def test_a_viewer_starts_nothing(
    what: str, phones: list[Device], acme: Account, globex: Account, vic: Actor, desks: Profile
) -> None:
    audited = AuditEntry.objects.count()

    with pytest.raises(Forbidden):
        bulk.start(acme, what, by=vic, to=globex, profile=desks)

    assert (Job.objects.count(), JobItem.objects.count(), AuditEntry.objects.count()) == (0, 0, audited)


def test_a_move_needs_the_power_over_both_accounts(
    phones: list[Device], acme: Account, globex: Account, ana: Actor, rita: Actor
) -> None:
    with pytest.raises(Forbidden):
        bulk.start(acme, "move", by=ana, to=globex)
    with pytest.raises(Refusal, match="Say to which account"):
        bulk.start(acme, "move", by=rita)

    assert not Job.objects.exists()


@pytest.mark.rule("E11")
def test_a_day_that_has_passed_starts_nothing(phones: list[Device], acme: Account, ana: Actor) -> None:
    with pytest.raises(Invalid, match="This day has passed"):
        bulk.start(acme, "rearm", by=ana, ship_on=(timezone.now() - 3 * DAY).date())

    assert not Job.objects.exists()


def test_without_a_profile_nothing_starts(acme: Account, ana: Actor) -> None:
    with pytest.raises(Refusal, match="Say which profile"):
        bulk.start(acme, "profile", by=ana)

    assert not Job.objects.exists()


# --- foretold ---------------------------------------------------------------------------------------------


def told(phones: list[Device], what: str, by: Actor, **wanted: Any) -> tuple[int, int, tuple[Any, ...]]:
    rows = Device.objects.filter(pk__in=[device.pk for device in phones])
    said = bulk.foretell(rows, what, by=by, now=timezone.now(), **wanted)
    return said.total, said.does, said.reasons


def test_what_is_foretold_is_what_happens(
    phones: list[Device], acme: Account, globex: Account, ana: Actor, rita: Actor
) -> None:
    Lock.objects.filter(pk=phones[2].pk).update(suspicion_until=timezone.now() + DAY)

    assert told(phones, "lock", ana) == (5, 2, ((1, "quarantined"), (2, "locked already")))
    assert told(phones, "rearm", ana) == (
        5,
        2,
        ((1, "quarantined"), (1, "disabled"), (1, "under suspicion")),
    )
    assert told(phones, "rearm", rita) == (5, 3, ((1, "quarantined"), (1, "disabled")))
    assert told(phones, "move", rita, to=globex) == (5, 4, ((1, "quarantined"),))
    assert told(phones, "move", rita, to=acme) == (5, 0, ((1, "quarantined"), (4, "in that account already")))
    assert told(phones, "take-off", ana) == (5, 0, ((5, "without a profile"),))
    assert told(phones, "unlock", ana) == (
        5,
        2,
        ((1, "quarantined or retired"), (1, "disabled"), (1, "under suspicion")),
    )

    job = bulk.start(acme, "rearm", by=ana)
    bulk.run(job.pk)
    assert counts(job) == (2, 3, True)


def test_a_profile_says_whom_it_is_not_for(acme: Account, ana: Actor, desks: Profile) -> None:
    first, second = (make_phone(acme, by=ana, name=name) for name in "AB")
    other = make_phone(acme, by=ana, name="C", family="poly", model="VVX 250")
    profiles.apply(desks, by=ana, devices=[second])

    said = told([first, second, other], "profile", ana, profile=desks)

    assert said == (3, 1, ((1, "of another model"), (1, "with it already")))
