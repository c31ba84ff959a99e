"""SIP identities: made, changed, removed; their secrets go in and only phones' files get them out."""

import re
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from accounts.sealing import SealError
from devices import directory, secrets
from devices.models import Extension
from devices.signals import PhoneEvent, phones_changed, secret_changed

# RFC 3261's user part, without escapes: what stands unquoted in every vendor's file.
_USER = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/#]{1,64}")
_REALM = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-_]{0,119}")
CHANGEABLE = (
    "username", "auth_name", "realm", "display_name", "call_appearances", "barge_in", "in_directory",
    "secret",
)  # fmt: skip
IN_DIRECTORY = frozenset({"username", "display_name", "in_directory"})  # what the phone book says of it


def create(
    account: Account,
    *,
    by: Actor,
    username: str,
    secret: str | None = None,
    display_name: str = "",
    auth_name: str = "",
    realm: str = "",
    call_appearances: int = 2,
    barge_in: bool = True,
    in_directory: bool = True,
    now: datetime | None = None,
) -> Extension:
    """Make an extension of the account, without a secret with a drawn one; no phone shows it yet."""
    _needs(by, account)
    given = {"username": username, "auth_name": auth_name, "realm": realm, "display_name": display_name}
    values = {name: _read(name, text) for name, text in given.items()}
    values |= {"call_appearances": call_appearances, "barge_in": barge_in, "in_directory": in_directory}
    hidden = read_secret(secrets.draw_sip_secret() if secret is None else secret)
    with transaction.atomic():
        extension = Extension(account=account, created_at=now or timezone.now(), **values)
        extension.secret = secrets.seal(secrets.Kind.SIP_SECRET, extension.code, hidden)
        cleaning.full_clean(extension, blame="username")
        extension.save()
        audit.record(by, "extension.created", extension, now=now)
        directory.touch(account)
    return extension


def check(*, username: str, secret: str, display_name: str = "", auth_name: str = "") -> None:
    """Refuse what `create` would refuse of these words, whatever stands in the account."""
    for name, text in (("username", username), ("auth_name", auth_name), ("display_name", display_name)):
        _read(name, text)
    read_secret(secret)


def change(extension: Extension, *, by: Actor, now: datetime | None = None, **fields: Any) -> Extension:
    """Change what is given; every phone that shows the extension gets new files."""
    _needs(by, extension.account)
    now = now or timezone.now()
    for name in fields:
        if name not in CHANGEABLE:
            raise Invalid(name, gettext("An extension has no {name!r} to change.").format(name=name))
    hidden = read_secret(fields.pop("secret")) if "secret" in fields else None
    values = {name: _read(name, text) for name, text in fields.items()}
    with transaction.atomic():
        extension = locked(extension)
        before = str(extension)
        changed = [name for name, text in values.items() if getattr(extension, name) != text]
        for name in changed:
            setattr(extension, name, values[name])
        ended: list[str] = []
        if hidden is not None and not has_secret(extension, hidden):
            extension.secret = secrets.seal(secrets.Kind.SIP_SECRET, extension.code, hidden)
            extension.exposed_since, extension.exposed_why = None, ""  # whoever knows the old one (E15)
            ended = ["exposed_since", "exposed_why"]
            changed.append("secret")
        if not changed:
            return extension
        cleaning.full_clean(extension, blame="username")
        extension.save(update_fields=[*changed, *ended])
        audit.record(by, "extension.changed", extension, now=now, fields=changed, before=before)
        if IN_DIRECTORY.intersection(changed):
            directory.touch(extension.account)
        if changed == ["in_directory"]:
            return extension  # no phone's own file says it
        shown_on = list(extension.appearances.values_list("device_id", flat=True).distinct())
        if "secret" in changed:
            secret_changed.send(sender=Extension, extension=extension, by=by, at=now, phones=len(shown_on))
        details = {"extension": extension.username, "fields": changed}
        event = PhoneEvent("extension-changed", by, now, details)
        phones_changed.send(sender=Extension, device_ids=shown_on, event=event)
    return extension


def remove(extension: Extension, *, by: Actor, now: datetime | None = None) -> None:
    """Remove an extension that no phone shows."""
    _needs(by, extension.account)
    with transaction.atomic():
        extension = locked(extension)
        phones = extension.appearances.values("device").distinct().count()
        if phones:
            said = ngettext(
                "{username} is shown on one phone; take it off first.",
                "{username} is shown on {phones} phones; take it off first.",
                phones,
            )
            raise Refusal("input", said.format(username=extension.username, phones=phones), code="in-use")
        audit.record(by, "extension.removed", extension, now=now)
        extension.delete()
        directory.touch(extension.account)


def secret_of(extension: Extension) -> str:
    """The SIP secret in clear: for phones' files, and for whoever holds the power to see secrets."""
    return secrets.open_text(secrets.Kind.SIP_SECRET, extension.code, extension.secret)


def show_secret(extension: Extension, *, by: Actor, now: datetime | None = None) -> str:
    """The SIP secret in clear for a person to read, in the audit each time."""
    if not by.may(Power.SEE_SECRETS, extension.account.path):
        raise Forbidden
    with transaction.atomic():
        text = secret_of(extension)
        audit.record(by, "extension.secret_seen", extension, now=now)
    return text


def has_secret(extension: Extension, text: str) -> bool:
    """Whether this is the secret already; one that no key opens any more is replaced by whatever is given."""
    try:
        return secret_of(extension) == text
    except SealError:
        return False


def _needs(by: Actor, account: Account) -> None:
    if not by.may(Power.EDIT_EXTENSIONS, account.path):
        raise Forbidden


def locked(extension: Extension) -> Extension:
    """The extension, its row held until the transaction ends."""
    rows: Any = Extension.objects.select_for_update(of=("self",)).select_related("account")
    row: Extension = rows.get(pk=extension.pk)
    return row


def _read(name: str, text: Any) -> Any:
    if name in ("call_appearances", "barge_in", "in_directory"):
        return text  # a number and a switch: the row's own limits say what they may be
    if name == "display_name":
        return cleaning.one_line(name, text, longest=120)
    kept = text.strip()
    if name == "username" or (name == "auth_name" and kept):
        if not _USER.fullmatch(kept):
            raise Invalid(
                name, gettext("A SIP user name has 1 to 64 letters, digits or marks, and no blanks.")
            )
    elif kept and not _REALM.fullmatch(kept):
        raise Invalid(name, gettext("A realm is a host name."))
    return kept


def read_secret(text: str) -> str:
    """A secret is taken as it is: cutting off its blanks would make another one of it."""
    if not text:
        raise Invalid("secret", gettext("The secret is missing."))
    if cleaning.one_line("secret", text, longest=128) != text:
        raise Invalid("secret", gettext("Some phones lose blanks at a secret's ends."))
    return text
