"""What happened to a phone, and what may not be done, in the words of its owner: none of the trade's."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.templatetags.latchkey import when
from provisioning.live_lines import Line, Step
from provisioning.unblocking import LIMIT, Offer

SAME_DAY = "%H:%M"


@dataclass(frozen=True, slots=True)
class Said:
    """One line under a card: the clock time, and what happened then."""

    at: datetime
    clock: str
    words: str


def said(lines: list[Line], *, zone: str, now: datetime) -> list[Said]:
    """The lines with their times in the reader's zone; those of another day with their date."""
    return [Said(line.at, _clock(line.at, zone, now), _line(line)) for line in lines]


def _clock(at: datetime, zone: str, now: datetime) -> str:
    place = ZoneInfo(zone)
    there = at.astimezone(place)
    return f"{there:{SAME_DAY}}" if there.date() == now.astimezone(place).date() else when(at, zone)


def _line(line: Line) -> str:
    match line.step, line.here:
        case Step.ALLOWED, _here:
            return _("It may set itself up again.")
        case Step.CLOSED, _here:
            return _("It may not set itself up any more: somebody has ended that.")
        case Step.OVER, _here:
            return _("The time to set itself up was over.")
        case Step.LET_IN, True:
            return _("Your phone asked from this address and was let in.")
        case Step.LET_IN, _here:
            return _("Your phone asked from another address and was let in.")
        case Step.TURNED_AWAY, True:
            return _("Your phone asked from this address and was turned away.")
        case Step.TURNED_AWAY, _here:
            return _("Somebody asked for it from another address and was turned away.")
        case Step.TOLD_TO_WAIT, _here:
            return _("It was told to wait a moment. It asks again by itself.")
        case _here:
            return _("It has its configuration.")


def may_unblock_words(offer: Offer, *, zone: str) -> str:
    """What stands below the button that ends a ban: for where, how often, and what happens without it."""
    end = when(offer.until, zone)
    more = offer.left - 1
    if not more:
        return _(
            "Works at once, for %(address)s only. After this you cannot do it again today. Otherwise it ends"
            " by itself: %(end)s."
        ) % {"address": offer.address, "end": end}
    return ngettext(
        "Works at once, for %(address)s only. You can do this once more today. Otherwise it ends by itself:"
        " %(end)s.",
        "Works at once, for %(address)s only. You can do this %(more)d more times today. Otherwise it ends by"
        " itself: %(end)s.",
        more,
    ) % {"address": offer.address, "more": more, "end": end}


def why_not_words(offer: Offer, *, zone: str) -> str:
    """Why there is no such button, and what to do instead."""
    places = {"address": offer.address, "end": when(offer.until, zone), "limit": LIMIT}
    match offer.why_not.code if offer.why_not else "":
        case "blocked":
            return (
                _(
                    "Somebody has blocked %(address)s on purpose, until %(end)s. Ask the people who look"
                    " after your phones."
                )
                % places
            )
        case "wider-ban":
            return (
                _(
                    "More than your address is kept out, until %(end)s. Ask the people who look after your"
                    " phones, or wait."
                )
                % places
            )
        case "too-often":
            return (
                _(
                    "This was done %(limit)d times in 24 hours, so not again today. It ends by itself:"
                    " %(end)s. Something in your network goes on asking: tell the people who look after your"
                    " phones."
                )
                % places
            )
        case "no-phone-there":
            return (
                _(
                    "Plug your phone in at %(address)s first, so that it asks there; then you can do this"
                    " again. Otherwise it ends by itself: %(end)s."
                )
                % places
            )
        case _other:
            return _("It ends by itself: %(end)s.") % places


def link_refusal_words(code: str) -> str:
    """Why a link that is still good does nothing now, for whoever holds it."""
    match code:
        case "moved":
            return _("This phone is not with the people any more who sent you the link.")
        case "maker":
            return _("Whoever sent you this link does not look after the phone any more.")
        case "under-suspicion":
            return _("Others have tried to set up this phone, so a link cannot do it for now.")
        case "quarantined" | "retired" | "disabled":
            return _("This phone is switched off on purpose.")
        case _other:
            return _("This link cannot be used now.")
