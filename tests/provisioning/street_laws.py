"""What must hold after every step on the street, whoever did what (issue 3, "done when" 3)."""

from collections import Counter
from datetime import timedelta

from devices import extensions
from provisioning import policies
from provisioning.gate import Outcome, State, TokenKind
from provisioning.models import DeviceEvent, Lock, Proof, Token
from security.networks import Network, origin_of, show_address
from tests.provisioning import agreement
from tests.provisioning.street import FAMILY, HANDOVER, PLACES, Asked, Street, is_claim
from tests.provisioning.street_rows import Seen
from tests.provisioning.test_gate_properties import PRIVATE_RULES, ROOT_RULES
from tests.provisioning.token_ledger import DAY, Given

AN_INTERVAL = timedelta(days=1).total_seconds()
REQUESTS = "request"
SWEEPS = ("beat", "nightly")


class Laws:
    """Looks at the street between two steps."""

    def __init__(self, street: Street) -> None:
        self.street = street
        self.before = street.seen()
        self.last_event = self._newest_event()

    def hold(self, command: str, *, by_people: bool) -> None:
        """Check everything after one step, which people took, or phones, strangers and the clock."""
        street, seen = self.street, self.street.seen()
        for asked in street.asked:
            self._one_rule(asked)
            if asked.lost:
                continue
            self._edge_and_rows_agree(asked)
            self._below_as_the_ledger_says(asked)
            self._full_names_itself(asked)
            self._dead_gets_the_roots_answer(asked)
            self._who_is_kept_out_gets_nothing(asked)
            if is_claim(asked.reply):
                self._a_grant_is_used_once(asked)
                self._a_denied_origin_stays_out(asked)
        if not street.lost:
            self._each_request_is_one_line()
        self._one_current_token()
        self._proofs()
        self._only_e8_lifts(seen)
        if not by_people:
            self._bindings(seen)
        if command in SWEEPS:
            self._sweeping_changes_no_verdict(seen)
        if not street.lost:
            self._rows_and_store_agree(seen)
        self.before, self.last_event = seen, self._newest_event()
        street.asked.clear()

    # --- of each request -----------------------------------------------------------------------------------

    def _one_rule(self, asked: Asked) -> None:
        """Every claiming request is answered by one rule that the rules know."""
        judged = asked.reply.judged
        if judged.private:
            assert judged.private[-1][1].rule in PRIVATE_RULES
            assert len(judged.private) == 1
        assert len(judged.root) + len(judged.private) > 0
        assert len(judged.root) <= 1
        assert len(judged.claims) <= 1
        for verdict in (*(v for _, v in judged.root), *judged.claims):
            assert verdict.rule in ROOT_RULES
        if asked.lost:
            assert asked.reply.verdict.rule in ("G6", "G1"), asked.reply.verdict
            assert asked.reply.verdict.outcome in (Outcome.HELD, Outcome.REFUSED)
        else:
            assert asked.reply.verdict.rule != "G6"

    def _edge_and_rows_agree(self, asked: Asked) -> None:
        judged = asked.reply.judged
        if judged.root and asked.method == "GET":
            assert judged.root[-1][1] == asked.by_rows, (judged.root[-1], asked.by_rows)
            if judged.claims:
                assert judged.claims[-1] == asked.by_rows
            elif asked.by_rows is not None:
                assert asked.by_rows.outcome is not Outcome.BOOTSTRAP, "the edge asks before it admits"

    def _below_as_the_ledger_says(self, asked: Asked) -> None:
        if asked.reply.judged.private:
            verdict = asked.reply.judged.private[-1][1]
            assert verdict.rule in asked.rules, (verdict, asked.rules, asked.token)

    def _full_names_itself(self, asked: Asked) -> None:
        """A full file names the token it was asked by, an entry token's its claim's, nobody another's."""
        given, reply = asked.token, asked.reply
        if given is None or reply.status != 200 or asked.method != "GET":
            return
        named = {found.decode() for found in HANDOVER.findall(reply.body)}
        if reply.verdict.outcome is Outcome.FULL:
            own = [t for t in self.street.ledger.of(given.phone) if t.claim == given.claim and not t.entry]
            assert named == {t.text for t in own}, (given, named)

    def _dead_gets_the_roots_answer(self, asked: Asked) -> None:
        """T4: what the root says for the MAC that the token was issued for, and nothing else."""
        given, judged = asked.token, asked.reply.judged
        if given is None or asked.rules != {"T4"}:
            return
        if not asked.own_name:
            assert (asked.reply.status, judged.root) == (404, [])  # T8
            return
        assert len(judged.root) == 1
        facts, verdict = judged.root[0]
        assert facts.device is None or facts.device.mac == given.mac
        assert facts.asked.value == "claiming" or asked.method != "GET" or facts.device is None
        body = asked.reply.body
        assert (asked.reply.status == 200) == (verdict.outcome is Outcome.BOOTSTRAP and bool(judged.claims))
        for line in self.street.lines:
            assert extensions.secret_of(line).encode() not in body
        for found in HANDOVER.findall(body):
            assert self.street.ledger.tokens[found.decode()].entry

    def _who_is_kept_out_gets_nothing(self, asked: Asked) -> None:
        """G1, O2: a blocked address gets nothing at all, a banned one nothing at the root."""
        tables = self.before.held.tables
        if tables.blocked.holds(asked.address, asked.at):
            assert asked.reply.status == 404
        elif tables.banned.holds(asked.address, asked.at):
            assert not asked.reply.judged.claims

    def _a_grant_is_used_once(self, asked: Asked) -> None:
        if asked.reply.verdict.rule != "R7":
            return
        pk, was = self._lock_before(asked)
        if was.suspicion_until is not None and asked.at < was.suspicion_until.timestamp():
            assert was.grant_origin is not None, "E7: under suspicion only one origin is let in"
        assert self.street.granted.get(pk), "nobody has unlocked this phone since it was last let in"
        self.street.granted[pk] = False
        lock = Lock.objects.get(pk=pk)
        assert (lock.state, lock.grant_given_at) == (State.LOCKED.value, None)

    def _a_denied_origin_stays_out(self, asked: Asked) -> None:
        """R14: an origin that was denied, by a card or a take-back, gets in by a window alone."""
        facts, _ = asked.reply.judged.root[-1]
        assert facts.device is not None
        pk, _ = self._lock_before(asked)
        until = self.street.denied.get((pk, origin_of(asked.address)), 0.0)
        windows = (w.admits(now=asked.at, address=asked.address, device=facts.device) for w in facts.windows)
        assert asked.at >= until or any(windows)

    def _lock_before(self, asked: Asked) -> tuple[int, Lock]:
        """The lock of the phone that was asked for, as it was before this step."""
        facts, _ = asked.reply.judged.root[-1]
        assert facts.device is not None
        mac = facts.device.mac
        return next((pk, lock) for pk, lock in self.before.locks.items() if lock.device.mac == mac)

    def _each_request_is_one_line(self) -> None:
        """The log has one line with its rule for each claiming request of a phone that is known."""
        expected: Counter[tuple[str, str, str, str]] = Counter()
        for asked in self.street.asked:
            verdict, judged = asked.reply.verdict, asked.reply.judged
            if asked.lost or not judged.root:
                continue
            known = judged.root[-1][0].device
            if known is None or verdict.rule == "G1":
                continue
            # A suspected clone (T3) that a rule lets in at the root is a claim's line and a note's.
            lines = 1 + (is_claim(asked.reply) and bool(judged.private) and judged.private[-1][1].clone)
            key = (known.mac, verdict.rule, verdict.outcome.value, show_address(asked.address))
            expected[key] += lines
        found: Counter[tuple[str, str, str, str]] = Counter()
        rows = DeviceEvent.objects.filter(pk__gt=self.last_event, what=REQUESTS)
        for mac, rule, outcome, address, count in rows.values_list(
            "mac", "rule", "outcome", "address", "count"
        ):
            if rule in ROOT_RULES:
                found[mac, rule, outcome, address] += count
        assert found == expected

    # --- of the whole --------------------------------------------------------------------------------------

    def _one_current_token(self) -> None:
        """At most one current token a device, and it is the one that the last standing claim has brought."""
        street = self.street
        current = Token.objects.filter(kind=TokenKind.CURRENT.value, device__isnull=False)
        phones = list(current.values_list("device_id", flat=True))
        assert len(phones) == len(set(phones))
        ledgers = {pk for pk, claims in street.ledger.claims.items() if claims.current is not None}
        over = {pk for pk in ledgers if street.ledger.claims[pk].current.is_over(street.now)}  # type: ignore[union-attr]
        assert ledgers - over <= set(phones) <= ledgers

    def _proofs(self) -> None:
        """A phone is proved where it fetched its full file by its current token, as the phone it is now."""
        found = {(pk, first) for pk, first in Proof.objects.values_list("device_id", "first")}
        proved = self.street.proved
        told = {(pk, o.hex_first): at for pk, origins in proved.items() for o, at in origins.items()}
        assert found <= told.keys()
        assert {name for name, at in told.items() if self.street.now - at < 30 * DAY} <= found

    def _only_e8_lifts(self, seen: Seen) -> None:
        """No re-arm, deletion or move frees a quarantined MAC, or one under suspicion."""
        street = self.street
        for lock in seen.locks.values():
            mac, until = lock.device.mac, lock.suspicion_until
            if mac in street.quarantined:
                assert lock.state == State.QUARANTINED.value
            if street.suspected.get(mac, 0.0) > street.now:
                assert until is not None
                assert until.timestamp() >= street.suspected[mac]
            if lock.state == State.QUARANTINED.value:
                street.quarantined.add(mac)
            if until is not None:
                street.suspected[mac] = until.timestamp()

    def _bindings(self, seen: Seen) -> None:
        """Phones, strangers and time move a binding by a claim, or by O4's slow way."""
        claimed = {
            asked.reply.judged.root[-1][0].device.mac: asked  # type: ignore[union-attr]
            for asked in self.street.asked
            if is_claim(asked.reply) and asked.reply.verdict.binds
        }
        for pk, lock in seen.locks.items():
            old = self.before.locks.get(pk)
            if old is None or _binding(old) == _binding(lock):
                continue
            asked = claimed.get(lock.device.mac)
            if asked is not None:
                assert any(asked.address in network for network in seen.home[pk])
            elif seen.home.get(pk):
                self._follows(lock, seen)
            else:
                assert lock.state in (State.LOCKED.value, State.NEW.value)

    def _follows(self, lock: Lock, seen: Seen) -> None:
        """O4: used there twice by the current token, an interval apart, and not at the old origin since."""
        street, now = self.street, self.street.now
        uses = street.used[lock.pk]
        new = [at for at, origin in uses if any(n.holds(origin) for n in seen.home[lock.pk])]
        old = [at for at, origin in uses if any(n.holds(origin) for n in self.before.home[lock.pk])]
        last = max(new)
        first = min(at for at in new if not any(at <= back <= last for back in old))
        assert last - first >= AN_INTERVAL, "it was not used there twice, an interval apart"
        assert policies.effective(lock.device.account).origin_follows
        tables = seen.held.tables
        for at, origin in uses:
            if at == last:
                assert origin not in self.shared(seen), "a shared origin proves nothing"
                assert not tables.banned.holds(origin.first, now)

    def shared(self, seen: Seen) -> frozenset[Network]:
        """Origins where phones of two customers were proved in the last 30 days, by the ledger."""
        at: dict[Network, set[str]] = {}
        for pk, origins in self.street.proved.items():
            for origin, last in origins.items():
                if self.street.now - last <= 30 * DAY and pk in seen.customers:
                    at.setdefault(origin, set()).add(seen.customers[pk])
        return frozenset(origin for origin, customers in at.items() if len(customers) > 1)

    def _rows_and_store_agree(self, seen: Seen) -> None:
        street, now = self.street, self.street.now
        store = agreement.of_store(street.store)
        rows_say, store_says = (agreement.comparable(side, now) for side in (seen.held, store))
        assert rows_say == store_says, _difference(rows_say, store_says)
        assert seen.held.tables.lists.shared == self.shared(seen)
        names = {given.text: agreement.hash_of(given.text) for given in self._known()}
        for text, name in names.items():
            for address in PLACES:
                verdicts = {side.below(name, address, now) for side in (seen.held, store)}
                assert len(verdicts) == 1
                allowed = street.rules_below(text, address)
                assert verdicts.pop().rule in allowed, (street.ledger.tokens[text], address, allowed)

    def _sweeping_changes_no_verdict(self, seen: Seen) -> None:
        """Correct without the worker, tidy with it (E6)."""
        now = self.street.now
        sides = (self.before.held, seen.held)
        for address in PLACES:
            for mac in seen.held.locks:
                agent = {"agent_family": FAMILY, "agent_mac": mac}
                assert len({side.at_root(mac, address, now, **agent).outcome for side in sides}) == 1
            for given in self._known():
                name = agreement.hash_of(given.text)
                assert len({side.below(name, address, now) for side in sides}) == 1

    def _known(self) -> list[Given]:
        return [given for given in self.street.ledger.tokens.values() if given.served]

    def _newest_event(self) -> int:
        newest = DeviceEvent.objects.order_by("-pk").values_list("pk", flat=True).first()
        return newest or 0


def _binding(lock: Lock) -> tuple[object, ...]:
    return lock.bound_first, lock.bound_last, lock.bound_site_id


def _difference(one: dict[str, object], other: dict[str, object]) -> str:
    names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    return "\n".join(f"{name}:\n rows  {one.get(name)}\n store {other.get(name)}" for name in names)
