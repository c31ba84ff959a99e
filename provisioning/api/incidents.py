"""Incidents over the API: what went wrong, its timeline, notes on it, and the end that a person gives it."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Door
from accounts.filtering import OfAccount, Ordering, YesNo, since, until
from accounts.roles import Power
from accounts.shapes import AccountField, LineField, Shape
from provisioning import incident_words, incidents
from provisioning.models import Incident, IncidentStep


class StepShape(Shape):
    """One line of an incident's timeline."""

    at = serializers.DateTimeField()
    what = serializers.ChoiceField(IncidentStep.What.choices)
    said = serializers.CharField(source="told")
    by = serializers.CharField(help_text="Who did it; empty: the product itself.")


class FactShape(Shape):
    """One piece of evidence: own phones in clear, those of others as counts."""

    label = serializers.CharField()  # type: ignore[assignment]
    text = serializers.CharField()
    device = serializers.CharField(help_text="The code of the phone that it is about, or empty.")


class IncidentShape(Shape):
    """Something that went wrong and was told of, from when to when."""

    code = serializers.UUIDField()
    kind = serializers.ChoiceField(Incident.Kind.choices)
    account = AccountField()
    site = serializers.SerializerMethodField()
    network = serializers.SerializerMethodField()
    title = serializers.CharField(source="told_title")
    opened_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    how_ended = serializers.CharField(source="told_end")

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_site(self, row: Incident) -> str | None:
        return str(row.site.code) if row.site else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_network(self, row: Incident) -> str | None:
        return str(row.network) if row.network else None


class IncidentWithTimeline(IncidentShape):
    """The same with what follows from it, by what it is known, and what was done."""

    consequence = serializers.SerializerMethodField()
    next = serializers.SerializerMethodField()
    evidence = serializers.SerializerMethodField()
    timeline = StepShape(many=True, source="steps")

    def get_consequence(self, row: Incident) -> str:
        return incident_words.describe(row, now=timezone.now()).consequence

    def get_next(self, row: Incident) -> str:
        return incident_words.describe(row, now=timezone.now()).next

    @extend_schema_field(FactShape(many=True))
    def get_evidence(self, row: Incident) -> Any:
        return FactShape(incident_words.describe(row, now=timezone.now()).facts, many=True).data


class NoteShape(Shape):
    note = LineField(max_length=500)


class CloseShape(Shape):
    reason = LineField(max_length=300)


class IncidentFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    kind = filters.ChoiceFilter(choices=Incident.Kind.choices)
    open = YesNo(field_name="ended_at", lookup_expr="isnull", label="True: going on.")
    site = filters.UUIDFilter(field_name="site__code")
    since, until = since("opened_at"), until("opened_at")
    ordering = Ordering(opened_at="opened_at code", ended_at="ended_at code")


class IncidentDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """What went wrong in the caller's accounts, the newest first."""

    queryset = Incident.objects.none()
    filterset_class = IncidentFilter
    powers: ClassVar[dict[str, Power]] = dict.fromkeys(("notes", "close"), Power.UNLOCK_DEVICE)

    def get_serializer_class(self) -> type[IncidentShape]:
        return IncidentShape if self.action == "list" else IncidentWithTimeline

    def dress(self, rows: Any) -> "QuerySet[Incident]":
        joined = rows.select_related("account", "site").order_by("-opened_at", "-code")
        dressed: QuerySet[Incident] = joined if self.action == "list" else joined.prefetch_related("steps")
        return dressed

    @extend_schema(request=NoteShape, responses={201: IncidentWithTimeline})
    @action(detail=True, methods=["post"])
    def notes(self, request: Request, code: str) -> Response:
        """Put a note on its timeline."""
        row = self.get_object()
        incidents.note(row, by=self.actor, said=self.read(request, NoteShape)["note"])
        return Response(self.fresh(row), status=status.HTTP_201_CREATED)

    @extend_schema(request=CloseShape, responses=IncidentWithTimeline)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, code: str) -> Response:
        """End it by hand, with the reason; one that has ended is refused."""
        row = self.get_object()
        return Response(
            self.fresh(incidents.close(row, by=self.actor, reason=self.read(request, CloseShape)["reason"]))
        )
