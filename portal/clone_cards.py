"""Phones of which two parties hold private URLs (T3): who the two are, as the pages show them."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.roles import Power
from accounts.scope import Actor
from devices.models import Device
from provisioning import clones, facts, wire
from provisioning.gate import TokenKind
from provisioning.models import Token
from security.networks import Network


@dataclass(frozen=True, slots=True)
class LastUse:
    """From where a private URL was last used, and when."""

    origin: Network
    at: datetime


@dataclass(frozen=True, slots=True)
class Clone:
    """A suspected clone with the last use of either private URL."""

    suspected: clones.Suspected
    former: LastUse | None
    newer: LastUse | None
    zone: str
    may_answer: bool


def suspected_clones(by: Actor, now: datetime) -> list[clones.Suspected]:
    """The phones that the reader sees and that wait for an answer, the oldest suspicion first."""
    return clones.open_clones(suspected_phones(by, now).select_related("account"), now=now)


def clones_of(suspected: list[clones.Suspected], by: Actor) -> list[Clone]:
    """The same with who last used which, in one query more."""
    kinds = (TokenKind.CURRENT.value, TokenKind.FORMER.value)
    rows = Token.objects.filter(device__in=[row.device for row in suspected], kind__in=kinds).order_by("pk")
    former: dict[int, Token] = {}
    newer: dict[int, Token] = {}
    for token in rows:
        if token.device_id is None:
            continue
        if token.kind == TokenKind.CURRENT.value:
            newer[token.device_id] = token
        elif token.clone_since is not None:
            former.setdefault(token.device_id, token)
    return [
        Clone(
            suspected=row,
            former=last_use(former.get(row.device.pk)),
            newer=last_use(newer.get(row.device.pk)),
            zone=row.device.account.time_zone,
            may_answer=by.may(Power.TAKE_BACK, row.device.account.path),
        )
        for row in suspected
    ]


def clone_of(device: Device, by: Actor, now: datetime) -> Clone | None:
    """The suspected clone of one phone, if it waits for an answer."""
    suspected = clones.open_clone(device, now=now)
    return clones_of([suspected], by)[0] if suspected else None


def last_use(token: Token | None) -> LastUse | None:
    """The newest of the places that the token was given to or used from."""
    if token is None or not token.origins:
        return None
    name, at = max(token.origins.items(), key=lambda entry: entry[1])
    return LastUse(wire.unpack_network(name), facts.aware(at))


def suspected_phones(by: Actor, now: datetime) -> QuerySet[Device]:
    """The phones that the reader sees and of which two parties hold private URLs."""
    marked = Token.objects.filter(
        kind=TokenKind.FORMER.value, clone_since__isnull=False, until__gt=now, device__isnull=False
    )
    return Device.objects.visible_to(by).filter(pk__in=marked.values("device")).order_by("pk")
