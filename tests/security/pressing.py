"""Valid keys and facts for pressure without arguments; tests state only what matters."""

from collections.abc import Iterable
from typing import Any

from security.pressure import LOCKED_MAC, UNKNOWN_MAC, Facts, Key, Width

NOW = 1_800_000_000.0
MINUTE, HOUR = 60.0, 3600.0
DAY = 24 * HOUR
ACME, OTHER = "000100020003", "000100020004"


def key(number: int = 1, kind: str = UNKNOWN_MAC, **changes: Any) -> Key:
    """A MAC that nobody knows, asked for a minute ago."""
    return Key(**{"kind": kind, "label": f"{number:012x}", "account": "", "at": NOW - MINUTE, **changes})


def strangers(count: int, **changes: Any) -> list[Key]:
    """So many MACs that nobody knows."""
    return [key(number, **changes) for number in range(1, count + 1)]


def locked(count: int, account: str = ACME, **changes: Any) -> list[Key]:
    """So many phones of an account, asked for from an origin that is not theirs."""
    return [key(0x100000 + n, LOCKED_MAC, account=account, **changes) for n in range(count)]


def facts(**changes: Any) -> Facts:
    """An address that nothing is known of."""
    return Facts(**changes)


def at_home(proved: int, **changes: Any) -> Facts:
    """An address where so many phones of one account are proved."""
    return Facts(**{"proved": proved, "proved_by_account": {ACME: proved}, **changes})


def spent(keys: Iterable[Key], at: float) -> dict[tuple[str, str], float]:
    """These keys as having counted then."""
    return {one.name: at for one in keys}


WIDE = [Width.NET_56, Width.NET_48]
