"""How a phone is taken off its power and put on again by whoever stands before it, by where that is from."""

from django.utils.translation import gettext as _


def sentence(power: str) -> str:
    """What to do with a phone that has its power from there (`family.POWERS`)."""
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
