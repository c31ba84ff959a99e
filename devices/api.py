"""Extensions, keys and profiles over the API."""

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import many
from accounts.authentication import acting
from accounts.doors import Door
from accounts.filtering import Known, OfAccount, Ordering, YesNo
from accounts.paging import counted
from accounts.roles import Power
from accounts.scope import below
from accounts.shapes import AccountField, CodesField, LineField, Shape
from devices import exposing, extensions, profiles
from devices.appearances import KeyRow
from devices.catalog import catalog
from devices.models import Appearance, Device, Extension, Key, Profile
from devices.phone import KeyKind


class ExtensionShape(Shape):
    """A SIP identity; its secret goes in and never comes out."""

    code = serializers.UUIDField(read_only=True)
    account = AccountField()
    username = LineField(max_length=64)
    secret = LineField(
        max_length=128,
        write_only=True,
        required=False,
        trim_whitespace=False,
        help_text="One is drawn for a new extension without it.",
    )
    display_name = LineField(max_length=120, required=False, allow_blank=True)
    auth_name = LineField(max_length=64, required=False, allow_blank=True)
    realm = LineField(max_length=120, required=False, allow_blank=True)
    call_appearances = serializers.IntegerField(
        min_value=1, max_value=8, required=False, help_text="Calls that it holds at once as a shared line."
    )
    barge_in = serializers.BooleanField(
        required=False, help_text="Others who show the shared line may join its call."
    )
    in_directory = serializers.BooleanField(
        required=False, help_text="Whether the phones of its account show it in their directory."
    )
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
    ring = serializers.ChoiceField(
        Appearance.Ring.choices, required=False, default="now", help_text="A line of one phone always rings."
    )

    def to_representation(self, instance: Appearance) -> dict[str, Any]:
        return {
            "position": instance.position,
            "extension": str(instance.extension.code),
            "label": instance.label,
            "ring": instance.ring,
        }


class KeyShape(Shape):
    """One key that is no line: its place, counted on over the expansion modules, and what it does."""

    position = serializers.IntegerField(min_value=1, max_value=1000)
    kind = serializers.ChoiceField(Key.Kind.choices)
    value = LineField(max_length=200, required=False, allow_blank=True, default="")
    label = LineField(  # type: ignore[assignment]
        max_length=60, required=False, allow_blank=True, default=""
    )
    line = serializers.IntegerField(
        min_value=0, max_value=1000, required=False, default=0, help_text="The line that it calls on; 0: any."
    )


def key_rows(wanted: Iterable[dict[str, Any]]) -> list[KeyRow]:
    """Keys as the verbs take them."""
    return [KeyRow(**{**row, "kind": KeyKind(row["kind"])}) for row in wanted]


class ProfileShape(Shape):
    """Keys for many phones of a family, or of one model, in its account and in those below."""

    code = serializers.UUIDField(read_only=True)
    account = AccountField()
    name = LineField(max_length=120)
    family = LineField(max_length=40)
    model = LineField(max_length=60, required=False, allow_blank=True, help_text="Empty: all of the family.")
    keys = KeyShape(many=True, required=False)
    phones = serializers.IntegerField(read_only=True, help_text="Those of your accounts.")
    created_at = serializers.DateTimeField(read_only=True)


class ProfileChange(ProfileShape):
    account = None  # type: ignore[assignment]
    family = None  # type: ignore[assignment]

    def validate_keys(self, rows: list[dict[str, Any]]) -> Any:
        """What is left out of a profile stays; what is left out of one of its keys is missing there."""
        whole = KeyShape(data=rows, many=True, context=self.context)
        whole.is_valid(raise_exception=True)
        return whole.validated_data


class ApplyShape(Shape):
    devices = CodesField(Device, max_length=1000, allow_empty=False)


class ChangedShape(Shape):
    changed = serializers.IntegerField(help_text="How many phones got new files.")


class OfFamily(Known):
    """One of the makes that are served here."""

    asked = "family"

    def is_known(self, value: str) -> bool:
        return value in catalog().families


class ExtensionFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    username = filters.CharFilter(field_name="username")
    exposed = YesNo(method="by_exposed", label="True: the secret may be known to others.")
    in_directory = YesNo(field_name="in_directory")
    device = filters.UUIDFilter(method="by_device", label="Shown by this phone.")
    search = filters.CharFilter(method="find")
    ordering = Ordering(
        username="username code", created_at="created_at code", exposed_since="exposed_since code"
    )

    def by_exposed(self, rows: QuerySet[Extension], name: str, value: bool) -> QuerySet[Extension]:
        return rows.filter(exposed_since__isnull=not value)

    def by_device(self, rows: QuerySet[Extension], name: str, value: UUID) -> QuerySet[Extension]:
        shown = Device.objects.visible_to(acting(self.request)).filter(code=value)
        return rows.filter(pk__in=shown.values("appearances__extension"))

    def find(self, rows: QuerySet[Extension], name: str, value: str) -> QuerySet[Extension]:
        return rows.filter(Q(username__icontains=value) | Q(display_name__icontains=value))


class ProfileFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    family = OfFamily(field_name="family")
    model = filters.CharFilter(field_name="model")
    search = filters.CharFilter(field_name="name", lookup_expr="icontains")
    ordering = Ordering(name="name code", created_at="created_at code")


class ProfileDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """The profiles of the caller's accounts, and those of the accounts above that he may use."""

    queryset = Profile.objects.none()
    serializer_class = ProfileShape
    filterset_class = ProfileFilter
    powers: ClassVar[dict[str, Power]] = dict.fromkeys(
        ("create", "partial_update", "destroy", "apply", "take_off"), Power.EDIT_DEVICES
    )

    def dress(self, rows: Any) -> Any:
        seen = below(self.actor.paths(Power.SEE_ACCOUNT), "account__path")
        phones = counted(Profile, "devices", only=seen)
        joined = rows.select_related("account").prefetch_related("keys")
        return joined.annotate(phones=phones).order_by("name", "code")

    @extend_schema(responses={201: ProfileShape})
    def create(self, request: Request) -> Response:
        wanted = self.read(request, ProfileShape)
        wanted["keys"] = key_rows(wanted.get("keys", ()))
        made = profiles.create(wanted.pop("account"), by=self.actor, **wanted)
        return Response(self.fresh(made), status=status.HTTP_201_CREATED)

    @extend_schema(request=ProfileChange, responses=ProfileShape)
    def partial_update(self, request: Request, code: str) -> Response:
        row = self.get_object()
        wanted = self.read(request, ProfileChange, partial=True)
        if "keys" in wanted:
            wanted["keys"] = key_rows(wanted["keys"])
        profiles.change(row, by=self.actor, **wanted)
        return Response(self.fresh(row))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, code: str) -> Response:
        profiles.remove(self.get_object(), by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=ApplyShape, responses=ChangedShape)
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, code: str) -> Response:
        """Put it on these phones; their own keys stay, and win where both have one."""
        row = self.get_object()
        phones = self.read(request, ApplyShape)["devices"]
        changed = profiles.apply(row, by=self.actor, devices=phones)
        return Response({"changed": len(changed)})

    @extend_schema(request=ApplyShape, responses=ChangedShape)
    @action(detail=True, methods=["post"], url_path="take-off")
    def take_off(self, request: Request, code: str) -> Response:
        """Take it off those of these phones that have it; their own keys stay."""
        row = self.get_object()
        phones = self.read(request, ApplyShape)["devices"]
        having = [device for device in phones if device.profile_id == row.pk]
        return Response({"changed": len(profiles.take_off(having, by=self.actor))})


@extend_schema_view(bulk=many.described("Extension", ExtensionShape, ExtensionChange))
class ExtensionDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, many.ManyVerbs):
    """The SIP identities of the caller's accounts."""

    queryset = Extension.objects.none()
    serializer_class = ExtensionShape
    filterset_class = ExtensionFilter
    powers: ClassVar[dict[str, Power]] = dict.fromkeys(
        ("create", "partial_update", "destroy", "bulk", "new_secret", "expose"), Power.EDIT_EXTENSIONS
    )

    def dress(self, rows: Any) -> Any:
        phones = counted(Extension, "appearances", "device")
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
