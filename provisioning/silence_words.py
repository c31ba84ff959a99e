"""What a silence is told in: what is missing since when, and what is known of its cause. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from accounts.said import Said
from provisioning.sentences import when
from provisioning.silence import Quiet, Test
from provisioning.silence_rounds import Platform

NOTHING_CAME = Said(
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


def what(quiet: Quiet, known: Known) -> Said:
    """Return in one sentence what is missing, and since when."""
    since = when(quiet.since, known.zone, now=known.now)
    if quiet.test is Test.PHONES:
        count = round(quiet.expected)
        return Said("None of the {count} phones has checked in since {since}.", count=count, since=since)
    hours = Said("one hour") if quiet.hours == 1 else Said("{hours} hours", hours=quiet.hours)
    return Said(
        "{times} in {hours}, where {expected} were to be expected from the same hours of {days} days;"
        " since {since}.",
        times=_times(quiet.seen),
        hours=hours,
        expected=round(quiet.expected),
        days=quiet.days,
        since=since,
    )


def what_platform(platform: Platform, known: Known) -> Said:
    """Return in one sentence that it is the platform that has gone quiet."""
    since = when(platform.since, known.zone, now=known.now)
    if not platform.listening:
        return Said(
            "The platform held its answers or lost its notes since {since}: no site is judged for that time.",
            since=since,
        )
    return Said(
        "{accounts} of {judged} accounts fell silent at once since {since}: {times}, where {expected} were to"
        " be expected. Look at ourselves first.",
        accounts=platform.accounts,
        judged=platform.judged,
        since=since,
        times=_times(platform.seen, within=True),
        expected=round(platform.expected),
    )


def cause(known: Known) -> list[Said]:
    """Return what is known of the cause, the likeliest first: bans, our own held answers, refusals, firmware.

    Where nothing speaks for a cause, that is said too, with what to look at. The last good check-in ends it.
    """
    told = [*_bans(known), *_held(known), *_refusals(known)]
    if not told:
        told = [NOTHING_CAME]
    told += _versions(known)
    if known.last_good is not None:
        last = when(known.last_good, known.zone, now=known.now)
        told.append(Said("The last good check-in was on {last}.", last=last))
    return told


def _bans(known: Known) -> list[Said]:
    bans = sorted(known.bans, key=lambda ban: (ban.since, ban.address))
    told = [_ban(ban, known) for ban in bans[:NAMED]]
    more = len(bans) - NAMED
    if more == 1:
        told.append(Said("1 more of its addresses is banned."))
    elif more > 1:
        told.append(Said("{more} more of its addresses are banned.", more=more))
    return told


def _ban(ban: Banned, known: Known) -> Said:
    since = when(ban.since, known.zone, now=known.now)
    if ban.until is None:
        return Said(
            "{address} is banned since {since}: phones that ask at the root URL get nothing there.",
            address=ban.address,
            since=since,
        )
    return Said(
        "{address} is banned since {since}, until {until}: phones that ask at the root URL get nothing"
        " there.",
        address=ban.address,
        since=since,
        until=when(ban.until, known.zone, now=known.now),
    )


def _held(known: Known) -> list[Said]:
    if not known.held:
        return []
    answers = Said("1 answer was held")
    if known.held > 1:
        answers = Said("{count} answers were held", count=f"{known.held:,}")
    if known.held_since is None:
        return [Said("{answers}: the phones asked, and we could not serve them.", answers=answers)]
    since = when(known.held_since, known.zone, now=known.now)
    return [
        Said(
            "{answers} since {since}: the phones asked, and we could not serve them.",
            answers=answers,
            since=since,
        )
    ]


def _refusals(known: Known) -> list[Said]:
    refusals = sorted((one for one in known.refusals if one.count), key=lambda one: (-one.count, one.why))
    told = [
        Said("{requests} refused, because {why}.", requests=_requests(one.count), why=one.why)
        for one in refusals[:NAMED]
    ]
    rest = sum(one.count for one in refusals[NAMED:])
    return [*told, Said("{requests} refused for other reasons.", requests=_requests(rest))] if rest else told


def _versions(known: Known) -> list[Said]:
    """A version is named only where it stands out: nearly all of its phones are quiet, and others are not."""
    phones = sum(one.phones for one in known.versions)
    quiet = sum(one.quiet for one in known.versions)
    if not quiet or quiet == phones:
        return []
    suspects = [one for one in known.versions if one.quiet and one.quiet * 10 >= one.phones * 9]
    suspects.sort(key=lambda one: (-one.quiet, one.name))
    if sum(one.quiet for one in suspects) * 10 < quiet * 9:
        return []
    return [_version(one, quiet - one.quiet, phones - one.phones) for one in suspects[:NAMED]]


def _version(one: Version, others: int, of_others: int) -> Said:
    facts = {
        "phones": f"{one.phones:,}",
        "name": one.name,
        "others": f"{others:,}",
        "all": f"{of_others:,}",
    }
    if one.quiet == 1:
        return Said(
            "1 of {phones} phones with firmware {name} is quiet; of the others {others} of {all}.", **facts
        )
    return Said(
        "{quiet} of {phones} phones with firmware {name} are quiet; of the others {others} of {all}.",
        quiet=f"{one.quiet:,}",
        **facts,
    )


def _times(count: int, *, within: bool = False) -> Said:
    """How many check-ins, at the beginning of a sentence or within one."""
    if count == 0:
        return Said("no check-in") if within else Said("No check-in")
    if count == 1:
        return Said("one check-in") if within else Said("One check-in")
    return Said("{count} check-ins", count=f"{count:,}")


def _requests(count: int) -> Said:
    return Said("One request was") if count == 1 else Said("{count} requests were", count=f"{count:,}")
