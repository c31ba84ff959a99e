"""Who may ask a phone to fetch again, which phones can be asked, and the line they stand in."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts import tenants
from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.scope import Actor
from devices import appearances, extensions
from devices.appearances import AppearanceRow
from devices.catalog import catalog
from devices.models import Device
from provisioning import entering, jobs, locking, moving, resync, resync_sending, retiring, tasks
from provisioning.models import DeviceEvent, Job, JobItem, Lock, ResyncRequest
from tests.factories import bind, make_phone, make_site

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def woken(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """A SIP edge nobody sends to here; each time that the sender was woken."""
    settings.SIP_EDGE, settings.RESYNC_JITTER = "sip.example.net:5060", 0.0
    calls: list[dict[str, object]] = []
    monkeypatch.setattr(tasks.send_resyncs, "apply_async", lambda **options: calls.append(options))
    monkeypatch.setattr(tasks.run_job, "delay", lambda job: None)
    return calls


@pytest.fixture
def desk(phone: Device, acme: Account, ana: Actor) -> Device:
    return lined(phone, acme, ana, "4102")


def lined(device: Device, account: Account, by: Actor, user: str) -> Device:
    line = extensions.create(account, by=by, username=user, secret="s3cret-of-it", realm="sip.acme.example")
    appearances.put(device, by=by, rows=[AppearanceRow(position=1, extension=line, label="")])
    return Device.objects.select_related("account", "lock").get(pk=device.pk)


def several(count: int, acme: Account, ana: Actor, **changes: object) -> list[Device]:
    names = [str(4200 + n) for n in range(count)]
    return [lined(make_phone(acme, by=ana, name=name, **changes), acme, ana, name) for name in names]


def everything() -> list[object]:
    models = (ResyncRequest, Job, JobItem, DeviceEvent, AuditEntry, Lock)
    return [list(model.objects.order_by("pk").values()) for model in models]


# --- who, and which ----------------------------------------------------------------------------------------


def test_a_manager_asks(
    desk: Device, ana: Actor, woken: list[object], django_capture_on_commit_callbacks: object
) -> None:
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        row = resync.ask(desk, by=ana)

    assert (row.outcome, row.reboot, row.by, row.tries) == ("waiting", False, ana.label, 0)
    assert row.due_at == timezone.now()
    assert len(woken) == 1
    assert AuditEntry.objects.filter(verb="device.resync-asked", target_code=str(desk.code)).count() == 1
    event = DeviceEvent.objects.get(device=desk, what="resync-asked")
    assert (event.actor, event.account) == (ana.label, desk.account)


def test_without_the_power_nothing_happens(desk: Device, vic: Actor, ben: Actor, eve: Actor) -> None:
    before = everything()

    for who in (vic, ben, eve):
        with pytest.raises(Forbidden):
            resync.ask(desk, by=who)
        with pytest.raises(Forbidden):
            resync.ask_many(desk.account, by=who)

    assert everything() == before


@pytest.mark.parametrize("case", ["retired", "quarantined", "disabled", "account off", "no line", "no edge"])
def test_who_would_get_nothing_is_not_asked(
    desk: Device, acme: Account, ana: Actor, rita: Actor, settings: Settings, case: str
) -> None:
    if case == "retired":
        retiring.retire(desk, by=ana)
    elif case == "quarantined":
        locking.quarantine(desk, by=ana, reason="Stolen")
    elif case == "disabled":
        entering.change(desk, by=ana, is_enabled=False)
    elif case == "account off":
        Account.objects.filter(pk=acme.pk).update(is_active=False)
    elif case == "no line":
        appearances.put(desk, by=ana, rows=[])
    else:
        settings.SIP_EDGE = ""
    desk = Device.objects.select_related("account", "lock").get(pk=desk.pk)
    before = everything()

    with pytest.raises(Refusal) as refused:
        resync.ask(desk, by=ana)

    assert everything() == before
    assert resync.why_not(desk.lock) == refused.value.detail
    codes = {"account off": "disabled", "no line": "no-line", "no edge": "no-sip-edge"}
    assert refused.value.code == codes.get(case, case)


def test_what_waits_is_not_asked_twice(desk: Device, ana: Actor) -> None:
    first = resync.ask(desk, by=ana)
    before = everything()
    assert resync.ask(desk, by=ana).pk == first.pk
    assert everything() == before

    again = resync.ask(desk, by=ana, reboot=True)

    assert (again.pk, again.reboot) == (first.pk, True)
    assert ResyncRequest.objects.count() == 1
    assert resync.ask(desk, by=ana).reboot, "a restart that somebody asked for is not taken back"


@pytest.mark.parametrize("code", sorted(catalog().families))
def test_the_event_is_the_familys(code: str) -> None:
    known = catalog().families[code].resync

    device = Device(family=code)

    assert resync.event_of(device, reboot=False) == known.event
    assert resync.event_of(device, reboot=True) == known.reboot_event


# --- whose turn it is --------------------------------------------------------------------------------------


def test_no_more_than_the_rate_go_at_once(acme: Account, ana: Actor, settings: Settings) -> None:
    settings.RESYNC_RATE, settings.RESYNC_PLACE_GAP = 4.0, 0.0
    for phone in several(12, acme, ana):
        resync.ask(phone, by=ana)
    # Phones of one place go one at a time, so each has a place of its own here.
    for row in ResyncRequest.objects.all():
        ResyncRequest.objects.filter(pk=row.pk).update(place=f"site-{row.pk}")
    now = timezone.now()

    taken = [len(resync_sending.take(now + n * SECOND / 4)) for n in range(8)]

    assert taken == [1] * 8
    assert len(resync_sending.take(now + timedelta(hours=1))) == 4, "a rest is followed by no rush"


def test_phones_of_one_place_go_one_after_the_other(acme: Account, ana: Actor, settings: Settings) -> None:
    settings.RESYNC_RATE, settings.RESYNC_PLACE_GAP = 1000.0, 2.0
    yard, quay = (make_site(acme, by=ana, name=name) for name in ("Yard", "Quay"))
    for number, site in enumerate((yard, yard, quay)):
        phone = make_phone(acme, by=ana, name=f"Desk {number}", site=site)
        resync.ask(lined(phone, acme, ana, f"43{number}"), by=ana)
    now = timezone.now()
    resync_sending.take(now - SECOND)  # the bucket fills

    found = [len(resync_sending.take(now + n * SECOND)) for n in range(4)]

    assert found == [2, 0, 1, 0]


def test_phones_behind_one_address_are_of_one_place(acme: Account, ana: Actor) -> None:
    here, there, beside = several(3, acme, ana)
    bind(here, "203.0.113.24")
    bind(there, "198.51.100.7")
    bind(beside, "203.0.113.24")

    places = [resync.ask(phone, by=ana).place for phone in (here, there, beside)]

    assert places[0] == places[2] != places[1]


def test_many_are_spread_over_the_jitter(acme: Account, ana: Actor, settings: Settings) -> None:
    settings.RESYNC_JITTER = 30.0
    several(20, acme, ana)
    resync.run(resync.ask_many(acme, by=ana).pk)

    waits = [(row.due_at - row.asked_at).total_seconds() for row in ResyncRequest.objects.all()]

    assert len(waits) == 20
    assert all(0 <= wait <= 30 for wait in waits)
    assert len(set(waits)) > 10


# --- what comes of it --------------------------------------------------------------------------------------


def test_trouble_is_tried_again_later_and_not_for_ever(desk: Device, ana: Actor, settings: Settings) -> None:
    settings.RESYNC_TRIES = 3
    row, now = resync.ask(desk, by=ana), timezone.now()
    waits = []
    for tries in (1, 2, 3):
        (taken,) = resync_sending.take(now)
        assert taken.tries == tries
        resync_sending.answered(taken.pk, 503, tries=tries, now=now)
        row.refresh_from_db()
        waits.append((row.due_at - now).total_seconds())
        now = max(now, row.due_at)

    assert waits[:2] == [60, 120]
    assert (row.outcome, row.why, row.status_code, row.tries) == ("failed", "trouble", 503, 3)
    told = DeviceEvent.objects.filter(device=desk, what="resync-trouble")
    assert told.count() == 1, "only the end is told"


def test_a_late_answer_changes_nothing(desk: Device, ana: Actor) -> None:
    resync.ask(desk, by=ana)
    (taken,) = resync_sending.take(timezone.now())
    resync_sending.answered(taken.pk, 480, tries=1, now=timezone.now())
    before = everything()

    resync_sending.answered(taken.pk, 200, tries=1, now=timezone.now())
    resync_sending.answered(taken.pk, 200, tries=2, now=timezone.now())

    assert everything() == before


def test_what_a_dead_worker_sent_is_tried_again(desk: Device, ana: Actor) -> None:
    row, now = resync.ask(desk, by=ana), timezone.now()
    resync_sending.take(now)

    resync_sending.give_up_lost(now + resync.overdue())
    row.refresh_from_db()
    assert row.outcome == "sent", "its answer may still come"
    assert not resync.pick_up(now + resync.overdue())
    assert resync.pick_up(now + resync.overdue() + SECOND)

    resync_sending.give_up_lost(now + resync.overdue() + SECOND)
    row.refresh_from_db()
    assert (row.outcome, row.tries) == ("waiting", 1)


def test_who_is_retired_in_the_line_is_not_asked(desk: Device, ana: Actor) -> None:
    row = resync.ask(desk, by=ana)
    retiring.retire(desk, by=ana)

    assert resync_sending.take(timezone.now()) == []

    row.refresh_from_db()
    assert (row.outcome, row.why) == ("failed", "cancelled")
    event = DeviceEvent.objects.get(device=desk, what="resync-cancelled")
    assert event.details["reason"] == "This phone is retired. Re-arm it first."
    assert resync.edge_problem(timezone.now()) is None


@pytest.mark.parametrize(
    ("status", "why"),
    [
        *((code, "reached") for code in (200, 202)),
        *((code, "unreachable") for code in (404, 408, 480, 481)),
        *((code, "untrusted") for code in (401, 403, 407)),
        *((code, "declined") for code in (405, 489, 603)),
        *((code, "trouble") for code in (302, 500, 503)),
        (0, "silent"),
    ],
)
def test_each_status_has_its_meaning(status: int, why: str) -> None:
    assert resync_sending.judged(status) == why


# --- many --------------------------------------------------------------------------------------------------


def test_a_job_takes_what_the_filter_keeps(acme: Account, ana: Actor) -> None:
    phones = several(3, acme, ana)

    job = resync.ask_many(acme, by=ana, filter={"devices": [str(phones[1].code)]}, reboot=True)
    resync.run(job.pk)

    row = ResyncRequest.objects.get()
    assert (row.device, row.reboot) == (phones[1], True)
    job.refresh_from_db()
    assert (job.total, job.finished_at) == (1, None), "it ends with the answers"
    with pytest.raises(Invalid):
        resync.ask_many(acme, by=ana, filter={"colour": "red"})


def test_run_twice_it_asks_once(acme: Account, ana: Actor) -> None:
    several(2, acme, ana)
    job = resync.ask_many(acme, by=ana)
    resync.run(job.pk)
    before = everything()

    resync.run(job.pk)

    assert everything() == before


def test_a_job_skips_whom_it_may_not_ask_and_says_why(
    acme: Account, globex: Account, ana: Actor, rita: Actor
) -> None:
    waits, moved, gone, retired = several(4, acme, ana)
    resync.ask(waits, by=ana)
    job = resync.ask_many(acme, by=ana)
    moving.move(moved, by=rita, to=globex)
    entering.remove(gone, by=ana)
    retiring.retire(retired, by=ana)

    resync.run(job.pk)

    job.refresh_from_db()
    assert (job.done, job.skipped) == (0, 4)
    assert job.finished_at is not None
    assert [item.why for item in JobItem.objects.filter(job=job).order_by("pk")] == [
        "It waits for its turn to be asked already.",
        "This phone has moved to another account.",
        "This phone was removed meanwhile.",
        "This phone is retired. Re-arm it first.",
    ]


def test_a_phone_that_leaves_in_the_line_lets_the_job_end(
    acme: Account, globex: Account, ana: Actor, rita: Actor
) -> None:
    moved, gone = several(2, acme, ana)
    job = resync.ask_many(acme, by=ana)
    resync.run(job.pk)
    moving.move(moved, by=rita, to=globex)
    entering.remove(gone, by=ana)
    assert not ResyncRequest.objects.exists()

    assert jobs.pick_up(timezone.now() + jobs.LEFT_BEHIND + SECOND) == 1
    resync.run(job.pk)

    job.refresh_from_db()
    assert (job.skipped, job.finished_at) == (2, timezone.now())


def test_a_switched_off_account_below_is_skipped(acme: Account, ana: Actor, rita: Actor) -> None:
    below = tenants.create_account(acme, by=rita, slug="acme-east", name="Acme East")
    phone = lined(make_phone(below, by=ana, name="East"), below, ana, "4301")
    Account.objects.filter(pk=below.pk).update(is_active=False)
    job = resync.ask_many(acme, by=ana)

    resync.run(job.pk)

    assert JobItem.objects.get(job=job, device=phone).why == "This phone's account is switched off."


def test_the_task_knows_the_jobs_kind(acme: Account, ana: Actor) -> None:
    several(1, acme, ana)
    job = resync.ask_many(acme, by=ana)

    tasks.run_job(job.pk)

    assert ResyncRequest.objects.filter(job_item__job=job).count() == 1
