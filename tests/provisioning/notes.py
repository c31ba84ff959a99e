"""Notes as the edges write them, for tests of what the drain makes of them."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from devices.models import Device
from provisioning import draining, wire
from provisioning.gate import TokenKind
from provisioning.models import Token
from security.networks import parse_address

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def tried(device: Device, address: str, at: datetime, **more: Any) -> wire.Note:
    """A claiming fetch that was refused at a foreign address, and opens no card."""
    values: dict[str, Any] = {
        "at": at.timestamp(),
        "address": f"{parse_address(address):x}",
        "rule": "R6",
        "outcome": "refused",
        "mac": device.mac,
        "code": str(device.code),
        "agent": "Yealink SIP-T46S 66.85.0.5",
        "key": "locked-mac",
        "label": device.mac,
    }
    return wire.Note(**(values | more))


def used(device: Device, address: str, at: datetime, *, drift: bool, **more: Any) -> wire.Note:
    """A check-in by the phone's current token."""
    token = Token.objects.filter(device=device, kind=TokenKind.CURRENT.value).first()
    values: dict[str, Any] = {
        "at": at.timestamp(),
        "address": f"{parse_address(address):x}",
        "rule": "O4" if drift else "O3",
        "outcome": "full",
        "mac": device.mac,
        "code": str(device.code),
        "agent": "Yealink SIP-T46S 66.85.0.5",
        "file": f"{device.mac}.cfg",
        "token": token.hash if token else "",
        "check_in": True,
        "current": True,
        "drift": drift,
    }
    return wire.Note(**(values | more))


def drain(*notes: wire.Note, now: datetime) -> None:
    """One batch of notes, as the drain writes it."""
    with transaction.atomic():
        draining.write(notes, now)
