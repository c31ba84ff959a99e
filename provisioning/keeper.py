"""Keeps the store true: watches its marker, rebuilds it, drains notes, sweeps the outbox. Sends webhooks."""

import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from django.utils import timezone

from provisioning import books, draining, earned, facts, publishing, stalled, store, webhook_sending, wire
from provisioning.gate import TokenKind
from provisioning.models import Lock, Stamp, Token

log = structlog.get_logger(__name__)

WATCH_EVERY = 2.0
DRAIN_PAUSE = 0.25
SEND_PAUSE = 0.5
REBUILDING = b"rebuilding"
REBUILD_TIME = 60  # seconds that one rebuilder's claim on the work lasts unless it goes on
CHUNK = 500


def start() -> threading.Event:
    """Start the threads; set the event to end them."""
    over = threading.Event()
    steps: dict[str, tuple[Callable[[], bool], float]] = {
        "watch": (watch, WATCH_EVERY),
        "drain": (drain, DRAIN_PAUSE),
        "send": (partial(send, over), SEND_PAUSE),
    }
    for name, (step, pause) in steps.items():
        thread = threading.Thread(
            target=_loop, args=(over, name, step, pause), name=f"keeper-{name}", daemon=True
        )
        thread.start()
    return over


def watch() -> bool:
    """Rebuild the store when it is not complete, then sweep the outbox; False: come again after the pause."""
    now = timezone.now()
    if not is_complete():
        rebuild(now)
    publishing.sweep(now)
    books.sweep(now)
    stamp("watch", now)
    stalled.look_from_keeper(now)
    return False


def drain() -> bool:
    """Drain one batch; True when there is more to read at once."""
    now = timezone.now()
    read = draining.drain(now)
    stamp_rarely("drain", now)
    return read >= draining.BATCH


def send(over: threading.Event) -> bool:
    """Send the webhooks that are due; while there are any it goes on, and stops with the others."""

    def goes_on() -> bool:
        stamp_rarely("send", timezone.now())
        return not over.is_set()

    if goes_on():
        webhook_sending.send_due(goes_on=goes_on)
    return False


def is_complete() -> bool:
    """Whether the store holds everything it should, by its marker. Raises store.Away."""
    return wire.is_complete(store.read(wire.COMPLETE), store.run_id())


def rebuild(now: datetime) -> bool:
    """Fill an empty or doubtful store: lists, locks and tokens, then the marker, then files.

    One worker at a time; False when another one is at it. Raises store.Away.
    """
    client, name = store.client(), secrets.token_hex(8)
    if not client.set(REBUILDING, name, nx=True, ex=REBUILD_TIME):
        return False
    began, run_id = time.monotonic(), store.run_id()
    try:
        client.delete(wire.COMPLETE)
        publishing.publish_lists(now=now)
        earned.publish_all(now)
        devices = list(Lock.objects.order_by("pk").values_list("pk", flat=True))
        for start in range(0, len(devices), CHUNK):
            publishing.publish_devices(devices[start : start + CHUNK], now=now, all_tokens=True)
            client.expire(REBUILDING, REBUILD_TIME)
        _publish_orphans()
        client.set(wire.COMPLETE, wire.pack_complete(int(now.timestamp()), run_id))
        # Those that live have files; the phones that ask before it is their turn go ahead on their own queue.
        kinds = (TokenKind.CURRENT.value, TokenKind.FORMER.value)
        living = Token.objects.filter(kind__in=kinds, device__isnull=False).values_list(
            "device_id", flat=True
        )
        publishing.compile_later(sorted(set(living)))
    finally:
        if store.read(REBUILDING) == name.encode():
            client.delete(REBUILDING)
    log.info("store rebuilt", devices=len(devices), seconds=round(time.monotonic() - began, 2))
    return True


def _publish_orphans() -> None:
    """Dead tokens that are on no device any more (T4)."""
    rows = Token.objects.filter(kind=TokenKind.DEAD.value, device=None).order_by("pk")
    batch = store.Batch()
    for number, token in enumerate(rows.iterator(chunk_size=2000), start=1):
        batch.newer(wire.token_key(token.hash), 1, wire.pack_token(facts.token_record(token, revision=1)))
        if number % 2000 == 0:
            batch.write()
            batch = store.Batch()
    batch.write()


def stamp(name: str, now: datetime) -> None:
    """A periodic job finished: the oldest stamp is what the pages watch."""
    Stamp.objects.update_or_create(name=name, defaults={"at": now})


_last_stamps: dict[str, float] = {}


def stamp_rarely(name: str, now: datetime) -> None:
    """As `stamp`, at most every ten seconds."""
    if now.timestamp() - _last_stamps.get(name, 0.0) >= 10:
        _last_stamps[name] = now.timestamp()
        stamp(name, now)


def _loop(over: threading.Event, name: str, step: Callable[[], bool], pause: float) -> None:
    """Run a step again and again; what is away comes back, so only say it once."""
    away = False
    while not over.is_set():
        try:
            close_old_connections()
            more = step()
            away = False
        except (store.Away, DatabaseError, OSError) as error:
            if not away:
                log.warning("keeper waits", step=name, error=f"{type(error).__name__}: {error}"[:200])
            away, more = True, False
            connection.close()
        except Exception:
            log.exception("keeper step failed", step=name)
            more = False
            connection.close()
        if not more:
            over.wait(pause if not away else max(pause, 1.0))
    connection.close()
