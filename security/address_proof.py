"""Proof of an address (rules P and B6): what the phones' host signs and the portal verifies. Pure.

The portal gives a nonce of the session; the phones' host answers with the address the request came from and
a MAC over both and an end, so that a link sent to somebody else proves nothing.
"""

import hashlib
import hmac
import re

GOOD_FOR = 60  # seconds
_NONCE = re.compile(r"[A-Za-z0-9_-]{22,64}")


def proof_key(token_key: bytes) -> bytes:
    """Derive the key of the proofs, so that a proof tells nothing of a token's hash."""
    return hmac.digest(token_key, b"address-proof", hashlib.sha256)


def nonce_fits(nonce: str) -> bool:
    """Whether it can be a nonce of the portal."""
    return _NONCE.fullmatch(nonce) is not None


def sign(key: bytes, *, nonce: str, address: str, until: int) -> str:
    """Return the MAC over nonce, address and end."""
    return hmac.digest(key, f"{nonce}\x1f{address}\x1f{until}".encode(), hashlib.sha256).hex()


def verify(key: bytes, *, nonce: str, address: str, until: str, mac: str, now: float) -> bool:
    """Whether this address was proved for this nonce and the proof is not over."""
    if not nonce_fits(nonce) or not (until.isascii() and until.isdecimal() and len(until) <= 12):
        return False
    end = int(until)
    signed = sign(key, nonce=nonce, address=address, until=end)
    fits = hmac.compare_digest(signed.encode(), mac.encode("utf-8", "replace"))
    return fits and now < end <= now + 2 * GOOD_FOR
