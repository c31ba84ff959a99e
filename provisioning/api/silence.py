"""Silence over the API: an account's quiet phones, its places with what was expected, and its alarms."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView
from accounts.models import Account
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.shapes import AccountField, Shape
from provisioning import quiet_report
from provisioning.quiet_report import MOST_PHONES, Report

ACCOUNT = OpenApiParameter("account", str, required=True, description="The account's slug.")


class QuietPhoneShape(Shape):
    """A phone that did not ask for longer than its interval, a quarter of it and two hours."""

    device = serializers.UUIDField()
    name = serializers.CharField()
    site = serializers.UUIDField(allow_null=True)
    last_check_in = serializers.DateTimeField()
    quiet_since = serializers.DateTimeField()
    interval_hours = serializers.FloatField()


class PlaceShape(Shape):
    """A site, or the account itself: its phones at no site and at sites without closing times."""

    site = serializers.UUIDField(allow_null=True)
    name = serializers.CharField()
    phones = serializers.IntegerField(help_text="Those that have ever checked in and may.")
    quiet = serializers.IntegerField()
    last_check_in = serializers.DateTimeField(allow_null=True)
    is_closed = serializers.BooleanField(help_text="By its closing times, now.")
    seen = serializers.IntegerField(
        help_text="In the last 24 hours: for each quarter of an hour the phones that checked in."
    )
    expected = serializers.FloatField(
        allow_null=True, help_text="In the same hours, by the weeks before; null: they say too little."
    )


class AlarmShape(Shape):
    """A silence that is told of and goes on: an incident."""

    incident = serializers.UUIDField()
    site = serializers.UUIDField(allow_null=True)
    title = serializers.CharField()
    since = serializers.DateTimeField()


class SilenceShape(Shape):
    """An account's silences as they are now."""

    account = serializers.CharField()
    at = serializers.DateTimeField()
    phones = serializers.IntegerField()
    quiet = serializers.IntegerField()
    quiet_phones = QuietPhoneShape(
        many=True, help_text=f"At most {MOST_PHONES}, those that are quiet for longest first."
    )
    places = PlaceShape(many=True)
    alarms = AlarmShape(many=True)


class SilenceQuery(Shape):
    account = AccountField()


class Silence(ApiView):
    """The silences of one account; those below it are asked for by their own slugs."""

    @extend_schema(parameters=[ACCOUNT], responses=SilenceShape)
    def get(self, request: Request) -> Response:
        query = SilenceQuery(data=request.query_params.dict(), context={"request": request})
        query.is_valid(raise_exception=True)
        account: Account = query.validated_data["account"]
        if not acting(request).may(Power.SEE_ACCOUNT, account.path):
            raise Forbidden
        now = timezone.now()
        found = quiet_report.of_account(account, now)
        shown = {"account": account.slug, "at": now, "phones": found.phones, "quiet": found.quiet}
        return Response(SilenceShape({**shown, **_shown(found)}).data)


def _shown(found: Report) -> dict[str, Any]:
    return {
        "quiet_phones": [
            {
                "device": device.code,
                "name": str(device),
                "site": device.site.code if device.site else None,
                "last_check_in": lapse.last,
                "quiet_since": lapse.since,
                "interval_hours": lapse.interval,
            }
            for device, lapse in found.quiet_phones
        ],
        "places": [
            {
                "site": place.site or None,
                "name": place.name,
                "phones": place.phones,
                "quiet": place.quiet,
                "last_check_in": place.last,
                "is_closed": place.is_closed,
                "seen": place.seen,
                "expected": place.expected,
            }
            for place in found.places
        ],
        "alarms": [
            {
                "incident": row.code,
                "site": row.site.code if row.site else None,
                "title": row.title,
                "since": row.opened_at,
            }
            for row in found.alarms
        ],
    }
