"""`bulk/`: what a list's own calls do to one thing, done to up to a thousand of them, each for itself."""

import copy
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Model
from django.utils.translation import gettext
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import once
from accounts.doors import Door
from accounts.shapes import Shape

MOST = 1000
OPS = ("create", "update", "delete")


class ManyShape(Shape):
    """What is done to each, in this order."""

    items = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=MOST)


@extend_schema_field(
    {
        "anyOf": [
            *({"$ref": f"#/components/schemas/{name}"} for name in ("BadInput", "Refusal", "Problem")),
            {"type": "null"},
        ]
    }
)
class ProblemField(serializers.JSONField):
    """What the call for this one thing would have answered."""


class OneDone(Shape):
    """What came of one item: the status and the problem that its own call would have answered."""

    index = serializers.IntegerField(help_text="From 0, as they were sent.")
    status = serializers.IntegerField()
    code = serializers.CharField(allow_null=True, help_text="Of what was done.")
    problem = ProblemField()


class ManyDone(Shape):
    results = OneDone(many=True)


@dataclass(frozen=True, slots=True)
class Sent:
    """One item, as the call for one thing reads it."""

    data: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


class ManyVerbs(Door):
    """The call for many; mixed into a door with calls for one."""

    @action(detail=False, methods=["post"], filterset_class=None, pagination_class=None)
    def bulk(self, request: Request) -> Response:
        """Do something to each of up to 1,000, in order; what one is refused changes nothing of the others.

        It answers 200 with a result for each. Once the database is away, the rest is not tried.
        """
        results: list[dict[str, Any]] = []
        away: Response | None = None
        items = self.read(request, ManyShape)["items"]
        with self.together():
            for index, item in enumerate(items):
                answer = away or self._each(item)
                away = answer if answer.status_code == 503 else None
                done = {"index": index, "status": answer.status_code, "code": None, "problem": None}
                if answer.status_code >= 400:
                    results.append(done | {"problem": answer.data})
                else:
                    results.append(done | {"code": answer.data["code"] if answer.data else item["code"]})
        return Response(ManyDone({"results": results}).data)

    def together(self) -> AbstractContextManager[None]:
        """Around all of it: what is better done once in the end than for each."""
        return nullcontext()

    def _each(self, item: dict[str, Any]) -> Response:
        try:
            with transaction.atomic():
                answer, stands = once.settled(self, partial(self.do, item))
                if not stands:
                    transaction.set_rollback(True)
        except DatabaseError as error:  # it came with the commit
            answer = self.handle_exception(error)
        done: Response = answer
        return done

    def do(self, item: dict[str, Any]) -> Response:
        """Do one of them, by the call for one."""
        sent = {name: value for name, value in item.items() if name != "op"}
        op = item.get("op")
        if op not in OPS:
            words = gettext("One of these: {words}.").format(words=", ".join(OPS))
            raise serializers.ValidationError({"op": [words]}, code="invalid-choice")
        return self.do_one(op, sent)

    def do_one(self, op: str, sent: dict[str, Any]) -> Response:
        single: Any = self
        if op == "create":
            made: Response = single.create(Sent(sent))
            return made
        code = sent.pop("code", None)
        if not isinstance(code, str):
            raise serializers.ValidationError({"code": [gettext("Which one is it?")]}, code="required")
        self.kwargs = {"code": code}
        if op == "delete":
            single.read(Sent(sent), Shape)  # which takes no other field
        done: Response = (single.partial_update if op == "update" else single.destroy)(Sent(sent), code=code)
        return done

    def fresh(self, row: Model) -> Any:
        """Of a thousand only their codes are told."""
        return {"code": str(row.code)} if self.action == "bulk" else super().fresh(row)  # type: ignore[attr-defined]


# --- how it is described -----------------------------------------------------------------------------------


def described(thing: str, create: type[Shape], update: type[Shape]) -> Any:
    """The call for many of a door with calls for one: an item is one of three, told apart by its `op`."""
    code = serializers.UUIDField()
    optional = {name: _optional(each) for name, each in update._declared_fields.items()}
    changed = type("Changed", (update,), {**optional, "code": code})
    return told_apart(thing, create=create, update=changed, delete=type("Gone", (Shape,), {"code": code}))


def told_apart(thing: str, **items: type[Shape]) -> Any:
    """The call for many whose items are one of these, told apart by their `op`."""
    shapes = [
        type(f"{op.title()}{thing}", (shape,), {"op": _const(op), "__doc__": f"One of `{op}`."})
        for op, shape in items.items()
    ]
    one = PolymorphicProxySerializer(f"{thing}Item", shapes, resource_type_field_name=None)
    item = extend_schema_field(one)(type("Item", (serializers.DictField,), {}))
    every = serializers.ListField(child=item(), min_length=1, max_length=MOST)
    shape = type(f"Many{thing}s", (Shape,), {"items": every, "__doc__": ManyShape.__doc__})
    return extend_schema(request=shape, responses=ManyDone)


def _const(word: str) -> Any:
    return extend_schema_field({"type": "string", "const": word})(type("Op", (serializers.CharField,), {}))()


def _optional(declared: Any) -> Any:
    found = copy.deepcopy(declared)
    found._kwargs = {**found._kwargs, "required": False}
    return found
