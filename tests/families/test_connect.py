"""How new phones are told of the root: what each maker's tables say, by the sources named beside it there."""

import pytest

from devices.catalog import catalog
from devices.family import Connect
from devices.paths import FileKind

ROOT = "https://phones.example.org"
MAC = "00005e005301"

#: The options that carry the address as a plain text, the one to use first.
OPTIONS = {
    "cisco": ("160", "66"),  # 43 and 125 belong to TR-069, 150 is a list of IP addresses
    "fanvil": ("66",),
    "grandstream": ("66", "160"),  # 43 is vendor specific
    "poly": ("160", "66"),
    "snom": ("66",),  # 43 is packed, 67 is the rest of the address
    "yealink": ("66", "43"),
}
#: What a phone puts its MAC in place of.
MACROS = ("$MA", "$mac")


def _connect(family: str) -> Connect:
    found = catalog().families[family].connect
    assert found is not None
    return found


@pytest.mark.parametrize("family", sorted(catalog().families))
def test_an_option_is_offered_only_where_it_holds_a_plain_text(family: str) -> None:
    assert _connect(family).options == OPTIONS[family]


@pytest.mark.parametrize("family", sorted(catalog().families))
def test_the_address_leads_to_the_root_or_to_the_phones_own_file_there(family: str) -> None:
    connect = _connect(family)

    for pattern in (connect.value, connect.by_hand):
        address = connect.address(pattern, ROOT)
        path = address.removeprefix("https://").removeprefix("phones.example.org")
        for macro in MACROS:
            path = path.replace(macro, MAC)
        if path.strip("/"):
            match = catalog().match(path)
            assert match is not None
            rule = match.rule_for(family)
            assert (rule and rule.kind, match.mac) == (FileKind.CLAIMING, MAC)


@pytest.mark.parametrize(
    ("family", "value"),
    [
        ("cisco", f"{ROOT}/$MA.xml"),
        ("fanvil", f"{ROOT}/$mac.cfg"),
        ("grandstream", ROOT),
        ("poly", f"{ROOT}/"),
        ("snom", f"{ROOT}/"),
        ("yealink", f"{ROOT}/"),
    ],
)
def test_the_value_is_the_one_that_the_maker_wants(family: str, value: str) -> None:
    connect = _connect(family)

    assert connect.address(connect.value, ROOT) == value


@pytest.mark.parametrize(
    ("family", "place"),
    [("fanvil", "fdps.fanvil.com"), ("snom", "sraps.snom.com")],
)
def test_people_are_sent_to_the_place_where_they_sign_in(family: str, place: str) -> None:
    assert place in _connect(family).steps[0]


def test_nobody_is_sent_to_a_host_that_is_switched_off_or_that_phones_alone_ask() -> None:
    for family in catalog().families:
        steps = " ".join(_connect(family).steps)
        for host in ("webapps.cisco.com", "activate.cisco.com", "secure-provisioning.snom.com"):
            assert host not in steps
