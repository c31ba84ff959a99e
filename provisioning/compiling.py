"""Turns a phone's settings into the bytes of its files: same settings, same bytes. Pure.

Three kinds of file: the full one below the private URL, the bootstrap at the root, the common one that knows no device.
"""

from dataclasses import dataclass

from devices.phone import PhoneSettings


class CompileError(Exception):
    """The settings cannot be put into this phone's file; `field` says which one stands in the way."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """A file as the phone gets it."""

    name: str
    content_type: str
    body: bytes


def compile_full(phone: PhoneSettings, private_url: str) -> dict[str, CompiledFile]:
    """Return every file with content that this phone may fetch below its private URL, by name (lower-case MAC)."""
    raise NotImplementedError


def compile_bootstrap(
    family: str,
    model: str,
    mac: str,
    file_name: str,
    entry_url: str,
    root_url: str,
    phone: PhoneSettings | None = None,
) -> CompiledFile:
    """Return the root's answer under one claiming name; only a `single_step` model's needs the phone's settings."""
    raise NotImplementedError


def compile_common(family: str, file_name: str, root_url: str) -> CompiledFile:
    """Return a file that knows no device: no account, no provisioning address, nothing that resets what is absent."""
    raise NotImplementedError
