"""What one address may cost us: claims and notes by rate, proofs by the minute, failures by the hour.

All of it in the memory of one process and bounded: an address that is forgotten starts afresh.
"""

from collections import OrderedDict, deque
from typing import Generic, TypeVar

Key = TypeVar("Key")

FAILURES_KEPT = 3600  # seconds: the rolling hour of rules.md section 6
# Of one kind at one place; the highest threshold of all is 2,000, of an IPv6 /48. Locked MACs that are cards
# there must not take the place of what counts, so each kind has its own.
FAILURES_A_KIND = 2500


class Allowance(Generic[Key]):
    """So many at once, and so many a second after that, for each key."""

    def __init__(self, rate: float, burst: float, most_keys: int = 20_000) -> None:
        self._rate = rate
        self._burst = burst
        self._most_keys = most_keys
        self._left: OrderedDict[Key, tuple[float, float]] = OrderedDict()

    def has(self, key: Key, now: float) -> bool:
        """Whether one more is allowed."""
        return self._now(key, now) >= 1.0

    def take(self, key: Key, now: float) -> bool:
        """Use one up; False when there is none."""
        left = self._now(key, now)
        if left < 1.0:
            return False
        self._set(key, left - 1.0, now)
        return True

    def give_back(self, key: Key, now: float) -> None:
        """Undo a take that came to nothing."""
        self._set(key, min(self._burst, self._now(key, now) + 1.0), now)

    def _now(self, key: Key, now: float) -> float:
        left, at = self._left.get(key, (self._burst, now))
        return min(self._burst, left + max(0.0, now - at) * self._rate)

    def _set(self, key: Key, left: float, now: float) -> None:
        self._left[key] = (left, now)
        self._left.move_to_end(key)
        if len(self._left) > self._most_keys:
            self._left.popitem(last=False)


class Recent(Generic[Key]):
    """How often something happened in the last seconds, for each key."""

    def __init__(self, seconds: float, most_keys: int = 20_000) -> None:
        self._seconds = seconds
        self._most_keys = most_keys
        self._times: OrderedDict[Key, deque[float]] = OrderedDict()

    def count(self, key: Key, now: float) -> int:
        times = self._times.get(key, ())
        return sum(now - at < self._seconds for at in times)

    def add(self, key: Key, now: float) -> None:
        times = self._times.setdefault(key, deque(maxlen=100))
        times.append(now)
        self._times.move_to_end(key)
        if len(self._times) > self._most_keys:
            self._times.popitem(last=False)


class SeenFailures:
    """The failures that are in the store already, so that a repeat costs no command; bounded by kind."""

    def __init__(self, most_places: int = 20_000) -> None:
        self._most_places = most_places
        self._places: OrderedDict[tuple[bytes, str], dict[bytes, float]] = OrderedDict()

    def is_new(self, place: bytes, kind: str, member: bytes, now: float) -> bool:
        """Whether this failure of this place was not seen in the last hour; from now on it was."""
        seen = self._places.get((place, kind))
        if seen is None:
            seen = self._places[place, kind] = {}
            if len(self._places) > self._most_places:
                self._places.popitem(last=False)
        else:
            self._places.move_to_end((place, kind))
        if now - seen.get(member, 0.0) < FAILURES_KEPT:
            return False
        if len(seen) >= FAILURES_A_KIND:
            for old in [name for name, at in seen.items() if now - at >= FAILURES_KEPT]:
                del seen[old]
            if len(seen) >= FAILURES_A_KIND:
                return False
        seen[member] = now
        return True

    def knows(self, place: bytes, kind: str, member: bytes, now: float) -> bool:
        """Whether it was seen in the last hour."""
        return now - self._places.get((place, kind), {}).get(member, 0.0) < FAILURES_KEPT

    def forget(self, place: bytes, kind: str, member: bytes) -> None:
        """Take this failure for new again: it did not reach the store."""
        self._places.get((place, kind), {}).pop(member, None)

    def forget_all(self) -> None:
        """Take every failure for new again."""
        self._places.clear()
