"""Windows, pending approvals, unlock all and its jobs, and "what would this phone get?" over the API."""

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView, Door
from accounts.filtering import OfAccount, Ordering, YesNo, since, until
from accounts.refusals import Forbidden
from accounts.roles import Power
from provisioning import approvals, explaining, unlock_all, windows
from provisioning.api.shapes import (
    ApprovalShape,
    ApprovalWithEvidence,
    DecisionShape,
    ExplainQuery,
    ExplanationShape,
    JobItemShape,
    JobShape,
    JobStarted,
    JobWithResults,
    NewWindow,
    UnlockAllShape,
    WindowShape,
    WindowWithPhones,
)
from provisioning.models import Approval, Job, JobItem, Window


class WindowFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    open = YesNo(method="by_open", label="True: open or coming; false: over.")
    site = filters.UUIDFilter(field_name="site__code")
    since, until = since("starts_at"), until("starts_at")
    ordering = Ordering(starts="starts_at code", ends="ends_at code")

    def by_open(self, rows: QuerySet[Window], name: str, value: bool) -> QuerySet[Window]:
        on = Q(ends_at__gt=timezone.now(), closed_at=None)
        return rows.filter(on) if value else rows.exclude(on)


class WindowDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """The windows of the caller's accounts."""

    queryset = Window.objects.none()
    serializer_class = WindowShape
    filterset_class = WindowFilter
    powers: ClassVar[dict[str, Power]] = dict.fromkeys(("create", "destroy"), Power.OPEN_WINDOW)

    def get_serializer_class(self) -> type[WindowShape]:
        return WindowWithPhones if self.action == "retrieve" else WindowShape

    def dress(self, rows: Any) -> Any:
        return rows.select_related("account", "site").order_by("-starts_at", "-code")

    @extend_schema(request=NewWindow, responses={201: WindowShape})
    def create(self, request: Request) -> Response:
        wanted = self.read(request, NewWindow)
        account, origin = wanted.pop("account"), wanted.pop("address")
        window = windows.open_window(account, by=self.actor, origin=origin, **wanted)
        return Response(self.fresh(window), status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, code: str) -> Response:
        """Close it early (E5)."""
        windows.close_window(self.get_object(), by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ApprovalFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    status = filters.ChoiceFilter(choices=Approval.Status.choices)
    device = filters.UUIDFilter(field_name="device__code")
    rule = filters.CharFilter(field_name="rule")
    since, until = since("last_try_at"), until("last_try_at")
    ordering = Ordering(
        last_try_at="last_try_at code", opened_at="opened_at code", closes_at="closes_at code"
    )


class ApprovalDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """The cards of phones that were refused somewhere, the open ones unless `status` says otherwise."""

    queryset = Approval.objects.none()
    filterset_class = ApprovalFilter
    powers: ClassVar[dict[str, Power]] = {"answer": Power.OWN_PHONES}

    def get_serializer_class(self) -> type[ApprovalShape]:
        return ApprovalWithEvidence if self.action == "retrieve" else ApprovalShape

    def dress(self, rows: Any) -> Any:
        joined = rows.select_related("account", "device__lock__bound_site", "device__account")
        joined = joined.order_by("-last_try_at", "-code")
        if self.action == "list" and not self.request.query_params.get("status"):
            return joined.filter(status=Approval.Status.OPEN)
        return joined

    @extend_schema(request=DecisionShape, responses=ApprovalShape)
    def answer(self, request: Request, code: str) -> Response:
        """Say yes once, for a site, no for 30 days, or quarantine the phone (E14)."""
        approval = self.get_object()
        approvals.answer(approval, by=self.actor, **self.read(request, DecisionShape))
        return Response(self.fresh(approval))


class UnlockAll(ApiView):
    """Unlock the phones of an account and below, in the background (E3)."""

    @extend_schema(request=UnlockAllShape, responses={202: JobStarted})
    def post(self, request: Request) -> Response:
        actor = acting(request)
        if not actor.may_anywhere(Power.UNLOCK_ALL):
            raise Forbidden
        shape = UnlockAllShape(data=request.data, context={"request": request})
        shape.is_valid(raise_exception=True)
        wanted = shape.validated_data
        job = unlock_all.start(wanted["account"], by=actor, span=wanted.get("for"), filter=wanted["filter"])
        return Response(JobStarted({"job": job.code}).data, status=status.HTTP_202_ACCEPTED)


class JobFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    kind = filters.ChoiceFilter(choices=Job.Kind.choices)
    finished = YesNo(field_name="finished_at", lookup_expr="isnull", exclude=True)
    since, until = since("created_at"), until("created_at")
    ordering = Ordering(created_at="created_at code", finished_at="finished_at code")


class JobItemFilter(filters.FilterSet):  # type: ignore[misc]
    result = filters.ChoiceFilter(choices=JobItem.Result.choices)
    rule = filters.CharFilter(field_name="rule", lookup_expr="iexact")


class JobDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """Work on many phones: how far it is, and what became of each phone."""

    queryset = Job.objects.none()
    filterset_class = JobFilter

    def get_serializer_class(self) -> type[JobShape]:
        return JobShape if self.action == "list" else JobWithResults

    def dress(self, rows: Any) -> Any:
        joined = rows.select_related("account").order_by("-created_at", "-code")
        return joined.prefetch_related("items__device") if self.action == "retrieve" else joined

    @extend_schema(responses=JobItemShape(many=True), filters=True)
    @action(detail=True, filterset_class=JobItemFilter)
    def items(self, request: Request, code: str) -> Response:
        """What became of each phone, in pages; those that wait for their turn among them."""
        rows = self.get_object().items.select_related("device").order_by("id")
        page = self.paginate_queryset(self.narrowed(rows)) or []
        return self.get_paginated_response(JobItemShape(page, many=True).data)


class Explain(ApiView):
    """What this phone would get from that address now, by which rule, and what can be done about it."""

    @extend_schema(parameters=[ExplainQuery], responses=ExplanationShape)
    def get(self, request: Request) -> Response:
        query = ExplainQuery(data=request.query_params.dict(), context={"request": request})
        query.is_valid(raise_exception=True)
        wanted = query.validated_data
        found = explaining.explain(
            mac=wanted["mac"],
            address=wanted["address"],
            agent=wanted.get("agent"),
            by=acting(request),
            now=timezone.now(),
        )
        return Response(ExplanationShape(found).data)
