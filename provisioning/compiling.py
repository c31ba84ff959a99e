"""Turns a phone's settings into the bytes of its files: same settings, same bytes. Pure.

Three kinds: the full file below the private URL, the bootstrap at the root, the common file without a device.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from accounts.said import Said
from devices.catalog import Catalog, Family, Model, catalog
from devices.layout import DoesNotFit, lay_out
from devices.paths import FileRule
from devices.phone import BookEntry, KeyKind, PhoneSettings, PollSettings
from devices.zones import Zone, zone
from provisioning.carrying import CompileError, check_settings, check_value
from provisioning.envelopes import ENVELOPES
from provisioning.grafting import RawKey, graft
from provisioning.spelling import FILTERS

_URL = re.compile(r"(?P<scheme>https?)://(?P<place>[A-Za-z0-9.\-:\[\]]+(?:/[A-Za-z0-9._~\-]+)*)/")
_DAY = 24 * 60
_WINDOW = 30  # minutes in which a phone's daily poll may fall; its own minute spreads the fleet

__all__ = [
    "CompileError",
    "CompiledFile",
    "compile_books",
    "compile_bootstrap",
    "compile_common",
    "compile_full",
]


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """A file as the phone gets it."""

    name: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder's address in the spellings that vendors want."""

    url: str  #: with the slash at its end
    scheme: str
    place: str  #: host and path, without scheme and without the last slash

    @property
    def bare(self) -> str:
        """The address without the slash at its end."""
        return f"{self.scheme}://{self.place}"

    @property
    def host(self) -> str:
        """The host alone, with its port where it has one."""
        return self.place.partition("/")[0]

    @property
    def path(self) -> str:
        """What follows the host, without a slash at its beginning, with one at its end; or nothing."""
        path = self.place.partition("/")[2]
        return f"{path}/" if path else ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a phone asks again each day, by its own clock."""

    begin: str
    end: str
    hour: int  #: for phones that know whole hours only
    end_hour: int
    minutes: int  #: from one check-in to the next
    seconds: int


def compile_full(
    phone: PhoneSettings, private_url: str, *, build: int = 0, families: Catalog | None = None
) -> dict[str, CompiledFile]:
    """Return every file that this phone may fetch below its private URL, by name with lower-case MAC.

    `build` grows with every change of what they say, for phones that take a file by its number only.
    """
    family, model = _model(families or catalog(), phone.family, phone.model)
    generation = _generation(family, model, phone)
    here = _folder("private_url", private_url)
    context = _full_context(family, model, generation, phone, here, build=build)
    compiled = {}
    for rule in family.files:
        if rule.full and generation not in rule.absent_in:
            name = rule.path.replace("{mac}", phone.mac)
            compiled[name] = _render(family, rule.full, rule, name, context)
    return compiled


def compile_bootstrap(
    family: str,
    model: str,
    mac: str,
    file_name: str,
    entry_url: str,
    root_url: str,
    phone: PhoneSettings | None = None,
    *,
    full: bool = False,
    build: int = 0,
    families: Catalog | None = None,
) -> CompiledFile:
    """Return the root's answer under one claiming name.

    The settings are looked at for a `single_step` model, which gets its full file here, with `full` for a
    name that is `full_and_move`, and for the firmware generation: a bootstrap cannot hold a SIP secret.
    """
    known = families or catalog()
    vendor, kind = _model(known, family, model)
    generation = _generation(vendor, kind, phone)
    rule = known.own_file(family, model, mac, [file_name])
    if rule is None or not rule.claims or generation in rule.absent_in:
        raise CompileError(
            "file_name", Said("{file_name} claims nothing for {model}", file_name=file_name, model=kind.title)
        )
    root = _folder("root_url", root_url)
    if kind.single_step:
        if phone is None:
            raise CompileError(
                "phone",
                Said("{model} gets its full file at the root, which needs its settings", model=kind.title),
            )
        context = _full_context(vendor, kind, generation, phone, root, build=build)
        return _render(vendor, rule.full, rule, file_name, context)
    if full:
        if phone is None or not rule.full_and_move:
            raise CompileError(
                "file_name",
                Said(
                    "{file_name} is no full file at the root for {model}",
                    file_name=file_name,
                    model=kind.title,
                ),
            )
        here = _folder("private_url", entry_url)
        context = _full_context(vendor, kind, generation, phone, here, build=build, soon=True)
        return _render(vendor, rule.full, rule, file_name, context)
    helper = vendor.helper
    context = {
        "mac": mac,
        "model": kind,
        "generation": generation,
        "here": _folder("entry_url", entry_url),
        "root": root,
        "helper": helper.path if helper else "",
        "values": vendor.values,
    }
    return _render(vendor, rule.bootstrap, rule, file_name, context)


def compile_common(
    family: str, file_name: str, root_url: str, *, families: Catalog | None = None
) -> CompiledFile:
    """Return a file that knows no device: no account, no address, nothing that resets what is absent."""
    vendor = (families or catalog()).families.get(family)
    if vendor is None:
        raise CompileError("family", Said("{family!r} is not known", family=family))
    use = vendor.grammar.match(file_name)
    if use is None or not use.file.served:
        raise CompileError(
            "file_name",
            Said(
                "{file_name} is no common file of {maker} with content",
                file_name=file_name,
                maker=vendor.name,
            ),
        )
    if use.file.no_tls:
        root_url = root_url.replace("https://", "http://", 1)
    return _render(vendor, use.file.common, use.file, file_name, {"root": _folder("root_url", root_url)})


def compile_books(
    family: str, entries: Sequence[BookEntry], *, families: Catalog | None = None
) -> list[CompiledFile]:
    """Return a company's phone book under each name by which the phones of this family ask for it.

    It knows no phone: whoever shows these entries gets the same bytes. What is beyond the family's most is
    left out. Every one is XML, whatever the family's own files are.
    """
    vendor = (families or catalog()).families.get(family)
    if vendor is None:
        raise CompileError("family", Said("{family!r} is not known", family=family))
    if vendor.book is None:
        return []
    shown = vendor.book.entries(entries)[: vendor.book.most]
    context = {"entries": shown, "values": vendor.values}
    rules = [rule for rule in vendor.files if rule.book]
    return [_render(vendor, rule.book, rule, rule.path, context, form="xml") for rule in rules]


def _model(families: Catalog, family: str, model: str) -> tuple[Family, Model]:
    vendor = families.families.get(family)
    if vendor is None:
        raise CompileError("family", Said("{family!r} is not known", family=family))
    found = vendor.models.get(model)
    if found is None:
        raise CompileError("model", Said("{maker} has no model {model!r}", maker=vendor.name, model=model))
    return vendor, found


def _generation(family: Family, model: Model, phone: PhoneSettings | None) -> str:
    generation = (phone and phone.generation) or model.generation
    if generation not in family.generations:
        raise CompileError(
            "generation",
            Said("{maker} has no generation {generation!r}", maker=family.name, generation=generation),
        )
    return generation


def _full_context(
    family: Family,
    model: Model,
    generation: str,
    phone: PhoneSettings,
    here: Folder,
    *,
    build: int,
    soon: bool = False,
) -> dict[str, Any]:
    check_settings(phone, family)
    try:
        kinds, banks = family.key_kinds(model.name, generation), family.banks(model.name, generation)
        layout = lay_out(phone, model, kinds, banks)
    except DoesNotFit as error:
        raise CompileError(error.field, error.reason) from error
    return {
        "phone": phone,
        "mac": phone.mac,
        "model": model,
        "generation": generation,
        "here": here,
        "layout": layout,
        "accounts": layout.accounts,
        "unused_accounts": range(len(layout.accounts) + 1, model.lines + 1),
        "keys": [key for key in layout.keys if key.kind is not KeyKind.EMPTY],
        # Plain tuples: the sandbox checks every attribute, and modules bring hundreds of empty keys.
        "empty_keys": [
            (key.bank, key.module, key.number) for key in layout.keys if key.kind is KeyKind.EMPTY
        ],
        "clock": _clock(phone.time.zone),
        "schedule": _schedule(phone.poll_minute if phone.spreads_polls else 0, phone.poll),
        "codecs": _codecs(family, generation, phone),
        "raw": [
            RawKey(key, tuple(key.split(".")), value)
            for key, value in phone.raw
            if family.knows_raw(generation, key)
        ],
        "soon": soon,  # full_and_move: the root's answer polls as soon as the family can
        "number": 2 * build + (not soon),  # of the file: what follows at the private URL has the higher one
        "hardening": _hardening(family, generation, phone, len(layout.accounts)),
        "values": family.values,
        "key_codes": family.key_codes,
        "language": _language(family, phone.language),
        "book": "" if model.single_step else _book(family, generation, phone, here),
    }


def _book(family: Family, generation: str, phone: PhoneSettings, here: Folder) -> str:
    """The address of the phone book; empty for a phone that has none."""
    rule = family.phone_book(generation)
    return f"{here.url}{rule.path}" if rule and phone.has_book else ""


def _folder(field: str, url: str) -> Folder:
    found = _URL.fullmatch(url if url.endswith("/") else f"{url}/")
    if found is None:
        raise CompileError(field, Said("this is no address that a phone can store"))
    return Folder(found[0], found["scheme"], found["place"])


def _clock(name: str) -> Zone:
    try:
        return zone(name)
    except ValueError as error:
        raise CompileError("time.zone", str(error)) from error


def _schedule(minute: int, poll: PollSettings) -> Schedule:
    """Give the phone's own half hour in its window; one that would cross midnight is moved before it."""
    if poll.end - poll.begin < _DAY:
        room = (poll.end - poll.begin) % _DAY - _WINDOW + 1
        minute = (poll.begin + minute % room) % _DAY
    begin = min(minute, _DAY - 1 - _WINDOW)
    hour = min(minute // 60, 22)
    minutes = poll.hours * 60
    return Schedule(_time_of_day(begin), _time_of_day(begin + _WINDOW), hour, hour + 1, minutes, minutes * 60)


def _codecs(family: Family, generation: str, phone: PhoneSettings) -> list[str]:
    """List the phone's codecs as its generation spells them, without those that it does not know."""
    names = family.values.get(f"codec_{generation}", family.values.get("codec", {}))
    return [names[codec] for codec in phone.calls.codecs if codec in names]


def _time_of_day(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _hardening(family: Family, generation: str, phone: PhoneSettings, accounts: int) -> list[tuple[str, str]]:
    """List the vendor's keys for every protection, on or off: a phone keeps what a file leaves out."""
    wanted = phone.hardening - {"web_page_off"} | (frozenset() if phone.web_page else {"web_page_off"})
    found: list[tuple[str, str]] = []
    for name, protection in family.protections(generation).items():
        for key, value in (protection.on if name in wanted else protection.off).items():
            numbers = range(1, accounts + 1) if "{account}" in key else (0,)
            found += [(key.replace("{account}", str(number)), value) for number in numbers]
    return found


def _language(family: Family, code: str) -> str:
    names = family.values["language"]
    for spelling in (code, code.partition("-")[0]):
        if spelling in names:
            return names[spelling]
    raise CompileError("language", Said("{maker} has no language {code!r}", maker=family.name, code=code))


def _render(
    family: Family, template: str, rule: FileRule, name: str, context: dict[str, Any], *, form: str = ""
) -> CompiledFile:
    try:
        text = _template(family.folder, form or family.format, template).render(context)
    except TemplateError as error:
        raise CompileError(template, error.message or type(error).__name__) from error
    if context.get("raw") and family.raw and family.raw.nested:
        text = graft(text, context["raw"])
    body = text.encode("utf-8")
    if rule.envelope:
        body = ENVELOPES[rule.envelope](body, context["mac"])
    return CompiledFile(name, rule.content_type, body)


@functools.cache
def _template(folder: Path, form: str, name: str) -> Template:
    return _environment(folder, form).get_template(name)


@functools.cache
def _environment(folder: Path, form: str) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=form == "xml",
        finalize=functools.partial(check_value, form),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    return environment
