"""The company directory of an account: its extensions, unless hidden, and the contacts that people add."""

import re
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.deleting import refuse_deleted
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from accounts.speaking import told
from devices.models import Contact, Directory, Extension
from devices.phone import BookEntry
from devices.signals import directory_changed
from devices.texts import refusal

MOST = 2000  # contacts of an account
LONGEST_NAME = 60
NUMBERS = ("number", "mobile", "other")
FIELDS = ("name", *NUMBERS)

_PUNCTUATION = re.compile(r"[\s.()/\-\u2010-\u2013]")
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")


# --- reading ---------------------------------------------------------------------------------------------


def entries(account: Account) -> list[BookEntry]:
    """What the phones of this account show: by name, whoever it is; the same rows give the same list."""
    lines = Extension.objects.filter(account=account, in_directory=True)
    found = [
        BookEntry(_shown_name(row), (("number", row.username),))
        for row in lines.only("username", "display_name")
    ]
    for contact in Contact.objects.filter(account=account):
        found.append(BookEntry(contact.name, tuple(contact.dialled())))
    return sorted(found, key=lambda entry: (entry.name.casefold(), entry.name, entry.numbers))


def _shown_name(extension: Extension) -> str:
    """Its name, or its number where it has none that can stand in a phone book."""
    name = extension.display_name.strip()
    return extension.username if not name or refusal("xml", name) else name


def revision(account_id: int) -> int:
    """The number of the directory's last change; it only grows."""
    found = Directory.objects.filter(account=account_id).values_list("revision", flat=True).first()
    return found or 0


def read_number(field: str, text: str) -> str:
    """A number as it is dialled, without the blanks and marks that people write into it."""
    kept = cleaning.one_line(field, text, longest=60)
    if kept.startswith("+"):
        kept = kept.replace("(0)", "")  # +49 (0)30: the nought is for callers at home
    kept = _PUNCTUATION.sub("", kept)
    if kept and not _NUMBER.fullmatch(kept):
        raise Invalid(
            field, gettext("A number has digits, * and #, with a + before them at most; up to 32 of them.")
        )
    return kept


def read(values: dict[str, Any]) -> dict[str, str]:
    """A contact's fields as they are kept; Invalid names the one that cannot be."""
    kept = {name: read_number(name, values[name]) for name in NUMBERS if name in values}
    if "name" in values:
        kept["name"] = cleaning.needed("name", values["name"], gettext("The name"), longest=LONGEST_NAME)
        if reason := refusal("xml", kept["name"]):
            said = told(reason)
            raise Invalid("name", f"{said[0].upper()}{said[1:]}.")
    return kept


# --- changing --------------------------------------------------------------------------------------------


def add(
    account: Account, *, by: Actor, name: str, number: str = "", mobile: str = "", other: str = "",
    now: datetime | None = None,
) -> Contact:  # fmt: skip
    """Put a contact into the account's directory, and so on all its phones that have a phone book."""
    needs(by, account)
    kept = read({"name": name, "number": number, "mobile": mobile, "other": other})
    now = now or timezone.now()
    with transaction.atomic():
        hold(account)
        refuse_deleted(account)
        if Contact.objects.filter(account=account).count() >= MOST:
            raise Refusal(
                "input",
                gettext("A directory holds {most} contacts; this one is full.").format(most=MOST),
                code="full",
            )
        contact = Contact(account=account, created_at=now, **kept)
        check(contact)
        contact.save()
        audit.record(by, "contact.added", contact, now=now)
        touch(account)
    return contact


def change(contact: Contact, *, by: Actor, now: datetime | None = None, **fields: Any) -> Contact:
    """Change what is given of a contact."""
    needs(by, contact.account)
    for name in fields:
        if name not in FIELDS:
            raise Invalid(name, gettext("A contact has no {name!r} to change.").format(name=name))
    kept = read(fields)
    with transaction.atomic():
        hold(contact.account)
        contact = Contact.objects.select_related("account").get(pk=contact.pk)
        changed = [name for name, text in kept.items() if getattr(contact, name) != text]
        if not changed:
            return contact
        before = contact.name
        for name in changed:
            setattr(contact, name, kept[name])
        check(contact)
        contact.save(update_fields=changed)
        audit.record(by, "contact.changed", contact, now=now, fields=changed, before=before)
        touch(contact.account)
    return contact


def remove(contact: Contact, *, by: Actor, now: datetime | None = None) -> None:
    """Take a contact out of the directory."""
    needs(by, contact.account)
    with transaction.atomic():
        hold(contact.account)
        found = Contact.objects.select_related("account").filter(pk=contact.pk).first()
        if found is None:
            return
        audit.record(by, "contact.removed", found, now=now)
        found.delete()
        touch(contact.account)


def show(extension: Extension, *, by: Actor, shown: bool, now: datetime | None = None) -> Extension:
    """Show an extension in its account's directory, or hide it there; no phone's own file changes."""
    needs(by, extension.account)
    with transaction.atomic():
        rows: Any = Extension.objects.select_for_update(of=("self",), no_key=True)
        found: Extension = rows.select_related("account").get(pk=extension.pk)
        if found.in_directory == shown:
            return found
        found.in_directory = shown
        found.save(update_fields=["in_directory"])
        audit.record(by, "extension.shown" if shown else "extension.hidden", found, now=now)
        touch(found.account)
    return found


# --- for the verbs beside this one -----------------------------------------------------------------------


def needs(by: Actor, account: Account) -> None:
    """Refuse whoever may not change the account's directory."""
    if not by.may(Power.EDIT_EXTENSIONS, account.path):
        raise Forbidden


def hold(account: Account) -> None:
    """Hold the directory until the transaction ends: its contacts are counted and named one at a time."""
    Directory.objects.get_or_create(account=account)
    Directory.objects.select_for_update().get(account=account)


def touch(account: Account) -> None:
    """What the directory says has changed; to be called inside the transaction that changed it."""
    if not Directory.objects.filter(account=account).update(revision=F("revision") + 1):
        Directory.objects.get_or_create(account=account)
        Directory.objects.filter(account=account).update(revision=F("revision") + 1)
    directory_changed.send(sender=Account, account=account)


def check(contact: Contact) -> None:
    """Refuse a contact without a number, and one whose name another has."""
    if not contact.dialled():
        raise Invalid("number", gettext("A contact has at least one number."))
    cleaning.full_clean(contact, blame="name")
