"""The families of phones, read from families/*/family.toml into plain objects. Pure.

A misspelt key stops the loader with the file and the key: data that nobody reads is data that nobody misses.
"""

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from devices.family import (
    BANKS,
    ENVELOPES,
    HANDOVERS,
    POWERS,
    AgentPattern,
    Connect,
    Expansion,
    Family,
    Generation,
    Model,
    PhoneBook,
    Protection,
    RawKeys,
    Resync,
    bare_key,
    squeeze,
)
from devices.paths import FileKind, FileRule, Grammar, PathMatch, split_path
from devices.phone import HARDENING, SHARING, VOCABULARY, KeyKind

__all__ = ["Catalog", "CatalogError", "Family", "Generation", "Model", "Protection", "catalog", "load"]

FAMILIES = Path(__file__).parent / "families"

_T = TypeVar("_T")


class CatalogError(Exception):
    """A family's data cannot be read; the message names the file, the place and the key."""


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

    def has_model(self, family: str, model: str) -> bool:
        """Whether this family is known and has a model of exactly this name."""
        return family in self.families and model in self.families[family].models

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
    files = tuple(_file(row) for row in raw.pop("files"))
    tables = {
        "agents": tuple(_build(AgentPattern, row, "agents") for row in raw.pop("agents")),
        "files": files,
        "hardening": _protections(raw.pop("hardening"), "hardening"),
        "generations": {code: _generation(code, row) for code, row in raw.pop("generations").items()},
        "raw": _build(RawKeys, raw.pop("raw"), "raw") if "raw" in raw else None,
        "book": _build(PhoneBook, raw.pop("book"), "book") if "book" in raw else None,
        "written": _written(file.parent / "keys.txt"),
        "connect": _build(Connect, raw.pop("connect"), "connect") if "connect" in raw else None,
        "resync": _build(Resync, raw.pop("resync"), "resync"),
    }
    models = {name: _model(raw["name"], name, row) for name, row in raw.pop("models").items()}
    code = file.parent.name
    family = _build(
        Family,
        {
            **raw,
            **tables,
            "code": code,
            "folder": file.parent,
            "models": models,
            "grammar": Grammar(code, files, raw["folders"]),
            "spellings": _spellings(models, ["", *raw["model_prefixes"]]),
        },
        "family",
    )
    _check(family)
    return family


def _written(file: Path) -> frozenset[str]:
    """Read the keys of keys.txt, which stand indented below their sources."""
    if not file.exists():
        return frozenset()
    lines = file.read_text(encoding="utf-8").splitlines()
    return frozenset(bare_key(line.strip()) for line in lines if line.startswith("  "))


def _file(row: dict[str, Any]) -> FileRule:
    return _build(FileRule, {**row, "kind": FileKind(row["kind"])}, f"files: {row.get('path')}")


def _generation(code: str, row: dict[str, Any]) -> Generation:
    where = f"generations.{code}"
    protections = _protections(row.pop("hardening", {}), f"{where}.hardening")
    return _build(Generation, {**row, "hardening": protections}, where)


def _model(brand: str, name: str, row: dict[str, Any]) -> Model:
    expansion = _build(Expansion, row.pop("expansion", {}), f"models.{name}.expansion")
    return _build(
        Model, {"title": f"{brand} {name}", **row, "name": name, "expansion": expansion}, f"models.{name}"
    )


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
    if family.power not in POWERS:
        raise ValueError(f"[family] has its power from {family.power!r}")
    for name, model in family.models.items():
        if model.power and model.power not in POWERS:
            raise ValueError(f"[models.{name}] has its power from {model.power!r}")
        if model.generation not in family.generations:
            raise ValueError(f"[models.{name}] names the unknown generation {model.generation!r}")
        expansion = model.expansion
        pages = (model.keys_per_page, model.memory_keys_per_page)
        for number in (model.lines, model.keys, model.memory_keys, expansion.modules, expansion.keys, *pages):
            if number < 0:
                raise ValueError(f"[models.{name}] counts with {number!r}")
    for at, file in enumerate(family.files):
        for absent in file.absent_in:
            if absent not in family.generations:
                raise ValueError(f"[files] number {at + 1} names the unknown generation {absent!r}")
        is_book = bool(file.book and family.book and not file.has_mac)
        if is_book != (file.kind is FileKind.BOOK):
            raise ValueError(f"[files] number {at + 1}: a book has its kind, its template and [book], no MAC")
        if file.envelope not in ENVELOPES:
            raise ValueError(f"[files] number {at + 1} has the unknown envelope {file.envelope!r}")
        if file.full_and_move and not (file.claims and file.full and file.bootstrap):
            raise ValueError(
                f"[files] number {at + 1} is full_and_move without claim, bootstrap and full file"
            )
    for code, generation in family.generations.items():
        if generation.handover not in HANDOVERS:
            raise ValueError(f"[generations.{code}] hands over by {generation.handover!r}")
        if unknown := sorted(set(generation.banks) - set(BANKS)):
            raise ValueError(f"[generations.{code}] has the unknown bank {unknown[0]!r}")
        for kinds in generation.banks.values():
            {KeyKind(kind) for kind in kinds}
    generations = family.generations.values()
    for kind in (*family.key_codes, *(kind for entry in generations for kind in entry.without_keys)):
        KeyKind(kind)
    for untold in (family.line_cannot, *(entry.line_cannot for entry in generations)):
        if unknown := sorted(set(untold) - set(SHARING)):
            raise ValueError(f"[line_cannot] has the unknown name {unknown[0]!r}")
    names = set(HARDENING)
    said = set(family.hardening) | set(family.cannot)
    own = [table for entry in generations for table in (entry.hardening, entry.cannot)]
    for table in (family.hardening, family.cannot, *own):
        if unknown := sorted(set(table) - names):
            raise ValueError(f"[hardening] has the unknown protection {unknown[0]!r}")
    for declined in (family.cannot_set, *(entry.cannot_set for entry in generations)):
        if unknown := sorted(set(declined) - set(VOCABULARY)):
            raise ValueError(f"[cannot_set] has the unknown setting {unknown[0]!r}")
    if missing := sorted(names - said):
        raise ValueError(f"[hardening] and [cannot] say nothing of {missing[0]!r}")


def _spellings(models: Mapping[str, Model], prefixes: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, model in models.items():
        for spelling in (name, *model.aliases):
            for prefix in prefixes:
                if found.setdefault(squeeze(prefix + spelling), name) != name:
                    raise ValueError(f"[models.{name}] has the spelling {spelling!r} of another model")
    return found
