"""Shared lines, keys and profiles over the API."""

from typing import Any

import pytest

from accounts.roles import Role
from devices import profiles
from devices.appearances import KeyRow
from devices.models import Device, Key
from devices.phone import KeyKind
from tests.world import World, actor, make_key, program

DEVICES, PROFILES = "/api/v1/devices/", "/api/v1/profiles/"
LAMP = {"position": 4, "kind": "blf", "value": "207", "label": "Carla", "line": 0}


def test_an_extension_says_how_it_is_shared(world: World) -> None:
    key = program(world.acme.key)
    url = f"/api/v1/extensions/{world.acme.extension.code}/"

    made = key.post(
        "/api/v1/extensions/",
        {"account": "acme", "username": "4102", "secret": "s3cret-4102", "call_appearances": 4},
    )
    assert made.status_code == 201, made.json()
    assert (made.json()["call_appearances"], made.json()["barge_in"]) == (4, True)
    assert (key.get(url).json()["call_appearances"], key.get(url).json()["barge_in"]) == (2, True)
    changed = key.patch(url, {"barge_in": False, "call_appearances": 8})
    assert (changed.json()["call_appearances"], changed.json()["barge_in"]) == (8, False)
    for wrong in (0, 9, "many"):
        refused = key.patch(url, {"call_appearances": wrong})
        assert refused.status_code == 400
        assert "call_appearances" in str(refused.json())


def test_a_line_says_who_rings(world: World) -> None:
    key, url = program(world.acme.key), f"{DEVICES}{world.acme.phone.code}/appearances/"
    row = {"position": 1, "extension": str(world.acme.extension.code), "label": "Sales", "ring": "never"}

    assert key.put(url, [row]).json() == [row] == key.get(url).json()
    refused = key.put(url, [{**row, "ring": "loud"}])

    assert refused.status_code == 400
    assert key.get(url).json() == [row]


def test_keys_are_put_as_a_whole(world: World) -> None:
    key, url = program(world.acme.key), f"{DEVICES}{world.acme.phone.code}/keys/"

    assert key.get(url).json() == []
    put = key.put(url, [LAMP, {"position": 3, "kind": "empty"}])

    assert put.status_code == 200, put.json()
    hides = {"position": 3, "kind": "empty", "value": "", "label": "", "line": 0}
    assert put.json() == [hides, LAMP] == key.get(url).json()
    assert key.get(f"{url}?effective=true").json() == [LAMP]  # its profile's key 3 is hidden
    assert key.put(url, []).json() == []
    shown = key.get(f"{url}?effective=true").json()
    assert [(row["position"], row["value"]) for row in shown] == [(3, "207")]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({**LAMP, "position": 999}, "position"),
        ({**LAMP, "value": ""}, "value"),
        ({**LAMP, "kind": "line"}, "kind"),
        ({**LAMP, "line": 9}, "line"),
        ({**LAMP, "label": "a\nb"}, "label"),
        ({**LAMP, "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_key_is_named_and_nothing_is_changed(world: World, row: dict[str, Any], field: str) -> None:
    key, url = program(world.acme.key), f"{DEVICES}{world.acme.phone.code}/keys/"
    key.put(url, [LAMP])

    refused = key.put(url, [LAMP, {**row, "position": row["position"] if row["position"] > 4 else 5}])

    assert refused.status_code == 400
    assert field in str(refused.json())
    assert key.get(url).json() == [LAMP]


def test_profiles_are_made_changed_applied_and_removed(world: World) -> None:
    key, phone = program(world.acme.key), world.acme.other_phone
    made = key.post(
        PROFILES,
        {"account": "acme", "name": "Desks", "family": "yealink", "model": "T46S", "keys": [LAMP]},
    )
    assert made.status_code == 201, made.json()
    url = f"{PROFILES}{made.json()['code']}/"
    assert (made.json()["keys"], made.json()["phones"], made.json()["model"]) == ([LAMP], 0, "T46S")

    assert key.post(f"{url}apply/", {"devices": [str(phone.code)]}).json() == {"changed": 1}
    assert key.post(f"{url}apply/", {"devices": [str(phone.code)]}).json() == {"changed": 0}
    assert key.get(f"{DEVICES}{phone.code}/").json()["profile"] == made.json()["code"]
    assert key.get(url).json()["phones"] == 1
    changed = key.patch(url, {"name": "All desks", "keys": [{**LAMP, "position": 5}]})
    assert (changed.json()["name"], changed.json()["keys"][0]["position"]) == ("All desks", 5)
    assert key.delete(url).status_code == 409
    both = {"devices": [str(phone.code), str(world.acme.phone.code)]}
    assert key.post(f"{url}take-off/", both).json() == {"changed": 1}
    assert Device.objects.get(pk=world.acme.phone.pk).profile == world.acme.profile  # another one
    assert key.delete(url).status_code == 204


def test_a_profile_that_does_not_fit_is_refused_with_the_key(world: World) -> None:
    key, phone = program(world.acme.key), world.acme.phone
    url = f"{PROFILES}{world.acme.profile.code}/"

    refused = key.patch(url, {"keys": [{**LAMP, "position": 4, "line": 2}]})

    assert refused.status_code == 400
    assert "Key 4: no line sits at position 2" in str(refused.json())
    assert [row["position"] for row in key.get(url).json()["keys"]] == [3]
    assert not Key.objects.filter(device=phone).exists()


def test_a_profile_from_above_is_used_and_not_changed_and_counts_own_phones_only(world: World) -> None:
    keys = [KeyRow(3, KeyKind.BLF, "100")]
    above = profiles.create(
        world.harbour, by=actor(world.rita), name="House style", family="yealink", keys=keys
    )
    profiles.apply(above, by=actor(world.rita), devices=[world.globex.phone, world.globex.other_phone])
    key, url = program(world.acme.key), f"{PROFILES}{above.code}/"

    assert key.get(url).json()["phones"] == 0
    assert key.post(f"{url}apply/", {"devices": [str(world.acme.phone.code)]}).json() == {"changed": 1}
    assert key.get(url).json()["phones"] == 1
    assert key.patch(url, {"name": "Ours"}).status_code == 403
    assert key.delete(url).status_code == 403
    viewer = program(make_key(world.acme.account, Role.VIEWER, world.ana))
    assert viewer.get(url).status_code == 200
    strangers = {"devices": [str(world.globex.phone.code)]}
    assert key.post(f"{url}take-off/", strangers).status_code == 400
