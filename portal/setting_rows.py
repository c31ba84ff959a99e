"""A setting in one row: what holds, where it comes from, what an own value hides, and what cannot be said."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.forms import BoundField
from django.urls import reverse
from django.utils.translation import gettext

from accounts.models import Account
from accounts.scope import Actor
from devices.bounds import Kind
from devices.catalog import catalog
from devices.definitions import Setting
from devices.levels import Level, ModelIn, Target, level_of
from devices.models import Device, RawValue, Site
from devices.trails import Given, Lack, Trail, lacks, without_own
from portal.setting_forms import SettingsForm, title_of

RUNGS = (Level.PLATFORM, Level.RESELLER, Level.ACCOUNT, Level.SITE, Level.MODEL, Level.PHONE)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value was given, in words, with the page on which it can be changed."""

    words: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as the page shows it."""

    setting: Setting
    value: str
    is_own: bool
    source: Source
    rungs: tuple[str, ...]
    without: str  #: what holds when the own value is taken back
    without_source: Source | None
    field: BoundField | None
    was: str
    is_list: bool
    reason: str  #: why these phones cannot say it
    elsewhere: tuple[Lack, ...]  #: of an account: the phones that cannot


def settings_url(target: Target) -> str:
    """The page of this phone's, account's or model's settings."""
    if isinstance(target, Device):
        return reverse("phone-settings", kwargs={"code": target.code})
    asked = {"account": target.slug if isinstance(target, Account) else target.account.slug}
    if isinstance(target, ModelIn):
        asked["model"] = f"{target.family}/{target.model}"
    return f"{reverse('settings')}?{urlencode(asked)}"


def row_of(
    setting: Setting, trail: Trail, target: Target, reader: Actor, form: SettingsForm | None
) -> SettingRow:
    """One row; a field only where the reader may change it and the phones can express it."""
    holds, without = trail[-1], without_own(setting.name, trail, target)
    found = lacks(target, setting.name)
    reason = "" if isinstance(target, Account) or not found else found[0].reason
    has_field = form is not None and setting.name in form.fields
    return SettingRow(
        setting=setting,
        value=title_of(setting, holds.value),
        is_own=holds.at == target,
        source=source_of(holds, target, reader, setting.name),
        rungs=rungs_of(trail),
        without=title_of(setting, without.value) if without else "",
        without_source=source_of(without, target, reader, setting.name) if without else None,
        field=form[setting.name] if form is not None and has_field else None,
        was=form.was(setting.name) if form is not None and has_field else "",
        is_list=setting.bounds.kind is Kind.LIST,
        reason=reason,
        elsewhere=found if isinstance(target, Account) else (),
    )


def source_of(given: Given, target: Target, reader: Actor, name: str) -> Source:
    """From whom a value is; an account above that the reader does not know is his provider."""
    if given.at is None:
        return Source(gettext("As the product comes"), "", "")
    at = f"#s-{name}"
    if given.at == target:
        return Source(own_words(target), "", "")
    if not given.named_to(reader):
        said = gettext("From your provider")
        if isinstance(given.at, ModelIn):
            said = gettext("From your provider, for every {model}").format(model=given.at.title)
        return Source(said, "", "")
    if isinstance(given.at, Site):
        return Source(
            gettext("From the site"), str(given.at), reverse("site", kwargs={"code": given.at.code})
        )
    return Source(gettext("From"), _name(given.at), settings_url(given.at) + at)


def own_words(target: Target) -> str:
    """What a value of exactly this target is called."""
    if isinstance(target, Device):
        return gettext("Set on this phone")
    if isinstance(target, ModelIn):
        return gettext("Set for every {model} in {account}").format(
            model=target.title, account=target.account
        )
    return gettext("Set for {account}").format(account=target)


def _name(at: Target) -> str:
    if not isinstance(at, ModelIn):
        return str(at)
    return gettext("every {model} in {account}").format(model=at.title, account=at.account)


def rungs_of(trail: Trail) -> tuple[str, ...]:
    """The ladder from the platform to the phone: where something is given, and which rung decides."""
    given = {one.level for one in trail}
    decides = trail[-1].level
    return tuple("decides" if level is decides else "has" if level in given else "" for level in RUNGS)


@dataclass(frozen=True, slots=True)
class RawRow:
    """One of the vendor's own keys as the page shows it."""

    key: str
    value: str
    phones: str
    family: str
    is_own: bool
    holds: bool
    source: Source


def raw_row(row: RawValue, target: Target, reader: Actor, *, is_own: bool, holds: bool) -> RawRow:
    """One key with the page on which it can be changed."""
    at: Account | ModelIn | Device = row.account
    if row.device is not None:
        at = row.device
    elif row.model:
        at = ModelIn(row.account, row.family, row.model)
    level = Level.PHONE if row.device else Level.MODEL if row.model else level_of(row.account)
    source = source_of(Given(row.value, level, at), target, reader, "raw")
    return RawRow(row.key, row.value, _phones(row), row.family, is_own, holds, source)


def _phones(row: RawValue) -> str:
    if row.device is not None:
        return gettext("This phone")
    title = ModelIn(row.account, row.family, row.model).title if row.model else _maker(row.family)
    return gettext("Every {maker}").format(maker=title)


def _maker(family: str) -> str:
    known = catalog().families.get(family)
    return known.name if known else family
