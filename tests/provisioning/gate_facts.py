"""Valid facts for the gate without arguments; tests state only what matters."""

from typing import Any

from provisioning.gate import (
    Asked,
    Caller,
    DeviceFacts,
    Method,
    PrivateFacts,
    RootFacts,
    State,
    TokenFacts,
    TokenKind,
    Window,
)
from security.networks import Network, origin_of, parse_address, parse_network

NOW = 1_800_000_000.0
MINUTE = 60.0
HOUR = 3600.0
DAY = 24 * HOUR

MAC = "00005e00531a"
OTHER_MAC = "00005e00532c"
CODE = "9b2f6a0e-0000-4000-8000-000000000001"
FAMILY = "alpha"
ACCOUNT = "000100020003"

HOME = parse_address("203.0.113.24")
AWAY = parse_address("198.51.100.7")
ELSEWHERE = parse_address("192.0.2.44")
HOME_ORIGIN = origin_of(HOME)
AWAY_ORIGIN = origin_of(AWAY)
OFFICE = parse_network("203.0.113.0/27")
OFFICE_TOO = parse_network("198.51.100.0/29")


def device(**changes: Any) -> DeviceFacts:
    """A phone that is locked to HOME and whose tokens have been in use for a week."""
    facts: dict[str, Any] = {
        "code": CODE,
        "mac": MAC,
        "family": FAMILY,
        "account_path": ACCOUNT,
        "state": State.LOCKED,
        "bound": (HOME_ORIGIN,),
        "armed_at": NOW - 10 * DAY,
    }
    return DeviceFacts(**{**facts, **changes})


def fresh(**changes: Any) -> DeviceFacts:
    """A phone that was entered an hour ago and never fetched."""
    return device(**{"state": State.NEW, "bound": (), "armed_at": NOW - HOUR, **changes})


def caller(address: int | None = AWAY, **changes: Any) -> Caller:
    """The phone's own agent, asking from AWAY."""
    facts: dict[str, Any] = {"agent_family": FAMILY, "agent_mac": MAC, "agent_product": "Alpha SIP-T1"}
    return Caller(address=address, **{**facts, **changes})


def root(phone: DeviceFacts | None, who: Caller | None = None, /, **changes: Any) -> RootFacts:
    """A GET of a claiming file."""
    facts: dict[str, Any] = {"now": NOW, "method": Method.GET, "asked": Asked.CLAIMING}
    return RootFacts(**{**facts, "caller": who or caller(), "device": phone, **changes})


def window(origin: Network = AWAY_ORIGIN, **changes: Any) -> Window:
    """A window of the phone's account at AWAY that opened an hour ago and ends in an hour."""
    facts: dict[str, Any] = {"account_path": ACCOUNT, "starts": NOW - HOUR, "ends": NOW + HOUR}
    return Window(origin=origin, **{**facts, **changes})


def token(kind: TokenKind = TokenKind.CURRENT, **changes: Any) -> TokenFacts:
    """A token of the phone that is locked to HOME."""
    facts: dict[str, Any] = {"mac": MAC, "code": CODE, "family": FAMILY, "bound": (HOME_ORIGIN,)}
    if kind is TokenKind.ENTRY:
        facts |= {"origin": HOME_ORIGIN, "until": NOW + 10 * MINUTE}
    return TokenFacts(kind=kind, **{**facts, **changes})


def private(its: TokenFacts | None, who: Caller | None = None, /, **changes: Any) -> PrivateFacts:
    """A GET of the full file from HOME."""
    facts: dict[str, Any] = {"now": NOW, "method": Method.GET, "asked": Asked.FULL}
    return PrivateFacts(**{**facts, "caller": who or caller(HOME), "token": its, **changes})
