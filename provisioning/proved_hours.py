"""What was known of an address while it failed (B9), hour by hour: what "what if" replays beside the keys."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Count, Q

from devices.models import Device
from provisioning import facts, standing, wire
from provisioning.models import FailureKey, Proof, ProvedHour, Window
from security.models import AllowedNetwork
from security.networks import Network, origin_of, wider

#: So long after its last key an address may be banned: by then the longest ban is over.
TROUBLED = timedelta(hours=25)
CROWD = 10  # devices of one account, from which on they are counted apart
FINE = 100  # counts up to here are kept one by one, above it by tens: a threshold grows by tenths of them
AT_ONCE = 200  # IPv6 /48s asked for in one query

Proving = tuple[wire.Note, Device]


@dataclass(slots=True)
class _Origin:
    """An address, and whose devices are proved there."""

    network: Network
    proved: Counter[str] = field(default_factory=Counter)  # by account
    devices: set[int] = field(default_factory=set)  # of this batch: those that were proved there before
    windows: list[Window] = field(default_factory=list)
    allowed: list[AllowedNetwork] = field(default_factory=list)

    def known(self, at: datetime) -> list[Any]:
        """One entry of `ProvedHour.counts`."""
        crowds = {account: count for account, count in sorted(self.proved.items()) if count >= CROWD}
        windows = sum(w.covers for w in self.windows if w.starts_at <= at < (w.closed_at or w.ends_at))
        allowed = next((row.network for row in self.allowed if _is_granted(row, at)), "")
        return [round(at.timestamp(), 3), self.proved.total(), crowds, windows, str(allowed)]


def write(proving: Sequence[Proving], failures: Sequence[wire.Note], now: datetime) -> None:
    """Write down what the proofs and keys of one batch change, before these proofs are rows themselves.

    A batch without failures costs one query where phones were proved, and nothing is written unless
    something failed at one of their addresses within a day.
    """
    failing = {_origin(note) for note in failures}
    proved = {_origin(note) for note, _ in proving}
    areas = {_area(origin) for origin in failing}
    areas |= _troubled({_area(origin) for origin in proved} - areas, now)
    if not areas:
        return
    told = [(note, device) for note, device in proving if _area(_origin(note)) in areas]
    times = [facts.aware(note.at) for note in failures] + [facts.aware(note.at) for note, _ in told]
    origins = _read(failing | {_origin(note) for note, _ in told}, areas, told, now)
    _read_doors(origins.values(), min(times), max(times))
    _Hours(origins, times).play(told, failures)


class _Hours:
    """The rows of the hours that a batch touches."""

    def __init__(self, origins: dict[str, _Origin], times: Iterable[datetime]) -> None:
        self._origins = origins
        self._by_area: dict[Network, list[_Origin]] = defaultdict(list)
        for origin in origins.values():
            self._by_area[_area(origin.network)].append(origin)
        rows = ProvedHour.objects.filter(first__in=origins, hour__in={_hour(at) for at in times})
        self._rows = {(row.first, row.hour): row for row in rows}
        self._changed: dict[tuple[str, datetime], ProvedHour] = {}

    def play(self, proving: Sequence[Proving], failures: Sequence[wire.Note]) -> None:
        """Go through what happened in the order of time, and write the rows that it changed."""
        happened: list[tuple[wire.Note, Device | None]] = [*proving, *((note, None) for note in failures)]
        seen: set[tuple[Network, datetime]] = set()
        for note, device in sorted(happened, key=lambda one: one[0].at):
            at, origin = facts.aware(note.at), self._origins[_origin(note).hex_first]
            if device is None:
                # An IPv6 /48 is judged as a whole too: who lives in it counts (B1).
                area = (_area(origin.network), _hour(at))
                for there in [origin] if area in seen else self._by_area[area[0]]:
                    self._say(there, at)
                seen.add(area)
            elif device.pk not in origin.devices:
                origin.devices.add(device.pk)
                origin.proved[str(device.account.code)] += 1
                self._say(origin, at)
        ProvedHour.objects.bulk_create(
            list(self._changed.values()),
            update_conflicts=True,
            unique_fields=["first", "hour"],
            update_fields=["last", "counts"],
        )

    def _say(self, origin: _Origin, at: datetime) -> None:
        """Add an entry where the last one of the hour says something else."""
        name = origin.network.hex_first, _hour(at)
        entry = origin.known(at)
        row = self._rows.get(name)
        if row is None:
            row = ProvedHour(first=name[0], last=origin.network.hex_last, hour=name[1], counts=[])
            self._rows[name] = row
        elif row.counts:
            last = row.counts[-1]
            if _mark(entry) == _mark(last):
                return
            entry[0] = max(entry[0], last[0])  # of two edges' notes the older one may come later
        row.counts.append(entry)
        self._changed[name] = row


def _mark(entry: list[Any]) -> tuple[Any, ...]:
    _, proved, crowds, windows, allowed = entry
    return _coarse(proved), {account: _coarse(count) for account, count in crowds.items()}, windows, allowed


def _coarse(count: int) -> int:
    return count if count < FINE else count - count % 10


def _is_granted(row: AllowedNetwork, at: datetime) -> bool:
    return row.granted_at is not None and row.granted_at <= at < min(row.ends_at, row.ended_at or row.ends_at)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _origin(note: wire.Note) -> Network:
    return origin_of(int(note.address, 16))


def _area(origin: Network) -> Network:
    """All that is judged with an address: it alone, or its IPv6 /48."""
    return origin if origin.is_v4 else wider(origin.first, 32, 48)


# --- reading -----------------------------------------------------------------------------------------------


def _within(areas: Collection[Network]) -> Iterator[Q]:
    """Conditions for origins within these areas."""
    if exact := [area.hex_first for area in areas if area.is_v4]:
        yield Q(first__in=exact)
    wide = [Q(first__gte=area.hex_first, first__lte=area.hex_last) for area in areas if not area.is_v4]
    for start in range(0, len(wide), AT_ONCE):
        yield reduce(or_, wide[start : start + AT_ONCE])


def _troubled(areas: Collection[Network], now: datetime) -> set[Network]:
    """Those of the areas in which something failed lately."""
    found = set()
    for where in _within(areas):
        rows = FailureKey.objects.filter(where, hour__gt=now - TROUBLED).order_by()
        found |= {_area(Network.from_hex(*range_)) for range_ in rows.values_list("first", "last").distinct()}
    return found & set(areas)


def _read(
    touched: Iterable[Network], areas: Collection[Network], proving: Sequence[Proving], now: datetime
) -> dict[str, _Origin]:
    """The origins that this batch touches, and all others of their areas where devices are proved."""
    origins = {origin.hex_first: _Origin(origin) for origin in touched}
    devices = {device.pk for _, device in proving}
    for where in _within(areas):
        rows = Proof.objects.filter(where, at__gte=now - standing.PROVED_TIME).order_by()
        counts = rows.values_list("first", "last", "device__account__code").annotate(Count("pk"))
        for first, last, account, count in counts:
            origin = origins.setdefault(first, _Origin(Network.from_hex(first, last)))
            origin.proved[str(account)] = count
        if devices:
            for first, device in rows.filter(device__in=devices).values_list("first", "device_id"):
                origins[first].devices.add(device)
    return origins


def _read_doors(origins: Iterable[_Origin], since: datetime, until: datetime) -> None:
    """Give each origin the windows and the ALLOWED networks that reached it in that time."""
    near: dict[str, list[Window]] = defaultdict(list)
    wide: list[Window] = []
    for window in Window.objects.filter(starts_at__lte=until, ends_at__gt=since):
        network = window.network
        (near[network.hex_first] if network == origin_of(network.first) else wide).append(window)
    allowances = list(
        AllowedNetwork.objects.filter(ends_at__gt=since, granted_at__lte=until).filter(
            Q(ended_at=None) | Q(ended_at__gt=since)
        )
    )
    for origin in origins:
        over = [window for window in wide if window.network.overlaps(origin.network)]
        origin.windows = near.get(origin.network.hex_first, []) + over
        origin.allowed = [row for row in allowances if row.network.overlaps(origin.network)]
