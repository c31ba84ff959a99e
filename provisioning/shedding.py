"""What a phone leaves behind when it goes to another account (E17) or becomes other hardware (E12)."""

from datetime import datetime

from accounts.scope import Actor
from devices.models import Device
from provisioning import approvals, locking, tokens
from provisioning.gate import State
from provisioning.models import Claim, Denial, LastSeen, Lock, Proof, ResyncRequest, Upload

SHED = (
    *locking.GRANT,
    *locking.BINDING,
    *("reason", "armed_at", "accepted_agents", "last_claim_at"),
    *("follow_first", "follow_last", "follow_since"),
)


def shed(device: Device, lock: Lock, *, state: State, by: Actor, now: datetime) -> None:
    """Tokens, binding, unlock, card and denials end, and what the phone did is nobody's proof any more.

    The lock's columns are set, and not saved. Its claims are out of a take-back's reach (E16).
    """
    tokens.kill_all(device, now=now)
    Claim.objects.filter(device=device).update(device=None)
    for rows in (Proof, LastSeen, Upload, ResyncRequest):
        rows.objects.filter(device=device).delete()
    Denial.objects.filter(lock=lock).delete()
    approvals.close_for(device, by=by, now=now)
    locking.close_grant(lock, state=state, since=now, by=by.label)
    lock.reason, lock.armed_at = Lock.Reason.NONE, now
    lock.bound_first = lock.bound_last = ""
    lock.bound_site = None
    lock.accepted_agents, lock.last_claim_at = [], None
    lock.follow_first = lock.follow_last = ""
    lock.follow_since = None
