"""Profiles: what a phone's keys are with one, who may use it, who learns of a change, what does not fit."""

from typing import Any

import pytest

from accounts import resettling, tenants
from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from devices import appearances, extensions, profiles, settings_tree
from devices.appearances import AppearanceRow, KeyRow
from devices.models import Device, Key, Profile
from devices.phone import KeyKind
from provisioning import entering, moving, swapping
from provisioning.events import described
from provisioning.models import DeviceEvent, Lock
from tests.factories import make_mac
from tests.tree import Tree, plant

pytestmark = pytest.mark.django_db

BLF, PARK, SPEED, EMPTY = KeyKind.BLF, KeyKind.PARK, KeyKind.SPEED_DIAL, KeyKind.EMPTY


@pytest.fixture
def tree() -> Tree:
    return plant()


def phone_of(tree: Tree, *, family: str = "yealink", model: str = "T46S", **more: Any) -> Device:
    facts = {"account": tree.acme, "by": tree.ana, **more}
    return entering.enter(facts.pop("account"), mac=make_mac(), family=family, model=model, **facts)


def profile_of(tree: Tree, *rows: KeyRow, name: str = "Front desk", **more: Any) -> Profile:
    facts: dict[str, Any] = {"account": tree.acme, "by": tree.ana, "family": "yealink", "keys": rows, **more}
    return profiles.create(facts.pop("account"), name=name, **facts)


def keys_of(device: Device) -> list[tuple[int, str, str]]:
    """What the phone's file is made of."""
    phone = settings_tree.phone_settings([device])[device.pk]
    return [(key.position, key.kind.value, key.value) for key in phone.keys]


def published() -> dict[int, int]:
    return dict(Lock.objects.values_list("device_id", "files_revision"))


def republished(before: dict[int, int]) -> set[int]:
    return {pk for pk, number in published().items() if number > before.get(pk, 0)}


def test_a_phone_has_its_profiles_keys_and_its_own_win(tree: Tree) -> None:
    phone, other = phone_of(tree), phone_of(tree)
    appearances.put_keys(phone, by=tree.ana, rows=[KeyRow(4, SPEED, "*97", "Mail")])
    profile = profile_of(tree, KeyRow(3, BLF, "200"), KeyRow(4, BLF, "201"), KeyRow(5, PARK, "701"))

    changed = profiles.apply(profile, by=tree.ana, devices=[phone, other])

    assert {device.pk for device in changed} == {phone.pk, other.pk}
    assert keys_of(other) == [(3, "blf", "200"), (4, "blf", "201"), (5, "park", "701")]
    assert keys_of(phone) == [(3, "blf", "200"), (4, "speed_dial", "*97"), (5, "park", "701")]


def test_an_own_empty_key_hides_the_profiles_and_a_line_takes_its_place(tree: Tree) -> None:
    phone = phone_of(tree)
    line = extensions.create(tree.acme, by=tree.ana, username="4101", secret="s3cret-of-4101")
    profile = profile_of(tree, *(KeyRow(at, BLF, f"20{at}") for at in (1, 2, 3)))
    profiles.apply(profile, by=tree.ana, devices=[phone])

    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, line)])
    appearances.put_keys(phone, by=tree.ana, rows=[KeyRow(2, EMPTY), KeyRow(9, EMPTY)])

    assert keys_of(phone) == [(3, "blf", "203")]
    assert list(phone.keys.values_list("position", "kind")) == [(2, "empty")]  # 9 has nothing to hide

    profiles.take_off([phone], by=tree.ana)

    assert keys_of(phone) == []
    assert not Key.objects.filter(device=phone).exists()


def test_a_change_republishes_the_phones_that_have_it_and_no_other(tree: Tree) -> None:
    users, other = [phone_of(tree) for _ in range(3)], phone_of(tree)
    profile, second = profile_of(tree, KeyRow(3, BLF, "200")), profile_of(tree, name="Back office")
    profiles.apply(profile, by=tree.ana, devices=users)
    profiles.apply(second, by=tree.ana, devices=[other])
    before = published()

    profiles.change(profile, by=tree.ana, name="Reception")  # no file holds its name
    assert republished(before) == set()

    profiles.change(profile, by=tree.ana, keys=[KeyRow(3, BLF, "214")])

    assert republished(before) == {device.pk for device in users}
    event = DeviceEvent.objects.filter(device=users[0]).latest("id")
    words = "Its profile Reception changed by Ana (ana@example.org)."
    assert (event.what, described(event).sentence) == ("profile-changed", words)
    assert AuditEntry.objects.latest("id").details["keys"] == [3]


def test_what_does_not_fit_a_phone_is_refused_with_key_and_phone(tree: Tree) -> None:
    large, small = phone_of(tree, name="Large"), phone_of(tree, model="T40G", name="Small")
    profile = profile_of(tree, KeyRow(12, BLF, "200"))
    before = published()

    with pytest.raises(Invalid) as refused:
        profiles.apply(profile, by=tree.ana, devices=[large, small])

    assert refused.value.field == "position"
    assert refused.value.detail == "Small: Key 12: there are 3 places, 12 is none of them."
    assert not Device.objects.filter(profile__isnull=False).exists()
    assert republished(before) == set()

    profiles.apply(profile, by=tree.ana, devices=[large])
    with pytest.raises(Invalid, match="Large: Key 14: no line sits at position 2"):
        profiles.change(profile, by=tree.ana, keys=[KeyRow(14, BLF, "200", line=2)])
    assert keys_of(large) == [(12, "blf", "200")]


@pytest.mark.parametrize(
    ("wanted", "field", "words"),
    [
        ({"family": "nobody"}, "family", "no family"),
        ({"model": "T99"}, "model", "no model"),
        ({"name": " "}, "name", "missing"),
        ({"keys": [KeyRow(0, BLF, "1")]}, "position", "Key 0"),
        ({"keys": [KeyRow(3, BLF, "1"), KeyRow(3, BLF, "2")]}, "position", "Key 3: place 3 is taken"),
        ({"keys": [KeyRow(3, BLF, " ")]}, "value", "Key 3"),
        ({"keys": [KeyRow(3, KeyKind.LINE, "1")]}, "kind", "Key 3"),
        ({"model": "T40G", "keys": [KeyRow(4, BLF, "1")]}, "position", "Key 4: there are 3 places"),
        ({"family": "poly", "keys": [KeyRow(3, KeyKind.URL, "http://x")]}, "kind", "Key 3"),
    ],
)
def test_what_no_profile_is(tree: Tree, wanted: dict[str, Any], field: str, words: str) -> None:
    facts: dict[str, Any] = {"name": "Front desk", "family": "yealink", **wanted}

    with pytest.raises(Invalid, match=words) as refused:
        profiles.create(tree.acme, by=tree.ana, **facts)

    assert refused.value.field == field
    assert not Profile.objects.exists()


def test_one_for_a_model_is_for_no_other(tree: Tree) -> None:
    phone, other = phone_of(tree), phone_of(tree, model="T48S")
    profile = profile_of(tree, KeyRow(3, BLF, "200"), model="T46S")

    with pytest.raises(Invalid, match="not for the model"):
        profiles.apply(profile, by=tree.ana, devices=[other])
    profiles.apply(profile, by=tree.ana, devices=[phone])

    with pytest.raises(Invalid, match="Its profile Front desk is for the T46S only") as refused:
        entering.change(phone, by=tree.ana, model="T48S")
    assert refused.value.field == "model"
    with pytest.raises(Invalid, match="Its profile Front desk is for the T46S only"):
        swapping.swap(phone, by=tree.ana, mac=make_mac(), model="T48S")
    assert Device.objects.get(pk=phone.pk).model == "T46S"


def test_a_phone_keeps_to_what_its_model_has_with_its_profile_counted_in(tree: Tree) -> None:
    phone = phone_of(tree)
    profiles.apply(profile_of(tree, KeyRow(20, BLF, "200")), by=tree.ana, devices=[phone])

    with pytest.raises(Invalid, match="Key 20: there are 3 places"):
        entering.change(phone, by=tree.ana, model="T40G")


def test_profiles_of_the_accounts_above_can_be_used_and_not_changed(tree: Tree) -> None:
    phone = phone_of(tree)
    above = profile_of(tree, KeyRow(3, BLF, "200"), account=tree.harbour, by=tree.rita, name="House style")
    foreign = profile_of(tree, account=tree.globex, by=tree.eve, name="Globex")

    profiles.apply(above, by=tree.ana, devices=[phone])

    assert keys_of(phone) == [(3, "blf", "200")]
    assert list(profiles.for_phone(phone)) == [above]
    for verb in (
        lambda: profiles.change(above, by=tree.ana, name="Ours"),
        lambda: profiles.remove(above, by=tree.ana),
        lambda: profiles.create(tree.harbour, by=tree.ana, name="x", family="yealink"),
        lambda: profiles.apply(above, by=tree.vic, devices=[phone]),
        lambda: profiles.take_off([phone], by=tree.eve),
    ):
        with pytest.raises(Forbidden):
            verb()
    with pytest.raises(Invalid, match="not for"):
        profiles.apply(foreign, by=tree.ana, devices=[phone])
    assert set(Profile.objects.visible_to(tree.ana)) == {above}
    assert set(Profile.objects.visible_to(tree.eve)) == {above, foreign}
    assert Device.objects.get(pk=phone.pk).profile == above


def test_one_that_phones_have_is_not_removed(tree: Tree) -> None:
    phone, profile = phone_of(tree), profile_of(tree, KeyRow(3, BLF, "200"))
    profiles.apply(profile, by=tree.ana, devices=[phone])

    with pytest.raises(Refusal, match="is on one phone"):
        profiles.remove(profile, by=tree.ana)
    assert profiles.take_off([phone], by=tree.ana) == [phone]
    assert profiles.take_off([phone], by=tree.ana) == []
    profiles.remove(profile, by=tree.ana)

    assert not Profile.objects.exists()


def test_a_phone_that_moves_leaves_its_profile(tree: Tree) -> None:
    phone = phone_of(tree)
    profiles.apply(profile_of(tree, KeyRow(3, BLF, "200")), by=tree.ana, devices=[phone])

    moved = moving.move(phone, by=tree.rita, to=tree.globex)

    assert Device.objects.get(pk=moved.pk).profile is None
    assert keys_of(moved) == []


def test_a_customer_that_moves_keeps_the_keys_as_the_phones_own(tree: Tree) -> None:
    phone, kept = phone_of(tree), phone_of(tree)
    above = profile_of(tree, KeyRow(3, BLF, "200"), account=tree.harbour, by=tree.rita, name="House style")
    profiles.apply(above, by=tree.ana, devices=[phone])
    profiles.apply(profile_of(tree, KeyRow(4, BLF, "201")), by=tree.ana, devices=[kept])
    other = tenants.create_account(tree.platform, by=tree.support, slug="bay", name="Bay Telecom")
    before = keys_of(phone)

    resettling.move_customer(tree.acme, by=tree.support, below=other)

    assert keys_of(phone) == before == [(3, "blf", "200")]
    assert list(Device.objects.filter(profile__isnull=False)) == [kept]
    assert DeviceEvent.objects.filter(device=phone, what="changed", rule="E18").exists()


def test_reading_many_phones_costs_the_same(tree: Tree, django_assert_num_queries: Any) -> None:
    many = [phone_of(tree) for _ in range(4)]
    for at, phone in enumerate(many):
        profile = profile_of(tree, KeyRow(3, BLF, "200"), name=f"P{at}")
        profiles.apply(profile, by=tree.ana, devices=[phone])
        line = extensions.create(tree.acme, by=tree.ana, username=f"41{at}", secret="s3cret-of-4101")
        appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, line)])

    with django_assert_num_queries(9):
        settings_tree.phone_settings(many[:1])
    with django_assert_num_queries(9):
        settings_tree.phone_settings(many)
