"""Addresses over the API: what stands against one, bans, and the networks where more may fail."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiView, Door
from accounts.filtering import OfAccount, Ordering, YesNo, since, until
from accounts.refusals import Forbidden
from accounts.roles import Power
from accounts.shapes import AccountField, LineField, Shape
from accounts.speaking import told
from provisioning import checking, unblocking
from provisioning.api.fields import AddressField
from provisioning.gate import KeyKind
from security import allowances, bans
from security.models import AllowedNetwork, Ban
from security.networks import AddressError, Network, origin_of, parse_address, parse_network


class NetworkField(serializers.CharField):
    """An address, or a network as `203.0.113.0/28`."""

    def to_internal_value(self, data: Any) -> Network:  # type: ignore[override]
        try:
            return parse_network(super().to_internal_value(data)[:60])
        except AddressError as error:
            raise serializers.ValidationError(told(error.args[0]), code="bad-network") from error

    def to_representation(self, value: Any) -> str:
        return str(value)


FAILURE_KINDS = [(kind.value, kind.value) for kind in KeyKind]


class BanShape(Shape):
    """A time in which a network gets nothing at the root URL (banned) or nothing at all (blocked)."""

    code = serializers.UUIDField()
    kind = serializers.ChoiceField(Ban.Kind.choices)
    network = NetworkField()
    reason = serializers.CharField()
    set_by = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    lifted_at = serializers.DateTimeField(allow_null=True)
    lifted_by = serializers.CharField()
    step = serializers.IntegerField(
        help_text="Earned for the how manyth time in 24 hours; 0: set by a person."
    )
    propose_block = serializers.BooleanField(
        help_text="Earned for the third time or more: a person may block it."
    )
    threshold = serializers.SerializerMethodField(help_text='Of an earned one, as "10 + 5 of 50 proved".')

    def get_threshold(self, row: Ban) -> str:
        return str(row.evidence.get("threshold", ""))


class NewBan(Shape):
    network = NetworkField()
    kind = serializers.ChoiceField(Ban.Kind.choices, default=Ban.Kind.BANNED)
    hours = serializers.IntegerField(min_value=1, max_value=90 * 24)
    reason = LineField(max_length=300)


class WhichAddress(Shape):
    address = AddressField(required=False, help_text="One of the caller's own; otherwise the request's.")


class AllowedShape(Shape):
    """A network whose phones are known in number: more may fail there, and a ban becomes an alert (B8)."""

    code = serializers.UUIDField(read_only=True)
    account = AccountField()
    network = NetworkField()
    reason = LineField(max_length=300)
    ends_at = serializers.DateTimeField(help_text="At most a year from now.")
    state = serializers.SerializerMethodField()
    proposed_by = serializers.CharField(read_only=True)
    granted_by = serializers.CharField(read_only=True)
    granted_at = serializers.DateTimeField(read_only=True, allow_null=True)
    ended_by = serializers.CharField(read_only=True)
    ended_at = serializers.DateTimeField(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)

    def get_state(self, row: AllowedNetwork) -> str:
        return row.state(timezone.now())


class CountShape(Shape):
    kind = serializers.ChoiceField(FAILURE_KINDS)
    count = serializers.IntegerField()


class OwnFailureShape(Shape):
    device = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(FAILURE_KINDS)
    count = serializers.IntegerField(help_text="Tries of this kind in the newest hour of them.")
    last_at = serializers.DateTimeField()


class CheckWindowShape(Shape):
    code = serializers.UUIDField()
    account = AccountField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class UnknownPhoneShape(Shape):
    mac = serializers.CharField()
    family = serializers.CharField()
    model = serializers.CharField(help_text="Empty: the phone did not say a model that is known.")
    account = AccountField(help_text="Whose it seems to be.")
    tries = serializers.IntegerField()
    last_at = serializers.DateTimeField()


class CheckShape(Shape):
    """What stands against an address, and what is behind it of the caller's."""

    address = serializers.CharField()
    origin = NetworkField(help_text='What "the same address" means: an IPv4 address, an IPv6 /64.')
    banned = BanShape(allow_null=True)
    blocked = BanShape(allow_null=True)
    allowed_until = serializers.DateTimeField(allow_null=True)
    storm_since = serializers.DateTimeField(
        allow_null=True, help_text="Many phones that the caller may see ask at once there: no attack (B2)."
    )
    failed = serializers.IntegerField(help_text="Distinct failures of the last hour.")
    failures = CountShape(many=True)
    own_failures = OwnFailureShape(many=True)
    windows = CheckWindowShape(many=True)
    phones = serializers.IntegerField(help_text="Of the caller's: proved there in the last 30 days.")
    caller_is_there = serializers.BooleanField()
    may_unblock = serializers.BooleanField()
    why_not = serializers.CharField(help_text="Why the caller may not end the ban, where one stands.")
    unknown_phones = UnknownPhoneShape(many=True)


class IpCheck(ApiView):
    """What stands against an address: the caller's own, or one where phones that he may see live."""

    @extend_schema(
        parameters=[OpenApiParameter("address", str, description="Without it: the request's own.")],
        responses={200: CheckShape, 404: None},
    )
    def get(self, request: Request) -> Response:
        actor = acting(request)
        asked = str(request.query_params.get("address", actor.address or ""))[:60]
        try:
            found = checking.check(asked, by=actor, now=timezone.now())
        except AddressError as error:
            raise serializers.ValidationError(
                {"address": [told(error.args[0])]}, code="bad-address"
            ) from error
        if found is None:
            raise exceptions.NotFound
        return Response(CheckShape(_shaped(found), context={"request": request}).data)


class BanFilter(filters.FilterSet):  # type: ignore[misc]
    standing = YesNo(method="only_standing")
    kind = filters.ChoiceFilter(choices=Ban.Kind.choices)
    address = filters.CharFilter(method="by_address", label="Those that cover this address.")
    since, until = since("starts_at"), until("starts_at")
    ordering = Ordering(starts_at="starts_at code", ends_at="ends_at code")

    def by_address(self, rows: Any, name: str, value: str) -> Any:
        try:
            here = origin_of(parse_address(value))
        except AddressError as error:
            raise serializers.ValidationError({name: [told(error.args[0])]}, code="bad-address") from error
        return rows.filter(first__lte=here.hex_first, last__gte=here.hex_last)

    def only_standing(self, rows: Any, name: str, value: bool) -> Any:
        now = timezone.now()
        standing = rows.standing(now)
        return standing if value else rows.exclude(pk__in=standing.values("pk"))


class BanDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """Bans and blocks: all of them for platform support, for others those that hit their own phones (B7)."""

    queryset = Ban.objects.none()
    serializer_class = BanShape
    filterset_class = BanFilter

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Ban.objects.none()
        return checking.bans_seen_by(self.actor, timezone.now()).order_by("-starts_at", "-code")

    @extend_schema(request=NewBan, responses={201: BanShape})
    def create(self, request: Request) -> Response:
        """Ban or block a network."""
        if not bans.may_see_all(self.actor):
            raise Forbidden("B7")
        wanted = self.read(request, NewBan)
        keep_out = bans.block if wanted["kind"] == Ban.Kind.BLOCKED else bans.set_ban
        length = timedelta(hours=wanted["hours"])
        ban = keep_out(wanted["network"], by=self.actor, length=length, reason=wanted["reason"])
        return Response(BanShape(ban).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, code: str) -> Response:
        """Lift it now."""
        bans.lift(self.get_object(), by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=WhichAddress, responses={200: BanShape, 404: None})
    @action(detail=False, methods=["post"], url_path="mine/lift", url_name="lift-mine")
    def lift_mine(self, request: Request) -> Response:
        """End the ban of the address that the request comes from (B6)."""
        wanted = self.read(request, WhichAddress)
        address = wanted.get("address", self.actor.address)
        if not address:
            raise exceptions.NotFound
        return Response(BanShape(unblocking.unblock(address, by=self.actor)).data)


class AllowedFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    standing = YesNo(method="only_standing")
    ordering = Ordering(created_at="created_at code", ends_at="ends_at code")

    def only_standing(self, rows: Any, name: str, value: bool) -> Any:
        standing = rows.standing(timezone.now())
        return standing if value else rows.exclude(pk__in=standing.values("pk"))


class AllowedDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """Networks where more may fail (B8): POST proposes, or grants at once what the caller may grant."""

    queryset = AllowedNetwork.objects.none()
    serializer_class = AllowedShape
    filterset_class = AllowedFilter
    powers: ClassVar[dict[str, Power]] = {
        "create": Power.PROPOSE_ALLOWANCE,
        "destroy": Power.PROPOSE_ALLOWANCE,
        "grant": Power.GRANT_ALLOWANCE,
    }

    def dress(self, rows: Any) -> Any:
        return rows.select_related("account").order_by("-created_at", "-code")

    @extend_schema(responses={201: AllowedShape})
    def create(self, request: Request) -> Response:
        wanted = self.read(request, AllowedShape)
        now: datetime = timezone.now()
        row = allowances.propose(
            wanted["account"],
            wanted["network"],
            by=self.actor,
            reason=wanted["reason"],
            length=wanted["ends_at"] - now,
            now=now,
        )
        return Response(self.fresh(row), status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=AllowedShape)
    @action(detail=True, methods=["post"])
    def grant(self, request: Request, code: str) -> Response:
        """Grant what was proposed."""
        return Response(self.fresh(allowances.grant(self.get_object(), by=self.actor)))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, code: str) -> Response:
        """Turn it down, or end it now."""
        allowances.end(self.get_object(), by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _shaped(found: checking.Checked) -> dict[str, Any]:
    return {
        "address": found.address,
        "origin": found.origin,
        "banned": found.banned,
        "blocked": found.blocked,
        "allowed_until": found.allowed.ends_at if found.allowed else None,
        "storm_since": found.storm.opened_at if found.storm else None,
        "failed": found.failed,
        "failures": [{"kind": kind.value, "count": count} for kind, count in found.kinds],
        "own_failures": [
            {
                "device": phone.code,
                "name": str(phone),
                "kind": key.kind,
                "count": key.count,
                "last_at": key.last_at,
            }
            for key, phone in found.own
        ],
        "windows": found.windows,
        "phones": found.living,
        "caller_is_there": found.here,
        "may_unblock": found.may_unblock,
        "why_not": found.why_not,
        "unknown_phones": found.unknown,
    }
