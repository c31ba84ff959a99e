"""What is different between two phones or accounts, over the API: settings, and lines of files."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView, Door
from accounts.shapes import AccountField, CodeField, Shape
from devices.definitions import SETTINGS, Group
from devices.levels import ModelIn, Target
from devices.models import Device
from devices.nearer import NAMED, nearer_values
from devices.trails import trails
from provisioning import previewing
from provisioning.api.previews import PhoneDiffShape
from provisioning.api.settings import GivenShape, WhereShape, given, target_of

# --- settings -------------------------------------------------------------------------------------------


class PairQuery(WhereShape):
    """Two phones; two accounts, as a whole or in one model; or a phone and an account."""

    other = CodeField(Device, required=False, help_text="The other one's code; or:")
    other_account = AccountField(required=False, help_text="The other account's slug.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if ("other" in attrs) == ("other_account" in attrs):
            raise serializers.ValidationError(
                {"other": ["Name either another phone or another account."]}, code="one-of-two"
            )
        return attrs


class SettingDifferenceShape(Shape):
    """A setting that holds differently, with both values and where each comes from."""

    group = serializers.ChoiceField([(group.value, group.value) for group in Group])
    name = serializers.CharField()
    title = serializers.CharField()
    here = GivenShape()
    there = GivenShape()


class SettingsDiff(ApiView):
    """The settings that hold differently for two of them; nothing where all are the same."""

    @extend_schema(parameters=[PairQuery], responses=SettingDifferenceShape(many=True))
    def get(self, request: Request) -> Response:
        query = PairQuery(data=request.query_params.dict(), context={"request": request})
        query.is_valid(raise_exception=True)
        where, reader = query.validated_data, acting(request)
        target = target_of(where)
        here, there = trails(target), trails(_other(where, target))
        shown = [
            {
                "group": setting.group,
                "name": name,
                "title": setting.title,
                "here": given(here[name][-1], reader),
                "there": given(there[name][-1], reader),
            }
            for name, setting in SETTINGS.items()
            if here[name][-1].value != there[name][-1].value
        ]
        return Response(SettingDifferenceShape(shown, many=True).data)


def _other(where: dict[str, Any], target: Target) -> Target:
    """The other side; of two accounts in the same model."""
    if "other" in where:
        device: Device = where["other"]
        return device
    if isinstance(target, ModelIn):
        return ModelIn(where["other_account"], target.family, target.model)
    account: Target = where["other_account"]
    return account


# --- nearer to the phones -------------------------------------------------------------------------------


class NearerQuery(WhereShape):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "device" in attrs:
            raise serializers.ValidationError({"device": ["Nothing is nearer than a phone."]})
        return super().validate(attrs)


class NearerModelShape(Shape):
    family = serializers.CharField(source="at.family")
    model = serializers.CharField(source="at.model")
    title = serializers.CharField(source="name")
    values = serializers.IntegerField(help_text="Settings that it has of its own.")


class NearerPhoneShape(Shape):
    device = CodeField(Device, source="at")
    name = serializers.CharField()
    values = serializers.IntegerField(help_text="Settings that it has of its own.")


class NearerShape(Shape):
    """What in this account has settings of its own, which win over the account's, or the model's."""

    models = NearerModelShape(many=True)
    phones = NearerPhoneShape(many=True, help_text=f"The first {NAMED} by name.")
    more_phones = serializers.IntegerField()


class SettingsNearer(ApiView):
    """The models and phones of an account that its values, or those of a model in it, do not reach."""

    @extend_schema(parameters=[NearerQuery], responses=NearerShape)
    def get(self, request: Request) -> Response:
        query = NearerQuery(data=request.query_params.dict(), context={"request": request})
        query.is_valid(raise_exception=True)
        target = target_of(query.validated_data)
        assert not isinstance(target, Device)
        return Response(NearerShape(nearer_values(target, acting(request))).data)


# --- files ----------------------------------------------------------------------------------------------


class OtherQuery(Shape):
    other = CodeField(Device, help_text="Another phone of the same make.")


class CompareVerbs(Door):
    """A phone's files against another one's; mixed into the door of phones."""

    @extend_schema(parameters=[OtherQuery], responses=PhoneDiffShape, filters=False)
    @action(detail=True, url_path="files/diff", filterset_class=None, pagination_class=None)
    def files_diff(self, request: Request, code: str) -> Response:
        """The lines that differ from those of another phone of its make, both masked."""
        device = self.get_object()
        query = OtherQuery(data=request.query_params.dict(), context=self.get_serializer_context())
        query.is_valid(raise_exception=True)
        found = previewing.between(device, query.validated_data["other"], by=self.actor)
        return Response(PhoneDiffShape(found).data)
