"""The families of phones, read from families/*/family.toml into plain objects. Pure.

A misspelt key stops the loader with the file and the key: data that nobody reads would be data that nobody misses.
"""

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from devices.paths import FileKind, FileRule, Grammar, PathMatch, split_path
from devices.phone import HARDENING, KeyKind

FAMILIES = Path(__file__).parent / "families"

_T = TypeVar("_T")


class CatalogError(Exception):
    """A family's data cannot be read; the message names the file, the place and the key."""


@dataclass(frozen=True, slots=True)
class AgentPattern:
    """One spelling of a family's User-Agent; the groups are model, firmware, mac, product and stage."""

    pattern: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Protection:
    """What one neutral protection becomes in the vendor's keys, switched on and switched off."""

    on: Mapping[str, str] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)
    by_template: bool = False  #: written by the template, because it depends on more than on and off


@dataclass(frozen=True, slots=True)
class Generation:
    """Firmware that spells or hands over differently from the family's newest."""

    title: str
    firmware: str = ""  #: regular expression over the whole version; empty fits none
    handover: str = "include"  #: include | poll: how the bootstrap leads to the private URL
    slow: bool = False  #: the way to the private URL can take up to an hour
    without_keys: tuple[str, ...] = ()  #: kinds of key that it cannot show
    hardening: Mapping[str, Protection] = field(default_factory=dict)  #: replaces the family's entries


@dataclass(frozen=True, slots=True)
class Expansion:
    """Key modules that can be plugged in."""

    modules: int = 0
    keys: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """One model of phone."""

    name: str
    title: str
    lines: int  #: SIP identities it can register
    keys: int  #: keys beside the display, all pages
    generation: str
    memory_keys: int = 0  #: a second block of keys on the phone itself
    expansion: Expansion = Expansion()
    first_line: int = 1  #: what a watching key calls the first line
    single_step: bool = False  #: cannot be moved to a private URL
    no_tls: bool = False  #: gets http addresses
    aliases: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()  #: the vendor's numbers in common file names
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resync:
    """How a phone is asked to fetch again."""

    event: str
    reboot_event: str


@dataclass(frozen=True, slots=True)
class Family:
    """One vendor's way of provisioning: data and templates."""

    code: str
    folder: Path
    name: str
    format: str  #: lines | xml: picks the escaping rule
    ouis: tuple[str, ...]
    folders: tuple[str, ...]  #: leading folders of the phones' own making
    model_prefixes: tuple[str, ...]  #: what agents and people write before a model's name
    agents: tuple[AgentPattern, ...]
    files: tuple[FileRule, ...]
    generations: Mapping[str, Generation]
    models: Mapping[str, Model]
    key_codes: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    limits: Mapping[str, str]  #: field of the settings -> what the vendor's format can carry, as a regular expression
    hardening: Mapping[str, Protection]
    cannot: Mapping[str, str]  #: protection -> why this family has none
    resync: Resync
    doubts: tuple[str, ...]
    grammar: Grammar
    spellings: Mapping[str, str]

    def find_model(self, text: str) -> Model | None:
        """Return the model by its catalogue name or as its User-Agent spells it."""
        return self.models.get(self.spellings.get(_squeeze(text), ""))

    def generation_of(self, model: str, firmware: str | None = None) -> str:
        """Return the generation that a firmware belongs to; without one, the model's own."""
        if firmware:
            for code, generation in self.generations.items():
                if generation.firmware and _fits(generation.firmware, firmware):
                    return code
        return self.models[model].generation

    def key_kinds(self, model: str, generation: str | None = None) -> frozenset[KeyKind]:
        """Return the kinds of key that a model can show."""
        without = self.generations[generation or self.models[model].generation].without_keys
        return frozenset(KeyKind(kind) for kind in self.key_codes if kind not in without)

    def protections(self, generation: str) -> dict[str, Protection]:
        """Return what each neutral protection becomes for a generation."""
        return {**self.hardening, **self.generations[generation].hardening}

    @property
    def helper(self) -> FileRule | None:
        """The small file that makes a phone ask again soon, named by bootstraps."""
        return next((file for file in self.files if file.helper), None)


class Catalog:
    """All families of this installation."""

    def __init__(self, families: Mapping[str, Family]) -> None:
        self.families: dict[str, Family] = dict(families)
        self._grammars = tuple(family.grammar for family in self.families.values())

    def match(self, path: bytes | str) -> PathMatch | None:
        """Return what a path below the root URL names; None when no family's grammar knows it."""
        segments = split_path(path)
        return None if segments is None else self.match_segments(segments)

    def match_segments(self, segments: Sequence[str]) -> PathMatch | None:
        """As `match`, for a path that is split already."""
        joined = "/".join(segments)
        uses = [use for grammar in self._grammars if (use := grammar.match(joined)) is not None]
        if not uses:
            return None
        mac = next((use.mac for use in uses if use.mac is not None), None)
        return PathMatch(segments[-1], mac, tuple(use for use in uses if use.mac == mac))

    def own_file(self, family: str, model: str, mac: str, segments: Sequence[str]) -> FileRule | None:
        """Return the file that a device of this family and MAC may name below its private URL (T8)."""
        known = self.families.get(family)
        use = known.grammar.match("/".join(segments)) if known and segments else None
        if known is None or use is None or use.mac not in (None, mac):
            return None
        found = known.models.get(model)
        return None if found is not None and found.generation in use.file.absent_in else use.file

    def find_model(self, family: str, text: str) -> Model | None:
        """Return a family's model by either spelling; None also when the family is not known."""
        known = self.families.get(family)
        return known.find_model(text) if known else None


@functools.cache
def catalog() -> Catalog:
    """Return the families that are shipped, read once."""
    return load(FAMILIES)


def load(root: Path) -> Catalog:
    """Read every folder below `root` that holds a family.toml."""
    return Catalog({file.parent.name: _family(file) for file in sorted(root.glob("*/family.toml"))})


def _family(file: Path) -> Family:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"{file}: {error}") from error
    try:
        return _read(file, raw)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise CatalogError(f"{file}: {error}") from error


def _read(file: Path, raw: dict[str, Any]) -> Family:
    tables = {
        "agents": tuple(_build(AgentPattern, row, "agents") for row in raw.pop("agents")),
        "files": tuple(_file(row) for row in raw.pop("files")),
        "hardening": _protections(raw.pop("hardening"), "hardening"),
        "generations": {code: _generation(code, row) for code, row in raw.pop("generations").items()},
        "resync": _build(Resync, raw.pop("resync"), "resync"),
    }
    models = {name: _model(name, {"title": f"{raw['name']} {name}", **row}) for name, row in raw.pop("models").items()}
    code = file.parent.name
    family = _build(
        Family,
        {
            **raw,
            **tables,
            "code": code,
            "folder": file.parent,
            "models": models,
            "grammar": Grammar(code, tables["files"], raw["folders"]),
            "spellings": _spellings(models, ["", *raw["model_prefixes"]]),
        },
        "family",
    )
    _check(family)
    return family


def _file(row: dict[str, Any]) -> FileRule:
    return _build(FileRule, {**row, "kind": FileKind(row["kind"])}, f"files: {row.get('path')}")


def _generation(code: str, row: dict[str, Any]) -> Generation:
    where = f"generations.{code}"
    protections = _protections(row.pop("hardening", {}), f"{where}.hardening")
    return _build(Generation, {**row, "hardening": protections}, where)


def _model(name: str, row: dict[str, Any]) -> Model:
    expansion = _build(Expansion, row.pop("expansion", {}), f"models.{name}.expansion")
    return _build(Model, {**row, "name": name, "expansion": expansion}, f"models.{name}")


def _protections(rows: dict[str, Any], where: str) -> dict[str, Protection]:
    return {name: _build(Protection, row, f"{where}.{name}") for name, row in rows.items()}


def _build(kind: type[_T], raw: dict[str, Any], where: str) -> _T:
    """Make a dataclass of a TOML table; a key too many or too few is named."""
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(raw.keys() - known.keys()):
        raise ValueError(f"[{where}] has the unknown key {unknown[0]!r}")
    for name, entry in known.items():
        if name not in raw and entry.default is MISSING and entry.default_factory is MISSING:
            raise ValueError(f"[{where}] lacks the key {name!r}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()})


def _check(family: Family) -> None:
    """Refuse data that contradicts itself."""
    for name, model in family.models.items():
        if model.generation not in family.generations:
            raise ValueError(f"[models.{name}] names the unknown generation {model.generation!r}")
        expansion = model.expansion
        for number in (model.lines, model.keys, model.memory_keys, expansion.modules, expansion.keys):
            if not isinstance(number, int) or number < 0:
                raise ValueError(f"[models.{name}] counts with {number!r}")
    for at, file in enumerate(family.files):
        for absent in file.absent_in:
            if absent not in family.generations:
                raise ValueError(f"[files] number {at + 1} names the unknown generation {absent!r}")
    for kind in (*family.key_codes, *(kind for entry in family.generations.values() for kind in entry.without_keys)):
        KeyKind(kind)
    names = set(HARDENING)
    said = set(family.hardening) | set(family.cannot)
    for table in (family.hardening, family.cannot, *(entry.hardening for entry in family.generations.values())):
        if unknown := sorted(set(table) - names):
            raise ValueError(f"[hardening] has the unknown protection {unknown[0]!r}")
    if missing := sorted(names - said):
        raise ValueError(f"[hardening] and [cannot] say nothing of {missing[0]!r}")


def _spellings(models: Mapping[str, Model], prefixes: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, model in models.items():
        for spelling in (name, *model.aliases):
            for prefix in prefixes:
                if found.setdefault(_squeeze(prefix + spelling), name) != name:
                    raise ValueError(f"[models.{name}] has the spelling {spelling!r} of another model")
    return found


def _squeeze(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _fits(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None
