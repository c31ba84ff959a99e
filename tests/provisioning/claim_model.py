"""One phone's lock and tokens in memory, changed by verdicts as claims.py and tokens.py change rows."""

from dataclasses import dataclass, field, replace

from provisioning.gate import (
    Asked,
    Caller,
    Denial,
    DeviceFacts,
    Grant,
    HandOut,
    Method,
    Outcome,
    PrivateFacts,
    RootFacts,
    State,
    Then,
    TokenFacts,
    TokenKind,
    Verdict,
    Window,
    as_root,
    decide_private,
    decide_root,
)
from security.networks import Network, origin_of
from tests.provisioning.gate_facts import ACCOUNT, CODE, DAY, FAMILY, HOUR, MAC, MINUTE, NOW

OVERLAP = 48 * HOUR
CLONE_TIME = 30 * DAY
ENTRY_TIME = 30 * MINUTE


@dataclass
class Token:
    """A token's row."""

    number: int
    kind: TokenKind
    claim: int
    issued_at: float
    given_to: Network
    until: float | None = None
    first_used_at: float | None = None
    clone_since: float | None = None
    origins: dict[Network, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Got:
    """What a caller holds in his hands: the verdict, and the token that the body names."""

    verdict: Verdict
    token: int | None = None

    @property
    def is_full(self) -> bool:
        return self.verdict.outcome is Outcome.FULL


@dataclass
class Account:
    """The rows of one phone, its windows, and the clock."""

    now: float = NOW
    device: DeviceFacts = field(
        default_factory=lambda: DeviceFacts(
            code=CODE, mac=MAC, family=FAMILY, account_path=ACCOUNT, state=State.NEW, armed_at=NOW
        )
    )
    tokens: list[Token] = field(default_factory=list)
    windows: tuple[Window, ...] = ()
    claims: int = 0
    claimed_at: dict[int, float] = field(default_factory=dict)

    # --- requests ------------------------------------------------------------------------------------------

    def ask_root(self, address: int, *, shared: bool = False, agent: str = FAMILY) -> Got:
        """A GET of the claiming file; what an admitted caller gets names the claim's entry token."""
        verdict = self.judge_root(address, shared=shared, agent=agent)
        return self._answer_root(verdict, address)

    def judge_root(self, address: int, *, shared: bool = False, agent: str = FAMILY) -> Verdict:
        return decide_root(
            RootFacts(
                now=self.now,
                method=Method.GET,
                asked=Asked.CLAIMING,
                caller=Caller(address=address, agent_family=agent, shared=shared),
                device=self.facts(),
                windows=self.windows,
            )
        )

    def ask_private(self, number: int | None, address: int, *, method: Method = Method.GET) -> Got:
        """A request of the full file below a token's URL; a dead token is judged as at the root (T4)."""
        token = next((t for t in self.tokens if t.number == number), None)
        verdict = self.judge_private(token, address, method=method)
        if verdict.then is Then.AS_ROOT:
            if verdict.clone and token is not None:
                self._suspect(token)
            if method is not Method.GET:
                return Got(verdict)
            return self._answer_root(as_root(self.judge_root(address)), address)
        if verdict.outcome is Outcome.FULL and token is not None and method is Method.GET:
            return Got(verdict, self._serve(token, verdict, address))
        return Got(verdict)

    def judge_private(self, token: Token | None, address: int, *, method: Method = Method.GET) -> Verdict:
        return decide_private(
            PrivateFacts(
                now=self.now,
                method=method,
                asked=Asked.FULL,
                caller=Caller(address=address, agent_family=FAMILY),
                token=self.token_facts(token) if token else None,
            )
        )

    # --- facts, as provisioning/facts.py builds them -------------------------------------------------------

    def facts(self) -> DeviceFacts:
        current = self.current
        used = {t.claim for t in self.tokens if t.first_used_at is not None}
        return replace(
            self.device,
            hand_out=HandOut(current.issued_at, current.given_to, current.first_used_at is not None)
            if current
            else None,
            used_claims=tuple(at for claim, at in self.claimed_at.items() if claim in used),
        )

    def token_facts(self, token: Token) -> TokenFacts:
        later = any(t.claim > token.claim and t.first_used_at is not None for t in self.tokens)
        return TokenFacts(
            mac=MAC,
            kind=token.kind,
            code=CODE,
            family=FAMILY,
            state=self.device.state,
            bound=self.device.bound,
            origin=token.given_to,
            until=token.until,
            superseded=token.kind is TokenKind.FORMER and later,
            origins=tuple(token.origins.items()),
            used=token.first_used_at is not None,
        )

    @property
    def current(self) -> Token | None:
        return next((t for t in self.tokens if t.kind is TokenKind.CURRENT), None)

    def what_a_holder_gets(self, number: int, addresses: list[int]) -> list[Verdict]:
        """What a fetch by this token would be answered from each of these addresses."""
        token = next(t for t in self.tokens if t.number == number)
        return [self.judge_private(token, address) for address in addresses]

    # --- effects, as provisioning/claims.py, draining.py and tokens.py write them --------------------------

    def _answer_root(self, verdict: Verdict, address: int) -> Got:
        if verdict.then is Then.STALE:
            self.device = replace(self.device, state=State.LOCKED, bound=())
        elif verdict.then is Then.CLAIM:
            return Got(verdict, self._take(verdict, address))
        elif verdict.then is Then.REPEAT:
            current = self.current
            assert current is not None
            return Got(
                verdict, next(t.number for t in self.tokens if t.claim == current.claim and t != current)
            )
        elif verdict.unlock_expired:
            self.device = replace(self.device, state=State.LOCKED, grant=None)
        return Got(verdict)

    def _take(self, verdict: Verdict, address: int) -> int:
        origin = origin_of(address)
        self.claims += 1
        self.claimed_at[self.claims] = self.now
        for token in self.tokens:
            if token.kind is TokenKind.CURRENT:
                token.kind = TokenKind.FORMER
        self._issue(TokenKind.CURRENT, origin)
        entry = self._issue(TokenKind.ENTRY, origin, until=self.now + ENTRY_TIME)
        ends = verdict.spends_grant or verdict.drops_grant or verdict.unlock_expired
        if ends or self.device.state is not State.UNLOCKED:
            self.device = replace(self.device, state=State.LOCKED, grant=None)
        if verdict.binds:
            self.device = replace(self.device, bound=(origin,))
        self.device = replace(self.device, last_claim_at=self.now)
        return entry.number

    def _issue(self, kind: TokenKind, origin: Network, until: float | None = None) -> Token:
        token = Token(
            number=len(self.tokens) + 1,
            kind=kind,
            claim=self.claims,
            issued_at=self.now,
            given_to=origin,
            until=until,
            origins={origin: self.now},
        )
        self.tokens.append(token)
        return token

    def _serve(self, token: Token, verdict: Verdict, address: int) -> int:
        """A fetch of the full file; returns the token that it names (T1: the current one, T3: itself)."""
        if token.first_used_at is None:
            self._first_use(token)
        if token.kind is TokenKind.ENTRY:
            return next(
                t.number for t in self.tokens if t.claim == token.claim and t.kind is not TokenKind.ENTRY
            )
        token.origins[origin_of(address)] = self.now
        if verdict.clone:
            self._suspect(token)
        return token.number

    def _first_use(self, token: Token) -> None:
        token.first_used_at = self.now
        for other in self.tokens:
            if other.claim < token.claim and other.kind is TokenKind.FORMER and other.until is None:
                other.until = self.now + OVERLAP
            if (
                token.kind is not TokenKind.ENTRY
                and other.claim <= token.claim
                and other.kind is TokenKind.ENTRY
            ):
                other.kind, other.until = TokenKind.DEAD, self.now

    def _suspect(self, token: Token) -> None:
        if token.clone_since is None:
            token.clone_since, token.until = self.now, self.now + CLONE_TIME

    # --- people --------------------------------------------------------------------------------------------

    def unlock(self, until: float | None, origin: Network | None) -> None:
        denied = tuple(d for d in self.device.denied if d.network != origin)
        grant = Grant(until, origin, self.now)
        self.device = replace(self.device, state=State.UNLOCKED, grant=grant, denied=denied)

    def lock_again(self) -> None:
        if self.device.state is State.UNLOCKED:
            self.device = replace(self.device, state=State.LOCKED, grant=None)

    def open_window(self, address: int, hours: float) -> None:
        opened = Window(origin_of(address), ACCOUNT, self.now, self.now + hours * HOUR)
        self.windows = (*(w for w in self.windows if w.ends > self.now), opened)

    def deny(self, address: int) -> None:
        denial = Denial(origin_of(address), self.now, self.now + 30 * DAY)
        self.device = replace(self.device, denied=(*self.device.denied, denial))
