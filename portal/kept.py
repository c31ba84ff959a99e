"""Numbers over very many phones, which may be a quarter of a minute old."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TypeVar

from django.core.cache import cache

from accounts.roles import Power
from accounts.scope import Actor

MANY = 10_000  # phones beyond which what was counted is kept
SECONDS = 15
Found = TypeVar("Found")


def kept(
    name: str,
    by: Actor,
    asked: Mapping[str, str],
    find: Callable[[], Found],
    *,
    is_large: Callable[[Found], bool],
) -> Found:
    """What `find` says, or said to the same reader a moment ago, where that is large."""
    who = (by.user.pk if by.user else 0, *sorted(by.paths(Power.SEE_ACCOUNT)))
    key = f"{name}:{sha256(repr((who, sorted(asked.items()))).encode()).hexdigest()}"
    found: Found | None = cache.get(key)
    if found is None:
        found = find()
        if is_large(found):
            cache.set(key, found, SECONDS)
    return found
