"""The edges' notes become rows: once each, in the transaction that moves the cursor."""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q

from accounts.models import Account
from devices.models import Device, SiteNetwork
from devices.user_agent import parse_agent
from provisioning import (
    announcing,
    announcing_phones,
    approvals,
    claims,
    clones,
    earned,
    events,
    facts,
    following,
    listening,
    locking,
    pressed,
    proved_hours,
    publishing,
    quarters,
    standing,
    store,
    storms,
    suspicion,
    wire,
)
from provisioning.gate import Outcome, TokenKind
from provisioning.models import CheckInHour, DeviceEvent, Drain, FailureKey, LastSeen, Proof, Token
from security.networks import Network, origin_of, show_address

log = structlog.get_logger(__name__)

BATCH = 1000
ORIGINS_KEPT = 16  # of one token; T3 looks back 30 days
RESTED = timedelta(hours=6)  # an origin's last use, and a proof, are written again after this


@announcing.asked_once()
def drain(now: datetime, *, limit: int = BATCH) -> int:
    """Write one batch of notes as rows; returns how many were read. Raises store.Away.

    Epoch and entries are read in one step: after a flush of the store the epoch is gone, and nothing that
    was written since can be taken for something older.
    """
    with transaction.atomic():
        cursor = _cursor()
        pipe = store.client().pipeline(transaction=True)
        pipe.get(wire.NOTES_EPOCH)
        pipe.xrange(wire.NOTES, min=f"({cursor.cursor}", count=limit)
        epoch, entries = pipe.execute()
        if epoch is None or epoch.decode() != cursor.epoch:
            return _new_epoch(cursor, epoch, now)
        if not entries:
            return 0
        notes = [note for _, entry in entries if wire.NOTE in entry and (note := _read(entry)) is not None]
        write(notes, now)
        earned.write(_read_earned(entry for _, entry in entries), now)
        cursor.cursor = entries[-1][0].decode()
        cursor.drained += len(entries)
        cursor.moved_at = now
        cursor.save(update_fields=["cursor", "drained", "moved_at"])
    # What is written may go; the stream's cap is for the time when nobody drains.
    store.client().xtrim(wire.NOTES, minid=cursor.cursor, approximate=True)
    return len(entries)


def pause() -> None:
    """No note becomes a row until this transaction ends.

    For whoever takes a phone from its account or its MAC: what was noted before must not land on it
    afterwards, and the drain holds the keys of the phones in its hands.
    """
    _cursor()


def _cursor() -> Drain:
    """The stream's cursor, held."""
    return Drain.objects.select_for_update().get_or_create(stream=wire.NOTES.decode())[0]


def _new_epoch(cursor: Drain, epoch: bytes | None, now: datetime) -> int:
    if epoch is None:
        fresh = secrets.token_hex(8)
        store.client().set(wire.NOTES_EPOCH, fresh, nx=True)
        epoch = store.read(wire.NOTES_EPOCH)
    if cursor.epoch and epoch != cursor.epoch.encode():
        listening.note_loss(now)
    cursor.epoch, cursor.cursor = (epoch or b"").decode(), "0-0"
    cursor.save(update_fields=["epoch", "cursor"])
    return 0


def _read(entry: dict[bytes, bytes]) -> wire.Note | None:
    try:
        return wire.unpack_note(entry[wire.NOTE])
    except (KeyError, wire.WireError):
        log.error("a note cannot be read", entry=str(entry)[:200])
        return None


def _read_earned(entries: Iterable[dict[bytes, bytes]]) -> Iterator[pressed.Earned]:
    for entry in entries:
        try:
            if pressed.EARNED in entry:
                yield pressed.unpack_earned(entry[pressed.EARNED])
        except wire.WireError:
            log.error("a ban cannot be read", entry=str(entry)[:200])


@announcing.asked_once()
def write(notes: Iterable[wire.Note], now: datetime) -> None:
    """Write the rows of these notes, in the caller's transaction."""
    notes = list(notes)
    codes = {note.code for note in notes if note.code}
    devices = {
        str(d.code): d
        for d in Device.objects.filter(code__in=codes).select_related("account", "lock", "last_seen")
    }
    # All at once and in the order of their keys, before any other row: nobody is met half-way.
    known = [(note, devices[note.code]) for note in notes if note.code in devices]
    locking.locked_rows({device.pk for note, device in known if _weighs(note, device)})
    moved = events.former_accounts(devices.values(), facts.aware(min((note.at for note in notes), default=0)))
    rows, check_ins, refused = [], [], []
    for note in notes:
        device = devices.get(note.code)
        if device is None:
            continue
        at = facts.aware(note.at)
        former = next((account for until, account in moved.get(device.pk, ()) if at < until), None)
        rows.append(_event(note, device, former))
        if former is not None or note.mac not in ("", device.mac):
            continue  # noted before it was moved (E17) or swapped (E12): nothing of it is the present phone's
        if note.check_in:
            check_ins.append((note, device))
        if note.outcome == Outcome.REFUSED.value:
            refused.append((note, device))
        _follow_up(note, device, now)
    DeviceEvent.objects.bulk_create(rows)
    announcing_phones.announce_refused(refused)
    failures, proving = [note for note in notes if note.key], _proving(check_ins)
    proved_hours.write(proving, failures, now)
    _write_check_ins(check_ins, proving, now)
    quarters.count_held((facts.aware(n.at), n.count) for n in notes if n.outcome == "held" and not n.code)
    _write_keys(failures)
    _look_for_signs(failures, devices, now)


def _weighs(note: wire.Note, device: Device) -> bool:
    """Whether the note may change the phone's lock or tokens, and not only say that it was here."""
    told = note.card or note.stale or note.unlock_expired or note.first_use or note.clone
    follows = note.drift or device.lock.follow_first
    return bool(told or follows or note.key or (note.check_in and not note.current))


def _event(note: wire.Note, device: Device, former: int | None) -> DeviceEvent:
    """The line of the log; what happened under a former account stays there, without the phone."""
    flags = ("drift", "clone", "unlock_expired", "first_use", "check_in")
    return DeviceEvent(
        device=device if former is None else None,
        account_id=former or device.account_id,
        mac=note.mac or device.mac,
        at=facts.aware(note.at),
        what="request",
        outcome=note.outcome,
        rule=note.rule,
        address=show_address(int(note.address, 16)),
        agent=note.agent[:256],
        file=note.file[:120],
        count=note.count,
        details={name: True for name in flags if getattr(note, name)} | _case(note, device),
    )


def _case(note: wire.Note, device: Device) -> dict[str, str]:
    """Which of R6's several reasons it was, where it was not that the phone is locked to another place."""
    lock, address = device.lock, int(note.address, 16)
    if (note.rule, note.outcome) != ("R6", "refused"):
        return {}
    if not lock.bound_first and lock.bound_site_id is None:
        return {"case": "unbound"}
    if note.key:  # what counts against an address comes from elsewhere
        return {}
    where = Q(first__lte=f"{address:032x}", last__gte=f"{address:032x}")
    if lock.bound_site_id is not None:
        at_home = SiteNetwork.objects.filter(where, site=lock.bound_site_id).exists()
    else:
        at_home = lock.bound_first <= f"{address:032x}" <= lock.bound_last
    if not at_home:
        return {}
    return {"case": "shared" if facts.is_shared(address, facts.aware(note.at)) else "often"}


def _follow_up(note: wire.Note, device: Device, now: datetime) -> None:
    """What a rule's "then" says beyond the log: a card, a stale lock, an ended unlock, a suspected clone."""
    at = facts.aware(note.at)
    if note.stale or note.unlock_expired:
        locking.expire(device, now=at)
    if note.card:
        approvals.note_try(
            device,
            rule=note.rule,
            address=int(note.address, 16),
            agent=note.agent,
            product=note.product,
            at=at,
            count=note.count,
        )
    if note.first_use:
        claims.first_use(note.token, int(note.address, 16), now=at)
    if note.clone:
        clones.suspect(note.token, device, address=int(note.address, 16), at=at, now=now)


def _proving(check_ins: list[tuple[wire.Note, Device]]) -> list[tuple[wire.Note, Device]]:
    """Those of the check-ins that prove the phone where it was.

    Not the canary's: it asks from where our own machine stands, and is no neighbour there.
    """
    return [
        (note, device)
        for note, device in check_ins
        if note.current
        and not (note.agent == facts.CANARY_AGENT and device.account.kind == Account.Kind.PLATFORM)
        and (not facts.is_single_step(device) or _came_before_today(note, device))
    ]


def _write_check_ins(
    check_ins: list[tuple[wire.Note, Device]], proving: list[tuple[wire.Note, Device]], now: datetime
) -> None:
    if not check_ins:
        return
    last: dict[int, tuple[wire.Note, Device]] = {}
    hours: dict[tuple[int, datetime], CheckInHour] = {}
    for note, device in check_ins:
        at = facts.aware(note.at)
        hour = at.replace(minute=0, second=0, microsecond=0)
        row = hours.setdefault((device.pk, hour), CheckInHour(device=device, hour=hour))
        row.count += note.count
        row.quarters |= quarters.bit(at)
        if device.pk not in last or last[device.pk][0].at <= note.at:
            last[device.pk] = (note, device)
    _write_last_seen(last)
    _write_hours(hours)
    _write_proofs(proving)
    earned.prove(((device, origin_of(int(note.address, 16))) for note, device in proving), now)
    following.note_uses([_use(*check_in) for check_in in check_ins if check_in[0].current], now=now)
    _write_origins([note for note, _ in check_ins if note.token])
    storms.look(
        (device, int(note.address, 16), facts.aware(note.at)) for note, device in check_ins if note.current
    )


def _use(note: wire.Note, device: Device) -> following.Use:
    return following.Use(device, int(note.address, 16), facts.aware(note.at), note.drift, note.token)


def _write_last_seen(last: dict[int, tuple[wire.Note, Device]]) -> None:
    older = dict(LastSeen.objects.filter(device__in=last).values_list("device_id", "at"))
    announcing_phones.announce_back(last.values())
    rows = []
    for pk, (note, device) in last.items():
        at = facts.aware(note.at)
        if pk in older and older[pk] > at:
            continue
        agent = parse_agent(note.agent)
        rows.append(
            LastSeen(
                device=device,
                at=at,
                address=show_address(int(note.address, 16)),
                agent=note.agent[:256],
                model=agent.model if agent else "",
                firmware=(agent.firmware or "") if agent else "",
            )
        )
    LastSeen.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["device"],
        update_fields=["at", "address", "agent", "model", "firmware"],
    )


def _write_hours(hours: dict[tuple[int, datetime], CheckInHour]) -> None:
    """Only the drain writes these, under its cursor's row lock: read, add, write is safe."""
    fresh = {name: row.quarters for name, row in hours.items()}
    for held in CheckInHour.objects.filter(
        device__in={pk for pk, _ in hours}, hour__in={hour for _, hour in hours}
    ):
        name = held.device_id, held.hour
        if (row := hours.get(name)) is not None:
            fresh[name] &= ~held.quarters
            row.count += held.count
            row.quarters |= held.quarters
    CheckInHour.objects.bulk_create(
        list(hours.values()),
        update_conflicts=True,
        unique_fields=["device", "hour"],
        update_fields=["count", "quarters"],
    )
    quarters.count((hours[name].device, name[1], bits) for name, bits in fresh.items() if bits)


def _write_proofs(proving: list[tuple[wire.Note, Device]]) -> None:
    proofs: dict[tuple[int, str], Proof] = {}
    for note, device in proving:
        origin = origin_of(int(note.address, 16))
        proofs[device.pk, origin.hex_first] = Proof(
            device=device, first=origin.hex_first, last=origin.hex_last, at=facts.aware(note.at)
        )
    Proof.objects.bulk_create(
        list(proofs.values()),
        update_conflicts=True,
        unique_fields=["device", "first"],
        update_fields=["last", "at"],
    )


def _came_before_today(note: wire.Note, device: Device) -> bool:
    """A single_step phone, which proves nothing by a token, is proved by two days at its bound origin."""
    today = facts.aware(note.at).replace(hour=0, minute=0, second=0, microsecond=0)
    return DeviceEvent.objects.filter(
        device=device,
        details__check_in=True,
        address=show_address(int(note.address, 16)),
        at__gte=today - standing.PROVED_TIME,
        at__lt=today,
    ).exists()


def _write_origins(notes: list[wire.Note]) -> None:
    """Remember from where a token is used, so that T3 knows it once it is a former one."""
    used: dict[str, dict[str, float]] = defaultdict(dict)
    for note in notes:
        used[note.token][wire.pack_network(origin_of(int(note.address, 16)))] = note.at
    changed, former = [], set()
    for token in Token.objects.filter(hash__in=used).exclude(kind=TokenKind.DEAD.value):
        fresh = {
            name: at
            for name, at in used[token.hash].items()
            if at - token.origins.get(name, 0.0) > RESTED.total_seconds()
        }
        if not fresh:
            continue
        newest = sorted((token.origins | fresh).items(), key=lambda item: item[1])[-ORIGINS_KEPT:]
        token.origins = dict(newest)
        changed.append(token)
        if token.kind == TokenKind.FORMER.value and token.device_id is not None:
            former.add(token.device_id)
    Token.objects.bulk_update(changed, ["origins"])
    publishing.devices_changed(sorted(former))


def _write_keys(notes: list[wire.Note]) -> None:
    """The evidence of an hour: each distinct failure of an address once, with how often and when."""
    keys: dict[tuple[str, datetime, str, str], FailureKey] = {}
    for note in notes:
        at = facts.aware(note.at)
        origin: Network = origin_of(int(note.address, 16))
        hour = at.replace(minute=0, second=0, microsecond=0)
        name = (origin.hex_first, hour, note.key, note.label[:40])
        if (row := keys.get(name)) is None:
            keys[name] = FailureKey(
                first=origin.hex_first,
                last=origin.hex_last,
                hour=hour,
                kind=note.key,
                label=note.label[:40],
                first_at=at,
                last_at=at,
                count=note.count,
                agent=note.agent[:256],
            )
        else:
            row.first_at, row.last_at = min(row.first_at, at), max(row.last_at, at)
            row.count += note.count
    for held in _held_keys(keys):
        row = keys.get((held.first, held.hour, held.kind, held.label))
        if row is not None:
            row.first_at, row.last_at = min(held.first_at, row.first_at), max(held.last_at, row.last_at)
            row.count += held.count
    FailureKey.objects.bulk_create(
        list(keys.values()),
        update_conflicts=True,
        unique_fields=["first", "hour", "kind", "label"],
        update_fields=["first_at", "last_at", "count"],
    )


def _held_keys(names: Iterable[tuple[str, datetime, str, str]]) -> Iterable[FailureKey]:
    """The rows of these hours, origins and labels that are there already, and perhaps some more."""
    names = list(names)
    if not names:
        return []
    first, hour, _, label = (set(column) for column in zip(*names, strict=True))
    return FailureKey.objects.filter(first__in=first, hour__in=hour, label__in=label)


def _look_for_signs(notes: list[wire.Note], devices: dict[str, Device], now: datetime) -> None:
    """E7: what was just written may tell that somebody is after a phone; once an hour is enough to say so."""
    since: dict[str, datetime] = {}
    for note in notes:
        device, at = devices.get(note.code), facts.aware(note.at)
        if note.key not in suspicion.COUNTED or device is None:
            continue
        if not suspicion.is_settled(device.lock, at=at, now=now):
            since[note.label] = min(at, since.get(note.label, at))
    if since:
        suspicion.judge(since, now=now, since=min(since.values()))
