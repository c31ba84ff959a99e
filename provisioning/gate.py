"""decide_root() and decide_private(): the verdict on one request, with its rule number. Pure.

Facts in, one verdict out, the first rule that fits wins (rules.md sections 3 and 4). The edge, the claim,
"why was this phone refused?", `manage.py explain` and "what if" all ask here, so they cannot disagree.
Times are epoch seconds, addresses numbers of the IPv6-mapped form (security.networks).
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from provisioning.verdict import Asked as Asked
from provisioning.verdict import KeyKind as KeyKind
from provisioning.verdict import Method as Method
from provisioning.verdict import Outcome as Outcome
from provisioning.verdict import State as State
from provisioning.verdict import Then as Then
from provisioning.verdict import TokenKind as TokenKind
from provisioning.verdict import Verdict as Verdict
from security.networks import Network, origin_of

REPEAT_TIME = 30 * 60  # R4a, T1: how long an entry token and a repeat are good
CLAIM_PAUSE = 2.0  # between two claims of one device
CLAIMS_A_DAY = 6  # R4
DAY = 24 * 3600
FORMER_ORIGINS_KEPT = 30 * DAY  # T3
PROOFS_A_MINUTE = 10  # P


@dataclass(frozen=True, slots=True)
class Grant:
    """An unlock: until when (None: until the first fetch), for which origin (None: any), since when."""

    until: float | None
    origin: Network | None
    given_at: float

    def is_over(self, now: float) -> bool:
        return self.until is not None and now >= self.until


@dataclass(frozen=True, slots=True)
class HandOut:
    """The present tokens: when and to which origin they were given, and whether the current one was used."""

    at: float
    origin: Network
    used: bool


@dataclass(frozen=True, slots=True)
class Denial:
    """An origin that a person denied for this phone (R14)."""

    network: Network
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Window:
    """A provisioning window, open or coming."""

    origin: Network
    account_path: str
    starts: float
    ends: float
    site: str | None = None
    devices: frozenset[str] | None = None
    covers: int = 0  # how many devices it may serve (B1)

    def admits(self, *, now: float, address: int, device: "DeviceFacts") -> bool:
        """W: open, the caller's origin, the device's account or one above it, and its filter."""
        return (
            self.starts <= now < self.ends
            and address in self.origin
            and device.account_path.startswith(self.account_path)
            and (self.site is None or self.site == device.site)
            and (self.devices is None or device.code in self.devices)
        )


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy values that section 3 reads, effective for one device."""

    fresh_ttl: float = 7 * DAY
    match_user_agent: bool = True
    trust_factory_certificate: bool = False
    shared_origin_reset: str = "approve"  # approve | allow
    first_fetch: str = "anywhere"  # anywhere | sites | approval


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """One device as the rules see it: its lock and what its account has decided."""

    code: str
    mac: str
    family: str
    account_path: str
    state: State
    enabled: bool = True
    site: str | None = None
    single_step: bool = False
    bound: tuple[Network, ...] = ()
    armed_at: float = 0.0
    grant: Grant | None = None
    hand_out: HandOut | None = None
    denied: tuple[Denial, ...] = ()
    suspicion_until: float = 0.0
    accepted_agents: frozenset[str] = frozenset()
    used_claims: tuple[float, ...] = ()  # when claims whose tokens were used happened, the last 24 h
    last_claim_at: float = 0.0
    account_sites: tuple[Network, ...] = ()  # for first_fetch = sites
    policies: Policies = field(default_factory=Policies)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as far as it is known."""

    address: int | None
    agent_family: str | None = None
    agent_mac: str | None = None
    agent_product: str | None = None
    certificate_mac: str | None = None  # of a verified factory certificate
    browser: bool = False
    banned: bool = False
    blocked: bool = False
    shared: bool = False  # a shared origin
    claims_pressed: bool = False  # more than 50 claims a second from this origin
    proofs: int = 0  # proofs of an address in the last minute


@dataclass(frozen=True, slots=True)
class RootFacts:
    """A request at the root URL."""

    now: float
    method: Method
    asked: Asked
    caller: Caller
    device: DeviceFacts | None = None
    names_mac: bool = True  # the path holds a MAC
    nonce_fits: bool = False
    windows: tuple[Window, ...] = ()
    known: bool = True  # the store is there and complete
    database: bool = True
    overloaded: bool = False


def same_origin(given: Network, bound: Iterable[Network], address: int) -> bool:
    """Whether the caller asks from the origin that something was given to.

    A site is one origin: what was given to one of its addresses holds for all of them while the phone is
    bound to the site.
    """
    if address in given:
        return True
    networks = tuple(bound)
    return any(n.holds(given) for n in networks) and any(address in n for n in networks)


def is_claim(verdict: Verdict) -> bool:
    """Whether the database has to be asked before this answer may leave."""
    return verdict.then in (Then.CLAIM, Then.REPEAT)


# --- the root URL --------------------------------------------------------------------------------


def decide_root(facts: RootFacts) -> Verdict:
    """Return the verdict on a request at the root URL; the first rule of section 3 that fits."""
    caller = facts.caller
    if facts.asked is Asked.PROOF:
        fits = facts.nonce_fits and caller.address is not None and caller.proofs < PROOFS_A_MINUTE
        return Verdict(Outcome.PROOF if fits else Outcome.REFUSED, "P")
    if caller.address is None:
        return Verdict(Outcome.HELD, "G0")
    if caller.blocked or caller.banned:
        return Verdict(Outcome.REFUSED, "G1")
    if caller.browser:
        return Verdict(Outcome.REFUSED, "G2", key=KeyKind.BROWSER)
    if facts.method is Method.OTHER or facts.asked is Asked.BAD_PATH:
        return Verdict(Outcome.REFUSED, "G3", key=KeyKind.BAD_PATH)
    if facts.method is not Method.UPLOAD and facts.asked in (Asked.COMMON, Asked.ABSENT):
        return Verdict(Outcome.COMMON if facts.asked is Asked.COMMON else Outcome.REFUSED, "G4")
    if facts.asked is not Asked.CLAIMING or facts.method is not Method.GET:
        stranger = facts.known and facts.names_mac and facts.device is None
        return Verdict(Outcome.REFUSED, "G5", key=KeyKind.UNKNOWN_MAC if stranger else None)
    if not facts.known or facts.overloaded:
        return Verdict(Outcome.HELD, "G6")
    if facts.device is None:
        return Verdict(Outcome.REFUSED, "R11", key=KeyKind.UNKNOWN_MAC)
    verdict = _decide_claiming(facts, facts.device, caller.address)
    if is_claim(verdict) and not facts.database:
        return Verdict(Outcome.HELD, "G6")
    if verdict.then is Then.CLAIM:
        recent = 0 <= facts.now - facts.device.last_claim_at < CLAIM_PAUSE
        if recent or caller.claims_pressed:
            return Verdict(Outcome.HELD, verdict.rule)
    return verdict


def agent_fits(device: DeviceFacts, caller: Caller) -> bool:
    """R12: the agent is of this phone's family and names no other MAC, or a person accepted it."""
    if not device.policies.match_user_agent or caller.agent_product in device.accepted_agents:
        return True
    return caller.agent_family == device.family and caller.agent_mac in (None, device.mac)


def window_admits(facts: RootFacts, device: DeviceFacts, address: int) -> bool:
    """W of section 3."""
    return any(w.admits(now=facts.now, address=address, device=device) for w in facts.windows)


def is_denied(facts: RootFacts, device: DeviceFacts, address: int) -> bool:
    """R14: denied, and no grant scoped to this very origin was given since."""
    grant = device.grant
    scoped_at = None
    if grant is not None and grant.origin is not None and address in grant.origin:
        scoped_at = grant.given_at  # a grant that is over was given all the same
    return any(
        address in d.network and facts.now < d.until and (scoped_at is None or scoped_at < d.since)
        for d in device.denied
    )


def _decide_claiming(facts: RootFacts, device: DeviceFacts, address: int) -> Verdict:
    now, caller = facts.now, facts.caller
    window = window_admits(facts, device, address)
    at_home = any(address in n for n in device.bound)

    if device.state in (State.QUARANTINED, State.RETIRED) or not device.enabled:
        return Verdict(Outcome.REFUSED, "R10")
    if caller.certificate_mac is not None and caller.certificate_mac != device.mac:
        return Verdict(Outcome.REFUSED, "R13", key=KeyKind.WRONG_CERTIFICATE)
    if not agent_fits(device, caller):
        return Verdict(Outcome.REFUSED, "R12", key=KeyKind.WRONG_AGENT, card=True)
    foreign_key = None if at_home else KeyKind.LOCKED_MAC
    if not window and is_denied(facts, device, address):
        return Verdict(Outcome.REFUSED, "R14", key=foreign_key)

    if device.state is State.NEW:
        return _decide_new(facts, device, address, window)

    expired = device.state is State.UNLOCKED and device.grant is not None and device.grant.is_over(now)
    if expired:  # R8: judged now, no timer needed
        device = replace(device, state=State.LOCKED, grant=None)
    verdict = _decide_locked(facts, device, address, window=window, at_home=at_home)
    if verdict is None:
        rule = "R9" if device.state is State.UNLOCKED else "R6"
        verdict = Verdict(Outcome.REFUSED, rule, key=foreign_key, card=True)
    return replace(verdict, unlock_expired=True) if expired else verdict


def _decide_new(facts: RootFacts, device: DeviceFacts, address: int, window: bool) -> Verdict:
    age = facts.now - device.armed_at
    fresh = 0 <= age < device.policies.fresh_ttl
    if fresh and _first_fetch_admits(device, address):
        return Verdict(Outcome.BOOTSTRAP, "R1", Then.CLAIM, binds=True)
    if window:
        return Verdict(Outcome.BOOTSTRAP, "R2", Then.CLAIM, binds=True)
    refused = Verdict(Outcome.REFUSED, "R3b", key=KeyKind.LOCKED_MAC, card=True)
    if age < 0:
        return replace(refused, rule="R3a")
    if age >= device.policies.fresh_ttl:
        return replace(refused, rule="R3", then=Then.STALE)
    return refused


def _first_fetch_admits(device: DeviceFacts, address: int) -> bool:
    policy = device.policies.first_fetch
    return policy == "anywhere" or (policy == "sites" and any(address in n for n in device.account_sites))


def _decide_locked(
    facts: RootFacts, device: DeviceFacts, address: int, *, window: bool, at_home: bool
) -> Verdict | None:
    """The rules that admit a device that is bound or was; None when none does."""
    now, caller = facts.now, facts.caller
    hand_out = device.hand_out
    if (
        at_home
        and hand_out is not None
        and same_origin(hand_out.origin, device.bound, address)
        and now - hand_out.at < REPEAT_TIME
        and not hand_out.used
    ):
        return Verdict(Outcome.BOOTSTRAP, "R4a", Then.REPEAT)
    if at_home and device.single_step:
        return Verdict(Outcome.BOOTSTRAP, "R4", Then.POLL)
    calm = sum(now - at < DAY for at in device.used_claims) < CLAIMS_A_DAY
    reset_allowed = not caller.shared or device.policies.shared_origin_reset == "allow"
    if at_home and reset_allowed and calm:
        return Verdict(Outcome.BOOTSTRAP, "R4", Then.CLAIM)
    if device.state is State.UNLOCKED and device.grant is not None and _in_scope(device, now, address):
        return Verdict(Outcome.BOOTSTRAP, "R7", Then.CLAIM, binds=True, spends_grant=True)
    if window:
        return Verdict(Outcome.BOOTSTRAP, "R5", Then.CLAIM, binds=True)
    if caller.certificate_mac == device.mac and device.policies.trust_factory_certificate:
        return Verdict(Outcome.BOOTSTRAP, "R5c", Then.CLAIM, binds=True, drops_grant=True)
    return None


def _in_scope(device: DeviceFacts, now: float, address: int) -> bool:
    """R7: the grant's scope holds the origin; under suspicion (E7) only a grant for one origin counts."""
    assert device.grant is not None
    if device.grant.origin is None:
        return now >= device.suspicion_until
    return address in device.grant.origin


# --- below a private URL -------------------------------------------------------------------------


# Not frozen, though nobody changes one: made for every request, and freezing costs most of the making.
@dataclass(slots=True)
class TokenFacts:
    """A token that was issued: for which MAC, what it is, and the device it belongs to."""

    mac: str
    kind: TokenKind
    code: str = ""  # the device's; empty when it is on none
    family: str = ""
    state: State = State.LOCKED
    enabled: bool = True
    bound: tuple[Network, ...] = ()
    origin: Network | None = None  # an entry token's
    until: float | None = None  # None: no end yet (current; former while no later token was used)
    superseded: bool = False  # a later token of this device has been used
    origins: tuple[tuple[Network, float], ...] = ()  # a former token's: given to or used from, when last
    used: bool = True  # the first use is a row already

    def is_dead(self, now: float, address: int) -> bool:
        """T4: over, or an entry token from another origin than its own."""
        if self.kind is TokenKind.DEAD or (self.until is not None and now >= self.until):
            return True
        return self.kind is TokenKind.ENTRY and not (
            self.origin is not None and same_origin(self.origin, self.bound, address)
        )

    def knows(self, now: float, address: int) -> bool:
        """T3: whether it was given to or used from this origin in the last 30 days; the bound site is one."""
        return any(
            address in n and now - at < FORMER_ORIGINS_KEPT
            for given, at in self.origins
            for n in (given, *(self.bound if any(b.holds(given) for b in self.bound) else ()))
        )


@dataclass(slots=True)  # as TokenFacts
class PrivateFacts:
    """A request below a private URL."""

    now: float
    method: Method
    asked: Asked
    caller: Caller
    token: TokenFacts | None
    known: bool = True
    overloaded: bool = False


def decide_private(facts: PrivateFacts) -> Verdict:
    """Return the verdict on a request below a private URL; the first rule of section 4 that fits."""
    address, token, now = facts.caller.address, facts.token, facts.now
    if address is None:
        return Verdict(Outcome.HELD, "G0")
    if facts.method is Method.OTHER:
        return Verdict(Outcome.REFUSED, "O0")
    if not facts.known or facts.overloaded:
        return Verdict(Outcome.HELD, "G6")
    if token is None and facts.caller.browser:  # a page's images of such URLs must not ban the office
        return Verdict(Outcome.REFUSED, "T5", key=KeyKind.BROWSER)
    if token is None:
        return Verdict(Outcome.REFUSED, "T5", key=KeyKind.BAD_TOKEN)
    if token.is_dead(now, address):
        return Verdict(Outcome.REFUSED, "T4", Then.AS_ROOT)
    if not token.enabled or token.state is State.QUARANTINED:
        return Verdict(Outcome.REFUSED, "O1")
    if facts.caller.blocked:
        return Verdict(Outcome.REFUSED, "O2")
    if facts.asked is Asked.FOREIGN:
        return Verdict(Outcome.REFUSED, "T8")
    clone = token.kind is TokenKind.FORMER and token.superseded
    if clone and not token.knows(now, address):
        # Both parties' tokens are out, and this one turns up where it never was: the root's rules decide.
        return Verdict(Outcome.REFUSED, "T4", Then.AS_ROOT, clone=_fetches(facts))
    if facts.method is Method.UPLOAD:
        return Verdict(Outcome.ACCEPTED, "O0")
    if facts.asked is Asked.COMMON:
        return Verdict(Outcome.COMMON, "G4")
    if facts.asked not in (Asked.FULL, Asked.KEPT, Asked.BOOK):
        return Verdict(Outcome.REFUSED, "O0")
    return _admitted(facts, token, address, clone=clone)


def _fetches(facts: PrivateFacts) -> bool:
    """A fetch of the full file; HEAD is none."""
    return facts.asked is Asked.FULL and facts.method is Method.GET


def _admitted(facts: PrivateFacts, token: TokenFacts, address: int, *, clone: bool) -> Verdict:
    drift = bool(token.bound) and not any(address in n for n in token.bound)
    if token.kind is TokenKind.ENTRY:
        rule, drift = "T1", False
    elif clone:
        rule, drift = "T3", False
    elif token.kind is TokenKind.FORMER:
        rule = "T2"
    else:
        rule = "O4" if drift else "O3"
    if not _fetches(facts):
        return _full(rule, Then.NOTHING, drift=False, clone=False)
    then = Then.NOTHING if token.kind is TokenKind.ENTRY else Then.CHECK_IN
    return _full(rule, then, drift=drift, clone=clone)


@functools.cache  # there are few of them, and every phone needs one every day
def _full(rule: str, then: Then, *, drift: bool, clone: bool) -> Verdict:
    return Verdict(Outcome.FULL, rule, then, drift=drift, clone=clone)


def as_root(verdict: Verdict) -> Verdict:
    """T4: the root's answer to a dead token; it never counts against an address."""
    return replace(verdict, key=None)


def origins_shared(networks: Iterable[Network], address: int) -> bool:
    """Whether the caller's origin is one of the shared ones."""
    return origin_of(address) in networks
