"""Fills the store as publishing would: the marker, the lists, lock summaries, tokens, sealed files."""

import time
from dataclasses import replace
from typing import Any

import redis

from provisioning import wire
from provisioning.edge.sealed import seal_file
from provisioning.gate import DeviceFacts, HandOut, State, TokenFacts, TokenKind
from security.networks import Network, parse_origin
from tests.edge.serving import TOKEN_KEY, keyring, wait_for

MAC = "00005e005301"
CODE = "11111111-2222-4333-8444-555555555501"
PATH = "000100010001"
TOKEN = "a1" * 20
BODY = b"account.1.user_name = 200\n" * 40
AGENT = "Yealink SIP-T46S 66.86.0.15 00:00:5e:00:53:01"
FAMILY, MODEL = "yealink", "T46S"


def device(**changes: Any) -> DeviceFacts:
    """A phone that is fresh since an hour ago."""
    plain = DeviceFacts(
        code=CODE, mac=MAC, family=FAMILY, account_path=PATH, state=State.NEW, armed_at=time.time() - 3600
    )
    return replace(plain, **changes)


def locked(origin: str = "127.0.0.1", **changes: Any) -> DeviceFacts:
    """A phone that is locked to an origin and works."""
    network = parse_origin(origin)
    used = HandOut(time.time() - 86400, network, True)
    return device(**{"state": State.LOCKED, "bound": (network,), "hand_out": used, **changes})


def token_facts(kind: TokenKind = TokenKind.CURRENT, **changes: Any) -> TokenFacts:
    """The token of that phone."""
    plain = TokenFacts(mac=MAC, kind=kind, code=CODE, family=FAMILY, bound=(parse_origin("127.0.0.1"),))
    return replace(plain, **changes)


class Shelf:
    """What stands in the store."""

    def __init__(self, client: "redis.Redis") -> None:
        self.client = client

    def complete(self, rebuild: int = 1) -> None:
        run_id = str(self.client.info("server")["run_id"])
        self.client.set(wire.COMPLETE, wire.pack_complete(rebuild, run_id))

    def lists(self, number: int, **lists: Any) -> None:
        self.client.set(wire.LISTS_DATA, wire.pack_lists(wire.Lists(number=number, **lists)))
        self.client.set(wire.LISTS, wire.pack_number(number))

    def lock(self, facts: DeviceFacts, *, model: str = MODEL, revision: int = 1) -> None:
        record = wire.LockRecord(revision, facts, model=model)
        self.client.set(wire.mac_key(facts.mac), wire.pack_lock(record))

    def token(
        self,
        facts: TokenFacts,
        token: str = TOKEN,
        *,
        files: int = 1,
        model: str = MODEL,
        file_of: str | None = None,
    ) -> str:
        """Put a token there; returns its hash."""
        name = hash_of(token)
        record = wire.TokenRecord(1, files, facts, model=model, file_of=file_of and hash_of(file_of))
        self.client.set(wire.token_key(name), wire.pack_token(record))
        return name

    def file(
        self,
        body: bytes = BODY,
        *,
        token: str = TOKEN,
        name: str = f"{MAC}.cfg",
        files: int = 1,
        code: str = CODE,
        content_type: str = "text/plain",
    ) -> None:
        sealed = seal_file(keyring(), code, name, body)
        stored = wire.StoredFile(files, content_type, sealed)
        self.client.set(wire.file_key(hash_of(token), name), wire.pack_file(stored))

    def ban(self, origin: str, until: float) -> None:
        self.client.set(wire.address_key(parse_origin(origin)), wire.pack_standing(until))

    def notes(self) -> list[wire.Note]:
        entries = (entry for _, entry in self.client.xrange(wire.NOTES))
        return [wire.unpack_note(entry[wire.NOTE]) for entry in entries if wire.NOTE in entry]

    def noted(self, count: int) -> list[wire.Note]:
        """The notes, once they tell of so many answers."""
        wait_for(lambda: sum(note.count for note in self.notes()) >= count)
        return self.notes()

    def failures(self, origin: str) -> set[tuple[str, str]]:
        key = wire.failures_key(parse_origin(origin))
        return {wire.unpack_failure(member)[:2] for member in self.client.zrange(key, 0, -1)}


def hash_of(token: str) -> str:
    return wire.token_hash(TOKEN_KEY, token)


def block(origin: str, until: float) -> wire.TimedNetwork:
    network: Network = parse_origin(origin)
    return wire.TimedNetwork(network, until)
