"""Tables out of office programs: every dialect gives the same rows, and what is none says why."""

import codecs
import io
import zipfile
from contextlib import suppress
from datetime import date, datetime

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accounts.refusals import Invalid
from devices import tables

TEXT = "MAC;Name\n00005e005301;Tür Süd\n00005e005302;\n"
ROWS = [(1, ["MAC", "Name"]), (2, ["00005e005301", "Tür Süd"]), (3, ["00005e005302"])]


def workbook(*rows: list[object], hidden: bool = False) -> bytes:
    book = openpyxl.Workbook()
    if hidden:
        book.worksheets[0].sheet_state = "hidden"
        book.worksheets[0].append(["not this one"])
        book.create_sheet("Phones")
    for row in rows:
        book.worksheets[-1].append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def repacked(data: bytes, name: str, text: bytes) -> bytes:
    """The workbook with another text in the place of one of its parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, text if part == name else old.read(part))
    return out.getvalue()


@pytest.mark.parametrize(
    ("case", "data"),
    [
        ("UTF-8", TEXT.encode()),
        ("UTF-8 with its mark", codecs.BOM_UTF8 + TEXT.encode()),
        ("UTF-16 of Excel", TEXT.replace(";", "\t").encode("utf-16")),
        ("UTF-16 the other way", codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be")),
        ("Latin-1", TEXT.encode("latin-1")),
        ("commas", TEXT.replace(";", ",").encode()),
        ("tabs", TEXT.replace(";", "\t").encode()),
        ("lines of Windows", TEXT.replace("\n", "\r\n").encode()),
        ("lines of an old Mac", TEXT.replace("\n", "\r").encode()),
        ("quoted", b'"MAC";"Name"\n"00005e005301";"T\xc3\xbcr S\xc3\xbcd"\n"00005e005302";""\n'),
        ("a workbook", workbook(["MAC", "Name"], ["00005e005301", "Tür Süd"], ["00005e005302", None])),
        ("its first sheet that is seen", workbook(*[row for _, row in ROWS], hidden=True)),  # type: ignore[arg-type]
    ],
)
def test_every_dialect_gives_the_same_rows(case: str, data: bytes) -> None:
    assert tables.read(data) == ROWS


def test_excels_mark_of_a_delimiter_is_no_row() -> None:
    assert tables.read(b"sep=|\nMAC|Name\n1|a;b\n") == [(2, ["MAC", "Name"]), (3, ["1", "a;b"])]


def test_rows_know_the_line_they_begin_in() -> None:
    data = b'\nMAC;Notes\n\n1;"two\nlines"\n;;\n2;x\n'

    assert tables.read(data) == [(2, ["MAC", "Notes"]), (4, ["1", "two\nlines"]), (7, ["2", "x"])]


def test_cells_of_a_workbook_read_as_a_person_reads_them() -> None:
    cells = [4711, 4711.0, 1.5, True, date(2026, 11, 30), datetime(2026, 11, 30), "x", None]

    [(_, found)] = tables.read(workbook(cells))

    assert found == ["4711", "4711", "1.5", "yes", "2026-11-30", "2026-11-30", "x"]


def test_rows_are_as_many_and_as_wide_as_a_table_may_be() -> None:
    head, row = b"MAC\n", b"1\n"
    wide = b";".join([b"x"] * tables.MOST_COLUMNS)

    assert len(tables.read(head + row * tables.MOST_ROWS)) == tables.MOST_ROWS + 1
    assert len(tables.read(wide)[0][1]) == tables.MOST_COLUMNS
    assert len(tables.read(wide + b";;;;\n")[0][1]) == tables.MOST_COLUMNS
    for data, words in (
        (head + row * (tables.MOST_ROWS + 1), "at most 5000 rows"),
        (wide + b";x", "Line 1 has more than 30 columns"),
        (workbook(["x"] * (tables.MOST_COLUMNS + 1)), "Line 1 has more than 30 columns"),
        (head + b"y" * (tables.LONGEST_CELL + 1), "cell of line 2"),
        (b"x" * (tables.LARGEST + 1), "at most 2 MB"),
    ):
        with pytest.raises(Invalid, match=words):
            tables.read(data)


@pytest.mark.parametrize(
    ("case", "data", "words"),
    [
        ("nothing", b"", "empty"),
        ("only blanks", b"\n;;\n", "empty"),
        ("a picture", b"\x89PNG\r\n\0\0", "no text"),
        ("UTF-16 cut off", codecs.BOM_UTF16_LE + b"M", "no text"),
        ("an open quote", b'MAC;Name\n1;"open\n', "From line 2 on"),
        ("old Excel", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel"),
        (
            "a zip of something else",
            repacked(workbook(["MAC"]), "xl/workbook.xml", b"no XML"),
            "cannot be read",
        ),
        ("a broken zip", b"PK\x03\x04 and no more", "damaged"),
    ],
)
def test_what_is_no_table_says_why(case: str, data: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refusal:
        tables.read(data)

    assert refusal.value.field == "table"


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openpyxl, "load_workbook", lambda *args, **more: pytest.fail("it was opened"))
    bomb = repacked(workbook(["MAC"]), "xl/theme/theme1.xml", b" " * (tables.LARGEST_UNPACKED + 1))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as many:
        for at in range(tables.MOST_PARTS + 1):
            many.writestr(f"{at}.xml", "")

    assert len(bomb) < tables.LARGEST
    for data in (bomb, out.getvalue()):
        with pytest.raises(Invalid, match="too large"):
            tables.read(data)


def test_entities_of_a_workbook_are_not_followed(tmp_path: object) -> None:
    laughs = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>
    <worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
    <row r="1"><c r="A1" t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>"""

    assert openpyxl.DEFUSEDXML
    with pytest.raises(Invalid, match="cannot be read"):
        tables.read(repacked(workbook(["MAC"]), "xl/worksheets/sheet1.xml", laughs))


@pytest.mark.parametrize(("row", "column"), [(1_048_576, "A"), (1, "XFD")])
def test_a_cell_far_out_costs_nothing(row: int, column: str) -> None:
    sheet = f"""<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
    <row r="{row}"><c r="{column}{row}"><v>1</v></c></row></sheetData></worksheet>"""

    with pytest.raises(Invalid):
        tables.read(repacked(workbook(["MAC"]), "xl/worksheets/sheet1.xml", sheet.encode()))


def rows_or_none(data: bytes) -> list[tables.Row]:
    """Whatever is wrong with it, it is refused as a table and not by an accident."""
    found: list[tables.Row] = []
    with suppress(Invalid):
        found = tables.read(data)
    return found


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
@example(b'a;"b')
@example(b"\xff\xfe\x00\xd8")
def test_whatever_comes_there_is_a_table_or_a_reason(data: bytes) -> None:
    rows = rows_or_none(data)

    assert all(cells and cells[-1].strip() for _, cells in rows)
    assert [line for line, _ in rows] == sorted(line for line, _ in rows)


WHOLE = workbook(["MAC", "Name"], ["00005e005301", "Desk"])


@settings(deadline=None, max_examples=60)
@given(at=st.integers(0, len(WHOLE) - 1), put=st.binary(min_size=1, max_size=8))
def test_a_damaged_workbook_is_read_or_refused(at: int, put: bytes) -> None:
    rows_or_none(WHOLE[:at] + put + WHOLE[at + len(put) :])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.text("ab;,\t\"'\n ä", max_size=5), max_size=4), max_size=5))
def test_what_a_workbook_holds_is_what_is_read(rows: list[list[str]]) -> None:
    expected = [list(row) for row in rows]
    for row in expected:
        while row and not row[-1].strip():
            row.pop()

    found = rows_or_none(workbook(*rows))  # type: ignore[arg-type]

    assert [cells for _, cells in found] == [row for row in expected if row]
