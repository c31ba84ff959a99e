"""Secrets that may be known to others (E15): marked once, ended by a new one that reaches every phone."""

from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from devices import appearances, exposing, extensions
from devices.appearances import AppearanceRow
from devices.models import Device, Extension
from provisioning.models import DeviceEvent, Lock
from tests.conftest import NOON
from tests.factories import make_phone
from tests.tree import Tree

SECRET, ANOTHER = "Planted-secret-4711", "Planted-secret-4712"

pytestmark = [pytest.mark.django_db, pytest.mark.rule("E15")]


@pytest.fixture
def tree(cast: Tree) -> Tree:
    return cast


@pytest.fixture
def line(tree: Tree) -> Extension:
    return extensions.create(tree.acme, by=tree.ana, username="4102", secret=SECRET, display_name="Reception")


@pytest.fixture
def phones(tree: Tree, line: Extension) -> list[Device]:
    """Two phones that share the line, and one that does not show it."""
    made = [make_phone(tree.acme, by=tree.ana, name=f"Desk {n}") for n in range(3)]
    for phone in made[:2]:
        appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, line)])
    return made


@pytest.fixture
def marked(tree: Tree, line: Extension) -> Extension:
    return exposing.mark(line, by=tree.ana, why="A sticker in the lobby", now=NOON)


def everything() -> tuple[Any, ...]:
    """What a refusal must leave as it was."""
    files = dict(Lock.objects.values_list("pk", "files_revision"))
    return list(Extension.objects.values()), files, AuditEntry.objects.count(), DeviceEvent.objects.count()


def test_a_mark_says_since_when_and_why_and_an_earlier_one_stays(tree: Tree, marked: Extension) -> None:
    again = exposing.mark(marked, by=tree.ana, why="Something else")

    assert (again.exposed_since, again.exposed_why) == (NOON, "A sticker in the lobby")
    told = AuditEntry.objects.filter(verb="extension.exposed")
    assert [(entry.at, entry.details) for entry in told] == [(NOON, {"why": "A sticker in the lobby"})]


def test_the_marked_ones_are_listed_for_their_account_and_those_above(tree: Tree, marked: Extension) -> None:
    extensions.create(tree.acme, by=tree.ana, username="4103", secret=SECRET)

    found = [list(exposing.exposed(account)) for account in (tree.acme, tree.harbour, tree.globex)]

    assert found == [[marked], [marked], []]


def test_a_drawn_secret_ends_the_mark_and_every_phone_that_shows_it_gets_new_files(
    tree: Tree, marked: Extension, phones: list[Device]
) -> None:
    before = dict(Lock.objects.values_list("pk", "files_revision"))

    fresh = exposing.new_secret(marked, by=tree.ana)

    text = extensions.secret_of(fresh)
    assert (len(text), text.isalnum(), text.isascii()) == (24, True, True)
    assert (fresh.exposed_since, fresh.exposed_why) == (None, "")
    grown = {pk for pk, at in Lock.objects.values_list("pk", "files_revision") if at > before[pk]}
    assert grown == {phone.pk for phone in phones[:2]}
    events = DeviceEvent.objects.filter(what="secret-changed")
    assert {event.device_id for event in events} == grown
    assert {event.details["extension"] for event in events} == {"4102"}


def test_two_drawn_secrets_differ(tree: Tree, line: Extension) -> None:
    drawn = {extensions.secret_of(exposing.new_secret(line, by=tree.ana)) for _ in range(20)}

    assert len(drawn) == 20


def test_the_registrar_is_told_how_many_phones_changed_and_no_secret(
    tree: Tree, marked: Extension, phones: list[Device]
) -> None:
    exposing.new_secret(marked, by=tree.ana, secret=ANOTHER, now=NOON)

    entry = AuditEntry.objects.get(verb="extension.secret_changed")
    assert (entry.at, entry.target_code, entry.details) == (NOON, str(marked.code), {"phones": 2})
    told = [str(e.details) + e.target_name for e in AuditEntry.objects.all()]
    assert not any("lanted" in text for text in told)


def test_the_present_secret_is_no_new_one(tree: Tree, marked: Extension, phones: list[Device]) -> None:
    before = everything()

    with pytest.raises(Refusal) as refusal:
        exposing.new_secret(marked, by=tree.ana, secret=SECRET)

    assert (refusal.value.rule, refusal.value.code, refusal.value.field) == ("E15", "same-secret", "secret")
    assert everything() == before


@pytest.mark.parametrize("text", ["", " blank at its end ", "a\x00b", "%NULL%"])
def test_what_a_family_cannot_carry_is_refused_and_changes_nothing(
    tree: Tree, marked: Extension, phones: list[Device], text: str
) -> None:
    before = everything()

    with pytest.raises(Invalid) as refusal:
        exposing.new_secret(marked, by=tree.ana, secret=text)

    assert refusal.value.field == "secret"
    assert everything() == before


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_only_managers_of_the_account_may(tree: Tree, line: Extension, who: str) -> None:
    actor, before = getattr(tree, who), everything()

    for verb in (exposing.mark, exposing.new_secret):
        with pytest.raises(Forbidden):
            verb(line, by=actor)

    assert everything() == before


def test_a_secret_that_is_changed_by_hand_ends_the_mark_too(tree: Tree, marked: Extension) -> None:
    extensions.change(marked, by=tree.ana, display_name="Front desk", secret=SECRET)
    marked.refresh_from_db()
    assert marked.exposed_since == NOON

    extensions.change(marked, by=tree.ana, secret=ANOTHER)

    marked.refresh_from_db()
    assert (marked.exposed_since, marked.exposed_why) == (None, "")


def test_a_secret_that_no_key_opens_gets_a_new_one(tree: Tree, line: Extension) -> None:
    Extension.objects.update(secret=b"\x02k1 and what follows is no seal")

    exposing.new_secret(line, by=tree.ana, secret=SECRET)

    assert extensions.secret_of(Extension.objects.get()) == SECRET


def test_the_extensions_of_a_phone_are_held_in_one_order(tree: Tree, phones: list[Device]) -> None:
    other = extensions.create(tree.acme, by=tree.ana, username="4101", secret=SECRET)
    line = Extension.objects.get(username="4102")
    rows = [AppearanceRow(1, other), AppearanceRow(2, line), AppearanceRow(3, line)]
    appearances.put(phones[2], by=tree.ana, rows=rows)

    assert exposing.hold(phones[2]) == [line, other]
    assert exposing.shown_on([line, other]) == [phone.pk for phone in phones]
