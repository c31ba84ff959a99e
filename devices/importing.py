"""Contacts out of a table as office programs write it (CSV), looked at before anything is kept; and back."""

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit
from accounts.deleting import refuse_deleted
from accounts.models import Account
from accounts.refusals import Invalid, Refusal
from accounts.scope import Actor
from devices import directory
from devices.models import Contact

LARGEST = 1024 * 1024
COLUMNS = 40
#: What a column may be called, without case, blanks and marks; the first name is the one we write.
HEADERS: dict[str, tuple[str, ...]] = {
    "name": ("name", "contact", "displayname", "fullname", "anzeigename", "nom"),
    "first": ("firstname", "givenname", "vorname", "prenom"),
    "last": ("lastname", "surname", "familyname", "nachname"),
    "number": (
        "number", "phone", "telephone", "office", "officenumber", "work", "workphone", "businessphone",
        "phonenumber", "nummer", "telefon", "telefonnummer", "telephone1",
    ),
    "mobile": ("mobile", "mobilephone", "mobilenumber", "cell", "cellphone", "handy", "mobil", "portable"),
    "other": ("other", "othernumber", "home", "homephone", "homenumber", "private", "privat"),
}  # fmt: skip
# What office programs would take for a formula; a number needs its + and holds no formula.
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table and what becomes of it."""

    line: int
    what: str  #: added | changed | same | refused
    name: str
    numbers: tuple[str, str, str]
    field: str = ""  #: the field that is refused
    reason: str = ""
    before: tuple[str, str, str] = ("", "", "")  #: the numbers of a contact that is changed


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do."""

    rows: tuple[Row, ...]
    ignored: tuple[str, ...]  #: columns that are not read
    total: int  #: contacts of the account afterwards
    mark: str  #: stands for exactly this plan

    def of(self, what: str) -> list[Row]:
        """The rows that would be treated so."""
        return [row for row in self.rows if row.what == what]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows are treated how."""
        return {what: len(self.of(what)) for what in ("added", "changed", "same", "refused")}

    @property
    def can_be_kept(self) -> bool:
        """Whether nothing stands against it; an import is kept as a whole or not at all."""
        return not self.of("refused") and bool(self.of("added") or self.of("changed"))


def plan(account: Account, data: bytes) -> Plan:
    """Read the table and say of each row what would become of it; Invalid where it is no such table."""
    present = {contact.name: contact for contact in Contact.objects.filter(account=account)}
    lines, ignored = _lines(data)
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for line, values in lines:
        rows.append(_row(line, values, present, seen))
    total = len(present) + sum(row.what == "added" for row in rows)
    if total > directory.MOST:
        raise Invalid(
            "table",
            gettext("A directory holds {most} contacts; this would make {total}.").format(
                most=directory.MOST, total=total
            ),
        )
    said = repr([(row.line, row.what, row.name, row.numbers, row.before) for row in rows])
    return Plan(tuple(rows), ignored, total, hashlib.sha256(said.encode()).hexdigest()[:32])


def run(account: Account, *, by: Actor, data: bytes, expected: str = "", now: datetime | None = None) -> Plan:
    """Keep what the table says, all of it or nothing; `expected` is the mark of the plan that was seen."""
    directory.needs(by, account)
    now = now or timezone.now()
    with transaction.atomic():
        directory.hold(account)
        refuse_deleted(account)
        wanted = plan(account, data)
        if refused := wanted.of("refused"):
            first = refused[0]
            raise Invalid(
                "table",
                gettext("Line {line}: {reason} Nothing was imported.").format(
                    line=first.line, reason=first.reason
                ),
            )
        if expected and wanted.mark != expected:
            raise Refusal(
                "input",
                gettext("The directory has changed since you looked at this import. Look at it again."),
                code="changed-meanwhile",
                field="table",
            )
        if wanted.can_be_kept:
            _keep(account, wanted, now)
            counts = wanted.counts
            audit.record(
                by, "directory.imported", account, now=now, added=counts["added"], changed=counts["changed"]
            )
            directory.touch(account)
    return wanted


def export(account: Account) -> bytes:
    """The contacts as a table that the import reads again to the same contacts."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";")
    writer.writerow(["Name", "Number", "Mobile", "Other"])
    for contact in Contact.objects.filter(account=account).order_by("name", "pk"):
        guarded = "'" if contact.name.startswith((*_FORMULA, "'")) else ""
        writer.writerow([guarded + contact.name, contact.number, contact.mobile, contact.other])
    return out.getvalue().encode("utf-8-sig")


def _keep(account: Account, wanted: Plan, now: datetime) -> None:
    added = [
        Contact(
            account=account, name=row.name, number=row.numbers[0], mobile=row.numbers[1],
            other=row.numbers[2], created_at=now,
        )
        for row in wanted.of("added")
    ]  # fmt: skip
    Contact.objects.bulk_create(added, batch_size=500)
    changed = {row.name: row.numbers for row in wanted.of("changed")}
    rows = list(Contact.objects.filter(account=account, name__in=changed))
    for contact in rows:
        contact.number, contact.mobile, contact.other = changed[contact.name]
    Contact.objects.bulk_update(rows, directory.NUMBERS, batch_size=200)


def _row(line: int, values: dict[str, str], present: dict[str, Contact], seen: dict[str, int]) -> Row:
    given = {name: values.get(name, "") for name in directory.FIELDS}
    shown = (given["number"], given["mobile"], given["other"])
    try:
        kept = directory.read(given)
        if not any(kept[name] for name in directory.NUMBERS):
            raise Invalid("number", gettext("A contact has at least one number."))
        if kept["name"] in seen:
            raise Invalid(
                "name", gettext("This name stands in line {value} already.").format(value=seen[kept["name"]])
            )
    except Invalid as error:
        return Row(line, "refused", given["name"], shown, error.field or "", error.detail)
    seen[kept["name"]] = line
    numbers = (kept["number"], kept["mobile"], kept["other"])
    contact = present.get(kept["name"])
    if contact is None:
        return Row(line, "added", kept["name"], numbers)
    before = (contact.number, contact.mobile, contact.other)
    return Row(line, "same" if before == numbers else "changed", kept["name"], numbers, before=before)


# --- the table -------------------------------------------------------------------------------------------


def _lines(data: bytes) -> tuple[list[tuple[int, dict[str, str]]], tuple[str, ...]]:
    """The rows that say something, with the line each begins in, and the columns that are not read."""
    text = _text(data)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    found: list[tuple[int, dict[str, str]]] = []
    columns: list[str] | None = None
    ignored: tuple[str, ...] = ()
    for line, cells in _cells(reader):
        if not any(cell.strip() for cell in cells):
            continue
        if columns is None:
            columns, ignored = _columns(cells)
            continue
        if len(found) >= 2 * directory.MOST:
            raise Invalid(
                "table", gettext("This is more than {value} rows.").format(value=2 * directory.MOST)
            )
        found.append((line, _values(columns, cells)))
    if columns is None:
        raise Invalid("table", gettext("The file is empty."))
    if not found:
        raise Invalid("table", gettext("Below its heading the table has no rows."))
    return found, ignored


def _cells(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of the line in which it begins."""
    begins = 1
    try:
        for cells in reader:
            yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise Invalid(
            "table",
            gettext("From line {begins} on this is no table: {error}.").format(begins=begins, error=error),
        ) from error


def _text(data: bytes) -> str:
    if len(data) > LARGEST:
        raise Invalid("table", gettext("A table for an import has one megabyte at most."))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Invalid(
            "table", gettext("Line {line} is not UTF-8. Save the table as CSV UTF-8.").format(line=line)
        ) from error
    if "\0" in text:
        raise Invalid("table", gettext("This is no text. Save the table as CSV UTF-8."))
    return text


def _delimiter(text: str) -> str:
    """Semicolon, comma or tab: whichever the heading has most of."""
    heading = text.lstrip("\r\n").partition("\n")[0]
    return max(";,\t", key=heading.count)


def _columns(cells: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Which field each column is; one that is no field is "" and named among the ignored."""
    if len(cells) > COLUMNS:
        raise Invalid("table", gettext("The table has more than {columns} columns.").format(columns=COLUMNS))
    meant = {word: field for field, words in HEADERS.items() for word in words}
    columns: list[str] = []
    ignored: list[str] = []
    for cell in cells:
        field = meant.get("".join(c for c in cell.casefold() if c.isalnum()), "")
        if field and field in columns:
            raise Invalid("table", gettext("Two columns of the table are the {field}.").format(field=field))
        columns.append(field)
        if not field and cell.strip():
            ignored.append(cell.strip()[:60])
    if not {"name", "first", "last"}.intersection(columns):
        raise Invalid("table", gettext("Its first line has no column “Name”."))
    if not set(directory.NUMBERS).intersection(columns):
        raise Invalid("table", gettext("Its first line has no column “Number”, “Mobile” or “Other”."))
    return columns, tuple(ignored)


def _values(columns: list[str], cells: list[str]) -> dict[str, str]:
    values = {field: cell for field, cell in zip(columns, cells, strict=False) if field}
    name = values.get("name", "")
    if not name.strip():
        name = " ".join(
            part for part in (values.get("first", "").strip(), values.get("last", "").strip()) if part
        )
    name = name.strip()
    if name.startswith("'") and name[1:].startswith((*_FORMULA, "'")):
        name = name[1:]  # as the export guards it
    return {**values, "name": name}
