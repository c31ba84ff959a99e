"""Distinct phones by place and quarter of an hour: written by the drain, read by the round (section 7)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from struct import Struct

from django.db.models import Q

from devices.models import Device
from provisioning.models import CheckInDay

PER_HOUR = 4
IN_A_DAY = 24 * PER_HOUR
QUARTER = timedelta(hours=1) / PER_HOUR
_DAY = Struct(f"<{IN_A_DAY}I")
NONE = bytes(_DAY.size)

#: The keys of an account and of one of its sites, or None for its phones that are at none.
PlaceKey = tuple[int | None, int | None]
ALL: PlaceKey = (None, None)
Added = defaultdict[tuple[PlaceKey, date], list[int]]


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
    added: Added = defaultdict(_empty)
    for device, hour, bits in fresh:
        at = hour.astimezone(UTC)
        for place in ((device.account_id, device.site_id), ALL):
            counts = added[place, at.date()]
            for quarter in range(PER_HOUR):
                if bits >> quarter & 1:
                    counts[at.hour * PER_HOUR + quarter] += 1
    if added:
        _add(added, "quarters")


def count_held(held: Iterable[tuple[datetime, int]]) -> None:
    """Add answers that were held before it was known whose phone asked; the drain's as well."""
    added: Added = defaultdict(_empty)
    for at, times in held:
        added[ALL, at.date()][number(at)] += times
    if added:
        _add(added, "held")


def number(at: datetime) -> int:
    """The quarter's number within its day."""
    return at.hour * PER_HOUR + at.minute * PER_HOUR // 60


def _add(added: Added, column: str) -> None:
    accounts = {account for (account, _), _ in added}
    held = CheckInDay.objects.filter(
        Q(account__in=accounts - {None}) | Q(account=None), day__in={day for _, day in added}
    )
    changed = []
    for row in held:
        more = added.pop(((row.account_id, row.site_id), row.day), None)
        if more is not None:
            setattr(row, column, pack(_sum(unpack(getattr(row, column) or NONE), more)))
            changed.append(row)
    CheckInDay.objects.bulk_update(changed, [column])
    CheckInDay.objects.bulk_create(
        CheckInDay(account_id=account, site_id=site, day=day, **{"quarters": NONE, column: pack(counts)})
        for ((account, site), day), counts in added.items()
    )


def days(first: date, *, accounts: Iterable[int] | None = None) -> Iterator[tuple[PlaceKey, date, list[int]]]:
    """The places' counts of the days from the first one on: everybody's, or those of some accounts.

    What all of them have together stands under ALL.
    """
    rows = CheckInDay.objects.filter(day__gte=first)
    if accounts is not None:
        rows = rows.filter(Q(account__in=list(accounts)) | Q(account=None))
    found = rows.values_list("account_id", "site_id", "day", "quarters")
    for account, site, day, blob in found.iterator(chunk_size=5000):
        yield (account, site), day, unpack(blob)


def held(first: date) -> dict[date, list[int]]:
    """The answers that were held before it was known whose phone asked, from the first day on."""
    rows = CheckInDay.objects.filter(account=None, day__gte=first).values_list("day", "held")
    return {day: unpack(blob) for day, blob in rows if blob}


def _empty() -> list[int]:
    return [0] * IN_A_DAY


def _sum(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]
