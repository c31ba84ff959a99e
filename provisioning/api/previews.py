"""What phones' files say, secrets masked, and what changes of settings would make of them, over the API."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView, Door
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid
from accounts.roles import Power
from accounts.scope import Actor
from accounts.shapes import AccountField, CodeField, LineField, Shape
from devices import raw_keys, settings_tree
from devices.levels import model_in
from devices.models import Device
from provisioning import previewing
from provisioning.previewing import Preview

MOST_CHANGES = 100


class FileShape(Shape):
    """One file that a phone gets below its private URL, every secret masked."""

    name = serializers.CharField()
    content_type = serializers.CharField(source="kind")
    size = serializers.IntegerField(help_text="In bytes, as masked.")
    body = serializers.SerializerMethodField()

    def get_body(self, file: previewing.Shown) -> str:
        return "".join(f"{line}\n" for line in file.lines)


class FileVerbs(Door):
    """The files of one phone; mixed into the door of phones."""

    @extend_schema(responses=FileShape(many=True), filters=False)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def files(self, request: Request, code: str) -> Response:
        """What the phone gets below its private URL; every secret, and the URL's own token, is masked."""
        shown = previewing.files(self.get_object(), by=self.actor)
        return Response(FileShape(shown, many=True).data)


@extend_schema_field(OpenApiTypes.ANY)
class AnyField(serializers.JSONField):
    """Whatever the setting takes; its own bounds judge it."""


class ChangeShape(Shape):
    """A setting, or one of the vendors' own keys, given to a phone, or to an account and all below it."""

    device = CodeField(Device, required=False)
    account = AccountField(required=False)
    family = LineField(max_length=40, required=False, allow_blank=True, default="")
    model = LineField(max_length=60, required=False, allow_blank=True, default="")
    name = LineField(max_length=60, required=False, help_text="Of a neutral setting.")
    key = LineField(max_length=120, required=False, help_text="One of the vendor's own, instead of a name.")
    value = AnyField(required=False, help_text="Without one, what stands above holds again.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for one, other in (("device", "account"), ("name", "key")):
            if (one in attrs) == (other in attrs):
                raise serializers.ValidationError({one: [f"Either a {one} or a {other}."]}, code="one-of-two")
        return attrs


class ModelCountShape(Shape):
    model = serializers.CharField()
    phones = serializers.IntegerField()


class LineDiffShape(Shape):
    sign = serializers.ChoiceField([("-", "it goes"), ("+", "it comes")])
    text = serializers.CharField()


class FileDiffShape(Shape):
    name = serializers.CharField()
    lines = LineDiffShape(many=True)
    more = serializers.IntegerField(help_text="Lines that differ beyond those shown.")


class PhoneDiffShape(Shape):
    device = CodeField(Device)
    name = serializers.CharField(source="device.name")
    mac = serializers.CharField(source="device.mac")
    problem = serializers.CharField(help_text="Why its files could not be made any more; empty: they can.")
    files = FileDiffShape(many=True)


class PreviewShape(Shape):
    """How many phones' files would change, of which models, and for some of them the lines that differ."""

    phones = serializers.IntegerField()
    by_model = ModelCountShape(many=True)
    shown = PhoneDiffShape(many=True)


class SettingsPreview(ApiView):
    """What changes of settings would make of phones' files; nothing is changed."""

    @extend_schema(request=ChangeShape(many=True), responses=PreviewShape)
    def post(self, request: Request) -> Response:
        actor = acting(request)
        if not actor.may_anywhere(Power.EDIT_SETTINGS):
            raise Forbidden
        bounds: dict[str, Any] = {"many": True, "allow_empty": False, "max_length": MOST_CHANGES}
        shape = ChangeShape(data=request.data, context={"request": request}, **bounds)
        shape.is_valid(raise_exception=True)
        wanted: list[dict[str, Any]] = shape.validated_data
        return Response(PreviewShape(preview_of(wanted, by=actor)).data)


def preview_of(wanted: list[dict[str, Any]], *, by: Actor) -> Preview:
    """What these changes together would make of the phones of the topmost account that they name."""

    def change() -> None:
        for one in wanted:
            _make(one, by)

    return previewing.of_change(change, by=by, account=_topmost(map(_account, wanted)))


def _account(wanted: dict[str, Any]) -> Account:
    found: Account = wanted["account"] if "account" in wanted else wanted["device"].account
    return found


def _topmost(accounts: Iterable[Account]) -> Account:
    first, *others = sorted(accounts, key=lambda account: len(account.path))
    if any(not account.path.startswith(first.path) for account in others):
        raise Invalid(
            "account", gettext("Changes of one account and of those below it are tried out together.")
        )
    return first


def _make(wanted: dict[str, Any], by: Actor) -> None:
    device: Device | None = wanted.get("device")
    family, model = wanted["family"], wanted["model"]
    if "key" in wanted:
        key, added_to = wanted["key"], device or raw_keys.target_in(wanted["account"], family, model)
        if "value" in wanted:
            raw_keys.set_value(added_to, by=by, key=key, value=wanted["value"])
        else:
            raw_keys.reset_value(added_to, by=by, key=key)
        return
    target: settings_tree.Target = device or wanted["account"]
    if device is None and (family or model):
        target = model_in(wanted["account"], family, model)
    name = wanted["name"]
    if "value" in wanted:
        settings_tree.set_value(target, by=by, name=name, value=wanted["value"])
    else:
        settings_tree.reset_value(target, by=by, name=name)
