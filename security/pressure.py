"""Attack or storm: an address's failures weighed against the phones that are proved there. Pure.

Rules B1, B2, B3 and B8 and the counting of rules.md section 6. The edge asks with every new failure, the
drain with every proof, "what if" with all of them again. Times are epoch seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from security.networks import Network, origin_of, wider

HOUR = 3600.0
DAY = 24 * HOUR

# The kinds of failures that are not counted as every other; the names are provisioning.verdict's.
UNKNOWN_MAC = "unknown-mac"
LOCKED_MAC = "locked-mac"
TOGETHER = frozenset({"bad-path", "browser"})  # all of an address are one key
_BY_AGE = itemgetter(3, 0, 1, 2)

Name: TypeAlias = tuple[str, str]


class Key(NamedTuple):
    """One distinct failure of an address: of which kind, for which MAC or token, when it became a key."""

    kind: str
    label: str
    account: str  # of the device that a locked MAC belongs to; "" for all else
    at: float

    @property
    def name(self) -> Name:
        """What makes it distinct at its address."""
        return (self.kind, "" if self.kind in TOGETHER else self.label)


class Width(Enum):
    """What is counted as one place, with its factor: IPv4 the address alone, IPv6 the /64, /56 and /48."""

    ORIGIN = 1
    NET_56 = 2
    NET_48 = 4


class Outcome(StrEnum):
    """What follows from the failures of an address."""

    NOTHING = "nothing"
    ALERT = "alert"  # an ALLOWED network reached the threshold (B8)
    BANNED = "banned"


@dataclass(frozen=True, slots=True)
class Rules:
    """The platform's values of section 6; "what if" replays with others."""

    base: int = 10
    percent: int = 10  # of the proved devices, and of those that an open window may serve
    most: int = 500  # whatever is proved, and whatever a window may serve
    allowed: int = 500  # in an ALLOWED network
    crowd: int = 10  # proved phones of an account, at whose address a locked MAC of it is a card
    lengths: tuple[float, ...] = (HOUR, 4 * HOUR, DAY)  # of the first ban in 24 h, the second, the third
    spent_for: float = 7 * DAY  # in which a key that has counted does not count again
    unknown_macs: int = 500  # an hour from an ALLOWED network; what comes then is a number
    storm: int = 100  # proved phones within a minute


RULES = Rules()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an address, or of an IPv6 /56 or /48: then of all addresses in it together.

    What is not here shields nobody: MACs that are known and prove nothing (B2).
    """

    width: Width = Width.ORIGIN
    proved: int = 0  # devices proved there in the last 30 days, this second's included
    proved_by_account: Mapping[str, int] = field(default_factory=dict)  # at least those of a crowd
    window_devices: int = 0  # that the windows which are open there may serve
    allowed: bool = False
    lived_in: bool = False  # of a wider network: a proved device lives in it, however many
    earlier: tuple[float, ...] = ()  # starts of its bans, but for those that proofs have ended (see `stands`)
    spent: Mapping[Name, float] = field(default_factory=dict)  # when a key counted towards a ban or an alert
    banned_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Threshold:
    """How many keys make a ban, and why so many (B1)."""

    value: int
    base: int
    share: int
    proved: int
    window_share: int
    window_devices: int
    factor: int

    def __str__(self) -> str:
        """The sum as people read it: "10 + 270 of 2,700 proved"."""
        parts = f"{self.base:,}"
        if self.proved:
            parts += f" + {self.share:,} of {self.proved:,} proved"
        if self.window_devices:
            parts += f" + {self.window_share:,} of {self.window_devices:,} in an open window"
        one = self.value // self.factor
        if one > self.base + self.share + self.window_share:
            parts = f"{one:,} in an allowed network"
        elif one < self.base + self.share + self.window_share:
            parts = f"{one:,} at most, not {parts}"
        if self.factor == 1:
            return parts
        return f"{self.factor} times ({parts})" if " " in parts else f"{self.factor} times {parts}"


@dataclass(frozen=True, slots=True)
class Ban:
    """A ban as it was earned: from when to when, for the how manyth time in 24 h, by which keys (B3)."""

    since: float
    until: float
    step: int
    keys: tuple[Key, ...]
    width: Width
    propose_block: bool  # a person may make it BLOCKED; nothing else does


@dataclass(frozen=True, slots=True)
class Judgement:
    """The threshold, the keys that count today, the oldest first, and what follows."""

    threshold: Threshold
    counted: tuple[Key, ...]
    outcome: Outcome = Outcome.NOTHING
    ban: Ban | None = None


def places(address: int) -> tuple[tuple[Width, Network], ...]:
    """Every place that a failure of this address is counted at."""
    origin = origin_of(address)
    if origin.is_v4:
        return ((Width.ORIGIN, origin),)
    wide, widest = wider(address, 32, 56), wider(address, 32, 48)
    return ((Width.ORIGIN, origin), (Width.NET_56, wide), (Width.NET_48, widest))


def threshold(facts: Facts, rules: Rules = RULES) -> Threshold:
    """Return how many keys make a ban at this address now (B1, B8).

    The window's share stands below the same ceiling: whoever may open a window could otherwise lift his
    address above every ALLOWED network.
    """
    share = facts.proved * rules.percent // 100
    window_share = facts.window_devices * rules.percent // 100
    value = min(rules.base + share + window_share, rules.most)
    if facts.allowed:
        value = max(value, rules.allowed)
    return Threshold(
        value=value * facts.width.value,
        base=rules.base,
        share=share,
        proved=facts.proved,
        window_share=window_share,
        window_devices=facts.window_devices,
        factor=facts.width.value,
    )


def judge(keys: Iterable[Key], facts: Facts, now: float, rules: Rules = RULES) -> Judgement:
    """Return what the keys that an address holds mean now: nothing, an alert, or a ban and its end.

    The order of the keys is without meaning, and a ban that stands is never answered with another one. After
    a ban, and after an alert, the caller notes the counted keys as `spent` and a ban's start as `earlier`.
    """
    needed = threshold(facts, rules)
    counted = _counted(keys, facts, now, rules)
    if len(counted) < needed.value or now < facts.banned_until or is_spared(facts):
        return Judgement(needed, counted)
    if facts.allowed:
        return Judgement(needed, counted, Outcome.ALERT)
    earlier = sum(now - start < DAY for start in facts.earlier)
    step = min(earlier + 1, len(rules.lengths))
    ban = Ban(
        since=now,
        until=now + rules.lengths[step - 1],
        step=step,
        keys=counted,
        width=facts.width,
        propose_block=step == len(rules.lengths),
    )
    return Judgement(needed, counted, Outcome.BANNED, ban)


def stands(ban: Ban, facts: Facts, now: float, rules: Rules = RULES) -> bool:
    """Whether a ban goes on: its time is not over, and today's threshold would still give it (B1).

    Judged against the keys that made it, however old they are by now. One that ends so was never earned: the
    caller takes it out of `earlier` and its keys out of `spent`. One that a person lifts stays in both (B6).
    """
    if now >= ban.until or facts.allowed or is_spared(facts):
        return False
    crowds = _crowds(facts, rules)
    counted = sum(key.kind != LOCKED_MAC or key.account not in crowds for key in ban.keys)
    return counted >= threshold(facts, rules).value


def is_spared(facts: Facts) -> bool:
    """Whether it is a wider network that a proved device lives in, which is never banned as a whole."""
    return facts.width is not Width.ORIGIN and (facts.lived_in or facts.proved > 0)


def leaves_trace(kind: str, *, allowed: bool, unknown_macs: int, rules: Rules = RULES) -> bool:
    """Whether a failure becomes a key and a note, or only a number (B8).

    `unknown_macs` is how many unknown MACs of this hour have left a trace from the ALLOWED network before.
    """
    return not (allowed and kind == UNKNOWN_MAC and unknown_macs >= rules.unknown_macs)


def is_storm(at_once: int, proved: int, rules: Rules = RULES) -> bool:
    """Whether so many proved devices within a minute are an incident (B2): many, and a good part of all."""
    return at_once >= rules.storm and at_once * 100 >= proved * rules.percent


def _counted(keys: Iterable[Key], facts: Facts, now: float, rules: Rules) -> tuple[Key, ...]:
    """The distinct keys of the rolling hour that count at this address, the oldest first."""
    crowds, spent = _crowds(facts, rules), facts.spent
    found: dict[Name, Key] = {}
    for key in keys:  # up to a thousand while a caller waits: no call that can be spared
        kind, label, account, at = key
        if now - at >= HOUR or (kind == LOCKED_MAC and account in crowds):
            continue
        name = (kind, "" if kind in TOGETHER else label)
        if name in spent and now - spent[name] < rules.spent_for:
            continue
        if name not in found or key > found[name]:
            found[name] = key
    return tuple(sorted(found.values(), key=_BY_AGE))


def _crowds(facts: Facts, rules: Rules) -> frozenset[str]:
    """The accounts whose phones live here: a locked one of theirs is a card, not an attack (B1)."""
    return frozenset(account for account, proved in facts.proved_by_account.items() if proved >= rules.crowd)
