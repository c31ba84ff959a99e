"""Every rule of sections 3 and 4 has a mutant, and a test that carries the rule's marker kills it.

The marked tests are called in this process, without fixtures, against the module whose functions have been
given the mutant's code; seconds for all of them.
"""

import importlib
import inspect
import itertools
import types
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.provisioning import test_gate, test_gate_admitting, test_gate_private, test_gate_secrecy
from tests.provisioning.test_sentences import SECTION_3, SECTION_4
from tests.rule_mutants import GATE, MUTANTS, Mutant

pytestmark = pytest.mark.once

RULES = SECTION_3 | SECTION_4
MODULES = (test_gate, test_gate_admitting, test_gate_private, test_gate_secrecy)
Case = Callable[[], None]


# --- the marked tests --------------------------------------------------------------------------------------


def cases() -> dict[str, list[Case]]:
    """Every row of every test that carries a rule's marker, by rule."""
    found: dict[str, list[Case]] = defaultdict(list)
    for module in MODULES:
        for name, test in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_") and test.__module__ == module.__name__:
                for rules, case in _rows(test):
                    for rule in rules:
                        found[rule].append(case)
    return found


def _rows(test: Callable[..., None]) -> Iterator[tuple[set[str], Case]]:
    marks = getattr(test, "pytestmark", [])
    tables = [_table(mark) for mark in marks if mark.name == "parametrize"]
    for row in itertools.product(*tables):
        arguments = {name: value for part, _ in row for name, value in part.items()}
        rules = _rules(marks).union(*(rules for _, rules in row))
        yield rules, lambda arguments=arguments: test(**arguments)  # type: ignore[misc]


def _table(mark: pytest.Mark) -> list[tuple[dict[str, Any], set[str]]]:
    names, rows = mark.args[0], mark.args[1]
    fields = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    table = []
    for row in rows:
        marked = hasattr(row, "marks")
        values = row.values if marked else row
        values = values if marked or len(fields) > 1 else (values,)
        table.append((dict(zip(fields, values, strict=True)), _rules(row.marks if marked else ())))
    return table


def _rules(marks: Sequence[pytest.Mark]) -> set[str]:
    return {mark.args[0] for mark in marks if mark.name == "rule"}


# --- the mutants -------------------------------------------------------------------------------------------


@contextmanager
def living(mutant: Mutant) -> Iterator[None]:
    """Give the module's functions the code of the edited source, and take it back."""
    module = importlib.import_module(mutant.module)
    source = inspect.getsource(module)
    assert source.count(mutant.old) == 1, f"{mutant} stands {source.count(mutant.old)} times in the source"
    edited = types.ModuleType(module.__name__)
    edited.__file__ = module.__file__
    exec(compile(source.replace(mutant.old, mutant.new), str(module.__file__), "exec"), edited.__dict__)
    swapped: list[tuple[types.FunctionType, types.CodeType]] = []
    constants: list[tuple[str, Any]] = []
    for function, other in _pairs(module, edited):
        swapped.append((function, function.__code__))
        function.__code__ = other.__code__
    for name, value in vars(edited).items():
        if isinstance(value, list | tuple) and getattr(module, name, value) != value:
            constants.append((name, getattr(module, name)))
            setattr(module, name, value)
    _forget_what_was_kept(module)
    try:
        yield
    finally:
        for function, code in swapped:
            function.__code__ = code
        for name, value in constants:
            setattr(module, name, value)
        _forget_what_was_kept(module)


def _forget_what_was_kept(module: types.ModuleType) -> None:
    """A cached answer of the mutant would outlive it, and one from before would hide it."""
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
        for ours, theirs in members:
            if not (isinstance(ours, types.FunctionType) and isinstance(theirs, types.FunctionType)):
                continue
            if ours.__module__ == module.__name__ and ours.__code__ != theirs.__code__:
                yield ours, theirs


def killed_by(case: Case) -> bool:
    try:
        case()
    except pytest.skip.Exception:
        return False
    except Exception:
        return True
    return False


# --- what is asked -----------------------------------------------------------------------------------------


def test_every_rule_has_a_mutant_and_a_marked_test() -> None:
    assert {mutant.rule for mutant in MUTANTS} == RULES
    assert set(cases()) >= RULES


def test_no_marked_test_fails_without_a_mutant() -> None:
    assert [rule for rule, found in cases().items() if any(killed_by(case) for case in found)] == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_mutant_is_killed_by_a_test_of_its_rule(mutant: Mutant) -> None:
    with living(mutant):
        assert any(killed_by(case) for case in cases()[mutant.rule])


def test_a_mutant_leaves_nothing_behind() -> None:
    gate = importlib.import_module(GATE)
    before = {name: f.__code__ for name, f in vars(gate).items() if isinstance(f, types.FunctionType)}

    with living(MUTANTS[0]):
        changed = [
            n for n, f in vars(gate).items() if isinstance(f, types.FunctionType) and before[n] != f.__code__
        ]

    assert changed == ["decide_root"]
    assert before == {n: f.__code__ for n, f in vars(gate).items() if isinstance(f, types.FunctionType)}
