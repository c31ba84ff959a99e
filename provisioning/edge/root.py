"""The root URL: who asks for which MAC, what the lock summary says, and only then a claim.

A MAC that nobody knows costs what a known one costs: the same look-ups, a record decoded, the same rules.
"""

import asyncio
import functools
import logging
import time
from dataclasses import dataclass

from devices.paths import PathMatch
from devices.user_agent import parse_agent, product_name
from provisioning import wire
from provisioning.edge import answers
from provisioning.edge.answers import Answer
from provisioning.edge.asking import Away, Claim, ClaimAnswer, ClaimRequest
from provisioning.edge.commons import CommonFiles
from provisioning.edge.limits import Allowance
from provisioning.edge.naming import Names
from provisioning.edge.notes import Notes
from provisioning.edge.pressing import Pressing
from provisioning.edge.reading import Call, Where, hide_tokens
from provisioning.edge.store import Found, Store
from provisioning.edge.tables import Tables
from provisioning.gate import (
    Asked,
    Caller,
    DeviceFacts,
    KeyKind,
    Outcome,
    Policies,
    RootFacts,
    State,
    Then,
    Verdict,
    as_root,
    decide_root,
)
from provisioning.wire import LockRecord, Note
from security.networks import Network

log = logging.getLogger(__name__)

CLAIMS_A_SECOND, CLAIMS_AT_ONCE = 50.0, 500.0
# Judged on after a rule that decides early: a MAC that nobody knows, a quarantined one and one that was asked
# for by a wrong agent cost what a locked one costs.
_DECIDED_EARLY = frozenset({"R10", "R11", "R12", "R13", "R14"})
_STAND_IN = DeviceFacts(
    code="",
    mac="",
    family="",
    account_path="",
    state=State.LOCKED,
    bound=(Network(1, 1),),
    policies=Policies(match_user_agent=False),
)
_ASKS_THE_DATABASE = (Then.CLAIM, Then.REPEAT, Then.POLL)


@dataclass(frozen=True, slots=True)
class Asking:
    """A request at the root, or one that a dead token sent there (T4)."""

    call: Call
    where: Where
    match: PathMatch | None
    mac: str | None
    token: str = ""  # the hash of the dead token
    clone: bool = False

    @property
    def private(self) -> bool:
        return bool(self.token)


class RootPath:
    """Answers at the root URL."""

    def __init__(
        self,
        store: Store,
        notes: Notes,
        pressing: Pressing,
        names: Names,
        commons: CommonFiles,
        claim: Claim,
    ) -> None:
        self._store = store
        self._notes = notes
        self._pressing = pressing
        self._names = names
        self._commons = commons
        self._claim = claim
        self._claims: Allowance[bytes] = Allowance(CLAIMS_A_SECOND, CLAIMS_AT_ONCE)

    async def answer(self, call: Call, segments: list[str] | None, *, overloaded: bool) -> Answer:
        """Return the answer to a request at the root URL."""
        where = call.where
        if where is None:
            verdict = decide_root(RootFacts(time.time(), call.method, Asked.BAD_PATH, Caller(address=None)))
            return answers.plain(verdict.outcome, call.method, private=False)
        match = None if segments is None else self._names.at_root(segments)
        asking = Asking(call, where, match, match.mac if match else None)
        if call.is_browser or overloaded:
            return await self._decide(asking, Found(False, self._store.tables, ()), overloaded)
        keys = where.standings if asking.mac is None else (*where.standings, wire.mac_key(asking.mac))
        return await self._decide(asking, await self._store.look(*keys))

    async def answer_dead(
        self, call: Call, where: Where, segments: list[str], token: str, mac: str, *, clone: bool
    ) -> Answer:
        """T4: the answer to a dead token, as if the MAC that it was issued for had been asked at the root."""
        match = self._names.at_root(segments)
        asking = Asking(call, where, match, mac, token=token, clone=clone)
        if match is None or match.mac not in (None, mac):
            self._note(asking, Verdict(Outcome.REFUSED, "T8"), None, "")
            return answers.refused(True)
        return await self._decide(asking, await self._store.look(*where.standings, wire.mac_key(mac)))

    async def _decide(self, asking: Asking, found: Found, overloaded: bool = False) -> Answer:
        now = time.time()
        standings = found.values[: len(asking.where.standings)]
        blob = found.values[len(standings)] if len(found.values) > len(standings) else None
        try:
            banned = any(now < wire.unpack_standing(standing) for standing in standings if standing)
            record = wire.unpack_lock(blob) if blob is not None else None
            if record is None:  # read all the same, so that time tells nobody that there is none
                wire.unpack_lock(wire.DECOY)
        except wire.WireError:
            log.exception("a record in the store cannot be read; the caller is held")
            return answers.plain(Outcome.HELD, asking.call.method, private=asking.private)
        family = record.facts.family if record else None
        asked = self._names.asked_at_root(asking.match, family, record.model if record else "")
        caller = self._caller(asking, found.tables, banned=banned, now=now)
        windows = found.tables.windows(asking.where.origin)

        def facts_with(device: DeviceFacts | None) -> RootFacts:
            return RootFacts(
                now=now,
                method=asking.call.method,
                asked=asked,
                caller=caller,
                device=device,
                names_mac=asking.mac is not None,
                windows=windows,
                known=found.known,
                overloaded=overloaded,
            )

        stand_in = facts_with(_STAND_IN)
        verdict = decide_root(facts_with(record.resolved(found.tables.lists) if record else None))
        if verdict.rule in _DECIDED_EARLY:
            decide_root(stand_in)
        if asking.token:
            verdict = as_root(verdict)
        body = None
        if verdict.then in _ASKS_THE_DATABASE and verdict.outcome is Outcome.BOOTSTRAP:
            body = await self._ask_claim(asking, verdict, now, caller.certificate_mac)
            verdict = as_root(body.verdict) if asking.token else body.verdict
        if any(standings):
            self._pressing.look(asking.where, found.tables, now)
        product = caller.agent_product or ""
        # Written down once the answer is on its way: the time it takes must not tell what there is to note.
        asyncio.get_running_loop().call_soon(self._note, asking, verdict, record, product)
        return self._make_answer(asking, verdict, body)

    def _caller(self, asking: Asking, tables: Tables, *, banned: bool, now: float) -> Caller:
        where, call = asking.where, asking.call
        family, mac, product = _agent(call.agent)
        return Caller(
            address=where.address,
            agent_family=family,
            agent_mac=mac,
            agent_product=product,
            certificate_mac=call.certificate_mac,
            browser=not asking.token and call.is_browser,
            banned=banned or tables.banned.holds(where.address, now),
            blocked=tables.blocked.holds(where.address, now),
            shared=tables.is_shared(where.address),
            claims_pressed=not self._claims.has(where.key, now),
        )

    async def _ask_claim(
        self, asking: Asking, verdict: Verdict, now: float, certificate_mac: str | None
    ) -> ClaimAnswer:
        """Let the database decide anew; what it says is final, and committed when it says BOOTSTRAP."""
        assert asking.mac is not None
        assert asking.match is not None
        where, counts = asking.where, verdict.then is Then.CLAIM
        if counts:
            self._claims.take(where.key, now)
        request = ClaimRequest(
            mac=asking.mac,
            file_name=asking.match.name,
            address=where.address,
            agent=asking.call.agent,
            certificate_mac=certificate_mac,
            secure=asking.call.is_secure,
            at=now,
        )
        try:
            answer = await self._claim(request)
        except Away:
            answer = ClaimAnswer(Verdict(Outcome.HELD, "G6"))
        except Exception:  # whatever it was, nothing was committed that the phone could not ask for again
            log.exception("a claim failed; the phone is held")
            answer = ClaimAnswer(Verdict(Outcome.HELD, "G6"))
        if counts and answer.verdict.outcome is not Outcome.BOOTSTRAP:
            self._claims.give_back(where.key, now)
        return answer

    def _make_answer(self, asking: Asking, verdict: Verdict, body: ClaimAnswer | None) -> Answer:
        private = asking.private
        if verdict.outcome is Outcome.BOOTSTRAP and body is not None:
            return answers.bootstrap(body.body, body.content_type, private)
        if verdict.outcome is Outcome.COMMON:
            return self._commons.answer(asking.match, asking.call, private=private)
        return answers.plain(verdict.outcome, asking.call.method, private=private)

    def _note(self, asking: Asking, verdict: Verdict, record: LockRecord | None, product: str) -> None:
        """Write down what the caller got and why; a claim that was admitted is a row of its own already."""
        where, now = asking.where, time.time()
        if verdict.outcome is Outcome.COMMON:
            return
        # A ban keeps no clone secret: a former token in a second party's hands is told of all the same (T3).
        banned = verdict.rule == "G1" and not asking.clone
        if banned or (verdict.outcome is Outcome.HELD and record is None):
            self._notes.count(verdict, where)
            return
        taken = verdict.outcome is Outcome.BOOTSTRAP
        polled = taken and verdict.then is Then.POLL
        if taken and not polled and not asking.clone:
            return
        label = (asking.mac or "") if verdict.key not in (KeyKind.BAD_PATH, KeyKind.BROWSER) else ""
        if verdict.key is not None:
            account = record.facts.account_path if record and verdict.key is KeyKind.LOCKED_MAC else ""
            if not self._pressing.failed(verdict.key, label, account, where, now):
                self._notes.count(verdict, where)
                return
        note = Note(
            at=round(now, 3),
            address=where.hex,
            rule=verdict.rule,
            outcome=verdict.outcome.value,
            mac=asking.mac or "",
            code=record.facts.code if record else "",
            agent=asking.call.agent,
            file=hide_tokens(asking.match.name) if asking.match else "",
            token=asking.token,
            check_in=polled,
            current=polled,
            clone=asking.clone,
            card=verdict.card,
            stale=verdict.then is Then.STALE,
            unlock_expired=verdict.unlock_expired,
            key=verdict.key.value if verdict.key else "",
            label=label,
            product=product if verdict.card else "",
        )
        if taken:
            self._notes.check_in(note)
        else:
            self._notes.fold(note, where)


@functools.lru_cache(maxsize=4096)
def _agent(text: str) -> tuple[str | None, str | None, str]:
    """The agent's family, MAC and product."""
    agent = parse_agent(text)
    return (agent.family, agent.mac, agent.product) if agent else (None, None, product_name(text))
