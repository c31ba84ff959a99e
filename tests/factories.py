"""Valid rows without arguments; tests state only what matters."""

import itertools
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import Account
from accounts.scope import Actor
from devices.models import Device, Site
from provisioning import approvals, entering, sites
from provisioning.gate import Outcome
from provisioning.models import Approval, Claim, DeviceEvent, FailureKey, Proof
from security.models import Ban
from security.networks import Network, origin_of, parse_address, show_address

HOME, AWAY, ELSEWHERE = "203.0.113.24", "198.51.100.7", "192.0.2.44"
AGENT = "Yealink SIP-T46U 108.86.0.90"

_numbers = itertools.count(0x10)


def origin(address: str = AWAY) -> Network:
    return origin_of(parse_address(address))


def make_mac() -> str:
    """A MAC of IANA's range, outside the 256 of the documentation's part that tests name themselves."""
    return f"00005e{0x100000 + next(_numbers):06x}"


def make_phone(account: Account, *, by: Actor, **changes: Any) -> Device:
    """A new phone of the account, entered by the verb."""
    facts: dict[str, Any] = {"mac": make_mac(), "family": "yealink", "model": "T46U", "name": "Desk"}
    device = entering.enter(account, by=by, **{**facts, **changes})
    return Device.objects.select_related("account", "lock").get(pk=device.pk)


def make_site(account: Account, *, by: Actor, name: str = "Head office", networks: Any = ()) -> Site:
    return sites.create(account, by=by, name=name, networks=networks)


def bind(device: Device, address: str = HOME, *, site: Site | None = None) -> None:
    """Lock the phone to an address or a site, as a claim leaves it."""
    lock = device.lock
    where = origin(address)
    lock.state, lock.reason, lock.by = "locked", "", "first fetch (R1)"
    lock.bound_first, lock.bound_last = ("", "") if site else (where.hex_first, where.hex_last)
    lock.bound_site = site
    lock.grant_given_at = lock.grant_until = None
    lock.save()


def refused(
    device: Device, address: str = AWAY, *, at: datetime | None = None, rule: str = "R6"
) -> DeviceEvent:
    """A line of the log: a try of this phone that was refused."""
    return DeviceEvent.objects.create(
        device=device,
        account=device.account,
        mac=device.mac,
        at=at or timezone.now(),
        what="request",
        outcome=Outcome.REFUSED.value,
        rule=rule,
        address=address,
        agent=AGENT,
        file=f"{device.mac}.boot",
    )


def proved(device: Device, address: str = HOME, *, at: datetime | None = None) -> Proof:
    where = origin(address)
    return Proof.objects.create(
        device=device, first=where.hex_first, last=where.hex_last, at=at or timezone.now()
    )


def claimed(device: Device, address: str = HOME, *, at: datetime | None = None, rule: str = "R1") -> Claim:
    where = origin(address)
    return Claim.objects.create(
        device=device,
        mac=device.mac,
        at=at or timezone.now(),
        rule=rule,
        first=where.hex_first,
        last=where.hex_last,
        address=show_address(where.first),
    )


def failure(
    address: str = AWAY, *, kind: str = "locked-mac", label: str = "", at: datetime | None = None
) -> FailureKey:
    where, at = origin(address), at or timezone.now()
    return FailureKey.objects.create(
        first=where.hex_first,
        last=where.hex_last,
        hour=at.replace(minute=0, second=0, microsecond=0),
        kind=kind,
        label=label,
        first_at=at,
        last_at=at,
    )


def banned(address: str = AWAY, *, kind: str = Ban.Kind.BANNED, at: datetime | None = None) -> Ban:
    where, at = origin(address), at or timezone.now()
    return Ban.objects.create(
        kind=kind,
        first=where.hex_first,
        last=where.hex_last,
        reason="Scanned",
        set_by="support",
        starts_at=at,
        ends_at=at + timedelta(hours=1),
    )


def tried(device: Device, address: str = AWAY, **changes: Any) -> Approval | None:
    """A refused try of this phone as the drain tells it; the card that it made or joined."""
    said: dict[str, Any] = {
        "rule": "R6",
        "agent": AGENT,
        "product": "Yealink SIP-T46U",
        "at": timezone.now(),
        "count": 1,
    }
    return transaction.atomic(approvals.note_try)(
        device, address=parse_address(address), **{**said, **changes}
    )
