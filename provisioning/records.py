"""What the store holds of devices, tokens, files, windows, sites and networks, encoded and decoded. Pure."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import zstandard

from provisioning.gate import (
    Denial,
    DeviceFacts,
    Grant,
    HandOut,
    Policies,
    State,
    TokenFacts,
    TokenKind,
    Window,
)
from provisioning.packing import DIGITS, WireError, head, pack_network, split, unpack_network
from security.networks import Network

# --- the lists ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SiteNetworks:
    """A site as the edge needs it."""

    account_path: str
    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class TimedNetwork:
    """A blocked, banned or allowed network with its end."""

    network: Network
    until: float


@dataclass(frozen=True, slots=True)
class Lists:
    """Windows, sites and networks: few, read whole by each edge when their number changes."""

    number: int = 0
    windows: tuple[Window, ...] = ()
    sites: dict[str, SiteNetworks] = field(default_factory=dict)
    blocked: tuple[TimedNetwork, ...] = ()
    banned: tuple[TimedNetwork, ...] = ()
    allowed: tuple[TimedNetwork, ...] = ()
    shared: frozenset[Network] = frozenset()

    def site_networks(self, site: str | None) -> tuple[Network, ...]:
        found = self.sites.get(site) if site else None
        return found.networks if found else ()

    def account_networks(self, path: str) -> tuple[Network, ...]:
        return tuple(n for s in self.sites.values() if s.account_path == path for n in s.networks)


def pack_lists(lists: Lists) -> bytes:
    """The blob of LISTS_DATA: its number, then compressed JSON."""
    data = {
        "windows": [
            {
                "origin": pack_network(w.origin),
                "path": w.account_path,
                "starts": w.starts,
                "ends": w.ends,
                "site": w.site,
                "devices": sorted(w.devices) if w.devices is not None else None,
                "covers": w.covers,
            }
            for w in lists.windows
        ],
        "sites": {
            code: [site.account_path, [pack_network(n) for n in site.networks]]
            for code, site in lists.sites.items()
        },
        "shared": sorted(pack_network(n) for n in lists.shared),
    }
    for name in ("blocked", "banned", "allowed"):
        data[name] = [[pack_network(t.network), t.until] for t in getattr(lists, name)]
    body = zstandard.ZstdCompressor(level=3).compress(json.dumps(data, separators=(",", ":")).encode())
    return head(lists.number) + body


def unpack_lists(blob: bytes) -> Lists:
    number, body = split(blob)
    try:
        data = json.loads(zstandard.ZstdDecompressor().decompress(body))
        return Lists(
            number=number,
            windows=tuple(
                Window(
                    origin=unpack_network(w["origin"]),
                    account_path=w["path"],
                    starts=w["starts"],
                    ends=w["ends"],
                    site=w["site"],
                    devices=frozenset(w["devices"]) if w["devices"] is not None else None,
                    covers=w.get("covers", 0),
                )
                for w in data["windows"]
            ),
            sites={
                code: SiteNetworks(path, tuple(unpack_network(n) for n in networks))
                for code, (path, networks) in data["sites"].items()
            },
            shared=frozenset(unpack_network(n) for n in data["shared"]),
            **{
                name: tuple(TimedNetwork(unpack_network(n), until) for n, until in data[name])
                for name in ("blocked", "banned", "allowed")
            },
        )
    except (KeyError, ValueError, TypeError, zstandard.ZstdError) as error:
        raise WireError("the lists cannot be read") from error


# --- a device's lock summary --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LockRecord:
    """A device as it stands in the store: its facts but for what the lists say (its site's networks)."""

    revision: int
    facts: DeviceFacts
    bound_site: str | None = None
    model: str = ""

    def resolved(self, lists: Lists) -> DeviceFacts:
        """The facts with the bound site and the account's sites as they are now."""
        facts = self.facts
        by_sites = facts.policies.first_fetch == "sites" and facts.state is State.NEW
        if self.bound_site is None and not by_sites:
            return facts
        changes: dict[str, Any] = {}
        if self.bound_site is not None:
            changes["bound"] = lists.site_networks(self.bound_site)
        if by_sites:
            changes["account_sites"] = lists.account_networks(facts.account_path)
        return replace(facts, **changes)


def pack_lock(record: LockRecord) -> bytes:
    facts = record.facts
    data: dict[str, Any] = {
        "c": facts.code,
        "m": facts.mac,
        "f": facts.family,
        "p": facts.account_path,
        "s": facts.state.value,
        "md": record.model,
    }
    optional: dict[str, Any] = {
        "off": not facts.enabled,
        "st": facts.site,
        "one": facts.single_step,
        "b": [pack_network(n) for n in facts.bound],
        "bs": record.bound_site,
        "ar": facts.armed_at,
        "g": facts.grant
        and [
            facts.grant.until,
            facts.grant.origin and pack_network(facts.grant.origin),
            facts.grant.given_at,
        ],
        "h": facts.hand_out and [facts.hand_out.at, pack_network(facts.hand_out.origin), facts.hand_out.used],
        "d": [[pack_network(d.network), d.since, d.until] for d in facts.denied],
        "su": facts.suspicion_until,
        "a": sorted(facts.accepted_agents),
        "u": list(facts.used_claims),
        "l": facts.last_claim_at,
    }
    data.update({name: value for name, value in optional.items() if value})
    policies = asdict(facts.policies)
    changed = {name: value for name, value in policies.items() if value != _POLICY_DEFAULTS[name]}
    if changed:
        data["po"] = changed
    return head(record.revision) + json.dumps(data, separators=(",", ":")).encode()


def unpack_lock(blob: bytes) -> LockRecord | None:
    """The record; None for the tombstone of a MAC that is on no device any more."""
    revision, body = split(blob)
    if body == b"null":
        return None
    try:
        data = json.loads(body)
        get = data.get
        grant, hand_out = get("g"), get("h")
        facts = DeviceFacts(
            code=data["c"],
            mac=data["m"],
            family=data["f"],
            account_path=data["p"],
            state=State(data["s"]),
            enabled=not get("off", False),
            site=get("st"),
            single_step=get("one", False),
            bound=tuple(unpack_network(n) for n in get("b", ())),
            armed_at=get("ar", 0.0),
            grant=Grant(grant[0], unpack_network(grant[1]) if grant[1] else None, grant[2])
            if grant
            else None,
            hand_out=HandOut(hand_out[0], unpack_network(hand_out[1]), hand_out[2]) if hand_out else None,
            denied=tuple(Denial(unpack_network(n), since, until) for n, since, until in get("d", ())),
            suspicion_until=get("su", 0.0),
            accepted_agents=frozenset(get("a", ())),
            used_claims=tuple(get("u", ())),
            last_claim_at=get("l", 0.0),
            policies=Policies(**get("po", {})),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise WireError("a lock record cannot be read") from error
    return LockRecord(revision, facts, get("bs"), get("md", ""))


def tombstone(revision: int) -> bytes:
    """What stands for a deleted device for a while, so that a late publish cannot bring it back."""
    return head(revision) + b"null"


_POLICY_DEFAULTS = asdict(Policies())

# Decoded for a MAC that nobody knows, so that it costs what a known one costs and time tells no secret.
DECOY = pack_lock(
    LockRecord(
        revision=1,
        model="T00",
        facts=DeviceFacts(
            code="00000000-0000-4000-8000-000000000000",
            mac="000000000000",
            family="none",
            account_path="000100010001",
            state=State.LOCKED,
            bound=(Network(1, 1),),
            hand_out=HandOut(1.0, Network(1, 1), True),
            used_claims=(1.0,),
            last_claim_at=1.0,
        ),
    )
)


# --- tokens -------------------------------------------------------------------------------------------

NO_FILES = 10**DIGITS - 1  # the files revision of a dead token: a compile that comes late is older than this


@dataclass(slots=True)  # as TokenFacts: one a request
class TokenRecord:
    """A token as it stands in the store; `file_of` is the hash whose files it gets (an entry token's)."""

    revision: int
    files_revision: int
    facts: TokenFacts
    model: str = ""
    bound_site: str | None = None
    file_of: str | None = None
    book_of: str | None = None  #: the code of the account whose phone book it gets

    def resolved(self, lists: Lists) -> TokenFacts:
        if self.bound_site is None:
            return self.facts
        return replace(self.facts, bound=lists.site_networks(self.bound_site))


def pack_token(record: TokenRecord) -> bytes:
    facts = record.facts
    optional: dict[str, Any] = {
        "s": None if facts.state is State.LOCKED else facts.state.value,
        "off": not facts.enabled,
        "bs": record.bound_site,
        "o": facts.origin and pack_network(facts.origin),
        "u": facts.until,
        "su": facts.superseded,
        "os": [[pack_network(n), at] for n, at in facts.origins],
        "nu": not facts.used,
        "fo": record.file_of,
        "bo": record.book_of,
    }
    bound = [pack_network(n) for n in facts.bound]
    rest = {name: value for name, value in optional.items() if value}
    data = [facts.mac, facts.kind.value, facts.code, facts.family, record.model, bound, rest]
    heads = head(record.revision) + head(record.files_revision)
    return heads + json.dumps(data, separators=(",", ":")).encode()


def unpack_token(blob: bytes) -> TokenRecord:
    """The record; read for every request below a private URL, so by the shortest way."""
    try:
        revision, files_revision = int(blob[:DIGITS]), int(blob[DIGITS : 2 * DIGITS])
        (mac, kind, code, family, model, bound, more), _ = _scan(blob[2 * DIGITS :].decode())
        facts = TokenFacts(mac, _TOKEN_KINDS[kind], code, family, bound=tuple(map(unpack_network, bound)))
        if not more:
            return TokenRecord(revision, files_revision, facts, model)
        get = more.get
        origin = get("o")
        facts.state = State(get("s", State.LOCKED))
        facts.enabled = not get("off", False)
        facts.origin = unpack_network(origin) if origin else None
        facts.until = get("u")
        facts.superseded = get("su", False)
        facts.origins = tuple((unpack_network(n), at) for n, at in get("os", ()))
        facts.used = not get("nu", False)
        return TokenRecord(revision, files_revision, facts, model, get("bs"), get("fo"), get("bo"))
    except (KeyError, ValueError, TypeError, AttributeError, StopIteration) as error:
        raise WireError("a token record cannot be read") from error


_scan = json.JSONDecoder().raw_decode
_TOKEN_KINDS = {kind.value: kind for kind in TokenKind}


# --- files --------------------------------------------------------------------------------------------


@dataclass(slots=True)  # as TokenFacts: one a request
class StoredFile:
    """One file of one token: the files revision it was compiled from, its type, its sealed bytes."""

    files_revision: int
    content_type: str
    sealed: bytes


def pack_file(file: StoredFile) -> bytes:
    kind = file.content_type.encode()
    return head(file.files_revision) + bytes([len(kind)]) + kind + file.sealed


def unpack_file(blob: bytes) -> StoredFile:
    revision, rest = split(blob)
    if not rest:
        raise WireError("a file record is empty")
    end = 1 + rest[0]
    return StoredFile(revision, rest[1:end].decode(), rest[end:])


def file_about(code: str, name: str) -> bytes:
    """What a sealed file is bound to: its device and its name."""
    return f"file\x1f{code}\x1f{name}".encode()
