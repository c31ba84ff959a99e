"""A table as office programs write it, read into rows of text: CSV in its dialects, and Excel's XLSX."""

import csv
import io
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

import openpyxl
from django.utils.translation import gettext as _

from accounts.refusals import Invalid

LARGEST = 2 * 1024 * 1024
MOST_ROWS = 5000
MOST_COLUMNS = 30
LONGEST_CELL = 5000
#: What an XLSX may be once it is unpacked, and how far down its sheet may go.
LARGEST_UNPACKED = 40 * 1024 * 1024
MOST_PARTS = 500
LAST_LINE = 50_000

_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"

#: The number of the line in which a row begins, and its cells.
Row = tuple[int, list[str]]


def read(data: bytes) -> list[Row]:
    """The rows that say something, the heading first; Invalid says why it is no such table."""
    if len(data) > LARGEST:
        raise Invalid("table", _("A table has at most 2 MB."))
    if data.startswith(_OLD_EXCEL):
        raise Invalid(
            "table", _("This is a file of an old Excel. Save it as an Excel workbook (.xlsx) or as CSV.")
        )
    found = list(_checked(_sheet(data) if data.startswith(_ZIP) else _lines(data)))
    if not found:
        raise Invalid("table", _("The table is empty."))
    return found


def _checked(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows with something in them, as many and as wide as a table may be."""
    count = 0
    for line, cells in rows:
        while cells and not cells[-1].strip():
            cells.pop()
        if not cells:
            continue
        count += 1
        if count > MOST_ROWS + 1:  # the heading is none
            raise Invalid("table", _("A table has at most %(most)d rows.") % {"most": MOST_ROWS})
        if len(cells) > MOST_COLUMNS:
            words = _("Line %(line)d has more than %(most)d columns.")
            raise Invalid("table", words % {"line": line, "most": MOST_COLUMNS})
        for cell in cells:
            refuse_cell("table", line, cell)
        yield line, cells


def refuse_cell(field: str, line: int, cell: str) -> None:
    """Refuse what no database keeps."""
    if len(cell) > LONGEST_CELL:
        words = _("A cell of line %(line)d has more than %(most)d characters.")
        raise Invalid(field, words % {"line": line, "most": LONGEST_CELL})
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in cell):
        words = _("A cell of line %(line)d holds what is no text.")
        raise Invalid(field, words % {"line": line})


# --- text --------------------------------------------------------------------------------------------------


def _lines(data: bytes) -> Iterator[Row]:
    text = _text(data)
    delimiter, begins = ",", 1
    if text[:4].lower() == "sep=" and text[4:5] in (";", ",", "\t", "|"):  # Excel's own mark
        delimiter, text, begins = text[4], text.partition("\n")[2], 2
    else:
        heading = text.lstrip("\r\n").partition("\n")[0]
        delimiter = max(";,\t", key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    first = begins
    try:
        for cells in reader:
            yield begins, cells
            begins = first + reader.line_num
    except csv.Error as error:
        words = _("From line %(line)d on this is no table: %(why)s.")
        raise Invalid("table", words % {"line": begins, "why": error}) from error


def _text(data: bytes) -> str:
    """The text in whatever an office program has written it; what is no text at all is refused."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="replace")
    if "\0" in text or "\ufffd" in text:
        raise Invalid("table", _("This is no text. Save the table as CSV UTF-8, or as an Excel workbook."))
    return text


# --- Excel -------------------------------------------------------------------------------------------------


def _sheet(data: bytes) -> Iterator[Row]:
    """The first sheet that can be seen. What it says is only believed once its size is known."""
    _refuse_bomb(data)
    if not openpyxl.DEFUSEDXML:
        raise RuntimeError("openpyxl reads foreign XML with defusedxml only")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it leaves out: drawings, rules of validation
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            rows = shown[0].iter_rows(max_col=MOST_COLUMNS + 1, values_only=True) if shown else iter(())
            for line, values in enumerate(rows, 1):
                if line > LAST_LINE:
                    words = _("The sheet goes on below line %(last)d. Delete the lines after the last phone.")
                    raise Invalid("table", words % {"last": LAST_LINE})
                yield line, [_cell(value) for value in values]
    except Invalid:
        raise
    except Exception as error:  # whatever a damaged file makes of its reader
        raise Invalid(
            "table", _("This Excel workbook cannot be read. Save it again, or save it as CSV.")
        ) from error


def _refuse_bomb(data: bytes) -> None:
    """Refuse what is small on the wire and huge in memory; a size that lies is cut off by the reader."""
    try:
        parts = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise Invalid("table", _("This file is damaged. Save the table again.")) from error
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNPACKED:
        raise Invalid("table", _("Unpacked, this workbook is too large for a list of phones."))
    if any(part.flag_bits & 1 for part in parts):
        raise Invalid("table", _("This workbook has a password. Save it without one."))


def _cell(value: Any) -> str:
    """A cell as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
