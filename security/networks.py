"""Addresses and networks as numbers, so that "contains" is two comparisons everywhere. Pure."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from accounts.said import Said

_V4 = 0xFFFF << 32
_V4_LAST = _V4 | 0xFFFFFFFF


class AddressError(ValueError):
    """The text is no address or no network; the message says so for a person."""


@dataclass(frozen=True, slots=True, order=True)
class Network:
    """A range of addresses, first to last, as numbers of the IPv6-mapped form."""

    first: int
    last: int

    def __contains__(self, address: int) -> bool:
        return self.first <= address <= self.last

    def holds(self, other: "Network") -> bool:
        return self.first <= other.first and other.last <= self.last

    def overlaps(self, other: "Network") -> bool:
        return self.first <= other.last and other.first <= self.last

    @property
    def hex_first(self) -> str:
        return f"{self.first:032x}"

    @property
    def hex_last(self) -> str:
        return f"{self.last:032x}"

    @property
    def key(self) -> str:
        """A short stable name for keys in the store."""
        return f"{self.first:x}" if self.first == self.last else f"{self.first:x}-{self.prefix}"

    @property
    def is_v4(self) -> bool:
        return self.first >= _V4 and self.last <= _V4_LAST

    @property
    def prefix(self) -> int:
        """The prefix length in the family's own terms: 0..32 or 0..128."""
        size = self.last - self.first + 1
        return (32 if self.is_v4 else 128) - (size.bit_length() - 1)

    def __str__(self) -> str:
        if self.is_v4:
            text = str(ipaddress.IPv4Address(self.first - _V4))
            return text if self.first == self.last else f"{text}/{self.prefix}"
        text = str(ipaddress.IPv6Address(self.first))
        return text if self.first == self.last else f"{text}/{self.prefix}"

    @classmethod
    def from_hex(cls, first: str, last: str) -> "Network":
        return cls(int(first, 16), int(last, 16))


def parse_address(text: str) -> int:
    """Return the address as a number; an IPv4-mapped IPv6 address is the IPv4 one, a zone is dropped."""
    bare = text.strip().partition("%")[0]
    try:
        parsed = ipaddress.ip_address(bare)
    except ValueError as error:
        raise AddressError(Said("{given!r} is not an IP address.", given=text)) from error
    return _V4 | int(parsed) if parsed.version == 4 else int(parsed)


def show_address(address: int) -> str:
    """The address as people write it."""
    if _V4 <= address <= _V4_LAST:
        return str(ipaddress.IPv4Address(address - _V4))
    return str(ipaddress.IPv6Address(address))


def origin_of(address: int) -> Network:
    """What "the same IP" means outside a site: the exact IPv4 address, the IPv6 /64."""
    if _V4 <= address <= _V4_LAST:
        return Network(address, address)
    first = address >> 64 << 64
    return Network(first, first | (1 << 64) - 1)


def wider(address: int, v4_prefix: int, v6_prefix: int) -> Network:
    """The network of that prefix length around an address."""
    bits = 32 - v4_prefix if _V4 <= address <= _V4_LAST else 128 - v6_prefix
    first = address >> bits << bits
    return Network(first, first | (1 << bits) - 1)


def parse_network(text: str) -> Network:
    """Read an address or a CIDR network; host bits are refused, since they are mostly a typing error."""
    try:
        parsed = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise AddressError(Said("{given!r} is not a network: {why}.", given=text, why=str(error))) from error
    first, last = int(parsed.network_address), int(parsed.broadcast_address)
    if parsed.version == 6 and first >= _V4 and last <= _V4_LAST:
        return Network(first, last)
    return Network(_V4 | first, _V4 | last) if parsed.version == 4 else Network(first, last)


def parse_origin(text: str) -> Network:
    """Read one origin as a person types it: an IPv4 address, an IPv6 address or /64 (both give the /64)."""
    if "/" in text:
        network = parse_network(text)
        if network != origin_of(network.first):
            raise AddressError(
                Said("{given!r} is not one origin: an IPv4 address or an IPv6 /64.", given=text)
            )
        return network
    return origin_of(parse_address(text))


def is_public(network: Network) -> bool:
    """Whether an address of the network can belong to one place of the Internet only.

    The documentation networks count as public: nobody can come from there, and every example uses them.
    """
    if any(known.holds(network) for known in _DOCUMENTATION):
        return True
    for number in (network.first, network.last):
        parsed = ipaddress.ip_address(show_address(number))
        if not parsed.is_global or parsed.is_multicast or parsed.is_reserved:
            return False
    return True


def any_holds(networks: Iterable[Network], address: int) -> bool:
    """Whether one of the networks holds the address."""
    return any(n.first <= address <= n.last for n in networks)


_DOCUMENTATION = tuple(
    parse_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
