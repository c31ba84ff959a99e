"""Lines of many phones in one call: a phone's lines replaced, one line put on it, one taken off it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import extend_schema_view
from rest_framework import exceptions, serializers, status
from rest_framework.response import Response

from accounts.many import ManyVerbs, Sent, told_apart
from accounts.roles import Power
from accounts.shapes import CodeField, Shape
from devices import appearances, holding
from devices.api import AppearanceShape
from devices.appearances import AppearanceRow
from devices.models import Device
from provisioning import publishing

Rows = list[AppearanceRow]


class PlacedShape(AppearanceShape):
    """A line put on a phone, on a key that has none."""

    device = CodeField(Device)


class ArrangedShape(Shape):
    """A phone's lines, all of them."""

    device = CodeField(Device)
    rows = AppearanceShape(many=True)


class TakenOffShape(Shape):
    """The line on one key of a phone."""

    device = CodeField(Device)
    position = serializers.IntegerField(min_value=1, max_value=1000)


@extend_schema_view(
    bulk=told_apart("Appearance", create=PlacedShape, update=ArrangedShape, delete=TakenOffShape)
)
class AppearanceDoor(ManyVerbs):
    """The lines of many phones; `code` in a result is the phone's."""

    queryset = Device.objects.none()
    powers: ClassVar[dict[str, Power]] = {"bulk": Power.EDIT_DEVICES}

    def together(self) -> AbstractContextManager[None]:
        return publishing.together()

    def do_one(self, op: str, sent: dict[str, Any]) -> Response:
        shapes: dict[str, type[Shape]] = {"create": PlacedShape, "update": ArrangedShape}
        wanted: Any = self.read(Sent(sent), shapes.get(op, TakenOffShape))  # type: ignore[arg-type]
        device = wanted.pop("device")
        if op == "create":
            self._arrange(device, lambda rows: [*rows, AppearanceRow(**wanted)])
        elif op == "update":
            self._arrange(device, lambda rows: [AppearanceRow(**row) for row in wanted["rows"]])
        else:
            self._arrange(device, lambda rows: _without(rows, wanted["position"]))
        made = status.HTTP_201_CREATED if op == "create" else status.HTTP_200_OK
        return Response({"code": str(device.code)}, status=made)

    def _arrange(self, device: Device, change: Callable[[Rows], Rows]) -> None:
        """Put what becomes of the phone's lines, nobody else changing them meanwhile."""
        with transaction.atomic():
            shown = holding.held(device).appearances.select_related("extension").order_by("position")
            rows = [AppearanceRow(row.position, row.extension, row.label, row.ring) for row in shown]
            appearances.put(device, by=self.actor, rows=change(rows))


def _without(rows: Rows, position: int) -> Rows:
    left = [row for row in rows if row.position != position]
    if len(left) == len(rows):
        raise exceptions.NotFound
    return left
