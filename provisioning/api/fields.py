"""How the API writes a MAC, an address, an origin, a span of time."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.refusals import Refusal
from accounts.shapes import Shape
from accounts.speaking import told
from devices.mac import parse_mac
from provisioning.spans import Span
from security.networks import AddressError, Network, parse_address, parse_origin, show_address


class MacField(serializers.CharField):
    """A MAC address in any spelling; written back as twelve lower-case digits."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return parse_mac(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(told(error.args[0]), code="bad-mac") from error


class OriginField(serializers.CharField):
    """One origin: an IPv4 address, an IPv6 address or its /64."""

    def to_internal_value(self, data: Any) -> Network:  # type: ignore[override]
        try:
            return parse_origin(super().to_internal_value(data))
        except AddressError as error:
            raise serializers.ValidationError(told(error.args[0]), code="bad-address") from error


class AddressField(serializers.CharField):
    """One address."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return show_address(parse_address(super().to_internal_value(data)))
        except AddressError as error:
            raise serializers.ValidationError(told(error.args[0]), code="bad-address") from error


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "enum": ["24h", "7d", "first-fetch"]},
            {
                "type": "object",
                "required": ["hours"],
                "additionalProperties": False,
                "properties": {"hours": {"type": "integer", "minimum": 1, "maximum": 40}},
            },
        ]
    }
)
class SpanField(serializers.Field[Span, Any, Any, Any]):
    """How long an unlock holds."""

    def to_internal_value(self, data: Any) -> Span:
        try:
            return Span.parse(data)
        except Refusal as refusal:
            raise serializers.ValidationError(refusal.detail, code="bad-span") from refusal


class MomentField(serializers.DateTimeField):
    """A moment that a row keeps as text."""

    def to_representation(self, value: Any) -> str:
        return super().to_representation(datetime.fromisoformat(value)) or ""


def with_for(shape: type[Shape], name: str, **how: Any) -> type[Shape]:
    """Add the field `for`, a word that Python keeps for itself."""
    return type(name, (shape,), {"for": SpanField(**how), "__doc__": shape.__doc__, "__module__": __name__})
