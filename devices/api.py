"""Extensions and line keys over the API."""

from typing import Any, ClassVar

from django.db.models import Count, Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Door
from accounts.roles import Power
from accounts.shapes import AccountField, LineField, Shape
from devices import exposing, extensions
from devices.models import Appearance, Extension


class ExtensionShape(Shape):
    """A SIP identity; its secret goes in and never comes out."""

    code = serializers.UUIDField(read_only=True)
    account = AccountField()
    username = LineField(max_length=64)
    secret = LineField(max_length=128, write_only=True, trim_whitespace=False)
    display_name = LineField(max_length=120, required=False, allow_blank=True)
    auth_name = LineField(max_length=64, required=False, allow_blank=True)
    realm = LineField(max_length=120, required=False, allow_blank=True)
    phones = serializers.IntegerField(read_only=True, help_text="On two or more: a shared line.")
    exposed_since = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Since when the secret may be known to others."
    )
    exposed_why = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class ExtensionChange(ExtensionShape):
    account = None  # type: ignore[assignment]


class NewSecretShape(Shape):
    """The new secret; one is drawn when none is given. It is never shown."""

    secret = LineField(max_length=128, write_only=True, required=False, trim_whitespace=False)


class ExposureShape(Shape):
    why = LineField(max_length=200, required=False, allow_blank=True)


class AppearanceShape(Shape):
    """One line key: its position from 1, the extension by code or user name, and what the display says."""

    position = serializers.IntegerField(min_value=1, max_value=1000)
    extension = LineField(max_length=64)
    label = LineField(  # type: ignore[assignment]
        max_length=60, required=False, allow_blank=True, default=""
    )

    def to_representation(self, instance: Appearance) -> dict[str, Any]:
        code = str(instance.extension.code)
        return {"position": instance.position, "extension": code, "label": instance.label}


class ExtensionFilter(filters.FilterSet):  # type: ignore[misc]
    account = filters.CharFilter(field_name="account__slug")
    username = filters.CharFilter(field_name="username")
    exposed = filters.BooleanFilter(method="by_exposed", label="True: the secret may be known to others.")
    search = filters.CharFilter(method="find")

    def by_exposed(self, rows: QuerySet[Extension], name: str, value: bool) -> QuerySet[Extension]:
        return rows.filter(exposed_since__isnull=not value)

    def find(self, rows: QuerySet[Extension], name: str, value: str) -> QuerySet[Extension]:
        return rows.filter(Q(username__icontains=value) | Q(display_name__icontains=value))


class ExtensionDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """The SIP identities of the caller's accounts."""

    queryset = Extension.objects.none()
    serializer_class = ExtensionShape
    filterset_class = ExtensionFilter
    powers: ClassVar[dict[str, Power]] = dict.fromkeys(
        ("create", "partial_update", "destroy", "new_secret", "expose"), Power.EDIT_EXTENSIONS
    )

    def dress(self, rows: Any) -> Any:
        phones = Count("appearances__device", distinct=True)
        return rows.select_related("account").annotate(phones=phones).order_by("username", "code")

    @extend_schema(responses={201: ExtensionShape})
    def create(self, request: Request) -> Response:
        wanted = self.read(request, ExtensionShape)
        made = extensions.create(wanted.pop("account"), by=self.actor, **wanted)
        return Response(self.fresh(made), status=status.HTTP_201_CREATED)

    @extend_schema(request=ExtensionChange, responses=ExtensionShape)
    def partial_update(self, request: Request, code: str) -> Response:
        row = self.get_object()
        extensions.change(row, by=self.actor, **self.read(request, ExtensionChange, partial=True))
        return Response(self.fresh(row))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, code: str) -> Response:
        extensions.remove(self.get_object(), by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=NewSecretShape, responses=ExtensionShape)
    @action(detail=True, methods=["post"], url_path="new-secret")
    def new_secret(self, request: Request, code: str) -> Response:
        """Give it a new secret, here and in the file of every phone that shows it (E15)."""
        row = self.get_object()
        exposing.new_secret(row, by=self.actor, **self.read(request, NewSecretShape))
        return Response(self.fresh(row))

    @extend_schema(request=ExposureShape, responses=ExtensionShape)
    @action(detail=True, methods=["post"])
    def expose(self, request: Request, code: str) -> Response:
        """Say that its secret may be known to others (E15)."""
        row = self.get_object()
        exposing.mark(row, by=self.actor, **self.read(request, ExposureShape))
        return Response(self.fresh(row))
