"""A phone in one line: its state in words, what it is bound to, when it was last heard from."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from devices.models import Device
from portal.templatetags.latchkey import left, when, who
from provisioning import describing, quiet_phones
from provisioning.gate import State
from provisioning.models import LastSeen, Lock


@dataclass(frozen=True, slots=True)
class PhoneRow:
    """What a row of a list shows of a phone."""

    device: Device
    lock: describing.LockView
    state: str
    left: str
    so: str
    told: list[str]
    bound: str
    bound_address: str
    seen: LastSeen | None
    zone: str
    extensions: str
    is_waiting: bool
    quiet: quiet_phones.Lapse | None


def phone_rows(devices: Iterable[Device], now: datetime) -> list[PhoneRow]:
    """Phones that were fetched with lock, site, last check-in and appearances, in the same order."""
    phones = list(devices)
    views = describing.describe((device.lock for device in phones), now=now)
    quiet = quiet_phones.lapses(phones, now)
    return [_row(device, views[device.pk], quiet.get(device.pk), now) for device in phones]


def _row(
    device: Device, view: describing.LockView, quiet: quiet_phones.Lapse | None, now: datetime
) -> PhoneRow:
    lock: Lock = device.lock
    lines = [appearance.extension.username for appearance in device.appearances.all()]
    state = view.state if device.is_enabled or view.state == State.QUARANTINED.value else "disabled"
    so = _since_or_until(view, state)
    return PhoneRow(
        device=device,
        lock=view,
        state=state,
        left=left(view.until, now) if state == State.UNLOCKED.value else "",
        so=so,
        told=_told(view, state, so),
        bound=lock.bound_site.name if lock.bound_site else (_("Own address") if lock.bound_first else ""),
        bound_address=str(lock.bound_network or ""),
        seen=getattr(device, "last_seen", None),
        zone=view.zone,
        extensions=", ".join(dict.fromkeys(lines)),
        is_waiting=bool(getattr(device, "is_waiting", False)),
        quiet=quiet,
    )


def _told(view: describing.LockView, state: str, so: str) -> list[str]:
    """What a list says below a badge: what happens by itself, and since when or by whom it is so."""
    if view.forecast is None:
        return [so]
    if state == State.UNLOCKED.value:
        return [view.forecast.sentence, _("Unlocked by %(person)s") % {"person": who(view.by)}]
    return [view.forecast.sentence] if state == State.NEW.value else [so, view.forecast.sentence]


def _since_or_until(view: describing.LockView, state: str) -> str:
    if state == State.UNLOCKED.value:
        by = who(view.by)
        if view.until is None:
            return _("until its first fetch, by %(person)s") % {"person": by}
        return _("until %(end)s, by %(person)s") % {"end": when(view.until, view.zone), "person": by}
    if state == State.NEW.value and view.until:
        return _("until %(end)s") % {"end": when(view.until, view.zone)}
    return _("since %(start)s") % {"start": when(view.since, view.zone)}
