"""Phones and addresses brought together: who is proved where, and what stands against an address."""

from datetime import datetime, timedelta

from django.db.models import QuerySet

from accounts.models import Account
from devices.models import Device
from provisioning import facts
from provisioning.gate import KeyKind
from provisioning.models import FailureKey, Proof
from security.networks import Network

PROVED_TIME = timedelta(days=30)
ROLLING = timedelta(hours=1)
#: What failed, as people read it.
KINDS = {
    KeyKind.UNKNOWN_MAC: "unknown MACs",
    KeyKind.BAD_TOKEN: "private URLs that were never given",
    KeyKind.LOCKED_MAC: "locked phones asked from elsewhere",
    KeyKind.WRONG_AGENT: "wrong agents",
    KeyKind.WRONG_CERTIFICATE: "wrong certificates",
    KeyKind.BAD_PATH: "bad paths, counted as one",
    KeyKind.BROWSER: "browsers, counted as one",
}


def proved_at(network: Network, now: datetime) -> "QuerySet[Device]":
    """The devices that fetched their full file from there by their current token in the last 30 days."""
    proofs = Proof.objects.filter(
        first__gte=network.hex_first, first__lte=network.hex_last, at__gte=now - PROVED_TIME
    )
    return Device.objects.filter(pk__in=proofs.values("device_id"))


def proved_count(network: Network, now: datetime) -> int:
    """How many devices are proved there (B1)."""
    return proved_at(network, now).count()


def accounts_at(network: Network, now: datetime) -> list[Account]:
    """The accounts whose devices are proved there."""
    return list(Account.objects.filter(pk__in=proved_at(network, now).values("account")).order_by("path"))


def failures(network: Network, now: datetime) -> list[FailureKey]:
    """The distinct failures of the rolling hour from this network, the newest first."""
    rows = FailureKey.objects.filter(
        first__gte=network.hex_first, first__lte=network.hex_last, last_at__gt=now - ROLLING
    ).order_by("-last_at")
    newest: dict[tuple[str, str, str], FailureKey] = {}
    for row in rows:
        newest.setdefault((row.first, row.kind, row.label), row)
    return list(newest.values())


def shared_origins(now: datetime) -> frozenset[Network]:
    """Where "the same IP" proves nothing (R4, R6)."""
    return facts.shared(now)
