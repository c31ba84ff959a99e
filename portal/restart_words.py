"""What to do with a phone so that it starts anew, in the words of whoever stands before it, by its model."""

from django.utils.translation import gettext as _

from devices import restarting
from devices.catalog import catalog
from devices.models import Device


def restart_words(device: Device) -> str:
    """One sentence or two: how this model is taken off its power and put on again."""
    family = catalog().families.get(device.family)
    power = family.power_of(device.model) if family else "plug-or-cable"
    return restarting.sentence(power)


def waiting_words(device: Device) -> str:
    """How long it takes from there until the phone works, and what the reader sees meanwhile."""
    family = catalog().families.get(device.family)
    model = family.models.get(device.model) if family else None
    if family and model and family.generations[model.generation].slow:
        return _("It can take up to an hour. Starting it once more after three minutes hurries it.")
    if model and model.single_step:
        return _("That takes about three minutes.")
    return _("It starts twice; that takes about three minutes.")
