"""MAC addresses: parsed at the door, twelve lower-case hexadecimal digits everywhere else. Pure."""

import re

from accounts.said import Said

_SEPARATORS = re.compile(r"[\s:.\-]")
_HEX = re.compile(r"[0-9a-f]*")
_DIGITS = 12


def parse_mac(text: str) -> str:
    """Return the twelve lower-case digits, however the address was spelled; ValueError says what is wrong."""
    bare = _SEPARATORS.sub("", text).lower()
    if not bare:
        raise ValueError(Said("A MAC address is twelve hexadecimal digits; nothing was given."))
    if not _HEX.fullmatch(bare):
        odd = next(character for character in bare if character not in "0123456789abcdef")
        raise ValueError(Said("A MAC address is twelve hexadecimal digits; {odd!r} is none.", odd=odd))
    if len(bare) != _DIGITS:
        raise ValueError(
            Said("A MAC address is twelve hexadecimal digits; this has {count}.", count=len(bare))
        )
    if bare == "0" * _DIGITS:
        raise ValueError(Said("A MAC address of twelve zeros belongs to no phone."))
    return bare


def pretty(mac: str) -> str:
    """Return the address as it stands on the label of the phone: 00:00:5E:00:53:1A."""
    return ":".join(mac[at : at + 2] for at in range(0, len(mac), 2)).upper()
