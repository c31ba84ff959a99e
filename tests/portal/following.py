"""A phone's requests as the drain leaves them in its log."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from devices.models import Device
from provisioning.gate import Outcome
from provisioning.models import DeviceEvent

LOCAL = "127.0.0.1"


def asked(
    device: Device, outcome: Outcome, address: str = LOCAL, *, ago: timedelta, **more: Any
) -> DeviceEvent:
    facts = {"what": "request", "rule": "R7", "mac": device.mac, "account": device.account}
    event: DeviceEvent = DeviceEvent.objects.create(
        device=device, at=timezone.now() - ago, outcome=outcome.value, address=address, **{**facts, **more}
    )
    return event
