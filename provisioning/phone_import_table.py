"""A list of phones as people keep it: which columns there are, what they may be called, and its rows."""

import base64
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.refusals import Invalid
from accounts.sealing import SealError
from devices import secrets, tables
from devices.catalog import catalog
from devices.mac import parse_mac

# What office programs would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: our name of it, what the heading may be, and what to write there."""

    name: str
    title: str  #: as we write the heading; also recognised
    words: tuple[str, ...]  #: other headings, without case, blanks and marks
    help: str | Promise


COLUMNS = (
    Column(
        "mac",
        "MAC",
        ("macaddress", "macadresse", "macaddr", "adressemac", "hardwareaddress", "ethernetaddress"),
        gettext_lazy("Needed. Twelve digits on the label under the phone, in any spelling."),
    ),
    Column(
        "model",
        "Model",
        ("phonemodel", "devicemodel", "type", "phonetype", "devicetype", "modell", "typ", "modele"),
        gettext_lazy("Needed. As the catalogue or the label names it."),
    ),
    Column(
        "vendor",
        "Vendor",
        ("family", "brand", "make", "maker", "manufacturer", "hersteller", "marke", "fabricant"),
        gettext_lazy("Only needed where two makers have a model of that name."),
    ),
    Column(
        "name",
        "Name",
        ("label", "phone", "phonename", "devicename", "description", "bezeichnung", "nom", "room"),
        gettext_lazy("What people call the phone: Ben Hall, desk."),
    ),
    Column(
        "site",
        "Site",
        ("location", "place", "office", "building", "standort", "filiale"),
        gettext_lazy("The name of one of your sites."),
    ),
    Column(
        "owner",
        "Owner",
        ("owneremail", "email", "mail", "emailaddress", "user", "useremail", "besitzer", "benutzer"),
        gettext_lazy("The e-mail address of a person of the account: the phone is on that person's page."),
    ),
    Column(
        "extension",
        "Extension",
        (
            "ext", "number", "sipuser", "sipusername", "username", "line", "line1", "nebenstelle",
            "durchwahl", "rufnummer", "poste",
        ),
        gettext_lazy("The line on the phone's first key. One that other phones show becomes a shared line."),
    ),
    Column(
        "display_name",
        "Display name",
        ("callerid", "calleridname", "callername", "extensionname", "anzeigename"),
        gettext_lazy("What a new extension is called. One that exists keeps its name."),
    ),
    Column(
        "auth_name",
        "SIP auth name",
        ("authname", "authuser", "authid", "authenticationname", "authusername", "sipauth", "sipauthuser"),
        gettext_lazy("Of a new extension; empty: its number."),
    ),
    Column(
        "secret",
        "SIP secret",
        ("secret", "password", "sippassword", "sippass", "pass", "passwort", "kennwort", "motdepasse"),
        gettext_lazy("Of a new extension: with it, an extension that does not exist is made."),
    ),
    Column(
        "profile",
        "Profile",
        ("keyprofile", "template", "keytemplate", "profil", "vorlage"),
        gettext_lazy("The name of a profile: its keys are put on the phone."),
    ),
    Column(
        "notes",
        "Notes",
        ("note", "comment", "comments", "remark", "remarks", "notiz", "bemerkung", "kommentar"),
        gettext_lazy("Anything that is worth knowing."),
    ),
    Column(
        "ship_on",
        "Ships on",
        ("shipon", "shipdate", "shippingdate", "shipping", "deliverydate", "versand", "lieferdatum"),
        gettext_lazy("2026-11-30 or 30.11.2026. Until that day the phone gets nothing."),
    ),
)  # fmt: skip
NAMES = tuple(column.name for column in COLUMNS)


@dataclass(frozen=True, slots=True)
class PhoneRow:
    """One line of the list: its number and what stands in it, by our names of the columns."""

    line: int
    cells: Mapping[str, str]

    def get(self, name: str) -> str:
        """What stands there, without blanks at its ends; a secret as it is."""
        text = self.cells.get(name, "")
        return text if name == "secret" else text.strip()


@dataclass(frozen=True, slots=True)
class PhoneTable:
    """The rows of a list, and the headings that say nothing to us."""

    rows: tuple[PhoneRow, ...]
    ignored: tuple[str, ...] = ()


def read(data: bytes) -> PhoneTable:
    """Read a list out of a file or out of pasted text; Invalid says why it is none."""
    (_line, heading), *lines = tables.read(data)
    names, ignored = _headings(heading)
    if not lines:
        raise Invalid("table", _("Below its heading the table has no rows."))
    rows = (
        PhoneRow(line, {name: _plain(cell) for name, cell in zip(names, cells, strict=False) if name})
        for line, cells in lines
    )
    return PhoneTable(tuple(rows), ignored)


def read_dicts(given: Sequence[Mapping[str, str]]) -> PhoneTable:
    """The same from a program: each row names its own columns."""
    if len(given) > tables.MOST_ROWS:
        raise Invalid("rows", _("A table has at most %(most)d rows.") % {"most": tables.MOST_ROWS})
    ignored: dict[str, None] = {}
    rows = []
    for line, entry in enumerate(given, 1):
        names, unknown = _fields(entry)
        ignored |= dict.fromkeys(unknown)
        cells = {name: cell for name, cell in zip(names, entry.values(), strict=True) if name}
        for cell in cells.values():
            tables.refuse_cell("rows", line, cell)
        rows.append(PhoneRow(line, cells))
    if not rows:
        raise Invalid("rows", _("The table is empty."))
    return PhoneTable(tuple(rows), tuple(ignored))


def _headings(cells: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Which column each one is, "" for none; a list without MACs is no list of phones."""
    names, ignored = _fields(cells)
    if "mac" in names:
        return names, ignored
    if any(_is_mac(cell) for cell in cells):
        raise Invalid(
            "table",
            _("The first line is a phone already. Put a line with the names of the columns above it."),
        )
    said = ", ".join(cell.strip()[:40] for cell in cells if cell.strip())
    words = _("Its first line has no column “MAC”. It has: %(columns)s.")
    raise Invalid("table", words % {"columns": said})


def _fields(headings: Iterable[str]) -> tuple[list[str], tuple[str, ...]]:
    names: list[str] = []
    ignored: list[str] = []
    for heading in headings:
        name = _MEANT.get(_squeezed(heading), "")
        if name and name in names:
            raise Invalid("table", _("Two columns are the %(name)s.") % {"name": _TITLES[name]})
        names.append(name)
        shown = "".join(character for character in heading if character.isprintable()).strip()
        if not name and shown:
            ignored.append(shown[:60])
    return names, tuple(ignored)


def _squeezed(heading: str) -> str:
    return "".join(character for character in heading.casefold() if character.isalnum())


_TITLES = {column.name: column.title for column in COLUMNS}
_MEANT = {
    word: column.name
    for column in COLUMNS
    for word in (_squeezed(column.name), _squeezed(column.title), *column.words)
}


def _is_mac(text: str) -> bool:
    try:
        return bool(parse_mac(text))
    except ValueError:
        return False


def _plain(cell: str) -> str:
    """As our own tables guard a cell against being taken for a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell


# --- kept for a day ----------------------------------------------------------------------------------------


def kept(row: PhoneRow, code: UUID) -> dict[str, Any]:
    """A row as the database holds it: its secret is sealed for the draft of that code."""
    cells: dict[str, Any] = {name: text for name, text in row.cells.items() if text}
    if secret := cells.pop("secret", ""):
        sealed = secrets.seal(secrets.Kind.SIP_SECRET, code, secret)
        cells = with_sealed(cells, sealed)
    return {"line": row.line, **cells}


def opened(kept_row: Mapping[str, Any], code: UUID) -> PhoneRow:
    """The row again; Invalid when no key opens its secret any more."""
    cells = {name: kept_row[name] for name in NAMES if name in kept_row}
    if cells.get("secret"):
        try:
            cells["secret"] = secrets.open_text(secrets.Kind.SIP_SECRET, code, sealed_in(cells))
        except (SealError, ValueError) as error:
            raise Invalid("secret", _("The secret can no longer be read. Import this row again.")) from error
    return PhoneRow(int(kept_row["line"]), cells)


def sealed_in(kept_row: Mapping[str, Any]) -> bytes:
    """The row's secret as it is sealed; empty where there is none. Raises ValueError."""
    return base64.b64decode(kept_row.get("secret", ""))


def with_sealed(kept_row: Mapping[str, Any], sealed: bytes) -> dict[str, Any]:
    """The row with its secret sealed like that."""
    return {**kept_row, "secret": base64.b64encode(sealed).decode()}


def without_secret(kept_row: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a row once its secret has been used."""
    return {name: value for name, value in kept_row.items() if name != "secret"}


# --- written -----------------------------------------------------------------------------------------------


def sample() -> bytes:
    """A list with the headings and two rows to write over."""
    families = list(catalog().families.values())[:2]
    models = [next(iter(family.models)) for family in families]
    rows: list[list[object]] = [[column.title for column in COLUMNS]]
    for at, (family, model) in enumerate(zip(families, models, strict=True), 1):
        given = {
            "mac": f"00:00:5E:00:53:0{at}",
            "model": model,
            "vendor": family.name,
            "name": ("Ben Hall, desk", "Door")[at - 1],
            "site": "",
            "owner": "",
            "extension": f"20{at}",
        }
        rows.append([given.get(name, "") for name in NAMES])
    return written(rows)


def written(rows: Iterable[Iterable[object]]) -> bytes:
    """A table for office programs; what they would take for a formula is guarded."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";")
    for row in rows:
        texts = [str(cell) for cell in row]
        writer.writerow([f"'{text}" if text.startswith((*_FORMULA, "'")) else text for text in texts])
    return out.getvalue().encode("utf-8-sig")
