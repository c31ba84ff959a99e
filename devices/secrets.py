"""SIP secrets and phones' passwords: sealed at rest, each bound to its kind and its row."""

import secrets
import string
from enum import StrEnum
from functools import cache
from uuid import UUID

from django.conf import settings

from accounts import sealing

LETTERS = string.ascii_letters + string.digits
PASSWORD_LENGTH = 16
SIP_SECRET_LENGTH = 24


class Kind(StrEnum):
    """What a sealed text is; one kind cannot be put in another's place."""

    SIP_SECRET = "sip-secret"  # noqa: S105
    ADMIN_PASSWORD = "admin-password"  # noqa: S105
    USER_PASSWORD = "user-password"  # noqa: S105
    WEBHOOK_SECRET = "webhook-secret"  # noqa: S105


@cache
def _ring(text: str) -> sealing.Keyring:
    return sealing.Keyring.parse(text)


def keyring() -> sealing.Keyring:
    """The keys of this installation; the first one seals."""
    return _ring(settings.SECRET_KEYRING)


def about(kind: Kind, code: UUID) -> bytes:
    """What a sealed text is bound to."""
    return sealing.join((kind.value, str(code)))


def seal(kind: Kind, code: UUID, text: str) -> bytes:
    """Seal a secret for the row with this code."""
    return keyring().seal(text.encode(), about(kind, code))


def open_text(kind: Kind, code: UUID, sealed: bytes | memoryview) -> str:
    """Open it again; nothing sealed is no secret. Raises sealing.SealError."""
    return keyring().open(bytes(sealed), about(kind, code)).decode() if sealed else ""


def draw_password() -> str:
    """A random password that every family can carry: letters and digits, 95 bits."""
    return _draw(PASSWORD_LENGTH)


def draw_sip_secret() -> str:
    """A random SIP secret that every family can carry: letters and digits, 142 bits."""
    return _draw(SIP_SECRET_LENGTH)


def _draw(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))
