"""Plays the demo's campus against a running `up`: first morning, ordinary day, power cut. Needs tests/."""

import asyncio
import http.client
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from portal.campus import Campus, Handset
from provisioning.gate import State
from provisioning.models import Incident, LastSeen, Lock
from security.models import Ban
from security.networks import origin_of, parse_address

if TYPE_CHECKING:
    from tests.simulator import Crowd, Tally

Say = Callable[[str], None]

PACE = 0.01  # of our seconds in one of a phone's: a minute until its next poll is over in a moment
MORNING_RATE = 25  # phones that are set up in a second
DARK = 15.0  # seconds without power, at most
BACK_WITHIN = 5.0  # seconds in which all of them ask again
POLLS, POLL_AFTER = 3, 300.0  # what a phone does that was asked to come again, in its own seconds
DRAIN = 60.0
MOST_BOOTS = 6


class CannotPlay(Exception):
    """What the play needs is not there; the text says what."""


@dataclass(frozen=True)
class Play:
    """How many phones, and how many of our seconds their day lasts."""

    phones: int
    day: float

    @property
    def dark(self) -> float:
        """How long there is no power: a part of the day, and not so long that one goes away."""
        return min(DARK, self.day / 4)


def play(play: Play, *, say: Say) -> None:
    """Enter what is missing, then play the acts one after the other, each with what there is to see."""
    _needs_a_running_up()
    campus = Campus.read()
    say(f"{campus.data['name']}, {play.phones} phones, all behind {campus.address}.")
    say(f"Watch Home at {settings.PORTAL_URL}/ as {campus.data['by']}. Ctrl-C ends this.")
    _enter(campus, play, say)
    _first_morning(campus, play, say)
    _ordinary_day(campus, play, say)
    _power_cut(campus, play, say)


def _needs_a_running_up() -> None:
    parts = urlsplit(settings.PHONES_URL)
    try:
        local = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        local = parts.hostname == "localhost"
    if not local:
        raise CannotPlay("The phones are played on this machine, for an `up` that listens on 127.0.0.1.")
    caller = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=5)
    try:
        caller.request("GET", "/", headers={"User-Agent": "demo"})
        caller.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise CannotPlay(f"Nobody answers at {settings.PHONES_URL}: start `manage.py up` first.") from error
    finally:
        caller.close()


def _enter(campus: Campus, play: Play, say: Say) -> None:
    step = max(1, play.phones // 4)
    for there in campus.enter(play.phones):
        if there % step == 0 or there == play.phones:
            say(f"  {there} of {play.phones} phones are entered")


def _first_morning(campus: Campus, play: Play, say: Say) -> None:
    """Phones that have no private URL yet are let in at the root, and move."""
    for boots in range(MOST_BOOTS):
        waiting = [phone for phone in campus.set_up(play.phones) if not phone.private]
        if not waiting:
            break
        if boots == 0:
            say(f"\nTheir first morning: {len(waiting)} phones are unpacked and let in, once each.")
        _asked(_crowd(waiting, campus.address), len(waiting) / MORNING_RATE)
        _drained()
    locked = Lock.objects.filter(device__account=campus.account, state=State.LOCKED.value).count()
    say(f"  {locked} phones are locked to the campus, each with a private URL of its own.")


def _ordinary_day(campus: Campus, play: Play, say: Say) -> None:
    say(f"\nAn ordinary day, in {play.day:.0f} seconds: each phone asks once, spread over the day.")
    say("  On Home the bars of the last minutes stay low and even.")
    _told(_spread(_crowd(campus.set_up(play.phones), campus.address), play.day), say)


def _power_cut(campus: Campus, play: Play, say: Say) -> None:
    began = timezone.now()
    say(f"\nThe power is cut. For {play.dark:.0f} seconds nobody asks for anything.")
    time.sleep(play.dark)
    strangers = campus.strangers(max(1, play.phones * campus.data["strangers"] // campus.data["phones"]))
    say(
        f"The power is back: {play.phones} phones ask within {BACK_WITHIN:.0f} seconds, and so do "
        f"{len(strangers)} that nobody has entered. Home shows one tall bar."
    )
    crowd = _crowd([*campus.set_up(play.phones), *strangers], campus.address)
    tally = _asked(crowd, BACK_WITHIN)
    _told(tally, say, strangers=len(strangers))
    _drained()
    origin = origin_of(parse_address(campus.address))
    banned = Ban.objects.filter(first=origin.hex_first, starts_at__gte=began).count()
    say(f"  {'Nobody is banned' if not banned else f'{banned} ban' + 's' * (banned > 1)}.")
    for incident in Incident.objects.filter(account=campus.account, opened_at__gte=began):
        say(f"  Incident: {incident.title}")
    say("\nEnded. The campus stays; played again, its phones begin at their private URLs.")


def _crowd(phones: list[Handset], source: str) -> "Crowd":
    try:
        from tests.simulator import Crowd, Member
    except ImportError as error:
        raise CannotPlay("The simulated phones are in tests/, which this installation has not.") from error
    members = [Member(phone.mac, phone.agent, source, phone.private) for phone in phones]
    return Crowd(members, f"{settings.PHONES_URL}/", pace=PACE, polls=POLLS, poll_after=POLL_AFTER)


def _asked(crowd: "Crowd", within: float) -> "Tally":
    return asyncio.run(crowd.power_up(within=within))


def _spread(crowd: "Crowd", lasts: float) -> "Tally":
    return asyncio.run(crowd.day(lasts=lasts))


def _told(tally: "Tally", say: Say, *, strangers: int = 0) -> None:
    known, refused = tally.phones - strangers, len(tally.unserved)
    slowest = f", the slowest in {max(tally.seconds):.1f} s" if tally.seconds else ""
    whose = "stranger's phone" if strangers == 1 else "strangers' phones"
    others = f"; {strangers} {whose} got nothing" if strangers and refused == strangers else ""
    held = f", {tally.statuses[503]} of them answered with *come again*" if tally.statuses[503] else ""
    say(f"  {tally.served} of {known} phones were served, {tally.requests} requests{slowest}{held}{others}.")


def _drained() -> None:
    """Wait until what the phones did stands in the rows; where nobody writes any, not for ever."""
    until, before = time.monotonic() + DRAIN, -1
    while time.monotonic() < until:
        seen = LastSeen.objects.order_by("-at").values_list("at", flat=True).first()
        now = int(seen.timestamp() * 1000) if seen else 0
        if now == before:
            return
        before = now
        time.sleep(1)
