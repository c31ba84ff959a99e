"""What a phone shows, over the API: its line keys and its other keys; mixed into the door of phones."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import etags
from accounts.doors import Door
from accounts.filtering import said
from devices import appearances, holding, keys
from devices.api import AppearanceShape, KeyShape, key_rows
from devices.appearances import AppearanceRow
from devices.models import Appearance, Device, Key

IN_THE_END = OpenApiParameter(
    "effective", bool, description="True: what the phone has in the end, its profile's keys among them."
)


def lines_version(rows: Iterable[Appearance]) -> str:
    return etags.tag(appearances.stamp(rows, ()))


def keys_version(rows: Iterable[Key]) -> str:
    return etags.tag(appearances.stamp((), rows))


class KeyVerbs(Door):
    """The lines and keys of one phone."""

    @extend_schema(
        methods=["GET"], parameters=etags.READS, responses=AppearanceShape(many=True), filters=False
    )
    @extend_schema(
        methods=["PUT"],
        parameters=etags.CHANGES,
        request=AppearanceShape(many=True),
        responses=AppearanceShape(many=True),
    )
    @action(detail=True, methods=["get", "put"], filterset_class=None, pagination_class=None)
    def appearances(self, request: Request, code: str) -> Response:
        """The whole row of line keys; PUT replaces it."""
        device: Device = self.get_object()
        if request.method == "PUT":
            wanted: Any = self.read(request, AppearanceShape, many=True)
            with etags.unchanged(request, lambda: {lines_version(holding.held(device).appearances.all())}):
                appearances.put(device, by=self.actor, rows=[AppearanceRow(**row) for row in wanted])
        shown = list(device.appearances.select_related("extension").order_by("position"))
        return etags.tagged(Response(AppearanceShape(shown, many=True).data), lines_version(shown))

    @extend_schema(
        methods=["GET"],
        parameters=[IN_THE_END, *etags.READS],
        responses=KeyShape(many=True),
        filters=False,
    )
    @extend_schema(
        methods=["PUT"],
        parameters=etags.CHANGES,
        request=KeyShape(many=True),
        responses=KeyShape(many=True),
    )
    @action(detail=True, methods=["get", "put"], filterset_class=None, pagination_class=None)
    def keys(self, request: Request, code: str) -> Response:
        """The phone's own keys; PUT replaces them. An empty one hides what its profile has there."""
        device: Device = self.get_object()
        if request.method == "PUT":
            rows = key_rows(self.read(request, KeyShape, many=True))
            with etags.unchanged(request, lambda: {keys_version(holding.held(device).keys.all())}):
                appearances.put_keys(device, by=self.actor, rows=rows)
        own = list(device.keys.order_by("position"))
        in_the_end = request.method == "GET" and said(request, "effective")
        shown: Any = keys.of(device) if in_the_end else own
        return etags.tagged(Response(KeyShape(shown, many=True).data), keys_version(own))
