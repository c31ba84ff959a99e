"""Who asks, behind proxies and without: addresses and client certificates."""

from collections.abc import Callable

import pytest

from provisioning.gate import KeyKind
from security.networks import parse_address
from tests.edge.serving import Doors, ServedEdge
from tests.edge.shelf import AGENT, MAC, Shelf, device, locked

PROXY = "127.0.5.1"
URL = f"/{MAC}.cfg"
PHONE = {"User-Agent": AGENT}


@pytest.fixture
def proxied(serve: Callable[..., ServedEdge], shelf: Shelf) -> ServedEdge:
    """An edge behind a proxy at 127.0.5.1."""
    return serve(trusted_proxies=["127.0.5.0/24"])


def test_a_peer_that_is_no_proxy_is_the_caller_whatever_it_claims(
    proxied: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.lock(locked("192.0.2.7"))
    claims = {
        **PHONE,
        "X-Forwarded-For": "192.0.2.7",
        "X-Real-IP": "192.0.2.7",
        "Forwarded": "for=192.0.2.7",
    }

    assert proxied.ask(URL, headers=claims, source="127.0.0.1").status == 404
    assert doors.claims == []


def test_the_right_most_hop_that_is_not_ours_is_the_caller(
    proxied: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.lock(device())
    lines = [
        ("User-Agent", AGENT),
        ("X-Forwarded-For", "10.0.0.1, ::ffff:192.0.2.7"),
        ("X-Forwarded-For", "127.0.5.9"),
    ]

    assert proxied.ask(URL, headers=lines, source=PROXY).status == 200
    assert doors.claims[0].address == parse_address("192.0.2.7")


@pytest.mark.rule("G0")
@pytest.mark.parametrize("forwarded", [None, "", "127.0.5.7", "unknown", "192.0.2.7, garbage"])
def test_a_caller_who_cannot_be_known_is_held_and_counts_against_nobody(
    proxied: ServedEdge, shelf: Shelf, doors: Doors, forwarded: str | None
) -> None:
    shelf.lock(device())
    headers = PHONE if forwarded is None else {**PHONE, "X-Forwarded-For": forwarded}

    for path in (URL, "/00005e0053fe.cfg", "/nonsense", "/d/" + "a1" * 20 + "/x"):
        assert proxied.ask(path, headers=headers, source=PROXY).status == 503
    assert proxied.ask(URL, headers=headers, source=PROXY, method="PUT", body=b"x").status == 404

    assert doors.claims == []
    assert list(shelf.client.scan_iter("k:*")) == []


@pytest.mark.rule("R13")
def test_a_certificate_counts_from_a_proxy_only_and_only_when_verified(
    proxied: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.lock(device())
    other = {"X-Client-Verify": "SUCCESS", "X-Client-S-DN": "CN=00005E0053AA,O=Maker"}
    caller = {**PHONE, "X-Forwarded-For": "192.0.2.7"}

    assert proxied.ask(URL, headers={**PHONE, **other}, source="127.0.0.1").status == 200
    unverified = {**other, "X-Client-Verify": "FAILED:expired"}
    assert proxied.ask(URL, headers={**caller, **unverified}, source=PROXY).status == 200
    assert [request.certificate_mac for request in doors.claims] == [None, None]

    assert proxied.ask(URL, headers={**caller, **other}, source=PROXY).status == 404
    shelf.noted(1)
    assert shelf.failures("192.0.2.7") == {(KeyKind.WRONG_CERTIFICATE, MAC)}


def test_the_phones_own_certificate_is_handed_to_the_claim(
    proxied: ServedEdge, shelf: Shelf, doors: Doors
) -> None:
    shelf.lock(device())
    own = {"X-Client-Verify": "SUCCESS", "X-Client-S-DN": "/O=Maker/CN=00:00:5E:00:53:01"}

    proxied.ask(URL, headers={**PHONE, **own, "X-Forwarded-For": "192.0.2.7"}, source=PROXY)

    assert [request.certificate_mac for request in doors.claims] == [MAC]


def test_two_names_in_a_certificates_header_are_none(proxied: ServedEdge, shelf: Shelf, doors: Doors) -> None:
    shelf.lock(device())
    lines = [
        ("User-Agent", AGENT),
        ("X-Forwarded-For", "192.0.2.7"),
        ("X-Client-Verify", "SUCCESS"),
        ("X-Client-S-DN", f"CN={MAC}"),
        ("X-Client-S-DN", "CN=00005E0053AA"),
    ]

    proxied.ask(URL, headers=lines, source=PROXY)

    assert [request.certificate_mac for request in doors.claims] == [None]


@pytest.mark.parametrize(
    ("case", "proto", "source", "secure"),
    [
        ("the proxy says so", "https", PROXY, True),
        ("the proxy says not", "http", PROXY, False),
        ("the proxy says nothing", None, PROXY, False),
        ("a caller says so", "https", "127.0.0.1", False),
    ],
)
def test_only_a_proxy_of_ours_says_that_it_was_https(
    proxied: ServedEdge, shelf: Shelf, doors: Doors, case: str, proto: str | None, source: str, secure: bool
) -> None:
    shelf.lock(device())
    headers = {**PHONE, "X-Forwarded-For": "192.0.2.7"}
    if proto is not None:
        headers["X-Forwarded-Proto"] = proto

    assert proxied.ask(URL, headers=headers, source=source).status == 200
    assert [request.secure for request in doors.claims] == [secure]
