"""Phones as a table, and the firmware versions in a list of them; mixed into the door of phones."""

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Door
from accounts.paging import refuse_unknown
from accounts.shapes import Shape
from provisioning import phone_export

CSV = "text/csv; charset=utf-8"


class FirmwareShape(Shape):
    firmware = serializers.CharField(help_text="As phones have said it at their last check-in.")


class ExportVerbs(Door):
    """What can be done with all phones of a list together; it takes the words of the list."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR}, filters=True)
    @action(detail=False, url_path="export", pagination_class=None)
    def take_out(self, request: Request) -> StreamingHttpResponse:
        """The phones as a table with a heading, by name, parted by semicolons; times are in UTC.

        An import reads its first eight columns again.
        """
        refuse_unknown(request, self)
        now = timezone.now()
        named = {"Content-Disposition": f'attachment; filename="phones-{now:%Y-%m-%d}.csv"'}
        lines = phone_export.lines(self.filter_queryset(self.get_queryset()), now)
        return StreamingHttpResponse(lines, content_type=CSV, headers=named)

    @extend_schema(responses=FirmwareShape(many=True), filters=True)
    @action(detail=False, pagination_class=None)
    def firmwares(self, request: Request) -> Response:
        """The versions that these phones were seen with."""
        refuse_unknown(request, self)
        seen = self.filter_queryset(self.get_queryset()).exclude(last_seen__firmware="")
        rows = seen.filter(last_seen__isnull=False).order_by("last_seen__firmware")
        found = rows.values_list("last_seen__firmware", flat=True).distinct()
        return Response(FirmwareShape([{"firmware": text} for text in found], many=True).data)
