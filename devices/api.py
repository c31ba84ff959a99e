"""Extensions and line keys over the API."""

from typing import Any, ClassVar

from django.db.models import Count, Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Door
from accounts.roles import Power
from accounts.shapes import AccountField, LineField, Shape
from devices import extensions
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
    created_at = serializers.DateTimeField(read_only=True)


class ExtensionChange(ExtensionShape):
    account = None  # type: ignore[assignment]


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
    search = filters.CharFilter(method="find")

    def find(self, rows: QuerySet[Extension], name: str, value: str) -> QuerySet[Extension]:
        return rows.filter(Q(username__icontains=value) | Q(display_name__icontains=value))


class ExtensionDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """The SIP identities of the caller's accounts."""

    queryset = Extension.objects.none()
    serializer_class = ExtensionShape
    filterset_class = ExtensionFilter
    powers: ClassVar[dict[str, Power]] = dict.fromkeys(
        ("create", "partial_update", "destroy"), Power.EDIT_EXTENSIONS
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
