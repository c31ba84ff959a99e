"""Rows against store: the records themselves, and every verdict that either of them leads to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import redis
from django.conf import settings
from django.utils import timezone

from provisioning import facts, publishing, wire
from provisioning.edge.tables import Tables
from provisioning.gate import (
    Asked,
    Caller,
    DeviceFacts,
    Method,
    PrivateFacts,
    RootFacts,
    TokenFacts,
    TokenKind,
    Verdict,
    decide_private,
    decide_root,
)
from provisioning.models import Lock, Token
from security.networks import origin_of

DAY = timedelta(days=1).total_seconds()


@dataclass(frozen=True)
class Held:
    """What one side knows: the lists, and by MAC and by hash what the gate reads."""

    tables: Tables
    locks: Mapping[str, wire.LockRecord]
    tokens: Mapping[str, wire.TokenRecord]

    def phone(self, mac: str) -> DeviceFacts | None:
        record = self.locks.get(mac)
        return record.resolved(self.tables.lists) if record is not None else None

    def token(self, name: str) -> TokenFacts | None:
        record = self.tokens.get(name)
        return record.resolved(self.tables.lists) if record is not None else None

    def at_root(self, mac: str, address: int, now: float, **agent: Any) -> Verdict:
        """The verdict on a GET of the claiming file."""
        tables = self.tables
        return decide_root(
            RootFacts(
                now=now,
                method=Method.GET,
                asked=Asked.CLAIMING,
                caller=Caller(
                    address=address,
                    banned=tables.banned.holds(address, now),
                    blocked=tables.blocked.holds(address, now),
                    shared=tables.is_shared(address),
                    **agent,
                ),
                device=self.phone(mac),
                windows=tables.windows(origin_of(address)),
            )
        )

    def below(self, name: str, address: int, now: float) -> Verdict:
        """The verdict on a GET of the full file below this token's URL."""
        caller = Caller(address=address, blocked=self.tables.blocked.holds(address, now))
        return decide_private(PrivateFacts(now, Method.GET, Asked.FULL, caller, self.token(name)))


def of_rows(lists: wire.Lists | None = None) -> Held:
    """What the rows say now; the lists as well, if nobody has just built them."""
    now = timezone.now()
    found = facts.records(list(Lock.objects.values_list("pk", flat=True)), now, all_tokens=True)
    tokens = {name: record for both in found.values() for name, record in both.tokens.items()}
    for row in Token.objects.filter(device=None):
        tokens[row.hash] = facts.token_record(row, revision=1)
    locks = {both.lock.facts.mac: both.lock for both in found.values()}
    return Held(Tables(lists or publishing.build_lists(0, now)), locks, tokens)


def of_store(client: "redis.Redis") -> Held:
    """What the store holds now."""
    locks, tokens = {}, {}
    for mac, blob in _all(client, b"m:"):
        if (lock := wire.unpack_lock(blob)) is not None:
            locks[mac] = lock
    for name, blob in _all(client, b"t:"):
        tokens[name.strip("{}")] = wire.unpack_token(blob)
    lists = client.get(wire.LISTS_DATA)
    assert isinstance(lists, bytes)
    return Held(Tables(wire.unpack_lists(lists)), locks, tokens)


def hash_of(text: str) -> str:
    return wire.token_hash(settings.TOKEN_KEY, text)


def _all(client: "redis.Redis", prefix: bytes) -> Iterable[tuple[str, bytes]]:
    keys = sorted(client.keys(prefix + b"*"))
    values = client.mget(keys) if keys else []
    return [(key[len(prefix) :].decode(), value) for key, value in zip(keys, values, strict=True)]


def comparable(held: Held, now: float) -> dict[str, Any]:
    """The records without what is over by now, which either side may still hold."""
    lists = held.tables.lists
    return {
        **{f"lock of {mac}": _lock(record, now) for mac, record in held.locks.items()},
        **{f"token {name}": _token(record, now) for name, record in held.tokens.items()},
        "lists": replace(
            lists,
            number=0,
            windows=tuple(sorted((w for w in lists.windows if w.ends > now), key=repr)),
            **{
                kind: tuple(sorted((t for t in getattr(lists, kind) if t.until > now), key=repr))
                for kind in ("blocked", "banned", "allowed")
            },
        ),
    }


def _lock(record: wire.LockRecord, now: float) -> wire.LockRecord:
    known = record.facts
    return replace(
        record,
        revision=0,
        facts=replace(
            known,
            denied=tuple(sorted((d for d in known.denied if d.until > now), key=repr)),
            used_claims=tuple(at for at in known.used_claims if now - at < DAY),
            suspicion_until=known.suspicion_until if known.suspicion_until > now else 0.0,
        ),
    )


def _token(record: wire.TokenRecord, now: float) -> wire.TokenRecord | str:
    known = record.facts
    if known.kind is TokenKind.DEAD or (known.until is not None and known.until <= now):
        return f"dead, of {known.mac}"
    return replace(record, revision=0)
