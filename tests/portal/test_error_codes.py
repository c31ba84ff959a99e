"""The table of error codes has every code that the code can answer, and none besides."""

import ast
import re
from collections.abc import Iterator

from django.urls import get_resolver
from django_filters import FilterSet
from rest_framework import exceptions

from accounts.shapes import Shape
from portal.error_codes import ANSWERS, CODES, FIELDS, REFUSALS
from tests.test_architecture import APPS, short, sources

CODE = re.compile(r"[a-z]+(?:[-_][a-z]+)*")
PAGES = re.compile(r"^portal/(pages|management)/|/migrations/|/edge/|^portal/api_(description|examples)")


def raised() -> dict[str, str]:
    """Each code that stands in our own source, with where."""
    return {
        code.replace("_", "-"): f"{short(path)}:{node.lineno}"
        for path in sources(*APPS)
        if not PAGES.search(short(path))
        for node in ast.walk(ast.parse(path.read_text()))
        for code in codes_at(node)
        if CODE.fullmatch(code)
    }


def codes_at(node: ast.AST) -> Iterator[str]:
    """`code="..."` of a call, a default code, an error message of a field, `{"code": ..., "detail": ...}`."""
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg == "code":
                yield from texts(keyword.value)
        if isinstance(node.func, ast.Name) and node.func.id == "Refusal":
            assert any(keyword.arg == "code" for keyword in node.keywords), f"line {node.lineno}: no code"
    if isinstance(node, ast.Assign | ast.AnnAssign):
        named = {ast.unparse(target) for target in getattr(node, "targets", [getattr(node, "target", None)])}
        if "default_code" in named and node.value:
            yield from texts(node.value)
        if "default_error_messages" in named and isinstance(node.value, ast.Dict):
            yield from (key for name in node.value.keys if name for key in texts(name))
    if isinstance(node, ast.Dict):
        pairs = dict(zip([ast.unparse(key) for key in node.keys if key], node.values, strict=False))
        if "'detail'" in pairs and "'code'" in pairs:
            yield from texts(pairs["'code'"])


def texts(node: ast.AST) -> Iterator[str]:
    """The text that this is, or one of those that it may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for part in [*getattr(node, "values", ()), getattr(node, "body", None), getattr(node, "orelse", None)]:
        if isinstance(node, ast.BoolOp | ast.IfExp) and part is not None:
            yield from texts(part)


def of_libraries() -> set[str]:
    """What the fields of our shapes and filters can complain of, and what the framework itself answers."""
    get_resolver().reverse_dict  # noqa: B018  # all views are read
    found = {"error"}
    for shape in below(Shape):
        for field in fields(shape()):
            found |= {*field.error_messages, *codes_of(field)}
    for filters in below(FilterSet):
        for one in filters.base_filters.values():
            found |= {*one.field.error_messages, *codes_of(one.field)}
    for error in below(exceptions.APIException):
        if error.__module__.startswith("rest_framework"):
            found.add(error.default_code)
    return {code.replace("_", "-") for code in found}


def codes_of(field: object) -> set[str]:
    return {validator.code for validator in getattr(field, "validators", ()) if hasattr(validator, "code")}


def below(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        if not one.__module__.startswith("tests."):
            yield one
        yield from below(one)


def fields(field: object) -> Iterator[object]:
    yield field
    for one in getattr(field, "_declared_fields", {}).values():
        yield from fields(one)
    if (child := getattr(field, "child", None)) is not None:
        yield from fields(child)


def test_every_code_is_in_the_table_and_none_is_left_over() -> None:
    ours, theirs = raised(), of_libraries()

    assert {code: where for code, where in ours.items() if code not in CODES} == {}
    assert theirs - set(CODES) == set()
    assert set(CODES) - set(ours) - theirs == set()


def test_each_code_stands_once_with_a_sentence() -> None:
    assert len(CODES) == len(ANSWERS) + len(FIELDS) + len(REFUSALS)
    assert [list(table) for table in (ANSWERS, FIELDS, REFUSALS)] == [
        sorted(table) for table in (ANSWERS, FIELDS, REFUSALS)
    ]
    assert [code for code, said in CODES.items() if not re.fullmatch(r"[A-Z].*[.]", said)] == []
