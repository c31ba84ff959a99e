"""Asking phones to fetch again, with sipp as the far end: what is sent, how often, and what comes of it."""

import re
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.models import Account
from accounts.scope import Actor
from devices import appearances, extensions
from devices.appearances import AppearanceRow
from devices.models import Device
from provisioning import events, resync, resync_sending, tasks
from provisioning.models import DeviceEvent, Job, JobItem, ResyncRequest
from tests.factories import make_phone, make_site
from tests.provisioning.far_end import far_end, free_port

pytestmark = [pytest.mark.django_db, pytest.mark.needs("sipp")]

REALM = "sip.acme.example"


@pytest.fixture(autouse=True)
def quick(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """T1 of 20 ms: an answer is waited for for 1.28 s. No worker is called."""
    settings.SIP_T1, settings.RESYNC_JITTER, settings.RESYNC_PLACE_GAP = 0.02, 0.0, 0.0
    settings.RESYNC_TRIES = 1
    monkeypatch.setattr(tasks.send_resyncs, "apply_async", lambda **options: None)
    monkeypatch.setattr(tasks.run_job, "delay", lambda job: None)


def lined(acme: Account, ana: Actor, user: str = "4102", **changes: object) -> Device:
    """A phone with a line of its own."""
    device = make_phone(acme, by=ana, **changes)
    line = extensions.create(acme, by=ana, username=user, secret="s3cret-of-it", realm=REALM)
    appearances.put(device, by=ana, rows=[AppearanceRow(position=1, extension=line, label="")])
    return device


@pytest.fixture
def desk(acme: Account, ana: Actor) -> Device:
    return lined(acme, ana)


def log_of(device: Device) -> list[str]:
    rows = DeviceEvent.objects.filter(device=device, what__startswith="resync").order_by("pk")
    return [events.described(row).sentence for row in rows]


def sent(row: ResyncRequest) -> ResyncRequest:
    resync_sending.send_due()
    row.refresh_from_db()
    return row


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_registered_phone_is_reached(
    desk: Device, ana: Actor, settings: Settings, tmp_path: Path, transport: str
) -> None:
    with far_end(tmp_path, 200, transport=transport) as edge:
        settings.SIP_EDGE = edge.address
        row = sent(resync.ask(desk, by=ana))
        requests = edge.requests()

    assert (row.outcome, row.status_code, row.tries) == ("reached", 200, 1)
    assert row.sent_at is not None
    assert row.answered_at is not None
    assert log_of(desk) == [
        f"To fetch its files again, asked for by {ana.label}.",
        "It was reached (200) and is to fetch its files again.",
    ]
    assert len(requests) == 1
    lines = requests[0].splitlines()
    assert lines[0] == f"NOTIFY sip:4102@{REALM} SIP/2.0"
    assert f"To: <sip:4102@{REALM}>" in lines
    assert "Event: check-sync" in lines
    assert re.search(
        rf"^Via: SIP/2.0/{transport.upper()} 127\.0\.0\.1:\d+;branch=z9hG4bK\w+;rport$", requests[0], re.M
    )


def test_a_restart_is_the_familys_own_event(
    desk: Device, ana: Actor, settings: Settings, tmp_path: Path
) -> None:
    with far_end(tmp_path, 200) as edge:
        settings.SIP_EDGE = edge.address
        sent(resync.ask(desk, by=ana, reboot=True))
        requests = edge.requests()

    assert "\nEvent: check-sync;reboot=true\n" in requests[0]
    assert log_of(desk)[-1] == "It was reached (200) and is to restart and fetch its files."


def test_a_phone_that_is_not_registered_is_said_to_be(
    desk: Device, ana: Actor, settings: Settings, tmp_path: Path
) -> None:
    settings.RESYNC_TRIES = 3
    with far_end(tmp_path, 480) as edge:
        settings.SIP_EDGE = edge.address
        row = sent(resync.ask(desk, by=ana))

    assert (row.outcome, row.status_code, row.tries) == ("unreachable", 480, 1)
    assert log_of(desk)[-1] == (
        "Not reached (480): not registered, or no answer. Check power and network; it polls anyway."
    )


@pytest.mark.parametrize("status", [401, 403, 407])
def test_an_edge_that_does_not_trust_the_platform_is_its_supports_problem(
    desk: Device, ana: Actor, settings: Settings, tmp_path: Path, status: int
) -> None:
    with far_end(tmp_path, status) as edge:
        settings.SIP_EDGE = edge.address
        row = sent(resync.ask(desk, by=ana))

    assert (row.outcome, row.why, row.status_code) == ("failed", "untrusted", status)
    assert f"does not trust this platform ({status})" in log_of(desk)[-1]
    assert row.answered_at is not None
    assert resync.edge_problem(row.answered_at) == row


def test_what_is_lost_on_the_way_is_sent_again(
    desk: Device, ana: Actor, settings: Settings, tmp_path: Path
) -> None:
    with far_end(tmp_path, None, None, 200) as edge:
        settings.SIP_EDGE = edge.address
        row = sent(resync.ask(desk, by=ana))
        requests = edge.requests()

    assert (row.outcome, row.tries) == ("reached", 1)
    assert len(requests) == 3
    assert len(set(requests)) == 1, "a copy is the same request, byte by byte"


def test_after_a_provisional_answer_the_final_one_is_waited_for(
    desk: Device, ana: Actor, settings: Settings, tmp_path: Path
) -> None:
    with far_end(tmp_path, 100, 404) as edge:  # the final one goes to the copy that Timer E sends at T2
        settings.SIP_EDGE = edge.address
        row = sent(resync.ask(desk, by=ana))

    assert (row.outcome, row.status_code) == ("unreachable", 404)


def test_silence_ends_with_timer_f(desk: Device, ana: Actor, settings: Settings, tmp_path: Path) -> None:
    with far_end(tmp_path, *[None] * 30) as edge:
        settings.SIP_EDGE = edge.address
        row = sent(resync.ask(desk, by=ana))
        requests = edge.requests()

    assert (row.outcome, row.why, row.status_code) == ("failed", "silent", 0)
    # T1 of 20 ms, doubled up to T2 of 160 ms, until 1280 ms: 0, 20, 60, 140, 300, 460 ... 1260.
    assert 4 <= len(requests) <= 11
    assert log_of(desk)[-1].startswith("Not reached: the SIP edge gives no answer.")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_nobody_there_is_silence(desk: Device, ana: Actor, settings: Settings, transport: str) -> None:
    settings.SIP_EDGE = f"127.0.0.1:{free_port()};transport={transport}"

    row = sent(resync.ask(desk, by=ana))

    assert (row.outcome, row.why) == ("failed", "silent")


def test_a_job_ends_with_the_answers_of_its_phones(
    acme: Account, ana: Actor, settings: Settings, tmp_path: Path
) -> None:
    site = make_site(acme, by=ana)
    phones = [lined(acme, ana, f"42{n:02}", site=site, name=f"Desk {n}") for n in range(12)]
    make_phone(acme, by=ana, name="Without a line")
    settings.RESYNC_RATE = 100.0
    with far_end(tmp_path, 200) as edge:
        settings.SIP_EDGE = edge.address
        job = resync.ask_many(acme, by=ana)
        resync.run(job.pk)
        assert ResyncRequest.objects.filter(outcome="waiting").count() == 12
        resync_sending.send_due()
        requests = edge.requests()

    job = Job.objects.get(pk=job.pk)
    assert (job.total, job.done, job.skipped) == (13, 12, 1)
    assert job.finished_at is not None
    skipped = JobItem.objects.get(job=job, result="skipped")
    assert (skipped.name, skipped.why.split(",")[0]) == ("Without a line", "This phone shows no line")
    found = {re.match(r"NOTIFY sip:(\d+)@", request)[1] for request in requests}  # type: ignore[index]
    assert found == {f"42{n:02}" for n in range(12)}
    assert len({re.search(r"Call-ID: (\S+)", request)[1] for request in requests}) == 12  # type: ignore[index]
    assert all(log_of(phone)[-1].startswith("It was reached (200)") for phone in phones)
