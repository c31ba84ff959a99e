"""MAC addresses in any usual spelling."""

import pytest

from devices.mac import parse_mac, pretty


@pytest.mark.parametrize(
    "text",
    ["00005e00531a", "00:00:5E:00:53:1A", "00-00-5e-00-53-1a", "0000.5e00.531a", " 00 00 5e 00 53 1a "],
)
def test_usual_spellings(text):
    assert parse_mac(text) == "00005e00531a"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "nothing"),
        ("00005e00531", "11"),
        ("00005e00531aa", "13"),
        ("00005e00531g", "'g'"),
        ("00_00_5e", "'_'"),
        ("000000000000", "zeros"),
        ("\uff10\uff10005e00531a", "none"),
    ],
)
def test_what_is_none(text, told):
    with pytest.raises(ValueError, match=told):
        parse_mac(text)


def test_a_person_reads_it_in_pairs():
    assert pretty("00005e00531a") == "00:00:5E:00:53:1A"
