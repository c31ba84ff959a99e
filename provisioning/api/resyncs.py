"""Phones asked to fetch their files again, over the API: what a resync looks like, and many at once."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.shapes import AccountField, Shape
from provisioning import resync
from provisioning.api.shapes import JobStarted
from provisioning.models import ResyncRequest

RESYNC_OUTCOMES = ResyncRequest.Outcome.choices


class ResyncShape(Shape):
    """A phone is asked to fetch again: when, whether it is to restart, and what came of it."""

    asked_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    by = serializers.CharField()
    reboot = serializers.BooleanField()
    tries = serializers.IntegerField()
    sent_at = serializers.DateTimeField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    status_code = serializers.IntegerField(help_text="SIP's; 0: no answer yet, or none at all.")
    outcome = serializers.ChoiceField(RESYNC_OUTCOMES)
    sentence = serializers.SerializerMethodField()

    def get_sentence(self, row: ResyncRequest) -> str:
        return resync.told(row)


class ResyncWish(Shape):
    reboot = serializers.BooleanField(required=False, default=False, help_text="Restart it as well.")


class ResyncAllShape(ResyncWish):
    """The phones of an account and below, all or those that the filter keeps."""

    account = AccountField()
    filter = serializers.DictField(required=False, default=dict)


class ResyncAll(ApiView):
    """Ask the phones of an account and below to fetch their files again, paced, in the background."""

    @extend_schema(request=ResyncAllShape, responses={202: JobStarted})
    def post(self, request: Request) -> Response:
        actor = acting(request)
        if not actor.may_anywhere(Power.EDIT_DEVICES):
            raise Forbidden
        shape = ResyncAllShape(data=request.data, context={"request": request})
        shape.is_valid(raise_exception=True)
        wanted = shape.validated_data
        job = resync.ask_many(wanted["account"], by=actor, filter=wanted["filter"], reboot=wanted["reboot"])
        return Response(JobStarted({"job": job.code}).data, status=status.HTTP_202_ACCEPTED)
