"""A phone's log: write() for what a person or the clock did, described() for how a line reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from accounts.models import AuditEntry
from accounts.scope import Actor
from accounts.speaking import told
from devices import appearances
from devices.models import Device
from provisioning import announcing, sentences
from provisioning.models import DeviceEvent

# Among an event's details: times, which a person reads in the account's zone, and words of the product, which
# he reads in his language.
TIMES = ("until", "ended", "armed_at", "since")
WORDS = ("asked", "answer", "decision", "lifted", "sign")

MOVED_AWAY = "device.moved-away"  # in the audit of the account that a phone has left


@dataclass(frozen=True, slots=True)
class Described:
    """One line of the log as people and programs read it."""

    at: datetime
    what: str
    outcome: str
    rule: str
    sentence: str
    next: str
    address: str
    agent: str
    file: str
    count: int
    actor: str


def write(
    device: Device,
    what: str,
    *,
    by: Actor | None = None,
    rule: str = "",
    at: datetime,
    address: str = "",
    **details: Any,
) -> DeviceEvent:
    """Add a line to the phone's log, in the caller's transaction; details must be plain JSON values.

    Programs that listen are told where it is one of their events.
    """
    line: DeviceEvent = DeviceEvent.objects.create(
        device=device,
        account=device.account,
        mac=device.mac,
        at=at,
        what=what,
        rule=rule,
        address=address,
        actor=by.label if by else "",
        details=details,
    )
    announcing.of_log(line)
    return line


def former_accounts(devices: Iterable[Device], since: datetime) -> dict[int, list[tuple[datetime, int]]]:
    """Who had the phones that were given to another account later than this, each until when (E17)."""
    codes = {str(device.code): device.pk for device in devices}
    moves = AuditEntry.objects.filter(verb=MOVED_AWAY, at__gt=since, account__isnull=False)
    found: dict[int, list[tuple[datetime, int]]] = {}
    for code, at, account in moves.order_by("at").values_list("target_code", "at", "account_id"):
        if code in codes and account is not None:
            found.setdefault(codes[code], []).append((at, account))
    return found


def described(event: DeviceEvent, *, now: datetime | None = None) -> Described:
    """The line with its sentence and what comes next; times stand in the zone of the phone's account."""
    if event.what == "request":
        places = {"address": event.address, "agent": event.agent, "file": event.file, "mac": event.mac}
        case = str(event.details.get("case", ""))
        sentence = sentences.sentence(event.rule, event.outcome, case=case, **places)
        remedy = sentences.remedy(event.rule, event.outcome, case=case, address=event.address)
    else:
        sentence, remedy = sentences.happened(event.what, **_places(event, now or timezone.now())), ""
    return Described(
        at=event.at,
        what=event.what,
        outcome=event.outcome,
        rule=event.rule,
        sentence=sentence,
        next=remedy,
        address=event.address,
        agent=event.agent,
        file=event.file,
        count=event.count,
        actor=event.actor,
    )


def _places(event: DeviceEvent, now: datetime) -> dict[str, Any]:
    places = {**event.details, "actor": sentences.doer(event.actor), "address": event.address}
    places["sign"] = sentences.SIGNS.get(str(places.get("why", "")))
    places |= {name: told(str(places[name])) for name in WORDS if places.get(name)}
    if isinstance(places.get("causes"), list):
        places["causes"] = " ".join(map(told, places["causes"]))
    if event.what in ("lines-changed", "keys-changed") and "lost" in places:
        places["summary"] = appearances.summary(event.what, event.details)
    for name in TIMES:
        if isinstance(places.get(name), str):
            at = datetime.fromisoformat(places[name])
            places[name] = sentences.when(at, event.account.time_zone, now=now)
    return places
