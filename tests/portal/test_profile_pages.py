"""Profiles on pages: filled, put on phones, taken off, removed; those of others and of accounts above."""

import re
from typing import Any

import pytest
from django.test import Client

from devices import appearances, profiles
from devices.appearances import KeyRow
from devices.models import Key, Profile
from devices.phone import KeyKind
from tests.portal.key_forms import rows, shown, text, url_of
from tests.world import World, actor, signed_in


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def profile_rows(profile: Profile, *given: dict[str, Any], do: str = "save") -> dict[str, Any]:
    named = {"name": profile.name, "model": f"{profile.family}/{profile.model}"}
    return {**named, **rows(*given, do=do)}


def test_a_profile_is_added_filled_applied_and_removed(world: World, ana: Client) -> None:
    added = ana.post("/profiles/add/", {"account": "acme", "name": "Desks", "model": "yealink/T46S"})
    profile = Profile.objects.get(name="Desks")
    url = f"/profiles/{profile.code}/"
    assert added.headers["Location"] == url

    ana.post(url, profile_rows(profile, {"position": "5", "kind": "blf", "value": "214", "label": "Ben"}))
    assert list(profile.keys.values_list("position", "kind", "value")) == [(5, "blf", "214")]
    ana.post(f"{url}phones/", {"phone": [str(world.acme.phone.code)], "do": "apply"})
    assert list(profile.devices.all()) == [world.acme.phone]
    assert "214" in text(ana.get(url_of(world.acme.phone)))
    ana.post(f"{url}remove/")
    assert Profile.objects.filter(pk=profile.pk).exists()
    ana.post(f"{url}phones/", {"phone": [str(world.acme.phone.code)], "do": "take-off"})
    ana.post(f"{url}remove/")

    assert not Profile.objects.filter(pk=profile.pk).exists()


def test_what_a_phone_has_of_its_own_in_a_profiles_place_is_shown(world: World, ana: Client) -> None:
    profile, phone = world.acme.profile, world.acme.phone
    appearances.put_keys(phone, by=actor(world.ana), rows=[KeyRow(3, KeyKind.PARK, "701", "Lot")])

    page = text(ana.get(url_of(phone)))

    assert "Key 3: Busy lamp 207 gives way to what this phone has there." in page
    page = text(ana.get(f"/profiles/{profile.code}/phones/"))
    assert re.findall(r'data-label="What stays its own">(Key 3|<span)', page) == ["Key 3", "<span"]


def test_a_profiles_rows_move_by_their_buttons(world: World, ana: Client) -> None:
    profile = world.acme.profile
    typed = ({"position": "3", "kind": "blf", "value": "1"}, {"position": "4", "kind": "park", "value": "2"})

    page = text(ana.post(f"/profiles/{profile.code}/", profile_rows(profile, *typed, do="up-1")))

    assert shown(page) == [("3", "park", "2"), ("4", "blf", "1")]
    assert list(profile.keys.values_list("value", flat=True)) == ["207"]


def test_a_key_that_a_phone_has_no_place_for_is_named_with_the_phone(world: World, ana: Client) -> None:
    profile = world.acme.profile
    wrong = {"position": "230", "kind": "blf", "value": "1"}

    page = text(ana.post(f"/profiles/{profile.code}/", profile_rows(profile, wrong)))

    assert f"{world.acme.phone.name}: Key 230: there are 207 places" in page
    assert list(profile.keys.values_list("position", flat=True)) == [3]


def test_profiles_of_others_are_not_there_and_those_above_can_be_looked_at(world: World, ana: Client) -> None:
    above = profiles.create(
        world.harbour, by=actor(world.rita), name="House style", family="yealink",
        keys=[KeyRow(3, KeyKind.BLF, "100", "House")],
    )  # fmt: skip
    listed = text(ana.get("/profiles/"))
    assert "House style" in listed
    assert world.globex.profile.name not in listed
    assert ana.get(f"/profiles/{world.globex.profile.code}/").status_code == 404

    page = text(ana.get(f"/profiles/{above.code}/"))

    assert "House" in page
    assert "You may look, not change." in page
    assert ana.post(f"/profiles/{above.code}/", profile_rows(above)).status_code == 403
    assert ana.post(f"/profiles/{above.code}/remove/").status_code == 403
    chosen = {"phone": [str(world.acme.phone.code), str(world.globex.phone.code)], "do": "apply"}
    ana.post(f"/profiles/{above.code}/phones/", chosen)
    assert list(above.devices.all()) == [world.acme.phone]
    assert not Key.objects.exists()
