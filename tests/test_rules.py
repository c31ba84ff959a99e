"""Every rule of sections 3 to 5 and the pure ones of 6 have a mutant; a test with the rule's marker kills it.

Those of sections 3, 4 and 6 are called in this process, without fixtures, against the module whose functions
have been given the mutant's code; seconds for all of them. Those of section 5 touch rows: tests/mutating.py.
"""

import importlib
import inspect
import itertools
import os
import subprocess
import sys
import types
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.mutating import GATE, Mutant, living, verb_mutants
from tests.provisioning import test_gate, test_gate_admitting, test_gate_private, test_gate_secrecy
from tests.provisioning.test_sentences import SECTION_3, SECTION_4
from tests.rule_mutants import MUTANTS
from tests.security import test_pressure

pytestmark = pytest.mark.once

PURE_OF_SECTION_6 = {"B1", "B2", "B3", "B8"}
RULES = SECTION_3 | SECTION_4 | PURE_OF_SECTION_6
MODULES = (test_gate, test_gate_admitting, test_gate_private, test_gate_secrecy, test_pressure)
Case = Callable[[], None]
ROOT = Path(__file__).parents[1]


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


# --- section 5, which touches rows -------------------------------------------------------------------------

SECTION_5 = {f"E{number}" for number in range(1, 20)} | {"E8q"}


def test_every_rule_of_section_5_has_a_mutant() -> None:
    assert {mutant.rule for mutant in verb_mutants()} >= SECTION_5


@pytest.mark.timeout(1200)
def test_every_mutant_of_a_verb_is_killed_by_a_test_of_its_rule() -> None:
    """In one process of its own, with one database; what it prints names every mutant and its killer."""
    folders = ("provisioning", "devices", "accounts", "edge", "test_verb_states.py")
    asked = [sys.executable, "-m", "pytest", "-p", "tests.mutating", "-q", "-p", "no:xdist"]
    ours = ("PYTEST_", "LATCHKEY_RUN")  # it runs all of its tests, whichever of the two runs this is
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    told = subprocess.run(
        [*asked, *(f"tests/{folder}" for folder in folders)],
        env=inherited,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = told.stdout.splitlines()

    assert [line for line in lines if line.startswith(("SURVIVED", "STANDS", "FAILS"))] == []
    assert len([line for line in lines if line.startswith("killed ")]) == len(verb_mutants()), told.stdout[
        -3000:
    ]
    assert told.returncode == 0
