"""The chart of the last 48 hours: bars beside what was expected, storms and bans on it, a table behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.scope import Actor
from provisioning import arrivals
from provisioning.arrivals import Hour
from provisioning.models import Incident

TOP, BASE = 30.0, 180.0  # where the highest bar and the ground are drawn
STEPS = (1, 2, 3, 4, 5, 10)  # of a grid line, times a power of ten
LINES = 3
MARKS = 20
KINDS = (Incident.Kind.STORM, Incident.Kind.BAN)


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour, placed in per cent of the chart's width."""

    x: str
    y: str
    height: str
    voice: str  #: did, sofar or storm


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across, or a label below, with its words."""

    at: str
    words: str
    label_at: str = ""
    voice: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A storm or a ban at its place in time."""

    x: str
    label_at: str
    width: str
    words: str
    more: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Row:
    """An hour in the table behind the chart."""

    hour: Hour
    happened: tuple[Incident, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn, and the same in words and as a table."""

    bars: list[Bar]
    bands: list[str]
    hatched: list[Bar]
    lines: list[Tick]
    ticks: list[Tick]
    storms: list[Mark]
    bans: list[Mark]
    rows: list[Row]
    said: str
    first: datetime
    now: datetime
    is_empty: bool
    knows: bool  #: there is an expectation for at least one of the hours


def chart(by: Actor, zone: str, now: datetime) -> Chart:
    """The chart of what the actor sees, in the zone of his account; the newest hour is the last one."""
    hours = arrivals.hours(by, now)
    began = hours[0].at
    going = Q(ended_at=None) | Q(ended_at__gt=began)
    happened = list(
        Incident.objects.visible_to(by)
        .filter(going, kind__in=KINDS, opened_at__lt=now)
        .order_by("opened_at")[:MARKS]
    )
    storms = [row for row in happened if row.kind == Incident.Kind.STORM]
    bans = [row for row in happened if row.kind == Incident.Kind.BAN]
    stormy = {hour.at for hour in hours for row in storms if _within(row.opened_at, hour)}
    step = _step(max([hour.count for hour in hours] + [hour.high or 0 for hour in hours]))
    top = step * LINES
    rows = [Row(hour, tuple(row for row in happened if _goes_on_in(row, hour))) for hour in hours]
    return Chart(
        bars=[_bar(at, hour, top, hour.at in stormy) for at, hour in enumerate(hours) if hour.count],
        bands=list(_bands(hours, top)),
        hatched=[_hatched(at) for at, hour in enumerate(hours) if hour.is_unknown],
        lines=[_line(step * number, top) for number in range(1, LINES + 1)],
        ticks=list(_ticks(hours, zone)),
        storms=[_storm(row, began) for row in storms[-1:]],
        bans=_bans(bans, began, now),
        rows=rows[::-1],
        said=_said(hours, storms, bans),
        first=began,
        now=now,
        is_empty=not any(hour.count for hour in hours),
        knows=any(hour.low is not None for hour in hours),
    )


def _within(at: datetime, hour: Hour) -> bool:
    return hour.at <= at < hour.at + timedelta(hours=1)


def _goes_on_in(row: Incident, hour: Hour) -> bool:
    ends = row.ended_at or row.opened_at
    begins_here = _within(row.opened_at, hour)
    return begins_here or (row.opened_at < hour.at and (row.ended_at is None or ends >= hour.at))


def _step(most: int) -> int:
    """The number of the lowest grid line: round, and three of it hold everything."""
    power = 1
    while True:
        for step in STEPS:
            if step * power * LINES >= most:
                return step * power
        power *= 10


def _height(count: int, top: int) -> float:
    return (BASE - TOP) * min(count, top) / top


def _bar(at: int, hour: Hour, top: int, is_storm: bool) -> Bar:
    height = max(1.2, _height(hour.count, top))
    voice = "storm" if is_storm else ("did" if hour.is_over else "sofar")
    return Bar(f"{_place(at) + 0.42:.2f}%", f"{BASE - height:.1f}", f"{height:.1f}", voice)


def _hatched(at: int) -> Bar:
    return Bar(f"{_place(at):.2f}%", f"{TOP:.0f}", f"{BASE - TOP:.0f}", "hatched")


def _place(at: float) -> float:
    return 100 * at / arrivals.HOURS


def _bands(hours: Sequence[Hour], top: int) -> Iterator[str]:
    """What was expected, a path for each stretch of hours for which anything was; 48 wide, 150 high."""
    deep = BASE - TOP
    for known, stretch in groupby(enumerate(hours), key=lambda pair: pair[1].low is not None):
        if not known:
            continue
        pairs = list(stretch)
        upper = [f"V{deep - _height(hour.high or 0, top):.1f}H{at + 1}" for at, hour in pairs]
        lower = [f"V{deep - _height(hour.low or 0, top):.1f}H{at}" for at, hour in reversed(pairs)]
        yield f"M{pairs[0][0]} {deep:.0f}{''.join(upper)}{''.join(lower)}Z"


def _line(count: int, top: int) -> Tick:
    y = BASE - _height(count, top)
    return Tick(f"{y:.1f}", f"{count:,}", f"{y - 4:.1f}")


def _ticks(hours: Sequence[Hour], zone: str) -> Iterator[Tick]:
    """Midnight by the day's name, and every sixth hour of the account's clock."""
    for at, hour in enumerate(hours):
        there = hour.at.astimezone(ZoneInfo(zone))
        if there.hour % 6 or not 4 < at < arrivals.HOURS - 3:
            continue
        if there.hour == 0:
            yield Tick(f"{_place(at):.2f}%", f"{there:%a} {there.day}", voice="day")
        else:
            yield Tick(f"{_place(at):.2f}%", f"{there:%H:%M}", voice="" if there.hour == 12 else "roomy")


def _moment(at: datetime, began: datetime) -> float:
    """Where a moment lies, in per cent."""
    return min(100.0, max(0.0, _place((at - began) / timedelta(hours=1))))


def _storm(row: Incident, began: datetime) -> Mark:
    x = _moment(row.opened_at, began)
    phones = int(row.evidence.get("state", {}).get("phones", 0))
    words = ngettext("Storm, %(count)s phone", "Storm, %(count)s phones", phones) % {"count": f"{phones:,}"}
    # Its words stand on the side where there is room.
    is_late = x > 60
    label = f"{x - 0.6:.2f}%" if is_late else f"{x + 1.4:.2f}%"
    return Mark(f"{x:.2f}%", label, "", words, _("at once, nobody banned"), "end" if is_late else "start")


def _bans(rows: Sequence[Incident], began: datetime, now: datetime) -> list[Mark]:
    """A line over the time in which somebody was banned; the first one says how many there were."""
    marks = []
    for at, row in enumerate(rows):
        x, end = _moment(row.opened_at, began), _moment(row.ended_at or now, began)
        words = ""
        if at == len(rows) - 1:
            words = ngettext("%(count)s ban", "%(count)s bans", len(rows)) % {"count": len(rows)}
        is_late = x > 85
        label = f"{end:.2f}%" if is_late else f"{x:.2f}%"
        anchor = "end" if is_late else "start"
        marks.append(Mark(f"{x:.2f}%", label, f"{max(end, x + 0.4):.2f}%", words, "", anchor))
    return marks


def _said(hours: Sequence[Hour], storms: Sequence[Incident], bans: Sequence[Incident]) -> str:
    """The chart in sentences, for who does not see it and for who wants it in a glance."""
    low, unknown = sum(hour.is_low for hour in hours), sum(hour.is_unknown for hour in hours)
    high = sum(hour.high is not None and not hour.is_unknown and hour.count > hour.high for hour in hours)
    judged = any(hour.low is not None and hour.is_over and not hour.is_unknown for hour in hours)
    said = []
    if judged and not low and not high:
        said.append(_("As many as expected in every hour that can be judged."))
    if low:
        said.append(
            ngettext("Fewer than expected in %(count)s hour.", "Fewer than expected in %(count)s hours.", low)
            % {"count": low}
        )
    if high:
        said.append(
            ngettext("More than expected in %(count)s hour.", "More than expected in %(count)s hours.", high)
            % {"count": high}
        )
    if not judged:
        said.append(_("There is no expectation yet: that takes a week of check-ins."))
    if unknown:
        said.append(
            ngettext(
                "%(count)s hour says nothing: requests were held then, or their notes came late.",
                "%(count)s hours say nothing: requests were held then, or their notes came late.",
                unknown,
            )
            % {"count": unknown}
        )
    if storms:
        said.append(
            ngettext("%(count)s storm, nobody banned for it.", "%(count)s storms, nobody banned for them.",
                     len(storms)) % {"count": len(storms)}
        )  # fmt: skip
    if bans:
        said.append(
            ngettext("%(count)s ban where phones live.", "%(count)s bans where phones live.", len(bans))
            % {"count": len(bans)}
        )
    return " ".join(said)
