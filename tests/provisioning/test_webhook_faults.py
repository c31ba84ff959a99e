"""Nothing is lost or invented: a day without the other side, a killed worker, a change taken back."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Account
from accounts.scope import Actor
from devices.models import Device
from provisioning import announcing, keeper, locking, webhook_sending, webhooks
from provisioning.models import DeviceEvent, Stamp, WebhookDelivery, WebhookEvent
from provisioning.webhook_sending import send_due
from tests.factories import bind, make_phone
from tests.provisioning.webhook_receiver import LOOPBACK, Receiver, answers, endpoint, hangs, receiver

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
WORKER = """
import django; django.setup()
from django.db import connections
connections.settings["default"]["NAME"] = {name!r}
from provisioning import webhook_sending
webhook_sending.send_due()
"""


@pytest.fixture(autouse=True)
def loopback_is_ours(settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = LOOPBACK


@pytest.fixture
def phones(acme: Account, ana: Actor) -> list[Device]:
    return [make_phone(acme, by=ana) for _ in range(4)]


def tell(phones: list[Device], number: int) -> None:
    """Each phone says its next number."""
    with transaction.atomic():
        for phone in phones:
            announcing.announce(
                "device.locked", phone.account, at=timezone.now(), device=phone, rule=str(number)
            )


def heard(program: Receiver) -> dict[str, list[str]]:
    """What each phone was heard to say, in the order of arrival."""
    said = defaultdict(list)
    for got in program.got:
        said[got.data["device"]["code"]].append(got.data["rule"])
    return said


def without_repeats(said: list[str]) -> list[str]:
    return [one for one, _ in groupby(said)]


def assert_all_arrived(program: Receiver, phones: list[Device], count: int) -> None:
    """Every event once or more, in order for each phone, and no other."""
    numbers = [str(number) for number in range(count)]
    assert {code: without_repeats(said) for code, said in heard(program).items()} == {
        str(phone.code): numbers for phone in phones
    }
    known = {f"msg_{code.hex}" for code in WebhookEvent.objects.values_list("code", flat=True)}
    assert set(program.ids) == known
    assert not WebhookDelivery.objects.exclude(state="delivered").exists()


# --- a day -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_day_without_the_other_side_loses_nothing(phones: list[Device], acme: Account, ana: Actor) -> None:
    start = timezone.now()
    with socket.socket() as held:  # nobody listens there, and nobody else can
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        _, secret = webhooks.create(acme, by=ana, name="CRM", url=f"http://127.0.0.1:{port}/in")
        tries, now = 0, start
        for number in range(24):
            tell(phones, number)
            while now < start + (number + 1) * HOUR:
                tries += send_due(clock=partial(lambda at: at, now))
                now += 5 * MINUTE
    assert WebhookDelivery.objects.filter(state="waiting").count() == 24 * len(phones)
    assert tries < 24 * 6 + 30  # it rested ten minutes after each

    with receiver(port=port) as program:
        send_due(clock=lambda: now + 70 * MINUTE)

    assert_all_arrived(program, phones, 24)
    assert len(program.got) == 24 * len(phones)
    assert all(got.verify(secret) for got in program.got)


@pytest.mark.django_db
def test_a_day_of_errors_between_successes_keeps_the_order(
    phones: list[Device], acme: Account, ana: Actor
) -> None:
    """Each third request fails, whichever that is."""
    asked = iter(range(10_000))

    def behave(handler: Any, program: Receiver) -> None:
        answers(500 if next(asked) % 3 == 0 else 200)(handler, program)

    now = timezone.now()
    with receiver(behave) as program:
        endpoint(acme, program.url, by=ana)
        for number in range(10):
            tell(phones, number)
            send_due(clock=partial(lambda at: at, now))
            now += HOUR
        while WebhookDelivery.objects.filter(state="waiting").exists():
            now += HOUR
            send_due(clock=partial(lambda at: at, now))

    assert_all_arrived(program, phones, 10)
    assert len(program.got) > 10 * len(phones)


# --- a killed worker ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that sends what is due."""
    code = WORKER.format(name=connection.settings_dict["NAME"])
    surroundings = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "WEBHOOK_NETWORKS": ",".join(LOOPBACK),
    }
    process = subprocess.Popen([sys.executable, "-c", code], env=surroundings)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("answered", [0, 7])
def test_a_worker_killed_in_the_middle_of_a_batch_loses_nothing(
    answered: int, phones: list[Device], acme: Account, ana: Actor
) -> None:
    def behave(handler: Any, program: Receiver) -> None:
        (answers(204) if len(program.got) <= answered else hangs)(handler, program)

    with receiver(behave) as program:
        endpoint(acme, program.url, by=ana)
        for number in range(5):
            tell(phones, number)
        with worker() as process:
            for _ in range(answered + 3):
                assert program.arrived.acquire(timeout=60)
            process.send_signal(signal.SIGKILL)
            process.wait()
        in_hand = WebhookDelivery.objects.filter(state="waiting", taken_until__isnull=False).count()
        assert in_hand >= 3
        program.behave = answers(204)

        send_due()  # what the dead one had in hand is still his
        assert WebhookDelivery.objects.filter(state="waiting", tries=0).count() >= in_hand
        program.over.set()
        send_due(clock=lambda: timezone.now() + MINUTE)

    assert_all_arrived(program, phones, 5)
    assert len(program.got) >= 5 * len(phones) + 3


@pytest.mark.django_db(transaction=True)
def test_two_workers_share_the_work_and_keep_the_order(
    phones: list[Device], acme: Account, ana: Actor
) -> None:
    with receiver() as program:
        endpoint(acme, program.url, by=ana)
        for number in range(15):
            tell(phones, number)
        with worker() as one, worker() as other:
            ends = [one.wait(120), other.wait(120)]

    assert ends == [0, 0]
    assert program.most_at_once <= 8
    assert_all_arrived(program, phones, 15)
    assert len(program.got) == 15 * len(phones)  # by one of them each


# --- a change that is taken back ---------------------------------------------------------------------------


class TakenBack(Exception):
    """The transaction fails at its end."""


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_was_never_told(acme: Account, ana: Actor) -> None:
    phone = make_phone(acme, by=ana)
    bind(phone)
    with receiver() as program, ThreadPoolExecutor(1) as thread:
        endpoint(acme, program.url, by=ana, kinds=["device.quarantined"])
        with contextlib.suppress(TakenBack), transaction.atomic():
            locking.quarantine(phone, by=ana, reason="stolen")
            written = WebhookDelivery.objects.count()
            seen = thread.submit(elsewhere).result()  # by a worker that looks just then
            raise TakenBack

        assert (written, seen, send_due()) == (1, 0, 0)
        assert not WebhookEvent.objects.exists()
        assert not DeviceEvent.objects.filter(what="quarantined").exists()
        locking.quarantine(phone, by=ana, reason="stolen")
        assert send_due() == 1

    assert [got.data["device"]["code"] for got in program.got] == [str(phone.code)]


def elsewhere() -> int:
    try:
        return send_due()
    finally:
        connection.close()


# --- the worker's thread -----------------------------------------------------------------------------------


@contextlib.contextmanager
def keeping() -> Iterator[threading.Event]:
    """The thread of the keeper that sends, as it runs in a worker."""
    over = threading.Event()
    step = partial(keeper.send, over)
    thread = threading.Thread(target=keeper._loop, args=(over, "send", step, 0.02))
    thread.start()
    try:
        yield over
    finally:
        over.set()
        thread.join(60)
    assert not thread.is_alive()


@pytest.mark.django_db(transaction=True)
def test_the_keeper_sends_what_was_committed_and_goes_on_after_an_error(
    phones: list[Device], acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, failed = webhook_sending.due, threading.Event()

    def due(now: Any) -> list[int]:
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError
        return honest(now)

    monkeypatch.setattr(webhook_sending, "due", due)
    keeper._last_stamps.pop("send", None)
    with receiver() as program, keeping():
        assert failed.wait(60)
        endpoint(acme, program.url, by=ana)
        tell(phones, 0)
        for _ in phones:
            assert program.arrived.acquire(timeout=60)

    assert_all_arrived(program, phones, 1)
    assert Stamp.objects.filter(name="send").exists()


@pytest.mark.django_db(transaction=True)
def test_a_keeper_that_is_told_to_stop_takes_nothing_more_and_writes_what_it_had(
    phones: list[Device], acme: Account, ana: Actor
) -> None:
    with receiver(hangs) as program:
        endpoint(acme, program.url, by=ana)
        tell(phones, 0)
        tell(phones, 1)
        program.behave = lambda handler, made: (made.over.wait(60), answers(204)(handler, made))[1]
        with keeping() as over:
            for _ in phones:
                assert program.arrived.acquire(timeout=60)
            over.set()
            program.over.set()

    assert len(program.got) == len(phones)
    assert WebhookDelivery.objects.filter(state="delivered").count() == len(phones)
    assert not WebhookDelivery.objects.filter(taken_until__isnull=False).exists()
