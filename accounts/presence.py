"""Where a signed-in person is, as the phones' host has proved it (rule P, B6); kept in his session.

IPv4 and IPv6 stand apart, for a person is often at one address of each. Every page that asks has a nonce of
its own, so that the proof leads back to it.
"""

import hmac
import ipaddress
import secrets
from datetime import datetime, timedelta

from django.contrib.sessions.backends.base import SessionBase

KEPT = timedelta(minutes=15)
PLACES = 8  # pages of one session that a proof leads back to; the oldest gives way
_NONCES, _PROVED = "presence-nonces", "presence"


def nonce_for(session: SessionBase, place: str) -> str:
    """The session's nonce for a page, by its path; drawn once, so that a refresh writes nothing."""
    nonces: dict[str, str] = session.get(_NONCES, {})
    if place not in nonces:
        newest = [*nonces.items(), (place, secrets.token_urlsafe(24))]
        session[_NONCES] = nonces = dict(newest[-PLACES:])
    return nonces[place]


def place_of(session: SessionBase, nonce: str) -> str | None:
    """The page for which this session drew the nonce; None for one that it never drew."""
    drawn: dict[str, str] = session.get(_NONCES, {})
    for place, own in drawn.items():
        if hmac.compare_digest(own.encode(), nonce.encode("utf-8", "replace")):
            return place
    return None


def remember(session: SessionBase, address: str, *, now: datetime) -> None:
    """Keep a proved address; the newest of its family takes the place of the one before."""
    family = str(ipaddress.ip_address(address).version)
    session[_PROVED] = {**session.get(_PROVED, {}), family: [address, now.timestamp()]}


def proved(session: SessionBase, *, now: datetime) -> tuple[str, ...]:
    """The addresses that were proved in this session and are still fresh, the newest first."""
    held: list[tuple[str, float]] = sorted(session.get(_PROVED, {}).values(), key=lambda kept: -kept[1])
    return tuple(address for address, at in held if 0 <= now.timestamp() - at < KEPT.total_seconds())
