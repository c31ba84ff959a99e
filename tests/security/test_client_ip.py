"""The caller's address: what is believed, from whom, and when nothing is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.client_ip import client_ip, is_proxy
from security.networks import parse_address, parse_network

TRUSTED = (parse_network("10.0.0.0/8"), parse_network("2001:db8:1::/48"))


@pytest.mark.parametrize(
    ("case", "peer", "lines", "caller"),
    [
        ("a stranger's claims are ignored", "192.0.2.1", ["198.51.100.9"], "192.0.2.1"),
        ("one proxy", "10.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        ("two proxies", "10.0.0.1", ["198.51.100.9, 10.0.0.2"], "198.51.100.9"),
        ("what stands left was typed by the caller", "10.0.0.1", ["10.0.0.3, 198.51.100.9"], "198.51.100.9"),
        (
            "lines are joined in order",
            "10.0.0.1",
            ["203.0.113.5", "198.51.100.9", "10.0.0.2"],
            "198.51.100.9",
        ),
        ("garbage left of the caller", "10.0.0.1", ["garbage, 198.51.100.9"], "198.51.100.9"),
        ("garbage where the caller should be", "10.0.0.1", ["198.51.100.9, garbage"], None),
        ("an empty hop", "10.0.0.1", ["198.51.100.9, "], None),
        ("nobody left", "10.0.0.1", ["10.0.0.2, 10.0.0.3"], None),
        ("no header", "10.0.0.1", [], None),
        ("no peer", None, ["198.51.100.9"], None),
        ("a peer that is no address", "/run/edge.sock", ["198.51.100.9"], None),
        ("IPv4 in IPv6", "::ffff:10.0.0.1", ["::ffff:198.51.100.9"], "198.51.100.9"),
        ("a port", "10.0.0.1", ["198.51.100.9:5060"], "198.51.100.9"),
        ("brackets and a port", "10.0.0.1", ["[2001:db8:2::1]:443"], "2001:db8:2::1"),
        ("brackets alone", "10.0.0.1", ["[2001:db8:2::1]"], "2001:db8:2::1"),
        ("a zone", "fe80::1%eth0", [], "fe80::1"),
        ("an IPv6 proxy", "2001:db8:1::5", ["198.51.100.9"], "198.51.100.9"),
        ("a port that is none", "10.0.0.1", ["198.51.100.9:http"], None),
        ("IPv4 in brackets", "10.0.0.1", ["[198.51.100.9]"], None),
        ("a network", "10.0.0.1", ["198.51.100.0/24"], None),
        ("an octal octet", "10.0.0.1", ["198.051.100.9"], None),
        ("other digits", "10.0.0.1", ["１98.51.100.9"], None),  # noqa: RUF001
    ],
)
def test_client_ip(case: str, peer: str | None, lines: list[str], caller: str | None) -> None:
    assert client_ip(peer, lines, TRUSTED) == (None if caller is None else parse_address(caller))


addresses = st.ip_addresses().map(str)


@given(addresses, st.lists(st.text(max_size=40), max_size=3))
def test_without_trusted_networks_no_header_changes_the_caller(peer: str, lines: list[str]) -> None:
    assert client_ip(peer, lines, ()) == parse_address(peer)


@given(st.lists(st.text(max_size=40), max_size=4), addresses)
def test_whatever_the_caller_types_the_proxys_own_word_counts(typed: list[str], caller: str) -> None:
    if is_proxy(caller, TRUSTED):
        return

    assert client_ip("10.0.0.1", [*typed, caller], TRUSTED) == parse_address(caller)


@given(st.lists(st.text(max_size=40), max_size=4))
def test_an_answer_is_never_a_trusted_address(lines: list[str]) -> None:
    address = client_ip("10.0.0.1", lines, TRUSTED)

    assert address is None or not any(address in network for network in TRUSTED)
