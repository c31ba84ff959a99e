"""What people do to one phone beyond its lock, over the API; mixed into the door of phones."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Door
from accounts.roles import Power
from accounts.shapes import LineField, Shape
from devices.models import Device
from provisioning import locking, suspicion
from provisioning.api.fields import OriginField, with_for
from provisioning.api.shapes import LockShape


class QuarantineShape(Shape):
    reason = LineField(max_length=300)


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
