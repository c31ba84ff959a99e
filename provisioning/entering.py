"""Phones come and go: entered by E9 and E10, changed, switched off, removed with what the ledger keeps."""

import difflib
import secrets as random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.deleting import refuse_deleted
from accounts.models import Account, AuditEntry, Membership, User
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from accounts.speaking import told
from devices import holding, secrets
from devices.appearances import check_model, partners
from devices.catalog import Model, catalog
from devices.mac import parse_mac
from devices.models import Device, Site
from provisioning import draining, events, ledger, locking, publishing, tokens
from provisioning.gate import State
from provisioning.models import Lock, Token

CHANGEABLE = ("name", "owner", "site", "model", "is_enabled", "notes")
IN_FILES = frozenset({"name", "site", "model"})  # what the phone's files say, or depend on
IN_LOCK = IN_FILES | {"is_enabled"}  # what decides about a request
NEVER_USED = timedelta(days=30)  # E10
REFUSED_A_DAY = 5  # E10: more of them alert support
LONGEST_NOTES = 5000
ELSEWHERE = "This MAC cannot be added; ask your provider."


# --- entering --------------------------------------------------------------------------------------------


def enter(
    account: Account,
    *,
    by: Actor,
    mac: str,
    family: str,
    model: str,
    name: str = "",
    owner: User | None = None,
    site: Site | None = None,
    ship_on: date | None = None,
    notes: str = "",
    now: datetime | None = None,
) -> Device:
    """Make a phone of the account with its lock: NEW, or as the platform remembers its MAC (E9)."""
    if not by.may(Power.EDIT_DEVICES, account.path):
        raise Forbidden
    refuse_deleted(account)
    now = now or timezone.now()
    parsed = read_mac(mac)
    code = _read_family(family)
    device = Device(
        account=account,
        mac=parsed,
        family=code,
        model=read_model(code, model).name,
        name=cleaning.one_line("name", name, longest=120),
        owner=_read_owner(account, owner),
        site=_read_site(account, site),
        notes=read_notes(notes),
        poll_minute=random.randbelow(24 * 60),
        created_at=now,
    )
    armed_at = locking.armed_from(account, ship_on, now)
    draw_passwords(device)
    with counting_refusals(account, by=by, mac=parsed, now=now), transaction.atomic():
        floor = make_room(parsed, account, now)
        save_with_mac(device)
        lock = Lock(device=device, state=State.NEW.value, since=now, by=by.label[:200], armed_at=armed_at)
        lock.revision, lock.files_revision = max(lock.revision, floor), max(lock.files_revision, floor)
        remembered = ledger.recall(lock, now=now)
        lock.save(force_insert=True)  # nobody typed any of it: the database's own constraints are enough
        details: dict[str, Any] = {"state": lock.state, "reason": lock.reason}
        audit.record(
            by, "device.entered", device, now=now, mac=parsed, family=code, model=device.model, **details
        )
        events.write(device, "entered", by=by, rule="E9" if remembered else "", at=now, **details)
        publishing.device_changed(device.pk)
    return device


def draw_passwords(device: Device) -> None:
    """Give the phone an administrator's and a user's password that nobody has seen."""
    for kind, column in (
        (secrets.Kind.ADMIN_PASSWORD, "admin_password"),
        (secrets.Kind.USER_PASSWORD, "user_password"),
    ):
        setattr(device, column, secrets.seal(kind, device.code, secrets.draw_password()))


def make_room(mac: str, account: Account, now: datetime) -> int:
    """E10: a MAC is on one phone only; one that was never used in 30 days yields.

    Returns the revision from which on the next phone with this MAC counts: the store takes it for newer then.
    """
    found = Device.objects.filter(mac=mac).order_by().values_list("pk", flat=True).first()
    if found is None:
        return 0
    draining.pause()
    other = holding.hold(found)
    if other is None or other.mac != mac:
        return 0
    if other.account_id == account.pk:
        raise Refusal("E10", gettext("This phone is entered here already."), code="already-here", field="mac")
    lock = locking.locked_row(other)
    if keeps_its_mac(other, lock, now):
        raise elsewhere()
    told = f"{other} ({other.mac})" if other.name else other.mac
    publishing.tell_later("yielded", other.account_id, told)
    _remove(other, by=locking.CLOCK, verb="yielded", rule="E10", now=now)
    return lock.revision + 2  # a tombstone stands at the next one


def keeps_its_mac(device: Device, lock: Lock, now: datetime) -> bool:
    """E10: whether a phone holds its MAC against other accounts, or yields because it was never used."""
    waiting_since = max(device.created_at, lock.armed_at)
    quarantined = lock.state == State.QUARANTINED.value
    return quarantined or now - waiting_since < NEVER_USED or ledger.was_used(device, lock)


def save_with_mac(device: Device) -> None:
    """Save a phone with a MAC that is new to it; of two at once the second is refused (E10)."""
    cleaning.full_clean(device, blame="mac")
    try:
        with transaction.atomic():
            device.save()
    except IntegrityError as error:
        raise elsewhere() from error


def elsewhere() -> Refusal:
    """E10's refusal: the same words whoever holds the MAC."""
    return Refusal("E10", gettext(ELSEWHERE), code="active-elsewhere", field="mac")


@contextmanager
def counting_refusals(account: Account, *, by: Actor, mac: str, now: datetime) -> Iterator[None]:
    """Keep an account's refused MACs on record, outside of what was refused; more than five alert support.

    Whoever may see the account sees his own typing there, and no more than the refusal has said.
    """
    try:
        yield
    except Refusal as refusal:
        if refusal.code == "active-elsewhere":
            count_refusal(account, by=by, mac=mac, now=now)
        raise


def count_refusal(account: Account, *, by: Actor, mac: str, now: datetime) -> None:
    """Keep one refused MAC on record, and alert support when there were too many in a day."""
    audit.record(by, "device.not-added", account, now=now, mac=mac, rule="E10")
    if refused_lately(account, now).count() > REFUSED_A_DAY:
        publishing.tell_later("refused-macs", account.pk, by.label)


def refused_lately(account: Account, now: datetime) -> QuerySet[AuditEntry]:
    """What is on record of an account's refused MACs of the last day."""
    rows: QuerySet[AuditEntry] = AuditEntry.objects.filter(
        account=account, verb="device.not-added", at__gt=now - timedelta(days=1)
    )
    return rows


# --- changing --------------------------------------------------------------------------------------------


def change(device: Device, *, by: Actor, now: datetime | None = None, **fields: Any) -> Device:
    """Change what is given: name, owner, site, model, is_enabled, notes."""
    if not by.may(Power.EDIT_DEVICES, device.account.path):
        raise Forbidden
    now = now or timezone.now()
    with transaction.atomic():
        device = holding.held(device)
        wanted = {name: _read(device, name, value) for name, value in fields.items()}
        changed = {name: value for name, value in wanted.items() if getattr(device, name) != value}
        if not changed:
            return device
        details: dict[str, Any] = {
            name: [_plain(getattr(device, name)), _plain(value)] for name, value in changed.items()
        }
        for name, value in changed.items():
            setattr(device, name, value)
        if "model" in changed:
            check_model(device)
        cleaning.full_clean(device)
        device.save(update_fields=list(changed))
        audit.record(by, "device.changed", device, now=now, **details)
        events.write(device, "changed", by=by, at=now, changes=details)
        if changed.keys() & IN_LOCK:
            publishing.device_changed(device.pk, files=bool(changed.keys() & IN_FILES))
    return device


def _read(device: Device, name: str, value: Any) -> Any:
    if name not in CHANGEABLE:
        raise Invalid(name, gettext("{name!r} of a phone cannot be changed.").format(name=name))
    if name == "name":
        return cleaning.one_line("name", value, longest=120)
    if name == "notes":
        return read_notes(value)
    if name == "model":
        return read_model(device.family, value).name
    if name == "owner":
        return _read_owner(device.account, value)
    if name == "site":
        return _read_site(device.account, value)
    return bool(value)


def read_notes(text: str) -> str:
    if len(text) > LONGEST_NOTES:
        raise Invalid(
            "notes",
            gettext("Notes have at most {longest_notes} characters.").format(longest_notes=LONGEST_NOTES),
        )
    if "\0" in text:
        raise Invalid("notes", gettext("Notes are text."))
    return text


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int) or value is None else str(value)


# --- removing --------------------------------------------------------------------------------------------


def remove(device: Device, *, by: Actor, now: datetime | None = None) -> None:
    """Take the phone off the platform at once; its MAC's ledger and its dead tokens remember it."""
    if not by.may(Power.EDIT_DEVICES, device.account.path):
        raise Forbidden
    with transaction.atomic():
        draining.pause()
        found = holding.hold(device.pk)
        if found is not None:  # otherwise somebody else was quicker, and it is gone as wanted
            holding.same_place(found, device)
            _remove(found, by=by, verb="removed", rule="", now=now or timezone.now())


def _remove(device: Device, *, by: Actor, verb: str, rule: str, now: datetime) -> None:
    """Remove a phone whose row is held, while the drain waits.

    1. The ledger keeps whether it was claimed or quarantined, and what it was bound to.
    2. Its tokens are dead: remembered with the MAC they were issued for, on no device.
    3. What it had shared with one other phone is no shared line there any more.
    """
    alone = partners(device, device.appearances.all())
    lock = locking.locked_row(device, beside=alone)
    ledger.left(device, lock, now=now)
    tokens.kill_all(device, now=now)
    publishing.device_gone(device)
    Token.objects.filter(device=device).update(device=None)
    audit.record(by, f"device.{verb}", device, now=now, mac=device.mac, model=device.model, rule=rule)
    events.write(device, verb, by=by, rule=rule, at=now, mac=device.mac, name=device.name)
    device.delete()
    publishing.devices_changed(sorted(alone), files=True)


# --- reading what was given ------------------------------------------------------------------------------


def read_mac(text: str) -> str:
    try:
        return parse_mac(text)
    except ValueError as error:
        raise Invalid("mac", told(error.args[0])) from error


def _read_family(text: str) -> str:
    families = catalog().families
    code = text.strip().lower()
    if code in families:
        return code
    near = difflib.get_close_matches(code, families, n=1)
    said = gettext("There is no family {text!r}. Known are {near}.")
    if near:
        said = gettext("There is no family {text!r}. Did you mean {near}?")
    raise Invalid("family", said.format(text=text, near=", ".join(near or families)))


def read_model(family: str, text: str) -> Model:
    """The model by its catalogue name or as its User-Agent spells it; near names for a slip of the hand."""
    vendor = catalog().families[family]
    found = vendor.find_model(text)
    if found is not None:
        return found
    near = difflib.get_close_matches(text.strip().upper(), vendor.models, n=3, cutoff=0.5)
    said = gettext("{name} has no model {text!r}.")
    if near:
        said = gettext("{name} has no model {text!r}. Did you mean {near}?")
    raise Invalid("model", said.format(name=vendor.name, text=text, near=" / ".join(near)))


def _read_owner(account: Account, owner: User | None) -> User | None:
    if owner is not None:
        home = Membership.objects.filter(user=owner, account__path__in=account.ancestor_paths())
        if not home.exists():
            raise Invalid("owner", gettext("A phone's owner is a user of its account."))
    return owner


def _read_site(account: Account, site: Site | None) -> Site | None:
    if site is not None and site.account_id != account.pk:
        raise Invalid("site", gettext("There is no such site in this account."))
    return site
