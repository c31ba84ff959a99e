"""Bans that addresses have earned: the edge's decisions as rows, and what rows know given to the store."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Account
from accounts.said import Said
from devices.models import Device
from provisioning import facts, incidents, pressed, publishing, sentences, standing, store, wire
from provisioning.announcing import Happened
from provisioning.edge.tables import NO_TABLES, Tables
from provisioning.gate import KeyKind
from provisioning.models import FailureKey, Incident, Proof
from provisioning.pressed import Earned, Place, What
from security import pressure
from security.models import AllowedNetwork, Ban
from security.networks import Network, origin_of
from security.pressure import Key
from security.signals import network_banned

log = structlog.get_logger(__name__)

BY = "earned (B3)"
BY_PROOF = "phones proved there (B1)"
BY_ALLOWANCE = "the allowance (B8)"
CHUNK = 1000
ALERT_LASTS = timedelta(hours=1)  # an allowed network under pressure: without another alert it is over


# --- from the edge to rows ---------------------------------------------------------------------------------


def write(told: Iterable[Earned], now: datetime) -> None:
    """Write what the edges decided, in the caller's transaction; a line that came twice changes nothing."""
    for one in told:
        if one.what is What.ENDED:
            _end(one)
        elif not Ban.objects.filter(**_columns(one), starts_at=facts.aware(one.at)).exists():
            _start(one, now)


def _start(one: Earned, now: datetime) -> None:
    at, alert = facts.aware(one.at), one.what is What.ALERT
    ban = Ban.objects.create(
        kind=Ban.Kind.BANNED,
        **_columns(one),
        reason=_reason(one),
        evidence={"keys": _with_codes(one.keys), "threshold": one.threshold},
        step=max(one.step, 1),
        propose_block=one.propose_block,
        set_by=BY,
        starts_at=at,
        ends_at=facts.aware(one.until) if not alert else at + timedelta(seconds=1),
        lifted_at=at if alert else None,
        lifted_by=BY_ALLOWANCE if alert else "",
    )
    if alert:
        _alert(ban, now)
    else:
        network_banned.send(sender=Ban, ban=ban)


def _end(one: Earned) -> None:
    """It was never earned: the proofs that came would not have given it."""
    standing_ban = Ban.objects.filter(
        **_columns(one), step__gt=0, ends_at=facts.aware(one.until), lifted_at=None
    )
    for ban in standing_ban.select_for_update():
        ban.lifted_at, ban.lifted_by = max(facts.aware(one.at), ban.starts_at), BY_PROOF
        ban.save(update_fields=["lifted_at", "lifted_by"])
        end_incidents(ban, how=Said("Ended by itself: the phones proved there outweigh what failed."))


def _columns(one: Earned) -> dict[str, str]:
    return {"first": one.network.hex_first, "last": one.network.hex_last}


def _reason(one: Earned) -> str:
    kinds = Counter(key.kind for key in one.keys).most_common()
    parts = ", ".join(f"{count} {standing.KINDS[KeyKind(kind)]}" for kind, count in kinds)
    return f"{len(one.keys)} different failures within an hour, at a threshold of {one.threshold}: {parts}"[
        :300
    ]


def _with_codes(keys: Sequence[Key]) -> list[list[Any]]:
    """The keys as evidence: a locked MAC with its account's code, which stays when accounts are moved."""
    paths = {key.account for key in keys if key.account}
    codes = {a.path: str(a.code) for a in Account.objects.filter(path__in=paths)} if paths else {}
    return [[key.kind, key.label, codes.get(key.account, ""), key.at] for key in keys]


# --- incidents ---------------------------------------------------------------------------------------------


def open_incidents(ban: Ban, now: datetime) -> None:
    """An incident for each account whose phones live there, and its people told, once (B5)."""
    for account in standing.accounts_at(ban.network, now):
        if Incident.objects.filter(kind=Incident.Kind.BAN, account=account, subject=_subject(ban)).exists():
            continue  # also when a person has closed it while the ban stands
        living = standing.proved_at(ban.network, now).filter(account=account).count()
        until = sentences.when(ban.ends_at, account.time_zone, now=now)
        facts = {"network": str(ban.network), "until": until}
        facts |= {"kind": Said("blocked") if ban.kind == Ban.Kind.BLOCKED else Said("banned")}
        title = Said("{network}, where one of your phones lives, is {kind} until {until}.", **facts)
        if living != 1:
            title = Said(
                "{network}, where {living} of your phones live, is {kind} until {until}.",
                living=f"{living:,}",
                **facts,
            )
        incidents.open_(
            Incident.Kind.BAN,
            account=account,
            subject=_subject(ban),
            title=title,
            now=now,
            network=ban.network,
            evidence=_evidence(ban, account, living, now),
            tell=False,  # the mail about the ban says it all
            also=partial(_banned, ban, living),
        )
        publishing.tell_later("banned", account.pk, str(ban.code))


def _banned(ban: Ban, living: int, incident: Incident) -> Happened:
    """What programs are told of it."""
    network = str(ban.network)
    facts = {
        "rule": "B1" if ban.step else "B7",
        "network": network,
        "standing": ban.kind,
        "until": ban.ends_at,
        "phones": living,
        "incident": str(incident.code),
    }
    return Happened(
        "address.banned", incident.account, incident.opened_at, lane=f"address {network}", facts=facts
    )


def end_incidents(ban: Ban, *, how: str, now: datetime | None = None) -> None:
    """End what was opened because of this ban."""
    for incident in Incident.objects.going_on().filter(kind=Incident.Kind.BAN, subject=_subject(ban)):
        incidents.end(incident, how=how, now=now or ban.lifted_at or ban.ends_at)


def sweep(now: datetime) -> int:
    """End the incidents of bans that are over and of allowed networks that are calm; returns how many."""
    ended = 0
    for incident in Incident.objects.going_on().filter(kind=Incident.Kind.BAN):
        ban = Ban.objects.filter(code=incident.subject.removeprefix("ban ")).first()
        if ban is not None and ban.lifted_at is None and ban.ends_at > now:
            continue
        incidents.end(incident, how=Said("Its time was over."), now=ban.ends_at if ban else now)
        ended += 1
    calm = now - ALERT_LASTS
    for incident in Incident.objects.going_on().filter(kind=Incident.Kind.PRESSURE):
        if datetime.fromisoformat(incident.evidence["state"]["last_at"]) <= calm:
            incidents.end(incident, how=Said("No further alert within an hour."), now=now)
            ended += 1
    return ended


def _alert(ban: Ban, now: datetime) -> None:
    """B8: the ban that an ALLOWED network would have got; its owner and support are told instead."""
    for allowed in AllowedNetwork.objects.standing(now).touching(ban.network).select_related("account"):
        count = len(ban.evidence["keys"])
        living = standing.proved_at(ban.network, now).filter(account=allowed.account).count()
        incidents.open_(
            Incident.Kind.PRESSURE,
            account=allowed.account,
            subject=f"allowed {allowed.network}",
            title=Said(
                "{network}, in an allowed network, reached its threshold: {count} different failures within"
                " an hour. Nobody is banned there.",
                network=str(ban.network),
                count=count,
            ),
            now=now,
            network=allowed.network,
            evidence={
                **_evidence(ban, allowed.account, living, now),
                "state": {"last_at": ban.starts_at.isoformat()},
            },
        )


def _evidence(ban: Ban, account: Account, living: int, now: datetime) -> dict[str, Any]:
    """The account's own phones in clear, others' as counts (B5)."""
    keys = ban.evidence.get("keys")
    if keys is None:  # a person's ban: what failed there lately speaks for it
        keys = [
            [row.kind, row.label, "", row.last_at.timestamp()] for row in standing.failures(ban.network, now)
        ]
    own = set(
        Device.objects.filter(account=account, mac__in={key[1] for key in keys}).values_list("mac", flat=True)
    )
    code = str(account.code)
    return {
        "threshold": ban.evidence.get("threshold", ""),
        "phones of yours proved there": living,
        "keys": [[kind, mac, code, at] if mac in own else [kind, "", "", at] for kind, mac, _, at in keys],
    }


def _subject(ban: Ban) -> str:
    return f"ban {ban.code}"


# --- from rows to the store --------------------------------------------------------------------------------


def prove(proofs: Iterable[tuple[Device, Network]], now: datetime) -> None:
    """Devices were proved there: the store knows once this is committed, and bans are judged again."""
    fresh: dict[Place, dict[str, str]] = defaultdict(dict)
    for device, origin in proofs:
        for place in pressed.places(origin.first):
            fresh[place][device.mac] = device.account.path
    if fresh:
        transaction.on_commit(lambda: _proved(fresh, now), robust=True)


def _proved(fresh: Mapping[Place, Mapping[str, str]], now: datetime) -> None:
    try:
        for place, blob in zip(fresh, _write_proved(fresh), strict=True):
            if blob and now.timestamp() < pressed.unpack_standing(blob):
                judge_again(place, now)
    except store.Away as error:
        log.warning("proofs did not reach the store", error=str(error))


def unprove_old(now: datetime) -> int:
    """What was proved more than 30 days ago no longer counts; returns how many. Raises store.Away."""
    until = now - standing.PROVED_TIME
    rows = Proof.objects.filter(at__lt=until, at__gt=until - timedelta(days=3))
    count = 0
    for mac, first in rows.values_list("device__mac", "first").iterator(chunk_size=CHUNK):
        publishing.unprove(mac, [first])
        count += 1
    return count


def _write_proved(fresh: Mapping[Place, Mapping[str, str]]) -> list[bytes | None]:
    """Write the devices of these places; returns the places' standings."""
    pipe = store.client().pipeline(transaction=False)
    for place, macs in fresh.items():
        pipe.hset(place.proved, mapping=dict(macs))  # type: ignore[arg-type]  # a dict of texts it is
        pipe.expire(place.proved, pressed.PROVED_KEPT)
        pipe.get(place.standing)
    return pipe.execute()[2::3]


def judge_again(place: Place, now: datetime) -> bool:
    """End the ban that stands there if today's threshold would not give it; whether one goes on.

    Whose phones live there and were not told of it yet is told. Raises store.Away.
    """
    blob = store.read(place.ban)
    if blob is None:
        return False
    ban = pressed.unpack_earned(blob)
    if _stands(place, ban, now):
        row = Ban.objects.standing(now).filter(**_columns(ban), step__gt=0).first()
        if row is not None:
            with transaction.atomic():
                open_incidents(row, now)
        return True
    store.client().execute_command(*pressed.end_command(place, ban, wire.NOTES, now=now.timestamp()))
    return False


def judge_all_later() -> None:
    """Judge every earned ban again after the commit: a network was allowed."""

    def judge() -> None:
        now = timezone.now()
        try:
            for ban in Ban.objects.standing(now).filter(step__gt=0):
                judge_again(pressed.place_of(ban.network), now)
        except store.Away as error:
            log.warning("bans were not judged again", error=str(error))

    transaction.on_commit(judge, robust=True)


def withdraw(origin: Network, macs: Collection[str], kinds: Collection[str], now: datetime) -> None:
    """These phones' failures no longer count there, nor towards the ban that they made (E4, E14)."""
    gone = set(macs)
    if gone:
        transaction.on_commit(lambda: _withdrawn(origin, gone, set(kinds), now), robust=True)


def _withdrawn(origin: Network, macs: set[str], kinds: set[str], now: datetime) -> None:
    try:
        for place in pressed.places(origin.first):
            members = cast(list[bytes], store.client().zrange(place.failures, 0, -1))
            left = [m for m in members if (f := pressed.unpack_failure(m))[0] in kinds and f[1] in macs]
            if left:
                store.client().zrem(place.failures, *left)
            blob = store.read(place.ban)
            if blob is None:
                continue
            ban = pressed.unpack_earned(blob)
            keys = tuple(key for key in ban.keys if not (key.kind in kinds and key.label in macs))
            if len(keys) < len(ban.keys):
                rest = Earned(ban.what, ban.network, ban.at, keys, ban.threshold, ban.until, ban.step)
                store.client().set(place.ban, pressed.pack_earned(rest), keepttl=True)
                judge_again(place, now)
    except store.Away as error:
        log.warning("withdrawn failures did not reach the store", error=str(error))


def _stands(place: Place, ban: Earned, now: datetime) -> bool:
    tables, at = _tables(), now.timestamp()
    owners = cast(list[bytes], store.client().hvals(place.proved))
    known = pressed.facts(
        place,
        proved=len(owners),
        by_account=pressed.crowds(owners),
        window_devices=tables.window_devices(place.network, at),
        allowed=tables.is_allowed(place.network, at),
    )
    return pressure.stands(ban.ban, known, at)


def _tables() -> Tables:
    blob = store.read(wire.LISTS_DATA)
    return Tables(wire.unpack_lists(blob)) if blob else NO_TABLES


def publish_all(now: datetime) -> int:
    """Give an empty store all it needs to judge by: proofs, failures, what counted, the bans that stand.

    Returns how many bans stand. Raises store.Away.
    """
    _publish_proofs(now)
    _publish_failures(now)
    standing_now = 0
    rows = Ban.objects.filter(step__gt=0).filter(
        Q(ends_at__gt=now) | Q(starts_at__gt=now - timedelta(seconds=pressure.RULES.spent_for))
    )
    for ban in rows.exclude(lifted_by=BY_PROOF).order_by("starts_at"):
        standing_now += _publish_ban(ban, now)
    return standing_now


def _publish_ban(ban: Ban, now: datetime) -> bool:
    place, at = pressed.place_of(ban.network), ban.starts_at.timestamp()
    keys = _keys_of(ban)
    pipe = store.client().pipeline(transaction=False)
    names = {pressed.pack_name(key.name): at for key in keys}
    if names:
        pipe.zadd(place.spent, names)
        pipe.expire(place.spent, int(pressure.RULES.spent_for))
    if ban.lifted_by != BY_ALLOWANCE and now - ban.starts_at < timedelta(days=1):
        pipe.zadd(place.earlier, {b"%.3f" % at: at})
        pipe.expire(place.earlier, int(pressure.DAY))
    stands = ban.lifted_at is None and ban.ends_at > now
    if stands:
        until = ban.ends_at.timestamp()
        left = int(until - now.timestamp()) + 1
        threshold = ban.evidence.get("threshold", "")
        record = Earned(What.BANNED, ban.network, at, keys, threshold, until, ban.step, ban.propose_block)
        pipe.set(place.standing, pressed.pack_standing(until), ex=left + pressed.KEPT)
        pipe.set(place.ban, pressed.pack_earned(record), ex=left)
    pipe.execute()
    return stands


def _keys_of(ban: Ban) -> tuple[Key, ...]:
    keys = ban.evidence.get("keys", [])
    codes = {code for _, _, code, _ in keys if code}
    paths = {str(a.code): a.path for a in Account.objects.filter(code__in=codes)} if codes else {}
    return tuple(Key(kind, label, paths.get(code, ""), at) for kind, label, code, at in keys)


def _publish_proofs(now: datetime) -> None:
    rows = Proof.objects.filter(at__gte=now - standing.PROVED_TIME).order_by("first")
    found: dict[Place, dict[str, str]] = defaultdict(dict)

    columns = rows.values_list("first", "device__mac", "device__account__path")
    for number, (first, mac, path) in enumerate(columns.iterator(chunk_size=CHUNK), start=1):
        for place in pressed.places(int(first, 16)):
            found[place][mac] = path
        if number % (10 * CHUNK) == 0:
            _write_proved(found)
            found.clear()
    _write_proved(found)


def _publish_failures(now: datetime) -> None:
    """The keys of the rolling hour, each with the time at which it became one."""
    rows = FailureKey.objects.filter(last_at__gt=now - timedelta(seconds=pressed.KEPT))
    held = list(rows.order_by("first_at"))
    locked = {row.label for row in held if row.kind == KeyKind.LOCKED_MAC.value}
    owners = dict(Device.objects.filter(mac__in=locked).values_list("mac", "account__path"))
    for row in held:
        owner = owners.get(row.label, "") if row.kind == KeyKind.LOCKED_MAC.value else ""
        member = pressed.pack_failure(row.kind, row.label, owner)
        at = max(row.first_at, now - timedelta(seconds=pressed.KEPT - 1)).timestamp()
        for place in pressed.places(origin_of(int(row.first, 16)).first):
            store.client().execute_command(*pressed.add_command(place, member, at))
