"""Who is told by e-mail that an owner let his phone set itself up again (E2)."""

from collections.abc import Callable

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import Membership
from accounts.scope import Actor
from devices.models import Device
from provisioning import locking, tasks, telling

pytestmark = pytest.mark.rule("E2")


def test_the_account_s_managers_are_told_and_nobody_else(locked: Device, ben: Actor, ana: Actor) -> None:
    locking.allow_reprovision(locked, by=ben)

    told = telling.of_own_unlock(locked, owner=ben.label, now=timezone.now())

    assert ana.user is not None
    assert [message.to for message in mail.outbox] == [[ana.user.email]]
    assert told == 1
    assert str(locked) in mail.outbox[0].body
    assert str(locked.code) in mail.outbox[0].body


def test_without_a_manager_the_account_above_is_told(locked: Device, ben: Actor, rita: Actor) -> None:
    locking.allow_reprovision(locked, by=ben)
    Membership.objects.filter(account=locked.account).exclude(user=ben.user).delete()

    telling.of_own_unlock(locked, owner=ben.label, now=timezone.now())

    assert rita.user is not None
    assert [message.to for message in mail.outbox] == [[rita.user.email]]


def test_one_who_was_invited_and_never_came_is_told_nothing(
    locked: Device, ben: Actor, ana: Actor, rita: Actor
) -> None:
    """An address that was mistyped would read of the phones."""
    locking.allow_reprovision(locked, by=ben)
    Membership.objects.filter(user=ana.user).update(invited_at=timezone.now())

    telling.of_own_unlock(locked, owner=ben.label, now=timezone.now())

    assert rita.user is not None
    assert [message.to for message in mail.outbox] == [[rita.user.email]]


def test_the_owner_s_unlock_asks_for_the_mail_and_a_manager_s_does_not(
    locked: Device,
    ben: Actor,
    ana: Actor,
    django_capture_on_commit_callbacks: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[object]] = []
    monkeypatch.setattr(tasks.tell, "apply_async", lambda args: asked.append(args))

    with django_capture_on_commit_callbacks(execute=True):
        locking.allow_reprovision(locked, by=ana)
        locking.allow_reprovision(locked, by=ben)

    assert asked == [["own-unlock", locked.pk, ben.label]]
