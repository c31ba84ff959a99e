"""What the platform remembers of a MAC when its phone is gone, given away or swapped (E9, E8q): as hashes."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import Account
from devices.models import Device, Site
from provisioning import wire
from provisioning.gate import State
from provisioning.models import Lock, MacRecord, Proof

FORMER_BINDING_KEPT = timedelta(days=30)


def entry_of(mac: str) -> MacRecord | None:
    """The ledger's line of this MAC."""
    return MacRecord.objects.filter(mac_hash=_hash(mac)).first()


def entries(macs: Iterable[str]) -> dict[str, MacRecord]:
    """The ledger's lines of many MACs."""
    by_hash = {_hash(mac): mac for mac in macs}
    return {by_hash[row.mac_hash]: row for row in MacRecord.objects.filter(mac_hash__in=by_hash)}


def left(device: Device, lock: Lock, *, now: datetime) -> None:
    """Write down that the device leaves its MAC: what it was there, and what the next one must know.

    A device that never did anything there changes nothing of what an earlier one has left.
    """
    quarantined = lock.state == State.QUARANTINED.value
    suspected_until = lock.suspicion_until if lock.suspicion_until and now < lock.suspicion_until else None
    entry = entry_of(device.mac)
    if entry is None:
        if lock.last_claim_at is None and not quarantined and suspected_until is None:
            return
        entry = MacRecord(mac_hash=_hash(device.mac), account_code=device.account.code)
    if lock.last_claim_at is not None or quarantined:
        entry.account_code = device.account.code
        entry.bound_first, entry.bound_last = lock.bound_first, lock.bound_last
        entry.bound_site_code = lock.bound_site.code if lock.bound_site else None
        entry.left_at = now
    entry.claimed = entry.claimed or lock.last_claim_at is not None
    entry.quarantined = quarantined  # only E8 ends one, and it has, if the lock says so
    entry.suspicion_until = suspected_until
    entry.save()


def given_to(account: Account, mac: str) -> None:
    """The phone with this MAC is that account's now: nobody gets the former one's binding (E17)."""
    MacRecord.objects.filter(mac_hash=_hash(mac)).update(
        account_code=account.code, bound_first="", bound_last="", bound_site_code=None, left_at=None
    )


def recall(lock: Lock, *, now: datetime) -> bool:
    """E9: put the new lock into the state that its MAC calls for; False when that MAC is as good as new.

    One that was claimed before is LOCKED, a quarantined one stays so, whoever enters it.
    """
    return put_back(lock, entry_of(lock.device.mac), now=now)


def put_back(lock: Lock, entry: MacRecord | None, *, now: datetime) -> bool:
    """As `recall`, by a line of the ledger that is known."""
    device = lock.device
    if entry is None:
        return False
    if entry.suspicion_until is not None and now < entry.suspicion_until:
        lock.suspicion_since, lock.suspicion_until = now, entry.suspicion_until
    if not (entry.claimed or entry.quarantined):
        return False
    lock.state = State.QUARANTINED.value if entry.quarantined else State.LOCKED.value
    lock.reason = Lock.Reason.PREVIOUSLY_REGISTERED
    left_at = entry.left_at
    if entry.account_code == device.account.code and left_at and now - left_at <= FORMER_BINDING_KEPT:
        # Its dead tokens are then judged from its own place (T4), and it comes back without a person.
        lock.bound_first, lock.bound_last = entry.bound_first, entry.bound_last
        if entry.bound_site_code is not None:
            lock.bound_site = Site.objects.filter(account=device.account, code=entry.bound_site_code).first()
    return True


def was_used(device: Device, lock: Lock) -> bool:
    """Whether the device was ever claimed or proved, here or where it was moved from (E10)."""
    if lock.last_claim_at is not None or Proof.objects.filter(device=device).exists():
        return True
    entry = entry_of(device.mac)
    moved_here = entry is not None and entry.account_code == device.account.code and entry.left_at is None
    return bool(moved_here and entry and entry.claimed)


def _hash(mac: str) -> str:
    return wire.mac_hash(settings.TOKEN_KEY, mac)
