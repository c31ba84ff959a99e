"""What holds for every request whatsoever: hypothesis on the pure gate, and a second reading of the table."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from provisioning.gate import (
    Asked,
    Caller,
    Denial,
    DeviceFacts,
    Grant,
    HandOut,
    KeyKind,
    Method,
    Outcome,
    Policies,
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
from security.networks import Network, origin_of, parse_address, parse_network
from tests.provisioning.gate_facts import (
    ACCOUNT,
    CODE,
    DAY,
    FAMILY,
    HOUR,
    MAC,
    NOW,
    OTHER_MAC,
    caller,
    device,
    root,
)

# Few addresses and few moments, so that they meet: an address that nobody knows is the dull case.
ADDRESSES = [
    parse_address(text)
    for text in ("203.0.113.24", "203.0.113.25", "198.51.100.7", "2001:db8:0:1::7", "2001:db8:0:1::8")
]
NETWORKS = [*(origin_of(address) for address in ADDRESSES), parse_network("203.0.113.0/24")]
MOMENTS = [NOW + shift for shift in (-40 * DAY, -7 * DAY, -DAY, -HOUR, -60, -1, 0, 1, 60, HOUR, DAY)]

addresses = st.sampled_from(ADDRESSES)
networks = st.sampled_from(NETWORKS)
moments = st.sampled_from(MOMENTS)
macs = st.sampled_from([None, MAC, OTHER_MAC])

policies = st.builds(
    Policies,
    fresh_ttl=st.sampled_from([HOUR, 7 * DAY]),
    match_user_agent=st.booleans(),
    trust_factory_certificate=st.booleans(),
    shared_origin_reset=st.sampled_from(["approve", "allow"]),
    first_fetch=st.sampled_from(["anywhere", "sites", "approval"]),
)
grants = st.builds(Grant, until=st.none() | moments, origin=st.none() | networks, given_at=moments)
phones = st.builds(
    DeviceFacts,
    code=st.just(CODE),
    mac=st.just(MAC),
    family=st.just(FAMILY),
    account_path=st.just(ACCOUNT),
    state=st.sampled_from(State),
    enabled=st.sampled_from([True, True, True, False]),
    site=st.sampled_from([None, "s1"]),
    single_step=st.booleans(),
    bound=st.lists(networks, max_size=2).map(tuple),
    armed_at=moments,
    grant=st.none() | grants,
    hand_out=st.none() | st.builds(HandOut, at=moments, origin=networks, used=st.booleans()),
    denied=st.lists(st.builds(Denial, network=networks, since=moments, until=moments), max_size=2).map(tuple),
    suspicion_until=moments,
    accepted_agents=st.sampled_from([frozenset(), frozenset({"Odd Phone"})]),
    used_claims=st.lists(moments, max_size=8).map(tuple),
    last_claim_at=moments,
    account_sites=st.lists(networks, max_size=2).map(tuple),
    policies=policies,
).map(lambda d: d if d.state is State.UNLOCKED else replace(d, grant=None))
callers = st.builds(
    Caller,
    address=addresses | st.none(),
    agent_family=st.sampled_from([FAMILY, FAMILY, "beta", None]),
    agent_mac=macs,
    agent_product=st.sampled_from([None, "Odd Phone"]),
    certificate_mac=macs,
    browser=st.sampled_from([False, False, True]),
    banned=st.sampled_from([False, False, True]),
    blocked=st.sampled_from([False, False, True]),
    shared=st.booleans(),
    claims_pressed=st.sampled_from([False, False, True]),
    proofs=st.sampled_from([0, 10]),
)
windows = st.builds(
    Window,
    origin=networks,
    account_path=st.sampled_from([ACCOUNT, ACCOUNT[:8], ACCOUNT[:8] + "0009"]),
    starts=moments,
    ends=moments,
    site=st.sampled_from([None, "s1", "s2"]),
    devices=st.sampled_from([None, frozenset({CODE}), frozenset()]),
)
root_requests = st.builds(
    RootFacts,
    now=st.just(NOW),
    method=st.sampled_from([Method.GET, Method.GET, Method.GET, *Method]),
    asked=st.sampled_from([Asked.CLAIMING, Asked.CLAIMING, Asked.CLAIMING, *Asked]),
    caller=callers,
    device=phones | st.none(),
    names_mac=st.booleans(),
    nonce_fits=st.booleans(),
    windows=st.lists(windows, max_size=2).map(tuple),
    known=st.sampled_from([True, True, True, False]),
    database=st.sampled_from([True, True, True, False]),
    overloaded=st.sampled_from([False, False, False, True]),
)
claiming = st.builds(
    RootFacts,
    now=st.just(NOW),
    method=st.just(Method.GET),
    asked=st.just(Asked.CLAIMING),
    caller=callers.map(lambda c: replace(c, banned=False, blocked=False, browser=False)),
    device=phones,
    windows=st.lists(windows, max_size=2).map(tuple),
)
tokens = st.builds(
    TokenFacts,
    mac=st.just(MAC),
    kind=st.sampled_from(TokenKind),
    code=st.just(CODE),
    family=st.just(FAMILY),
    state=st.sampled_from(State),
    enabled=st.sampled_from([True, True, True, False]),
    bound=st.lists(networks, max_size=2).map(tuple),
    origin=st.none() | networks,
    until=st.none() | moments,
    superseded=st.booleans(),
    origins=st.lists(st.tuples(networks, moments), max_size=2).map(tuple),
    used=st.booleans(),
)
private_requests = st.builds(
    PrivateFacts,
    now=st.just(NOW),
    method=st.sampled_from([Method.GET, Method.GET, *Method]),
    asked=st.sampled_from([Asked.FULL, Asked.FULL, *Asked]),
    caller=callers,
    token=tokens | st.none(),
    known=st.sampled_from([True, True, True, False]),
    overloaded=st.sampled_from([False, False, False, True]),
)

ROOT_RULES = {
    *("P", "G0", "G1", "G2", "G3", "G4", "G5", "G6"),
    *("R1", "R2", "R3", "R3a", "R3b", "R4", "R4a", "R5", "R5c", "R6", "R7", "R9"),
    *("R10", "R11", "R12", "R13", "R14"),
}
PRIVATE_RULES = {"G0", "G4", "G6", "O0", "O1", "O2", "O3", "O4", "T1", "T2", "T3", "T4", "T5", "T8"}


def changes_nothing(verdict: Verdict) -> bool:
    return verdict.then in (Then.NOTHING, Then.AS_ROOT) and not (
        verdict.binds or verdict.spends_grant or verdict.drops_grant or verdict.clone or verdict.drift
    )


@given(root_requests)
def test_a_phone_that_is_shut_gets_nothing_at_the_root(request: RootFacts) -> None:
    known = request.device
    assume(known is not None)
    assert known is not None
    shut = known.state in (State.QUARANTINED, State.RETIRED) or not known.enabled

    if shut:
        assert decide_root(request).outcome not in (Outcome.FULL, Outcome.BOOTSTRAP)


@given(private_requests)
def test_a_phone_that_is_shut_gets_nothing_below_its_private_url(request: PrivateFacts) -> None:
    token = request.token
    assume(token is not None)
    assert token is not None

    if token.state is State.QUARANTINED or not token.enabled:
        assert decide_private(request).outcome not in (Outcome.FULL, Outcome.BOOTSTRAP)


@given(root_requests)
def test_what_does_not_claim_changes_no_state_at_the_root(request: RootFacts) -> None:
    verdict = decide_root(request)

    if request.method is not Method.GET or request.asked is not Asked.CLAIMING:
        assert verdict.outcome not in (Outcome.FULL, Outcome.BOOTSTRAP)
        assert changes_nothing(verdict)
        assert not verdict.card


@given(private_requests)
def test_what_is_no_fetch_of_the_full_file_changes_no_state_below(request: PrivateFacts) -> None:
    if request.method is not Method.GET or request.asked is not Asked.FULL:
        assert changes_nothing(decide_private(request))


@given(root_requests)
def test_a_refusal_changes_nothing_but_what_its_then_says(request: RootFacts) -> None:
    verdict = decide_root(request)

    if verdict.outcome not in (Outcome.REFUSED, Outcome.HELD):
        return
    assert (verdict.binds, verdict.spends_grant, verdict.drops_grant) == (False, False, False)
    assert verdict.then is (Then.STALE if verdict.rule == "R3" else Then.NOTHING)
    if verdict.outcome is Outcome.HELD:
        assert verdict == Verdict(Outcome.HELD, verdict.rule)


@given(root_requests)
def test_every_request_is_answered_by_one_rule_of_section_3(request: RootFacts) -> None:
    assert decide_root(request).rule in ROOT_RULES


@given(private_requests)
def test_every_request_is_answered_by_one_rule_of_section_4(request: PrivateFacts) -> None:
    assert decide_private(request).rule in PRIVATE_RULES


@given(root_requests)
def test_a_ban_and_a_browser_keep_what_they_are(request: RootFacts) -> None:
    verdict = decide_root(request)
    assume(request.asked is not Asked.PROOF and request.caller.address is not None)

    if request.caller.banned or request.caller.blocked:
        assert verdict == Verdict(Outcome.REFUSED, "G1")
    elif request.caller.browser:
        assert verdict == Verdict(Outcome.REFUSED, "G2", key=KeyKind.BROWSER)


@given(claiming)
def test_under_suspicion_only_an_unlock_for_one_origin_counts(request: RootFacts) -> None:
    assert request.device is not None
    verdict = decide_root(request)

    if verdict.rule == "R7" and request.now < request.device.suspicion_until:
        assert request.device.grant is not None
        assert request.device.grant.origin is not None


@given(claiming, addresses, callers, st.none() | st.just(NOW + HOUR), st.sampled_from([0.0, 1.0, 2.0, HOUR]))
def test_an_unlock_is_used_once(
    request: RootFacts, address: int, second: Caller, until: float | None, later: float
) -> None:
    assert request.device is not None
    unlocked = device(
        state=State.UNLOCKED, grant=Grant(until, None, NOW - HOUR), bound=(), policies=request.device.policies
    )
    request = replace(request, device=unlocked, caller=caller(address))
    assert decide_root(request).spends_grant
    bound = origin_of(address)
    taken = replace(
        unlocked,
        state=State.LOCKED,
        grant=None,
        bound=(bound,),
        hand_out=HandOut(NOW, bound, used=False),
        last_claim_at=NOW,
    )

    verdict = decide_root(replace(request, device=taken, caller=second, now=NOW + later))

    assert not verdict.spends_grant
    assert verdict.rule != "R7"


@given(root_requests)
def test_a_dead_token_counts_against_nobody(request: RootFacts) -> None:
    assert as_root(decide_root(request)).key is None


@given(claiming)
def test_the_bound_origin_is_never_counted_as_a_foreign_one(request: RootFacts) -> None:
    assert request.device is not None
    verdict = decide_root(request)

    if request.caller.address is not None and any(request.caller.address in n for n in request.device.bound):
        assert verdict.key is not KeyKind.LOCKED_MAC or request.device.state is State.NEW


# --- the table, read a second time -------------------------------------------------------------------------

Guard = Callable[[RootFacts, DeviceFacts, Caller, int], bool]


def _bound(d: DeviceFacts, a: int) -> bool:
    return any(n.first <= a <= n.last for n in d.bound)


def _open(f: RootFacts, d: DeviceFacts, a: int) -> bool:
    return any(
        w.origin.first <= a <= w.origin.last
        and w.starts <= f.now
        and f.now < w.ends
        and w.account_path in [d.account_path[:end] for end in range(4, len(d.account_path) + 1, 4)]
        and w.site in (None, d.site)
        and (w.devices is None or d.code in w.devices)
        for w in f.windows
    )


def _granted(f: RootFacts, d: DeviceFacts) -> bool:
    """Unlocked, and not over by R8."""
    if d.state is not State.UNLOCKED:
        return False
    return d.grant is not None and (d.grant.until is None or f.now < d.grant.until)


def _scoped(d: DeviceFacts, a: int) -> bool:
    return d.grant is not None and d.grant.origin is not None and a in d.grant.origin


def _denied(f: RootFacts, d: DeviceFacts, a: int) -> bool:
    given_at = d.grant.given_at if d.grant is not None and _scoped(d, a) else None
    return any(
        a in n.network and f.now < n.until and not (given_at is not None and given_at >= n.since)
        for n in d.denied
    )


def _given_here(f: RootFacts, d: DeviceFacts, a: int) -> bool:
    h = d.hand_out
    if h is None or h.used or f.now - h.at >= 1800:
        return False
    return a in h.origin or any(n.first <= h.origin.first and h.origin.last <= n.last for n in d.bound)


def _new(d: DeviceFacts) -> bool:
    return d.state is State.NEW


def _agent_is_odd(d: DeviceFacts, c: Caller) -> bool:
    odd = c.agent_family != d.family or (c.agent_mac is not None and c.agent_mac != d.mac)
    return odd and d.policies.match_user_agent and c.agent_product not in d.accepted_agents


def _age(f: RootFacts, d: DeviceFacts) -> float:
    return f.now - d.armed_at


TABLE: list[tuple[str, Guard]] = [
    ("R10", lambda f, d, c, a: d.state in (State.QUARANTINED, State.RETIRED) or not d.enabled),
    ("R13", lambda f, d, c, a: c.certificate_mac not in (None, d.mac)),
    ("R12", lambda f, d, c, a: _agent_is_odd(d, c)),
    ("R14", lambda f, d, c, a: _denied(f, d, a) and not _open(f, d, a)),
    ("R4a", lambda f, d, c, a: not _new(d) and _bound(d, a) and _given_here(f, d, a)),
    (
        "R4",
        lambda f, d, c, a: (
            not _new(d)
            and _bound(d, a)
            and (
                d.single_step
                or (
                    (not c.shared or d.policies.shared_origin_reset == "allow")
                    and len([at for at in d.used_claims if f.now - at < DAY]) <= 5
                )
            )
        ),
    ),
    (
        "R1",
        lambda f, d, c, a: (
            _new(d)
            and _age(f, d) >= 0
            and _age(f, d) < d.policies.fresh_ttl
            and (
                d.policies.first_fetch == "anywhere"
                or (d.policies.first_fetch == "sites" and any(a in n for n in d.account_sites))
            )
        ),
    ),
    ("R2", lambda f, d, c, a: _new(d) and _open(f, d, a)),
    ("R3a", lambda f, d, c, a: _new(d) and _age(f, d) < 0),
    ("R3", lambda f, d, c, a: _new(d) and _age(f, d) >= d.policies.fresh_ttl),
    ("R3b", lambda f, d, c, a: _new(d)),
    (
        "R7",
        lambda f, d, c, a: (
            _granted(f, d)
            and (
                _scoped(d, a)
                or (d.grant is not None and d.grant.origin is None and f.now >= d.suspicion_until)
            )
        ),
    ),
    ("R5", lambda f, d, c, a: _open(f, d, a)),
    ("R5c", lambda f, d, c, a: c.certificate_mac == d.mac and d.policies.trust_factory_certificate),
    ("R9", lambda f, d, c, a: _granted(f, d)),
    ("R6", lambda f, d, c, a: True),
]


@given(claiming)
@example(root(device(), caller()))
def test_the_first_row_of_the_table_that_fits_decides(request: RootFacts) -> None:
    known, who = request.device, request.caller
    assume(who.address is not None)
    assert known is not None
    assert who.address is not None
    assume(known.state is not State.UNLOCKED or known.grant is not None)

    fits = next(rule for rule, guard in TABLE if guard(request, known, who, who.address))

    assert decide_root(request).rule == fits


@pytest.mark.parametrize("network", NETWORKS)
def test_the_networks_that_are_drawn_are_networks(network: Network) -> None:
    assert network.first <= network.last
