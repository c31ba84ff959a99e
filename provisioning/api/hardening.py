"""Hardening over the API: a phone's score with every protection, and what an account's phones come to."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView, Door
from accounts.models import Account
from accounts.scope import Actor
from accounts.shapes import AccountField, Shape
from devices.levels import Level
from devices.models import Device
from provisioning import hardening
from provisioning.hardening import SETTING_OF, WEIGHTS, PhoneScore, Protection, Standing

ACCOUNT = OpenApiParameter("account", str, required=True, description="The account's slug.")
STATES = [(standing.value, standing.value) for standing in Standing]
LEVELS = [(level.value, level.value) for level in Level]


class NamedShape(Shape):
    """What a protection is called, which setting switches it, and how many of the 100 points it weighs."""

    name = serializers.CharField()
    title = serializers.CharField()
    setting = serializers.CharField()
    weight = serializers.IntegerField()


class ProtectionShape(NamedShape):
    """One protection on one phone."""

    state = serializers.ChoiceField(STATES)
    reason = serializers.CharField(help_text="Why it is not on; empty when it is.")
    level = serializers.ChoiceField(LEVELS, allow_null=True, help_text="Where its switch was set.")
    place = serializers.CharField(
        allow_null=True, help_text="For what it was set, as far as the caller can see it."
    )


class HardeningShape(Shape):
    """How well one phone is protected by its files."""

    points = serializers.IntegerField(
        allow_null=True, help_text="0 to 100; null for a model that is not in the catalogue."
    )
    protections = ProtectionShape(many=True)


class TallyShape(NamedShape):
    """How many phones have one protection."""

    on = serializers.IntegerField()
    off = serializers.IntegerField()
    cannot = serializers.IntegerField()


class WorstShape(Shape):
    device = serializers.UUIDField()
    name = serializers.CharField()
    account = serializers.CharField()
    points = serializers.IntegerField()
    lacking = ProtectionShape(many=True)


class AccountHardeningShape(Shape):
    """The phones of an account and of those below it."""

    account = serializers.CharField()
    points = serializers.IntegerField(
        allow_null=True, help_text="The mean of its phones', rounded down; null without phones."
    )
    phones = serializers.IntegerField()
    unknown = serializers.IntegerField(help_text="Phones of models that are not in the catalogue: no score.")
    protections = TallyShape(many=True)
    worst = WorstShape(many=True, help_text=f"At most {hardening.WORST}, those with the fewest points first.")


class HardeningQuery(Shape):
    account = AccountField()


class HardeningVerbs(Door):
    """The hardening of one phone; mixed into the door of phones."""

    @extend_schema(responses=HardeningShape, filters=False)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def hardening(self, request: Request, code: str) -> Response:
        """Its score, and each protection: on, off and by whom, or why its make cannot."""
        device: Device = self.get_object()
        score = hardening.of_phone(device)
        rows = score.protections if score else ()
        shown = {"points": score.points if score else None, "protections": _shaped(rows, self.actor)}
        return Response(HardeningShape(shown).data)


class AccountHardening(ApiView):
    """The score of an account and all below it, with the phones that are protected least."""

    @extend_schema(parameters=[ACCOUNT], responses=AccountHardeningShape)
    def get(self, request: Request) -> Response:
        query = HardeningQuery(data=request.query_params.dict(), context={"request": request})
        query.is_valid(raise_exception=True)
        account: Account = query.validated_data["account"]
        found, reader = hardening.of_account(account), acting(request)
        shown = {
            "account": account.slug,
            "points": found.points,
            "phones": found.phones,
            "unknown": found.unknown,
            "protections": [
                {
                    **_named(row.name, row.title),
                    "on": row.on,
                    "off": row.off,
                    "cannot": row.cannot,
                }
                for row in found.tallies
            ],
            "worst": [_worst(row, reader) for row in found.worst],
        }
        return Response(AccountHardeningShape(shown).data)


def _worst(row: PhoneScore, reader: Actor) -> dict[str, Any]:
    return {
        "device": row.device.code,
        "name": str(row.device),
        "account": row.device.account.slug,
        "points": row.score.points,
        "lacking": _shaped(row.score.lacking, reader),
    }


def _named(name: str, title: str) -> dict[str, Any]:
    return {"name": name, "title": title, "setting": SETTING_OF[name], "weight": WEIGHTS[name]}


def _shaped(rows: Any, reader: Actor) -> list[dict[str, Any]]:
    return [_protection(row, reader) for row in rows]


def _protection(row: Protection, reader: Actor) -> dict[str, Any]:
    given = row.given
    named = given is not None and given.at is not None and given.named_to(reader)
    return {
        **_named(row.name, row.title),
        "state": row.standing,
        "reason": row.reason(reader),
        "level": given.level if given else None,
        "place": str(given.at) if given and named else None,
    }
