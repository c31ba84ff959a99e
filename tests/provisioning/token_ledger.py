"""What rules.md section 4 says of every token that was ever given, kept apart from the product's own rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from security.networks import Network, origin_of

MINUTE, HOUR = 60.0, 3600.0
DAY = 24 * HOUR
ENTRY_TIME = 30 * MINUTE
NEVER = float("inf")
CLONE_TIME = RETIRED_TIME = KNOWN_TIME = TEXT_KEPT = 30 * DAY
ROUGHLY = 6 * HOUR  # a use from a known origin is written again after this


@dataclass(eq=False)
class Given:
    """One token: what it was given for, and what has happened to it."""

    text: str
    mac: str
    phone: int
    claim: int
    entry: bool
    to: Network
    at: float
    first_use: float | None = None
    superseded: "Given | None" = None  # a former token: by the first use of which later one
    until: float | None = None
    ended: bool = False  # for good: nothing brings it back
    ended_by: "Given | None" = None  # an entry token: by the first use of which current one
    clone: bool = False
    vague: bool = False  # the rules do not say whether its former time goes on after a take-back
    served: bool = False  # somebody has read it
    origins: dict[Network, float] = field(default_factory=dict)

    def is_over(self, now: float) -> bool:
        over = self.ended or self.ended_by is not None
        return over or (self.until is not None and now >= self.until)

    def knows(self, now: float, address: int, home: Iterable[Network]) -> bool | None:
        """T3's origins of the last 30 days; None where the last hours of them are not told apart."""
        ages = [now - at for origin, at in self.origins.items() if same(origin, address, home)]
        if not ages or min(ages) >= KNOWN_TIME:
            return False
        return True if min(ages) < KNOWN_TIME - ROUGHLY else None


@dataclass
class Claims:
    """One phone's claims, the oldest first, and which of its tokens is the current one."""

    taken: list[int] = field(default_factory=list)
    current: Given | None = None


def same(origin: Network, address: int, home: Iterable[Network]) -> bool:
    """Whether the address is of this origin; the networks of the site that the phone is bound to are one."""
    if address in origin:
        return True
    home = tuple(home)
    return any(n.holds(origin) for n in home) and any(address in n for n in home)


class TokenLedger:
    """Every token by its text."""

    def __init__(self) -> None:
        self.tokens: dict[str, Given] = {}
        self.claims: dict[int, Claims] = {}

    def of(self, phone: int) -> list[Given]:
        return [given for given in self.tokens.values() if given.phone == phone]

    def current(self, phone: int) -> Given | None:
        return self.claims.setdefault(phone, Claims()).current

    def give(
        self, text: str, *, mac: str, phone: int, claim: int, entry: bool, to: Network, at: float
    ) -> Given:
        """T1: a claim's new token; what was current until now is a former one."""
        given = Given(text, mac, phone, claim, entry, to, at, origins={to: at})
        self.tokens[text] = given
        claims = self.claims.setdefault(phone, Claims())
        if claim not in claims.taken:
            claims.taken.append(claim)
        if entry:
            given.until = at + ENTRY_TIME
        else:
            claims.current = given
        return given

    def use(self, given: Given, *, address: int, now: float, overlap: float) -> None:
        """A fetch of the full file by this token was answered with it."""
        origin = origin_of(address)
        if not given.entry:
            given.origins[origin] = now
        if given.first_use is not None:
            return
        given.first_use = now
        for other in self.of(given.phone):
            if other.ended:
                continue
            if other.claim < given.claim and not other.entry and other.superseded is None:
                other.superseded, other.until = given, min(other.until or NEVER, now + overlap)  # T2, T3
            if not given.entry and other.entry and other.claim <= given.claim and other.ended_by is None:
                other.ended_by = given  # T1: it dies when the current one is first used

    def suspect(self, given: Given, now: float, *, retired: bool) -> None:
        """T3: both are served until a person has answered, at most 30 days; a retired phone's end with it."""
        if not given.clone and not given.is_over(now):
            given.clone = True
            if not retired:
                given.until = now + CLONE_TIME

    def suspected(self, phone: int, now: float) -> Given | None:
        """The oldest former token whose use waits for an answer."""
        waiting = [given for given in self.of(phone) if given.clone and not given.is_over(now)]
        return min(waiting, key=lambda given: given.claim, default=None)

    def first_after(self, given: Given) -> int | None:
        """The first claim since this token was current."""
        return next((n for n in self.claims[given.phone].taken if n > given.claim), None)

    def answered(self, phone: int) -> None:
        """T3: we moved it, it is fine: the former tokens are dead."""
        for given in self.of(phone):
            if not given.entry and given.superseded is not None:
                given.ended = True

    def take_back(self, phone: int, claim: int, *, now: float, current: set[str]) -> None:
        """E16: this claim and all later ones never were.

        The rules let the token before come back; one that was over for long may have lost its text, and then
        only the rows know: `current` are the texts of the tokens that they call current.
        """
        claims = self.claims[phone]
        undone = set(claims.taken[claims.taken.index(claim) :])
        left = [given for given in self.of(phone) if given.claim not in undone]
        for given in self.of(phone):
            given.ended = given.ended or given.claim in undone
        claims.taken = [number for number in claims.taken if number not in undone]
        main = {given.claim: given for given in left if not given.entry}
        before = next((main[n] for n in reversed(claims.taken) if n in main), None)
        if before is not None and before.until is not None and now - before.until >= TEXT_KEPT:
            before.ended = before.ended or before.text not in current
        claims.current = before if before is not None and not before.ended else None
        for given in left:
            self._forget_undone(given, left, claims.current, now)

    def _forget_undone(self, given: Given, left: list[Given], current: Given | None, now: float) -> None:
        """What the undone tokens' use had done to this one is as if it had never been."""
        if given is current:
            given.until = given.superseded = None
            given.clone = given.vague = False
        elif given.superseded is not None and given.superseded.ended and not given.ended:
            later = any(o.claim > given.claim and o.first_use is not None and not o.ended for o in left)
            if later or current is None or (given.until is not None and now - given.until >= TEXT_KEPT):
                given.vague = True
            else:
                given.until = given.superseded = None
                given.clone = False
        elif given.entry and given.ended_by is not None and given.ended_by.ended:
            given.ended_by = None
            given.vague = current is None or given.claim != current.claim

    def end_all(self, phone: int) -> None:
        """Deleted, moved, another MAC, re-armed when retired: no token of it lives or comes back."""
        for given in self.of(phone):
            given.ended = True
        self.claims[phone] = Claims()

    def retire(self, phone: int, now: float) -> None:
        """E19: every living token has 30 days left."""
        for given in self.of(phone):
            if not given.is_over(now):
                given.until = min(given.until or now + RETIRED_TIME, now + RETIRED_TIME)

    def expected(self, text: str, *, address: int, now: float, home: Iterable[Network]) -> frozenset[str]:
        """The rules of which one answers a request for the full file, were the phone served at all."""
        given = self.tokens.get(text)
        if given is None:
            return frozenset({"T5"})
        if given.vague and not given.ended:
            return frozenset({"T1", "T4"} if given.entry else {"T2", "T3", "T4"})
        if given.is_over(now) or (given.entry and not same(given.to, address, home)):
            return frozenset({"T4"})
        if given.entry:
            return frozenset({"T1"})
        if given is self.current(given.phone):
            return frozenset({"O3", "O4"})
        if given.superseded is None:
            return frozenset({"T2"})
        known = given.knows(now, address, home)
        return frozenset({"T3", "T4"} if known is None else {"T3"} if known else {"T4"})
