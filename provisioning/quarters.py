"""Distinct phones by place and quarter of an hour: written by the drain, read by the round (section 7)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from struct import Struct

from devices.models import Device
from provisioning.models import CheckInDay

PER_HOUR = 4
IN_A_DAY = 24 * PER_HOUR
QUARTER = timedelta(hours=1) / PER_HOUR
_DAY = Struct(f"<{IN_A_DAY}I")

#: The keys of an account and of one of its sites, or None for its phones that are at none.
PlaceKey = tuple[int, int | None]


def unpack(blob: bytes | memoryview) -> list[int]:
    """The counts of one day."""
    return list(_DAY.unpack(blob))


def pack(counts: Iterable[int]) -> bytes:
    """The counts of one day as they are kept, the least byte first."""
    return _DAY.pack(*counts)


def bit(at: datetime) -> int:
    """The bit of the quarter of its hour that `at` lies in."""
    return 1 << (at.minute * PER_HOUR // 60)


def count(fresh: Iterable[tuple[Device, datetime, int]]) -> None:
    """Add each phone to its place in the quarters (bits of an hour) in which it was not counted yet.

    Only the drain calls this, under its cursor's row lock: read, add, write is safe.
    """
    added: dict[tuple[PlaceKey, date], list[int]] = defaultdict(lambda: [0] * IN_A_DAY)
    for device, hour, bits in fresh:
        at = hour.astimezone(UTC)
        counts = added[(device.account_id, device.site_id), at.date()]
        for quarter in range(PER_HOUR):
            if bits >> quarter & 1:
                counts[at.hour * PER_HOUR + quarter] += 1
    if not added:
        return
    held = list(
        CheckInDay.objects.filter(
            account__in={account for (account, _), _ in added}, day__in={day for _, day in added}
        )
    )
    changed = []
    for row in held:
        more = added.pop(((row.account_id, row.site_id), row.day), None)
        if more is not None:
            row.quarters = pack(_sum(unpack(row.quarters), more))
            changed.append(row)
    CheckInDay.objects.bulk_update(changed, ["quarters"])
    CheckInDay.objects.bulk_create(
        CheckInDay(account_id=account, site_id=site, day=day, quarters=pack(counts))
        for ((account, site), day), counts in added.items()
    )


def days(
    first: date, last: date, *, accounts: Iterable[int] | None = None
) -> Iterator[tuple[PlaceKey, date, list[int]]]:
    """Every place's counts of the days from first to last, in the order of accounts."""
    rows = CheckInDay.objects.filter(day__range=(first, last))
    if accounts is not None:
        rows = rows.filter(account__in=list(accounts))
    found = rows.order_by("account_id", "site_id").values_list("account_id", "site_id", "day", "quarters")
    for account, site, day, blob in found.iterator(chunk_size=5000):
        yield (account, site), day, unpack(blob)


def _sum(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]
