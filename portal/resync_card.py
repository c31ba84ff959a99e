"""What a phone's page says of asking it to fetch again: whether it can be asked, and what came of it last."""

from dataclasses import dataclass

from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Device
from provisioning import resync
from provisioning.models import Lock, ResyncRequest


@dataclass(frozen=True, slots=True)
class ResyncCard:
    """The buttons, or why there are none, and the last time."""

    may: bool
    why_not: str
    last: ResyncRequest | None
    told: str


def resync_card(device: Device, lock: Lock, actor: Actor) -> ResyncCard:
    """The card of one phone for one reader."""
    last = resync.latest(device)
    return ResyncCard(
        may=actor.may(Power.EDIT_DEVICES, device.account.path),
        why_not=resync.why_not(lock),
        last=last,
        told=resync.told(last) if last else "",
    )
