"""What will happen to a phone's lock by itself, and when. Pure."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from provisioning.gate import State
from provisioning.sentences import when


@dataclass(frozen=True, slots=True)
class Forecast:
    """What comes next by itself: ships, locks, locks-again, last-file-ends; when; in a sentence."""

    what: str
    at: datetime
    sentence: str


def forecast(
    *,
    state: State,
    until: datetime | None,
    armed_at: datetime,
    is_enabled: bool,
    zone: str,
    now: datetime,
) -> Forecast | None:
    """Foretell from a lock's state as it is judged now; None where nothing happens without a person."""
    if not is_enabled or until is None:
        return None
    shown = when(until, zone, now=now)
    if state is State.NEW and armed_at > now:
        said = _("Ships on %(day)s. Locks itself on %(end)s, unless it is plugged in before.")
        ships = when(armed_at, zone, now=now)
        return Forecast("ships", armed_at, said % {"day": ships, "end": shown})
    if state is State.NEW:
        said = _("Locks itself on %(end)s, unless it is plugged in before.")
        return Forecast("locks", until, said % {"end": shown})
    if state is State.UNLOCKED:
        said = _("Locks again on %(end)s, or when it is set up.")
        return Forecast("locks-again", until, said % {"end": shown})
    if state is State.RETIRED:
        return Forecast("last-file-ends", until, _("Its last file ends on %(end)s.") % {"end": shown})
    return None
