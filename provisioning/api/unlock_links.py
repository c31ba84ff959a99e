"""Unlock links over the API: made, listed and ended below a phone; mixed into the door of phones."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Door
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.shapes import LineField, Shape
from devices.models import Device
from provisioning import unlock_links
from provisioning.models import UnlockLink

CODE = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"


class NewUnlockLink(Shape):
    """For whom it is, and the address that it is mailed to; both may be left out."""

    given_to = LineField(max_length=120, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)


class UnlockLinkShape(Shape):
    """A link that is open: by whom, for whom, until when. What makes it a key is told to nobody."""

    code = serializers.UUIDField()
    given_to = serializers.CharField()
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class MadeUnlockLink(UnlockLinkShape):
    """The new link with its address, which is told this once."""

    url = serializers.SerializerMethodField()
    mailed = serializers.SerializerMethodField()

    def get_url(self, link: UnlockLink) -> str:
        return str(self.context["made"].url)

    def get_mailed(self, link: UnlockLink) -> bool:
        return bool(self.context["made"].is_mailed)


class UnlockLinkVerbs(Door):
    """The unlock links of one phone."""

    @extend_schema(methods=["GET"], responses=UnlockLinkShape(many=True), filters=False)
    @extend_schema(methods=["POST"], request=NewUnlockLink, responses={201: MadeUnlockLink})
    @action(
        detail=True,
        methods=["get", "post"],
        url_path="unlock-links",
        filterset_class=None,
        shows_a_key=True,
    )
    def unlock_links(self, request: Request, code: str) -> Response:
        """The open links, the newest first; POST makes one, good for one unlock within 24 hours (E1)."""
        device: Device = self.get_object()
        if request.method == "POST":
            if not self.actor.may(Power.UNLOCK_DEVICE, device.account.path):
                raise Forbidden  # before the input is read
            made = unlock_links.make(device, by=self.actor, **self.read(request, NewUnlockLink))
            shown: Any = MadeUnlockLink(made.link, context={"made": made})
            return Response(shown.data, status=status.HTTP_201_CREATED)
        if not self.actor.may(Power.SEE_ACCOUNT, device.account.path):
            raise Forbidden  # an owner sees his phone, and not to whom it was lent
        page = self.paginate_queryset(unlock_links.open_links(device, timezone.now())) or []
        return self.get_paginated_response(UnlockLinkShape(page, many=True).data)

    @extend_schema(responses={204: None})
    @action(detail=True, methods=["delete"], url_path=f"unlock-links/(?P<link>{CODE})")
    def unlock_link(self, request: Request, code: str, link: str) -> Response:
        """Take a link back before it is used."""
        device: Device = self.get_object()
        found = unlock_links.of_phone(device, UUID(link))
        if found is None:
            raise NotFound
        unlock_links.end(found, by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)
