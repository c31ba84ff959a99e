"""How vendors spell offsets, days and spans: the filters that templates may use. Pure."""

from collections.abc import Callable
from typing import Any

from devices.zones import Turn, Zone


def signed_hours(minutes: int) -> str:
    """Spell an offset from UTC as +5:30, -3 or 0."""
    hours, rest = divmod(abs(minutes), 60)
    sign = "" if not minutes else "-" if minutes < 0 else "+"
    return f"{sign}{hours}:{rest:02}" if rest else f"{sign}{hours}"


def clock_offset(minutes: int) -> str:
    """Spell an offset from UTC as +05:30, -03:00 or +00:00."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def posix_zone(clock: Zone) -> str:
    """Spell a zone as POSIX does, with invented names: STD-1DST-2,M3.5.0/02:00:00,M10.5.0/03:00:00."""
    spelled = f"STD{_west(clock.offset)}"
    if clock.start is None or clock.end is None:
        return spelled
    turns = (f"M{t.month}.{t.week}.{t.weekday % 7}/{t.hour:02}:00:00" for t in (clock.start, clock.end))
    return ",".join([f"{spelled}DST{_west(clock.offset + clock.saving)}", *turns])


def _west(minutes: int) -> str:
    """Spell an offset as POSIX does, which counts to the west."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes > 0 else '+' if minutes else ''}{hours}" + (f":{rest:02}" if rest else "")


def whole_minutes(seconds: int) -> int:
    """Count seconds in minutes, at least one, rounded down: who comes back earlier is never late."""
    return max(seconds // 60, 1)


def traffic_class(dscp: int) -> int:
    """Return the whole octet of an IP header whose upper six bits are this DSCP."""
    return dscp << 2


def quarter_hours(minutes: int) -> int:
    """Count an offset from UTC in quarters of an hour."""
    return minutes // 15


def days_since_sunday(weekday: int) -> int:
    """Count the days of the week from Sunday = 0 instead of Monday = 1."""
    return weekday % 7


def weekday_from_sunday(weekday: int) -> int:
    """Count the days of the week from Sunday = 1 instead of Monday = 1."""
    return weekday % 7 + 1


def first_day(week: int) -> int:
    """Return the day of the month on which its first, second ... week can begin; 1 for the last week."""
    return 1 if week == 5 else (week - 1) * 7 + 1


def turn_rule(turn: Turn) -> str:
    """Spell a turn as month/day/weekday/time: the weekday on or after that day, -1 for the month's last."""
    day = -1 if turn.week == 5 else first_day(turn.week)
    return f"{turn.month}/{day}/{turn.weekday}/{turn.hour}:0:0"


def hours_and_minutes(minutes: int) -> str:
    """Spell a span as 1:0 or 0:30."""
    hours, rest = divmod(minutes, 60)
    return f"{hours}:{rest}"


def scheme_of(address: str) -> str:
    """Return what an address begins with: http or https."""
    return address.partition("://")[0]


def folder_of(address: str) -> str:
    """Return host and folder of a file's address, for phones that add the file's name themselves."""
    return address.partition("://")[2].rpartition("/")[0]


FILTERS: dict[str, Callable[..., Any]] = {
    "signed_hours": signed_hours,
    "clock_offset": clock_offset,
    "posix_zone": posix_zone,
    "whole_minutes": whole_minutes,
    "traffic_class": traffic_class,
    "quarter_hours": quarter_hours,
    "days_since_sunday": days_since_sunday,
    "weekday_from_sunday": weekday_from_sunday,
    "first_day": first_day,
    "turn_rule": turn_rule,
    "hours_and_minutes": hours_and_minutes,
    "scheme_of": scheme_of,
    "folder_of": folder_of,
}
