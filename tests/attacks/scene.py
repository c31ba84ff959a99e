"""The whole product in one process under a clock that is moved: rows, store, edge, drain, beat.

Everybody asks the real edge; the notes become rows a moment later, as they do in operation.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
import time_machine
from django.utils import timezone

from accounts.models import Account
from devices.models import Device
from provisioning import draining, keeper, publishing, tasks
from provisioning.gate import Outcome, State
from provisioning.models import DeviceEvent, FailureKey, Lock
from security.models import Ban
from security.networks import Network, origin_of, parse_address
from tests.conftest import NOON
from tests.provisioning.inside_edge import Headers, InsideEdge, Judges, Reply, committed
from tests.provisioning.making import colons, make_phone
from tests.tree import Tree, plant

SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0
COMMON = "/y000000000028.cfg"  # a common file: refused to whoever is banned, and nothing else tells him
HANDOVER = re.compile(rb"/d/([a-z0-9]{40})")


def agent_of(mac: str) -> str:
    """What the real phone of that MAC says of itself."""
    return f"Yealink SIP-T46S 66.85.0.5 {colons(mac)}"


@dataclass
class Handset:
    """A real phone with what it remembers."""

    mac: str
    address: str
    folder: str = ""  # below its private URL; nothing after a factory reset

    @property
    def root(self) -> str:
        return f"/{self.mac}.boot"


@dataclass
class Scene:
    """The product and the hand on its clock."""

    judges: Judges
    store: "redis.Redis"
    clock: time_machine.Traveller
    tree: Tree = field(default_factory=plant)
    drained_every: float = SECOND
    beat_every: float = MINUTE
    _asked: bool = False
    _drained: float = 0.0
    _beaten: float = 0.0

    def __post_init__(self) -> None:
        self.clock.move_to(NOON)
        self.store.flushdb()
        self.edge = InsideEdge(self.judges)
        self._drained = self._beaten = self.now
        with committed():
            keeper.rebuild(timezone.now())
            draining.drain(timezone.now())  # the first look takes note of an empty stream

    def close(self) -> None:
        self.edge.close()

    # --- time ----------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return timezone.now().timestamp()

    def at(self, moment: float) -> None:
        """Let it be that moment, with what the product does by itself on the way there."""
        while (now := self.now) < moment:
            drain_at = self._drained + self.drained_every if self._asked else moment
            beat_at = self._beaten + self.beat_every
            ahead = max(now, min(moment, drain_at, beat_at))
            self.clock.move_to(datetime.fromtimestamp(ahead, UTC) + timedelta(microseconds=1))
            if self._asked and ahead >= drain_at:
                self.drain()
            if ahead >= beat_at:
                self.beat()

    def passes(self, seconds: float) -> None:
        self.at(self.now + seconds)

    def sleeps(self, seconds: float) -> None:
        """As `passes` where nothing but one look at the end matters."""
        self.drain()
        self.clock.shift(timedelta(seconds=seconds))
        self.beat()

    def drain(self) -> None:
        """Make rows of all notes."""
        with committed():
            while draining.drain(timezone.now()) >= draining.BATCH:
                pass
        self._asked, self._drained = False, self.now

    def beat(self) -> None:
        """What comes every minute."""
        with committed():
            tasks.end_what_is_over()
            tasks.refresh_lists()
        self._beaten = self.now

    # --- asking --------------------------------------------------------------------------------------------

    def ask(
        self,
        path: str,
        address: "str | int",
        agent: str,
        *,
        method: str = "GET",
        body: bytes = b"",
        headers: Headers = (),
    ) -> Reply:
        """One request and its answer."""
        if not self._asked:
            self._asked, self._drained = True, max(self._drained, self.now - self.drained_every / 2)
        where = parse_address(address) if isinstance(address, str) else address
        return self.edge.ask(path, address=where, agent=agent, method=method, body=body, headers=headers)

    def tries(self, mac: str, address: "str | int") -> Reply:
        """Somebody asks for that MAC's file as its phone would."""
        return self.ask(f"/{mac}.cfg", address, agent_of(mac))

    def boots(self, phone: Handset) -> Reply:
        """The phone starts: where its last file said, or at the root; what it is handed it follows."""
        path = phone.folder + f"{phone.mac}.cfg" if phone.folder else phone.root
        reply = self.ask(path, phone.address, agent_of(phone.mac))
        for _ in range(2):
            named = HANDOVER.search(reply.body) if reply.status == 200 else None
            if named is None:
                return reply
            folder = f"/d/{named[1].decode()}/"
            if reply.verdict.outcome is Outcome.FULL:
                phone.folder = folder
                return reply
            reply = self.ask(f"{folder}{phone.mac}.cfg", phone.address, agent_of(phone.mac))
        return reply

    # --- making --------------------------------------------------------------------------------------------

    def enter(self, mac: str, account: Account | None = None, **facts: Any) -> Device:
        """A phone of that account (acme), entered a second ago and NEW."""
        with committed():
            return make_phone(account or self.tree.acme, mac=mac, **facts)

    def settle(self, mac: str, address: str, account: Account | None = None) -> Handset:
        """A phone that lives there: entered, set up, and it has polled, so that it is proved."""
        device = self.enter(mac, account)
        phone = Handset(device.mac, address)
        for _ in range(2):
            assert self.boots(phone).status == 200
        assert phone.folder
        self.drain()
        return phone

    def lock_away(self, macs: list[str], address: str) -> None:
        """Phones that are LOCKED to that address, by rows alone."""
        where = network(address)
        with committed():
            devices = [make_phone(self.tree.acme, mac=mac) for mac in macs]
            for device in devices:
                lock = Lock.objects.get(device=device)
                lock.state, lock.by = State.LOCKED.value, "first fetch (R1)"
                lock.bound_first, lock.bound_last = where.hex_first, where.hex_last
                lock.save()
                publishing.device_changed(device.pk)


def network(address: str) -> Network:
    return origin_of(parse_address(address))


def unknown(number: int, oui: str = "001565") -> str:
    """A MAC that nobody has entered."""
    return f"{oui}{number:06x}"


def bans_at(address: str) -> list[Ban]:
    """Every ban that has hit the address, the oldest first."""
    return list(Ban.objects.holding(network(address)).order_by("starts_at", "pk"))


def keys_at(address: str) -> list[tuple[str, str]]:
    """The distinct failures that are rows, of all time."""
    rows = FailureKey.objects.filter(first=network(address).hex_first)
    return sorted(set(rows.values_list("kind", "label")))


def rules_of(mac: str) -> list[str]:
    """By which rules this phone's requests were answered."""
    return list(
        DeviceEvent.objects.filter(mac=mac, what="request")
        .order_by("at", "pk")
        .values_list("rule", flat=True)
    )
