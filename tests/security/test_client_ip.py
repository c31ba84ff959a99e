"""The caller's address: what is believed, from whom, and when nothing is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.edge.reading import find_caller
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
        ("a port and nothing before it", "10.0.0.1", [":5060"], None),
        ("a colon and no port", "10.0.0.1", ["198.51.100.9:"], None),
        ("a trailing dot", "10.0.0.1", ["198.51.100.9."], None),
        ("a host name", "10.0.0.1", ["phone.example.org"], None),
        ("a number", "10.0.0.1", ["3325256713"], None),
        ("a half in hexadecimal", "10.0.0.1", ["0xc6.51.100.9"], None),
        ("as RFC 7239 spells it", "10.0.0.1", ['for="198.51.100.9"'], None),
        ("a bracket that is not closed", "10.0.0.1", ["[2001:db8:2::1"], None),
        ("a zone and a port", "10.0.0.1", ["[fe80::1%eth0]:80"], "fe80::1"),
        ("a zone alone", "10.0.0.1", ["%eth0"], None),
        ("a trusted hop in another spelling", "10.0.0.1", ["198.51.100.9, ::FFFF:A00:2"], "198.51.100.9"),
        ("a trusted hop with a port", "10.0.0.1", ["198.51.100.9, 10.0.0.2:8080"], "198.51.100.9"),
        ("an empty line after the proxy's", "10.0.0.1", ["198.51.100.9", ""], None),
        ("an empty line before it", "10.0.0.1", ["", "198.51.100.9"], "198.51.100.9"),
        ("a hundred hops that were typed", "10.0.0.1", [*["10.0.0.9"] * 100, "198.51.100.9"], "198.51.100.9"),
        ("a liar beside a proxy's network", "11.0.0.1", ["198.51.100.9"], "11.0.0.1"),
        ("a liar who names a proxy", "192.0.2.1", ["10.0.0.1"], "192.0.2.1"),
        ("a liar in IPv4-mapped IPv6", "::ffff:192.0.2.1", ["198.51.100.9"], "192.0.2.1"),
        ("the last proxy's own caller is a liar", "10.0.0.1", ["198.51.100.9, 192.0.2.1"], "192.0.2.1"),
        ("other digits", "10.0.0.1", ["１98.51.100.9"], None),  # noqa: RUF001
    ],
)
def test_client_ip(case: str, peer: str | None, lines: list[str], caller: str | None) -> None:
    assert client_ip(peer, lines, TRUSTED) == (None if caller is None else parse_address(caller))


# --- one address has one standing --------------------------------------------------------------------------

SPELLINGS = {
    "198.51.100.9": [
        *("198.51.100.9", " 198.51.100.9 ", "198.51.100.9:5060", "::ffff:198.51.100.9"),
        *("::FFFF:C633:6409", "0:0:0:0:0:ffff:c633:6409", "[::ffff:198.51.100.9]:80"),
        "::ffff:198.51.100.9%eth0",
    ],
    "2001:db8:2::a": [
        *("2001:db8:2::a", "2001:DB8:2::A", "2001:0db8:0002:0000:0000:0000:0000:000a"),
        *("[2001:db8:2::a]", "[2001:DB8:2::a]:443", "2001:db8:2::a%eth0", "2001:db8:2::0.0.0.10"),
    ],
}
SPOKEN = [(address, spelling) for address, spellings in SPELLINGS.items() for spelling in spellings]


@pytest.mark.parametrize(("address", "spelling"), SPOKEN)
def test_one_address_has_one_standing_however_a_proxy_spells_it(address: str, spelling: str) -> None:
    line = spelling.encode()
    behind = [
        find_caller("10.0.0.1", lines, TRUSTED)[0]
        for lines in (
            (line,),
            (b"203.0.113.5, " + line,),
            (b"203.0.113.5", b"garbage", line),
            (line + b", 10.0.0.2", b"::ffff:10.0.0.3"),
        )
    ]

    alone, _ = find_caller(address, (), TRUSTED)

    assert alone is not None
    for where in behind:
        assert where is not None
        assert (where.address, where.key, where.standings) == (
            alone.address,
            alone.key,
            alone.standings,
        )


@pytest.mark.parametrize(
    ("case", "one", "other", "same"),
    [
        ("two hosts of one /64", "2001:db8:2::a", "2001:db8:2::ffff:1", True),
        ("two /64s", "2001:db8:2::a", "2001:db8:2:1::a", False),
        ("two IPv4 addresses side by side", "198.51.100.9", "198.51.100.8", False),
        (
            "IPv4, and its digits at the end of IPv6",
            "198.51.100.9",
            "2001:db8::198.51.100.9",
            False,
        ),
        ("IPv4, and the same without the mapping's mark", "198.51.100.9", "::198.51.100.9", False),
    ],
)
def test_which_addresses_share_a_standing(case: str, one: str, other: str, same: bool) -> None:
    (first, _), (second, _) = find_caller(one, (), ()), find_caller(other, (), ())

    assert first is not None
    assert second is not None
    assert (first.key == second.key) is same
    assert (first.standings == second.standings) is same


LIES = [
    (b"10.0.0.1",),
    (b"192.0.2.77",),
    (b"192.0.2.77", b"10.0.0.1"),
    (b"::1, 127.0.0.1",),
    (b"",),
    (b"\xff\xfe",),
    (b"192.0.2.77," * 500,),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: repr(lie[0][:20]))
def test_a_liar_gains_nothing(lie: tuple[bytes, ...]) -> None:
    """Neither another standing, nor to be believed about his certificate, nor to be held as an unknown."""
    alone, _ = find_caller("192.0.2.1", (), TRUSTED)
    through, _ = find_caller("10.0.0.1", (b"192.0.2.1",), TRUSTED)
    assert alone is not None
    assert through is not None

    direct, believed = find_caller("192.0.2.1", lie, TRUSTED)
    proxied, _ = find_caller("10.0.0.1", (*lie, b"192.0.2.1"), TRUSTED)

    assert direct is not None
    assert proxied is not None
    assert not believed
    assert {direct.key, proxied.key, through.key} == {alone.key}


# --- whatever is typed -------------------------------------------------------------------------------------

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
