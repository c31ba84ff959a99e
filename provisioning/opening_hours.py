"""Opening hours as people write them: a line a day, such as 07:00-12:00, 13:00-19:00. Pure."""

import re
from collections.abc import Sequence

from accounts.said import Said

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ALL_DAY = "all day"
MIDNIGHT = 1440
_SPAN = re.compile(r"\s*(\d{1,2})[:.](\d{2})\s*(?:-|\u2013|to)\s*(\d{1,2})[:.](\d{2})\s*")

#: Seven days from Monday on, each with its spans in minutes, in their order and apart.
Week = list[list[list[int]]]


def read(lines: Sequence[str]) -> Week | None:
    """The week of seven lines; None where all are empty: open day and night. ValueError says what is wrong.

    A span that ends before it begins goes on after midnight.
    """
    if len(lines) != len(DAYS):
        raise ValueError(Said("a week has seven days."))
    if not any(line.strip() for line in lines):
        return None
    week: Week = [[] for _ in DAYS]
    for day, line in enumerate(lines):
        for opens, closes in _spans(line.strip(), DAYS[day]):
            if opens < closes:
                week[day].append([opens, closes])
            else:
                week[day].append([opens, MIDNIGHT])
                if closes:
                    week[(day + 1) % len(DAYS)].append([0, closes])
    return [_merged(spans) for spans in week]


def say(week: Sequence[Sequence[Sequence[int]]] | None) -> list[str]:
    """The seven lines of a week, as `read` takes them; a closed day is empty."""
    if week is None:
        return [""] * len(DAYS)
    return [
        ", ".join(
            ALL_DAY if (opens, closes) == (0, MIDNIGHT) else f"{_clock(opens)}-{_clock(closes)}"
            for opens, closes in day
        )
        for day in week
    ]


def _spans(line: str, day: str) -> list[tuple[int, int]]:
    if not line:
        return []
    if line.casefold() == ALL_DAY:
        return [(0, MIDNIGHT)]
    found = []
    for part in line.split(","):
        fits = _SPAN.fullmatch(part)
        if fits is None:
            raise ValueError(
                Said("{day}: {span!r} is no span such as 07:00-19:00.", day=day, span=part.strip())
            )
        hours = [int(text) for text in fits.groups()]
        opens, closes = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        if max(hours[1], hours[3]) > 59 or opens >= MIDNIGHT or closes > MIDNIGHT or opens == closes:
            raise ValueError(Said("{day}: {span!r} is no span of a day.", day=day, span=part.strip()))
        found.append((opens, closes))
    return found


def _merged(spans: list[list[int]]) -> list[list[int]]:
    kept: list[list[int]] = []
    for opens, closes in sorted(spans):
        if kept and opens <= kept[-1][1]:
            kept[-1][1] = max(kept[-1][1], closes)
        else:
            kept.append([opens, closes])
    return kept


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
