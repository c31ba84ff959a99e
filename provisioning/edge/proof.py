"""`/.me`: tells a signed-in person's browser, signed, which address it comes from (rules P and B6)."""

import time
from urllib.parse import parse_qs, urlencode

from provisioning.edge import answers
from provisioning.edge.answers import Answer
from provisioning.edge.config import Config
from provisioning.edge.limits import Recent
from provisioning.edge.reading import Call
from provisioning.gate import Asked, Caller, Method, Outcome, RootFacts, decide_root
from security.address_proof import GOOD_FOR, nonce_fits, sign
from security.networks import show_address

PATH = b"/.me"
LONGEST_FORM = 4096


class ProofPath:
    """Answers to `/.me`, before all other rules and without a look-up."""

    def __init__(self, config: Config) -> None:
        self._key = config.proof_key
        self._portal = config.portal_url
        self._recent: Recent[bytes] = Recent(60.0)

    async def answer(self, call: Call) -> Answer:
        """Send the caller back to the portal's own fixed address with the proof, or refuse."""
        now, where = time.time(), call.where
        nonce = await self._nonce(call)
        facts = RootFacts(
            now=now,
            method=call.method,
            asked=Asked.PROOF,
            caller=Caller(
                address=where.address if where else None,
                proofs=self._recent.count(where.key, now) if where else 0,
            ),
            nonce_fits=nonce_fits(nonce),
        )
        if decide_root(facts).outcome is not Outcome.PROOF or where is None:
            return answers.REFUSED
        self._recent.add(where.key, now)
        address, until = show_address(where.address), int(now) + GOOD_FOR
        proof = {
            "nonce": nonce,
            "address": address,
            "until": until,
            "mac": sign(self._key, nonce=nonce, address=address, until=until),
        }
        return answers.see_other(f"{self._portal}/address-proof/?{urlencode(proof)}")

    async def _nonce(self, call: Call) -> str:
        scope = call.scope or {}
        if call.method is Method.GET:
            form: bytes | None = scope.get("query_string", b"")
        elif scope.get("method") == "POST":
            form = await call.body(LONGEST_FORM)
        else:
            return ""
        try:
            values = parse_qs((form or b"").decode("ascii"), max_num_fields=10).get("nonce", [])
        except ValueError:
            return ""
        return values[0] if len(values) == 1 else ""
