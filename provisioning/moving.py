"""A phone moves to another account: what was the old tenant's stays behind or ends in the same step (E17)."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.deleting import refuse_deleted
from accounts.models import Account
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices import exposing, holding
from devices.appearances import partners
from devices.models import Device
from provisioning import announcing, draining, entering, events, ledger, locking, publishing
from provisioning.gate import State
from provisioning.models import CheckInHour, DeviceEvent, JobItem, Lock, Window
from provisioning.shedding import SHED, shed


@announcing.asked_once()
def move(device: Device, *, by: Actor, to: Account, name: str = "", now: datetime | None = None) -> Device:
    """Give the phone to another account, where it is locked to nothing and shows nothing.

    1. The old account keeps its log and its lines; their secrets may be known to others now (E15).
    2. What the phone was given is dead; what it was set to, and what it did there, is gone.
    3. The new account's log begins here. Neither account's record names the other one.
    """
    now = now or timezone.now()
    if not (by.may(Power.MOVE_DEVICE, device.account.path) and by.may(Power.MOVE_DEVICE, to.path)):
        raise Forbidden
    name = cleaning.one_line("name", name, longest=120)
    with transaction.atomic():
        draining.pause()
        device, to = holding.held(device), _target(to, by)
        shown = exposing.hold(device)
        alone = partners(device, device.appearances.all())
        lock = locking.locked_row(device, beside=alone)
        if lock.state == State.QUARANTINED.value:
            locking.refuse_put_away(lock)
        old = device.account
        if old.pk == to.pk:
            raise Refusal(
                "E17",
                gettext("This phone is in {to} already.").format(to=to),
                code="already-there",
                field="account",
            )
        exposing.expose(shown, by=by, why=f"{device} moved to another account (E17)", now=now)
        audit.record(by, events.MOVED_AWAY, device, now=now, mac=device.mac)
        events.write(device, "moved-away", by=by, rule="E17", at=now)
        publishing.withdrawn(device)
        shed(device, lock, state=State.LOCKED, by=by, now=now)
        _leave_behind(device)
        _settle(device, to, name, now)
        lock.device, lock.reason = device, Lock.Reason.MOVED
        cleaning.full_clean(lock)
        lock.save(update_fields=SHED)
        ledger.given_to(to, device.mac)
        audit.record(by, "device.moved-here", device, now=now, mac=device.mac)
        _record_above(device, old, to, by, now)
        events.write(device, "moved-here", by=by, rule="E17", at=now)
        publishing.device_changed(device.pk, files=True)
        publishing.devices_changed(sorted(alone), files=True)
    return device


def _target(to: Account, by: Actor) -> Account:
    """The new account as it is now: it may stand elsewhere since the actor's power was looked at."""
    found: Account = Account.objects.get(pk=to.pk)
    if not by.may(Power.MOVE_DEVICE, found.path):
        raise Forbidden
    refuse_deleted(found)
    return found


def _leave_behind(device: Device) -> None:
    """Lines, keys and settings go; the log and the jobs stay with their account, without the phone."""
    device.appearances.all().delete()
    device.keys.all().delete()
    device.setting_values.all().delete()
    device.raw_values.all().delete()
    CheckInHour.objects.filter(device=device).delete()
    DeviceEvent.objects.filter(device=device).update(device=None)
    JobItem.objects.filter(device=device).exclude(result=JobItem.Result.WAITING).update(device=None)
    if Window.devices.through.objects.filter(device=device).delete()[0]:
        publishing.lists_changed()


def _settle(device: Device, to: Account, name: str, now: datetime) -> None:
    """The phone as the new account gets it, with passwords that nobody has seen."""
    device.account, device.name, device.notes = to, name, ""
    device.owner = device.site = device.profile = None
    device.created_at = now
    entering.draw_passwords(device)
    cleaning.full_clean(device, blame="account")
    device.save()


def _record_above(device: Device, old: Account, to: Account, by: Actor, now: datetime) -> None:
    """From where to where stands in the record of the nearest account above both."""
    shared = set(old.ancestor_paths()) & set(to.ancestor_paths())
    above = Account.objects.get(path=max(shared, key=len))
    details = {"mac": device.mac, "old": old.slug, "new": to.slug}
    audit.record(by, "device.moved", device, account=above, now=now, **details)
