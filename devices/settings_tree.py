"""Neutral settings, given and taken back at every level, and what a phone's file is made of."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid
from accounts.roles import Power
from accounts.said import Said
from accounts.scope import Actor
from accounts.sealing import SealError
from devices import holding, keys, raw_keys, reach, secrets
from devices.bounds import split_place, window_minutes
from devices.catalog import catalog
from devices.definitions import SETTINGS, SWITCHES, Setting, Value, spoken
from devices.levels import ZONE, Found, Level, ModelIn, Target, account_values, effective, effective_many
from devices.models import Appearance, Device, Extension, SettingValue
from devices.phone import (
    CallSettings,
    Dtmf,
    KeySetting,
    Line,
    NetworkSettings,
    PhoneSettings,
    PollSettings,
    Ring,
    SipServer,
    Srtp,
    TimeSettings,
    Transport,
)
from devices.signals import PhoneEvent, phones_changed, settings_changed

__all__ = [
    "ZONE",
    "Found",
    "Level",
    "ModelIn",
    "Target",
    "Unreadable",
    "account_of",
    "account_values",
    "effective",
    "effective_many",
    "given_here",
    "held",
    "phone_settings",
    "reset_value",
    "set_value",
]

# --- changing --------------------------------------------------------------------------------------------


def set_value(target: Target, *, by: Actor, name: str, value: Any, now: datetime | None = None) -> Value:
    """Give a setting for one phone, or for an account or a model there and all below; Invalid names it."""
    setting = _setting(name)
    kept = setting.read(value)
    _needs(by, target)
    _fits(setting, kept, target)
    now = now or timezone.now()
    with transaction.atomic():
        if isinstance(target, Device):
            device = holding.held(target)
            before = _set_row(setting, kept, device)
            _tell_phone(device, setting, by, now, before, kept)
        else:
            target = _held_above(target)
            before = _set_above(target, setting, kept)
            _tell_above(target, setting, by, now, before, kept)
    return kept


def reset_value(target: Target, *, by: Actor, name: str, now: datetime | None = None) -> None:
    """Take back what was given here: what stands above it holds again."""
    setting = _setting(name)
    _needs(by, target)
    now = now or timezone.now()
    with transaction.atomic():
        if isinstance(target, Account) and name == ZONE:
            raise Invalid(name, gettext("An account always has a time zone."))
        target = held(target)
        rows = SettingValue.objects.filter(name=name, **_where(target))
        before = rows.values_list("value", flat=True).first()
        if not rows.delete()[0]:
            return
        if isinstance(target, Device):
            _tell_phone(target, setting, by, now, before, None)
        else:
            _tell_above(target, setting, by, now, before, None)


def given_here(target: Target) -> dict[str, Value]:
    """What is given for exactly this account, model or phone, by the settings' names."""
    rows = SettingValue.objects.filter(**_where(target)).values_list("name", "value")
    given: dict[str, Value] = dict(rows)
    return given | {ZONE: target.time_zone} if isinstance(target, Account) else given


def _setting(name: str) -> Setting:
    setting = SETTINGS.get(name)
    if setting is None:
        raise Invalid(name, gettext("There is no setting {name!r}.").format(name=name))
    return setting


def _fits(setting: Setting, value: Value, target: Target) -> None:
    """Refuse what is no setting of a whole account, and what the vendor's files cannot carry."""
    if isinstance(target, Account):
        if setting.for_models:
            raise Invalid(
                setting.name,
                gettext("{title}: give it for a model or for a phone.").format(title=setting.title),
            )
        return
    family = catalog().families.get(target.family)
    limit = family.limits.get(setting.name) if family else None
    if family and limit and not re.fullmatch(limit, str(value)):
        raise Invalid(
            setting.name,
            gettext("{title}: {name} cannot carry this value.").format(title=setting.title, name=family.name),
        )


def account_of(target: Target) -> Account:
    """The account in which a value is given."""
    return target if isinstance(target, Account) else target.account


def _needs(by: Actor, target: Target) -> None:
    if not by.may(Power.EDIT_SETTINGS, account_of(target).path):
        raise Forbidden


def held(target: Target) -> Target:
    """The target as it is now, the row held under which its values are given."""
    return holding.held(target) if isinstance(target, Device) else _held_above(target)


def _held_above(target: Account | ModelIn) -> Account | ModelIn:
    account: Account = Account.objects.select_for_update(no_key=True).get(pk=account_of(target).pk)
    return account if isinstance(target, Account) else replace(target, account=account)


def _where(target: Target) -> dict[str, Any]:
    """What finds the rows of this target, and of no other."""
    if isinstance(target, Device):
        return {"device": target}
    family, model = (target.family, target.model) if isinstance(target, ModelIn) else ("", "")
    return {"account": account_of(target), "family": family, "model": model, "device": None}


def _set_above(target: Account | ModelIn, setting: Setting, value: Value) -> Value | None:
    if setting.name != ZONE or isinstance(target, ModelIn):
        return _set_row(setting, value, target)
    before, target.time_zone = target.time_zone, str(value)
    target.save(update_fields=["time_zone"])
    return before


def _set_row(setting: Setting, value: Value, target: Target) -> Value | None:
    """Write the row; returns what stood there."""
    row = SettingValue.objects.filter(name=setting.name, **_where(target)).first()
    before = row.value if row else None
    row = row or SettingValue(name=setting.name, **{"account": account_of(target), **_where(target)})
    row.value = value
    cleaning.full_clean(row, blame=setting.name, exclude=["value"])  # off, 0 and "" are values too
    row.save()
    return before


def _tell_above(
    target: Account | ModelIn,
    setting: Setting,
    by: Actor,
    now: datetime,
    old: Value | None,
    new: Value | None,
) -> None:
    if old == new:
        return
    account = account_of(target)
    which = {"family": target.family, "model": target.model} if isinstance(target, ModelIn) else {}
    details: Mapping[str, Any] = {"setting": setting.name, "old": old, "new": new, **which}
    audit.record(by, "account.setting-changed", account, now=now, **details)
    reached = partial(reach.of_setting, target, setting.name, old)
    settings_changed.send(sender=Account, account=account, reached=reached)


def _tell_phone(
    device: Device, setting: Setting, by: Actor, now: datetime, old: Value | None, new: Value | None
) -> None:
    if old != new:
        details: Mapping[str, Any] = {"setting": setting.name, "old": old, "new": new}
        audit.record(by, "device.setting-changed", device, now=now, **details)
        event = PhoneEvent("setting-changed", by, now, dict(details))
        phones_changed.send(sender=Device, device_ids=[device.pk], event=event)


# --- what a phone's file is made of ----------------------------------------------------------------------


class Unreadable(Exception):
    """A phone's settings cannot be put together; the message says what is missing."""


def phone_settings(
    devices: Iterable[Device],
    *,
    generations: Mapping[int, str] | None = None,
    unreadable: dict[int, str] | None = None,
) -> dict[int, PhoneSettings]:
    """Everything that these phones' files say, by device key, secrets opened; nine queries at most.

    `generations` names the firmware generation of phones where it is known; otherwise the model's own holds.
    A phone with a secret that no key opens, or of a model that the catalogue does not have, is left out and
    named in `unreadable`; without one, Unreadable.
    """
    lost: dict[int, str] = {} if unreadable is None else unreadable
    found = Device.objects.filter(pk__in=[device.pk for device in devices])
    rows = []
    for device in found.select_related("account", "site"):
        if catalog().has_model(device.family, device.model):
            rows.append(device)
        else:
            lost[device.pk] = Said(
                "the model {family}/{model} is not in the catalogue", family=device.family, model=device.model
            )
    ids = [device.pk for device in rows]
    values = effective_many(rows)
    lines = _lines(ids, values, lost)
    places = {pk: [line.position for line in shown] for pk, shown in lines.items()}
    own_keys = keys.of_many(rows, places)
    added = raw_keys.effective_many(rows)
    known = generations or {}
    phones = {}
    for device in rows:
        try:
            phones[device.pk] = _phone(
                device,
                {name: found.value for name, found in values[device.pk].items()},
                tuple(lines.get(device.pk, ())),
                keys.settings_of(own_keys[device.pk]),
                tuple((row.key, row.value) for row in added[device.pk]),
                known.get(device.pk),
            )
        except SealError as error:
            lost[device.pk] = Said("its passwords: {error}", error=error)
    if lost and unreadable is None:
        raise Unreadable(next(iter(lost.values())))
    return {pk: phone for pk, phone in phones.items() if pk not in lost}


def _lines(
    ids: list[int], values: Mapping[int, Mapping[str, Found]], lost: dict[int, str]
) -> dict[int, list[Line]]:
    shown = list(
        Appearance.objects.filter(device__in=ids).select_related("extension").order_by("device", "position")
    )
    several = (
        Appearance.objects.filter(extension__in={appearance.extension_id for appearance in shown})
        .values("extension")
        .annotate(phones=Count("device", distinct=True))
        .filter(phones__gte=2)
    )
    shared = set(several.values_list("extension", flat=True))
    secrets_of: dict[int, str | SealError] = {}
    lines: dict[int, list[Line]] = {}
    for appearance in shown:
        extension = appearance.extension
        if extension.pk not in secrets_of:
            secrets_of[extension.pk] = _secret_or_reason(extension)
        secret = secrets_of[extension.pk]
        if isinstance(secret, SealError):
            lost[appearance.device_id] = Said(
                "the secret of {name}: {error}", name=extension.username, error=secret
            )
            continue
        line = Line(
            position=appearance.position,
            username=extension.username,
            auth_name=extension.auth_name or extension.username,
            secret=secret,
            realm=extension.realm or str(values[appearance.device_id]["sip_server"].value),
            display_name=extension.display_name,
            label=appearance.label,
            shared=extension.pk in shared,
            call_appearances=extension.call_appearances,
            barge_in=extension.barge_in,
            ring=Ring(appearance.ring),
        )
        lines.setdefault(appearance.device_id, []).append(line)
    return lines


def _secret_or_reason(extension: Extension) -> str | SealError:
    try:
        return secrets.open_text(secrets.Kind.SIP_SECRET, extension.code, extension.secret)
    except SealError as error:
        return error


def _phone(
    device: Device,
    values: Mapping[str, Any],
    lines: tuple[Line, ...],
    keys: tuple[KeySetting, ...],
    raw: tuple[tuple[str, str], ...],
    generation: str | None,
) -> PhoneSettings:
    outbound = split_place(values["outbound_proxy"]) if values["outbound_proxy"] else ("", 0)
    transport, srtp = Transport(values["sip_transport"]), Srtp(values["srtp"])
    protections = {name for name in SWITCHES if values[name]}
    protections |= {"encrypt_calls"} if srtp is not Srtp.OFF else set()
    protections |= set() if values["web_page"] else {"web_page_off"}
    return PhoneSettings(
        mac=device.mac,
        family=device.family,
        model=device.model,
        name=device.name,
        sip=SipServer(
            host=values["sip_server"],
            port=values["sip_port"] or (5061 if transport is Transport.TLS else 5060),
            transport=transport,
            outbound_host=outbound[0],
            outbound_port=outbound[1],
            expires=values["register_expires"],
            srtp=srtp,
        ),
        lines=lines,
        keys=keys,
        time=TimeSettings(
            zone=values[ZONE],
            ntp=values["ntp_server"],
            date_format=values["date_format"],
            time_format=values["time_format"],
        ),
        calls=CallSettings(
            codecs=tuple(values["codecs"]),
            dtmf=Dtmf(values["dtmf"]),
            waiting=values["call_waiting"],
            dnd_key=values["dnd_key"],
            forward_key=values["forward_key"],
            ring_tone=_given(values["ring_tone"]),
        ),
        network=NetworkSettings(
            vlan=_given(values["voice_vlan"]),
            vlan_priority=values["voice_vlan_priority"],
            pc_vlan=_given(values["pc_vlan"]),
            sip_dscp=values["sip_dscp"],
            rtp_dscp=values["rtp_dscp"],
            syslog=values["syslog_server"],
            syslog_level=values["syslog_level"],
        ),
        poll=PollSettings(values["poll_hours"], *window_minutes(values["poll_window"])),
        backlight=_given(values["backlight_seconds"]),
        language=spoken(device.family, values["language"]),
        voicemail_number=values["voicemail_number"],
        web_page=values["web_page"],
        admin_password=secrets.open_text(secrets.Kind.ADMIN_PASSWORD, device.code, device.admin_password),
        user_password=secrets.open_text(secrets.Kind.USER_PASSWORD, device.code, device.user_password),
        poll_minute=device.poll_minute,
        hardening=frozenset(protections),
        firmware=values["firmware"],
        generation=generation,
        raw=raw,
    )


def _given(value: Any) -> int | None:
    """A number that may be left to the phone."""
    return None if value == "" else int(value)
