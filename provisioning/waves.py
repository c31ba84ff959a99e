"""A wave of suspicion: many phones of one account, or of the platform, suspected within an hour (E7)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts import tenants
from accounts.models import Account, AuditEntry
from accounts.said import Said
from provisioning import incidents
from provisioning.models import Incident, Lock

WITHIN = timedelta(hours=1)
LOOKS_BACK = timedelta(hours=2)  # what was raised since then may be the end of a wave
CALM = timedelta(days=1)
OF_ACCOUNT, OF_PLATFORM = 5, 20
NAMED = 200  # phones that an incident names
SUBJECT = "suspicion"
KIND = Incident.Kind.SUSPICION


def sweep(now: datetime) -> int:
    """Open, follow and end the waves; returns how many ended. Two queries while nothing happens."""
    codes = AuditEntry.objects.filter(verb="device.suspected", at__gt=now - LOOKS_BACK)
    raised = list(codes.values_list("target_code", flat=True))
    if raised:
        with transaction.atomic():
            _look(raised, now)
    return _end(now)


def _look(codes: Iterable[str], now: datetime) -> None:
    """What was raised lately joins the wave that goes on, or makes one."""
    locks = list(
        Lock.objects.filter(device__code__in=set(codes), suspicion_until__gt=now)
        .select_related("device__account")
        .order_by("suspicion_since", "pk")
    )
    known = _known(now)
    by_account: dict[int, list[Lock]] = defaultdict(list)
    for lock in locks:
        by_account[lock.device.account_id].append(lock)
    for found in by_account.values():
        _judge(found[0].device.account, found, OF_ACCOUNT, known, now)
    _judge(tenants.platform(), locks, OF_PLATFORM, known, now)


def _known(now: datetime) -> dict[int, list[Incident]]:
    """The waves of the last day by their account, the newest first."""
    recent = Incident.objects.filter(kind=KIND, opened_at__gt=now - CALM - LOOKS_BACK)
    found: dict[int, list[Incident]] = defaultdict(list)
    for row in recent | Incident.objects.going_on().filter(kind=KIND):
        found[row.account_id].append(row)
    return found


def _judge(
    account: Account, locks: Sequence[Lock], enough: int, known: dict[int, list[Incident]], now: datetime
) -> None:
    rows = known[account.pk]
    told = {code for row in rows for code in row.evidence["state"]["phones"]}
    fresh = [lock for lock in locks if str(lock.device.code) not in told]
    going_on = next((row for row in rows if row.ended_at is None), None)
    if not fresh:
        return
    if going_on is not None:
        _join(going_on, account, fresh, now)
    elif wave := _wave(fresh, enough):
        state = {"phones": [str(lock.device.code) for lock in wave], "last": now.isoformat()}
        incidents.open_(
            KIND,
            account=account,
            subject=SUBJECT,
            title=_title(len(wave), account),
            now=now,
            evidence=_evidence(wave, state, account),
        )


def _wave(locks: Sequence[Lock], enough: int) -> list[Lock]:
    """The phones, oldest sign first, that were suspected within an hour of enough others."""
    times = [lock.suspicion_since for lock in locks]
    found: dict[int, Lock] = {}
    for at in range(enough - 1, len(locks)):
        first, last = times[at - enough + 1], times[at]
        if first is not None and last is not None and last - first < WITHIN:
            found |= {lock.pk: lock for lock in locks[at - enough + 1 : at + 1]}
    return list(found.values())


def _join(row: Incident, account: Account, fresh: Sequence[Lock], now: datetime) -> None:
    """Further phones belong to it; a step of the timeline says so each time that they have doubled."""
    phones = [*row.evidence["state"]["phones"], *(str(lock.device.code) for lock in fresh)]
    named = Lock.objects.filter(device__code__in=phones[:NAMED]).select_related("device__account")
    evidence = _evidence(list(named), {"phones": phones, "last": now.isoformat()}, account)
    titled = int(row.evidence["state"].get("titled", 0))
    doubled = len(phones) >= 2 * titled
    evidence["state"]["titled"] = len(phones) if doubled else titled
    incidents.refresh(
        row, title=_title(len(phones), account) if doubled else row.title, evidence=evidence, now=now
    )


def _title(phones: int, account: Account) -> str:
    if account.is_root():
        return Said(
            "Others are after the files of {phones} phones all over the platform.", phones=f"{phones:,}"
        )
    return Said("Others are after the files of {phones} phones.", phones=f"{phones:,}")


def _evidence(locks: Sequence[Lock], state: dict[str, Any], account: Account) -> dict[str, Any]:
    """The phones of the account in clear; on the platform's incident how many each account has."""
    state = {"titled": len(state["phones"]), **state}
    if not account.is_root():
        named = [[str(lock.device.code), str(lock.device)] for lock in locks[:NAMED]]
        return {"phones": named, "state": state}
    counts: dict[str, int] = defaultdict(int)
    for lock in locks:
        counts[str(lock.device.account)] += 1
    return {"facts": [[name, f"{count:,}"] for name, count in sorted(counts.items())], "state": state}


def _end(now: datetime) -> int:
    """A wave is over when a day brought no further phone, or when none of its phones is suspected."""
    going_on = list(Incident.objects.going_on().filter(kind=KIND))
    if not going_on:
        return 0
    codes = {code for row in going_on for code in row.evidence["state"]["phones"]}
    suspected = Lock.objects.filter(device__code__in=codes, suspicion_until__gt=now)
    still = {str(code) for code in suspected.values_list("device__code", flat=True)}
    ended = 0
    for row in going_on:
        state = row.evidence["state"]
        left = len(still & set(state["phones"]))
        if left and now - datetime.fromisoformat(state["last"]) < CALM:
            continue
        every = f"{len(state['phones']):,}"
        how = Said("None of the {every} phones is under suspicion any more.", every=every)
        if left:
            how = Said(
                "No further phone in 24 hours. {left} of {every} are still under suspicion.",
                left=f"{left:,}",
                every=every,
            )
        incidents.end(row, how=how, now=now)
        ended += 1
    return ended
