"""What phones did, told to programs that listen: refused, gone quiet, back; a few queries for many phones."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Account
from devices.models import Device
from provisioning import announcing, facts, listening, quiet_phones, wire
from provisioning.announcing import AT_ONCE, Happened
from provisioning.models import Incident, Stamp, WebhookEvent
from provisioning.silence import Phone
from security.networks import origin_of, show_address

Noted = tuple[wire.Note, Device]
REFUSED, QUIET, BACK = "device.refused", "device.quiet", "device.back"
AGAIN = timedelta(hours=1)


def announce_refused(refused: Sequence[Noted]) -> None:
    """Tell of these refusals, each phone's at one origin by one rule at most once an hour."""
    heard = announcing.heard(REFUSED, (device.account for _, device in refused))
    refused = sorted(
        ((note, device) for note, device in refused if device.account.path in heard),
        key=lambda noted: noted[0].at,
    )
    if not refused:
        return
    told: dict[tuple[int, str, str], list[datetime]] = defaultdict(list)
    first, last = facts.aware(refused[0][0].at), facts.aware(refused[-1][0].at)
    rows = WebhookEvent.objects.filter(
        kind=REFUSED,
        device__in={device.pk for _, device in refused},
        at__gt=first - AGAIN,
        at__lt=last + AGAIN,
    )
    for pk, at, data in rows.values_list("device_id", "at", "data"):
        told[pk or 0, data["origin"], data["rule"]].append(at)
    happened = []
    for note, device in refused:
        at, address = facts.aware(note.at), int(note.address, 16)
        named = {"rule": note.rule, "origin": str(origin_of(address)), "address": show_address(address)}
        times = told[device.pk, named["origin"], note.rule]
        if all(abs(at - other) >= AGAIN for other in times):
            times.append(at)
            happened.append(Happened(REFUSED, device.account, at, device, facts=named))
    announcing.announce_many(happened)


def announce_back(came: Iterable[Noted]) -> None:
    """Tell which of these check-ins, of phones as they were before, end a quiet that was told."""
    shortest = Phone(quiet_phones.SHORTEST, None).allowance
    late = {
        device.pk: (note, device)
        for note, device in came
        if hasattr(device, "last_seen") and facts.aware(note.at) - device.last_seen.at > shortest
    }
    heard = announcing.heard(BACK, (device.account for _, device in late.values()))
    late = {pk: noted for pk, noted in late.items() if noted[1].account.path in heard}
    until = judged_until() if late else None
    if until is None:
        return
    lapses = quiet_phones.lapses([device for _, device in late.values()], until)
    happened = []
    for pk, lapse in lapses.items():
        note, device = late[pk]
        named = {"last": lapse.last, "origin": str(origin_of(int(note.address, 16)))}
        happened.append(Happened(BACK, device.account, facts.aware(note.at), device, facts=named))
    announcing.announce_many(happened)


def announce_quiet(until: datetime) -> None:
    """Tell which phones have gone quiet since it was last judged; nobody checks in meanwhile."""
    since, where = judged_until(), announcing.where_heard(QUIET, "account__path")
    if since is None or where is None or platform_is_quiet():
        return
    off = tuple(Account.objects.filter(is_active=False).values_list("path", flat=True))
    crossed = quiet_phones.crossed(since, until)
    rows = Device.objects.filter(where, crossed).select_related("account", "lock", "last_seen").order_by("pk")
    reached = 0
    while found := list(rows.filter(pk__gt=reached)[:AT_ONCE]):
        reached = found[-1].pk
        lapses = quiet_phones.lapses(found, until)
        named: dict[int, dict[str, Any]] = {
            pk: {"since": lapse.since, "last": lapse.last} for pk, lapse in lapses.items()
        }
        announcing.announce_many(
            Happened(QUIET, device.account, until, device, facts=named[device.pk])
            for device in found
            if device.pk in named and not (off and device.account.path.startswith(off))
        )


def judged_until() -> datetime | None:
    """Until when phones were judged: till the last round, or till the whole platform went quiet."""
    looked = Stamp.objects.filter(name=listening.LOOKED).values_list("at", flat=True).first()
    if looked is None:
        return None
    silences = Incident.objects.filter(kind=Incident.Kind.PLATFORM).exclude(ended_at__lte=looked)
    began = silences.order_by("opened_at").values_list("opened_at", flat=True).first()
    return min(looked, began) if began else looked


def platform_is_quiet() -> bool:
    return Incident.objects.going_on().filter(kind=Incident.Kind.PLATFORM).exists()
