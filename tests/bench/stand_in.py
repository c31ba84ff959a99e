"""An edge for the bench: served as `portal.asgi:edge` is, before a claim that never admits anybody."""

import gc
import os

from provisioning.edge.app import Away, build
from provisioning.edge.asking import ClaimAnswer, ClaimRequest
from provisioning.edge.config import Config
from provisioning.gate import Outcome, Verdict

DATABASE_IS_UP = os.environ.get("BENCH_DATABASE") == "up"


async def claim(request: ClaimRequest) -> ClaimAnswer:
    if not DATABASE_IS_UP:
        raise Away
    return ClaimAnswer(Verdict(Outcome.REFUSED, "R6"))


async def first_use(token_hash: str, address: int, agent: str) -> None:
    raise Away


async def want_file(token_hash: str) -> None:
    return


async def keep_upload(code: str, name: str, body: bytes, content_type: str) -> None:
    raise Away


edge = build(Config.read(), claim=claim, first_use=first_use, want_file=want_file, keep_upload=keep_upload)
gc.collect()
gc.freeze()
gc.set_threshold(20_000)
