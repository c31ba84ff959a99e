"""Webhooks over the API: endpoints, what was sent to them and what they answered, and the kinds of events."""

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Overlap
from accounts.doors import ApiView, Door
from accounts.filtering import OfAccount, Ordering, YesNo, since, until
from accounts.roles import Power
from accounts.shapes import AccountField, LineField, Shape
from provisioning import announcing, webhook_wire, webhook_words, webhooks
from provisioning.models import WebhookDelivery, WebhookEndpoint

KINDS = [(kind, kind) for kind in announcing.KINDS]
SENT = [*KINDS, (webhooks.TEST, webhooks.TEST)]
ABOUT = sorted({(kind.about, kind.about) for kind in announcing.KINDS.values()})


class KindsField(serializers.ListField):
    """Names of events."""

    def __init__(self, **kwargs: Any) -> None:
        words = "Only these events; empty: all of them."
        super().__init__(child=serializers.ChoiceField(KINDS), help_text=words, **kwargs)


class NewWebhook(Shape):
    """An address that is told what happens in an account."""

    account = AccountField()
    name = LineField(max_length=60)
    url = LineField(max_length=500)
    kinds = KindsField(required=False)
    with_below = serializers.BooleanField(default=False, help_text="Also of the accounts below.")


class WebhookChange(Shape):
    name = LineField(max_length=60, required=False)
    url = LineField(max_length=500, required=False)
    kinds = KindsField(required=False)
    with_below = serializers.BooleanField(required=False)
    is_active = serializers.BooleanField(required=False)


class WebhookShape(Shape):
    """An endpoint and how deliveries to it go. What signs is told once, when it is made or rotated."""

    code = serializers.UUIDField()
    account = AccountField()
    name = serializers.CharField()
    url = serializers.CharField()
    kinds = KindsField()
    with_below = serializers.BooleanField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    health = serializers.SerializerMethodField()
    sentence = serializers.SerializerMethodField()
    waiting = serializers.IntegerField(help_text="Deliveries that have not arrived yet.")
    failing_since = serializers.DateTimeField(allow_null=True)
    rests_until = serializers.DateTimeField(allow_null=True)
    last_success_at = serializers.DateTimeField(allow_null=True)
    former_secret_until = serializers.DateTimeField(source="former_until", allow_null=True)

    @extend_schema_field(serializers.ChoiceField(webhook_words.Health.choices))
    def get_health(self, row: WebhookEndpoint) -> str:
        return webhook_words.health(row, timezone.now()).value

    def get_sentence(self, row: WebhookEndpoint) -> str:
        return webhook_words.sentence(row, timezone.now())


class NewWebhookShape(WebhookShape):
    """The answer that shows what signs, this once."""

    secret = serializers.SerializerMethodField()

    def get_secret(self, row: WebhookEndpoint) -> str:
        return str(self.context["secret"])


class DeliveryShape(Shape):
    """One event on its way to one endpoint."""

    code = serializers.UUIDField()
    webhook = serializers.UUIDField(source="endpoint.code")
    message = serializers.SerializerMethodField(help_text="The `webhook-id` with which it is sent.")
    kind = serializers.ChoiceField(SENT, source="event.kind")
    account = serializers.CharField(source="event.account.slug", help_text="Where it happened.")
    device = serializers.SerializerMethodField()
    at = serializers.DateTimeField(source="event.at", help_text="When it happened.")
    state = serializers.ChoiceField(WebhookDelivery.State.choices)
    tries = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(
        allow_null=True, help_text="Its next turn; null: those before it, of the same phone, have not gone."
    )
    ended_at = serializers.DateTimeField(allow_null=True)
    is_replay = serializers.BooleanField()

    def get_message(self, row: WebhookDelivery) -> str:
        return webhook_wire.message_id(row.event.code)

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_device(self, row: WebhookDelivery) -> str | None:
        device = row.event.data.get("device")
        return str(device["code"]) if device else None


class AttemptShape(Shape):
    """One try: what was asked and what came back."""

    at = serializers.DateTimeField()
    took = serializers.FloatField(help_text="Seconds.")
    status = serializers.IntegerField(help_text="HTTP's; 0: no answer.")
    why = serializers.CharField(help_text="What went wrong, where no answer came.")
    answer = serializers.CharField(help_text="Its first 2,000 characters.")
    request_headers = serializers.DictField(child=serializers.CharField())


class DeliveryWithAttempts(DeliveryShape):
    """The same with the bytes that are sent and each try, the oldest first."""

    body = serializers.SerializerMethodField(help_text="What is signed and sent, as it is.")
    attempts = AttemptShape(many=True)

    def get_body(self, row: WebhookDelivery) -> str:
        return webhook_wire.body(row.event.kind, row.event.at, row.event.data).decode()


class ReplaySince(Shape):
    since = serializers.DateTimeField(help_text="Events from then on that did not arrive.")


class Replayed(Shape):
    deliveries = serializers.IntegerField(help_text="How many go out again.")


class KindShape(Shape):
    """A kind of event and what its `data` says beside the account, and the phone where it is of one."""

    kind = serializers.ChoiceField(KINDS)
    title = serializers.CharField()
    when = serializers.CharField(help_text="When it is told.")
    about = serializers.ChoiceField(ABOUT)
    facts = serializers.DictField(child=serializers.CharField(), help_text="Names with what each says.")


class WebhookFilter(filters.FilterSet):  # type: ignore[misc]
    account = OfAccount(field_name="account__slug")
    is_active = YesNo(field_name="is_active")
    ordering = Ordering(name="name code", created_at="created_at code")


class WebhookDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """The endpoints of the accounts in which the caller may change them."""

    queryset = WebhookEndpoint.objects.none()
    serializer_class = WebhookShape
    filterset_class = WebhookFilter
    shows_a_key = True
    powers: ClassVar[dict[str, Power]] = dict.fromkeys(
        ("create", "partial_update", "destroy", "rotate", "test", "replay"), Power.EDIT_WEBHOOKS
    )

    def dress(self, rows: Any) -> Any:
        theirs = rows.reachable_by(self.actor, Power.EDIT_WEBHOOKS).select_related("account")
        return webhook_words.with_waiting(theirs).order_by("name", "code")

    @extend_schema(request=NewWebhook, responses={201: NewWebhookShape})
    def create(self, request: Request) -> Response:
        """Make an endpoint; what signs is in this answer and nowhere else."""
        wanted = self.read(request, NewWebhook)
        made = webhooks.create(wanted.pop("account"), by=self.actor, **wanted)
        return Response(self._with_secret(*made), status=status.HTTP_201_CREATED)

    @extend_schema(request=WebhookChange, responses=WebhookShape)
    def partial_update(self, request: Request, code: str) -> Response:
        """Change it; switched off, it is sent nothing, and what waits for it is dropped."""
        endpoint = self.get_object()
        webhooks.change(endpoint, by=self.actor, **self.read(request, WebhookChange, partial=True))
        return Response(self.fresh(endpoint))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, code: str) -> Response:
        """Remove it with its log."""
        webhooks.remove(self.get_object(), by=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=Overlap, responses=NewWebhookShape)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, code: str) -> Response:
        """Draw another secret; until the overlap is over, the old one signs beside it."""
        endpoint = self.get_object()
        overlap = timedelta(hours=self.read(request, Overlap)["overlap_hours"])
        return Response(self._with_secret(*webhooks.rotate_secret(endpoint, by=self.actor, overlap=overlap)))

    @extend_schema(request=None, responses={202: DeliveryShape})
    @action(detail=True, methods=["post"], shows_a_key=False)
    def test(self, request: Request, code: str) -> Response:
        """Send `webhook.test`, whatever it listens to; read the delivery to see what came back."""
        delivery = webhooks.test(self.get_object(), by=self.actor)
        shown = DeliveryShape(delivery, context=self.get_serializer_context())
        return Response(shown.data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=ReplaySince, responses={202: Replayed})
    @action(detail=True, methods=["post"], shows_a_key=False)
    def replay(self, request: Request, code: str) -> Response:
        """Send again what has not arrived since then: given up, or not sent."""
        endpoint = self.get_object()
        since = self.read(request, ReplaySince)["since"]
        count = webhooks.replay_since(endpoint, by=self.actor, since=since)
        return Response(Replayed({"deliveries": count}).data, status=status.HTTP_202_ACCEPTED)

    def _with_secret(self, endpoint: WebhookEndpoint, secret: str) -> Any:
        context = {**self.get_serializer_context(), "secret": secret}
        return NewWebhookShape(self.get_queryset().get(pk=endpoint.pk), context=context).data


class DeliveryFilter(filters.FilterSet):  # type: ignore[misc]
    state = filters.ChoiceFilter(choices=WebhookDelivery.State.choices)
    kind = filters.ChoiceFilter(field_name="event__kind", choices=SENT)
    device = filters.UUIDFilter(field_name="event__device__code")
    since, until = since("created_at"), until("created_at")
    ordering = Ordering(created_at="created_at id")


class DeliveryDoor(mixins.ListModelMixin, mixins.RetrieveModelMixin, Door):
    """What was sent to an endpoint and what waits, the newest first."""

    queryset = WebhookDelivery.objects.none()
    filterset_class = DeliveryFilter
    powers: ClassVar[dict[str, Power]] = {"replay": Power.EDIT_WEBHOOKS}

    def get_serializer_class(self) -> type[DeliveryShape]:
        return DeliveryWithAttempts if self.action == "retrieve" else DeliveryShape

    def dress(self, rows: Any) -> "QuerySet[WebhookDelivery]":
        theirs = rows.reachable_by(self.actor, Power.EDIT_WEBHOOKS).select_related(
            "endpoint", "event__account"
        )
        dressed: QuerySet[WebhookDelivery] = (
            theirs.prefetch_related("attempts") if self.action == "retrieve" else theirs.order_by("-id")
        )
        return dressed

    def list(self, request: Request, endpoint: UUID) -> Response:
        """The log of one endpoint."""
        reach = WebhookEndpoint.objects.reachable_by(self.actor, Power.EDIT_WEBHOOKS)
        found = reach.filter(code=endpoint).first()
        if found is None:
            raise Http404
        rows = self.filter_queryset(self.get_queryset().filter(endpoint=found))
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=None, responses={202: DeliveryShape})
    def replay(self, request: Request, code: UUID) -> Response:
        """Send its event again, with the same `webhook-id`; it waits for no other."""
        again = webhooks.replay(self.get_object(), by=self.actor)
        return Response(self.fresh(again), status=status.HTTP_202_ACCEPTED)


class WebhookKinds(ApiView):
    """What there is to hear of, and what each event says."""

    @extend_schema(responses=KindShape(many=True))
    def get(self, request: Request) -> Response:
        kinds = [
            {
                "kind": name,
                "title": str(kind.title),
                "when": str(kind.when),
                "about": kind.about,
                "facts": {fact: str(words) for fact, words in kind.facts.items()},
            }
            for name, kind in announcing.KINDS.items()
        ]
        return Response(KindShape(kinds, many=True).data)
