"""What a phone's page says of its protection: the points, and what is lacking with why."""

from dataclasses import dataclass

from accounts.scope import Actor
from devices.models import Device
from provisioning import hardening
from provisioning.hardening import Protection


@dataclass(frozen=True, slots=True)
class HardeningCard:
    """The points of one phone and each protection that is not on, with the reason for this reader."""

    points: int
    lacking: list[tuple[Protection, str]]


def hardening_card(device: Device, actor: Actor) -> HardeningCard | None:
    """The card of one phone; None when the catalogue has lost its model."""
    score = hardening.of_phone(device)
    return HardeningCard(score.points, told(score.lacking, actor)) if score else None


def told(lacking: list[Protection], reader: Actor) -> list[tuple[Protection, str]]:
    """What a phone lacks, each with why."""
    return [(row, row.reason(reader)) for row in lacking]
