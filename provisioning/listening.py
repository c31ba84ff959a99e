"""When we were not listening ourselves (section 7): answers were held, notes were lost or came late.

What is found becomes a row; what the drain has not read yet is unknown only until it has.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import cast

from django.db.models import Q

from provisioning import quarters, store, wire
from provisioning.models import DeviceEvent, Drain, Incident, Stamp, UnknownTime
from provisioning.quarters import PER_HOUR, QUARTER, PlaceKey
from provisioning.silence import WEEK, bucket, moment

LATE = QUARTER  # a drain that is further behind has not read the newest quarter
LOOKED = "listen"  # the stamp of the round
BACK = timedelta(hours=2)  # what a round looks through again: notes come late
#: A quarter is unknown when more phones were held than served, and at least so many; or so many answers were
#: held before it was known whose phone asked. One phone that is held again and again is no outage.
PHONES, ANSWERS = 5, 100

Why = UnknownTime.Why


def note_loss(now: datetime) -> None:
    """The store was emptied: what was noted since the drain last read it may be lost."""
    read = Stamp.objects.filter(name="drain").values_list("at", flat=True).first()
    if read is not None and read < now:
        _write(Why.LOST, read, now)


def look(now: datetime) -> datetime:
    """Write down what we missed since the last look; returns until when the notes are read."""
    lost = _take_lost()
    if lost:
        since = Stamp.objects.filter(name=LOOKED).values_list("at", flat=True).first()
        _write(Why.LOST, max(since or now - BACK, now - BACK), now)
    for number in _held(now):
        _write(Why.HELD, moment(number, PER_HOUR), moment(number + 1, PER_HOUR))
    for number in _unreached(now):
        _write(Why.UNREACHED, moment(number, PER_HOUR), moment(number + 1, PER_HOUR))
    return read_until(now)


def read_until(now: datetime) -> datetime:
    """Until when every note has become a row: now, unless the drain is behind."""
    cursor = Drain.objects.filter(stream=wire.NOTES.decode()).values_list("cursor", flat=True).first()
    try:
        waiting = store.client().xrange(wire.NOTES, min=f"({cursor or '0-0'}", count=1)
    except store.Away:
        read = Stamp.objects.filter(name="drain").values_list("at", flat=True).first()
        return min(read, now) if read else now
    if not waiting:
        return now
    name = bytes(cast(bytes, waiting[0][0]))  # of an entry: milliseconds and a number
    return min(datetime.fromtimestamp(int(name.split(b"-")[0]) / 1000, UTC), now)


def unknown(first: int, end: int, now: datetime, *, read: datetime) -> dict[PlaceKey, frozenset[int]]:
    """The quarters from first up to end that say nothing; under ALL those of everybody."""
    found: dict[PlaceKey, set[int]] = defaultdict(set)
    rows = UnknownTime.objects.filter(until__gt=moment(first, PER_HOUR))
    for account, site, since, until in rows.values_list("account_id", "site_id", "since", "until"):
        found[account, site].update(_quarters(since, until))
    if now - read > LATE:
        found[quarters.ALL].update(range(bucket(read, PER_HOUR), end))
    return {place: frozenset(n for n in numbers if first <= n < end) for place, numbers in found.items()}


def keep_unknown(
    why: UnknownTime.Why, since: datetime, until: datetime, place: PlaceKey = quarters.ALL
) -> None:
    """The check-ins of that time say nothing, of everybody or of one place."""
    if since < until:
        account, site = place
        UnknownTime.objects.create(account_id=account, site_id=site, since=since, until=until, why=why)


def _write(why: UnknownTime.Why, since: datetime, until: datetime) -> None:
    """As one row with what it goes on from."""
    before = UnknownTime.objects.filter(
        Q(since__lte=until, until__gte=since), account=None, site=None, why=why
    ).first()
    if before is None:
        keep_unknown(why, since, until)
    elif since < before.since or until > before.until:
        before.since, before.until = min(since, before.since), max(until, before.until)
        before.save(update_fields=["since", "until"])


def _quarters(since: datetime, until: datetime) -> Iterable[int]:
    last = bucket(until, PER_HOUR)
    return range(bucket(since, PER_HOUR), last + (moment(last, PER_HOUR) < until))


def _take_lost() -> int:
    """How many notes the edges could not write since this was last asked."""
    try:
        lost = store.client().getset(wire.LOST_NOTES, 0)
    except store.Away:
        return 0
    return int(lost or 0)


def _held(now: datetime) -> list[int]:
    """The complete quarters lately in which more phones were held than served."""
    end = bucket(now, PER_HOUR)
    first = end - int(BACK / QUARTER)
    since = moment(first, PER_HOUR)
    held: dict[int, set[int]] = defaultdict(set)
    events = DeviceEvent.objects.filter(what="request", outcome="held", at__gte=since, device__isnull=False)
    for device, at in events.values_list("device_id", "at"):
        held[bucket(at, PER_HOUR)].add(device or 0)
    answers = _numbered(quarters.held(since.date()))
    if not held and not answers:
        return []
    served = _numbered({day: counts for place, day, counts in quarters.days(since.date(), accounts=())})
    return [
        number
        for number in range(first, end)
        if len(held[number]) >= max(PHONES, served.get(number, 0) + 1)
        or answers.get(number, 0) >= max(ANSWERS, served.get(number, 0) + 1)
    ]


def _unreached(now: datetime) -> list[int]:
    """The quarters in which the canary got nothing, and from phones came less than half of a week before.

    With few accounts nothing else tells our own outage from a silence of theirs. A canary that fails alone
    hides no silence: as long as phones come, they are believed.
    """
    failing = Incident.objects.going_on().filter(kind=Incident.Kind.CANARY).first()
    if failing is None:
        return []
    since = datetime.fromisoformat(failing.evidence["state"]["since"])
    first, end = max(bucket(since, PER_HOUR), bucket(now - BACK, PER_HOUR)), bucket(now, PER_HOUR)
    before = moment(first - WEEK * PER_HOUR, PER_HOUR).date()
    served = _numbered({day: counts for _, day, counts in quarters.days(before, accounts=())})
    return [
        number
        for number in range(first, end)
        if not served.get(number) or 2 * served[number] < served.get(number - WEEK * PER_HOUR, 0)
    ]


def _numbered(days: dict[date, list[int]]) -> dict[int, int]:
    found = {}
    for day, counts in days.items():
        begins = bucket(datetime.combine(day, time.min, UTC), PER_HOUR)
        found.update({begins + at: count for at, count in enumerate(counts) if count})
    return found
