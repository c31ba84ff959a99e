"""What the edge has to know, from the environment or handed in by portal/asgi.py.

Besides portal/settings.py the only file that reads the environment; the names are the same.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from accounts.sealing import Keyring
from security.address_proof import proof_key
from security.networks import Network, parse_network


class ConfigError(ValueError):
    """A setting is missing or cannot be read; the message names it."""


class Settings(Protocol):
    """The values of portal/settings.py that the edge shares."""

    SECRET_KEYRING: str
    TOKEN_KEY: bytes
    REDIS_URL: str
    PHONES_URL: str
    PORTAL_URL: str
    TRUSTED_PROXIES: Sequence[str]


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one edge."""

    keyring: Keyring
    token_key: bytes = field(repr=False)
    redis_url: str = field(repr=False)
    phones_url: str
    portal_url: str
    trusted: tuple[Network, ...] = ()
    most_in_flight: int = 4000  # beyond it requests are held without a look-up
    store_wait: float = 1.0  # a store that is slower than this is away
    file_wait: float = 3.0  # for a missing file that is being compiled

    @property
    def proof_key(self) -> bytes:
        return proof_key(self.token_key)

    @classmethod
    def make(
        cls,
        *,
        secret_keys: str,
        token_key: bytes,
        redis_url: str,
        phones_url: str,
        portal_url: str,
        trusted_proxies: Iterable[str] = (),
    ) -> Self:
        """Build it from the values of portal/settings.py; ConfigError names what is missing."""
        values = {
            "LATCHKEY_SECRET_KEYS": secret_keys,
            "LATCHKEY_TOKEN_KEY": token_key,
            "REDIS_URL": redis_url,
            "PHONES_URL": phones_url,
            "PORTAL_URL": portal_url,
        }
        for name, value in values.items():
            if not value:
                raise ConfigError(f"{name} is not set.")
        try:
            keyring = Keyring.parse(secret_keys)
            trusted = tuple(parse_network(text) for text in trusted_proxies if text.strip())
        except ValueError as error:
            raise ConfigError(f"LATCHKEY_SECRET_KEYS or TRUSTED_PROXIES cannot be read: {error}") from error
        return cls(
            keyring=keyring,
            token_key=token_key,
            redis_url=redis_url,
            phones_url=phones_url.rstrip("/"),
            portal_url=portal_url.rstrip("/"),
            trusted=trusted,
        )

    @classmethod
    def from_settings(cls, settings: "Settings") -> Self:
        """Build it from Django's settings, which portal/asgi.py hands in."""
        return cls.make(
            secret_keys=settings.SECRET_KEYRING,
            token_key=settings.TOKEN_KEY,
            redis_url=settings.REDIS_URL,
            phones_url=settings.PHONES_URL,
            portal_url=settings.PORTAL_URL,
            trusted_proxies=settings.TRUSTED_PROXIES,
        )

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Build it from the environment; a secret may stand in the file that NAME_FILE names."""

        def secret(name: str) -> str:
            path = environment.get(f"{name}_FILE")
            return Path(path).read_text(encoding="utf-8").strip() if path else environment.get(name, "")

        return cls.make(
            secret_keys=secret("LATCHKEY_SECRET_KEYS"),
            token_key=secret("LATCHKEY_TOKEN_KEY").encode(),
            redis_url=secret("REDIS_URL"),
            phones_url=environment.get("PHONES_URL", ""),
            portal_url=environment.get("PORTAL_URL", ""),
            trusted_proxies=environment.get("TRUSTED_PROXIES", "").split(","),
        )
