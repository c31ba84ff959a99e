"""What the makes with phones in an account make of its company directory."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext

from accounts.models import Account
from accounts.speaking import told
from devices import directory
from devices.catalog import Family, Model, catalog
from devices.phone import BookEntry


@dataclass(frozen=True, slots=True)
class BookNote:
    """What the phones of one family make of the directory."""

    family: str
    search: str
    missing: int  #: entries that they do not show
    most: int
    cannot: list[str]  #: those that have no phone book, and why


def notes(account: Account, models: Iterable[tuple[str, str]]) -> list[BookNote]:
    """A note for each family of these, which are those with phones in the account."""
    by_family: dict[str, list[str]] = {}
    for family, model in models:
        by_family.setdefault(family, []).append(model)
    entries = directory.entries(account)
    return [
        note_of(family, shown, entries) for family, shown in by_family.items() if family in catalog().families
    ]


def why_none(family: Family, model: Model, generation: str | None = None) -> str:
    """Why a model has no phone book from us; empty: it has, or nothing is known of why."""
    if model.single_step:
        return gettext("It has no private URL, and a phone book lies below one only.")
    return told(family.generations[generation or model.generation].book_cannot)


def note_of(code: str, models: list[str], entries: list[BookEntry]) -> BookNote:
    """What these models of a family make of these entries."""
    family = catalog().families[code]
    without: dict[str, list[str]] = {}
    for name in models:
        model = family.models.get(name)
        if model is not None and (reason := why_none(family, model)):
            without.setdefault(reason, []).append(model.title)
    cannot = [f"{', '.join(titles)}: {reason}" for reason, titles in without.items()]
    if family.book is None or sum(len(titles) for titles in without.values()) == len(models):
        return BookNote(family.name, "", 0, 0, cannot)
    shown = len(family.book.entries(entries))
    missing = max(shown - family.book.most, 0)
    return BookNote(family.name, told(family.book.search), missing, family.book.most, cannot)
