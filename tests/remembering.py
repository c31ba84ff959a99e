"""What verbs have written on empty tables, written again in one go: the same rows, the same objects.

Half a second of verbs before each of a thousand tests proves nothing after the first time. What is remembered
is this process's own, and good while the clock stands still, or for some seconds of one that runs.
"""

import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.apps import apps
from django.db import IntegrityError, connection, transaction

T = TypeVar("T")
Rows = dict[str, list[tuple[Any, ...]]]

GOOD_FOR = 20.0  # seconds: as if the making had taken that long
OF_DJANGO = {"auth_permission", "django_content_type"}  # filled by the migrations


@dataclass(frozen=True)
class _Memory:
    made_at: float
    inserts: list[tuple[str, list[Any]]]
    result: bytes


_memories: dict[tuple[object, bool], _Memory] = {}


def remembered(make: Callable[[], T]) -> T:
    """Do what `make` does, by its rows if they are known; only in a test whose transaction is rolled back.

    Elsewhere, or where a row stands in the way, it is made: what follows a commit is not remembered.
    """
    blocks = connection.atomic_blocks
    if not blocks or not getattr(blocks[0], "_from_testcase", False):
        return make()
    now, standing = time.time(), time.time_ns() == time.time_ns()
    memory = _memories.get((make, standing))
    if memory is not None and 0 <= now - memory.made_at <= (0 if standing else GOOD_FOR):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                for statement, values in memory.inserts:
                    cursor.execute(statement, values)
        except IntegrityError:
            return make()
        return pickle.loads(memory.result)  # type: ignore[no-any-return]
    empty = not any(all_rows().values())
    made = make()
    if empty:
        inserts = [_insert(table, rows) for table, rows in all_rows().items() if rows]
        _memories[make, standing] = _Memory(now, inserts, pickle.dumps(made))
    return made


def forget() -> None:
    """Everything is made anew: the verbs are not those of before."""
    _memories.clear()


def _tables() -> list[str]:
    models = apps.get_models(include_auto_created=True)
    return sorted({model._meta.db_table for model in models if model._meta.managed} - OF_DJANGO)


def all_rows() -> Rows:
    with connection.cursor() as cursor:
        return {table: _read(cursor, table) for table in _tables()}


def _read(cursor: Any, table: str) -> list[tuple[Any, ...]]:
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
    return list(cursor.fetchall())


def _insert(table: str, rows: list[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    row = f"({', '.join(['%s'] * len(rows[0]))})"
    statement = f"INSERT INTO {connection.ops.quote_name(table)} VALUES {', '.join([row] * len(rows))}"
    return statement, [value for values in rows for value in values]
