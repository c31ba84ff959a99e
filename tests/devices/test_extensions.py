"""SIP identities: sealed secrets, fields with bounds, changes that reach every phone that shows them."""

from typing import Any

import pytest

from accounts.models import AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from devices import appearances, extensions, secrets
from devices.appearances import AppearanceRow
from devices.models import Extension
from provisioning import entering
from provisioning.models import DeviceEvent, Lock
from tests.tree import Tree, plant

SECRET = "Planted-secret-4711"

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def line(tree: Tree) -> Extension:
    return extensions.create(tree.acme, by=tree.ana, username="4102", secret=SECRET, display_name="Reception")


def test_the_secret_is_sealed_for_its_own_row(tree: Tree, line: Extension) -> None:
    other = extensions.create(tree.acme, by=tree.ana, username="4103", secret=SECRET)
    line.refresh_from_db()

    assert SECRET.encode() not in bytes(line.secret)
    assert extensions.secret_of(line) == SECRET
    other.secret = line.secret
    with pytest.raises(ValueError, match="does not belong here"):
        extensions.secret_of(other)


def test_no_secret_reaches_the_audit(tree: Tree, line: Extension) -> None:
    extensions.change(line, by=tree.ana, secret="Another-planted-one")

    told = [str(entry.details) + entry.target_name for entry in AuditEntry.objects.all()]
    assert not any("lanted" in text for text in told)
    assert AuditEntry.objects.latest("id").details["fields"] == ["secret"]


@pytest.mark.parametrize(
    ("case", "changes", "field"),
    [
        ("a user name is needed", {"username": ""}, "username"),
        ("no blanks in it", {"username": "41 02"}, "username"),
        ("no line break in it", {"username": "4102\n"}, None),
        ("no at sign in it", {"username": "4102@example.org"}, "username"),
        ("taken in this account", {"username": "4102"}, "username"),
        ("a secret is needed", {"secret": ""}, "secret"),
        ("no control characters", {"secret": "a\x00b"}, "secret"),
        ("no blanks at its ends", {"secret": " abc"}, "secret"),
        ("a realm is a host", {"realm": "no host"}, "realm"),
        ("a display name is one line", {"display_name": "a\nb"}, "display_name"),
        ("an auth name as the user name", {"auth_name": "a b"}, "auth_name"),
    ],
)
def test_an_extension_that_cannot_be(
    tree: Tree, line: Extension, case: str, changes: dict[str, str], field: str | None
) -> None:
    given = {"username": "4104", "secret": SECRET, **changes}

    if field is None:  # blanks around a user name are typing, not meaning
        given["username"] = "4104\n"
        assert extensions.create(tree.acme, by=tree.ana, **given).username == "4104"
        return
    with pytest.raises(Invalid) as refusal:
        extensions.create(tree.acme, by=tree.ana, **given)

    assert refusal.value.field == field
    assert Extension.objects.count() == 1


def test_two_accounts_may_have_the_same_number(tree: Tree, line: Extension) -> None:
    assert extensions.create(tree.globex, by=tree.eve, username="4102", secret=SECRET).pk != line.pk


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_only_managers_of_the_account_edit_extensions(tree: Tree, line: Extension, who: str) -> None:
    actor = getattr(tree, who)
    before = AuditEntry.objects.count()

    for verb in (
        lambda: extensions.create(tree.acme, by=actor, username="9", secret=SECRET),
        lambda: extensions.change(line, by=actor, display_name="Mine"),
        lambda: extensions.remove(line, by=actor),
    ):
        with pytest.raises(Forbidden):
            verb()

    assert (Extension.objects.count(), AuditEntry.objects.count()) == (1, before)


def test_a_change_reaches_every_phone_that_shows_the_extension(tree: Tree, line: Extension) -> None:
    phones = [
        entering.enter(tree.acme, by=tree.ana, mac=f"00005e00530{n}", family="yealink", model="T46S")
        for n in range(3)
    ]
    for phone in phones[:2]:
        appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, line)])
    before = revisions()

    extensions.change(line, by=tree.ana, display_name="Front desk")

    grown = {pk for pk, number in revisions().items() if number > before[pk]}
    assert grown == {phones[0].pk, phones[1].pk}
    events = DeviceEvent.objects.filter(what="extension-changed")
    assert {event.device_id for event in events} == grown
    assert events[0].details == {"extension": "4102", "fields": ["display_name"]}


def test_a_change_of_nothing_changes_nothing(tree: Tree, line: Extension) -> None:
    before = AuditEntry.objects.count()

    extensions.change(line, by=tree.ana, display_name="Reception", secret=SECRET)

    assert AuditEntry.objects.count() == before


def test_what_a_phone_cannot_carry_is_refused_and_changes_nothing(tree: Tree, line: Extension) -> None:
    phone = entering.enter(tree.acme, by=tree.ana, mac="00005e005301", family="yealink", model="T46S")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, line)])
    before = (revisions(), AuditEntry.objects.count())

    with pytest.raises(Invalid) as refusal:
        extensions.change(line, by=tree.ana, display_name="%NULL%")

    assert refusal.value.field == "display_name"
    line.refresh_from_db()
    assert line.display_name == "Reception"
    assert (revisions(), AuditEntry.objects.count()) == before


def test_a_secret_that_no_key_opens_can_be_replaced(tree: Tree, line: Extension) -> None:
    phone = entering.enter(tree.acme, by=tree.ana, mac="00005e005301", family="yealink", model="T46S")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, line)])
    Extension.objects.update(secret=b"\x02k1 and what follows is no seal")

    extensions.change(line, by=tree.ana, secret="A fresh one")

    assert extensions.secret_of(Extension.objects.get()) == "A fresh one"


def test_an_extension_in_use_is_not_removed(tree: Tree, line: Extension) -> None:
    phone = entering.enter(tree.acme, by=tree.ana, mac="00005e005301", family="poly", model="VVX450")
    appearances.put(phone, by=tree.ana, rows=[AppearanceRow(1, line), AppearanceRow(2, line)])

    with pytest.raises(Refusal) as refusal:
        extensions.remove(line, by=tree.ana)
    assert (refusal.value.code, "one phone" in refusal.value.detail) == ("in-use", True)

    appearances.put(phone, by=tree.ana, rows=[])
    extensions.remove(line, by=tree.ana)
    assert not Extension.objects.exists()


def test_a_drawn_password_is_letters_and_digits() -> None:
    drawn = {secrets.draw_password() for _ in range(50)}

    assert len(drawn) == 50
    assert all(len(word) == 16 and word.isalnum() and word.isascii() for word in drawn)


def revisions() -> dict[Any, int]:
    return dict(Lock.objects.values_list("pk", "files_revision"))
