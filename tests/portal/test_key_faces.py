"""The drawn phone: every key of every model in its place, and what its keys do to the form."""

import re
from typing import Any

import pytest
from django.test import Client

from devices import appearances, extensions
from devices.appearances import AppearanceRow, KeyRow
from devices.catalog import catalog
from devices.family import Model
from devices.models import Device
from devices.phone import KeyKind
from portal.pages.key_faces import drawing
from portal.pages.key_rows import Cap
from tests.portal.key_forms import rows, shown, state, text, url_of
from tests.world import World, actor, signed_in


def model(family: str, name: str) -> Model:
    return catalog().families[family].models[name]


def cap(position: int) -> Cap:
    return Cap(position, "line", "Sales", "Line 250")


def titles(kind: Model, *places: int) -> list[str]:
    drawn = drawing(kind, map(cap, places), {}, 1)
    assert drawn is not None
    return [tab.title for tab in drawn.tabs]


def test_every_key_of_every_model_is_drawn_once() -> None:
    for family in catalog().families.values():
        for kind in family.models.values():
            drawn = drawing(kind, [cap(kind.room)], {}, 1)
            if drawn is None:
                assert kind.room == 0
                continue
            faces = [drawing(kind, [cap(kind.room)], {}, tab.first) for tab in drawn.tabs]
            seen = [spot.position for one in faces if one for side in one.face.sides for spot in side]
            assert seen == list(range(1, kind.room + 1)), kind.title
            most = (max(20, kind.keys_per_page, kind.memory_keys_per_page) + 1) // 2
            assert max(len(side) for one in faces if one for side in one.face.sides) <= most, kind.title


def test_pages_are_the_phones_own_where_the_catalogue_knows_them() -> None:
    known = titles(model("fanvil", "X5S"))
    unknown = titles(model("yealink", "T46S"))

    assert known == [f"Memory keys {at} to {at + 7}" for at in range(1, 41, 8)]
    assert unknown[:3] == ["Keys 1 to 10", "Keys 11 to 20", "Keys 21 to 27"]


def test_modules_are_drawn_as_far_as_they_are_used_and_one_more() -> None:
    kind = model("yealink", "T46S")

    assert [title for title in titles(kind, 3) if "Module" in title][0::3] == ["Module 1, 1 to 20"]
    second = [title for title in titles(kind, 28) if title.startswith("Module 2")]
    assert len(second) == 3
    assert not [title for title in titles(kind, 28) if title.startswith("Module 3")]


@pytest.fixture
def ana(world: World) -> Client:
    return signed_in(world.ana)


def keys(page: str) -> dict[int, str]:
    """What is drawn on each key, by its number."""
    found = re.findall(r'<span class="sr">Key (\d+):</span>.*?<b>(.*?)</b>', page, re.S)
    return {int(number): title for number, title in found}


def drawn(page: str, number: int) -> str:
    """A key as it is written."""
    found = re.search(
        rf'<(?:a|button|span) class="key[^>]*>\s*<span class="sr">Key {number}:.*?</small>', page, re.S
    )
    assert found is not None
    return found[0]


def shared_line(world: World) -> None:
    by = actor(world.ana)
    line = extensions.create(world.acme.account, by=by, username="4102", secret="s3cret-of-4102")
    appearances.put(world.acme.other_phone, by=by, rows=[AppearanceRow(1, line)])
    appearances.put(
        world.acme.phone,
        by=by,
        rows=[AppearanceRow(1, world.acme.extension, "Own"), AppearanceRow(2, line, "Sales")],
    )


def test_a_shared_line_is_marked_and_leads_to_its_row(world: World, ana: Client) -> None:
    shared_line(world)

    page = text(ana.get(url_of(world.acme.phone)))

    assert 'class="key shared"' in drawn(page, 2)
    assert 'href="#id_row-1-kind"' in drawn(page, 2)
    assert "Shared line 4102" in drawn(page, 2)
    assert "shared" not in drawn(page, 1)
    assert keys(page)[3] == "Carla"
    assert 'value="own-3"' in drawn(page, 3)  # the profile's: pressed, it is taken over
    assert keys(page)[4] == "Free"


def test_a_free_key_is_pressed_to_put_something_there(world: World, ana: Client) -> None:
    line = {"position": "1", "value": world.acme.extension.username}
    before = state(world.acme.phone)
    page = text(ana.post(url_of(world.acme.phone), rows(line, do="show-11")))
    assert min(keys(page)) == 11
    assert 'value="put-12"' in drawn(page, 12)

    page = text(ana.post(url_of(world.acme.phone), rows(line, do="put-12")))

    assert shown(page) == [("1", "line", line["value"]), ("12", "blf", "")]
    assert re.search(r'<select name="row-1-kind"[^>]*autofocus', page)
    assert min(keys(page)) == 11  # the page of the key that was pressed
    assert "as they would sit on the phone" in page
    assert state(world.acme.phone) == before


def test_another_page_of_keys_loses_nothing_that_was_typed(world: World, ana: Client) -> None:
    line = {"position": "1", "value": world.acme.extension.username, "label": "Typed"}

    page = text(ana.post(url_of(world.acme.phone), rows(line, do="show-11")))
    assert 'value="Typed"' in page
    assert "Not saved yet" in page
    again = text(ana.post(url_of(world.acme.phone), {**rows(line, do="add"), "shown": "11"}))
    assert keys(again)[1] == "Typed"  # the new row is on the first page


@pytest.mark.parametrize("changed", [True, False])
def test_what_is_not_saved_is_said_only_when_something_is(world: World, ana: Client, changed: bool) -> None:
    label = "Another" if changed else "Label acme"
    line = {"position": "1", "value": world.acme.extension.username, "label": label}

    page = text(ana.post(url_of(world.acme.phone), rows(line, do="show-11")))

    flag = re.search(r'<p class="flag is-care" role="status" data-unsaved( hidden)?>', page)
    assert flag is not None
    assert (flag[1] is None) is changed


@pytest.mark.parametrize("do", ["down-0", "up-1"])
def test_keys_go_on_calling_on_the_line_that_moves(world: World, ana: Client, do: str) -> None:
    typed = (
        {"position": "1", "value": world.acme.extension.username},
        {"position": "2", "kind": "blf", "value": "214", "line": "1"},
    )

    page = text(ana.post(url_of(world.acme.phone), rows(*typed, do=do)))

    assert [row[:2] for row in shown(page)] == [("1", "blf"), ("2", "line")]
    assert re.search(r'name="row-0-line" value="2"', page)


def test_a_viewer_turns_the_pages_by_links(world: World) -> None:
    shared_line(world)
    vic = signed_in(world.acme.viewer)

    page = text(vic.get(url_of(world.acme.phone)))

    assert "<button" not in drawn(page, 4)
    assert "Put something here" not in page
    assert '<a href="?key=11"' in page
    assert min(keys(text(vic.get(url_of(world.acme.phone) + "?key=11")))) == 11
    assert min(keys(text(vic.get(url_of(world.acme.phone) + "?key=x")))) == 1


def test_three_hundred_keys_are_drawn_and_saved(world: World, ana: Client) -> None:
    phone = world.acme.other_phone
    Device.objects.filter(pk=phone.pk).update(family="grandstream", model="GXP2170")
    line = {"position": "1", "value": world.acme.extension.username}
    room = model("grandstream", "GXP2170").room
    used: list[dict[str, Any]] = [
        {"position": str(at), "kind": "blf", "value": f"3{at:03}"} for at in range(49, room + 1)
    ]

    answer = ana.post(url_of(phone), rows(line, *used))

    assert answer.status_code == 302
    assert phone.keys.count() == room - 48
    page = text(ana.get(f"{url_of(phone)}?key={room}"))
    assert f"3{room:03}" in drawn(page, 40)


def test_a_row_without_a_number_is_drawn_nowhere(world: World, ana: Client) -> None:
    line = {"position": "1", "value": world.acme.extension.username}
    page = text(ana.post(url_of(world.acme.phone), rows(line, {"position": "x", "kind": "blf"}, do="add")))

    assert ("x", "blf", "") not in shown(page)
    assert len(keys(page)) == 10


def test_what_is_typed_is_drawn_as_text(world: World, ana: Client) -> None:
    line = {"position": "1", "value": "<b>x</b>", "label": "<i>&"}

    page = text(ana.post(url_of(world.acme.phone), rows(line, do="show-1")))

    assert keys(page)[1] == "&lt;i&gt;&amp;"
    assert "<b>x</b>" not in page


def test_a_key_kind_of_its_own_is_named(world: World, ana: Client) -> None:
    by = actor(world.ana)
    appearances.put_keys(world.acme.phone, by=by, rows=[KeyRow(4, KeyKind.PARK, "701", "")])

    assert "Park 701" in drawn(text(ana.get(url_of(world.acme.phone))), 4)
