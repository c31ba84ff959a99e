"""A customer moves below another reseller, over the API: what would be different, then the move (E18)."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import resettling
from accounts.api import AccountShape
from accounts.authentication import acting
from accounts.doors import ApiView
from accounts.models import Account
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.shapes import AccountField, Shape
from provisioning import differences
from provisioning.api.policies import ValueField

KINDS = [(kind, kind) for kind in ("setting", "policy")]


class DifferenceShape(Shape):
    """One setting or policy that the move would change for all phones that do not have their own."""

    kind = serializers.ChoiceField(KINDS)
    name = serializers.CharField()
    title = serializers.CharField()
    before = ValueField()
    after = ValueField()


class BelowShape(Shape):
    below = AccountField()


class CustomerMove(ApiView):
    """GET says what would be different; POST moves the customer with all that stands below it."""

    @extend_schema(
        operation_id="accounts_move_preview", parameters=[BelowShape], responses=DifferenceShape(many=True)
    )
    def get(self, request: Request, slug: str) -> Response:
        account, below = self._both(request, slug, request.query_params.dict())
        return Response(DifferenceShape(differences.preview(account, below), many=True).data)

    @extend_schema(operation_id="accounts_move", request=BelowShape, responses=AccountShape)
    def post(self, request: Request, slug: str) -> Response:
        account, below = self._both(request, slug, request.data)
        moved: Any = resettling.move_customer(account, by=acting(request), below=below)
        moved.parent_slug = below.slug
        return Response(AccountShape(moved, context={"request": request}).data)

    def _both(self, request: Request, slug: str, given: Any) -> tuple[Account, Account]:
        """The customer and the reseller that is meant, for whoever has the power over both."""
        actor = acting(request)
        account: Account | None = Account.objects.visible_to(actor).filter(slug=slug).first()
        if account is None:
            raise Http404
        if not actor.may(Power.MOVE_CUSTOMER, account.path):
            raise Forbidden
        shape = BelowShape(data=given, context={"request": request})
        shape.is_valid(raise_exception=True)
        below: Account = shape.validated_data["below"]
        if not actor.may(Power.MOVE_CUSTOMER, below.path):
            raise Forbidden
        return account, below
