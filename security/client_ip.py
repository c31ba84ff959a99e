"""The caller's true address, or none when it is not certain: a lock is only as true as the address. Pure."""

import re
from collections.abc import Iterable

from security.networks import AddressError, Network, any_holds, parse_address

_PORT = re.compile(r":[0-9]{1,5}")


def client_ip(peer: str | None, forwarded_for: Iterable[str], trusted: Iterable[Network]) -> int | None:
    """Return the caller's address as a number, or None when it cannot be known for certain.

    A peer that is no trusted proxy *is* the caller, whatever it claims. Behind one, the header lines are read
    as one list from the right, since every proxy appends: the first hop that is not ours is the caller, and
    what stands left of it is only what the caller typed.
    """
    trusted = tuple(trusted)
    address = _parse_hop(peer or "")
    if address is None or not any_holds(trusted, address):
        return address
    for hop in reversed(",".join(forwarded_for).split(",")):
        address = _parse_hop(hop)
        if address is None or not any_holds(trusted, address):
            return address
    return None


def is_proxy(peer: str | None, trusted: Iterable[Network]) -> bool:
    """Whether the peer may tell us of the caller, by forwarding and certificate headers."""
    address = _parse_hop(peer or "")
    return address is not None and any_holds(trusted, address)


def _parse_hop(text: str) -> int | None:
    """Read one hop: an address, perhaps with brackets, a zone or a port; None for anything else."""
    bare = text.strip()
    if bare.startswith("["):
        bare, bracket, port = bare[1:].partition("]")
        if not bracket or ":" not in bare or (port and not _PORT.fullmatch(port)):
            return None
    elif bare.count(":") == 1:
        bare, _, port = bare.partition(":")
        if not _PORT.fullmatch(f":{port}"):
            return None
    if not bare.isascii() or "/" in bare:
        return None
    try:
        return parse_address(bare)
    except AddressError:
        return None
