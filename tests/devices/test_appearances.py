"""Lines and keys of a phone: what fits on the model, what is shared, what was lost, who is told."""

from dataclasses import replace

import pytest

from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from devices import appearances, extensions
from devices.appearances import AppearanceRow, KeyRow
from devices.models import Appearance, Device, Extension, Key
from devices.phone import KeyKind
from provisioning import entering
from provisioning.events import described
from provisioning.models import DeviceEvent, Lock
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree() -> Tree:
    return plant()


def phone_of(tree: Tree, number: int, *, family: str = "yealink", model: str = "T46S") -> Device:
    mac = f"00005e0053{number:02x}"
    return entering.enter(tree.acme, by=tree.ana, mac=mac, family=family, model=model)


def line_of(tree: Tree, username: str) -> Extension:
    return extensions.create(tree.acme, by=tree.ana, username=username, secret="a secret of its own")


def grown(before: dict[int, int]) -> set[int]:
    return {pk for pk, number in revisions().items() if number > before[pk]}


def revisions() -> dict[int, int]:
    return dict(Lock.objects.values_list("pk", "files_revision"))


def test_the_whole_set_is_put_and_the_loss_is_told(tree: Tree) -> None:
    phone, one, two = phone_of(tree, 1), line_of(tree, "4101"), line_of(tree, "4102")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one, "Me"), AppearanceRow(3, two)])

    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one, "Me")])

    assert [(a.position, a.extension, a.label) for a in phone.appearances.all()] == [(1, one, "Me")]
    lost = [{"position": 3, "extension": "4102", "label": "", "ring": "now"}]
    entry = AuditEntry.objects.latest("id")
    assert entry.verb == "device.lines-changed"
    assert entry.details == {"lost": lost, "added": [], "summary": "appearance 4102 on key 3 removed"}
    event = DeviceEvent.objects.latest("id")
    words = "Lines changed: appearance 4102 on key 3 removed by Ana (ana@example.org)."
    assert (event.what, described(event).sentence) == ("lines-changed", words)


def test_the_same_set_again_changes_nothing(tree: Tree) -> None:
    phone, one = phone_of(tree, 1), line_of(tree, "4101")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one)])
    before, audited = revisions(), AuditEntry.objects.count()

    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one)])

    assert (grown(before), AuditEntry.objects.count()) == (set(), audited)


def test_an_extension_is_named_by_code_or_user_name(tree: Tree) -> None:
    phone, one, two = phone_of(tree, 1), line_of(tree, "4101"), line_of(tree, "4102")

    appearances.put(
        phone,
        by=tree.ana,
        rows=[AppearanceRow(1, "4101"), AppearanceRow(2, str(two.code)), AppearanceRow(3, one.code)],
    )

    assert [a.extension for a in phone.appearances.all()] == [one, two, one]


def test_another_tenants_extension_is_not_found_in_the_words_for_none(tree: Tree) -> None:
    phone = phone_of(tree, 1)
    foreign = extensions.create(tree.globex, by=tree.eve, username="7001", secret="of globex")
    words = []

    for name in (foreign, foreign.code, str(foreign.code), "7001", "7002"):
        with pytest.raises(Invalid) as refusal:
            appearances.put(phone, by=tree.rita, rows=[AppearanceRow(1, name)])
        assert refusal.value.field == "extension"
        words.append(refusal.value.detail)

    assert set(words) == {
        f"Key 1: there is no extension {foreign.code}.",
        "Key 1: there is no extension 7001.",
        "Key 1: there is no extension 7002.",
    }
    assert not Appearance.objects.exists()


@pytest.mark.parametrize(
    ("case", "model", "positions", "words"),
    [
        ("no key 0", "T46S", [0], "Key 0"),
        ("beyond the last expansion module", "T46S", [208], "Key 208"),
        ("twice on one key", "T46S", [2, 2], "Key 2"),
        ("more lines than a phone without keys has", "T19P_E2", [2], "Key 2"),
    ],
)
def test_a_line_without_a_place_is_refused_by_its_key(
    tree: Tree, case: str, model: str, positions: list[int], words: str
) -> None:
    phone = phone_of(tree, 1, model=model)
    lines = [line_of(tree, str(4100 + at)) for at in range(len(positions))]
    rows = [AppearanceRow(at, line) for at, line in zip(positions, lines, strict=True)]

    with pytest.raises(Invalid) as refusal:
        appearances.put(phone, by=tree.ana, rows=rows)

    assert refusal.value.detail.startswith(f"{words}: ")
    assert refusal.value.field == "position"
    assert not Appearance.objects.exists()


def test_more_identities_than_the_model_registers_are_refused(tree: Tree) -> None:
    phone = phone_of(tree, 1, model="T31G")
    lines = [line_of(tree, str(4100 + at)) for at in range(3)]

    with pytest.raises(Invalid):
        appearances.put(phone, by=tree.ana, rows=[AppearanceRow(at + 1, e) for at, e in enumerate(lines)])

    assert not Appearance.objects.exists()


@pytest.mark.parametrize("label", ["two\nlines", "bell\x07", "x" * 61])
def test_a_label_is_one_short_line(tree: Tree, label: str) -> None:
    phone, one = phone_of(tree, 1), line_of(tree, "4101")

    with pytest.raises(Invalid) as refusal:
        appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one, label)])

    assert refusal.value.field == "label"


def test_phones_that_begin_or_cease_to_share_get_new_files(tree: Tree) -> None:
    first, second, third = (phone_of(tree, n) for n in (1, 2, 3))
    line = line_of(tree, "4100")
    appearances.put(first, by=tree.ana, rows=[AppearanceRow(1, line)])

    before = revisions()
    appearances.put(second, by=tree.ana, rows=[AppearanceRow(1, line)])
    assert grown(before) == {first.pk, second.pk}

    before = revisions()
    appearances.put(third, by=tree.ana, rows=[AppearanceRow(1, line)])
    assert grown(before) == {third.pk}

    before = revisions()
    appearances.put(third, by=tree.ana, rows=[])
    assert grown(before) == {third.pk}

    before = revisions()
    appearances.put(second, by=tree.ana, rows=[])
    assert grown(before) == {first.pk, second.pk}


def test_the_other_phones_log_stays_its_own(tree: Tree) -> None:
    first, second = phone_of(tree, 1), phone_of(tree, 2)
    line = line_of(tree, "4100")
    for phone in (first, second):
        appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, line)])

    assert DeviceEvent.objects.filter(device=first, what="lines-changed").count() == 1


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_only_managers_of_the_account_edit_lines(tree: Tree, who: str) -> None:
    phone, one = phone_of(tree, 1), line_of(tree, "4101")

    with pytest.raises(Forbidden):
        appearances.put(phone, by=getattr(tree, who), rows=[AppearanceRow(1, one)])
    with pytest.raises(Forbidden):
        appearances.put_keys(phone, by=getattr(tree, who), rows=[KeyRow(5, KeyKind.BLF, "4102")])

    assert not Appearance.objects.exists()
    assert not Key.objects.exists()


def test_keys_are_put_as_a_whole_set_too(tree: Tree) -> None:
    phone, one = phone_of(tree, 1), line_of(tree, "4101")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one)])
    appearances.put_keys(
        phone, by=tree.ana, rows=[KeyRow(2, KeyKind.BLF, "4102", "Ana"), KeyRow(28, KeyKind.PARK, "701")]
    )
    before = revisions()

    appearances.put_keys(
        phone, by=tree.ana, rows=[KeyRow(2, KeyKind.BLF, "4103", "Ben"), KeyRow(9, KeyKind.EMPTY)]
    )

    assert [(k.position, k.kind, k.value, k.label) for k in phone.keys.all()] == [(2, "blf", "4103", "Ben")]
    assert grown(before) == {phone.pk}
    details = AuditEntry.objects.latest("id").details
    assert [key["value"] for key in details["lost"]] == ["4102", "701"]


@pytest.mark.parametrize(
    ("case", "row", "field"),
    [
        ("on a line's key", KeyRow(1, KeyKind.BLF, "4102"), "position"),
        ("no value", KeyRow(2, KeyKind.BLF, ""), "value"),
        ("a line by the back door", KeyRow(2, KeyKind.LINE, "4101"), "kind"),
        ("calls on a line that is not there", KeyRow(2, KeyKind.SPEED_DIAL, "4102", line=7), "line"),
        ("beyond the keys", KeyRow(500, KeyKind.BLF, "4102"), "position"),
    ],
)
def test_a_key_that_cannot_be(tree: Tree, case: str, row: KeyRow, field: str) -> None:
    phone, one = phone_of(tree, 1), line_of(tree, "4101")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one)])

    with pytest.raises(Invalid) as refusal:
        appearances.put_keys(phone, by=tree.ana, rows=[row])

    assert refusal.value.field == field
    assert not Key.objects.exists()


def test_a_line_is_not_taken_from_under_a_key_that_calls_on_it(tree: Tree) -> None:
    phone, one, two = phone_of(tree, 1), line_of(tree, "4101"), line_of(tree, "4102")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one), AppearanceRow(2, two)])
    appearances.put_keys(phone, by=tree.ana, rows=[KeyRow(5, KeyKind.SPEED_DIAL, "4199", line=2)])

    with pytest.raises(Invalid, match="Key 5"):
        appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one)])

    assert phone.appearances.count() == 2


def test_what_was_changed_is_said_key_by_key(tree: Tree) -> None:
    phone, one, two = phone_of(tree, 1), line_of(tree, "4101"), line_of(tree, "4102")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one), AppearanceRow(2, two)])

    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one, "Me"), AppearanceRow(2, one)])

    told = "4101 on key 1 renamed", "4101 on key 2 added", "4102 on key 2 removed"
    summary = AuditEntry.objects.latest("id").details["summary"]
    assert summary == ", ".join(f"appearance {words}" for words in told)


def test_a_key_that_was_lost_or_added_is_said_too(tree: Tree) -> None:
    phone, one = phone_of(tree, 1), line_of(tree, "4101")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one)])
    watched = [KeyRow(at, KeyKind.BLF, f"2{at:02}") for at in range(2, 20)]
    kept = KeyRow(20, KeyKind.DTMF, "9", "Door")
    appearances.put_keys(phone, by=tree.ana, rows=[*watched[:2], kept])

    appearances.put_keys(phone, by=tree.ana, rows=[watched[1], replace(kept, label="Gate")])

    words = "Keys changed: busy lamp 202 on key 2 removed, DTMF 9 on key 20 changed by Ana (ana@example.org)."
    assert described(DeviceEvent.objects.latest("id")).sentence == words
    appearances.put_keys(phone, by=tree.ana, rows=[*watched, kept])
    sentence = described(DeviceEvent.objects.latest("id")).sentence
    assert sentence.startswith("Keys changed: busy lamp 202 on key 2 added, busy lamp 204 on key 4 added, ")
    assert sentence.endswith(" on key 14 added and 6 more by Ana (ana@example.org).")


def test_a_whole_set_does_not_wipe_out_what_somebody_else_put_meanwhile(tree: Tree) -> None:
    phone, one, two = phone_of(tree, 1), line_of(tree, "4101"), line_of(tree, "4102")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, one)])
    seen = appearances.stamp(phone.appearances.all(), phone.keys.all())
    appearances.arrange(phone, by=tree.ana, lines=[AppearanceRow(1, one), AppearanceRow(2, two)], as_of=seen)
    before = revisions()

    with pytest.raises(Refusal) as refusal:
        appearances.arrange(phone, by=tree.ana, lines=[AppearanceRow(3, two)], as_of=seen)

    assert refusal.value.code == "changed-meanwhile"
    assert [row.position for row in phone.appearances.all()] == [1, 2]
    assert grown(before) == set()
