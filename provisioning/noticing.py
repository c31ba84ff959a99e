"""What people are told of by e-mail, how each kind may reach them, and when a piece of news leaves. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MORNING = 7  # the hour, where the person is, from which on the daily e-mail leaves


class How(StrEnum):
    """How a person wants to hear of a kind of thing; the words are NoticeChoice's."""

    AT_ONCE = "at-once"
    HOURLY = "hourly"
    DAILY = "daily"
    NEVER = "never"


class About(StrEnum):
    """The kinds of things that people are told of."""

    WAITING = "waiting"  # open approvals and suspected clones
    BANS = "bans"
    INCIDENTS = "incidents"
    OWN_UNLOCKS = "own-unlocks"
    NEW_PLACES = "new-places"
    RESETS = "resets"
    OPEN_ENDS = "open-ends"
    YIELDED = "yielded"
    JOBS = "jobs"
    REFUSED_MACS = "refused-macs"


@dataclass(frozen=True, slots=True)
class Kind:
    """The ways there are for one kind, and the usual one; platform support alone hears of some."""

    usual: How
    ways: tuple[How, ...]
    is_supports: bool = False


_ANY = (How.AT_ONCE, How.HOURLY, How.DAILY, How.NEVER)
#: Bans and incidents cannot be switched off: somebody near the phones has to hear of them. What comes up at
#: most once an hour or once a day offers nothing quicker.
KINDS: dict[About, Kind] = {
    About.WAITING: Kind(How.HOURLY, (How.HOURLY, How.DAILY, How.NEVER)),
    About.BANS: Kind(How.AT_ONCE, (How.AT_ONCE, How.HOURLY, How.DAILY)),
    About.INCIDENTS: Kind(How.AT_ONCE, (How.AT_ONCE, How.HOURLY, How.DAILY)),
    About.OWN_UNLOCKS: Kind(How.AT_ONCE, _ANY),
    About.NEW_PLACES: Kind(How.HOURLY, (How.HOURLY, How.DAILY, How.NEVER)),
    About.RESETS: Kind(How.DAILY, (How.DAILY, How.NEVER)),
    About.OPEN_ENDS: Kind(How.DAILY, (How.DAILY, How.NEVER)),
    About.YIELDED: Kind(How.AT_ONCE, _ANY),
    About.JOBS: Kind(How.NEVER, _ANY),
    About.REFUSED_MACS: Kind(How.AT_ONCE, _ANY, is_supports=True),
}


def way(kind: About, chosen: str | None) -> How:
    """How this kind reaches a person who has chosen so; what the kind does not offer counts for nothing."""
    known = KINDS[kind]
    return next((how for how in known.ways if how == chosen), known.usual)


def due_at(how: How, *, at: datetime, zone: str, last_hourly: datetime | None = None) -> datetime | None:
    """When something that came up then leaves; never, for those who do not want it.

    A person gets one hourly e-mail an hour, with everything in it.
    """
    if how is How.NEVER:
        return None
    if how is How.DAILY:
        return next_morning(at, zone)
    if how is How.HOURLY and last_hourly is not None:
        return max(at, last_hourly + HOUR)
    return at


def next_morning(at: datetime, zone: str) -> datetime:
    """The first seven o'clock in that zone that is not before `at`."""
    there = at.astimezone(ZoneInfo(zone))
    today = there.replace(hour=MORNING, minute=0, second=0, microsecond=0)
    # By the clock on the wall: a day may have 23 or 25 hours.
    morning = today if there <= today else today + DAY
    return morning.astimezone(at.tzinfo)
