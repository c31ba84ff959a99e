"""Lines and keys, extensions and profiles on pages: what each button does, what is saved, what is refused."""

import re
from typing import Any

import pytest
from django.test import Client

from devices import appearances, extensions, profiles
from devices.appearances import AppearanceRow, KeyRow
from devices.models import Device, Extension, Key, Profile
from devices.phone import KeyKind
from provisioning.models import Lock
from tests.world import World, actor, program, signed_in

EXTENSIONS = "/extensions/"


def url_of(device: Device) -> str:
    return f"/phones/{device.code}/lines/"


def rows(*given: dict[str, Any], do: str = "save") -> dict[str, Any]:
    """The form as a browser sends it."""
    blank = {"position": "", "kind": "line", "value": "", "label": "", "ring": "now", "line": "0"}
    data: dict[str, Any] = {"row-TOTAL_FORMS": len(given), "row-INITIAL_FORMS": len(given), "do": do}
    for at, row in enumerate(given):
        data |= {f"row-{at}-{name}": value for name, value in {**blank, **row}.items()}
    return data


def shown(page: str) -> list[tuple[str, str, str]]:
    """The rows of a page's form: position, kind, value."""
    found = []
    for at in range(page.count('id="row-')):
        position = re.search(rf'name="row-{at}-position" value="(\d+)"', page)
        kind = re.search(rf'name="row-{at}-kind".*?<option value="(\w+)" selected', page, re.S)
        value = re.search(rf'name="row-{at}-value"(?: value="([^"]*)")?', page)
        found.append(tuple(match[1] or "" if match else "" for match in (position, kind, value)))
    return found  # type: ignore[return-value]


def text(answer: Any) -> str:
    return str(answer.content.decode())


def state(device: Device) -> tuple[list[Any], list[Any]]:
    lines = device.appearances.order_by("position").values_list(
        "position", "extension__username", "label", "ring"
    )
    keys = device.keys.order_by("position").values_list("position", "kind", "value", "label")
    return list(lines), list(keys)


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def test_lines_and_keys_are_saved_as_a_whole(world: World, ana: Client) -> None:
    phone, name = world.acme.phone, world.acme.extension.username
    before = Lock.objects.get(device=phone).files_revision

    answer = ana.post(
        url_of(phone),
        rows(
            {"position": "2", "value": name, "label": "Sales", "ring": "never"},
            {"position": "1", "kind": "speed_dial", "value": "*97", "label": "Mail"},
            {"position": "90", "kind": "blf", "value": "214"},
        ),
        follow=True,
    )

    assert answer.redirect_chain == [(url_of(phone), 302)]
    assert state(phone) == (
        [(2, name, "Sales", "never")],
        [(1, "speed_dial", "*97", "Mail"), (90, "blf", "214", "")],
    )
    assert Lock.objects.get(device=phone).files_revision > before
    assert "Module 2, key 3" in text(answer)
    assert world.acme.other_phone.name in text(answer)  # who else shows the line


def test_a_phone_with_every_key_in_use_is_saved(world: World, ana: Client) -> None:
    phone, line = world.acme.phone, {"position": "1", "value": world.acme.extension.username}
    used = [{"position": str(at), "kind": "blf", "value": f"3{at:03}"} for at in range(2, 208)]

    assert ana.post(url_of(phone), rows(line, *used)).status_code == 302

    assert phone.keys.count() == 206
    assert "Module 3, key 60" in text(ana.get(url_of(phone)))
    ana.post(url_of(phone), {**rows(line), "row-TOTAL_FORMS": "700"})
    assert phone.keys.count() == 206


def test_what_somebody_else_changed_meanwhile_is_not_wiped_out(world: World, ana: Client) -> None:
    phone, line = world.acme.phone, {"position": "1", "value": world.acme.extension.username}
    opened = re.search(r'name="as_of" value="(\w+)"', text(ana.get(url_of(phone))))
    assert opened
    appearances.put_keys(phone, by=actor(world.rita), rows=[KeyRow(5, KeyKind.BLF, "214")])
    before = state(phone)

    typed = {**rows(line, do="add"), "as_of": opened[1]}
    page = text(ana.post(url_of(phone), typed))
    assert f'name="as_of" value="{opened[1]}"' in page
    page = text(ana.post(url_of(phone), {**typed, "do": "save"}))

    assert f"Somebody else changed {phone} meanwhile." in page
    assert state(phone) == before


def test_a_phone_whose_model_the_catalogue_has_lost_is_shown_without_a_form(
    world: World, ana: Client
) -> None:
    phone = world.acme.phone
    Device.objects.filter(pk=phone.pk).update(model="T1000")
    before = state(phone)

    page = text(ana.get(url_of(phone)))

    assert "is not in the catalogue any more" in page
    assert "Label acme" in page
    assert ana.post(url_of(phone), rows()).status_code == 200
    assert state(phone) == before
    Profile.objects.filter(pk=world.acme.profile.pk).update(family="lost")
    assert "only removed" in text(ana.get(f"/profiles/{world.acme.profile.code}/"))
    assert "which the catalogue has no more" in text(ana.get("/profiles/"))
    assert ana.get(f"/profiles/{world.acme.profile.code}/phones/").status_code == 200


@pytest.mark.parametrize(
    ("do", "after"),
    [
        ("up-1", [("1", "blf", "214"), ("2", "line", "x"), ("9", "park", "701")]),
        ("down-0", [("1", "blf", "214"), ("2", "line", "x"), ("9", "park", "701")]),
        ("up-0", [("1", "line", "x"), ("2", "blf", "214"), ("9", "park", "701")]),
        ("up-2", [("1", "line", "x"), ("2", "blf", "214"), ("8", "park", "701")]),
        ("down-2", [("1", "line", "x"), ("2", "blf", "214"), ("10", "park", "701")]),
        ("remove-1", [("1", "line", "x"), ("9", "park", "701")]),
        ("add", [("1", "line", "x"), ("2", "blf", "214"), ("4", "line", ""), ("9", "park", "701")]),
        ("up-77", [("1", "line", "x"), ("2", "blf", "214"), ("9", "park", "701")]),
        ("nonsense", [("1", "line", "x"), ("2", "blf", "214"), ("9", "park", "701")]),
    ],
)
def test_buttons_change_the_form_and_save_nothing(
    world: World, ana: Client, do: str, after: list[Any]
) -> None:
    phone = world.acme.phone
    before = state(phone)
    typed = (
        {"position": "1", "value": "x"},
        {"position": "2", "kind": "blf", "value": "214"},
        {"position": "9", "kind": "park", "value": "701"},
    )

    page = text(ana.post(url_of(phone), rows(*typed, do=do)))

    assert shown(page) == after
    assert "Not saved yet" in page
    assert state(phone) == before


def test_the_button_that_was_pressed_has_the_focus_again(world: World, ana: Client) -> None:
    typed = ({"position": "1", "value": "x"}, {"position": "2", "kind": "blf", "value": "214"})

    page = text(ana.post(url_of(world.acme.phone), rows(*typed, do="up-1")))

    assert re.findall(r'value="([a-z]+-\d+)" formnovalidate autofocus', page) == ["up-0"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"position": "999", "kind": "blf", "value": "1"}, "Key 999: there are 207 places"),
        ({"position": "1", "kind": "blf", "value": "1"}, "Key 1: place 1 is taken"),
        ({"position": "3", "kind": "blf", "value": ""}, "Key 3: the value is missing"),
        ({"position": "3", "kind": "blf", "value": "1", "line": "7"}, "Key 3: no line sits at position 7"),
        ({"position": "3", "value": ""}, "Which extension?"),
        ({"position": "3", "value": "no-such-one"}, "Key 3: there is no extension no-such-one"),
        ({"position": "0", "kind": "blf", "value": "1"}, "greater than or equal to 1"),
        ({"position": "3", "kind": "rocket", "value": "1"}, "Select a valid choice"),
    ],
)
def test_what_does_not_fit_is_said_next_to_the_key(
    world: World, ana: Client, row: dict[str, Any], words: str
) -> None:
    phone = world.acme.phone
    before = state(phone)
    line = {"position": "1", "value": world.acme.extension.username}

    page = text(ana.post(url_of(phone), rows(line, row)))

    assert re.search(rf'id="id_row-1-\w+_error".*?{re.escape(words)}', page, re.S)
    assert "Nothing was saved" in page
    assert state(phone) == before


def test_the_log_says_which_appearance_was_lost_and_by_whom(world: World, ana: Client) -> None:
    """The story of the shared line, on the pages: 4102 leaves key 3, and the viewer reads who did it."""
    phone, other = world.acme.phone, world.acme.other_phone
    shared = extensions.create(world.acme.account, by=actor(world.ana), username="4102", secret="of-4102-Q")
    own = {"position": "1", "value": world.acme.extension.username}
    lost = {"position": "3", "value": "4102", "label": "Sales"}
    appearances.put(other, by=actor(world.ana), rows=[AppearanceRow(2, shared)])
    ana.post(url_of(phone), rows(own, lost))
    revisions = dict(Lock.objects.values_list("device__name", "files_revision"))

    without = text(ana.post(url_of(phone), rows(own, lost, do="remove-1")))
    assert shown(without) == [("1", "line", world.acme.extension.username)]
    ana.post(url_of(phone), rows(own))

    log = signed_in(world.acme.viewer).get(f"/phones/{phone.code}/log/")
    said = "Lines changed: appearance 4102 on key 3 removed by Ana of acme."
    assert said in text(log)
    after = dict(Lock.objects.values_list("device__name", "files_revision"))
    # The other phone is told too: the line is nobody's shared line any more.
    assert {name for name in after if after[name] != revisions[name]} == {phone.name, other.name}


def test_a_form_without_rows_wipes_nothing(world: World, ana: Client) -> None:
    before = state(world.acme.phone)

    ana.post(url_of(world.acme.phone))
    ana.post(url_of(world.acme.phone), {"do": "save"})

    assert state(world.acme.phone) == before
    assert before[0]


def test_the_profiles_keys_can_be_hidden_and_made_the_phones_own(world: World, ana: Client) -> None:
    phone = world.acme.phone
    line = {"position": "1", "value": world.acme.extension.username}

    page = text(ana.get(url_of(phone)))
    assert "from the profile" in page
    page = text(ana.post(url_of(phone), rows(line, do="own-3")))
    assert shown(page)[1] == ("3", "blf", "207")
    page = text(ana.post(url_of(phone), rows(line, do="hide-3")))
    assert shown(page)[1] == ("3", "empty", "")
    ana.post(url_of(phone), rows(line, {"position": "3", "kind": "empty"}))

    assert list(phone.keys.values_list("position", "kind")) == [(3, "empty")]
    assert "from the profile" not in text(ana.get(url_of(phone)))


def test_a_key_that_hides_nothing_any_more_stays_what_it_is(world: World, ana: Client) -> None:
    phone, line = world.acme.phone, {"position": "1", "value": world.acme.extension.username}
    hidden = {"position": "3", "kind": "empty"}
    ana.post(url_of(phone), rows(line, hidden))
    profiles.change(world.acme.profile, by=actor(world.ana), keys=[])

    assert shown(text(ana.get(url_of(phone))))[1] == ("3", "empty", "")
    assert ana.post(url_of(phone), rows(line, hidden)).status_code == 302

    assert not phone.keys.exists()


def test_what_a_model_cannot_stands_on_its_page(world: World, ana: Client) -> None:
    phone, other = world.acme.phone, world.acme.other_phone
    line = {"position": "1", "value": world.acme.extension.username, "ring": "delayed"}

    page = text(ana.post(url_of(phone), rows(line, do="add")))

    reason = "A phone of this make rings at once or not at all."
    assert page.count(reason) == 2  # next to the key, and among what the model cannot
    appearances.put(other, by=actor(world.ana), rows=[])
    page = text(ana.post(url_of(phone), rows(line, do="add")))
    assert "A line that only this phone shows always rings at once." in page


def test_who_may_look_only_sees_no_form(world: World) -> None:
    vic, phone = signed_in(world.acme.viewer), world.acme.phone
    before = state(phone)

    page = text(vic.get(url_of(phone)))

    assert "You may look, not change." in page
    assert "Save lines and keys" not in page
    assert world.acme.other_phone.name in page
    assert vic.post(url_of(phone), rows()).status_code == 403
    assert vic.post(f"/phones/{phone.code}/profile/", {"profile": ""}).status_code == 403
    assert state(phone) == before
    assert Device.objects.get(pk=phone.pk).profile == world.acme.profile


def test_a_profile_is_put_on_and_taken_off_a_phone(world: World, ana: Client) -> None:
    phone, url = world.acme.other_phone, f"/phones/{world.acme.other_phone.code}/profile/"

    ana.post(url, {"profile": str(world.acme.profile.code)})
    assert Device.objects.get(pk=phone.pk).profile == world.acme.profile
    ana.post(url, {"profile": ""})
    assert Device.objects.get(pk=phone.pk).profile is None
    assert ana.post(url, {"profile": str(world.globex.profile.code)}).status_code == 404
    assert ana.post(url, {"profile": "x"}).status_code == 302
    assert Device.objects.get(pk=phone.pk).profile is None


def test_a_phone_whose_lines_are_counted_apart(world: World, ana: Client) -> None:
    made = program(world.acme.key).post(
        "/api/v1/devices/", {"account": "acme", "mac": "00005e0053f0", "family": "yealink", "model": "W60B"}
    )
    phone = Device.objects.get(code=made.json()["code"])
    line = {"position": "1", "value": world.acme.extension.username}

    assert ana.post(url_of(phone), rows(line)).status_code == 302
    page = text(ana.get(url_of(phone)))

    assert "Counted apart from its keys" in page
    assert shown(page) == [("1", "line", world.acme.extension.username)]


# --- extensions ------------------------------------------------------------------------------------------


def test_an_extension_is_added_changed_and_removed(world: World, ana: Client) -> None:
    form = {"account": "acme", "username": "4102", "secret": "s3cret-of-4102", "display_name": "Sales"}
    form |= {"call_appearances": "3", "barge_in": "on", "in_directory": "on"}

    assert ana.post(f"{EXTENSIONS}add/", form).status_code == 302
    made = Extension.objects.get(username="4102")
    assert extensions.has_secret(made, "s3cret-of-4102")
    assert (made.call_appearances, made.barge_in, made.in_directory) == (3, True, True)
    url = f"{EXTENSIONS}{made.code}/"
    page = text(ana.get(url))
    assert "s3cret" not in page
    changed = {"username": "4102", "display_name": "Sales team", "call_appearances": "5"}
    assert ana.post(url, changed).status_code == 302
    made.refresh_from_db()
    assert (made.display_name, made.call_appearances, made.barge_in) == ("Sales team", 5, False)
    assert made.in_directory is False
    assert extensions.has_secret(made, "s3cret-of-4102")
    assert ana.post(f"{url}remove/").status_code == 302
    assert not Extension.objects.filter(username="4102").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"username": "a b"}, "no blanks"),
        ({"username": "ext-acme-201"}, "has an extension of that user name"),
        ({"call_appearances": "9"}, "less than or equal to 8"),
        ({"realm": "a b"}, "host name"),
        ({"account": "globex"}, "Select a valid choice"),
    ],
)
def test_an_extension_that_cannot_be_is_said_at_its_field(
    world: World, ana: Client, change: dict[str, str], words: str
) -> None:
    form = {"account": "acme", "username": "4102", "secret": "s3cret-of-4102", "call_appearances": "2"}
    before = Extension.objects.count()

    page = text(ana.post(f"{EXTENSIONS}add/", {**form, **change}))

    assert words in page
    assert "s3cret-of-4102" not in page
    assert Extension.objects.count() == before


def test_an_extension_that_phones_show_is_not_removed(world: World, ana: Client) -> None:
    shown_one = world.acme.extension
    url = f"{EXTENSIONS}{shown_one.code}/remove/"

    assert "Take it off there first" in text(ana.get(url))
    ana.post(url)

    assert Extension.objects.filter(pk=shown_one.pk).exists()


# --- profiles --------------------------------------------------------------------------------------------


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


def test_a_name_that_the_account_has_twice_is_shown_by_its_code(world: World, ana: Client) -> None:
    phone, by = world.acme.phone, actor(world.ana)
    twins = [
        extensions.create(world.acme.account, by=by, username="300", secret=f"s3cret-{realm}", realm=realm)
        for realm in ("a.example.org", "b.example.org")
    ]
    appearances.put(phone, by=by, rows=[AppearanceRow(1, twins[1])])

    page = text(ana.get(url_of(phone)))

    assert shown(page)[0] == ("1", "line", str(twins[1].code))
    ana.post(url_of(phone), rows({"position": "1", "value": str(twins[1].code), "label": "B"}))
    assert phone.appearances.get().extension == twins[1]
