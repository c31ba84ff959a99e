"""An edge for the bench: served as `portal.asgi:edge` is, with nobody behind it."""

import gc

from provisioning.edge.app import Away, build
from provisioning.edge.asking import ClaimAnswer, ClaimRequest
from provisioning.edge.config import Config


async def claim(request: ClaimRequest) -> ClaimAnswer:
    raise Away


async def first_use(token_hash: str, address: int, agent: str) -> None:
    raise Away


async def want_file(token_hash: str) -> None:
    return


async def keep_upload(token_hash: str, name: str, body: bytes, content_type: str) -> None:
    raise Away


edge = build(Config.read(), claim=claim, first_use=first_use, want_file=want_file, keep_upload=keep_upload)
gc.collect()
gc.freeze()
gc.set_threshold(20_000)
