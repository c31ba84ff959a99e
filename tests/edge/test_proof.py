"""`/.me`: a person's browser learns, signed, which address it comes from (rule P)."""

import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from security import address_proof
from tests.edge.serving import TOKEN_KEY, ServedEdge
from tests.edge.shelf import Shelf, block

KEY = address_proof.proof_key(TOKEN_KEY)
NONCE = "n0nce_of-a-session_0123"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://portal.example.org"}

pytestmark = pytest.mark.rule("P")


def proof_in(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_proof_leads_back_to_the_portal_and_verifies(edge: ServedEdge, method: str) -> None:
    form = urlencode({"nonce": NONCE})

    if method == "GET":
        reply = edge.ask(f"/.me?{form}", source="127.0.4.5")
    else:
        reply = edge.ask("/.me", method="POST", body=form.encode(), headers=FORM, source="127.0.4.5")

    assert reply.status == 303
    location = reply.headers["location"]
    assert location.startswith("https://portal.example.org/address-proof/?")
    proof = proof_in(location)
    assert (proof["nonce"], proof["address"]) == (NONCE, "127.0.4.5")
    assert address_proof.verify(KEY, **proof, now=time.time())
    assert not address_proof.verify(KEY, **{**proof, "address": "127.0.4.6"}, now=time.time())
    assert not address_proof.verify(KEY, **{**proof, "nonce": "x" * 22}, now=time.time())
    assert not address_proof.verify(KEY, **proof, now=time.time() + 61)
    assert not address_proof.verify(KEY, **{**proof, "until": "9" * 40}, now=time.time())


@pytest.mark.parametrize(
    ("case", "method", "query"),
    [
        ("no nonce", "GET", ""),
        ("a short nonce", "GET", "nonce=abc"),
        ("odd letters", "GET", "nonce=" + "%C3%A9" * 22),
        ("two nonces", "GET", f"nonce={NONCE}&nonce={NONCE}"),
        ("another method", "PUT", f"nonce={NONCE}"),
        ("a post with the nonce in the address", "POST", f"nonce={NONCE}"),
    ],
)
def test_without_a_valid_looking_nonce_it_is_refused_like_anything_else(
    edge: ServedEdge, shelf: Shelf, case: str, method: str, query: str
) -> None:
    body = None if method == "GET" else b""
    reply = edge.ask(f"/.me?{query}", method=method, body=body)

    assert reply.raw == edge.ask("/00005e0053fe.cfg").raw
    assert "bad-path" not in {kind for kind, _ in shelf.failures("127.0.0.1")}


def test_a_blocked_or_banned_address_gets_its_proof_and_nobody_more_than_ten_a_minute(
    edge: ServedEdge, shelf: Shelf
) -> None:
    shelf.ban("127.0.0.1", time.time() + 60)
    shelf.lists(1, blocked=(block("127.0.0.1", time.time() + 60),))
    assert edge.ask("/y000000000028.cfg").status == 404

    statuses = [edge.ask(f"/.me?nonce={NONCE}").status for _ in range(12)]

    assert statuses == [303] * 10 + [404] * 2
    assert edge.ask(f"/.me?nonce={NONCE}", source="127.0.0.2").status == 303
