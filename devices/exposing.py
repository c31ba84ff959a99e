"""SIP secrets that may be known to others (E15): marked with since and why, ended by a new secret."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor, below
from devices import extensions, secrets
from devices.models import Appearance, Device, Extension
from devices.signals import PhoneEvent, phones_changed, secret_changed

LONGEST_WHY = 200


def exposed(account: Account) -> QuerySet[Extension]:
    """The extensions of the account and of those below it whose secret may be known, the oldest first."""
    rows = Extension.objects.filter(below([account.path], "account__path"), exposed_since__isnull=False)
    return rows.select_related("account").order_by("exposed_since", "pk")


def hold(device: Device) -> list[Extension]:
    """The extensions that the phone shows, their rows held until the transaction ends.

    To be called before the phone's lock is held: a change of an extension holds it first, and then the locks.
    """
    shown = device.appearances.values("extension")
    rows = Extension.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    return list(rows.filter(pk__in=shown).order_by("pk"))


def shown_on(rows: Iterable[Extension]) -> list[int]:
    """The keys of the phones that show one of these extensions."""
    shown = Appearance.objects.filter(extension__in=[row.pk for row in rows])
    return sorted(set(shown.values_list("device_id", flat=True)))


def mark(extension: Extension, *, by: Actor, why: str = "", now: datetime | None = None) -> Extension:
    """Say that the secret may be known to others; an earlier mark stays (E15, a click)."""
    _needs(by, extension)
    why = (
        cleaning.one_line("why", why, longest=LONGEST_WHY)
        or gettext("Said by {who}").format(who=by.label)[:LONGEST_WHY]
    )
    with transaction.atomic():
        extension = extensions.locked(extension)
        expose([extension], by=by, why=why, now=now or timezone.now())
    return extension


def expose(rows: Iterable[Extension], *, by: Actor, why: str, now: datetime) -> None:
    """Mark these extensions, whose rows are held; whether the actor may is the caller's business."""
    for extension in rows:
        if extension.exposed_since is not None:
            continue
        extension.exposed_since, extension.exposed_why = now, why[:LONGEST_WHY]
        cleaning.full_clean(extension)
        extension.save(update_fields=["exposed_since", "exposed_why"])
        audit.record(by, "extension.exposed", extension, now=now, why=extension.exposed_why)


def new_secret(
    extension: Extension, *, by: Actor, secret: str | None = None, now: datetime | None = None
) -> Extension:
    """Give the extension a new secret, a drawn one when none is given; all its phones get new files (E15).

    A family that cannot carry it refuses. The registrar learns it from `extension.secret_changed`.
    """
    _needs(by, extension)
    now = now or timezone.now()
    text = secrets.draw_sip_secret() if secret is None else extensions.read_secret(secret)
    with transaction.atomic():
        extension = extensions.locked(extension)
        if extensions.has_secret(extension, text):
            raise Refusal(
                "E15",
                gettext("This is the present secret already. Only another one helps."),
                code="same-secret",
                field="secret",
            )
        extension.secret = secrets.seal(secrets.Kind.SIP_SECRET, extension.code, text)
        extension.exposed_since, extension.exposed_why = None, ""
        cleaning.full_clean(extension, blame="secret")
        extension.save(update_fields=["secret", "exposed_since", "exposed_why"])
        phones = shown_on([extension])
        audit.record(by, "extension.secret_changed", extension, now=now, phones=len(phones))
        secret_changed.send(sender=Extension, extension=extension, by=by, at=now, phones=len(phones))
        event = PhoneEvent("secret-changed", by, now, {"extension": extension.username})
        phones_changed.send(sender=Extension, device_ids=phones, event=event)
    return extension


def _needs(by: Actor, extension: Extension) -> None:
    if not by.may(Power.EDIT_EXTENSIONS, extension.account.path):
        raise Forbidden
