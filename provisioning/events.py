"""write(): one line of a phone's log for what a person or the clock did; requests write their own."""

from datetime import datetime
from typing import Any

from accounts.scope import Actor
from devices.models import Device
from provisioning.models import DeviceEvent

# Until these words have a page of their own they are the whole list of what is not a request.
WHAT = frozenset(
    {
        "entered",
        "changed",
        "unlocked",
        "unlock-expired",
        "locked",
        "stale",
        "rearmed",
        "quarantined",
        "approval-opened",
        "approval-answered",
        "approval-closed",
        "clone-suspected",
    }
)


def write(
    device: Device,
    what: str,
    *,
    by: Actor | None = None,
    rule: str = "",
    at: datetime,
    address: str = "",
    **details: Any,
) -> DeviceEvent:
    """Add a line to the phone's log, in the caller's transaction; details must be plain JSON values."""
    return DeviceEvent.objects.create(
        device=device,
        account=device.account,
        mac=device.mac,
        at=at,
        what=what,
        rule=rule,
        address=address,
        actor=by.label if by else "",
        details=details,
    )
