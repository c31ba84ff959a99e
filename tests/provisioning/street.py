"""A street of phones, strangers and people around the real product: rows, store, edge, verbs, one clock."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import redis
import time_machine
from django.utils import timezone

from accounts import tenants
from accounts.authentication import actor_of
from accounts.models import Account
from accounts.refusals import Refusal
from accounts.roles import Role
from accounts.scope import Actor
from devices import appearances, extensions, settings_tree
from devices.models import Device, Extension, Site
from devices.user_agent import parse_agent, product_name
from provisioning import draining, entering, keeper, policies, publishing, sites, tasks, tokens
from provisioning.gate import Outcome, State, Then, TokenKind, Verdict
from provisioning.models import Lock, Swept, Token
from security.networks import Network, origin_of, parse_address
from tests.conftest import NOON
from tests.provisioning.inside_edge import InsideEdge, Judges, Reply, committed
from tests.provisioning.making import colons
from tests.provisioning.street_rows import Seen, open_grants
from tests.provisioning.token_ledger import DAY, Given, TokenLedger
from tests.tree import PASSWORD, Tree, plant, user_of

MACS = ("00005e00a501", "00005e00a502")  # Ben's phone, and the one that replaces it when it is swapped
PARTNER, NEIGHBOUR = "00005e00a503", "00005e00a504"
FAMILY, MODEL = "yealink", "T31G"
AGENT = "Yealink SIP-T31G 124.86.0.40 {}"
ODD_AGENT = "Odd Phone 1.0"
RIGHT, ODD, WRONG_MAC = "right", "odd", "wrong MAC"

HOME, AWAY, AWAY_NEAR, ELSEWHERE, OFFICE, OFFICE_TOO, SIX, SIX_NEXT_DOOR, SIX_FAR = PLACES = tuple(
    parse_address(text)
    for text in (
        "203.0.113.24",
        "198.51.100.7",
        "198.51.100.99",
        "192.0.2.44",
        "203.0.113.130",
        "203.0.113.133",
        "2001:db8:1:1::24",
        "2001:db8:1:1::666",  # in the same /64: the same origin
        "2001:db8:1:2::666",  # in the same /48 alone
    )
)
YARD = "203.0.113.128/28"  # a site of acme
HANDOVER = re.compile(rb"/d/([a-z0-9]{40})")


@dataclass
class Handset:
    """A real phone: it fetches its file from the URL that its last full file has named."""

    mac: str
    place: int
    memory: str | None = None  # the token in its stored URL; none after a factory reset

    @property
    def agent(self) -> str:
        return AGENT.format(colons(self.mac))


@dataclass(frozen=True)
class Asked:
    """One request of the machine's and what came of it."""

    reply: Reply
    at: float
    address: int
    mac: str  # the root's rules were asked about this one
    lost: bool  # while the store was
    by_rows: Verdict | None = None  # what the root's rules come to on the rows
    token: Given | None = None
    rules: frozenset[str] = frozenset()  # of section 4, by the ledger
    method: str = "GET"
    own_name: bool = True


@dataclass
class Cast:
    """The rows that every run begins with."""

    tree: Tree
    valley: Account  # another reseller's
    val: Actor
    yard: Site
    phone: int
    partner: int
    neighbour: int
    shared_line: Extension
    neighbours_line: Extension


def settle() -> Cast:
    """Make the accounts, a site and four phones' rows: Ben's, its partner on a shared line, a neighbour's."""
    tree = plant()
    valley = tenants.create_account(tree.platform, by=tree.support, slug="valley", name="Valley Voice")
    val = tenants.add_person(
        valley, by=tree.support, email="val@example.org", name="Val", role=Role.RESELLER, password=PASSWORD
    )
    yard = sites.create(tree.acme, by=tree.ana, name="Yard", networks=[YARD])
    lines: dict[int, Extension] = {}
    for account, by in ((tree.acme, tree.ana), (tree.globex, tree.eve)):
        settings_tree.set_value(account, by=by, name="sip_server", value="sip.example.org")
        lines[account.pk] = extensions.create(account, by=by, username="201", secret="first-secret-201")
    made = []
    for mac, account, by, owner in (
        (MACS[0], tree.acme, tree.ana, user_of(tree.ben)),
        (PARTNER, tree.acme, tree.ana, None),
        (NEIGHBOUR, tree.globex, tree.eve, None),
    ):
        device = entering.enter(account, by=by, mac=mac, family=FAMILY, model=MODEL, owner=owner)
        appearances.put(device, by=by, rows=[appearances.AppearanceRow(1, lines[account.pk], "Desk")])
        made.append(device.pk)
    return Cast(tree, valley, actor_of(val.user), yard, *made, *lines.values())


@dataclass
class Street:
    """One run: the product, the phones' memories, what strangers hold, and what the rules would have."""

    cast: Cast
    judges: Judges
    store: "redis.Redis"
    clock: time_machine.Traveller
    handsets: list[Handset] = field(init=False)
    neighbour: Handset = field(init=False)
    stolen: list[str] = field(default_factory=list)
    ledger: TokenLedger = field(default_factory=TokenLedger)
    proved: dict[int, dict[Network, float]] = field(default_factory=dict)
    used: dict[int, list[tuple[float, Network]]] = field(default_factory=dict)  # by what counts as current
    granted: dict[int, bool] = field(default_factory=dict)  # an unlock is there that nobody has used
    denied: dict[tuple[int, Network], float] = field(default_factory=dict)  # by phone and origin, until when
    quarantined: set[str] = field(default_factory=set)  # MACs that nobody has released
    suspected: dict[str, float] = field(default_factory=dict)  # MACs, until when
    lost: bool = False  # the store was deleted, and nobody has filled it yet
    told: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)  # in this step
    phone_pk: int | None = None
    _emptied: bool = True  # and the drain does not know it yet
    _just_filled: bool = False
    _seen: Seen | None = None

    def __post_init__(self) -> None:
        self.clock.move_to(NOON)
        self.store.flushdb()
        self.edge = InsideEdge(self.judges)
        self.handsets = [Handset(MACS[0], HOME), Handset(MACS[1], HOME)]
        self.neighbour = Handset(NEIGHBOUR, ELSEWHERE)
        self.phone_pk = self.cast.phone
        keeper.rebuild(timezone.now())
        self.keeper_works()

    # --- reading -------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return timezone.now().timestamp()

    @property
    def phone(self) -> Device | None:
        """Ben's phone, if it is on the platform."""
        rows = Device.objects.select_related("account", "site", "lock__bound_site")
        return rows.filter(pk=self.phone_pk).first()

    @property
    def yard(self) -> Site:
        return Site.objects.select_related("account").get(pk=self.cast.yard.pk)

    @property
    def lines(self) -> tuple[Extension, Extension]:
        """The shared line of Ben's phone and its partner, and the neighbour's."""
        rows = Extension.objects.select_related("account")
        return rows.get(pk=self.cast.shared_line.pk), rows.get(pk=self.cast.neighbours_line.pk)

    def lock_of(self, pk: int) -> Lock | None:
        return Lock.objects.select_related("device__account", "bound_site").filter(pk=pk).first()

    def seen(self) -> Seen:
        """What the rows say, read again when something has happened since."""
        if self._seen is None:
            self._seen = Seen.now()
        return self._seen

    # --- asking --------------------------------------------------------------------------------------------

    def ask_root(self, mac: str, address: int, agent: str) -> Reply:
        by_rows = self._by_rows(mac, address, agent)
        reply = self.edge.ask(f"/{mac}.boot", address=address, agent=agent)
        self.asked.append(Asked(reply, self.now, address, mac, self.lost, by_rows))
        self._seen = None
        self._learn(reply)
        return reply

    def ask_below(
        self, text: str, mac: str, address: int, agent: str, *, method: str = "GET", name: str = "{}.cfg"
    ) -> Reply:
        given = self.ledger.tokens.get(text)
        about = given.mac if given is not None else mac
        own_name = "{}" in name
        rules = self.rules_below(text, address, own_name=own_name, method=method)
        by_rows = self._by_rows(about, address, agent) if "T4" in rules else None
        path = f"/d/{text}/{name.format(about)}"
        reply = self.edge.ask(path, address=address, agent=agent, method=method, body=b"log")
        self.asked.append(
            Asked(reply, self.now, address, about, self.lost, by_rows, given, rules, method, own_name)
        )
        self._seen = None
        self._learn(reply)
        if given is not None and own_name and method == "GET":
            self._write_ledger(given, reply, address)
        return reply

    def rules_below(
        self, text: str, address: int, *, own_name: bool = True, method: str = "GET"
    ) -> frozenset[str]:
        """The rules of section 4 of which one answers: the ledger's, behind what shuts phone or address."""
        given, seen = self.ledger.tokens.get(text), self.seen()
        home = seen.home.get(given.phone, ()) if given is not None else ()
        rules = self.ledger.expected(text, address=address, now=self.now, home=home)
        if given is None or given.is_over(self.now) or (given.entry and rules == {"T4"}):
            return rules
        maybe_dead = rules & {"T4"} if given.vague else frozenset()
        if given.phone in seen.shut:
            return frozenset({"O1"}) | maybe_dead
        if any(address in network for network in seen.blocked):
            return frozenset({"O2"}) | maybe_dead
        if not own_name:
            return frozenset({"T8"}) | maybe_dead
        return rules if method != "PUT" or "T4" in rules else frozenset({"O0"})

    def _by_rows(self, mac: str, address: int, agent: str) -> Verdict | None:
        """What the root's rules come to on the rows alone, for a GET of the claiming file."""
        if self.lost:
            return None
        known = parse_agent(agent)
        return self.seen().held.at_root(
            mac,
            address,
            self.now,
            agent_family=known.family if known else None,
            agent_mac=known.mac if known else None,
            agent_product=known.product if known else product_name(agent),
        )

    def _learn(self, reply: Reply) -> None:
        """Take down the tokens that a claim has brought, and which of them this answer names."""
        if reply.verdict.outcome is Outcome.BOOTSTRAP:
            fresh = Token.objects.filter(kind__in=(TokenKind.CURRENT.value, TokenKind.ENTRY.value))
            for row in fresh.select_related("claim").order_by("id"):
                text = tokens.text_of(row)
                if text not in self.ledger.tokens:
                    assert row.device_id is not None
                    assert row.claim_id is not None
                    self.ledger.give(
                        text,
                        mac=row.mac,
                        phone=row.device_id,
                        claim=row.claim_id,
                        entry=row.kind == TokenKind.ENTRY.value,
                        to=Network.from_hex(row.first, row.last),
                        at=self.now,
                    )
        for found in HANDOVER.findall(reply.body):
            self.ledger.tokens[found.decode()].served = True

    def _write_ledger(self, given: Given, reply: Reply, address: int) -> None:
        below = reply.judged.private[-1][1]
        if reply.status == 200 and below.outcome is Outcome.FULL:
            account = self.seen().locks[given.phone].device.account
            overlap = policies.effective(account).token_overlap.total_seconds()
            as_current = not given.entry and (
                given is self.ledger.current(given.phone) or given.superseded is None
            )
            if as_current:
                self.proved.setdefault(given.phone, {})[origin_of(address)] = self.now
                self.used.setdefault(given.phone, []).append((self.now, origin_of(address)))
            self.ledger.use(given, address=address, now=self.now, overlap=overlap)
        if below.clone:
            retired = self.seen().locks[given.phone].state == State.RETIRED.value
            self.ledger.suspect(given, self.now, retired=retired)

    # --- a phone's own ways --------------------------------------------------------------------------------

    def boots(self, handset: Handset, *, lost: bool = False) -> None:
        """It asks where its last full file said, or at the root; what it is handed it follows."""
        if handset.memory is None:
            reply = self.ask_root(handset.mac, handset.place, handset.agent)
        else:
            reply = self.ask_below(handset.memory, handset.mac, handset.place, handset.agent)
        for _ in range(2):
            if reply.status != 200 or lost:
                return
            named = HANDOVER.search(reply.body)
            assert named is not None, reply.body[:200]
            text = named[1].decode()
            if reply.verdict.outcome is Outcome.FULL:
                handset.memory = text
                return
            reply = self.ask_below(text, handset.mac, handset.place, handset.agent)

    def phone_boots(self, number: int) -> None:
        self.boots(self.handsets[number])

    def phone_is_reset(self, number: int, *, lost: bool) -> None:
        """Somebody resets it, and the answer may be lost on its way."""
        self.handsets[number].memory = None
        self.boots(self.handsets[number], lost=lost)

    def phone_is_carried(self, number: int, place: int) -> None:
        self.handsets[number].place = place
        self.boots(self.handsets[number])

    def phone_polls_daily(self, number: int, days: int) -> None:
        for _ in range(days):
            self.passes(DAY)
            self.boots(self.handsets[number])
            self.keeper_works()

    def neighbour_boots(self, place: int) -> None:
        self.neighbour.place = place
        for _ in range(1 if self.neighbour.memory else 2):  # to be proved there
            self.boots(self.neighbour)

    def strangers_root(self, mac: str, address: int, agent: str) -> None:
        spoken = {RIGHT: AGENT.format(colons(mac)), ODD: ODD_AGENT, WRONG_MAC: AGENT.format(colons(PARTNER))}
        self._steal(self.ask_root(mac, address, spoken[agent]))

    def stranger_sets_up(self, mac: str, address: int) -> None:
        """He plays the phone: asks, and goes where the bootstrap says."""
        got = self.ask_root(mac, address, AGENT.format(colons(mac)))
        for _ in range(2):
            self._steal(got)
            named = HANDOVER.search(got.body)
            if named is None:
                return
            got = self.ask_below(named[1].decode(), mac, address, AGENT.format(colons(mac)))
        self._steal(got)

    def strangers_private(self, number: int, address: int, method: str, name: str) -> None:
        """He uses one of the tokens that he was given, by its number."""
        if not self.stolen:
            return
        text = self.stolen[number % len(self.stolen)]
        self._steal(self.ask_below(text, MACS[0], address, AGENT.format(""), method=method, name=name))

    def strangers_guess(self, address: int) -> None:
        self.ask_below("0" * 40, MACS[0], address, ODD_AGENT)

    def _steal(self, reply: Reply) -> None:
        for found in HANDOVER.findall(reply.body):
            if (text := found.decode()) not in self.stolen:
                self.stolen.append(text)

    # --- the product's own steps ---------------------------------------------------------------------------

    def keeper_works(self) -> None:
        """Notes become rows, and the lists are what the clock has made of them (a rebuild's must be so)."""
        with committed():
            if self._emptied:  # the first look after a loss takes note of it and reads nothing
                draining.drain(timezone.now())
                self._emptied = False
            while draining.drain(timezone.now()) >= draining.BATCH:
                pass
            self._seen = None
            if not self.lost and not self._just_filled:
                self._seen = Seen.now(publishing.refresh_lists(timezone.now()))
        self._just_filled = False

    def beat(self) -> None:
        """What comes every minute."""
        self._seen = None
        with committed():
            tasks.end_what_is_over()
            tasks.tell_waiting()

    def nightly(self) -> None:
        """What is kept long enough goes (section 9)."""
        self._seen = None
        with committed():
            tasks.forget()
        assert not Swept.objects.filter(is_whole=False).exists()

    def lose_store(self) -> None:
        self.store.flushdb()
        self.lost = self._emptied = True

    def fill_store(self) -> None:
        """What the keeper does when it finds the store without its marker."""
        self.lost, self._just_filled = False, True
        with committed():
            keeper.watch()

    def passes(self, seconds: float) -> None:
        self.clock.shift(timedelta(seconds=seconds))
        if seconds > 1:
            self._seen = None  # a block ends, a grant runs out

    def verb(self, work: Callable[[], Any]) -> str:
        """Have a person do something; a new unlock is noted."""
        before = open_grants()
        try:
            with committed():
                work()
        except Refusal as refusal:
            return f"{refusal.rule} {refusal.code}"
        finally:
            self._seen = None
        for pk, grant in open_grants().items():
            if grant != before.get(pk):
                self.granted[pk] = True
                # An unlock for this very origin takes a denial of it back.
                self.denied = {
                    n: u for n, u in self.denied.items() if (n[0], n[1].hex_first) != (pk, grant[3])
                }
        return "done"

    def close(self) -> None:
        self.edge.close()


def is_claim(reply: Reply) -> bool:
    """Whether the answer is a claim, and no repeat of one."""
    return reply.verdict.outcome is Outcome.BOOTSTRAP and reply.verdict.then is Then.CLAIM
