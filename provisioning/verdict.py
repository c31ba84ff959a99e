"""The words of a verdict: what was asked, what the caller gets, by which rule, and what follows. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a caller gets (rules.md section 2)."""

    FULL = "full"
    BOOTSTRAP = "bootstrap"
    COMMON = "common"
    REFUSED = "refused"
    HELD = "held"
    PROOF = "proof"  # 303 to the portal's own address, rule P
    ACCEPTED = "accepted"  # 204 to an upload below a private URL


class State(StrEnum):
    """The state of a device's lock."""

    NEW = "new"
    UNLOCKED = "unlocked"
    LOCKED = "locked"
    QUARANTINED = "quarantined"
    RETIRED = "retired"


class KeyKind(StrEnum):
    """A failure that is counted against an address (section 6)."""

    UNKNOWN_MAC = "unknown-mac"
    BAD_TOKEN = "bad-token"  # noqa: S105  (a kind of failure)
    LOCKED_MAC = "locked-mac"
    WRONG_AGENT = "wrong-agent"
    WRONG_CERTIFICATE = "wrong-certificate"
    BAD_PATH = "bad-path"
    BROWSER = "browser"


class Method(StrEnum):
    """The request's method as far as the rules tell methods apart."""

    GET = "get"
    HEAD = "head"
    UPLOAD = "upload"
    OTHER = "other"


class Asked(StrEnum):
    """What the path names, at the root and below a private URL."""

    PROOF = "proof"  # /.me
    CLAIMING = "claiming"  # an own file that claims
    OWN = "own"  # an own file that does not
    COMMON = "common"
    ABSENT = "absent"  # a common file that is known to the grammar and never served
    BAD_PATH = "bad-path"
    FULL = "full"  # below a private URL: the full file, or a claiming name
    KEPT = "kept"  # below a private URL: personal directory, call lists
    BOOK = "book"  # below a private URL: the company's phone book
    NEVER = "never"  # below a private URL: overrides, licences, own files that we do not make
    FOREIGN = "foreign"  # below a private URL: a name that is not this device's


class Then(StrEnum):
    """What has to be done about a verdict, committed before the body leaves."""

    NOTHING = "nothing"
    CLAIM = "claim"
    REPEAT = "repeat"  # R4a: the same bytes again
    POLL = "poll"  # a single_step phone's R4: a check-in, no claim
    STALE = "stale"  # R3: the lock becomes LOCKED, unbound
    CHECK_IN = "check-in"
    AS_ROOT = "as-root"  # T4: decide again as if the token's MAC had been asked at the root


class TokenKind(StrEnum):
    """What a token is now; entry and former become dead by the clock."""

    ENTRY = "entry"
    CURRENT = "current"
    FORMER = "former"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one answer: outcome, the rule that decided, and what follows from it."""

    outcome: Outcome
    rule: str
    then: Then = Then.NOTHING
    key: KeyKind | None = None
    card: bool = False  # a pending approval (E14)
    binds: bool = False  # the lock is bound to the caller's origin
    spends_grant: bool = False
    drops_grant: bool = False
    unlock_expired: bool = False  # R8 was met on the way
    drift: bool = False  # O4
    clone: bool = False  # T3
