"""Wraps a file's text for phones whose first file is no plain text. Pure."""

from collections.abc import Callable

from accounts.said import Said
from provisioning.carrying import CompileError

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:=\n")
_END_OF_HEAD = b"\r\n\r\n"


def summed(text: bytes, mac: str) -> bytes:
    """Return the lines `key=value` as one string behind a head with its length, a checksum and the MAC.

    All words of two bytes, the checksum's included, add up to nought. Whether phones decode escapes in it is
    not settled, so only characters that mean themselves either way are let in.
    """
    if strange := set(text) - _SAFE:
        raise CompileError(
            "value",
            Said("the character {character} cannot stand in this file", character=f"U+{min(strange):04X}"),
        )
    body = b"&".join(line for line in text.split(b"\n") if line)
    body += b"\0" * (len(body) % 2)
    words = (16 + len(body)) // 2
    head = words.to_bytes(4, "big") + b"\0\0" + bytes.fromhex(mac) + _END_OF_HEAD
    total = sum(int.from_bytes(pair, "big") for pair in _pairs(head + body))
    return head[:4] + (-total % 0x10000).to_bytes(2, "big") + head[6:] + body


def _pairs(data: bytes) -> list[bytes]:
    return [data[at : at + 2] for at in range(0, len(data), 2)]


ENVELOPES: dict[str, Callable[[bytes, str], bytes]] = {"summed": summed}
