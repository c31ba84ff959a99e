"""The log of all phones over the API: what was answered, what people and the clock did, the newest first."""

from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import mixins, serializers

from accounts.doors import Door
from accounts.filtering import Known, OfAccountAndBelow, Ordering, since, until
from accounts.shapes import AccountField, CodeField
from devices.models import Device
from provisioning import events, sentences
from provisioning.api.fields import AddressField, MacField
from provisioning.api.shapes import OUTCOMES, EventShape
from provisioning.models import DeviceEvent


class FeedShape(EventShape):
    """One line of the log, with the account that had the phone then."""

    account = AccountField()
    device = CodeField(Device, allow_null=True, help_text="Null once it was removed or is another account's.")
    mac = serializers.CharField()

    def to_representation(self, instance: DeviceEvent) -> dict[str, Any]:
        phone = {"account": instance.account, "device": instance.device, "mac": instance.mac}
        shown: dict[str, Any] = super().to_representation({**asdict(events.described(instance)), **phone})
        return shown


class OfWhat(Known):
    """One of the things that happen to a phone; `request` is what it was answered."""

    asked = "what"

    def is_known(self, value: str) -> bool:
        return value in sentences.WHATS


class OfRule(Known):
    """One of the rules by which phones are answered, in either case."""

    asked = "rule"

    def is_known(self, value: str) -> bool:
        return value.upper() in {rule.upper() for rule in sentences.RULES}


class LogFilter(filters.FilterSet):  # type: ignore[misc]
    what = OfWhat(field_name="what", label="`request`, or what a person or the clock did.")
    rule = OfRule(field_name="rule", lookup_expr="iexact", label="One of the rules that answer phones.")
    outcome = filters.ChoiceFilter(choices=OUTCOMES)
    address = filters.CharFilter(method="by_address", label="From where it asked, in any spelling.")
    since, until = since("at"), until("at")
    ordering = Ordering(at="at id")

    def by_address(self, rows: QuerySet[DeviceEvent], name: str, value: str) -> QuerySet[DeviceEvent]:
        return rows.filter(address=_read(AddressField(), name, value))


class EventFilter(LogFilter):
    account = OfAccountAndBelow(label="What happened in the account and those below it.")
    device = filters.UUIDFilter(field_name="device__code")
    mac = filters.CharFilter(method="by_mac", label="In any spelling; also of a phone that was removed.")

    def by_mac(self, rows: QuerySet[DeviceEvent], name: str, value: str) -> QuerySet[DeviceEvent]:
        return rows.filter(mac=_read(MacField(), name, value))


def _read(field: serializers.CharField, name: str, value: str) -> Any:
    """The value as rows have it; ValidationError names what was asked."""
    try:
        return field.run_validation(value)
    except serializers.ValidationError as error:
        raise serializers.ValidationError({name: error.detail}) from error


class EventDoor(mixins.ListModelMixin, Door):
    """The log of the phones of the caller's accounts, each as it was his then; the newest first."""

    queryset = DeviceEvent.objects.none()
    serializer_class = FeedShape
    filterset_class = EventFilter

    def dress(self, rows: Any) -> Any:
        return rows.select_related("account", "device").order_by("-at", "-id")
