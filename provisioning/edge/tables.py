"""The lists of the store as tables: is an address blocked, banned, shared, and which windows are its own."""

from collections.abc import Iterable

from provisioning.gate import Window, origins_shared
from provisioning.wire import Lists, TimedNetwork
from security.networks import Network, origin_of


class NetworkTable:
    """Networks by their size, so that a look-up costs one step per size in use, not one per network."""

    def __init__(self, networks: Iterable[TimedNetwork]) -> None:
        self._by_size: dict[int, dict[int, float]] = {}
        self._odd: list[TimedNetwork] = []
        for timed in networks:
            first, last = timed.network.first, timed.network.last
            size = last - first + 1
            if size & (size - 1) or first & (size - 1):  # no prefix; never written by us, still obeyed
                self._odd.append(timed)
                continue
            ends = self._by_size.setdefault(size, {})
            ends[first] = max(timed.until, ends.get(first, 0.0))

    def holds(self, address: int, now: float) -> bool:
        """Whether one of them holds the address and is not over."""
        for size, ends in self._by_size.items():
            if now < ends.get(address & -size, 0.0):
                return True
        return bool(self._odd) and any(address in t.network and now < t.until for t in self._odd)


class Tables:
    """The lists under one number."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists
        self.number = lists.number
        self.blocked = NetworkTable(lists.blocked)
        self.banned = NetworkTable(lists.banned)
        self._windows: dict[Network, tuple[Window, ...]] = {}
        self._wide: tuple[Window, ...] = ()
        for window in lists.windows:
            if window.origin == origin_of(window.origin.first):
                self._windows[window.origin] = (*self._windows.get(window.origin, ()), window)
            else:
                self._wide += (window,)

    def windows(self, origin: Network) -> tuple[Window, ...]:
        """The windows that can be open to a caller from this origin, now or later."""
        return (*self._windows.get(origin, ()), *self._wide)

    def window_devices(self, network: Network, now: float) -> int:
        """How many devices the windows may serve that are open to callers from there (B1)."""
        is_origin = network == origin_of(network.first)
        near = self.windows(network) if is_origin else self.lists.windows
        return sum(window.covers for window in near if _is_open(window, network, now))

    def allowed_at(self, address: int, now: float) -> Network | None:
        """The ALLOWED network that the address is in."""
        found = (t.network for t in self.lists.allowed if now < t.until and address in t.network)
        return next(found, None)

    def is_allowed(self, network: Network, now: float) -> bool:
        """Whether some of these addresses are ALLOWED (B8)."""
        return any(now < timed.until and network.overlaps(timed.network) for timed in self.lists.allowed)

    def is_shared(self, address: int) -> bool:
        return origins_shared(self.lists.shared, address)


def _is_open(window: Window, network: Network, now: float) -> bool:
    return window.starts <= now < window.ends and network.overlaps(window.origin)


NO_TABLES = Tables(Lists())
