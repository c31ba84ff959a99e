"""Phones that nobody has entered and that ask where the reader's own phones live (section 6)."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from accounts.models import Account
from accounts.roles import Power
from accounts.scope import Actor
from devices.catalog import catalog
from devices.models import Device
from devices.user_agent import parse_agent
from provisioning import standing
from provisioning.gate import KeyKind
from provisioning.models import FailureKey, Proof, Window
from security.networks import Network, origin_of, parse_address

A_DAY = timedelta(days=1)
MOST = 500  # keys that are looked at, the newest


@dataclass(frozen=True, slots=True)
class Stranger:
    """A MAC with a known family's agent that nobody has entered, and the account that may add it."""

    mac: str
    family: str
    model: str  #: as the catalogue names it; empty when the agent's is not known
    account: Account
    origin: Network
    tries: int
    first_at: datetime
    last_at: datetime


def seen_by(by: Actor, now: datetime) -> list[Stranger]:
    """Those of the last day that the reader may add, the newest first; always the same few queries.

    Only where the phones of one account alone are proved, or where its window alone is open: nobody else's.
    """
    reach = by.paths(Power.EDIT_DEVICES)
    if not reach:
        return []
    own = Device.objects.reachable_by(by, Power.EDIT_DEVICES)
    proofs = Proof.objects.filter(at__gte=now - standing.PROVED_TIME)
    windows = list(Window.objects.open_or_coming(now).filter(starts_at__lte=now).select_related("account"))
    mine = [window.first for window in windows if by.may(Power.EDIT_DEVICES, window.account.path)]
    here = [origin_of(parse_address(place)).hex_first for place in by.addresses]
    keys = list(
        FailureKey.objects.filter(kind=KeyKind.UNKNOWN_MAC.value, last_at__gt=now - A_DAY)
        .filter(
            Q(first__in=proofs.filter(device__in=own.values("pk")).values("first"))
            | Q(first__in=[*mine, *here])
        )
        .order_by("-last_at")[:MOST]
    )
    spoken = [key for key in keys if parse_agent(key.agent) is not None]
    if not spoken:
        return []
    whose = _whose({key.first for key in spoken}, proofs, windows)
    macs = {key.label for key in spoken}
    known = set(Device.objects.filter(mac__in=macs).values_list("mac", flat=True))
    found: dict[tuple[str, str], Stranger] = {}
    for key in spoken:
        account = whose.get(key.first)
        if key.label in known or account is None or not by.may(Power.EDIT_DEVICES, account.path):
            continue
        before = found.get((key.first, key.label))
        if before is None:
            found[key.first, key.label] = _stranger(key, account)
        else:  # an earlier hour of the same phone
            tries, first_at = before.tries + key.count, min(before.first_at, key.first_at)
            found[key.first, key.label] = replace(before, tries=tries, first_at=first_at)
    return list(found.values())


def _whose(firsts: set[str], proofs: "QuerySet[Proof]", windows: list[Window]) -> dict[str, Account]:
    """Of each origin the one account whose phones alone are proved there, or whose window alone is open."""
    living: dict[str, set[int]] = defaultdict(set)
    pairs = proofs.filter(first__in=firsts).order_by().values_list("first", "device__account").distinct()
    for first, account in pairs:
        living[first].add(account)
    for window in windows:
        if window.first in firsts and window.first not in living:
            living[window.first] |= {other.account_id for other in windows if other.first == window.first}
    alone = {first: next(iter(accounts)) for first, accounts in living.items() if len(accounts) == 1}
    rows = Account.objects.in_bulk(set(alone.values()))
    return {first: rows[account] for first, account in alone.items()}


def _stranger(key: FailureKey, account: Account) -> Stranger:
    agent = parse_agent(key.agent)
    assert agent is not None
    model = catalog().find_model(agent.family, agent.model)
    return Stranger(
        mac=key.label,
        family=agent.family,
        model=model.name if model is not None else "",
        account=account,
        origin=Network.from_hex(key.first, key.last),
        tries=key.count,
        first_at=key.first_at,
        last_at=key.last_at,
    )
