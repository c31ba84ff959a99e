"""The phones of quiet_town.py as rows: accounts, sites, devices, and check-ins as the drain writes them."""

import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from accounts.models import Account
from devices import models as devices
from devices.models import Device, Holiday
from provisioning import quarters, quieting
from provisioning.models import CheckInDay, CheckInHour, Incident, LastSeen, Lock
from provisioning.quarters import IN_A_DAY, PER_HOUR, PlaceKey
from provisioning.silence import bucket
from tests.provisioning.making import make_account
from tests.provisioning.quiet_town import ZONE, Site, at

_macs = itertools.count(1)


class Rows:
    """A town in the database, from its beginning up to `now` (hours); `go` lets more time pass.

    The hours of each phone are many rows; without them no place is quiet because all its phones are.
    """

    def __init__(self, sites: Sequence[Site], *, until: float, hours: bool = True) -> None:
        self.sites, self.now, self.hours = sites, until, hours
        top = Account.objects.filter(depth=1).first() or make_account("platform", kind=Account.Kind.PLATFORM)
        names = dict.fromkeys(site.account or "acme" for site in sites)
        self.accounts = {name: make_account(name.replace(" ", "-"), top) for name in names}
        Account.objects.exclude(pk=top.pk).update(time_zone=ZONE)
        self.places: dict[str, devices.Site] = {}
        self.phones: dict[str, list[Device]] = {}
        for site in sites:
            self._enter(site)
        self._check_in(0.0, until)

    def _enter(self, site: Site) -> None:
        account = self.accounts[site.account or "acme"]
        opening = None if site.closing.week is None else [list(map(list, day)) for day in site.closing.week]
        place = devices.Site.objects.create(account=account, name=site.key, time_zone=ZONE, opening=opening)
        for day in site.closing.holidays:
            Holiday.objects.create(account=account, site=place, day=day, name="A day off")
        made = Device.objects.bulk_create(
            Device(
                account=account,
                site=place,
                mac=f"{next(_macs):012x}",
                family="yealink",
                model="T46S",
                code=uuid4(),
            )
            for _ in site.checks
        )
        Lock.objects.bulk_create(
            Lock(device=device, state="locked", since=at(0), armed_at=at(0)) for device in made
        )
        if site.interval != 24:
            devices.SettingValue.objects.bulk_create(
                devices.SettingValue(
                    account=account, device=device, name="poll_hours", value=int(site.interval)
                )
                for device in made
            )
        self.places[site.key], self.phones[site.key] = place, made

    def go(self, until: float) -> list[Incident]:
        """Let time pass, judging as the product does at every quarter; returns the incidents there are."""
        while self.now < until:
            later = min(self.now + 1 / PER_HOUR, until)
            self._check_in(self.now, later)
            self.now = later
            quieting.look(self.clock)
        return list(Incident.objects.order_by("pk"))

    @property
    def clock(self) -> datetime:
        return at(self.now)

    def _check_in(self, a: float, b: float) -> None:
        """What arrives from a up to b, in bulk."""
        days: dict[tuple[PlaceKey, int], list[int]] = defaultdict(lambda: [0] * IN_A_DAY)
        seen: dict[int, datetime] = {}
        hours: set[tuple[int, int]] = set()
        for site in self.sites:
            place = self.places[site.key]
            key = (place.account_id, place.pk)
            for device, checks in zip(self.phones[site.key], site.checks, strict=True):
                came = checks[bisect_left(checks, a) : bisect_left(checks, b)]
                if not came:
                    continue
                for number in {bucket(at(time), PER_HOUR) for time in came}:
                    for where in (key, quarters.ALL):
                        days[where, number // IN_A_DAY][number % IN_A_DAY] += 1
                hours |= {(device.pk, bucket(at(time))) for time in came} if self.hours else set()
                seen[device.pk] = at(came[-1])
        self._write_days(days)
        LastSeen.objects.bulk_create(
            [
                LastSeen(device_id=pk, at=last, address="203.0.113.7", firmware="66.86")
                for pk, last in seen.items()
            ],
            update_conflicts=True,
            unique_fields=["device"],
            update_fields=["at"],
        )
        CheckInHour.objects.bulk_create(
            [
                CheckInHour(device_id=pk, hour=datetime.fromtimestamp(hour * 3600, UTC), count=1)
                for pk, hour in sorted(hours)
            ],
            ignore_conflicts=True,
        )

    def _write_days(self, days: dict[tuple[PlaceKey, int], list[int]]) -> None:
        for ((account, site), number), counts in days.items():
            day = (datetime.fromtimestamp(0, UTC) + timedelta(days=number)).date()
            row = CheckInDay.objects.filter(account=account, site=site, day=day).first()
            if row is None:
                CheckInDay.objects.create(
                    account_id=account, site_id=site, day=day, quarters=quarters.pack(counts)
                )
            else:
                before = quarters.unpack(row.quarters)
                row.quarters = quarters.pack(x + y for x, y in zip(before, counts, strict=True))
                row.save()
