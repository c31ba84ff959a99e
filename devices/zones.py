"""What a time zone means to a phone: offset from UTC and yearly turns, from a table that we ship. Pure."""

import functools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from accounts.said import Said

_TABLE = Path(__file__).parent / "zones.toml"
_NAME = r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+\-]+>)"
_OFFSET = r"[+\-]?\d{1,3}(?::\d{2}){0,2}"
_RULE = re.compile(
    rf"{_NAME}(?P<standard>{_OFFSET})"
    rf"(?:{_NAME}(?P<summer>{_OFFSET})?,(?P<start>M[^,]+),(?P<end>M[^,]+))?"
)
_TURN = re.compile(rf"M(?P<month>\d+)\.(?P<week>\d)\.(?P<day>\d)(?:/(?P<time>{_OFFSET}))?")


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment of the year at which clocks change, by the clock on the wall."""

    month: int
    week: int  #: 1 to 4, 5 is the last of the month
    weekday: int  #: 1 Monday to 7 Sunday
    hour: int  #: 0 to 23


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone's standard offset and, where there is one, its summer time."""

    name: str
    offset: int  #: minutes east of UTC in standard time
    saving: int = 0  #: minutes added in summer
    start: Turn | None = None
    end: Turn | None = None

    @property
    def offset_seconds(self) -> int:
        """The standard offset in seconds."""
        return self.offset * 60

    @property
    def saving_seconds(self) -> int:
        """What summer adds, in seconds."""
        return self.saving * 60


@functools.cache
def zone(name: str) -> Zone:
    """Return the zone; ValueError for a name that is not in the table."""
    rule = _rules().get(name)
    if rule is None:
        raise ValueError(Said("{name!r} is no time zone of the table", name=name))
    return _parse(name, rule)


@functools.cache
def zone_names() -> tuple[str, ...]:
    """Return every zone name, for a form's list."""
    return tuple(_rules())


@functools.cache
def _rules() -> dict[str, str]:
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))


def _parse(name: str, rule: str) -> Zone:
    found = _RULE.fullmatch(rule)
    if found is None:
        raise ValueError(f"the rule of {name!r} cannot be read: {rule}")
    standard = -_minutes(found["standard"])  # POSIX counts west as positive
    if found["start"] is None:
        return Zone(name, standard)
    summer = -_minutes(found["summer"]) if found["summer"] else standard + 60
    start, end = _turn(found["start"]), _turn(found["end"])
    if summer < standard:  # Ireland by law has standard time in summer and goes back in winter
        standard, summer, start, end = summer, standard, end, start
    return Zone(name, standard, summer - standard, start, end)


def _turn(text: str) -> Turn:
    """Read one turn. Phones know whole hours of one day only.

    The few rules that reach into the day before or after (Chile's 24:00, Greenland's -1:00) come out at most
    an hour early or late, once in spring and once in autumn. For Gaza, Hebron and Israel "so many hours after
    the fourth Thursday" becomes that weekday of the fourth week, which in some years is a week early.
    """
    found = _TURN.fullmatch(text)
    if found is None:
        raise ValueError(f"the turn {text!r} cannot be read")
    minutes = _minutes(found["time"]) if found["time"] else 120
    days, hour = divmod(minutes, 24 * 60) if minutes > 24 * 60 else (0, min(max(minutes, 0), 24 * 60 - 60))
    weekday = (int(found["day"]) + days - 1) % 7 + 1
    return Turn(int(found["month"]), int(found["week"]), weekday, hour // 60)


def _minutes(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    hours, minutes, *_ = [*(int(part) for part in text.lstrip("+-").split(":")), 0]
    return sign * (hours * 60 + minutes)
