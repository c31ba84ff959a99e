"""Secrets at rest: AES-GCM with key ids, bound to what they are about. Pure."""

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class SealError(ValueError):
    """A sealed value cannot be opened: unknown key id, another row's value, or damage."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """AES-GCM keys by id (one byte length + id before each sealed value); the first seals, all open."""

    first: str
    keys: dict[str, AESGCM]

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """Read `id:base64,id2:base64`, 32 bytes each; ValueError names the part that is wrong."""
        keys: dict[str, AESGCM] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, colon, encoded = part.partition(":")
            if not colon or not name or len(name) > 32:
                raise ValueError("each key is written id:base64")
            try:
                raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            except ValueError as error:
                raise ValueError(f"key {name} is not base64") from error
            if len(raw) != 32:
                raise ValueError(f"key {name} has {len(raw)} bytes, not 32")
            keys[name] = AESGCM(raw)
        if not keys:
            raise ValueError("no key")
        return cls(first=next(iter(keys)), keys=keys)

    def seal(self, plain: bytes, about: bytes) -> bytes:
        """Encrypt with the first key; `about` (the row) must be given again to open."""
        nonce = os.urandom(_NONCE)
        name = self.first.encode()
        return bytes([len(name)]) + name + nonce + self.keys[self.first].encrypt(nonce, plain, about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """Decrypt; SealError when the key is not in the ring or the value belongs to something else."""
        sealed = bytes(sealed)
        if not sealed:
            raise SealError("nothing is sealed here")
        length = sealed[0]
        name = sealed[1 : 1 + length].decode(errors="replace")
        key = self.keys.get(name)
        if key is None:
            raise SealError(f"the key {name!r} is not in the ring")
        rest = sealed[1 + length :]
        try:
            return key.decrypt(rest[:_NONCE], rest[_NONCE:], about)
        except InvalidTag as error:
            raise SealError("the sealed value does not belong here") from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether the value was sealed with the key that seals now."""
        sealed = bytes(sealed)
        return bool(sealed) and sealed[1 : 1 + sealed[0]] == self.first.encode()


def new_key(name: str) -> str:
    """One fresh key in the form that Keyring.parse reads."""
    return f"{name}:{base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip('=')}"


def join(parts: Iterable[str]) -> bytes:
    """The associated data of a row: its parts with a separator that none of them holds."""
    return "\x1f".join(parts).encode()
