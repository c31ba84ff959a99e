"""Broken hardware is swapped: the phone keeps its lines and settings and becomes another MAC (E12)."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices import exposing, holding
from devices.appearances import check_model
from devices.mac import pretty
from devices.models import Device
from provisioning import draining, entering, events, ledger, locking, publishing
from provisioning.gate import State
from provisioning.models import Token, first_revision
from provisioning.shedding import SHED, shed
from provisioning.suspicion import SUSPICION


def swap(device: Device, *, by: Actor, mac: str, model: str = "", now: datetime | None = None) -> Device:
    """Let other hardware take the phone's place, of another model of its family if so asked.

    The old MAC is on no phone: the ledger remembers it, and its tokens are dead. The new one is NEW, or what
    the platform remembers of it (E9).
    """
    now = now or timezone.now()
    if not by.may(Power.EDIT_DEVICES, device.account.path):
        raise Forbidden
    parsed = entering.read_mac(mac)
    with entering.counting_refusals(device.account, by=by, mac=parsed, now=now), transaction.atomic():
        draining.pause()
        device = holding.held(device)
        shown = exposing.hold(device)
        lock = locking.locked_row(device)
        locking.refuse_put_away(lock)
        if parsed == device.mac:
            raise Refusal("E12", gettext("This is the phone's MAC already."), code="same-mac", field="mac")
        floor = entering.make_room(parsed, device.account, now)
        before: dict[str, Any] = {"old": device.mac, "old_model": device.model}
        ledger.left(device, lock, now=now)
        publishing.device_gone(device)
        shed(device, lock, state=State.NEW, by=by, now=now)
        Token.objects.filter(device=device).update(device=None)
        _refit(device, parsed, model)
        lock.device = device
        lock.suspicion_since = lock.suspicion_until = None
        lock.suspicion_why = ""
        # Higher than whatever stands under that MAC in the store: another phone may just have left it.
        floor = max(floor, first_revision())
        lock.revision, lock.files_revision = max(lock.revision, floor), max(lock.files_revision, floor)
        remembered = ledger.recall(lock, now=now)
        cleaning.full_clean(lock)
        lock.save(update_fields=[*SHED, *SUSPICION, "revision", "files_revision"])
        exposing.expose(shown, by=by, why=f"The hardware of {device} was swapped (E12)", now=now)
        details: dict[str, Any] = {
            "new": device.mac,
            "model": device.model,
            "state": lock.state,
            "reason": lock.reason,
        }
        audit.record(by, "device.swapped", device, now=now, **before, **details)
        events.write(
            device,
            "swapped",
            by=by,
            rule="E9" if remembered else "E12",
            at=now,
            old=pretty(before["old"]),
            new=pretty(device.mac),
        )
        publishing.device_changed(device.pk, files=True)
    return device


def _refit(device: Device, mac: str, model: str) -> None:
    """The row with the new hardware, whose passwords nobody has seen; its lines and keys must fit."""
    device.mac = mac
    if model:
        device.model = entering.read_model(device.family, model).name
        check_model(device)
    entering.draw_passwords(device)
    entering.save_with_mac(device)
