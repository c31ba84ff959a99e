"""What a silence is told in: what is missing since when, and what is known of its cause. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from provisioning.sentences import when
from provisioning.silence import Quiet, Test
from provisioning.silence_rounds import Platform

NOTHING_CAME = (
    "Nothing from there was banned, held or refused: the phones do not ask at all. "
    "Look at power and line; if it is a day off, enter it in the site's closing times."
)
NAMED = 3  # addresses, rules or versions that a sentence names; the rest is a number


@dataclass(frozen=True, slots=True)
class Banned:
    """A ban on an address of the place."""

    address: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """How many requests from the place's addresses were refused since the silence began, and why."""

    why: str  # "locked to another origin", as a sentence goes on after "because"
    count: int


@dataclass(frozen=True, slots=True)
class Version:
    """How many of the place's phones with one firmware are quiet, of how many."""

    name: str
    quiet: int
    phones: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known when an alarm is raised; what is empty is not spoken of."""

    now: datetime
    zone: str = "UTC"
    last_good: datetime | None = None
    bans: Sequence[Banned] = ()
    refusals: Sequence[Refused] = ()
    held: int = 0
    held_since: datetime | None = None
    versions: Sequence[Version] = field(default_factory=tuple)


def what(quiet: Quiet, known: Known) -> str:
    """Return in one sentence what is missing, and since when."""
    since = when(quiet.since, known.zone, now=known.now)
    if quiet.test is Test.PHONES:
        return f"None of the {round(quiet.expected)} phones has checked in since {since}."
    hours = "one hour" if quiet.hours == 1 else f"{quiet.hours} hours"
    return (
        f"{_times(quiet.seen)} in {hours}, where {round(quiet.expected)} were to be expected "
        f"from the same hours of {quiet.days} days; since {since}."
    )


def what_platform(platform: Platform, known: Known) -> str:
    """Return in one sentence that it is the platform that has gone quiet."""
    since = when(platform.since, known.zone, now=known.now)
    if not platform.listening:
        return (
            f"The platform held its answers or lost its notes since {since}: no site is judged for that time."
        )
    return (
        f"{platform.accounts} of {platform.judged} accounts fell silent at once since {since}: "
        f"{_times(platform.seen).lower()}, where {round(platform.expected)} were to be expected. "
        "Look at ourselves first."
    )


def cause(known: Known) -> list[str]:
    """Return what is known of the cause, the likeliest first: bans, our own held answers, refusals, firmware.

    Where nothing speaks for a cause, that is said too, with what to look at. The last good check-in ends it.
    """
    told = [*_bans(known), *_held(known), *_refusals(known)]
    if not told:
        told = [NOTHING_CAME]
    told += _versions(known)
    if known.last_good is not None:
        told.append(f"The last good check-in was on {when(known.last_good, known.zone, now=known.now)}.")
    return told


def _bans(known: Known) -> list[str]:
    bans = sorted(known.bans, key=lambda ban: (ban.since, ban.address))
    told = [
        f"{ban.address} is banned since {when(ban.since, known.zone, now=known.now)}"
        + (f", until {when(ban.until, known.zone, now=known.now)}" if ban.until else "")
        + ": phones that ask at the root URL get nothing there."
        for ban in bans[:NAMED]
    ]
    if len(bans) > NAMED:
        told.append(f"{len(bans) - NAMED} more of its addresses {_are(len(bans) - NAMED)} banned.")
    return told


def _held(known: Known) -> list[str]:
    if not known.held:
        return []
    since = f" since {when(known.held_since, known.zone, now=known.now)}" if known.held_since else ""
    answers = "answer was" if known.held == 1 else "answers were"
    return [f"{known.held:,} {answers} held{since}: the phones asked, and we could not serve them."]


def _refusals(known: Known) -> list[str]:
    refusals = sorted((one for one in known.refusals if one.count), key=lambda one: (-one.count, one.why))
    told = [f"{_requests(one.count)} refused, because {one.why}." for one in refusals[:NAMED]]
    rest = sum(one.count for one in refusals[NAMED:])
    return [*told, f"{_requests(rest)} refused for other reasons."] if rest else told


def _versions(known: Known) -> list[str]:
    """A version is named only where it stands out: nearly all of its phones are quiet, and others are not."""
    phones = sum(one.phones for one in known.versions)
    quiet = sum(one.quiet for one in known.versions)
    if not quiet or quiet == phones:
        return []
    suspects = [one for one in known.versions if one.quiet and one.quiet * 10 >= one.phones * 9]
    suspects.sort(key=lambda one: (-one.quiet, one.name))
    if sum(one.quiet for one in suspects) * 10 < quiet * 9:
        return []
    return [
        f"{one.quiet:,} of {one.phones:,} phones with firmware {one.name} {_are(one.quiet)} quiet; "
        f"of the others {quiet - one.quiet:,} of {phones - one.phones:,}."
        for one in suspects[:NAMED]
    ]


def _times(count: int) -> str:
    return {0: "No check-in", 1: "One check-in"}.get(count, f"{count:,} check-ins")


def _requests(count: int) -> str:
    return "One request was" if count == 1 else f"{count:,} requests were"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
