"""Accounts, API keys, the audit and "who am I" over the API."""

from datetime import timedelta
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Length, Substr
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import customers, deleting, keys, tenants
from accounts.authentication import acting
from accounts.doors import ApiView, Door
from accounts.filtering import OfAccount, Ordering, YesNo, since, until
from accounts.models import Account, ApiKey, AuditEntry
from accounts.roles import Power, Role
from accounts.scope import Actor, below
from accounts.shapes import AccountField, CodeField, LineField, Shape

ROLES = [(role.value, role.value) for role in Role]
KEY_ROLES = [(role.value, role.value) for role in keys.ROLES]


class AccountShape(Shape):
    code = serializers.UUIDField(read_only=True)
    slug = serializers.SlugField(read_only=True)
    name = LineField(read_only=True)
    kind = serializers.ChoiceField(Account.Kind.choices, read_only=True)
    parent = serializers.CharField(source="parent_slug", read_only=True, allow_null=True)  # type: ignore[assignment]
    is_active = serializers.BooleanField(read_only=True)
    removed_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When a deleted account goes for good."
    )
    time_zone = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class NewAccount(Shape):
    """What makes an account below `parent`."""

    parent = AccountField()  # type: ignore[assignment]
    slug = serializers.SlugField(max_length=60)
    name = LineField(max_length=120)
    kind = serializers.ChoiceField(Account.Kind.choices, required=False)
    time_zone = LineField(max_length=60, required=False)
    email = serializers.EmailField(required=False, help_text="Whom to invite as its first manager.")
    person = LineField(max_length=120, required=False, help_text="That manager's name.")


class AccountChange(Shape):
    name = LineField(max_length=120, required=False)
    is_active = serializers.BooleanField(required=False, help_text="False: its phones get no file.")
    reason = LineField(
        max_length=300, required=False, allow_blank=True, help_text="Of `is_active`; it stands in the audit."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "reason" in attrs and "is_active" not in attrs:
            raise serializers.ValidationError({"reason": ["Only is_active takes a reason."]})
        return attrs


class Deletion(Shape):
    """What confirms it: the account's own slug."""

    slug = LineField(max_length=60)


class ApiKeyShape(Shape):
    code = serializers.UUIDField(read_only=True)
    account = AccountField()
    name = LineField(max_length=50)
    role = serializers.ChoiceField(KEY_ROLES)
    networks = serializers.ListField(child=LineField(max_length=50), required=False)
    expires_at = serializers.DateTimeField(source="expiry_date", required=False, allow_null=True)
    prefix = serializers.CharField(read_only=True)
    revoked = serializers.BooleanField(read_only=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    last_used_at = serializers.DateTimeField(read_only=True, allow_null=True)
    replaced_by = CodeField(
        ApiKey, read_only=True, allow_null=True, help_text="The key that follows it; it ends at `expires_at`."
    )


class NewApiKeyShape(ApiKeyShape):
    """The answer to a POST: the only time that the key's text is seen."""

    key = serializers.SerializerMethodField()

    def get_key(self, row: ApiKey) -> str:
        return str(self.context["key"])


class Overlap(Shape):
    """For how long the old one goes on beside the new one."""

    overlap_hours = serializers.IntegerField(min_value=0, max_value=720, default=24)


class TargetShape(Shape):
    kind = serializers.CharField(source="target_kind")
    code = serializers.CharField(source="target_code")
    name = serializers.CharField(source="target_name")


class AuditShape(Shape):
    code = serializers.UUIDField()
    at = serializers.DateTimeField()
    account = serializers.CharField(source="account_slug")
    actor = serializers.CharField()
    on_behalf_of = serializers.CharField()
    address = serializers.CharField()
    verb = serializers.CharField()
    target = TargetShape(source="*")
    details = serializers.DictField()


class AuditFilter(filters.FilterSet):  # type: ignore[misc]
    account = filters.CharFilter(field_name="account_slug")
    verb = filters.CharFilter(field_name="verb")
    target = filters.CharFilter(field_name="target_code")
    target_kind = filters.CharFilter(field_name="target_kind")
    actor = filters.CharFilter(field_name="actor", lookup_expr="icontains", label="A part of the name.")
    address = filters.CharFilter(field_name="address")
    since, until = since("at"), until("at")
    ordering = Ordering(at="at id")


class ChildrenOf(OfAccount):
    """The accounts that stand right below one."""

    asked = "parent"

    def keep(self, rows: Any, value: str) -> Any:
        parent = self.found(value)
        paths, depth = ([parent.path], parent.depth + 1) if parent else ([], 0)
        return rows.filter(below(paths, "path"), depth=depth)


class AccountFilter(filters.FilterSet):  # type: ignore[misc]
    kind = filters.ChoiceFilter(choices=Account.Kind.choices)
    parent = ChildrenOf(label="Those right below this one.")
    is_active = YesNo(field_name="is_active")
    search = filters.CharFilter(method="find")
    ordering = Ordering(path="path", slug="slug path", name="name path", created_at="created_at path")

    def find(self, rows: QuerySet[Account], name: str, value: str) -> QuerySet[Account]:
        return rows.filter(Q(name__icontains=value) | Q(slug__icontains=value))


class ApiKeyFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    role = filters.ChoiceFilter(choices=KEY_ROLES)
    revoked = YesNo(field_name="revoked")
    prefix = filters.CharFilter(field_name="prefix")
    search = filters.CharFilter(field_name="name", lookup_expr="icontains")
    ordering = Ordering(
        created_at="created code",
        name="name code",
        expires_at="expiry_date code",
        last_used_at="last_used_at code",
    )


class AccountDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """The tree below the caller, in tree order."""

    queryset = Account.objects.none()
    serializer_class = AccountShape
    filterset_class = AccountFilter
    lookup_field = "slug"
    powers: ClassVar[dict[str, Power]] = {
        "create": Power.EDIT_CUSTOMERS,
        "partial_update": Power.EDIT_SETTINGS,
        "begin_deletion": Power.EDIT_CUSTOMERS,
        "restore": Power.EDIT_CUSTOMERS,
    }

    def dress(self, rows: Any) -> Any:
        above = Substr(OuterRef("path"), 1, Length(OuterRef("path")) - Account.steplen)
        parents = Account.objects.visible_to(self.actor).filter(path=above)
        return rows.annotate(parent_slug=Subquery(parents.values("slug")[:1])).order_by("path")

    @extend_schema(request=NewAccount, responses={201: AccountShape})
    def create(self, request: Request) -> Response:
        """Make an account, and invite the person who manages it first where an e-mail is given.

        409 `mail-away`: the account is there, the invitation could not be sent; send it again later.
        """
        wanted = self.read(request, NewAccount)
        account = customers.take_on(wanted.pop("parent"), by=self.actor, **wanted)
        return Response(self.fresh(account), status=status.HTTP_201_CREATED)

    @extend_schema(request=AccountChange, responses=AccountShape)
    def partial_update(self, request: Request, slug: str) -> Response:
        account = self.get_object()
        wanted = self.read(request, AccountChange, partial=True)
        with transaction.atomic():
            if "name" in wanted:
                tenants.rename_account(account, by=self.actor, name=wanted["name"])
            if "is_active" in wanted:
                why = wanted.get("reason", "")
                tenants.switch_account(account, by=self.actor, is_active=wanted["is_active"], reason=why)
        return Response(self.fresh(account))

    @extend_schema(request=Deletion, responses=AccountShape)
    @action(detail=True, methods=["post"], url_path="delete", url_name="delete")
    def begin_deletion(self, request: Request, slug: str) -> Response:
        """Switch it off now and remove it in 30 days, with everything but the ledger and the audit."""
        account = self.get_object()
        deleting.delete_account(account, by=self.actor, typed=self.read(request, Deletion)["slug"])
        return Response(self.fresh(account))

    @extend_schema(request=None, responses=AccountShape)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, slug: str) -> Response:
        """Take a deletion back, within its 30 days."""
        account = self.get_object()
        deleting.restore_account(account, by=self.actor)
        return Response(self.fresh(account))


class ApiKeyDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """The keys of the caller's accounts; a key's text is in the answer to its POST and nowhere else."""

    queryset = ApiKey.objects.none()
    serializer_class = ApiKeyShape
    filterset_class = ApiKeyFilter
    shows_a_key = True
    powers: ClassVar[dict[str, Power]] = {"create": Power.EDIT_PEOPLE, "destroy": Power.EDIT_PEOPLE}

    def dress(self, rows: Any) -> Any:
        return rows.select_related("account", "replaced_by").order_by("-created", "-code")

    @extend_schema(request=ApiKeyShape, responses={201: NewApiKeyShape})
    def create(self, request: Request) -> Response:
        wanted = self.read(request, ApiKeyShape)
        key, text = keys.create(
            wanted["account"],
            by=self.actor,
            name=wanted["name"],
            role=Role(wanted["role"]),
            networks=wanted.get("networks", []),
            expires_at=wanted.get("expiry_date"),
        )
        return self._shown_once(key, text)

    @extend_schema(request=Overlap, responses={201: NewApiKeyShape})
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, code: str) -> Response:
        """Make the key that follows it; the old one ends when the overlap does. A key may rotate itself."""
        key = self.get_object()
        overlap = timedelta(hours=self.read(request, Overlap)["overlap_hours"])
        return self._shown_once(*keys.rotate(key, by=self.actor, overlap=overlap))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, code: str) -> Response:
        keys.revoke(self.get_object(), by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _shown_once(self, key: ApiKey, text: str) -> Response:
        shown = NewApiKeyShape(key, context={**self.get_serializer_context(), "key": text})
        return Response(shown.data, status=status.HTTP_201_CREATED)


class AuditDoor(mixins.ListModelMixin, Door):
    """Who did what to what, the newest first."""

    queryset = AuditEntry.objects.none()
    serializer_class = AuditShape
    filterset_class = AuditFilter

    def dress(self, rows: Any) -> Any:
        return rows.order_by("-at", "-id")


class StandingShape(Shape):
    account = serializers.CharField()
    role = serializers.ChoiceField(ROLES)


class MeShape(Shape):
    name = serializers.CharField()
    email = serializers.EmailField(allow_null=True)
    key = serializers.CharField(allow_null=True, help_text="The prefix of the API key.")
    address = serializers.CharField(allow_null=True, help_text="Where the request came from.")
    acting_for = serializers.CharField(allow_null=True, help_text="For which customer this session acts.")
    roles = StandingShape(many=True)
    now = serializers.DateTimeField()


class Me(ApiView):
    """Who the caller is, what he may do, and from which address he is seen."""

    @extend_schema(responses=MeShape)
    def get(self, request: Request) -> Response:
        actor = acting(request)
        return Response(
            MeShape(
                {
                    "name": actor.label,
                    "email": actor.user.email if actor.user else None,
                    "key": actor.api_key.prefix if actor.api_key else None,
                    "address": actor.address,
                    "acting_for": actor.on_behalf_of or None,
                    "roles": _roles(actor),
                    "now": timezone.now(),
                }
            ).data
        )


def _roles(actor: Actor) -> list[dict[str, str]]:
    """The actor's own standings by slug; a person's and a key's own accounts are no secret from them."""
    if actor.api_key is not None:
        return [{"account": actor.api_key.account.slug, "role": actor.api_key.role}]
    if actor.user is None:
        return []
    if actor.on_behalf_of:
        there = dict(Account.objects.visible_to(actor).values_list("path", "slug"))
        return [{"account": there[s.path], "role": s.role.value} for s in actor.standings]
    return [
        {"account": m.account.slug, "role": m.role} for m in actor.user.memberships.select_related("account")
    ]
