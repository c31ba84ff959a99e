"""Lines and keys on a phone's page: what each button does, what is saved, what is refused."""

import re
from typing import Any

import pytest
from django.test import Client

from devices import appearances, extensions, profiles
from devices.appearances import AppearanceRow, KeyRow
from devices.models import Device, Profile
from devices.phone import KeyKind
from provisioning.models import Lock
from tests.portal.key_forms import rows, shown, state, text, url_of
from tests.world import World, actor, program, signed_in


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

    assert re.search(rf'id="id_row-\d-\w+_error".*?{re.escape(words)}', page, re.S)
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
