"""B2: many proved phones at one address within a minute are an incident of each account, and never a key."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Count

from accounts.models import Account
from accounts.said import Said
from devices.models import Device
from provisioning import incidents, listening, publishing, standing
from provisioning.announcing import Happened
from provisioning.gate import Outcome
from provisioning.models import DeviceEvent, FailureKey, Incident, LastSeen, Proof
from security import pressure
from security.models import Ban
from security.networks import Network, origin_of, parse_address, show_address

WITHIN = timedelta(minutes=1)
CALM = timedelta(minutes=10)
A_DAY, AN_HOUR = timedelta(days=1), timedelta(hours=1)
A_FEW = 4  # no minute brings a quarter of what makes a storm here: these are ordinary polls again
STORM = Incident.Kind.STORM


@dataclass(frozen=True, slots=True)
class Came:
    """A phone that checked in, and when it last did."""

    device: int
    account: int
    at: datetime


# --- while the drain writes --------------------------------------------------------------------------------


def look(check_ins: Iterable[tuple[Device, int, datetime]]) -> None:
    """Open an incident where what the drain has just written, with what it wrote before, is a storm.

    It does not matter which of them came in one batch. One query where there is no storm; while one is going
    on, the clock follows it (`sweep`).
    """
    batch: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for device, address, at in check_ins:
        batch[origin_of(address).hex_first].append((at, device.pk))
    if not batch:
        return
    times = [at for rows in batch.values() for at, _ in rows]
    after, until = min(times) - WITHIN, max(times)
    crowded = (
        Proof.objects.filter(first__in=batch, at__gt=after, at__lte=until)
        .order_by()
        .values("first", "last")
        .annotate(phones=Count("pk"))
        .filter(phones__gte=pressure.RULES.storm)
    )
    for row in crowded:
        _look_at(Network.from_hex(row["first"], row["last"]), batch[row["first"]], after, until)


def _look_at(
    origin: Network, batch: Sequence[tuple[datetime, int]], after: datetime, until: datetime
) -> None:
    """Judge the busiest minute at this address, unless a storm is going on there."""
    if Incident.objects.going_on().filter(kind=STORM, first=origin.hex_first).exists():
        return
    proofs = Proof.objects.filter(first=origin.hex_first, at__gt=after, at__lte=until)
    rows = list(proofs.values_list("device_id", "device__account_id", "at"))
    accounts = {device: account for device, account, _ in rows}
    times = {(at, device) for device, _, at in rows} | {row for row in batch if row[1] in accounts}
    crowd = busiest(times)
    proved = standing.proved_count(origin, until)
    if not pressure.is_storm(len(crowd), proved):
        return
    began, rushed = min(crowd.values()), max(crowd.values())
    for account, phones in Counter(accounts[device] for device in crowd).items():
        _open(origin, account, phones, began=began, rushed=rushed, proved=proved)


def busiest(times: Iterable[tuple[datetime, int]]) -> dict[int, datetime]:
    """The phones of the minute in which the most different ones came, each with its first time in it."""
    window: deque[tuple[datetime, int]] = deque()
    within: Counter[int] = Counter()
    most: dict[int, datetime] = {}
    for at, device in sorted(times):
        window.append((at, device))
        within[device] += 1
        while at - window[0][0] >= WITHIN:
            gone = window.popleft()[1]
            within[gone] -= 1
            if not within[gone]:
                del within[gone]
        if len(within) > len(most):
            most = {}
            for came, phone in window:
                most.setdefault(phone, came)
    return most


def _open(
    origin: Network, account: int, phones: int, *, began: datetime, rushed: datetime, proved: int
) -> Incident:
    state = {"phones": phones, "proved": proved, "rushed": rushed.isoformat()}
    return incidents.open_(
        STORM,
        account=Account.objects.get(pk=account),
        subject=str(origin),
        title=Said(
            "{phones} phones asked at once behind {origin}; no ban comes of that.",
            phones=f"{phones:,}",
            origin=str(origin),
        ),
        now=began,
        network=origin,
        evidence={"state": state},
        tell=False,  # a minute later it is known how many they are
        also=partial(_stormed, phones),
    )


def _stormed(phones: int, incident: Incident) -> Happened:
    """What programs are told of it."""
    network = str(incident.network)
    facts = {"rule": "B2", "network": network, "phones": phones, "incident": str(incident.code)}
    return Happened(
        "address.storm", incident.account, incident.opened_at, lane=f"address {network}", facts=facts
    )


# --- while it goes on --------------------------------------------------------------------------------------


def sweep(now: datetime) -> int:
    """Count how many came, tell of it when the rush is over, and end what is calm; returns how many ended."""
    at_origin: dict[str, list[Incident]] = defaultdict(list)
    for row in Incident.objects.going_on().filter(kind=STORM).select_related("account"):
        at_origin[row.first].append(row)
    # What is not drained yet may go on with the storm: until then nobody says that it is calm.
    ended, read = 0, listening.read_until(now) if at_origin else now
    for rows in at_origin.values():
        with transaction.atomic():
            ended += _follow(rows, read)
    return ended


def _follow(rows: list[Incident], now: datetime) -> int:
    origin = rows[0].network
    assert origin is not None
    began = min(row.opened_at for row in rows)
    proved = int(rows[0].evidence["state"]["proved"])
    came = _came(origin, began)
    needed = max(pressure.RULES.storm, proved * pressure.RULES.percent // 100)
    last = rush_end([phone.at for phone in came], max(1, needed // A_FEW))
    # By an earlier count it may have gone on for longer: a phone that asks again moves its last time on.
    rushed = max(datetime.fromisoformat(row.evidence["state"]["rushed"]) for row in rows)
    rushed = max(rushed, last) if last else rushed
    by_account: dict[int, set[int]] = defaultdict(set)
    for phone in came:
        if phone.at <= rushed:
            by_account[phone.account].add(phone.device)
    there = {row.account_id for row in rows}
    opened = [
        _open(origin, account, len(phones), began=began, rushed=rushed, proved=proved)
        for account, phones in by_account.items()
        if account not in there
    ]
    rows += [row for row in opened if row.ended_at is None]
    counts = {row.pk: max(len(by_account[row.account_id]), row.evidence["state"]["phones"]) for row in rows}
    behind = _Behind(origin, began, rushed, proved, sum(counts.values()), _strangers(origin, began), now)
    for row in rows:
        behind.write(row, counts[row.pk], {phone.device for phone in came if phone.account == row.account_id})
    if now - rushed < CALM:
        return 0
    for row in rows:
        incidents.end(row, how=row.evidence["state"]["how"], now=now)
    return len(rows)


def rush_end(times: Iterable[datetime], few: int) -> datetime | None:
    """The last time that belongs to a minute in which so many came."""
    ordered = sorted(times)
    end = None
    for at, before in zip(ordered[few - 1 :], ordered, strict=False):
        if at - before < WITHIN:
            end = at
    return end


def _came(origin: Network, since: datetime) -> list[Came]:
    """Who has checked in there since then, whether it proves something or not (`single_step`)."""
    rows = LastSeen.objects.filter(at__gte=since)
    if origin.is_v4:
        rows = rows.filter(address=show_address(origin.first))
    found = rows.values_list("device_id", "device__account_id", "at", "address")
    return [Came(device, account, at) for device, account, at, address in found if _is_at(address, origin)]


def _is_at(address: str, origin: Network) -> bool:
    return parse_address(address) in origin


def _strangers(origin: Network, since: datetime) -> int:
    keys = FailureKey.objects.filter(first=origin.hex_first, last_at__gte=since).order_by()
    return keys.values("kind", "label").distinct().count()


@dataclass(frozen=True, slots=True)
class _Behind:
    """A storm at one address, as all its accounts share it."""

    origin: Network
    began: datetime
    rushed: datetime
    proved: int
    all: int
    failures: int
    now: datetime

    def write(self, row: Incident, phones: int, served: set[int]) -> None:
        """Keep what is known by now; once the rush is over its size is the title, and people are told."""
        held = self._held(row)
        missing = Proof.objects.filter(
            first=self.origin.hex_first,
            device__account=row.account_id,
            at__lt=self.began,
            at__gte=self.began - standing.PROVED_TIME,
        ).count()
        is_over = self.now - self.rushed >= WITHIN
        length = spell(self.rushed - self.began)
        how = _how(phones, length, again=len(held & served), lost=len(held - served), missing=missing)
        count, every = f"{phones:,}", f"{self.all:,}"
        came = Said("{count} of {every} in all", count=count, every=every) if self.all > phones else count
        needed = {"failures": f"{self.failures:,}", "needed": self._needed()}
        facts = [
            [Said("Phones that came"), came],
            [Said("Within"), length],
            [Said("Held first, then served"), f"{len(held & served):,}"],
            [Said("Held and not back yet"), f"{len(held - served):,}"],
            [Said("Live there and have not come"), f"{missing:,}"],
            [Said("Failures of others there"), Said("{failures}; {needed} would make a ban", **needed)],
        ]
        was_settled = bool(row.evidence["state"].get("is_settled"))
        state = {
            "phones": phones,
            "proved": self.proved,
            "rushed": self.rushed.isoformat(),
            "how": how,
            "is_settled": is_over or was_settled,
        }
        settles = is_over and not was_settled
        is_daily = settles and self._is_daily(row)
        title = self._title(phones, length, is_daily=is_daily) if settles else row.title
        incidents.refresh(row, title=title, evidence={"facts": facts, "state": state}, now=self.now)
        if settles and not is_daily:
            publishing.tell_later("incident", row.account_id, str(row.code))

    def _held(self, row: Incident) -> set[int]:
        """The account's phones that were told to come back."""
        events = DeviceEvent.objects.filter(
            account=row.account_id,
            outcome=Outcome.HELD.value,
            device__isnull=False,
            at__gte=self.began - WITHIN,
            at__lte=self.now,
        )
        found = events.values_list("device_id", "address")
        return {device for device, address in found if device and _is_at(address, self.origin)}

    def _needed(self) -> str:
        return f"{pressure.threshold(pressure.Facts(proved=self.proved)).value:,}"

    def _is_daily(self, row: Incident) -> bool:
        """Whether the day before brought one at this hour: a letter every day is read by nobody."""
        day_before = (self.began - A_DAY - AN_HOUR, self.began - A_DAY + AN_HOUR)
        rows = Incident.objects.filter(kind=STORM, account=row.account_id, first=row.first)
        return rows.filter(opened_at__range=day_before).exists()

    def _title(self, phones: int, length: str, *, is_daily: bool) -> Said:
        why = Said("a power cut, as it seems")
        if is_daily:
            why = Said("as the day before, so it is the time when they poll")
        tail = Said("A ban of strangers stands there.") if self._is_banned() else Said("No ban.")
        facts = {"length": length, "origin": str(self.origin), "why": why, "tail": tail}
        count, every = f"{phones:,}", f"{self.all:,}"
        if self.all <= phones:
            return Said(
                "{count} phones asked within {length} behind {origin}: {why}. {tail}", count=count, **facts
            )
        return Said(
            "{count} phones, of {every} in all, asked within {length} behind {origin}: {why}. {tail}",
            count=count,
            every=every,
            **facts,
        )

    def _is_banned(self) -> bool:
        over = Ban.objects.standing(self.now)
        return over.filter(first__lte=self.origin.hex_first, last__gte=self.origin.hex_last).exists()


def _how(phones: int, length: str, *, again: int, lost: int, missing: int) -> Said:
    count = f"{phones:,}"
    if not (again or lost or missing):
        return Said(
            "All {count} phones were served within {length}; none was held.", count=count, length=length
        )
    said = Said("{count} phones were served within {length}.", count=count, length=length)
    if again:
        said = Said("{said} Held first, then served: {again}.", said=said, again=f"{again:,}")
    if lost:
        said = Said("{said} Held and not back yet: {lost}.", said=said, lost=f"{lost:,}")
    if missing:
        said = Said("{said} Live there and have not come: {missing}.", said=said, missing=f"{missing:,}")
    return said


def spell(length: timedelta) -> str:
    """How long a rush was: 54 s, 4 min."""
    seconds = max(1, round(length.total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} min"
