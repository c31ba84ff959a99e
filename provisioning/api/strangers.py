"""Phones that nobody has entered, over the API: where the caller's own live, and who asked just now."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.shapes import AccountField, CodeField, Shape
from devices.models import Device
from provisioning import heard, unknown_phones


class StrangerShape(Shape):
    """A phone that somebody may have plugged in before entering it; `devices/` takes it as it stands here."""

    mac = serializers.CharField()
    family = serializers.CharField()
    model = serializers.CharField(help_text="Empty: the phone did not say a model that is known.")
    account = AccountField(help_text="Whose it seems to be.")
    address = serializers.CharField(source="origin")
    tries = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()


class StrangersQuery(Shape):
    account = AccountField(required=False)


class UnknownPhones(ApiView):
    """Those of the last day that the caller may add, the newest first, at most 500."""

    @extend_schema(parameters=[StrangersQuery], responses=StrangerShape(many=True))
    def get(self, request: Request) -> Response:
        actor = acting(request)
        if not actor.may_anywhere(Power.EDIT_DEVICES):
            raise Forbidden
        query = StrangersQuery(data=request.query_params.dict(), context={"request": request})
        query.is_valid(raise_exception=True)
        account = query.validated_data.get("account")
        path = account.path if account else ""
        found = [
            one for one in unknown_phones.seen_by(actor, timezone.now()) if one.account.path.startswith(path)
        ]
        return Response(StrangerShape(found, many=True).data)


class HeardShape(Shape):
    """A phone that asked: one's own, an unknown one that may be added, or somebody's, unnamed."""

    at = serializers.DateTimeField()
    device = CodeField(Device, allow_null=True)
    outcome = serializers.SerializerMethodField(help_text="What one's own phone was answered.")
    stranger = StrangerShape(allow_null=True)

    def get_outcome(self, row: heard.Heard) -> str:
        return row.event.outcome if row.event else ""


class HeardPhones(ApiView):
    """Who asked in the last ten minutes from the addresses where the caller is, the newest first."""

    @extend_schema(responses=HeardShape(many=True))
    def get(self, request: Request) -> Response:
        actor = acting(request)
        if not actor.may_anywhere(Power.SEE_ACCOUNT):
            raise Forbidden
        found: Any = heard.lately(actor, timezone.now())
        return Response(HeardShape(found, many=True).data)
