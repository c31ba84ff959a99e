"""What the store holds of an address that fails: keys, the scripts that change them, a ban's record. Pure.

All keys of a place share a hash tag, so that one script may touch them. Times are epoch seconds.
"""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from provisioning.packing import WireError
from security import pressure
from security.networks import Network
from security.pressure import Ban, Facts, Judgement, Key, Name, Width

KEPT = 3600  # seconds: the rolling hour of rules.md section 6
PROVED_KEPT = 31 * 86400
EARNED = b"b"  # a stream entry's field, where a note's is wire.NOTE


class What(StrEnum):
    """What the edge tells the drain about an address."""

    BANNED = "banned"
    ALERT = "alert"  # an ALLOWED network is at its threshold (B8)
    ENDED = "ended"  # a ban that today's threshold would not give (B1)


# --- keys ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """What is counted as one: an origin, or an IPv6 /56 or /48, and where the store holds what of it."""

    width: Width
    network: Network
    standing: bytes  # the end of its ban; "0.000" where something failed within the hour
    failures: bytes  # sorted set: failure -> when it became a key
    proved: bytes  # hash: MAC -> path of its account, "" where only the edge knows of it so far
    spent: bytes  # sorted set: name of a key -> when it counted
    earlier: bytes  # sorted set: starts of its bans
    ban: bytes  # the record of the ban that stands

    @classmethod
    def of(cls, network: Network, width: Width = Width.ORIGIN) -> "Place":
        tag = b"{" + network.key.encode() + b"}"
        return cls(width, network, *(letter + b":" + tag for letter in (b"a", b"k", b"d", b"u", b"e", b"n")))


@functools.lru_cache(maxsize=16384)
def places(address: int) -> tuple[Place, ...]:
    """Every place that a failure of this address is counted at, its origin first."""
    return tuple(Place.of(network, width) for width, network in pressure.places(address))


def place_of(network: Network) -> Place:
    """The place that an earned ban is about."""
    return next(place for place in places(network.first) if place.network == network)


def address_key(origin: Network) -> bytes:
    """The standing of an address."""
    return Place.of(origin).standing


def failures_key(origin: Network) -> bytes:
    """The distinct failures of an address in the rolling hour."""
    return Place.of(origin).failures


def unknown_key(allowed: Network, now: float) -> bytes:
    """How many unknown MACs of this clock hour have left a trace from an ALLOWED network (B8)."""
    return b"v:{%b}:%d" % (allowed.key.encode(), int(now // KEPT))


# --- records ------------------------------------------------------------------------------------------


def pack_standing(until: float) -> bytes:
    """What stands under an address's key: when its ban ends."""
    return b"%.3f" % until


def unpack_standing(blob: bytes | None) -> float:
    """When the ban of an address ends; 0 when it has none."""
    try:
        return float(blob) if blob else 0.0
    except ValueError as error:
        raise WireError("a standing cannot be read") from error


def pack_failure(kind: str, label: str, account: str = "") -> bytes:
    """A member of an address's sorted set of failures."""
    return f"{kind}:{label}:{account}".encode()


def unpack_failure(member: bytes) -> tuple[str, str, str]:
    """Its kind, label and the path of the account that a locked MAC belongs to."""
    kind, _, rest = member.decode(errors="replace").partition(":")
    label, _, account = rest.partition(":")
    return kind, label, account


def pack_name(name: Name) -> bytes:
    """A member of an address's sorted set of spent keys."""
    return ":".join(name).encode()


@dataclass(frozen=True, slots=True)
class Earned:
    """What became of an address, as the edge has decided it: a line of the stream, and a ban's record."""

    what: What
    network: Network
    at: float
    keys: tuple[Key, ...]
    threshold: str = ""  # as people read it
    until: float = 0.0
    step: int = 0
    propose_block: bool = False

    @property
    def ban(self) -> Ban:
        """The ban as `pressure.stands` asks for it."""
        width = next(w for w, network in pressure.places(self.network.first) if network == self.network)
        return Ban(self.at, self.until, self.step, self.keys, width, self.propose_block)


def earned(judgement: Judgement, network: Network, now: float) -> Earned:
    """What a judgement that says something becomes."""
    ban, shown = judgement.ban, str(judgement.threshold)
    if ban is None:
        return Earned(What.ALERT, network, now, judgement.counted, shown)
    return Earned(What.BANNED, network, ban.since, ban.keys, shown, ban.until, ban.step, ban.propose_block)


def pack_earned(earned: Earned) -> bytes:
    """The bytes of it; times to the millisecond, as everywhere in the store."""
    data = {
        "what": earned.what.value,
        "first": earned.network.hex_first,
        "last": earned.network.hex_last,
        "at": round(earned.at, 3),
        "keys": [[key.kind, key.label, key.account, round(key.at, 3)] for key in earned.keys],
        "threshold": earned.threshold,
        "until": round(earned.until, 3),
        "step": earned.step,
        "propose_block": earned.propose_block,
    }
    return json.dumps(data, separators=(",", ":")).encode()


def unpack_earned(blob: bytes) -> Earned:
    """Raises WireError."""
    try:
        data: dict[str, Any] = json.loads(blob)
        what, network = What(data.pop("what")), Network.from_hex(data.pop("first"), data.pop("last"))
        keys = tuple(Key(*key) for key in data.pop("keys"))
        return Earned(what, network, keys=keys, **data)
    except (ValueError, TypeError, KeyError) as error:
        raise WireError("a ban cannot be read") from error


# --- from replies to facts ----------------------------------------------------------------------------


def held_keys(pairs: Sequence[Any]) -> list[Key]:
    """The keys of a place, of ZRANGE WITHSCORES."""
    return [Key(*unpack_failure(member), float(at)) for member, at in _pairs(pairs)]


def held_names(pairs: Sequence[Any]) -> dict[Name, float]:
    """The spent keys of a place, of ZRANGE WITHSCORES."""
    return {_name(member): float(at) for member, at in _pairs(pairs)}


def crowds(paths: Iterable[bytes]) -> dict[str, int]:
    """How many devices of each account are proved at a place, of HVALS."""
    found: dict[str, int] = {}
    for path in paths:
        if path:
            found[path.decode()] = found.get(path.decode(), 0) + 1
    return found


def facts(
    place: Place,
    *,
    proved: int,
    by_account: Mapping[str, int],
    window_devices: int,
    allowed: bool,
    earlier: Iterable[bytes] = (),
    spent: Mapping[Name, float] | None = None,
    banned_until: float = 0.0,
) -> Facts:
    """What `pressure` asks to know."""
    return Facts(
        width=place.width,
        proved=proved,
        proved_by_account=by_account,
        window_devices=window_devices,
        allowed=allowed,
        lived_in=proved > 0,
        earlier=tuple(float(start) for start in earlier),
        spent=spent or {},
        banned_until=banned_until,
    )


def may_be_crowded(keys: Iterable[Key]) -> bool:
    """Whether it matters whose devices are proved there."""
    return any(key.kind == pressure.LOCKED_MAC for key in keys)


def _pairs(flat: Sequence[Any]) -> Iterable[tuple[bytes, Any]]:
    return flat if flat and isinstance(flat[0], tuple) else zip(flat[::2], flat[1::2], strict=True)


def _name(member: bytes) -> Name:
    kind, _, label = member.decode(errors="replace").partition(":")
    return kind, label


# --- scripts ------------------------------------------------------------------------------------------

# KEYS standing, failures, proved; ARGV now, failure. A key keeps the time at which it became one, and the
# place is watched for an hour. Keys, devices proved there, standing.
ADD = b"""
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1] - 3600)
redis.call('ZADD', KEYS[2], 'NX', ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], 3600)
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], '0.000', 'EX', 3600)
elseif redis.call('TTL', KEYS[1]) < 3600 then redis.call('EXPIRE', KEYS[1], 3600) end
return {redis.call('ZCARD', KEYS[2]), redis.call('HLEN', KEYS[3]), redis.call('GET', KEYS[1])}
"""

# KEYS standing, spent, earlier, ban, notes; ARGV now, until (0: an alert), record, names. Nothing when
# somebody else was first: the address is banned, or the first of the keys has counted meanwhile.
EARN = b"""
local now = tonumber(ARGV[1])
if tonumber(redis.call('GET', KEYS[1]) or '0') > now then return 0 end
local spent = redis.call('ZSCORE', KEYS[2], ARGV[4])
if spent and now - tonumber(spent) < 604800 then return 0 end
for at = 4, #ARGV do redis.call('ZADD', KEYS[2], ARGV[1], ARGV[at]) end
redis.call('EXPIRE', KEYS[2], 604800)
if ARGV[2] ~= '0' then
  local left = math.ceil(tonumber(ARGV[2]) - now)
  redis.call('SET', KEYS[1], ARGV[2], 'EX', left + 3600)
  redis.call('SET', KEYS[4], ARGV[3], 'EX', left)
  redis.call('ZADD', KEYS[3], ARGV[1], ARGV[1])
  redis.call('EXPIRE', KEYS[3], 86400)
end
redis.call('XADD', KEYS[5], 'MAXLEN', '~', 2000000, '*', 'b', ARGV[3])
return 1
"""

# KEYS standing, proved, ban; ARGV now, MACs. Devices proved there, standing, the record of a ban that stands.
PROVE = b"""
for at = 2, #ARGV do redis.call('HSETNX', KEYS[2], ARGV[at], '') end
redis.call('EXPIRE', KEYS[2], 2678400)
local standing = redis.call('GET', KEYS[1])
local ban = false
if standing and tonumber(standing) > tonumber(ARGV[1]) then ban = redis.call('GET', KEYS[3]) end
return {redis.call('HLEN', KEYS[2]), standing, ban}
"""

# KEYS standing, spent, earlier, ban, notes; ARGV its end, its start, what to tell ("": nothing), names. Only
# while this very ban stands. With names it was never earned: its keys have not counted, it is no earlier ban.
END = b"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], '0.000', 'EX', 3600)
redis.call('DEL', KEYS[4])
for at = 4, #ARGV do redis.call('ZREM', KEYS[2], ARGV[at]) end
if #ARGV > 3 then redis.call('ZREM', KEYS[3], ARGV[2]) end
if ARGV[3] ~= '' then redis.call('XADD', KEYS[5], 'MAXLEN', '~', 2000000, '*', 'b', ARGV[3]) end
return 1
"""


def add_command(place: Place, member: bytes, now: float) -> tuple[Any, ...]:
    """ADD, ready to be sent."""
    return (b"EVAL", ADD, 3, place.standing, place.failures, place.proved, b"%.3f" % now, member)


def earn_command(place: Place, earned: Earned, notes: bytes) -> tuple[Any, ...]:
    """EARN, ready to be sent."""
    until = pack_standing(earned.until) if earned.what is What.BANNED else b"0"
    keys = (place.standing, place.spent, place.earlier, place.ban, notes)
    names = dict.fromkeys(pack_name(key.name) for key in earned.keys)
    return (b"EVAL", EARN, 5, *keys, b"%.3f" % earned.at, until, pack_earned(earned), *names)


def prove_command(place: Place, macs: Iterable[str], now: float) -> tuple[Any, ...]:
    """PROVE, ready to be sent."""
    keys = (place.standing, place.proved, place.ban)
    return (b"EVAL", PROVE, 3, *keys, b"%.3f" % now, *(mac.encode() for mac in macs))


def end_command(place: Place, ban: Earned, notes: bytes, *, now: float) -> tuple[Any, ...]:
    """END of a ban that was never earned, ready to be sent."""
    told = pack_earned(Earned(What.ENDED, ban.network, now, ban.keys, until=ban.until, step=ban.step))
    keys = (place.standing, place.spent, place.earlier, place.ban, notes)
    names = dict.fromkeys(pack_name(key.name) for key in ban.keys)
    start = b"%.3f" % ban.at
    return (b"EVAL", END, 5, *keys, pack_standing(ban.until), start, told, *names)


def lift_command(place: Place, *, until: float, notes: bytes) -> tuple[Any, ...]:
    """END of a ban that somebody has lifted: it forgets nothing (B6). Ready to be sent."""
    keys = (place.standing, place.spent, place.earlier, place.ban, notes)
    return (b"EVAL", END, 5, *keys, pack_standing(until), b"", b"")
