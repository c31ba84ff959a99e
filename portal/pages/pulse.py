"""The last hour of check-ins, minute by minute: Home moves while phones ask, and a storm is one tall bar."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum
from django.db.models.functions import TruncMinute

from accounts.scope import Actor
from provisioning.models import DeviceEvent

MINUTES, LATELY = 60, 5
LOWEST_TOP = 10  # a chart of two check-ins is no mountain
TOP, BASE = 14, 82  # where the chart's highest bar and its ground are drawn


@dataclass(frozen=True)
class Bar:
    """One minute, placed in per cent of the chart's width."""

    x: str
    y: str
    height: str
    is_now: bool


@dataclass(frozen=True)
class Pulse:
    """What the chart shows and what stands beside it in words."""

    bars: list[Bar]
    top: int
    lately: int
    before: int  # in as many minutes, on the average of the rest of the hour
    most: int
    most_at: datetime | None

    @property
    def is_still(self) -> bool:
        return self.most == 0


def of(actor: Actor, now: datetime) -> Pulse:
    """The check-ins of the phones that the actor may see."""
    this_minute = now.replace(second=0, microsecond=0)
    first = this_minute - timedelta(minutes=MINUTES - 1)
    counted = (
        DeviceEvent.objects.visible_to(actor)
        .filter(what="request", details__check_in=True, at__gte=first, at__lte=now)
        .order_by()
        .annotate(minute=TruncMinute("at"))
        .values_list("minute")
        .annotate(count=Sum("count"))
    )
    by_minute: dict[datetime, int] = dict(counted)
    minutes = [first + timedelta(minutes=at) for at in range(MINUTES)]
    counts = [by_minute.get(minute, 0) for minute in minutes]
    most = max(counts)
    return Pulse(
        bars=_bars(counts, max(most, LOWEST_TOP)),
        top=max(most, LOWEST_TOP),
        lately=sum(counts[-LATELY:]),
        before=round(sum(counts[:-LATELY]) * LATELY / (MINUTES - LATELY)),
        most=most,
        most_at=minutes[counts.index(most)] if most else None,
    )


def _bars(counts: list[int], top: int) -> list[Bar]:
    """The minutes in which somebody asked; one check-in is seen beside a thousand."""
    bars = []
    for at, count in enumerate(counts):
        if count:
            height = max(1.5, (BASE - TOP) * count / top)
            x = 100 * at / MINUTES + 0.25
            bars.append(Bar(f"{x:.2f}%", f"{BASE - height:.1f}", f"{height:.1f}", at == MINUTES - 1))
    return bars
