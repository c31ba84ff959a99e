"""Policy values over the API: what holds for an account, from where, within which bounds; set and reset."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import acting
from accounts.doors import ApiSet
from accounts.models import Account
from accounts.shapes import AccountField, Shape
from accounts.speaking import told
from provisioning import policies, policy_words
from provisioning.policies import POLICIES, Owner, Policy, Reach, Standing

KINDS = [(kind, kind) for kind in ("hours", "switch", "word")]
HERE, ABOVE, BUILT_IN = "here", "above", "built-in"
ACCOUNT = OpenApiParameter("account", str, required=True, description="The account's slug.")


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "boolean"}, {"type": "string"}]})
class ValueField(serializers.Field[Any, Any, Any, Any]):
    """Whole hours, a switch or one of some words; which of them is each policy's own question."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, int | bool | str):
            raise serializers.ValidationError("A number, true, false or a word.", code="bad-value")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class PolicyShape(Shape):
    """One policy as it holds for an account."""

    name = serializers.CharField()
    title = serializers.CharField()
    sentence = serializers.CharField()
    rules = serializers.ListField(child=serializers.CharField())
    kind = serializers.ChoiceField(KINDS)
    value = ValueField()
    default = ValueField()
    lowest = serializers.IntegerField(allow_null=True)
    highest = serializers.IntegerField(allow_null=True)
    choices = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="The strictest first."
    )
    owner = serializers.ChoiceField([(owner.value, owner.value) for owner in Owner])
    may_change = serializers.ChoiceField(
        [(reach.value, reach.value) for reach in Reach],
        help_text="How far the caller may change it.",
    )
    ceiling = ValueField(
        help_text="What stands above; where the account may only tighten, no value beyond it."
    )
    source = serializers.ChoiceField([(word, word) for word in (HERE, ABOVE, BUILT_IN)])  # type: ignore[assignment]
    source_account = serializers.CharField(allow_null=True, help_text="As far as the caller can see it.")


class PolicyQuery(Shape):
    account = AccountField()


class NewValue(Shape):
    account = AccountField()
    value = ValueField()


class PolicyDoor(ApiSet):
    """The policies of one account: GET the table, or one of them by its name; PUT and DELETE that."""

    @extend_schema(parameters=[ACCOUNT], responses=PolicyShape(many=True))
    def list(self, request: Request) -> Response:
        account = self._account(request)
        seen = Account.objects.visible_to(acting(request)).filter(path__in=account.ancestor_paths())
        slugs = dict(seen.values_list("pk", "slug"))
        shown = [shaped(standing, account, request, slugs) for standing in policies.table(account)]
        return Response(PolicyShape(shown, many=True).data)

    @extend_schema(parameters=[ACCOUNT], responses=PolicyShape)
    def retrieve(self, request: Request, name: str) -> Response:
        self._named(name)
        return Response(self._one(self._account(request), name, request))

    @extend_schema(request=NewValue, responses=PolicyShape)
    def update(self, request: Request, name: str) -> Response:
        """Set it for the account and all below it."""
        self._named(name)
        shape = NewValue(data=request.data, context={"request": request})
        shape.is_valid(raise_exception=True)
        account = shape.validated_data["account"]
        policies.set_value(account, by=acting(request), name=name, value=shape.validated_data["value"])
        return Response(self._one(account, name, request))

    @extend_schema(parameters=[ACCOUNT], responses={200: PolicyShape})
    def destroy(self, request: Request, name: str) -> Response:
        """Give up the account's own value: what stands above it holds again, and is answered."""
        self._named(name)
        account = self._account(request)
        policies.reset_value(account, by=acting(request), name=name)
        return Response(self._one(account, name, request))

    def _account(self, request: Request) -> Account:
        query = PolicyQuery(data=request.query_params.dict(), context={"request": request})
        query.is_valid(raise_exception=True)
        account: Account = query.validated_data["account"]
        return account

    def _named(self, name: str) -> Policy:
        if name not in POLICIES:
            raise exceptions.NotFound
        return POLICIES[name]

    def _one(self, account: Account, name: str, request: Request) -> Any:
        standing = next(row for row in policies.table(account) if row.policy.name == name)
        seen = Account.objects.visible_to(acting(request)).filter(path__in=account.ancestor_paths())
        return PolicyShape(shaped(standing, account, request, dict(seen.values_list("pk", "slug")))).data


def shaped(standing: Standing, account: Account, request: Request, slugs: dict[int, str]) -> dict[str, Any]:
    """A standing as the API shows it; an account above that the caller cannot see has no name."""
    policy, words = standing.policy, policy_words.WORDS[standing.policy.name]
    in_hours = bool(policy.highest)
    source = standing.source
    return {
        "name": policy.name,
        "title": policy.title,
        "sentence": told(words.means),
        "rules": words.rules,
        "kind": "hours" if in_hours else "word" if policy.choices else "switch",
        "value": standing.value,
        "default": policy.default,
        "lowest": policy.lowest if in_hours else None,
        "highest": policy.highest if in_hours else None,
        "choices": list(policy.choices) or None,
        "owner": policy.owner.value,
        "may_change": policies.reach(policy, account, acting(request)).value,
        "ceiling": standing.ceiling,
        "source": BUILT_IN if source is None else HERE if source.pk == account.pk else ABOVE,
        "source_account": slugs.get(source.pk) if source else None,
    }
