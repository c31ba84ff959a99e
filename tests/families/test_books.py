"""The phone books of every family: read back as the phone would, and no name adds anything to one."""

import os
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.catalog import catalog
from devices.phone import BookEntry
from devices.texts import refusal
from provisioning.compiling import CompiledFile, CompileError, compile_books, compile_full
from tests.families.reading import read
from tests.families.samples import MODELS, PRIVATE
from tests.families.samples import settings as sample

GOLDEN = Path(__file__).parent / "golden_books"
CODES = sorted(catalog().families)
ENTRIES = [
    BookEntry("Ben Hall & Söhne <1>", (("number", "4102"),)),
    BookEntry('Taxi "Nord"', (("number", "+493012345"), ("mobile", "01712233"), ("other", "*99"))),
]
BOTH = [("Ben Hall & Söhne <1>", "4102")] + [
    ('Taxi "Nord"', number) for number in ("+493012345", "01712233", "*99")
]
#: Elements in which a book writes its names and its numbers.
NAMES = {"Name", "LastName", "fn"}
NUMBERS = {"Telephone", "Mobile", "Other", "phonenumber", "ct"}


def listed(body: bytes) -> list[tuple[str, str]]:
    """The names with their numbers, in the order of the book."""
    found, name = [], ""
    for element in ElementTree.fromstring(body).iter():
        if element.tag in NAMES:
            name = element.text or ""
        elif element.tag in NUMBERS:
            found.append((name, element.text or ""))
    return found


def shape(body: bytes) -> list[tuple[str, tuple[str, ...]]]:
    return [(element.tag, tuple(element.attrib)) for element in ElementTree.fromstring(body).iter()]


@pytest.mark.parametrize("code", CODES)
def test_a_book_says_every_name_with_its_numbers(code):
    books = compile_books(code, ENTRIES)

    assert [file.name for file in books] == [
        rule.path for rule in catalog().families[code].files if rule.book
    ]
    assert len(books) == 1
    assert listed(books[0].body) == BOTH
    assert books[0].content_type == "text/xml"


@pytest.mark.parametrize("code", CODES)
def test_a_book_is_as_it_was(code):
    (book,) = compile_books(code, ENTRIES)
    file = GOLDEN / f"{code}.xml"
    if os.environ.get("LATCHKEY_GOLDEN") == "write":
        file.write_bytes(book.body)

    assert file.read_bytes() == book.body


@pytest.mark.parametrize("code", CODES)
def test_an_empty_book_is_a_book(code):
    (book,) = compile_books(code, [])

    assert listed(book.body) == []


@pytest.mark.parametrize("code", CODES)
def test_no_book_holds_more_than_its_phones_take(code):
    most = catalog().families[code].book.most
    many = [BookEntry(f"N{at}", (("number", str(at)), ("mobile", f"0{at}"))) for at in range(most + 5)]

    (book,) = compile_books(code, many)

    names = [name for name, _ in listed(book.body)]
    counted = len(names) if catalog().families[code].book.one_number else len(set(names))
    assert counted == most


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_a_full_file_names_its_book_or_the_family_says_why_not(family, model):
    vendor = catalog().families[family]
    generation = vendor.generations[vendor.models[model].generation]
    phone = sample(family, model)
    rule = vendor.phone_book(vendor.models[model].generation)

    said = _said(vendor.format, compile_full(phone, PRIVATE))
    silent = _said(vendor.format, compile_full(replace(phone, has_book=False), PRIVATE))
    differ = {value.removeprefix("url ") for key, value in said.items() if silent[key] != value}

    assert said.keys() == silent.keys()
    if vendor.models[model].single_step:
        assert not differ
    elif rule is None:
        assert generation.book_cannot
        assert not differ
    elif rule.path.startswith("0"):  # asked for by a fixed name, in the folder of the phone's contacts
        assert not differ
    else:
        # Some add the name themselves to a folder without its scheme.
        folder = PRIVATE.partition("://")[2].rstrip("/")
        assert differ & {PRIVATE + rule.path, folder}


def _said(form: str, files: dict[str, CompiledFile]) -> dict[str, str]:
    """What all files together say, by key."""
    return {key: value for file in files.values() for key, value in read(form, file.body).items()}


@pytest.mark.parametrize("code", CODES)
@settings(max_examples=100)
@given(
    name=st.text(max_size=60).filter(bool),
    number=st.text(alphabet="+0123456789*#", min_size=1, max_size=33) | st.text(min_size=1, max_size=10),
)
def test_no_name_or_number_adds_an_element_or_an_attribute(code, name, number):
    others = [BookEntry("a", (("number", "1"),)), BookEntry("z", (("number", "2"),))]
    plain = [others[0], BookEntry("m", (("number", "3"), ("mobile", "4"))), others[1]]
    tried = [others[0], BookEntry(name, (("number", number), ("mobile", "4"))), others[1]]
    (wanted,) = compile_books(code, plain)

    if refusal("xml", name) or refusal("xml", number):
        with pytest.raises(CompileError, match="cannot stand"):
            compile_books(code, tried)
        return
    (book,) = compile_books(code, tried)

    assert shape(book.body) == shape(wanted.body)
    assert (name, number) in listed(book.body)
    assert len(book.body.splitlines()) == len(wanted.body.splitlines())


def test_only_ours_are_compiled():
    with pytest.raises(CompileError, match="not known"):
        compile_books("nobody", ENTRIES)
