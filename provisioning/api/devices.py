"""Phones over the API: entering, changing, their log, and the verbs of their locks."""

from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import etags, many
from accounts.filtering import OfAccountAndBelow, Ordering, YesNo, since, until
from accounts.models import Account, Membership, User
from accounts.roles import Power
from accounts.shapes import AccountField, CodeField, LineField, Shape
from accounts.speaking import told
from devices import holding
from devices.api import OfFamily
from devices.mac import parse_mac
from devices.models import Device, Profile, Site
from provisioning import describing, draining, entering, events, finding, locking, publishing
from provisioning.api.comparing import CompareVerbs
from provisioning.api.exports import ExportVerbs
from provisioning.api.feed import LogFilter
from provisioning.api.fields import MacField
from provisioning.api.hardening import HardeningVerbs
from provisioning.api.keys import KeyVerbs
from provisioning.api.previews import FileVerbs
from provisioning.api.shapes import AllowShape, EventShape, LockShape, RearmShape, UnlockShape
from provisioning.api.unlock_links import UnlockLinkVerbs
from provisioning.api.verbs import Verbs
from provisioning.gate import State
from provisioning.models import DeviceEvent


class SeenShape(Shape):
    """The last check-in."""

    at = serializers.DateTimeField()
    address = serializers.CharField()
    agent = serializers.CharField()
    model = serializers.CharField()
    firmware = serializers.CharField()


class DeviceShape(Shape):
    """One phone with its lock."""

    code = serializers.UUIDField()
    account = AccountField()
    mac = serializers.CharField()
    family = serializers.CharField()
    model = serializers.CharField()
    name = serializers.CharField()
    owner = serializers.EmailField(source="owner.email", default=None, allow_null=True)
    site = CodeField(Site, allow_null=True)
    profile = CodeField(Profile, allow_null=True)
    is_enabled = serializers.BooleanField()
    notes = serializers.CharField()
    created_at = serializers.DateTimeField()
    lock = serializers.SerializerMethodField()
    last_seen = SeenShape(default=None, allow_null=True)

    @extend_schema_field(LockShape)
    def get_lock(self, device: Device) -> dict[str, Any]:
        view: describing.LockView = self.context["locks"][device.pk]
        return view.as_json()


class DeviceChange(Shape):
    """What can be changed of a phone."""

    model = LineField(max_length=60, required=False)
    name = LineField(max_length=120, required=False, allow_blank=True)
    owner = serializers.EmailField(required=False, allow_null=True)
    site = CodeField(Site, required=False, allow_null=True)
    is_enabled = serializers.BooleanField(required=False)
    notes = serializers.CharField(max_length=5000, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        account = attrs["account"] if "account" in attrs else self.context["account"]
        site = attrs.get("site")
        if site is not None and site.account_id != account.pk:
            raise CodeField(Site).complain("site")
        if attrs.get("owner"):
            attrs["owner"] = self._person(account, attrs["owner"])
        return attrs

    def _person(self, account: Account, email: str) -> User:
        """A phone's owner is a user of its account."""
        people = Membership.objects.visible_to(self.sender).filter(
            account__path__in=account.ancestor_paths(), user__email=email.lower()
        )
        membership = people.select_related("user").first()
        if membership is None:
            raise serializers.ValidationError(
                {"owner": ["There is no such person in this account."]}, code="unknown"
            )
        user: User = membership.user
        return user


class NewDevice(DeviceChange):
    """What enters a phone."""

    account = AccountField()
    mac = MacField(max_length=40)
    family = LineField(max_length=40)
    model = LineField(max_length=60)
    ship_on = serializers.DateField(required=False, allow_null=True)
    is_enabled = None  # type: ignore[assignment]
    notes = None  # type: ignore[assignment]


class DeviceFilter(filters.FilterSet):  # type: ignore[misc]
    """The words of the page *Phones*, and those that only a program needs."""

    mac = filters.CharFilter(method="by_mac", label="In any spelling.")
    account = OfAccountAndBelow(label="The account's phones and those below it.")
    state = filters.ChoiceFilter(
        choices=[(state, state) for state in finding.STATES],
        method="by_state",
        label="A lock's, or: waiting for an answer, a suspected clone, under suspicion, disabled.",
    )
    family = OfFamily(field_name="family")
    model = filters.CharFilter(field_name="model")
    site = filters.UUIDFilter(field_name="site__code")
    owner = filters.CharFilter(field_name="owner__email")
    firmware = filters.CharFilter(field_name="last_seen__firmware", label="As last seen, exactly.")
    seen = YesNo(field_name="last_seen", lookup_expr="isnull", exclude=True, label="Has ever checked in.")
    quiet = YesNo(method="by_quiet", label="Is waited for, and does not check in.")
    profile = filters.UUIDFilter(field_name="profile__code")
    is_enabled = YesNo(field_name="is_enabled")
    seen_since, seen_until = since("last_seen__at"), until("last_seen__at")
    search = filters.CharFilter(method="find", label="In name, MAC, owner, line and address.")
    ordering = Ordering(
        name="name mac",
        mac="mac",
        model="model name mac",
        created_at="created_at mac",
        last_seen__at="last_seen__at name mac",
    )

    def by_mac(self, rows: QuerySet[Device], name: str, value: str) -> QuerySet[Device]:
        try:
            return rows.filter(mac=parse_mac(value))
        except ValueError as error:
            raise serializers.ValidationError({"mac": [told(error.args[0])]}, code="bad-mac") from error

    def by_state(self, rows: QuerySet[Device], name: str, value: str) -> QuerySet[Device]:
        """By what the lock is now: an unlock that is over is a lock again before the sweep says so (R8)."""
        now = timezone.now()
        over = Q(lock__state=State.UNLOCKED.value, lock__grant_until__lte=now)
        if value not in set(State):
            return finding.in_state(rows, value, now)
        if value == State.UNLOCKED.value:
            return rows.filter(lock__state=value).exclude(over)
        if value == State.LOCKED.value:
            return rows.filter(Q(lock__state=value) | over)
        return rows.filter(lock__state=value)

    def by_quiet(self, rows: QuerySet[Device], name: str, value: bool) -> QuerySet[Device]:
        quiet = finding.quiet(rows, timezone.now())
        return quiet if value else rows.exclude(pk__in=quiet.order_by().values("pk"))

    def find(self, rows: QuerySet[Device], name: str, value: str) -> QuerySet[Device]:
        return finding.matching(rows, value)


def version(device: Device) -> str:
    """What tells it from what it was before people changed it; not what the phone does by itself."""
    names = ("account_id", "mac", "family", "model", "name", "owner_id", "site_id", "profile_id")
    return etags.tag(*(getattr(device, name) for name in (*names, "is_enabled", "notes")))


def _version_to_remove(device: Device) -> set[str]:
    """The version of the phone, held; the drain waits first, which has phones' keys in its hands."""
    draining.pause()
    return {version(holding.held(device))}


@extend_schema_view(bulk=many.described("Device", NewDevice, DeviceChange))
class DeviceDoor(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    many.ManyVerbs,
    KeyVerbs,
    FileVerbs,
    CompareVerbs,
    ExportVerbs,
    HardeningVerbs,
    UnlockLinkVerbs,
    Verbs,
):
    """The phones that the caller can see."""

    queryset = Device.objects.none()
    serializer_class = DeviceShape
    filterset_class = DeviceFilter
    powers: ClassVar[dict[str, Power]] = {
        **dict.fromkeys(("create", "partial_update", "destroy", "bulk"), Power.EDIT_DEVICES),
        **dict.fromkeys(("unlock", "lock", "allow"), Power.OWN_PHONES),
        "rearm": Power.REARM_DEVICE,
        **Verbs.verb_powers,
    }

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """The phones' locks are described together: a page of them costs as many queries as one."""
        shown: Any = super().get_serializer(*args, **kwargs)
        rows = list(args[0]) if kwargs.get("many") else list(args)
        shown.context["locks"] = describing.describe_locks(rows, now=timezone.now()) if rows else {}
        return shown

    def dress(self, rows: Any) -> Any:
        rows = finding.visible_to(self.actor) if self.action == "list" else rows
        joined = rows.select_related("account", "owner", "site", "profile", "last_seen")
        return joined.order_by("name", "mac")

    def together(self) -> AbstractContextManager[None]:
        return publishing.together()

    @extend_schema(request=NewDevice, responses={201: DeviceShape})
    def create(self, request: Request) -> Response:
        wanted = self.read(request, NewDevice)
        device = entering.enter(wanted.pop("account"), by=self.actor, **wanted)
        return Response(self.fresh(device), status=status.HTTP_201_CREATED)

    @extend_schema(parameters=etags.READS, responses=DeviceShape)
    def retrieve(self, request: Request, code: str) -> Response:
        device = self.get_object()
        return etags.tagged(Response(self.get_serializer(device).data), version(device))

    @extend_schema(parameters=etags.CHANGES, request=DeviceChange, responses=DeviceShape)
    def partial_update(self, request: Request, code: str) -> Response:
        device = self.get_object()
        wanted = self.read(request, DeviceChange, partial=True, account=device.account)
        with etags.unchanged(request, lambda: {version(holding.held(device))}):
            changed = entering.change(device, by=self.actor, **wanted)
        return etags.tagged(Response(self.fresh(device)), version(changed))

    @extend_schema(parameters=[etags.IF_MATCH], responses={204: None})
    def destroy(self, request: Request, code: str) -> Response:
        device = self.get_object()
        with etags.unchanged(request, partial(_version_to_remove, device)):
            entering.remove(device, by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=EventShape(many=True), filters=True)
    @action(detail=True, filterset_class=LogFilter)
    def events(self, request: Request, code: str) -> Response:
        """The phone's log, the newest first."""
        device = self.get_object()
        # What happened under another account stays with that account.
        rows = DeviceEvent.objects.visible_to(self.actor).filter(device=device, account=device.account_id)
        rows = self.narrowed(rows.select_related("account").order_by("-at", "-id"))
        page = self.paginate_queryset(rows) or []
        told = [events.described(event) for event in page]
        return self.get_paginated_response(EventShape(told, many=True).data)

    @extend_schema(request=UnlockShape, responses=LockShape)
    @action(detail=True, methods=["post"])
    def unlock(self, request: Request, code: str) -> Response:
        """Let the next root fetch in, from one origin or from any (E1)."""
        device = self.get_object()
        wanted = self.read(request, UnlockShape)
        locking.unlock(device, by=self.actor, span=wanted["for"], origin=wanted.get("origin"))
        return Response(self.lock_of(device))

    @extend_schema(request=AllowShape, responses=LockShape)
    @action(detail=True, methods=["post"])
    def allow(self, request: Request, code: str) -> Response:
        """Let it set itself up again, once, for the time that its policy gives its user (E2)."""
        device = self.get_object()
        locking.allow_reprovision(device, by=self.actor, **self.read(request, AllowShape))
        return Response(self.lock_of(device))

    @extend_schema(request=None, responses=LockShape)
    @action(detail=True, methods=["post"])
    def lock(self, request: Request, code: str) -> Response:
        """Lock again, with the previous binding (E5)."""
        device = self.get_object()
        locking.lock_again(device, by=self.actor)
        return Response(self.lock_of(device))

    @extend_schema(request=RearmShape, responses=LockShape)
    @action(detail=True, methods=["post"])
    def rearm(self, request: Request, code: str) -> Response:
        """As new, from now or from the day it ships (E11)."""
        device = self.get_object()
        locking.rearm(device, by=self.actor, ship_on=self.read(request, RearmShape).get("ship_on"))
        return Response(self.lock_of(device))
