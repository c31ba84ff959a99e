"""Customers over the API: how they are; below another reseller, with what would be different (E18)."""

from typing import Any

from django.db.models import Q
from django.http import Http404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import customers, resettling
from accounts.api import AccountShape
from accounts.authentication import acting
from accounts.doors import ApiView, Door
from accounts.filtering import Ordering, YesNo
from accounts.models import Account
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.shapes import AccountField, Shape
from provisioning import differences, health
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


class CustomerShape(Shape):
    """An account below the caller's own: how it is, of its own phones alone."""

    account = serializers.SlugField(source="slug")
    name = serializers.CharField()
    kind = serializers.ChoiceField(Account.Kind.choices)
    is_active = serializers.BooleanField()
    needs_somebody = serializers.SerializerMethodField(help_text="Somebody has to answer or to look.")
    phones = serializers.SerializerMethodField()
    checked_in = serializers.SerializerMethodField(help_text="Phones, in the last 24 hours.")
    quiet = serializers.SerializerMethodField(help_text="Phones that are waited for and do not check in.")
    turned_away = serializers.SerializerMethodField(help_text="Phones, in the last 24 hours.")
    waiting = serializers.SerializerMethodField(help_text="Open approvals and suspected clones.")
    windows = serializers.SerializerMethodField(help_text="Open now.")
    bans = serializers.SerializerMethodField(help_text="Incidents of this kind that go on.")
    incidents = serializers.SerializerMethodField(help_text="All others that go on.")

    def _of(self, row: Account) -> health.Health:
        figures: health.Health = self.context["health"][row.pk]
        return figures

    def get_needs_somebody(self, row: Account) -> bool:
        return row.is_active and self._of(row).needs_somebody

    def get_phones(self, row: Account) -> int:
        return self._of(row).phones

    def get_checked_in(self, row: Account) -> int:
        return self._of(row).checked_in

    def get_quiet(self, row: Account) -> int:
        return self._of(row).quiet

    def get_turned_away(self, row: Account) -> int:
        return self._of(row).turned_away

    def get_waiting(self, row: Account) -> int:
        return self._of(row).waiting

    def get_windows(self, row: Account) -> int:
        return self._of(row).windows

    def get_bans(self, row: Account) -> int:
        return self._of(row).bans

    def get_incidents(self, row: Account) -> int:
        return self._of(row).incidents


class CustomerFilter(filters.FilterSet):  # type: ignore[misc]
    is_active = YesNo(field_name="is_active")
    needs_somebody = YesNo(method="by_need", label="True: somebody has to answer or to look.")
    search = filters.CharFilter(method="find", label="In name and slug.")
    ordering = Ordering(path="path", name="name path", slug="slug path")

    def by_need(self, rows: Any, name: str, value: bool) -> Any:
        figures = health.of_accounts(list(rows.values_list("pk", flat=True)), timezone.now())
        needy = rows.filter(pk__in=[pk for pk, one in figures.items() if one.needs_somebody], is_active=True)
        return needy if value else rows.exclude(pk__in=needy.values("pk"))

    def find(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(Q(name__icontains=value) | Q(slug__icontains=value))


class CustomerDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """How the accounts are that the caller looks after from above, in tree order."""

    queryset = Account.objects.none()
    serializer_class = CustomerShape
    filterset_class = CustomerFilter
    lookup_field = "slug"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Account.objects.none()
        return customers.below_the(self.actor)

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """A page's figures are counted together."""
        shown: Any = super().get_serializer(*args, **kwargs)
        rows = list(args[0]) if kwargs.get("many") else list(args)
        shown.context["health"] = health.of_accounts([row.pk for row in rows], timezone.now()) if rows else {}
        return shown


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
