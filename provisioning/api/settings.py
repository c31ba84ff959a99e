"""Settings and the vendors' own keys over the API: what holds, from where, how far; set and taken back."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import etags
from accounts.authentication import acting
from accounts.doors import ApiSet
from accounts.models import Account
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.scope import Actor
from accounts.shapes import AccountField, CodeField, LineField, Shape
from accounts.speaking import told
from devices import raw_keys, settings_tree
from devices.bounds import Kind
from devices.definitions import GROUPS, SETTINGS, Group, Setting
from devices.levels import Level, ModelIn, Target, model_in
from devices.models import Device
from devices.trails import Given, Trail, lacks, trails, without_own

WHERE = [
    OpenApiParameter("device", str, description="The phone's code; or:"),
    OpenApiParameter("account", str, description="The account's slug."),
    OpenApiParameter("family", str, description="With the account: of its phones only those of this family."),
    OpenApiParameter("model", str, description="With account and family: only those of this model."),
]
LEVELS = [(level.value, level.value) for level in Level]


@extend_schema_field(
    {
        "oneOf": [
            {"type": "integer"},
            {"type": "boolean"},
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}},
        ]
    }
)
class SettingField(serializers.Field[Any, Any, Any, Any]):
    """A number, a switch, text or a list of words; which of them is each setting's own question."""

    def to_internal_value(self, data: Any) -> Any:
        words = isinstance(data, list) and all(isinstance(word, str) for word in data)
        if not words and not isinstance(data, int | bool | str):
            raise serializers.ValidationError(
                "A number, true, false, text or a list of words.", code="bad-value"
            )
        return data

    def to_representation(self, value: Any) -> Any:
        return value


# --- whose ----------------------------------------------------------------------------------------------


class WhereShape(Shape):
    """One phone; or an account and all below it, of its phones those of one family or model."""

    device = CodeField(Device, required=False)
    account = AccountField(required=False)
    family = LineField(max_length=40, required=False)
    model = LineField(max_length=60, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wrong = _misplaced(attrs)
        if wrong:
            raise serializers.ValidationError(wrong)
        return attrs


def _misplaced(attrs: dict[str, Any]) -> dict[str, list[str]]:
    if "device" in attrs:
        others = [name for name in ("account", "family", "model") if name in attrs]
        return {name: ["A phone has one already."] for name in others}
    if "account" not in attrs:
        return {"account": ["Name an account, or a device."]}
    if "model" in attrs and "family" not in attrs:
        return {"family": ["Name the family of the model."]}
    return {}


class SettingValueShape(WhereShape):
    value = SettingField()


class RawValueShape(WhereShape):
    value = LineField(max_length=500, allow_blank=True, trim_whitespace=False)


def _where(request: Request, shape: type[WhereShape], data: Any) -> dict[str, Any]:
    wanted = shape(data=data, context={"request": request})
    wanted.is_valid(raise_exception=True)
    found: dict[str, Any] = wanted.validated_data
    return found


def target_of(where: dict[str, Any]) -> Target:
    """The phone, account or model that was named."""
    if "device" in where:
        device: Device = where["device"]
        return device
    account: Account = where["account"]
    if "family" not in where:
        return account
    if "model" not in where:
        raise serializers.ValidationError({"model": ["Name the model too: a family has no settings."]})
    return model_in(account, where["family"], where["model"])


# --- settings -------------------------------------------------------------------------------------------


class WordShape(Shape):
    value = serializers.CharField()
    title = serializers.CharField()


class SettingLackShape(Shape):
    which = serializers.CharField(help_text="The model; for an account, a family or some of it.")
    reason = serializers.CharField()


class GivenShape(Shape):
    """A value with the place it was given at, as far as the caller can see that."""

    value = SettingField()
    level = serializers.ChoiceField(LEVELS)
    place = serializers.CharField(allow_null=True)
    account = serializers.CharField(allow_null=True)


class SettingShape(GivenShape):
    """One setting as it holds for a phone, a model or an account."""

    name = serializers.CharField()
    title = serializers.CharField()
    help = serializers.CharField()
    kind = serializers.ChoiceField([(kind.value, kind.value) for kind in Kind])
    default = SettingField()
    lowest = serializers.IntegerField(allow_null=True)
    highest = serializers.IntegerField(allow_null=True)
    optional = serializers.BooleanField(help_text="It may be empty text: as the phone has it.")
    choices = WordShape(many=True)
    is_own = serializers.BooleanField(help_text="Given for exactly what was asked about.")
    may_change = serializers.BooleanField()
    inherited = GivenShape(allow_null=True, help_text="What would hold without the own value.")
    cannot = SettingLackShape(many=True, help_text="The phones that cannot express it.")


class GroupShape(Shape):
    group = serializers.ChoiceField([(group.value, group.value) for group in Group])
    settings = SettingShape(many=True)


class SettingDoor(ApiSet):
    """The settings of a phone, an account or a model: GET all; GET, PUT and DELETE one of them by its name.

    To change one, If-Match names the version of that one, or of all of them.
    """

    @extend_schema(parameters=[*WHERE, *etags.READS], responses=GroupShape(many=True))
    def list(self, request: Request) -> Response:
        target, reader = target_of(_where(request, WhereShape, request.query_params.dict())), acting(request)
        found = trails(target)
        shown = [
            {"group": group, "settings": [_shaped(one, found[one.name], target, reader) for one in row]}
            for group, row in GROUPS.items()
        ]
        return etags.tagged(Response(GroupShape(shown, many=True).data), _version(found))

    @extend_schema(parameters=[*WHERE, *etags.READS], responses=SettingShape)
    def retrieve(self, request: Request, name: str) -> Response:
        """One of them."""
        _named(name)
        return _one(
            target_of(_where(request, WhereShape, request.query_params.dict())), name, acting(request)
        )

    @extend_schema(parameters=etags.CHANGES, request=SettingValueShape, responses=SettingShape)
    def update(self, request: Request, name: str) -> Response:
        """Give it to the phone; or to the account or model and all phones below."""
        _named(name)
        where = _where(request, SettingValueShape, request.data)
        target = target_of(where)
        with etags.unchanged(request, partial(_held_versions, target, name)):
            settings_tree.set_value(target, by=acting(request), name=name, value=where["value"])
        return _one(target, name, acting(request))

    @extend_schema(parameters=[*WHERE, *etags.CHANGES], responses={200: SettingShape})
    def destroy(self, request: Request, name: str) -> Response:
        """Take back the own value: what stands above it holds again, and is answered."""
        _named(name)
        target = target_of(_where(request, WhereShape, request.query_params.dict()))
        with etags.unchanged(request, partial(_held_versions, target, name)):
            settings_tree.reset_value(target, by=acting(request), name=name)
        return _one(target, name, acting(request))


def _named(name: str) -> Setting:
    if name not in SETTINGS:
        raise exceptions.NotFound
    return SETTINGS[name]


def _one(target: Target, name: str, reader: Actor) -> Response:
    """Read again: the verb holds a row of its own."""
    fresh = _fresh(target)
    trail = trails(fresh)[name]
    shown = SettingShape(_shaped(SETTINGS[name], trail, fresh, reader)).data
    return etags.tagged(Response(shown), _version({name: trail}))


def _version(found: Mapping[str, Trail]) -> str:
    """What tells these values, and the levels that gave them, from any others."""
    return etags.tag([(name, [given[:2] for given in found[name]]) for name in sorted(found)])


def _held_versions(target: Target, name: str) -> set[str]:
    """The versions of all settings and of this one, nobody else writing there any more."""
    found = trails(settings_tree.held(target))
    return {_version(found), _version({name: found[name]})}


def _fresh(target: Target) -> Target:
    if isinstance(target, ModelIn):
        return target
    target.refresh_from_db()
    return target


def _shaped(setting: Setting, trail: Trail, target: Target, reader: Actor) -> dict[str, Any]:
    holds, bounds = trail[-1], setting.bounds
    account = target if isinstance(target, Account) else target.account
    is_number, without = bounds.kind is Kind.NUMBER, without_own(setting.name, trail, target)
    return {
        **given(holds, reader),
        "name": setting.name,
        "title": setting.title,
        "help": setting.help,
        "kind": bounds.kind,
        "default": setting.default,
        "lowest": bounds.lowest if is_number else None,
        "highest": bounds.highest if is_number else None,
        "optional": bounds.optional,
        "choices": [{"value": value, "title": told(title)} for value, title in bounds.choices.items()],
        "is_own": holds.at == target,
        "may_change": reader.may(Power.EDIT_SETTINGS, account.path)
        and not (setting.for_models and isinstance(target, Account)),
        "inherited": given(without, reader) if without else None,
        "cannot": [lack._asdict() for lack in lacks(target, setting.name)],
    }


def given(given: Given, reader: Actor) -> dict[str, Any]:
    known = given.named_to(reader)
    return {
        "value": given.value,
        "level": given.level,
        "place": str(given.at) if known and given.at else None,
        "account": given.account.slug if known and given.account else None,
    }


# --- the vendors' own keys ------------------------------------------------------------------------------


class RawShape(Shape):
    """One of the vendor's own keys with what it was given for."""

    key = serializers.CharField()
    value = serializers.CharField()
    family = serializers.CharField()
    model = serializers.CharField(help_text="Empty: all models of the family.")
    account = serializers.CharField(allow_null=True, help_text="As far as the caller can see it.")
    device = serializers.CharField(allow_null=True)
    is_own = serializers.BooleanField(help_text="Given for exactly what was asked about.")
    holds = serializers.BooleanField(help_text="False: the same key, given nearer to the phones, wins.")


class RawKeyDoor(ApiSet):
    """The vendors' own keys in phones' files, for those who may add them and for nobody else."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not acting(request).may_anywhere(Power.EDIT_RAW_KEYS):
            raise Forbidden

    @extend_schema(parameters=WHERE, responses=RawShape(many=True))
    def list(self, request: Request) -> Response:
        """What was given here and above; for an account of all families, the outermost first."""
        where = _where(request, WhereShape, request.query_params.dict())
        return Response(RawShape(list(self._rows(where, request)), many=True).data)

    @extend_schema(request=RawValueShape, responses=RawShape(many=True))
    def update(self, request: Request, key: str) -> Response:
        """Add the key to the phone's file, or to those of a family or model; answers what stands then."""
        where = _where(request, RawValueShape, request.data)
        value = where.pop("value")
        raw_keys.set_value(_raw_target(where), by=acting(request), key=key, value=value)
        return Response(RawShape(list(self._rows(where, request)), many=True).data)

    @extend_schema(parameters=WHERE, responses={204: None})
    def destroy(self, request: Request, key: str) -> Response:
        """Take back what was given here."""
        where = _where(request, WhereShape, request.query_params.dict())
        raw_keys.reset_value(_raw_target(where), by=acting(request), key=key)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _rows(self, where: dict[str, Any], request: Request) -> Iterator[dict[str, Any]]:
        target: Any = where["account"] if "device" not in where and "family" not in where else None
        target = target or _raw_target(where)
        account = target if isinstance(target, Account) else target.account
        if not acting(request).may(Power.EDIT_RAW_KEYS, account.path):
            raise Forbidden
        rows = raw_keys.standing(target)
        last = {row.key.casefold(): row for row in rows}
        for row in rows:
            known = acting(request).may(Power.SEE_ACCOUNT, row.account.path)
            yield {
                "key": row.key,
                "value": row.value,
                "family": row.family,
                "model": row.model,
                "account": row.account.slug if known else None,
                "device": str(row.device.code) if row.device else None,
                "is_own": raw_keys.is_given_for(row, target),
                "holds": isinstance(target, Account) or last[row.key.casefold()] is row,
            }


def _raw_target(where: dict[str, Any]) -> raw_keys.Target:
    if "device" in where:
        device: Device = where["device"]
        return device
    if "family" not in where:
        raise serializers.ValidationError({"family": ["Name the family whose key it is."]})
    return raw_keys.target_in(where["account"], where["family"], where.get("model", ""))
