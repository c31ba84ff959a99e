"""What tests of verbs look at: the lock's row, and everything that a refusal must leave as it was."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.refusals import Refusal
from devices.models import Device
from provisioning.models import DeviceEvent, Lock, Outbox

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Verb = Callable[..., Any]


def lock_of(device: Device) -> Lock:
    return Lock.objects.get(pk=device.pk)


def set_lock(device: Device, **columns: Any) -> None:
    Lock.objects.filter(pk=device.pk).update(**columns)


def everything(device: Device) -> tuple[Any, ...]:
    """What a refusal must leave as it was."""
    row = Lock.objects.filter(pk=device.pk).values().get()
    return row, AuditEntry.objects.count(), DeviceEvent.objects.count(), Outbox.objects.count()


def is_refused(device: Device, verb: Verb, code: str, rule: str, **arguments: Any) -> None:
    before = everything(device)
    with pytest.raises(Refusal) as caught:
        verb(device, **arguments)
    assert (caught.value.code, caught.value.rule) == (code, rule)
    assert everything(device) == before
