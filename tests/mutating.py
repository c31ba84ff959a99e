"""Mutants brought to life, and a pytest plugin that runs the marked tests under each (`-p tests.mutating`).

The mutants of sections 3 and 4 are judged by pure tests, in test_rules.py. Those of section 5 touch rows:
here their tests are collected once, with one database, and run until the first of the mutant's rule fails.
"""

import importlib
import inspect
import tomllib
import types
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests import remembering

GATE = "provisioning.gate"
CONSTANTS = (int, float, str, tuple, list, frozenset, timedelta)


@dataclass(frozen=True, slots=True)
class Mutant:
    """The text of a module that is replaced, exactly once, and what stands there then."""

    rule: str
    says: str
    old: str
    new: str
    module: str = GATE
    by: str = ""  #: the test to try first

    def __str__(self) -> str:
        return f"{self.rule}: {self.says}"


def verb_mutants() -> list[Mutant]:
    """The mutants of section 5, from verb_mutants.toml."""
    rows = tomllib.loads((Path(__file__).parent / "verb_mutants.toml").read_text("utf-8"))["mutants"]
    return [
        Mutant(row["rule"], row["says"], row["old"], row["new"], row["where"], row.get("by", ""))
        for row in rows
    ]


def source_of(mutant: Mutant) -> str:
    return inspect.getsource(importlib.import_module(mutant.module))


# --- to life -----------------------------------------------------------------------------------------------


@contextmanager
def living(mutant: Mutant) -> Iterator[None]:
    """Give the module's functions the code of the edited source, and take it back."""
    module, source = importlib.import_module(mutant.module), source_of(mutant)
    assert source.count(mutant.old) == 1, f"{mutant} stands {source.count(mutant.old)} times in the source"
    edited = types.ModuleType(module.__name__)
    edited.__file__ = module.__file__
    exec(compile(source.replace(mutant.old, mutant.new), str(module.__file__), "exec"), edited.__dict__)
    swapped = [(ours, ours.__code__, theirs) for ours, theirs in _pairs(module, edited)]
    constants = [
        (name, getattr(module, name), value)
        for name, value in vars(edited).items()
        if isinstance(value, CONSTANTS)
        and not name.startswith("__")
        and getattr(module, name, value) != value
    ]
    _forget_what_was_kept(module)
    for function, _, other in swapped:
        function.__code__ = other.__code__
        function.__defaults__, function.__kwdefaults__ = other.__defaults__, other.__kwdefaults__
    for name, _, value in constants:
        setattr(module, name, value)
    try:
        yield
    finally:
        for function, code, _ in swapped:
            function.__code__ = code
        for name, value, _ in constants:
            setattr(module, name, value)
        _forget_what_was_kept(module)


def _forget_what_was_kept(module: types.ModuleType) -> None:
    """A cached answer of the mutant would outlive it, and one from before would hide it; rows likewise."""
    remembering.forget()
    for kept in vars(module).values():
        if hasattr(kept, "cache_clear") and kept.__module__ == module.__name__:
            kept.cache_clear()


def _pairs(
    module: types.ModuleType, edited: types.ModuleType
) -> Iterator[tuple[types.FunctionType, types.FunctionType]]:
    """The functions and methods of the module whose code differs in the edited one."""
    for name, found in vars(module).items():
        other = vars(edited).get(name)
        if isinstance(found, type) and isinstance(other, type) and found.__module__ == module.__name__:
            members = [(vars(found).get(key), vars(other).get(key)) for key in vars(found)]
        else:
            members = [(found, other)]
        for pair in members:
            ours, theirs = map(_bare, pair)
            if not (isinstance(ours, types.FunctionType) and isinstance(theirs, types.FunctionType)):
                continue
            if ours.__module__ == module.__name__ and ours.__code__ != theirs.__code__:
                yield ours, theirs


def _bare(found: Any) -> Any:
    """The function below its decorators."""
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, staticmethod | classmethod):
        found = found.__func__
    return inspect.unwrap(found) if callable(found) and hasattr(found, "__wrapped__") else found


# --- the plugin --------------------------------------------------------------------------------------------


def rules_of(item: pytest.Item) -> set[str]:
    return {rule for mark in item.iter_markers("rule") for rule in mark.args}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what names a rule and is quick: no races, and nothing that is said to run once."""
    items[:] = [item for item in items if rules_of(item) and not _is_slow(item)]


def _is_slow(item: pytest.Item) -> bool:
    races = any(mark.kwargs.get("transaction") for mark in item.iter_markers("django_db"))
    return races or item.get_closest_marker("once") is not None


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run each mutant's tests until one fails, and every killer once more without the mutant."""
    say = session.config.get_terminal_writer().line
    by_rule: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in session.items:
        for rule in rules_of(item):
            by_rule[rule].append(item)
    killers: dict[str, pytest.Item] = {}
    for mutant in verb_mutants():
        if (times := source_of(mutant).count(mutant.old)) != 1:
            say(f"STANDS {times} TIMES {mutant}")
            session.testsfailed += 1
            continue
        with living(mutant):
            likely = sorted(by_rule[mutant.rule], key=lambda item: item.name != mutant.by)
            killer = next((item for item in likely if _fails(item)), None)
        say(f"killed {mutant}  by {killer.nodeid}" if killer else f"SURVIVED {mutant}")
        if killer is None:
            session.testsfailed += 1
        else:
            killers[killer.nodeid] = killer
    for item in killers.values():
        if _fails(item):
            say(f"FAILS WITHOUT A MUTANT {item.nodeid}")
            session.testsfailed += 1
    session._setupstate.teardown_exact(None)
    return True


def _fails(item: pytest.Item) -> bool:
    """Whether the test fails now; what it shares with its neighbours stays set up."""
    held = item.session._setupstate
    held.teardown_exact(item)
    reports = runtestprotocol(item, log=False, nextitem=item)
    held.teardown_exact(item.parent)  # type: ignore[arg-type]  # the test itself goes, its module stays
    return any(report.failed for report in reports)
