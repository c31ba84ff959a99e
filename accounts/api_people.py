"""People and their roles over the API: listed, invited, given other roles, taken out; and what a role is."""

from datetime import datetime
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import invitations, second_factor, tenants
from accounts.api import ROLES
from accounts.doors import ApiView, Door
from accounts.filtering import OfAccount, Ordering, YesNo
from accounts.models import Membership
from accounts.people import matching, reached_by
from accounts.role_words import MEANS, MEANT_FOR, NAMES
from accounts.roles import POWERS, RANK, Power, Role
from accounts.shapes import AccountField, LineField, Shape

POWER_NAMES = [(power.value, power.value) for power in Power]


class PersonShape(Shape):
    """A person's role in one account; of somebody who was invited only what the inviter knows."""

    code = serializers.UUIDField(source="user.code", help_text="The person's, the same in every account.")
    account = AccountField()
    email = serializers.EmailField(source="user.email")
    name = serializers.SerializerMethodField(help_text="Empty until somebody invited has signed in.")
    role = serializers.ChoiceField(ROLES)
    sees_secrets = serializers.BooleanField(help_text="Those of this account and the accounts below it.")
    is_pending = serializers.BooleanField(help_text="Invited, and has not signed in since.")
    invited_at = serializers.DateTimeField(allow_null=True, help_text="By the last e-mail.")
    is_active = serializers.SerializerMethodField(help_text="May sign in; null while pending.")
    last_sign_in = serializers.SerializerMethodField()
    has_second_factor = serializers.SerializerMethodField(help_text="Null while pending.")

    def get_name(self, row: Membership) -> str:
        return "" if row.is_pending else row.user.name

    def get_is_active(self, row: Membership) -> bool | None:
        return None if row.is_pending else row.user.is_active

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_last_sign_in(self, row: Membership) -> datetime | None:
        return None if row.is_pending else row.user.last_login

    def get_has_second_factor(self, row: Membership) -> bool | None:
        return None if row.is_pending else bool(row.has_factor)  # type: ignore[attr-defined]


class NewPerson(Shape):
    """Who is invited to what. Whoever signs in with that address already keeps name and password."""

    account = AccountField()
    email = serializers.EmailField()
    name = LineField(max_length=120)
    role = serializers.ChoiceField(ROLES)


class PersonChange(Shape):
    """What is not given stays; another role takes the sight of secrets away unless it is given here again."""

    role = serializers.ChoiceField(ROLES, required=False)
    sees_secrets = serializers.BooleanField(required=False)
    is_active = serializers.BooleanField(
        required=False, help_text="False: signs in no more, anywhere; needs power over all of his roles."
    )


class PersonFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    email = filters.CharFilter(field_name="user__email", lookup_expr="iexact")
    role = filters.ChoiceFilter(choices=ROLES)
    sees_secrets = YesNo(field_name="sees_secrets")
    ordering = Ordering(account="account__path user__email", email="user__email account__path")
    search = filters.CharFilter(method="find", label="In e-mail, account and, once signed in, name.")

    def find(self, rows: QuerySet[Membership], name: str, value: str) -> Any:
        return matching(rows, value)


class PersonDoor(mixins.ListModelMixin, Door):
    """The people of the accounts whose people the caller may change: one row for each role of each person."""

    queryset = Membership.objects.none()
    serializer_class = PersonShape
    filterset_class = PersonFilter
    powers: ClassVar[dict[str, Power]] = dict.fromkeys(
        ("create", "partial_update", "destroy", "invite_again", "reset_second_factor"), Power.EDIT_PEOPLE
    )

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Membership.objects.none()
        return reached_by(self.actor)

    def get_object(self) -> Membership:
        named = {"account__slug": self.kwargs["slug"], "user__code": self.kwargs["code"]}
        found: Membership = get_object_or_404(self.get_queryset(), **named)
        return found

    @extend_schema(request=NewPerson, responses={201: PersonShape})
    def create(self, request: Request) -> Response:
        """Give a person a role and send him the way in by e-mail.

        409 `mail-away`: the role is given, the e-mail could not be sent; send it again later.
        """
        wanted = self.read(request, NewPerson)
        role = Role(wanted.pop("role"))
        made = invitations.invite(wanted.pop("account"), by=self.actor, role=role, **wanted)
        return Response(self.fresh(made), status=status.HTTP_201_CREATED)

    @extend_schema(responses=PersonShape)
    def retrieve(self, request: Request, slug: str, code: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=PersonChange, responses=PersonShape)
    def partial_update(self, request: Request, slug: str, code: str) -> Response:
        """Another role, the sight of secrets, or signing in: all of what is given, or nothing."""
        row = self.get_object()
        wanted = self.read(request, PersonChange, partial=True)
        with transaction.atomic():
            if "role" in wanted:
                row = tenants.change_role(row, by=self.actor, role=Role(wanted["role"]))
            if "sees_secrets" in wanted:
                row = tenants.let_see_secrets(row, by=self.actor, sees=wanted["sees_secrets"])
            if "is_active" in wanted:
                tenants.switch_person(row.user, by=self.actor, is_active=wanted["is_active"])
        return Response(self.fresh(row))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, slug: str, code: str) -> Response:
        """Take the person out of this account; roles in other accounts stay."""
        tenants.remove_person(self.get_object(), by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=PersonShape)
    def invite_again(self, request: Request, slug: str, code: str) -> Response:
        """Send the way in once more, to somebody who has not signed in since."""
        return Response(self.fresh(invitations.send_again(self.get_object(), by=self.actor)))

    @extend_schema(request=None, responses=PersonShape)
    def reset_second_factor(self, request: Request, slug: str, code: str) -> Response:
        """Take away a lost second factor: all sessions end, and he is told."""
        row = self.get_object()
        second_factor.reset(row.user, by=self.actor)
        return Response(self.fresh(row))


class RoleShape(Shape):
    role = serializers.ChoiceField(ROLES)
    title = serializers.CharField()
    meant_for = serializers.CharField()


class PowerShape(Shape):
    """One power: what it lets somebody do, and the roles that bring it."""

    power = serializers.ChoiceField(POWER_NAMES)
    means = serializers.CharField()
    roles = serializers.ListField(
        child=serializers.ChoiceField(ROLES), help_text="None: it is given to a person by name."
    )


class RolesShape(Shape):
    roles = RoleShape(many=True, help_text="The least first.")
    powers = PowerShape(many=True)


class Roles(ApiView):
    """What each role may do."""

    @extend_schema(responses=RolesShape)
    def get(self, request: Request) -> Response:
        roles = [{"role": role, "title": NAMES[role], "meant_for": MEANT_FOR[role]} for role in RANK]
        powers = [
            {
                "power": power,
                "means": MEANS[power],
                "roles": [role for role in RANK if power in POWERS[role]],
            }
            for power in Power
        ]
        return Response(RolesShape({"roles": roles, "powers": powers}).data)
