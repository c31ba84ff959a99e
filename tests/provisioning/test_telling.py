"""Who is told by e-mail that an owner let his phone set itself up again (E2)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from celery.exceptions import OperationalError
from django.core import mail
from django.utils import timezone

from accounts.models import Membership
from accounts.scope import Actor
from devices.models import Device
from provisioning import digests, letters, locking, tasks, telling
from provisioning.models import Outbox

pytestmark = pytest.mark.rule("E2")

MINUTE = timedelta(minutes=1)
Commit = Callable[..., AbstractContextManager[object]]


@pytest.fixture
def commit(django_capture_on_commit_callbacks: Commit) -> Commit:
    return django_capture_on_commit_callbacks


def test_the_account_s_managers_are_told_and_nobody_else(locked: Device, ben: Actor, ana: Actor) -> None:
    locking.allow_reprovision(locked, by=ben)

    told = telling.tell("own-unlock", locked.pk, ben.label, now=timezone.now())

    assert ana.user is not None
    assert [message.to for message in mail.outbox] == [[ana.user.email]]
    assert told == 1
    assert str(locked) in mail.outbox[0].body
    assert str(locked.code) in mail.outbox[0].body


def test_without_a_manager_the_account_above_is_told(locked: Device, ben: Actor, rita: Actor) -> None:
    locking.allow_reprovision(locked, by=ben)
    Membership.objects.filter(account=locked.account).exclude(user=ben.user).delete()

    telling.tell("own-unlock", locked.pk, ben.label, now=timezone.now())

    assert rita.user is not None
    assert [message.to for message in mail.outbox] == [[rita.user.email]]


def test_one_who_was_invited_and_never_came_is_told_nothing(
    locked: Device, ben: Actor, ana: Actor, rita: Actor
) -> None:
    """An address that was mistyped would read of the phones."""
    locking.allow_reprovision(locked, by=ben)
    Membership.objects.filter(user=ana.user).update(invited_at=timezone.now())

    telling.tell("own-unlock", locked.pk, ben.label, now=timezone.now())

    assert rita.user is not None
    assert [message.to for message in mail.outbox] == [[rita.user.email]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """What the workers were asked to tell."""
    found: list[list[int]] = []
    monkeypatch.setattr(tasks.tell, "apply_async", lambda args: found.append(args))
    return found


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker refuses."""

    def refuse(args: list[int]) -> None:
        raise OperationalError("Connection refused")

    monkeypatch.setattr(tasks.tell, "apply_async", refuse)


def test_the_owner_s_unlock_asks_for_the_mail_and_a_manager_s_does_not(
    locked: Device, ben: Actor, ana: Actor, asked: list[list[int]], commit: Commit
) -> None:
    with commit(execute=True):
        locking.allow_reprovision(locked, by=ana)
        locking.allow_reprovision(locked, by=ben)

    [row] = Outbox.objects.filter(what=Outbox.What.MAIL)
    assert asked == [[row.pk]]
    assert row.details == {"what": "own-unlock", "row": locked.pk, "text": ben.label}


def test_a_broker_that_is_away_costs_no_mail(
    locked: Device, ben: Actor, no_broker: None, commit: Commit
) -> None:
    with commit(execute=True):
        locking.allow_reprovision(locked, by=ben)
    assert mail.outbox == []

    digests.tell_waiting(timezone.now() + MINUTE)
    digests.tell_waiting(timezone.now() + 2 * MINUTE)

    [message] = mail.outbox
    assert str(locked) in message.body


def test_the_sweep_leaves_to_the_worker_what_was_asked_just_now(
    locked: Device, ben: Actor, asked: list[list[int]], commit: Commit
) -> None:
    with commit(execute=True):
        locking.allow_reprovision(locked, by=ben)

    assert telling.sweep(timezone.now()) == 0
    assert mail.outbox == []


@pytest.mark.parametrize("sweeps_first", [True, False])
def test_a_worker_and_the_sweep_send_one_mail_between_them(
    locked: Device, ben: Actor, asked: list[list[int]], commit: Commit, sweeps_first: bool
) -> None:
    with commit(execute=True):
        locking.allow_reprovision(locked, by=ben)
    ways: list[Callable[[], object]] = [
        lambda: telling.sweep(timezone.now() + MINUTE),
        lambda: tasks.tell(*asked[0]),
    ]

    for way in ways if sweeps_first else reversed(ways):
        way()

    assert len(mail.outbox) == 1
    assert not Outbox.objects.filter(what=Outbox.What.MAIL).exists()


def test_one_piece_of_news_that_cannot_be_told_keeps_no_other_waiting(
    locked: Device, ben: Actor, no_broker: None, commit: Commit
) -> None:
    bad = Outbox.objects.create(what=Outbox.What.MAIL, details={"what": "of-old", "row": 1, "text": ""})
    with commit(execute=True):
        locking.allow_reprovision(locked, by=ben)
    now = timezone.now() + MINUTE

    telling.sweep(now)

    assert len(mail.outbox) == 1
    assert [row.pk for row in Outbox.objects.filter(what=Outbox.What.MAIL)] == [bad.pk]
    assert telling.sweep(now + MINUTE) == 0
    telling.sweep(now + letters.GIVEN_UP)
    assert not Outbox.objects.filter(what=Outbox.What.MAIL).exists()
