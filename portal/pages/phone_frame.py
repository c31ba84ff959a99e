"""What every tab of a phone's page shows: the phone, its lock, and what the reader may do."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone

from accounts.guards import PageRequest
from accounts.roles import Power
from devices.models import Device
from portal.pages.phones import dressed
from portal.pages.rows import phone_rows
from provisioning import previewing


def find_phone(request: PageRequest, code: UUID) -> Device:
    """A phone of an account that the reader may look into; a stranger's is not there."""
    phones = dressed(request.actor, Device.objects.visible_to(request.actor))
    return get_object_or_404(phones.select_related("owner"), code=code)


def frame_of(request: PageRequest, device: Device, tab: str) -> dict[str, Any]:
    """What every tab of a phone's page shows."""
    now = timezone.now()
    path = device.account.path
    row = phone_rows([device], now)[0]
    return {
        "section": "phones",
        "tab": tab,
        "now": now,
        "device": device,
        "zone": device.account.time_zone,
        "row": row,
        "lock": row.lock,
        "may": {
            "unlock": request.actor.may(Power.UNLOCK_DEVICE, path),
            "edit": request.actor.may(Power.EDIT_DEVICES, path),
            "rearm": request.actor.may(Power.REARM_DEVICE, path),
            "quarantine": request.actor.may(Power.QUARANTINE_DEVICE, path),
            "release": request.actor.may(Power.RELEASE_DEVICE, path),
            "take_back": request.actor.may(Power.TAKE_BACK, path),
            "retire": request.actor.may(Power.RETIRE_DEVICE, path),
            "move": request.actor.may(Power.MOVE_DEVICE, path),
            "answer": request.actor.may(Power.ANSWER_APPROVAL, path),
            "files": previewing.may_see(request.actor, device.account),
        },
    }
