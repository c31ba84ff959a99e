"""Which single phones are quiet, and since when (section 7, first sentence)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from devices.models import Device
from devices.polling import Intervals
from provisioning.quiet_places import SILENT
from provisioning.silence import Phone, is_quiet


@dataclass(frozen=True, slots=True)
class Lapse:
    """A phone is waited for: since when, how often it should ask, and when it last did."""

    since: datetime
    interval: float
    last: datetime


def lapses(devices: Iterable[Device], now: datetime) -> dict[int, Lapse]:
    """The phones among these that are quiet; they come with their account, lock and last check-in.

    Nobody waits for a phone that is disabled, retired or in quarantine. One query.
    """
    intervals = Intervals()
    found = {}
    for device in devices:
        seen = getattr(device, "last_seen", None)
        if seen is None or not device.is_enabled or device.lock.state in SILENT:
            continue
        interval = intervals.of(device.pk, device.account.path, device.family, device.model)
        phone = Phone(interval, seen.at)
        if is_quiet(phone, now):
            found[device.pk] = Lapse(seen.at + phone.allowance, interval, seen.at)
    return found
