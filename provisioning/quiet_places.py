"""Accounts and sites with their phones, closing times and counts, as the rows have them (section 7).

A constant number of queries however many there are; what is big is asked for only where it matters.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.db.models import Q

from accounts.models import Account
from devices.models import Device, Holiday, Site
from devices.polling import Intervals
from provisioning import quarters
from provisioning.closing_times import ClosingTimes, Span, bucket_of
from provisioning.gate import State
from provisioning.models import CheckInHour
from provisioning.quarters import IN_A_DAY, PER_HOUR, PlaceKey
from provisioning.silence import DAYS, SECONDS, Phone, Place, Series, bucket

BACK = timedelta(days=DAYS + 8)  # a silence of a week is still compared with four weeks before it
SILENT = (State.RETIRED.value, State.QUARANTINED.value)  # they get nothing, so that nobody waits for them
#: Of a large place so many phones tell at which hours it usually speaks, the newest among them.
ENOUGH_PHONES, NEWEST = 400, 20
AT_ONCE = 20_000

Days = Mapping[PlaceKey, Mapping[date, list[int]]]


@dataclass(slots=True)
class Spot:
    """One account, or one of its sites, with the phones that are expected to check in there."""

    key: PlaceKey
    name: str
    account: str
    zone: str
    closing: ClosingTimes
    code: str = ""  # of the site
    phones: list[Phone] = field(default_factory=list)
    devices: list[int] = field(default_factory=list)
    parts: list[PlaceKey] = field(default_factory=list)  # whose counts are its own

    @property
    def is_site(self) -> bool:
        return self.key[1] is not None

    @property
    def account_id(self) -> int:
        assert self.key[0] is not None
        return self.key[0]

    @property
    def over(self) -> PlaceKey:
        """The account that it belongs to."""
        return (self.key[0], None)

    @property
    def newest(self) -> datetime | None:
        """The last check-in of any of its phones."""
        return max((phone.last for phone in self.phones if phone.last), default=None)


class Town:
    """All places, or those of some accounts, as they are now."""

    def __init__(self, now: datetime, *, accounts: Collection[int] | None = None) -> None:
        self.now, self.first = now, (now - BACK).astimezone(UTC).date()
        self.spots: dict[PlaceKey, Spot] = {}
        own = self._read_places(accounts)
        self._read_phones(accounts, own)

    @property
    def first_bucket(self) -> int:
        """The quarter with which what is looked at begins."""
        return bucket_of(self.first, PER_HOUR)

    def _read_places(self, accounts: Collection[int] | None) -> frozenset[int]:
        """The accounts and sites; returns the sites that know their days off themselves."""
        among = Q() if accounts is None else Q(account__in=accounts)
        off: dict[PlaceKey, set[date]] = defaultdict(set)
        holidays = Holiday.objects.filter(among, day__gte=self.first - timedelta(days=1))
        for account, site, day in holidays.values_list("account_id", "site_id", "day"):
            off[account, site].add(day)
        rows = Account.objects.filter(Q() if accounts is None else Q(pk__in=accounts))
        for pk, name, zone in rows.values_list("pk", "name", "time_zone"):
            closing = ClosingTimes(zone, None, frozenset(off[pk, None]))
            self.spots[pk, None] = Spot((pk, None), name, name, zone, closing, parts=[(pk, None)])
        own = set()
        sites = Site.objects.filter(among).values_list(
            "pk", "account_id", "code", "name", "time_zone", "opening"
        )
        for pk, account, code, name, zone, opening in sites:
            above = self.spots[account, None]
            zone = zone or above.zone
            days = off[account, pk]
            closing = ClosingTimes(zone, week_of(opening), frozenset(days | off[account, None]))
            key: PlaceKey = (account, pk)
            self.spots[key] = Spot(key, name, above.name, zone, closing, str(code), parts=[key])
            if opening is not None or days:
                own.add(pk)
            else:
                above.parts.append(key)
        return frozenset(own)

    def _read_phones(self, accounts: Collection[int] | None, own: frozenset[int]) -> None:
        inactive = tuple(Account.objects.filter(is_active=False).values_list("path", flat=True))
        intervals = Intervals()
        found = Device.objects.filter(is_enabled=True, last_seen__isnull=False).exclude(
            lock__state__in=SILENT
        )
        if accounts is not None:
            found = found.filter(account__in=accounts)
        rows = found.order_by().values_list(
            "pk", "account_id", "account__path", "site_id", "family", "model", "last_seen__at"
        )
        for pk, account, path, site, family, model, last in rows.iterator(chunk_size=5000):
            if inactive and path.startswith(inactive):
                continue
            phone = Phone(intervals.of(pk, path, family, model), last)
            keys: list[PlaceKey] = [(account, None)] if site not in own else []
            for key in keys if site is None else [*keys, (account, site)]:
                spot = self.spots.get(key)
                if spot is not None:
                    spot.phones.append(phone)
                    spot.devices.append(pk)

    # --- what is asked for only where it matters ---

    def days(self, accounts: Collection[int] | None) -> dict[PlaceKey, dict[date, list[int]]]:
        """The counts of these accounts' places, and of all together under ALL."""
        found: dict[PlaceKey, dict[date, list[int]]] = defaultdict(dict)
        for key, day, counts in quarters.days(self.first, accounts=accounts):
            found[key][day] = counts
        return found

    def series(self, spot: Spot, days: Days, unknown: Mapping[PlaceKey, frozenset[int]]) -> Series:
        """What came to a place up to now, quarter by quarter."""
        nothing: frozenset[int] = frozenset()
        everybodys, own = unknown.get(quarters.ALL, nothing), unknown.get(spot.key, nothing)
        length = (self.now.astimezone(UTC).date() - self.first).days + 1
        return Series(
            self.first_bucket,
            self.counts([days[key] for key in spot.parts if key in days]),
            per_hour=PER_HOUR,
            closed=spot.closing.closed_days(self.first, length, per_hour=PER_HOUR),
            unknown=everybodys | own if own else everybodys,
        )

    def whole(
        self, of: Sequence[Mapping[date, list[int]]], unknown: Mapping[PlaceKey, frozenset[int]]
    ) -> Series:
        """What came to these places together."""
        return Series(
            self.first_bucket,
            self.counts(of),
            per_hour=PER_HOUR,
            unknown=unknown.get(quarters.ALL, frozenset()),
        )

    def counts(self, of: Sequence[Mapping[date, list[int]]]) -> list[int]:
        """The counts of these places together, from the first day up to the quarter that is going on."""
        length = bucket(self.now, PER_HOUR) - self.first_bucket
        found: list[int] = []
        for number in range(length // IN_A_DAY + 1):
            day = self.first + timedelta(days=number)
            rows = [counts[day] for counts in of if day in counts]
            if len(rows) == 1:
                found += rows[0]
            else:
                found += [sum(column) for column in zip(*rows, strict=True)] if rows else [0] * IN_A_DAY
        return found[:length]

    def with_hours(self, spots: Iterable[Spot]) -> dict[PlaceKey, list[Phone]]:
        """The phones of these places with the hours in which each checked in; one query."""
        chosen = {spot.key: _some(spot) for spot in spots}
        hours: dict[int, list[int]] = defaultdict(list)
        wanted = {pk for phones in chosen.values() for pk, _ in phones}
        for some in _chunks(sorted(wanted)):
            rows = CheckInHour.objects.filter(device__in=some, hour__gte=self.now - BACK).order_by("hour")
            for pk, hour in rows.values_list("device_id", "hour").iterator(chunk_size=5000):
                hours[pk].append(int(hour.timestamp()) // SECONDS)
        return {
            key: [Phone(phone.interval, phone.last, hours[pk]) for pk, phone in phones]
            for key, phones in chosen.items()
        }


def place(spot: Spot, series: Series, phones: Sequence[Phone] | None = None) -> Place:
    """A spot as it is judged."""
    above = "" if not spot.is_site else str(spot.over)
    return Place(str(spot.key), series, spot.phones if phones is None else phones, above)


def week_of(opening: Sequence[Sequence[Sequence[int]]] | None) -> tuple[tuple[Span, ...], ...] | None:
    """Opening hours as a row has them, for the judging."""
    if opening is None:
        return None
    return tuple(tuple((int(opens), int(closes)) for opens, closes in day) for day in opening)


def _some(spot: Spot) -> list[tuple[int, Phone]]:
    """A place's phones, or of very many the newest and a part that is spread over the others."""
    phones = list(zip(spot.devices, spot.phones, strict=True))
    if len(phones) <= ENOUGH_PHONES:
        return phones
    phones.sort(key=lambda pair: (pair[1].last or datetime.min.replace(tzinfo=UTC), pair[0]), reverse=True)
    return phones[:NEWEST] + phones[NEWEST :: len(phones) // (ENOUGH_PHONES - NEWEST)]


def _chunks(keys: list[int]) -> Iterator[list[int]]:
    """A statement of PostgreSQL takes 65,535 parameters."""
    for start in range(0, len(keys), AT_ONCE):
        yield keys[start : start + AT_ONCE]
