"""The directory's pages: contacts by form, a table that is looked at first, and who may do what."""

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from devices import directory
from devices.models import Contact, Extension
from devices.phone import BookEntry
from devices.phone_books import note_of
from tests.world import World, actor, signed_in

IMPORT = "/directory/import/"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def table(content: str, name: str = "contacts.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode(), content_type="text/csv")


def names(world: World) -> list[tuple[str, str]]:
    rows = Contact.objects.filter(account=world.acme.account).order_by("name")
    return list(rows.values_list("name", "number"))


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1].replace("&quot;", '"').replace("&amp;", "&").replace("&#x27;", "'")


def test_contacts_are_added_changed_found_and_removed(world: World) -> None:
    ana = signed_in(world.ana)

    added = ana.post("/directory/add/", {"account": "acme", "name": "Taxi", "number": "030 12"}, follow=True)
    assert "Taxi was added." in text(added)
    contact = Contact.objects.get(name="Taxi")
    ana.post(f"/directory/contacts/{contact.code}/", {"name": "Taxi Nord", "mobile": "0171"})
    found = text(ana.get("/directory/?account=acme&q=0171"))
    assert "Taxi Nord" in found
    assert "Porter of acme" not in found
    assert "Remove Taxi Nord?" in text(ana.get(f"/directory/contacts/{contact.code}/remove/"))
    ana.post(f"/directory/contacts/{contact.code}/remove/")
    assert names(world) == [("Porter of acme", "4711")]


def test_what_cannot_be_dialled_comes_back_at_its_field(world: World) -> None:
    answer = signed_in(world.ana).post(
        "/directory/add/", {"account": "acme", "name": "Taxi", "number": "call me"}
    )

    assert "A number has digits" in text(answer)
    assert 'href="#id_number"' in text(answer)
    assert names(world) == [("Porter of acme", "4711")]


def test_an_extension_is_hidden_and_shown_again(world: World) -> None:
    ana, line = signed_in(world.ana), world.acme.extension
    url = f"/directory/extensions/{line.code}/"

    said = text(ana.post(url, {"do": "hide"}, follow=True))
    assert "is hidden from the directory" in said
    assert "(1 hidden)" in said
    assert Extension.objects.get(pk=line.pk).in_directory is False
    ana.post(url, {"do": "show"})
    assert Extension.objects.get(pk=line.pk).in_directory is True


def test_a_table_is_looked_at_and_then_kept_as_it_was_seen(world: World) -> None:
    ana = signed_in(world.ana)
    content = '\n"Name";Number;Birthday\n"Taxi & ""Co""";33;\nPorter of acme;4712;May\n'

    seen = text(ana.post(IMPORT, {"account": "acme", "file": table(content)}))
    assert "1 added, 1 changed, 0 as before, 0 refused." in seen
    assert "Not read: Birthday." in seen
    assert "before: " in seen
    assert names(world) == [("Porter of acme", "4711")]
    again = {name: hidden(seen, name) for name in ("account", "table", "mark")}
    done = ana.post(IMPORT, {**again, "do": "keep"}, follow=True)

    assert "1 added and 1 changed." in text(done)
    assert names(world) == [("Porter of acme", "4712"), ('Taxi & "Co"', "33")]


def test_a_refused_row_names_its_line_and_nothing_can_be_kept(world: World) -> None:
    ana = signed_in(world.ana)
    content = "Name;Number\nTaxi;33\nPost;none\n"

    seen = text(ana.post(IMPORT, {"account": "acme", "file": table(content)}))
    forced = ana.post(IMPORT, {"account": "acme", "table": content, "do": "keep"})

    assert "1 refused" in seen
    assert 'data-label="Line">3<' in seen
    assert 'value="keep"' not in seen
    assert "Line 3" in text(forced)
    assert names(world) == [("Porter of acme", "4711")]


def test_a_directory_that_changed_meanwhile_is_looked_at_again(world: World) -> None:
    ana = signed_in(world.ana)
    content = "Name;Number\nTaxi;33\n"
    seen = text(ana.post(IMPORT, {"account": "acme", "file": table(content)}))
    directory.add(world.acme.account, by=actor(world.ana), name="Taxi", number="44")

    answer = ana.post(
        IMPORT, {"account": "acme", "table": content, "mark": hidden(seen, "mark"), "do": "keep"}
    )

    assert "Look at it again." in text(answer)
    assert ("Taxi", "44") in names(world)


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "The submitted file is empty"), ("Nothing\n1\n", "no column"), ("Name;Number\n", "no rows")],
)
def test_what_is_no_table_is_said_at_the_file(world: World, content: str, said: str) -> None:
    answer = text(signed_in(world.ana).post(IMPORT, {"account": "acme", "file": table(content)}))

    assert said in answer
    assert 'href="#id_file"' in answer


def test_without_a_file_it_asks_for_one(world: World) -> None:
    assert "Choose the file" in text(signed_in(world.ana).post(IMPORT, {"account": "acme"}))


def test_the_contacts_come_out_as_a_table(world: World) -> None:
    answer = signed_in(world.acme.viewer).get("/directory/export/?account=acme")

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "Porter of acme;4711" in answer.content.decode("utf-8-sig")


def test_a_viewer_looks_and_changes_nothing(world: World) -> None:
    vic = signed_in(world.acme.viewer)

    shown = text(vic.get("/directory/"))
    assert "Porter of acme" in shown
    assert "Add a contact" not in shown
    for url in ("/directory/add/", IMPORT, f"/directory/contacts/{world.acme.contact.code}/"):
        assert vic.post(url, {"account": "acme", "name": "Taxi", "number": "1"}).status_code == 403
    assert names(world) == [("Porter of acme", "4711")]


def test_it_says_what_the_phones_make_of_it(world: World) -> None:
    shown = text(signed_in(world.ana).get("/directory/"))

    assert "Its remote phone book Company is searched by name" in shown
    assert "missing" not in shown


def test_what_phones_leave_out_is_counted_by_their_own_measure() -> None:
    entries = [BookEntry(f"N{at}", (("number", "1"), ("mobile", "2"))) for at in range(20)]

    by_number = note_of("cisco", ["8841", "SPA112"], entries)
    adapters = note_of("cisco", ["SPA112"], entries)

    assert (by_number.most, by_number.missing) == (32, 8)
    assert [line.partition(": ")[2] for line in by_number.cannot] == ["An adapter has no display."]
    assert (adapters.search, adapters.missing, len(adapters.cannot)) == ("", 0, 1)
