"""The phones' door: the edge put together with the claim, served by uvicorn as `portal.asgi:edge`."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
# A claim does not wait long for the database: the phone is held and comes back.
os.environ.setdefault("DATABASE_WAIT", "2")

import django

django.setup()

import structlog
from celery.exceptions import OperationalError as BrokerAway
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from portal.checks import refuse_to_start
from portal.settling import settle
from provisioning import claims, files, store, tasks
from provisioning.edge.app import build
from provisioning.edge.asking import Away, ClaimAnswer, ClaimRequest
from provisioning.edge.config import Config

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

# SQLite has one writer; more threads would only wait for one another.
THREADS = 2 if connection.vendor == "sqlite" else 8
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="claim")


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run Django's part off the event loop; a database that is away is said as Away."""

    def run() -> T:
        try:
            close_old_connections()
            return work(*args, **kwargs)
        except DatabaseError as error:
            connection.close()
            log.warning("database away", error=f"{type(error).__name__}: {error}"[:200])
            raise Away from error

    return await asyncio.get_running_loop().run_in_executor(_threads, run)


async def claim(request: ClaimRequest) -> ClaimAnswer:
    answer = await _in_thread(
        claims.claim,
        claims.Request(
            mac=request.mac,
            file_name=request.file_name,
            address=request.address,
            agent=request.agent,
            certificate_mac=request.certificate_mac,
            secure=request.secure,
        ),
    )
    if answer.file is None:
        return ClaimAnswer(answer.verdict)
    return ClaimAnswer(answer.verdict, answer.file.body, answer.file.content_type)


async def first_use(token_hash: str, address: int, agent: str) -> None:
    await _in_thread(claims.first_use, token_hash, address)


async def want_file(token_hash: str) -> None:
    """Ask the workers for a file that a phone waits for."""

    def ask() -> None:
        try:
            tasks.compile_token.apply_async(args=[token_hash], queue="demand")
        except (BrokerAway, store.Away, OSError) as error:
            log.warning("a compile could not be asked for", error=type(error).__name__)

    # Not among the claims' threads: a database that is slow must not keep a file from being asked for.
    await asyncio.get_running_loop().run_in_executor(None, ask)


async def keep_upload(token_hash: str, name: str, body: bytes, content_type: str) -> None:
    await _in_thread(files.keep_upload, token_hash, name, body, content_type)


edge = build(
    Config.from_settings(settings),
    claim=claim,
    first_use=first_use,
    want_file=want_file,
    keep_upload=keep_upload,
)
refuse_to_start()
settle()
