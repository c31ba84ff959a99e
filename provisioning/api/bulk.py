"""One deed for many phones over the API: lock again, re-arm, move, give a profile or take it off."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView
from accounts.refusals import Forbidden
from accounts.shapes import AccountField, CodeField, Shape
from devices.models import Profile
from provisioning import bulk
from provisioning.api.shapes import JobStarted


class BulkShape(Shape):
    """The phones of an account and below, all or those that the filter keeps, and what is done to each.

    The filter's words are those of `unlock-all`. `rearm` takes `ship_on`, `move` needs `to`, `profile` needs
    `profile`. Each phone gets the verb that it would get alone; the job says of each what came of it.
    """

    account = AccountField()
    do = serializers.ChoiceField(list(bulk.DEEDS))
    filter = serializers.DictField(required=False, default=dict)
    ship_on = serializers.DateField(required=False, allow_null=True)
    to = AccountField(required=False, allow_null=True)
    profile = CodeField(Profile, required=False, allow_null=True)


class BulkPreviewWish(BulkShape):
    """The same, with `unlock` for what `unlock-all` would do."""

    do = serializers.ChoiceField([*bulk.DEEDS, "unlock"])


class SkippedShape(Shape):
    count = serializers.IntegerField()
    why = serializers.CharField()


class BulkPreviewShape(Shape):
    """To how many phones it would be done, and how many would be skipped, each why."""

    total = serializers.IntegerField()
    does = serializers.IntegerField()
    skipped = serializers.IntegerField()
    reasons = SkippedShape(many=True)


class BulkPreview(ApiView):
    """What a deed for many phones would do now; a key that does not fit is seen only when it is done."""

    @extend_schema(request=BulkPreviewWish, responses=BulkPreviewShape)
    def post(self, request: Request) -> Response:
        actor = acting(request)
        if not any(actor.may_anywhere(deed.power) for deed in bulk.DEEDS.values()):
            raise Forbidden
        shape = BulkPreviewWish(data=request.data, context={"request": request})
        shape.is_valid(raise_exception=True)
        wanted: dict[str, Any] = dict(shape.validated_data)
        found = bulk.preview(wanted.pop("account"), wanted.pop("do"), by=actor, **wanted)
        reasons = [{"count": count, "why": why} for count, why in found.reasons]
        counts = {name: getattr(found, name) for name in ("total", "does", "skipped")}
        return Response(BulkPreviewShape({**counts, "reasons": reasons}).data)


class Bulk(ApiView):
    """Do something to many phones, in the background."""

    @extend_schema(request=BulkShape, responses={202: JobStarted})
    def post(self, request: Request) -> Response:
        actor = acting(request)
        if not any(actor.may_anywhere(deed.power) for deed in bulk.DEEDS.values()):
            raise Forbidden
        shape = BulkShape(data=request.data, context={"request": request})
        shape.is_valid(raise_exception=True)
        wanted: dict[str, Any] = dict(shape.validated_data)
        job = bulk.start(wanted.pop("account"), wanted.pop("do"), by=actor, **wanted)
        return Response(JobStarted({"job": job.code}).data, status=status.HTTP_202_ACCEPTED)
