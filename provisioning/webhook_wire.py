"""What goes over the wire to other people's programs, by Standard Webhooks, and when it goes again. Pure."""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

PREFIX = "whsec_"
SECRET_BYTES = 32
USER_AGENT = "Latchkey-Webhooks/1"

#: How long after the first failure, the second and so on it is tried again; later ones as the last.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 60, 300, 1800, 7200, 18_000, 36_000, 50_400))
LONGEST_WHILE_DOWN = timedelta(hours=1)
JITTER = 0.1
GIVEN_UP_AFTER = timedelta(hours=72)
LONGEST_ASKED = timedelta(hours=1)  # that an endpoint may ask us to stay away
FAILURES_TO_REST = 5
SHORTEST_REST, LONGEST_REST = timedelta(seconds=10), timedelta(minutes=10)


def body(kind: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """The event as it is sent: the same bytes with every try, to every endpoint."""
    stamp = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    event = {"type": kind, "timestamp": stamp, "data": data}
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def message_id(code: UUID) -> str:
    """By which a receiver knows an event that it has had already."""
    return f"msg_{code.hex}"


# --- what signs --------------------------------------------------------------------------------------------


def draw_secret() -> str:
    """A new secret as both sides write it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message: str, timestamp: int, content: bytes) -> str:
    """One signature of the header. Raises ValueError for a text that is no secret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("not a secret") from error
    signed = f"{message}.{timestamp}.".encode() + content
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers(code: UUID, content: bytes, *, keys: Iterable[str], now: datetime) -> dict[str, str]:
    """What is sent with the event; while a secret is being changed both sign."""
    message, timestamp = message_id(code), int(now.timestamp())
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, message, timestamp, content) for key in keys),
    }


def shown(sent: Mapping[str, str]) -> dict[str, str]:
    """The headers as the log keeps them: of a signature what is enough to compare it."""
    signed = " ".join(one[:11] + "…" for one in sent["webhook-signature"].split())
    return {**sent, "webhook-signature": signed}


# --- when it goes again ------------------------------------------------------------------------------------


def pause(failed: int, *, is_resting: bool, luck: float) -> timedelta:
    """How long to wait after that many failed tries; `luck` from 0 to 1 spreads what failed together.

    While all of an endpoint is down nothing waits for longer than an hour, so that soon after it is back
    somebody notices; as long as it rests only one delivery at a time asks anyway.
    """
    usual = PAUSES[min(failed, len(PAUSES)) - 1]
    if is_resting:
        usual = min(usual, LONGEST_WHILE_DOWN)
    return usual * (1 + JITTER * (2 * luck - 1))


def asked_pause(status: int, retry_after: str, now: datetime) -> timedelta:
    """How long one that is too busy asks us to stay away, in seconds or until a date; an hour at most."""
    if status not in (429, 503) or not retry_after:
        return timedelta()
    try:
        asked = (
            timedelta(seconds=min(int(retry_after), int(LONGEST_ASKED.total_seconds())))
            if retry_after.isdecimal()
            else parsedate_to_datetime(retry_after).astimezone(UTC) - now
        )
    except (ValueError, OverflowError):
        return timedelta()
    return min(max(asked, timedelta()), LONGEST_ASKED)


def is_given_up(created_at: datetime, now: datetime) -> bool:
    """Whether a try that fails now was the last one."""
    return now - created_at >= GIVEN_UP_AFTER


def is_down(status: int) -> bool:
    """Whether an answer (0: none) says that the endpoint is out of order, and not only this event."""
    return status == 0 or status >= 500


def rest(failures: int) -> timedelta:
    """How long an endpoint is left alone after that many failures in a row; not at all after a few."""
    beyond = failures - FAILURES_TO_REST
    return min(SHORTEST_REST * 2 ** min(beyond, 10), LONGEST_REST) if beyond >= 0 else timedelta()
