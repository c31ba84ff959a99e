"""A phone is retired: the root refuses it, and its private URL gives a last file without accounts (E19)."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import audit, cleaning
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.scope import Actor
from devices import exposing, holding
from devices.models import Appearance, Device, Extension
from provisioning import announcing, approvals, events, locking, publishing
from provisioning.gate import State, TokenKind
from provisioning.models import Lock, Token

LAST_FILES_FOR = timedelta(days=30)


@announcing.asked_once()
def retire(device: Device, *, by: Actor, now: datetime | None = None) -> Lock:
    """Take the phone out of use; its extensions get new secrets where they live on at another phone."""
    now = now or timezone.now()
    if not by.may(Power.RETIRE_DEVICE, device.account.path):
        raise Forbidden
    until = now + LAST_FILES_FOR
    with transaction.atomic():
        device = holding.held(device)
        shown = exposing.hold(device)
        lock = locking.locked_row(device, beside=_showing(shown, device))
        if lock.state == State.RETIRED.value:
            return lock
        locking.refuse_shut(lock, "E19")
        locking.close_grant(lock, state=State.RETIRED, since=now, by=by.label)
        lock.reason = Lock.Reason.NONE
        cleaning.full_clean(lock)
        lock.save(update_fields=[*locking.GRANT, "reason"])
        _end_tokens(device, until)
        approvals.close_for(device, by=by, now=now)
        details: dict[str, Any] = {"until": until.isoformat()}
        audit.record(by, "device.retired", device, now=now, **details)
        events.write(device, "retired", by=by, rule="E19", at=now, **details)
        publishing.device_changed(device.pk, files=True)
        _end_secrets(shown, device, by=by, now=now)
    return lock


def _end_tokens(device: Device, until: datetime) -> None:
    """Every living token has an end now; one that ends sooner keeps its own."""
    kinds = (TokenKind.CURRENT.value, TokenKind.FORMER.value)
    living = Token.objects.filter(device=device, kind__in=kinds)
    living.filter(Q(until=None) | Q(until__gt=until)).update(until=until)


def _end_secrets(shown: list[Extension], device: Device, *, by: Actor, now: datetime) -> None:
    """E15: what another living phone shows gets a new secret at once, the rest is marked."""
    resting = []
    for extension in shown:
        if _showing([extension], device):
            exposing.new_secret(extension, by=by, now=now)
        else:
            resting.append(extension)
    exposing.expose(resting, by=by, why=f"{device} was retired (E19)", now=now)


def _showing(extensions: list[Extension], device: Device) -> set[int]:
    """The other phones in use that show one of these extensions."""
    rows = Appearance.objects.filter(extension__in=extensions).exclude(device=device)
    return set(rows.exclude(device__lock__state=State.RETIRED.value).values_list("device_id", flat=True))
