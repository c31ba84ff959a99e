"""What the edge asks of the rest of the product: a claim, a first use, a missing file, an upload.

portal/asgi.py hands in four callables of these shapes; the edge itself imports no Django.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from provisioning.gate import Verdict


class Away(Exception):
    """The database cannot be reached; nothing was changed."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A GET of a claiming file that the lock summary would admit."""

    mac: str
    file_name: str  # as the phone spelled it, without leading folders
    address: int
    agent: str
    certificate_mac: str | None  # of a verified factory certificate
    secure: bool  # asked over HTTPS
    at: float  # the edge's clock; the claim's own is the database's


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """What the claim decided anew and, when that is BOOTSTRAP, committed; the body is empty otherwise."""

    verdict: Verdict
    body: bytes = b""
    content_type: str = "application/octet-stream"


Claim: TypeAlias = Callable[[ClaimRequest], Awaitable[ClaimAnswer]]
FirstUse: TypeAlias = Callable[[str, int, str], Awaitable[None]]  # token hash, address, agent
WantFile: TypeAlias = Callable[[str], Awaitable[None]]  # token hash
# the device's code, the file's name, its body, its content type
KeepUpload: TypeAlias = Callable[[str, str, bytes, str], Awaitable[None]]
