"""What to do with a phone so that it starts anew, in the words of whoever stands before it, by its model."""

from django.utils.translation import gettext as _

from devices.catalog import catalog
from devices.models import Device


def restart_words(device: Device) -> str:
    """One sentence or two: how this model is taken off its power and put on again."""
    family = catalog().families.get(device.family)
    power = family.power_of(device.model) if family else "plug-or-cable"
    return _by_power(power)


def waiting_words(device: Device) -> str:
    """How long it takes from there until the phone works, and what the reader sees meanwhile."""
    family = catalog().families.get(device.family)
    model = family.models.get(device.model) if family else None
    if family and model and family.generations[model.generation].slow:
        return _("It can take up to an hour. Starting it once more after three minutes hurries it.")
    if model and model.single_step:
        return _("That takes about three minutes.")
    return _("It starts twice; that takes about three minutes.")


def _by_power(power: str) -> str:
    match power:
        case "cable":
            return _(
                "Pull the network cable that it gets its power from, count to ten, plug the cable in again."
            )
        case "base":
            return _(
                "Pull the plug and the network cable of its base station (the box, not the handset); if it"
                " has only one of them, pull that one. Count to ten, plug in again what you pulled."
            )
        case "adapter":
            return _(
                "Pull the plug of the box that your phone is connected to, count to ten, plug it in again."
            )
        case "battery":
            return _("Switch it off, count to ten, switch it on again.")
        case "wired-in":
            return _(
                "It gets its power through the wall, by its network cable or by a power supply. Switch that"
                " off, or have it switched off, count to ten, switch it on again."
            )
        case _:
            return _(
                "Pull its plug and the network cable that goes to the wall; if it has only one of them, pull"
                " that one. Count to ten, plug in again what you pulled."
            )
