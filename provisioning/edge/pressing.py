"""Bans earned here: each failure is added, the address judged, and banned within milliseconds (B1, B3, B8).

Nothing of it waits for a worker or the database, and no answer waits for it. Proofs end a ban that today's
threshold would not give; they are written where something failed within the hour, and only remembered
elsewhere until then.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable
from functools import partial
from typing import Any

from provisioning import pressed, wire
from provisioning.edge.connection import StoreAway
from provisioning.edge.limits import SeenFailures
from provisioning.edge.reading import Where
from provisioning.edge.store import Store
from provisioning.edge.tables import Tables
from provisioning.gate import KeyKind
from provisioning.pressed import Earned, Place
from security import pressure
from security.networks import Network
from security.pressure import Facts, Outcome, Width

log = logging.getLogger(__name__)

AGAIN = 0.02  # seconds between two judgements of a place that say nothing
REMEMBERED = 120.0  # seconds for which a proof is remembered: far longer than the drain is ever behind
MOST_REMEMBERED = 200_000
TOLD = 3600.0  # seconds after which a proof is written again


class Pressing:
    """The failures and proofs that this edge has seen, and what follows from them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._of: bytes | None = None  # the rebuild that the store held when this was learnt
        self._seen = SeenFailures()
        self._unknown: OrderedDict[tuple[Network, int], int] = OrderedDict()
        self._recent = _Recent()
        self._told: dict[bytes, dict[str, float]] = {}
        self._judging: dict[bytes, bool] = {}  # places; True: something came meanwhile
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = 0  # commands whose reply is due

    # --- failures -------------------------------------------------------------------------------------

    def failed(self, kind: KeyKind, label: str, account: str, where: Where, now: float) -> bool:
        """Count a failure at its address; False when it is to leave no trace but a number (B8)."""
        self._forget_if_rebuilt()
        member = pressed.pack_failure(kind, label, account)
        allowed = self._store.tables.allowed_at(where.address, now)
        counts = allowed is not None and kind is KeyKind.UNKNOWN_MAC
        if counts and not self._seen.knows(where.key, kind, member, now):
            assert allowed is not None
            before = self._unknown.get((allowed, int(now // pressed.KEPT)), 0)
            if not pressure.leaves_trace(kind, allowed=True, unknown_macs=before):
                return False
        new = [place for place in where.places if self._seen.is_new(place.standing, kind, member, now)]
        for place in new:
            self._tell(pressed.add_command(place, member, now), partial(self._added, place, kind, member))
        if counts and where.places[0] in new:
            assert allowed is not None
            self._count_unknown(allowed, now)
        return True

    def _added(self, place: Place, kind: KeyKind, member: bytes, reply: Any) -> None:
        if isinstance(reply, Exception):
            self._seen.forget(place.standing, kind, member)
            return
        keys, proved, standing = reply
        now = time.time()
        self._write_recent(place, now)
        if now < pressed.unpack_standing(standing):
            return
        known = self._facts(place, proved, now)
        if keys >= pressure.threshold(known).value and not pressure.is_spared(known):
            self._judge_soon(place)

    def _count_unknown(self, allowed: Network, now: float) -> None:
        hour = int(now // pressed.KEPT)
        self._unknown[allowed, hour] = self._unknown.get((allowed, hour), 0) + 1
        while len(self._unknown) > 1000:
            self._unknown.popitem(last=False)

        def take(reply: Any) -> None:
            if isinstance(reply, int):  # what all edges have counted
                self._unknown[allowed, hour] = max(reply, self._unknown.get((allowed, hour), 0))

        key = pressed.unknown_key(allowed, now)
        self._tell((b"INCR", key), take)
        self._tell((b"EXPIRE", key, 2 * pressed.KEPT), _ignore)

    # --- judging --------------------------------------------------------------------------------------

    def _judge_soon(self, place: Place) -> None:
        if place.standing in self._judging:
            self._judging[place.standing] = True
            return
        self._judging[place.standing] = False
        self._start(self._judge_until_quiet(place))

    async def _judge_until_quiet(self, place: Place) -> None:
        try:
            while True:
                self._judging[place.standing] = False
                said = await self._judge(place)
                if said or not self._judging[place.standing]:
                    return
                await asyncio.sleep(AGAIN)
        finally:
            del self._judging[place.standing]

    async def _judge(self, place: Place) -> bool:
        """Ask for a judgement of everything the store holds; True when it was a ban or an alert."""
        held, spent, earlier, standing, proved = await self._store.ask(
            (b"ZRANGE", place.failures, 0, -1, b"WITHSCORES"),
            (b"ZRANGE", place.spent, 0, -1, b"WITHSCORES"),
            (b"ZRANGE", place.earlier, 0, -1),
            (b"GET", place.standing),
            (b"HLEN", place.proved),
        )
        keys = pressed.held_keys(held)
        crowds = await self._crowds(place) if pressed.may_be_crowded(keys) else {}
        now, tables = time.time(), self._store.tables
        facts = pressed.facts(
            place,
            proved=proved,
            by_account=crowds,
            window_devices=tables.window_devices(place.network, now),
            allowed=tables.is_allowed(place.network, now),
            earlier=earlier,
            spent=pressed.held_names(spent),
            banned_until=pressed.unpack_standing(standing),
        )
        judgement = pressure.judge(keys, facts, now)
        if judgement.outcome is Outcome.NOTHING:
            return False
        earned = pressed.earned(judgement, place.network, now)
        await self._store.ask(pressed.earn_command(place, earned, wire.NOTES))
        return True

    async def _crowds(self, place: Place) -> dict[str, int]:
        (paths,) = await self._store.ask((b"HVALS", place.proved))
        return pressed.crowds(paths)

    def _facts(self, place: Place, proved: int, now: float) -> Facts:
        tables = self._store.tables
        return pressed.facts(
            place,
            proved=proved,
            by_account={},
            window_devices=tables.window_devices(place.network, now),
            allowed=tables.is_allowed(place.network, now),
        )

    # --- proofs ---------------------------------------------------------------------------------------

    def proved(self, where: Where, mac: str, standing: bytes | None, now: float) -> None:
        """A device fetched its full file from there by its current token; `standing` is the address's."""
        if standing is None:
            self._recent.add(where.key, mac, now)
            return
        self._forget_if_rebuilt()
        for place in where.places:
            self._prove(place, (mac, *self._recent.take(where.key)), now)

    def look(self, where: Where, tables: Tables, now: float) -> None:
        """Something failed there within the hour: what was proved there shortly before must be known."""
        for place in where.places:
            self._write_recent(place, now)

    def _write_recent(self, place: Place, now: float) -> None:
        # Of a wider network the drain writes what was proved in it.
        if place.width is Width.ORIGIN and (macs := self._recent.take(place.standing)):
            self._prove(place, macs, now)

    def _prove(self, place: Place, macs: Iterable[str], now: float) -> None:
        told = self._told.setdefault(place.standing, {})
        new = [mac for mac in macs if now - told.get(mac, 0.0) >= TOLD]
        if not new:
            return
        if len(self._told) > 2000 or len(told) > 20_000:  # told again, that is all
            self._told = {place.standing: told} if len(told) <= 20_000 else {}
        told.update(dict.fromkeys(new, now))
        self._tell(pressed.prove_command(place, new, now), partial(self._proved, place, new))

    def _proved(self, place: Place, macs: list[str], reply: Any) -> None:
        if isinstance(reply, Exception):
            told = self._told.get(place.standing, {})
            for mac in macs:
                told.pop(mac, None)
            return
        proved, _, blob = reply
        if not blob:
            return
        try:
            ban = pressed.unpack_earned(blob)
        except wire.WireError:
            log.exception("a ban in the store cannot be read")
            return
        now = time.time()
        known = self._facts(place, proved, now)
        # Whose devices they are can only end it sooner.
        if not pressure.stands(ban.ban, known, now):
            self._tell(pressed.end_command(place, ban, wire.NOTES, now=now), _ignore)
        elif pressed.may_be_crowded(ban.keys):
            self._start(self._stands_still(place, ban, known))

    async def _stands_still(self, place: Place, ban: Earned, known: Facts) -> None:
        crowds = await self._crowds(place)
        facts = pressed.facts(
            place,
            proved=known.proved,
            by_account=crowds,
            window_devices=known.window_devices,
            allowed=known.allowed,
        )
        now = time.time()
        if not pressure.stands(ban.ban, facts, now):
            self._tell(pressed.end_command(place, ban, wire.NOTES, now=now), _ignore)

    # --- inside ---------------------------------------------------------------------------------------

    def _forget_if_rebuilt(self) -> None:
        """Filled anew, the store holds what the rows know, and perhaps not what was learnt here."""
        if self._of != self._store.marker:
            self._of = self._store.marker
            self._seen.forget_all()
            self._told.clear()
            self._unknown.clear()

    def _tell(self, command: tuple[Any, ...], take: Any) -> None:
        self._open += 1

        def taken(reply: Any) -> None:
            self._open -= 1
            take(reply)

        self._store.tell(command, taken)

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, StoreAway):
            log.warning("an address was not judged, the store is away: %s", error)
        else:
            log.error("an address could not be judged", exc_info=error)

    @property
    def is_busy(self) -> bool:
        """Whether something that was counted is not judged yet."""
        return bool(self._open or self._tasks)


class _Recent:
    """Which devices were proved at which address in the last minutes, in two halves that take turns."""

    def __init__(self) -> None:
        self._young: dict[bytes, set[str]] = {}
        self._old: dict[bytes, set[str]] = {}
        self._since = 0.0
        self._count = 0

    def add(self, address: bytes, mac: str, now: float) -> None:
        if now - self._since >= REMEMBERED or self._count >= MOST_REMEMBERED:
            self._old, self._young, self._since, self._count = self._young, {}, now, 0
        self._count += 1
        known = self._young.get(address)
        if known is None:
            self._young[address] = {mac}
        else:
            known.add(mac)

    def take(self, address: bytes) -> set[str]:
        """Those of this address, which are forgotten with that."""
        return self._young.pop(address, set()) | self._old.pop(address, set())


def _ignore(reply: Any) -> None:
    """What is lost here comes again with the next request of its kind."""
