"""Pages of a list, by a cursor that stands between two rows: each costs the same, however deep.

A row that came or went between two pages moves no other: what stayed where it was is shown once.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple, Self

from django.conf import settings
from django.db.models import Count, F, Field, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.db.models.functions import Coalesce
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode
from django.utils.translation import gettext
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param, replace_query_param

from accounts.sealing import Keyring

ABOUT = b"cursor"
Key = tuple[Any, ...]  # a row's own, then its values in the columns of the order


class Pages(LimitOffsetPagination):
    """100 rows a page unless `limit` says otherwise, 500 at most; `next` leads on by its `cursor`.

    `count` is asked with the first page and travels in the cursor. `offset` is for those who count rows.
    """

    default_limit = 100
    max_limit = 500
    _next: "Place | None"
    _previous: "Place | None"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        refuse_unknown(request, view)
        columns = columns_of(queryset)
        self.by_offset = bool(request.query_params.get("offset"))
        if self.by_offset:
            if request.query_params.get("cursor"):
                raise _complaint("cursor", gettext("Give a cursor or an offset, not both."))
            ordered = queryset.order_by(*(column.by for column in columns))
            return super().paginate_queryset(ordered, request, view)
        self.request, self.limit = request, self.get_limit(request) or self.default_limit
        self.asked = _fingerprint(request, columns)
        text = request.query_params.get("cursor", "")
        place = Place.read(text, self.asked, columns) if text else Place(count=queryset.count())
        found = place.keys(queryset, columns, self.limit + 1)
        page, self.count = found[: self.limit], place.count
        self._next = place.beyond(page[-1]) if len(found) > len(page) else None
        self._previous = place.turned(page[0] if page else None)
        if place.back:
            self._next, self._previous = self._previous, self._next
            page.reverse()
        rows = {row.pk: row for row in queryset.filter(pk__in=[pk for pk, *_ in page]).order_by()}
        return [rows[pk] for pk, *_ in page if pk in rows]

    def get_limit(self, request: Request) -> int:
        return self._number(request, "limit", least=1, most=self.max_limit, default=self.default_limit)

    def get_offset(self, request: Request) -> int:
        return self._number(request, "offset", least=0, most=2**31, default=0)

    def get_next_link(self) -> str | None:
        return super().get_next_link() if self.by_offset else self._link(self._next)

    def get_previous_link(self) -> str | None:
        return super().get_previous_link() if self.by_offset else self._link(self._previous)

    def _link(self, place: "Place | None") -> str | None:
        if place is None:
            return None
        assert self.request is not None
        here = remove_query_param(self.request.build_absolute_uri(), "offset")
        return replace_query_param(here, "cursor", place.text(self.asked))

    def _number(self, request: Request, name: str, *, least: int, most: int, default: int) -> int:
        text = request.query_params.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and least <= int(text[:12]) <= most):
            words = gettext("A whole number from {least} to {most} is needed here.")
            raise _complaint(name, words.format(least=least, most=most))
        return int(text)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit, offset = super().get_schema_operation_parameters(view)
        limit["schema"] |= {"minimum": 1, "maximum": self.max_limit, "default": self.default_limit}
        offset["schema"] |= {"minimum": 0, "maximum": 2**31}
        words = "Where the page begins: as `next` and `previous` of another page of the same list say."
        cursor = {"name": "cursor", "required": False, "in": "query", "description": words}
        return [limit, cursor | {"schema": {"type": "string"}}, offset]


# --- orders ------------------------------------------------------------------------------------------------


class Column(NamedTuple):
    """One column of an order. `lacking` is what is null in a row without it, which is less than any value."""

    name: str
    descending: bool
    field: "Field[Any, Any]"
    lacking: str

    @property
    def by(self) -> Any:
        if not self.lacking:
            return self.plain
        column = F(self.name)
        return column.desc(nulls_last=True) if self.descending else column.asc(nulls_first=True)

    @property
    def plain(self) -> str:
        return f"-{self.name}" if self.descending else self.name

    def beyond(self, value: Any, *, at: bool = False) -> Q:
        """What comes after this value, or at it."""
        return Q((f"{self.name}__{'lt' if self.descending else 'gt'}{'e' if at else ''}", value))


def columns_of(rows: QuerySet[Any]) -> list[Column]:
    """The order of these rows with what makes it the order of each of them: a unique column at its end."""
    query, meta = rows.query, rows.model._meta
    names = [str(name) for name in query.order_by or (meta.ordering if query.default_ordering else ())]
    columns = [_column(rows.model, name) for name in names]
    if any(column.lacking for column in columns[1:]):
        raise TypeError(f"{names}: only the first column of an order can be null")
    alone = {constraint.fields for constraint in meta.total_unique_constraints}
    if not any(c.field.model is rows.model and (c.field.unique or (c.name,) in alone) for c in columns):
        columns.append(_column(rows.model, "-pk" if columns and columns[-1].descending else "pk"))
    return columns


def _column(model: type[Model], text: str) -> Column:
    name, lacking, field = text.removeprefix("-"), "", None
    *path, last = name.split("__")
    for at, part in enumerate(path):
        step: Any = model._meta.get_field(part)
        if step.null or step.auto_created:  # a row that points here is not always there
            lacking = lacking or "__".join(path[: at + 1])
        model = step.related_model
    field = model._meta.pk if last == "pk" else model._meta.get_field(last)
    assert isinstance(field, Field)
    return Column(name, text.startswith("-"), field, name if field.null else lacking)


# --- places ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Beyond the row with these values, or beyond none: at the beginning, or at the end when going back."""

    count: int
    values: Sequence[Any] | None = None
    back: bool = False

    @classmethod
    def read(cls, text: str, asked: str, columns: list[Column]) -> Self:
        """The place that a cursor of the same list names; ValidationError names `cursor`."""
        try:
            ring = Keyring.parse(settings.SECRET_KEYRING)
            count, back, values, of = json.loads(ring.open(urlsafe_base64_decode(text), ABOUT))
        except ValueError as error:
            raise _complaint("cursor", gettext("This is no cursor; follow `next` of a page.")) from error
        if of != asked:
            words = gettext("This cursor is of another list, order or filter; begin without it.")
            raise _complaint("cursor", words)
        if values is not None:
            values = [column.field.to_python(value) for column, value in zip(columns, values, strict=True)]
        return cls(count, values, back)

    def text(self, asked: str) -> str:
        """The cursor: sealed, since a row's key is nobody's business."""
        values = None if self.values is None else list(self.values)
        plain = json.dumps([self.count, self.back, values, asked], separators=(",", ":")).encode()
        return urlsafe_base64_encode(Keyring.parse(settings.SECRET_KEYRING).seal(plain, ABOUT))

    def beyond(self, key: Key) -> "Place":
        """Beyond the row with this key, the same way on."""
        return Place(self.count, [_plain(value) for value in key[1:]], self.back)

    def turned(self, key: Key | None) -> "Place | None":
        """From the row with this key the other way; nothing for whoever came from the beginning."""
        if self.values is None:
            return None
        return Place(self.count, None if key is None else self.beyond(key).values, not self.back)

    def keys(self, rows: QuerySet[Any], columns: list[Column], most: int) -> list[Key]:
        """The keys of so many rows from here on, in the order in which one comes by.

        Without all that a list shows of a row: an index holds them, or what has to be sorted is little.
        """
        if self.back:
            columns = [column._replace(descending=not column.descending) for column in columns]
        found: list[Key] = []
        for part in _parts(rows, columns, self.values):
            named = part.values_list("pk", *(column.name for column in columns))
            found += named[: most - len(found)]
            if len(found) == most:
                break
        return found


def _plain(value: Any) -> Any:
    """A value as JSON holds it; its column reads it again."""
    return value if value is None or isinstance(value, bool | int) else str(value)


def _parts(rows: QuerySet[Any], columns: list[Column], values: Sequence[Any] | None) -> list[QuerySet[Any]]:
    """The rows beyond these values, as rows that follow each other: each can be read from an index."""
    first, *others = columns
    if not first.lacking:
        return [_beyond(rows, columns, values)]
    is_null = Q((f"{first.lacking}__isnull", True))
    lacks = values is not None and values[0] is None
    with_it = _beyond(rows.filter(~is_null), columns, None if lacks else values)
    without = _beyond(rows.filter(is_null), others, values[1:] if values and lacks else None)
    parts = [with_it, without] if first.descending else [without, with_it]
    return parts if values is None else parts[parts.index(without if lacks else with_it) :]


def _beyond(rows: QuerySet[Any], columns: list[Column], values: Sequence[Any] | None) -> QuerySet[Any]:
    ordered = rows.order_by(*(column.plain for column in columns))
    if values is None:
        return ordered
    first = columns[0]
    if "__" in first.name:  # the index of another table cannot be asked for whole rows
        ordered = ordered.filter(first.beyond(values[0], at=True))
    if all(column.descending == first.descending for column in columns):
        after = TupleLessThan if first.descending else TupleGreaterThan
        return ordered.filter(after(Tuple(*(F(column.name) for column in columns)), tuple(values)))
    *pairs, (last, value) = zip(columns, values, strict=True)
    beyond = last.beyond(value)
    for column, value in reversed(pairs):
        beyond = column.beyond(value) | Q((column.name, value)) & beyond
    return ordered.filter(beyond)


# --- what a list is asked ----------------------------------------------------------------------------------


def refuse_unknown(request: Request, view: Any) -> None:
    """A parameter that the list does not know would be an answer to another question."""
    filters = getattr(view, "filterset_class", None)
    known = {"limit", "offset", "cursor", *(filters.base_filters if filters else ())}
    said = gettext("This list has no parameter of this name.")
    wrong = [name for name in request.query_params if name not in known]
    if wrong:
        raise ValidationError({name[:100]: [ErrorDetail(said, code="unknown-parameter")] for name in wrong})


def _fingerprint(request: Request, columns: list[Column]) -> str:
    """What a cursor belongs to: the list, what it was asked, its order."""
    asked = sorted((name, values) for name, values in request.query_params.lists() if name not in _MOVING)
    whole = repr((request.path, asked, [column.plain for column in columns]))
    return sha256(whole.encode()).hexdigest()[:24]


_MOVING = ("cursor", "limit", "offset")


def _complaint(name: str, words: str) -> ValidationError:
    return ValidationError({name: [words]})


def counted(model: type[Model], relation: str, what: str = "pk", only: Q | None = None) -> Coalesce:
    """How many rows point to each row of a page: counted for those that are shown, and no others."""
    pointing: Any = model._meta.get_field(relation)
    of = pointing.field.name
    rows = pointing.related_model._default_manager.filter(only or Q(), **{of: OuterRef("pk")})
    own = rows.order_by().values(of)
    return Coalesce(Subquery(own.annotate(n=Count(what, distinct=True)).values("n")), 0)
