"""The company directory: who stands in it, what a number may be, and who may change it."""

from typing import Any

import pytest

from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.scope import Actor
from devices import directory, extensions
from devices.models import Contact, Directory
from devices.signals import directory_changed, phones_changed


@pytest.fixture
def told() -> Any:
    """The accounts whose directory was said to have changed."""
    accounts: list[Account] = []

    def hear(sender: Any, account: Account, **kwargs: Any) -> None:
        accounts.append(account)

    directory_changed.connect(hear)
    yield accounts
    directory_changed.disconnect(hear)


def test_it_holds_extensions_and_contacts_by_name(
    acme: Account, globex: Account, ana: Actor, eve: Actor
) -> None:
    extensions.create(acme, by=ana, username="4102", secret="s3cret-4102", display_name="sales")
    extensions.create(acme, by=ana, username="4101", secret="s3cret-4101")
    directory.add(acme, by=ana, name="Zoo", number="+49 (0)30 123-45", mobile="0171/22 33")
    directory.add(acme, by=ana, name="Post", other="*99")
    directory.add(globex, by=eve, name="Elsewhere", number="1")

    found = [(entry.name, entry.numbers) for entry in directory.entries(acme)]

    assert found == [
        ("4101", (("number", "4101"),)),
        ("Post", (("other", "*99"),)),
        ("sales", (("number", "4102"),)),
        ("Zoo", (("number", "+493012345"), ("mobile", "01712233"))),
    ]


def test_a_hidden_extension_is_left_out_and_no_phone_is_told(
    acme: Account, ana: Actor, told: list[Account]
) -> None:
    line = extensions.create(acme, by=ana, username="4102", secret="s3cret-4102")
    republished: list[Any] = []

    def hear(sender: Any, device_ids: Any, **kwargs: Any) -> None:
        republished.append(device_ids)

    told.clear()
    phones_changed.connect(hear)
    directory.show(line, by=ana, shown=False)
    hidden = directory.entries(acme)
    extensions.change(line, by=ana, in_directory=True)
    phones_changed.disconnect(hear)

    assert hidden == []
    assert [entry.name for entry in directory.entries(acme)] == ["4102"]
    assert told == [acme, acme]
    assert republished == []


def test_its_number_grows_with_what_it_says_and_with_nothing_else(acme: Account, ana: Actor) -> None:
    assert directory.revision(acme.pk) == 0
    line = extensions.create(acme, by=ana, username="4102", secret="s3cret-4102")
    first = directory.revision(acme.pk)

    extensions.change(line, by=ana, barge_in=False)
    same = directory.revision(acme.pk)
    extensions.change(line, by=ana, display_name="Sales")
    named = directory.revision(acme.pk)
    contact = directory.add(acme, by=ana, name="Post", number="1")
    added = directory.revision(acme.pk)
    directory.change(contact, by=ana, number="1")
    kept = directory.revision(acme.pk)
    directory.change(contact, by=ana, number="2")
    changed = directory.revision(acme.pk)
    directory.remove(contact, by=ana)
    extensions.remove(line, by=ana)

    assert first == same < named < added == kept < changed
    assert directory.revision(acme.pk) == changed + 2


@pytest.mark.parametrize(
    ("case", "given", "field"),
    [
        ("no name", {"name": " ", "number": "1"}, "name"),
        ("a long name", {"name": "a" * 61, "number": "1"}, "name"),
        ("a name of two lines", {"name": "a\nb", "number": "1"}, "name"),
        ("a name with a mark that turns text around", {"name": "a\u202eb", "number": "1"}, "name"),
        ("no number", {"name": "Post"}, "number"),
        ("letters", {"name": "Post", "number": "1-800-FLOWERS"}, "number"),
        ("a plus within", {"name": "Post", "mobile": "12+3"}, "mobile"),
        ("too many digits", {"name": "Post", "other": "1" * 33}, "other"),
        ("two lines", {"name": "Post", "number": "1\n2"}, "number"),
        ("an address", {"name": "Post", "number": "sip:a@b"}, "number"),
    ],
)
def test_what_cannot_be_dialled_is_refused_by_name(
    acme: Account, ana: Actor, case: str, given: dict[str, str], field: str
) -> None:
    before = AuditEntry.objects.count()

    with pytest.raises(Invalid) as refused:
        directory.add(acme, by=ana, **given)

    assert refused.value.field == field
    assert Contact.objects.count() == 0
    assert AuditEntry.objects.count() == before


def test_a_name_stands_once_in_an_account(acme: Account, globex: Account, ana: Actor, eve: Actor) -> None:
    directory.add(acme, by=ana, name="Post", number="1")
    directory.add(globex, by=eve, name="Post", number="1")
    other = directory.add(acme, by=ana, name="Taxi", number="2")

    with pytest.raises(Invalid, match="contact of that name"):
        directory.add(acme, by=ana, name=" Post ", number="3")
    with pytest.raises(Invalid, match="contact of that name"):
        directory.change(other, by=ana, name="Post")

    assert list(Contact.objects.filter(account=acme).values_list("name", "number")) == [
        ("Post", "1"),
        ("Taxi", "2"),
    ]


def test_a_full_directory_takes_no_more(acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "MOST", 1)
    directory.add(acme, by=ana, name="Post", number="1")

    with pytest.raises(Refusal, match="holds 1 contacts") as refused:
        directory.add(acme, by=ana, name="Taxi", number="2")

    assert refused.value.code == "full"
    assert Contact.objects.count() == 1


def test_who_may_not_change_it_changes_nothing(acme: Account, ana: Actor, vic: Actor, eve: Actor) -> None:
    contact = directory.add(acme, by=ana, name="Post", number="1")
    line = extensions.create(acme, by=ana, username="4102", secret="s3cret-4102")
    before = (AuditEntry.objects.count(), Directory.objects.get(account=acme).revision)

    for somebody in (vic, eve):
        with pytest.raises(Forbidden):
            directory.add(acme, by=somebody, name="Taxi", number="2")
        with pytest.raises(Forbidden):
            directory.change(contact, by=somebody, name="Taxi")
        with pytest.raises(Forbidden):
            directory.remove(contact, by=somebody)
        with pytest.raises(Forbidden):
            directory.show(line, by=somebody, shown=False)

    assert (AuditEntry.objects.count(), Directory.objects.get(account=acme).revision) == before
    assert list(Contact.objects.values_list("name", "number")) == [("Post", "1")]
