"""Closing times over the API: a site's opening hours and holidays, and the holidays of an account."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView, Door
from accounts.models import Account
from accounts.shapes import AccountField, LineField, Shape
from devices.models import Site
from provisioning import closing, opening_hours

ACCOUNT = OpenApiParameter("account", str, required=True, description="The account's slug.")


class HolidayShape(Shape):
    """A day on which nobody is there."""

    day = serializers.DateField()
    name = LineField(max_length=80)


class ClosingShape(Shape):
    """When a site is closed, by its own clock."""

    opening = serializers.ListField(
        child=LineField(max_length=120, allow_blank=True),
        min_length=len(opening_hours.DAYS),
        max_length=len(opening_hours.DAYS),
        allow_null=True,
        help_text='Seven lines from Monday on, such as "07:00-12:00, 13:00-19:00", "22:00-06:00" or'
        ' "all day"; an empty one is a closed day. Null: open day and night.',
    )
    holidays = HolidayShape(many=True)


class ClosingChange(ClosingShape):
    """What is not given stays."""

    opening = serializers.ListField(
        child=LineField(max_length=120, allow_blank=True),
        min_length=len(opening_hours.DAYS),
        max_length=len(opening_hours.DAYS),
        allow_null=True,
        required=False,
    )
    holidays = HolidayShape(many=True, required=False)


class HolidaysShape(Shape):
    """The days on which no site of an account is expected to speak."""

    account = AccountField()
    holidays = HolidayShape(many=True)


class HolidaysQuery(Shape):
    account = AccountField()


class ClosingVerbs(Door):
    """The closing times of one site; mixed into the door of sites."""

    @extend_schema(methods=["GET"], responses=ClosingShape, filters=False)
    @extend_schema(methods=["PUT"], request=ClosingChange, responses=ClosingShape, filters=False)
    @action(
        detail=True,
        methods=["get", "put"],
        url_path="closing-times",
        filterset_class=None,
        pagination_class=None,
    )
    def closing_times(self, request: Request, code: str) -> Response:
        """When nobody expects its phones to ask."""
        site: Site = self.get_object()
        if request.method == "PUT":
            wanted = self.read(request, ClosingChange)
            lines = (wanted["opening"] or [""] * len(opening_hours.DAYS)) if "opening" in wanted else None
            days = _days(wanted["holidays"]) if "holidays" in wanted else None
            site = closing.set_times(site, by=self.actor, lines=lines, days=days)
        opening = None if site.opening is None else opening_hours.say(site.opening)
        return Response(ClosingShape({"opening": opening, "holidays": closing.holidays_of(site)}).data)


class AccountHolidays(ApiView):
    """The holidays that hold for every place of an account."""

    @extend_schema(parameters=[ACCOUNT], responses=HolidaysShape)
    def get(self, request: Request) -> Response:
        query = HolidaysQuery(data=request.query_params.dict(), context={"request": request})
        query.is_valid(raise_exception=True)
        return _shown(query.validated_data["account"])

    @extend_schema(request=HolidaysShape, responses=HolidaysShape)
    def put(self, request: Request) -> Response:
        wanted = HolidaysShape(data=request.data, context={"request": request})
        wanted.is_valid(raise_exception=True)
        account, days = wanted.validated_data["account"], _days(wanted.validated_data["holidays"])
        closing.set_holidays(account, by=acting(request), days=days)
        return _shown(account)


def _days(holidays: list[dict[str, Any]]) -> list[closing.Day]:
    return [(one["day"], one["name"]) for one in holidays]


def _shown(account: Account) -> Response:
    return Response(HolidaysShape({"account": account, "holidays": closing.holidays_of(account)}).data)
