"""Contacts out of a table: what is read, what is refused with its line, and that all or nothing is kept."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.scope import Actor
from devices import directory, importing
from devices.models import Contact


def contacts(account: Account) -> list[tuple[str, str, str, str]]:
    rows = Contact.objects.filter(account=account).order_by("name")
    return list(rows.values_list("name", "number", "mobile", "other"))


@pytest.mark.parametrize(
    ("case", "table"),
    [
        ("semicolons", "Name;Number;Mobile\nPost;12;\nTaxi;34;0171 5\n"),
        ("commas", "Name,Number,Mobile\nPost,12,\nTaxi,34,0171 5\n"),
        ("tabs", "Name\tNumber\tMobile\nPost\t12\t\nTaxi\t34\t0171 5\n"),
        ("lines of another system", "Name;Number;Mobile\r\nPost;12\r\nTaxi;34;01715\r\n"),
        ("other words, another order", "Handy;Telefon;Nachname;Vorname\n;12;Post;\n0171-5;34;;Taxi"),
        ("empty lines", "\nName;Number;Mobile\n\n;;\nPost;12;\nTaxi;34;01715\n\n"),
        ("quoted", '"Name","Number","Mobile"\n"Post","12",""\n"Taxi","34","0171 5"\n'),
    ],
)
def test_a_table_is_read_as_office_programs_write_it(
    acme: Account, ana: Actor, case: str, table: str
) -> None:
    for data in (table.encode(), codecs.BOM_UTF8 + table.encode()):
        Contact.objects.all().delete()

        done = importing.run(acme, by=ana, data=data)

        assert done.counts == {"added": 2, "changed": 0, "same": 0, "refused": 0}
        assert contacts(acme) == [("Post", "12", "", ""), ("Taxi", "34", "01715", "")]


def test_a_plan_tells_added_changed_and_same_apart_and_keeps_nothing(acme: Account, ana: Actor) -> None:
    directory.add(acme, by=ana, name="Post", number="1")
    directory.add(acme, by=ana, name="Taxi", number="2", mobile="3")
    before = (contacts(acme), AuditEntry.objects.count(), directory.revision(acme.pk))

    seen = importing.plan(acme, b"Name;Number;Mobile;Birthday\nPost;1;;May\nTaxi;9;3;\nZoo;4;;\n")

    assert [(row.line, row.what, row.name) for row in seen.rows] == [
        (2, "same", "Post"),
        (3, "changed", "Taxi"),
        (4, "added", "Zoo"),
    ]
    assert seen.of("changed")[0].before == ("2", "3", "")
    assert seen.ignored == ("Birthday",)
    assert (contacts(acme), AuditEntry.objects.count(), directory.revision(acme.pk)) == before


def test_one_wrong_row_keeps_all_from_being_imported(acme: Account, ana: Actor) -> None:
    table = b'Name;Number\nPost;12\n"Two\nlines";1\nTaxi;call me\n;5\nPost;13\nNobody;\n'
    before = (AuditEntry.objects.count(), directory.revision(acme.pk))

    seen = importing.plan(acme, table)
    with pytest.raises(Invalid, match=r"Line 3: .* Nothing was imported") as refused:
        importing.run(acme, by=ana, data=table)

    assert [(row.line, row.what, row.field) for row in seen.rows] == [
        (2, "added", ""),
        (3, "refused", "name"),
        (5, "refused", "number"),
        (6, "refused", "name"),
        (7, "refused", "name"),
        (8, "refused", "number"),
    ]
    assert seen.rows[4].reason == "This name stands in line 2 already."
    assert not seen.can_be_kept
    assert refused.value.field == "table"
    assert contacts(acme) == []
    assert (AuditEntry.objects.count(), directory.revision(acme.pk)) == before


@pytest.mark.parametrize(
    ("case", "data", "said"),
    [
        ("nothing", b"", "empty"),
        ("a heading alone", b"Name;Number\n", "no rows"),
        ("no name", b"Number\n12\n", "no column .Name"),
        ("no number", b"Name\nPost\n", "no column .Number"),
        ("a column twice", b"Name;Phone;Office\nPost;1;2\n", "Two columns"),
        ("another encoding", "Name;Number\nPost;1\nMüller;2\n".encode("latin-1"), "Line 3 is not UTF-8"),
        ("two bytes a letter", "Name;Number\nPost;1\n".encode("utf-16"), "not UTF-8"),
        ("no text", b"Name;Number\nPo\0st;1\n", "no text"),
        ("an open quote", b'Name;Number\n"Post;1\n', "From line 2"),
        ("too large", b"Name;Number\n" + b"x" * importing.LARGEST, "one megabyte"),
        ("many columns", b"Name;Number" + b";x" * 50 + b"\nPost;1\n", "columns"),
    ],
)
def test_what_is_no_table_is_refused_in_words(
    acme: Account, ana: Actor, case: str, data: bytes, said: str
) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        importing.run(acme, by=ana, data=data)

    assert refused.value.field == "table"
    assert contacts(acme) == []


def test_more_than_a_directory_holds_is_refused(
    acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MOST", 2)
    directory.add(acme, by=ana, name="Post", number="1")

    importing.run(acme, by=ana, data=b"Name;Number\nPost;2\nTaxi;3\n")
    with pytest.raises(Invalid, match="would make 3"):
        importing.run(acme, by=ana, data=b"Name;Number\nZoo;3\n")

    assert contacts(acme) == [("Post", "2", "", ""), ("Taxi", "3", "", "")]


def test_an_import_is_kept_as_it_was_seen_or_not_at_all(acme: Account, ana: Actor) -> None:
    table = b"Name;Number\nPost;12\n"
    seen = importing.plan(acme, table)
    directory.add(acme, by=ana, name="Post", number="99")

    with pytest.raises(Refusal, match="Look at it again") as refused:
        importing.run(acme, by=ana, data=table, expected=seen.mark)

    assert refused.value.code == "changed-meanwhile"
    assert contacts(acme) == [("Post", "99", "", "")]
    importing.run(acme, by=ana, data=table, expected=importing.plan(acme, table).mark)
    assert contacts(acme) == [("Post", "12", "", "")]


def test_an_import_without_news_changes_nothing(acme: Account, ana: Actor) -> None:
    directory.add(acme, by=ana, name="Post", number="12")
    before = (AuditEntry.objects.count(), directory.revision(acme.pk))

    importing.run(acme, by=ana, data=b"Name;Number\nPost;12\n")

    assert (AuditEntry.objects.count(), directory.revision(acme.pk)) == before


def test_only_who_may_change_the_directory_imports(acme: Account, vic: Actor, eve: Actor) -> None:
    for somebody in (vic, eve):
        with pytest.raises(Forbidden):
            importing.run(acme, by=somebody, data=b"Name;Number\nPost;12\n")

    assert contacts(acme) == []


names = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Zs", "Cn")), min_size=1, max_size=60
)
numbers = st.from_regex(r"\+?[0-9*#]{1,32}", fullmatch=True)


@settings(max_examples=50)
@given(st.dictionaries(names, st.tuples(numbers, st.just("") | numbers, st.just("") | numbers), max_size=8))
def test_what_is_exported_is_imported_again_as_it_was(
    acme: Account, ana: Actor, wanted: dict[str, tuple[str, str, str]]
) -> None:
    Contact.objects.all().delete()
    for name, (number, mobile, other) in wanted.items():
        directory.add(acme, by=ana, name=name, number=number, mobile=mobile, other=other)
    before = contacts(acme)

    table = importing.export(acme)
    Contact.objects.all().delete()
    if before:
        importing.run(acme, by=ana, data=table)

    assert contacts(acme) == before
    formulas = [line for line in table.decode("utf-8-sig").splitlines()[1:] if line[:1] in "=+-@"]
    assert formulas == []
