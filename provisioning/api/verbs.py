"""What people do to one phone beyond its lock, over the API; mixed into the door of phones."""

from typing import Any, ClassVar

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Door
from accounts.refusals import Invalid
from accounts.roles import Power
from accounts.shapes import AccountField, LineField, Shape
from devices.models import Device
from provisioning import clones, locking, moving, resync, retiring, suspicion, swapping, taking_back
from provisioning.api.fields import MacField, OriginField, with_for
from provisioning.api.resyncs import ResyncShape, ResyncWish
from provisioning.api.shapes import LockShape
from provisioning.models import Claim


class QuarantineShape(Shape):
    reason = LineField(max_length=300)


class ClaimShape(Shape):
    """A first fetch that brought new tokens: when, by which rule, from where; undone, or offered to be."""

    code = serializers.UUIDField()
    at = serializers.DateTimeField()
    rule = serializers.CharField()
    address = serializers.CharField()
    agent = serializers.CharField()
    undone_at = serializers.DateTimeField(allow_null=True)
    offered = serializers.SerializerMethodField(help_text="Undone by a take-back that names none.")

    def get_offered(self, claim: Claim) -> bool:
        return bool(claim.pk == self.context["offered"])


class TakeBackShape(Shape):
    claim = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="It and all later ones are undone; without it, the offered one.",
    )


class CloneAnswerShape(Shape):
    decision = serializers.ChoiceField(list(clones.ANSWERS.items()))


class SwapShape(Shape):
    """The new hardware: its MAC in any spelling, and its model where that is another one of the family."""

    mac = MacField(max_length=40)
    model = LineField(max_length=60, required=False, allow_blank=True)


class MoveShape(Shape):
    account = AccountField()
    name = LineField(max_length=120, required=False, allow_blank=True, help_text="None unless given.")


class _Release(Shape):
    """Why it is let go, and whether it is unlocked at once: for how long, and for which origin alone."""

    reason = LineField(max_length=300)
    origin = OriginField(required=False, allow_null=True)


ReleaseShape = with_for(_Release, "ReleaseShape", required=False, allow_null=True)


class Verbs(Door):
    """The verbs below `devices/{code}/`; each answers with the lock as it has left it."""

    verb_powers: ClassVar[dict[str, Power]] = {
        "quarantine": Power.QUARANTINE_DEVICE,
        "release": Power.RELEASE_DEVICE,
        "take_back": Power.TAKE_BACK,
        "clone": Power.TAKE_BACK,
        "retire": Power.RETIRE_DEVICE,
        "swap": Power.EDIT_DEVICES,
        "move": Power.MOVE_DEVICE,
        "resync": Power.EDIT_DEVICES,
    }

    def lock_of(self, device: Device) -> dict[str, Any]:
        """The lock as the verb has left it."""
        return dict(self.fresh(device)["lock"])

    @extend_schema(request=QuarantineShape, responses=LockShape)
    @action(detail=True, methods=["post"])
    def quarantine(self, request: Request, code: str) -> Response:
        """Shut it out of both URLs until its provider lifts that (E8q)."""
        device = self.get_object()
        locking.quarantine(device, by=self.actor, **self.read(request, QuarantineShape))
        return Response(self.lock_of(device))

    @extend_schema(request=ReleaseShape, responses=LockShape)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, code: str) -> Response:
        """Lift suspicion and quarantine: locked as before, or unlocked when `for` says so (E8)."""
        device = self.get_object()
        wanted = self.read(request, ReleaseShape)
        suspicion.release(
            device,
            by=self.actor,
            reason=wanted["reason"],
            unlock=wanted.get("for"),
            origin=wanted.get("origin"),
        )
        return Response(self.lock_of(device))

    @extend_schema(responses=ClaimShape(many=True), filters=False)
    @action(detail=True, filterset_class=None)
    def claims(self, request: Request, code: str) -> Response:
        """Every time it was set up, since it was entered, moved or swapped, the newest first."""
        device = self.get_object()
        offered = taking_back.offered(device)
        page = self.paginate_queryset(device.claims.order_by("-pk")) or []
        shown = ClaimShape(page, many=True, context={"offered": offered.pk if offered else None})
        return self.get_paginated_response(shown.data)

    @extend_schema(request=TakeBackShape, responses=LockShape)
    @action(detail=True, methods=["post"], url_path="take-back")
    def take_back(self, request: Request, code: str) -> Response:
        """Undo a claim and all later ones: what they brought is dead at once (E16)."""
        device = self.get_object()
        wanted = self.read(request, TakeBackShape).get("claim")
        claim = device.claims.filter(code=wanted).first() if wanted else None
        if wanted and claim is None:
            raise Invalid("claim", gettext("There is no claim of this phone with this code."), rule="E16")
        taking_back.take_back(device, by=self.actor, claim=claim)
        return Response(self.lock_of(device))

    @extend_schema(request=CloneAnswerShape, responses=LockShape)
    @action(detail=True, methods=["post"])
    def clone(self, request: Request, code: str) -> Response:
        """Answer a suspected clone: take it back, say that it was moved, or change its SIP secrets (T3)."""
        device = self.get_object()
        clones.answer(device, by=self.actor, **self.read(request, CloneAnswerShape))
        return Response(self.lock_of(device))

    @extend_schema(request=None, responses=LockShape)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, code: str) -> Response:
        """Take it out of use: a last file without accounts for 30 days, then nothing (E19)."""
        device = self.get_object()
        retiring.retire(device, by=self.actor)
        return Response(self.lock_of(device))

    @extend_schema(request=SwapShape)
    @action(detail=True, methods=["post"])
    def swap(self, request: Request, code: str) -> Response:
        """Put other hardware in its place; lines, keys and settings stay (E12)."""
        device = swapping.swap(self.get_object(), by=self.actor, **self.read(request, SwapShape))
        return Response(self.fresh(device))

    @extend_schema(request=MoveShape)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, code: str) -> Response:
        """Give it to another account, where it is locked to nothing and shows nothing (E17)."""
        device, wanted = self.get_object(), self.read(request, MoveShape)
        moved = moving.move(device, by=self.actor, to=wanted["account"], name=wanted.get("name", ""))
        return Response(self.fresh(moved))

    @extend_schema(request=ResyncWish, responses={202: ResyncShape})
    @action(detail=True, methods=["post"])
    def resync(self, request: Request, code: str) -> Response:
        """Ask it to fetch its files again, through the SIP edge; what came of it is in its events."""
        device = self.get_object()
        row = resync.ask(device, by=self.actor, **self.read(request, ResyncWish))
        return Response(ResyncShape(row).data, status=status.HTTP_202_ACCEPTED)
