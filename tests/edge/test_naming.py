"""What a name is to a device: remembered answers equal the catalogue's own, for any path."""

from hypothesis import given
from hypothesis import strategies as st

from devices.catalog import catalog
from devices.paths import split_path
from provisioning.edge.naming import Names, stored_name
from provisioning.gate import Asked

MACS = ["00005e005301", "00005e005302", "00005e0053ab"]  # the first one is the memory's own sample
NAMES = Names(catalog())
FRESH = [(family.code, model) for family in catalog().families.values() for model in family.models]

OTHERS = ["/", "\0", "y000000000028", "firmware", "0a" * 16, ".log", "phone", "-app", "é", "İ", "%", " "]
pieces = st.sampled_from(
    [
        *MACS,
        *(mac.upper() for mac in MACS),
        *("00005E0053aB", ".cfg", ".boot", ".xml", ".htm", "-local", "-contact.xml", "snomD785-", "cfg"),
        *OTHERS,
    ]
)
paths = st.lists(pieces, min_size=1, max_size=5).map("".join)


@given(paths, st.sampled_from(MACS), st.sampled_from(FRESH))
def test_a_remembered_answer_is_the_catalogues(path: str, mac: str, phone: tuple[str, str]) -> None:
    segments = path.split("/")
    family, model = phone
    if "\0" in path or not all(segments):
        return  # split_path lets none of these through
    rule = catalog().own_file(family, model, mac, segments)

    asked = NAMES.below_private(family, model, mac, segments)

    assert (asked is Asked.FOREIGN) == (rule is None)
    assert asked is NAMES.below_private(family, model, mac, segments)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_path_or_a_bad_one(raw: bytes) -> None:
    segments = split_path(raw)

    if segments is None:
        return
    assert all(segment not in ("", ".", "..") and "\0" not in segment for segment in segments)
    NAMES.asked_at_root(NAMES.at_root(segments), None, "")
    assert "/" not in stored_name(segments)


def test_another_devices_name_is_foreign_even_after_its_own_was_asked() -> None:
    for family, model in FRESH:
        for first in MACS:
            for second in MACS:
                made = NAMES.made_names(family, model, second)[0]
                asked = NAMES.below_private(family, model, first, [made])
                assert asked is (Asked.FULL if first == second else Asked.FOREIGN)
