"""One row of an import: what becomes of it, what is wrong with it, and how its lock will be. The only judge.

The preview asks for all rows at once, the run for each again within the transaction that adds the phone: so
the two cannot disagree about anything but what has changed between them.
"""

import difflib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import cleaning
from accounts.models import User
from accounts.refusals import Invalid, Refusal
from accounts.roles import Power
from accounts.sealing import SealError
from accounts.speaking import told
from devices import extensions, keys, secrets
from devices.appearances import check_fits
from devices.catalog import Model, catalog
from devices.family import squeeze
from devices.models import Appearance, Device, Extension, Profile, Site
from devices.phone import Line, PhoneSettings, SipServer
from provisioning import entering, ledger, locking, policies, sentences
from provisioning.carrying import CompileError, check_settings
from provisioning.gate import State
from provisioning.models import Lock
from provisioning.phone_import_around import Around, bare_mac
from provisioning.phone_import_table import PhoneRow

_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T]00:00(?::00)?)?")
_DOTTED_DAY = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})")


class What(StrEnum):
    """What becomes of a row."""

    ADD = "add"
    HERE = "here"  #: the phone is in this account already: skipped, never changed
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row that can be added, in the words of the verbs."""

    mac: str
    family: str
    model: str
    name: str
    notes: str
    owner: User | None
    site: Site | None
    ship_on: date | None
    profile: Profile | None
    extension: Extension | None  #: one that is there
    new_extension: Mapping[str, str] | None  #: one that is made


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one row, and why."""

    line: int
    what: What
    mac: str  #: twelve digits; as it was written, when that is none
    name: str
    make: str  #: maker and model; as it was written, when there is none
    field: str = ""  #: the column at fault
    sentence: str = ""  #: why it is not added
    rule: str = ""
    code: str = ""
    state: str = ""  #: of its lock, once it is added
    forecast: str = ""  #: the same in words
    forecast_rule: str = ""
    notes: tuple[str, ...] = ()  #: what else will happen
    device: Device | None = None  #: the phone that is here already
    wanted: Wanted | None = None


# --- the verdict -------------------------------------------------------------------------------------------


def judge(row: PhoneRow, around: Around) -> Verdict:
    """What becomes of the row."""
    mac = bare_mac(row.get("mac"))
    make = " ".join(part for part in (row.get("vendor"), row.get("model")) if part)
    said = Verdict(
        row.line, What.REFUSED, mac or row.get("mac")[:40], name=row.get("name")[:120], make=make[:120]
    )
    try:
        here = _refuse_mac(row, around)
        if here is not None:
            sentence = _("This phone is here already. It stays as it is.")
            return replace(said, what=What.HERE, sentence=sentence, code="already-here", device=here)
        wanted, notes = _read(row, mac, around)
    except Refusal as refusal:
        rule = "" if refusal.rule == "input" else refusal.rule
        field_ = refusal.field or ""
        return replace(said, field=field_, sentence=refusal.detail, rule=rule, code=refusal.code)
    _learn(row, wanted, around)
    state, forecast, rule = _forecast(wanted, around)
    title = catalog().families[wanted.family].models[wanted.model].title
    return replace(
        said,
        what=What.ADD,
        make=title,
        state=state,
        forecast=forecast,
        forecast_rule=rule,
        notes=tuple(notes),
        wanted=wanted,
    )


def _refuse_mac(row: PhoneRow, around: Around) -> Device | None:
    """Refuse a MAC that cannot be added; returns the phone when it is here already."""
    if not row.get("mac"):
        raise Invalid("mac", _("The MAC is missing."))
    mac = entering.read_mac(row.get("mac"))
    if mac in around.seen:
        words = _("This MAC stands in line %(line)d already.")
        raise Invalid("mac", words % {"line": around.seen[mac]})
    around.seen[mac] = row.line
    holder = around.holders.get(mac)
    if holder is None:
        return None
    if holder.account_id == around.account.pk:
        return holder
    if entering.keeps_its_mac(holder, holder.lock, around.now):
        raise entering.elsewhere()
    return None


def _read(row: PhoneRow, mac: str, around: Around) -> tuple[Wanted, list[str]]:
    family, model = _find_model(row.get("vendor"), row.get("model"))
    ship_on = _read_day(row.get("ship_on"))
    locking.armed_from(around.account, ship_on, around.now)
    extension, new_extension, notes = _read_line(row, around)
    profile = _find_profile(row.get("profile"), around)
    wanted = Wanted(
        mac=mac,
        family=family,
        model=model.name,
        name=cleaning.one_line("name", row.get("name"), longest=120),
        notes=entering.read_notes(row.get("notes")),
        owner=_find_owner(row.get("owner"), around),
        site=_find_site(row.get("site"), around),
        ship_on=ship_on,
        profile=profile,
        extension=extension,
        new_extension=new_extension,
    )
    _refuse_misfit(wanted, around)
    _refuse_uncarried(wanted)
    return wanted, notes


def _learn(row: PhoneRow, wanted: Wanted, around: Around) -> None:
    """What the rows after this one have to know."""
    if wanted.new_extension is not None:
        around.made[wanted.new_extension["username"]] = row.line
    if name := row.get("extension"):
        around.showing[name] += 1


def _find_model(vendor: str, text: str) -> tuple[str, Model]:
    """The model; of whichever maker has one of that name, when no maker is named."""
    if not text:
        raise Invalid("model", _("The model is missing."))
    families = catalog().families
    if vendor:
        meant = squeeze(vendor)
        code = next((c for c, family in families.items() if meant in (squeeze(c), squeeze(family.name))), "")
        if not code:
            known = ", ".join(family.name for family in families.values())
            words = _("There is no maker %(vendor)s here. Known are %(known)s.")
            raise Invalid("vendor", words % {"vendor": vendor[:60], "known": known})
        return code, entering.read_model(code, text)
    found = [(code, model) for code, family in families.items() if (model := family.find_model(text))]
    if len(found) == 1:
        return found[0]
    if found:
        makers = ", ".join(families[code].name for code, _model in found)
        words = _("Several makers have a model %(model)s: %(makers)s. Name one in the column Vendor.")
        raise Invalid("vendor", words % {"model": text[:60], "makers": makers})
    names = {
        name.upper(): model.title for family in families.values() for name, model in family.models.items()
    }
    near = difflib.get_close_matches(text.upper()[:60], names, n=2, cutoff=0.6)
    if near:
        words = _("There is no model %(model)s. Did you mean %(near)s?")
        listed = _(" or ").join(names[name] for name in near)
        raise Invalid("model", words % {"model": text[:60], "near": listed})
    raise Invalid("model", _("There is no model %(model)s.") % {"model": text[:60]})


def _read_day(text: str) -> date | None:
    if not text:
        return None
    try:
        if found := _DAY.fullmatch(text):
            return date(int(found[1]), int(found[2]), int(found[3]))
        if found := _DOTTED_DAY.fullmatch(text):
            return date(int(found[3]), int(found[2]), int(found[1]))
    except ValueError as error:
        raise Invalid("ship_on", _("There is no such day.")) from error
    raise Invalid("ship_on", _("Write the day as 2026-11-30 or as 30.11.2026."))


def _find_owner(email: str, around: Around) -> User | None:
    if not email:
        return None
    found = around.people.get(email.lower())
    if found is None:
        words = _("There is no person %(email)s in this account.")
        raise Invalid("owner", words % {"email": email[:120]})
    return found


def _find_site(name: str, around: Around) -> Site | None:
    if not name:
        return None
    found = around.sites.get(name.casefold())
    if found is None:
        words = _("There is no site %(name)s in this account.")
        raise Invalid("site", words % {"name": name[:120]})
    return found


def _find_profile(name: str, around: Around) -> Profile | None:
    if not name:
        return None
    found = around.profiles.get(name.casefold())
    if found is None:
        words = _("There is no profile %(name)s for this account.")
        raise Invalid("profile", words % {"name": name[:120]})
    return found


def _read_line(row: PhoneRow, around: Around) -> tuple[Extension | None, Mapping[str, str] | None, list[str]]:
    """The extension on the first key: one that is there, or what makes a new one; and what to say of it."""
    name, secret = row.get("extension"), row.get("secret")
    if not name:
        if secret:
            raise Invalid("extension", _("There is a SIP secret, but no extension."))
        return None, None, []
    notes = []
    there = around.lines.get(name, [])
    if len(there) > 1:
        words = _("There are several extensions %(name)s. Give this phone its line on its own page.")
        raise Invalid("extension", words % {"name": name[:64]})
    if not there and name not in around.made:
        return None, _new_extension(row, around), [_("Extension %(name)s is made.") % {"name": name}]
    if secret and name in around.made and not there:
        words = _("Extension %(name)s is made by line %(line)d, with the secret that stands there.")
        notes.append(words % {"name": name, "line": around.made[name]})
    elif secret:
        words = _("Extension %(name)s is there already: it keeps its secret and its name.")
        notes.append(words % {"name": name})
    if others := around.showing[name]:
        words = ngettext(
            "Extension %(name)s becomes a shared line: %(count)d other phone shows it.",
            "Extension %(name)s is a shared line: %(count)d other phones show it.",
            others,
        )
        notes.append(words % {"name": name, "count": others})
    return (there[0] if there else None), None, notes


def _new_extension(row: PhoneRow, around: Around) -> Mapping[str, str]:
    name, secret = row.get("extension"), row.get("secret")
    if not secret and not around.make_extensions:
        words = _("There is no extension %(name)s. Give its SIP secret, or let the import make extensions.")
        raise Invalid("extension", words % {"name": name[:64]})
    if not around.by.may(Power.EDIT_EXTENSIONS, around.account.path):
        raise Invalid("extension", _("Your role does not allow to make extensions."))
    new = {
        "username": name,
        "secret": secret or secrets.draw_sip_secret(),
        "display_name": row.get("display_name"),
        "auth_name": row.get("auth_name"),
    }
    try:
        extensions.check(**new)
    except Invalid as error:
        raise Invalid(
            "extension" if error.field == "username" else error.field or "", error.detail
        ) from error
    return new


def _refuse_misfit(wanted: Wanted, around: Around) -> None:
    """Refuse a profile or a line that this model has no place for; asked once for each kind of phone."""
    profile = wanted.profile
    if profile is not None and (profile.family != wanted.family or profile.model not in ("", wanted.model)):
        words = _("The profile %(name)s is not for this model.")
        raise Invalid("profile", words % {"name": profile.name})
    has_line = wanted.extension is not None or wanted.new_extension is not None
    kind = (wanted.family, wanted.model, profile.pk if profile else 0, has_line)
    if kind not in around.fits:
        around.fits[kind] = _misfit(wanted.family, wanted.model, profile, has_line, around)
    if why := around.fits[kind]:
        raise Invalid("profile" if profile is not None else "extension", why)


def _refuse_uncarried(wanted: Wanted) -> None:
    """Refuse what the phone's file cannot carry, as it is refused once the phone gets its line or profile."""
    family = catalog().families[wanted.family]
    extension, new = wanted.extension, wanted.new_extension
    lines: tuple[Line, ...] = ()
    if extension is not None:
        # One whose secret no key opens is no reason against this row; publishing names it.
        with suppress(SealError):
            secret = extensions.secret_of(extension)
            lines = (_line(extension.username, extension.auth_name, extension.display_name, secret),)
    elif new is not None:
        lines = (_line(new["username"], new["auth_name"], new["display_name"], new["secret"]),)
    elif wanted.profile is None:
        return
    phone = PhoneSettings(
        mac=wanted.mac,
        family=wanted.family,
        model=wanted.model,
        name=wanted.name,
        sip=SipServer("sip.invalid"),
        lines=lines,
    )
    try:
        check_settings(phone, family)
    except CompileError as error:
        name = error.field.rpartition(".")[2]
        raise Invalid("extension" if name == "username" else name, f"{told(error.reason)}.") from error


def _line(username: str, auth_name: str, display_name: str, secret: str) -> Line:
    return Line(1, username, auth_name or username, secret, display_name=display_name)


def _misfit(family: str, model: str, profile: Profile | None, has_line: bool, around: Around) -> str:
    rows = around.profile_keys.get(profile.pk, []) if profile else []
    lines = [Appearance(extension=Extension(username="1"), position=1)] if has_line else []
    places = keys.line_places(family, model, (row.position for row in lines))
    try:
        check_fits(family, model, lines, keys.effective((), rows, places))
    except Invalid as error:
        return error.detail
    return ""


# --- how its lock will be ----------------------------------------------------------------------------------


def _forecast(wanted: Wanted, around: Around) -> tuple[str, str, str]:
    """The lock of the phone once it is added: its state, whole sentences, and the rule that says so."""
    armed_at = locking.armed_from(around.account, wanted.ship_on, around.now)
    lock = Lock(
        device=Device(account=around.account, mac=wanted.mac), state=State.NEW.value, armed_at=armed_at
    )
    ledger.put_back(lock, around.remembered.get(wanted.mac), now=around.now)
    said = []
    rule = "E9"
    if lock.state == State.QUARANTINED.value:
        said.append(_("Arrives quarantined: it gets nothing until your provider lifts that."))
    elif lock.state == State.LOCKED.value:
        if lock.bound_first or lock.bound_site:
            said.append(_("Arrives locked to where it stood before: it was here less than 30 days ago."))
        else:
            said.append(
                _("Arrives locked: it was registered before. Unlock it, or approve its first request.")
            )
    else:
        rule = "E11" if wanted.ship_on else "R1"
        if wanted.ship_on:
            day = date_format(wanted.ship_on, "D j M Y")
            said.append(_("Ships on %(day)s: until that day it gets nothing.") % {"day": day})
        said.append(_new(around.policy))
    if locking.is_suspected(lock, around.now) and lock.suspicion_until:
        until = sentences.when(lock.suspicion_until, around.account.time_zone, now=around.now)
        said.append(
            _("Others have tried to get its file: under suspicion until %(until)s.") % {"until": until}
        )
    return lock.state, " ".join(said), rule


def _new(policy: policies.Effective) -> str:
    hours = int(policy.fresh_ttl.total_seconds() // 3600)
    if hours % 24:
        length = ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    else:
        length = ngettext("%(count)d day", "%(count)d days", hours // 24) % {"count": hours // 24}
    words = {
        "approval": _("A request within %(length)s waits for your approval, and then it locks."),
        "sites": _("The first request from one of your sites within %(length)s is let in, then it locks."),
    }.get(
        policy.first_fetch,
        _("The first request within %(length)s is let in, from anywhere, then it locks."),
    )
    return words % {"length": length}
