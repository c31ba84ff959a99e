"""What is known of an account's silences: its quiet phones, its places with what was expected, its alarms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Account
from devices.models import Device
from provisioning import listening, quiet_phones, shortfall
from provisioning.models import Incident
from provisioning.quarters import PER_HOUR
from provisioning.quiet_phones import Lapse
from provisioning.quiet_places import Spot, Town
from provisioning.silence import Series, bucket, is_quiet

A_DAY = 24  # hours
MOST_PHONES = 500


@dataclass(frozen=True, slots=True)
class PlaceReport:
    """One place of the account: how many of its phones are waited for, what came and what was expected.

    `expected` is None where the weeks before say too little, and where the place was closed for the whole
    day or nobody was listening.
    """

    name: str
    site: str
    phones: int
    quiet: int
    last: datetime | None
    is_closed: bool
    seen: int
    expected: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """An account's silences as they are now; `quiet_phones` at most the 500 that are quiet for longest."""

    phones: int
    quiet: int
    quiet_phones: Sequence[tuple[Device, Lapse]]
    places: Sequence[PlaceReport]
    alarms: Sequence[Incident]


def of_account(account: Account, now: datetime) -> Report:
    """Gather it for the account itself, not for those below it; a constant number of queries."""
    town = Town(now, accounts=[account.pk])
    read = listening.read_until(now)
    unknown = listening.unknown(town.first_bucket, bucket(now, PER_HOUR), now, read=read)
    days = town.days([account.pk])
    places = [
        _place(spot, town.series(spot, days, unknown), now)
        for spot in town.spots.values()
        if spot.is_site or spot.phones
    ]
    everybody = {
        pk: phone for spot in town.spots.values() for pk, phone in zip(spot.devices, spot.phones, strict=True)
    }
    late = [pk for pk, phone in everybody.items() if is_quiet(phone, now)]
    late.sort(key=lambda pk: (everybody[pk].last or now, pk))
    devices = Device.objects.select_related("account", "lock", "last_seen", "site").in_bulk(
        late[:MOST_PHONES]
    )
    lapses = quiet_phones.lapses(devices.values(), now)
    return Report(
        phones=len(everybody),
        quiet=len(late),
        quiet_phones=[(devices[pk], lapses[pk]) for pk in late[:MOST_PHONES] if pk in lapses],
        places=places,
        alarms=list(
            Incident.objects.going_on()
            .filter(kind=Incident.Kind.SILENCE, account=account)
            .select_related("site")
            .order_by("opened_at", "pk")
        ),
    )


def _place(spot: Spot, series: Series, now: datetime) -> PlaceReport:
    end = series.reached(now)
    stretches = series.speaking(end - A_DAY * PER_HOUR, end)
    expected = shortfall.expect(list(series.days(stretches))) if stretches else None
    current = bucket(now, PER_HOUR)
    return PlaceReport(
        name=spot.name,
        site=spot.code,
        phones=len(spot.phones),
        quiet=sum(is_quiet(phone, now) for phone in spot.phones),
        last=spot.newest,
        is_closed=bool(spot.closing.closed(current, 1, per_hour=PER_HOUR)),
        seen=series.seen(end - A_DAY * PER_HOUR, end),
        expected=None if expected is None else round(expected.mean, 1),
    )
