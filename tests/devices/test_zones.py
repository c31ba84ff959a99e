"""Time zones come from our own table, the same on every machine."""

import pytest

from devices.zones import Turn, Zone, zone, zone_names


def test_every_zone_of_the_table_can_be_read():
    for name in zone_names():
        found = zone(name)
        assert -12 * 60 <= found.offset <= 14 * 60
        for turn in filter(None, (found.start, found.end)):
            assert 1 <= turn.month <= 12
            assert 1 <= turn.week <= 5
            assert 1 <= turn.weekday <= 7
            assert 0 <= turn.hour <= 23


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Europe/Berlin", Zone("Europe/Berlin", 60, 60, Turn(3, 5, 7, 2), Turn(10, 5, 7, 3))),
        ("Europe/Dublin", Zone("Europe/Dublin", 0, 60, Turn(3, 5, 7, 1), Turn(10, 5, 7, 2))),
        ("America/Santiago", Zone("America/Santiago", -240, 60, Turn(9, 1, 6, 23), Turn(4, 1, 6, 23))),
        ("Africa/Cairo", Zone("Africa/Cairo", 120, 60, Turn(4, 5, 5, 0), Turn(10, 5, 4, 23))),
        ("Asia/Kathmandu", Zone("Asia/Kathmandu", 345)),
    ],
)
def test_zones(name, found):
    assert zone(name) == found


def test_an_unknown_zone():
    with pytest.raises(ValueError, match="Mars"):
        zone("Mars/Olympus")
