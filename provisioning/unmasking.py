"""A phone's file with its secrets in clear: for who may see them, in the audit each time."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from accounts import audit
from accounts.refusals import Forbidden, Refusal
from accounts.roles import Power
from accounts.scope import Actor
from devices import settings_tree
from devices.models import Device
from provisioning import tokens
from provisioning.compiling import CompileError, compile_full
from provisioning.gate import State
from provisioning.models import Lock
from provisioning.previewing import Shown, unmade


def may_uncover(by: Actor, device: Device) -> bool:
    """Whether this actor may see secrets of the phone's account; no role brings that by itself."""
    return by.may(Power.SEE_SECRETS, device.account.path)


def uncovered(device: Device, name: str, *, by: Actor, now: datetime | None = None) -> Shown:
    """One file as the phone gets it below its private URL now; the caller has asked for a second factor."""
    if not may_uncover(by, device):
        raise Forbidden
    living = tokens.living(device.pk)
    if not living:
        raise Refusal("E13", gettext("It has no private URL yet, so it gets no such file."), code="no-files")
    lost: dict[int, str] = {}
    phone = settings_tree.phone_settings([device], unreadable=lost).get(device.pk)
    if phone is None:
        raise unmade(device, lost[device.pk])
    lock = Lock.objects.get(pk=device.pk)
    if lock.state == State.RETIRED.value:
        phone = phone.without_accounts()
    try:
        here = tokens.private_url(living[-1], device, plain=phone.plain_http)
        found = compile_full(phone, here, build=tokens.build(living[-1], lock.files_revision))
    except CompileError as error:
        raise unmade(device, error.said) from error
    file = found.get(name)
    if file is None:
        raise Refusal("input", gettext("It has no file of this name."), code="unknown")
    with transaction.atomic():
        audit.record(by, "device.file_seen", device, now=now, file=name)
    text = file.body.decode(errors="replace")
    return Shown(name, file.content_type, len(file.body), text.splitlines())
