"""Many phones at once, as rows, and the notes of their check-ins."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Account
from devices.models import Device
from provisioning import wire
from provisioning.models import Lock
from security.networks import parse_address
from tests.factories import HOME, make_mac

SECOND = timedelta(seconds=1)


def make_crowd(account: Account, count: int, *, model: str = "T46U") -> list[Device]:
    """So many phones of the account, with locks and nothing else."""
    devices = Device.objects.bulk_create(
        Device(account=account, mac=make_mac(), family="yealink", model=model, name=f"Desk {at}")
        for at in range(count)
    )
    Lock.objects.bulk_create(Lock(device=device) for device in devices)
    return devices


def came(device: Device, at: datetime, address: str = HOME, **more: Any) -> wire.Note:
    """The note of a check-in by the current token."""
    values: dict[str, Any] = {
        "at": at.timestamp(),
        "address": f"{parse_address(address):x}",
        "rule": "O3",
        "outcome": "full",
        "mac": device.mac,
        "code": str(device.code),
        "agent": "Yealink SIP-T46U 108.86.0.90",
        "file": f"{device.mac}.cfg",
        "check_in": True,
        "current": True,
    }
    return wire.Note(**(values | more))


def all_came(
    devices: Iterable[Device], at: datetime, *, within: float = 54.0, address: str = HOME
) -> list[wire.Note]:
    """All of them, evenly within so many seconds."""
    devices = list(devices)
    step = within / max(1, len(devices) - 1)
    return [came(device, at + number * step * SECOND, address) for number, device in enumerate(devices)]
