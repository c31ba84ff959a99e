"""What the API's JSON is made of: serializers that refuse what they do not know, and fields that name rows.

A row that the caller cannot see is answered in the words for one that does not exist.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext, gettext_lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.authentication import acting
from accounts.models import Account
from accounts.scope import Actor


class Shape(serializers.Serializer[Any]):
    """A serializer whose input holds no other names than its own."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            found = {str(name): self._complaint(str(name), value) for name, value in data.items()}
            wrong = {name: complaint for name, complaint in found.items() if complaint}
            if wrong:
                raise serializers.ValidationError(wrong)
        return super().to_internal_value(data)

    def _complaint(self, name: str, value: Any) -> list[serializers.ErrorDetail]:
        field = self.fields.get(name)
        if field is None:
            return [serializers.ErrorDetail(gettext("There is no field of this name."), code="unknown-field")]
        if field.read_only:
            return [serializers.ErrorDetail(gettext("This field cannot be set."), code="read-only")]
        if value is not None and not _is_of(field, value):
            return [
                serializers.ErrorDetail(field.error_messages["invalid"].format(input=value), code="invalid")
            ]
        return []

    @property
    def sender(self) -> Actor:
        """Whoever sent what is being read."""
        return acting(self.context["request"])


def _is_of(field: Any, value: Any) -> bool:
    """Whether JSON's own kind of value is the field's: a number is no text, and a word no switch."""
    if isinstance(field, serializers.CharField):
        return isinstance(value, str)
    return not isinstance(field, serializers.BooleanField) or isinstance(value, bool)


class LineField(serializers.CharField):
    """Text of one line: a control character would end up in a phone's file."""

    default_error_messages = {"control": gettext_lazy("Control characters cannot be used here.")}

    def to_internal_value(self, data: Any) -> str:
        if not _is_of(self, data):
            self.fail("invalid")
        text: str = super().to_internal_value(data)
        if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
            self.fail("control")
        return text


@extend_schema_field(OpenApiTypes.STR)
class AccountField(serializers.Field[Account, str, str, Any]):
    """An account by its slug, as far as the caller can see it."""

    default_error_messages = {
        "unknown": gettext_lazy("There is no account with this slug."),
        "text": gettext_lazy("A slug is text."),
    }

    def to_internal_value(self, data: Any) -> Account:
        if not isinstance(data, str) or "\0" in data:
            self.fail("text")
        found: Account | None = (
            Account.objects.visible_to(acting(self.context["request"])).filter(slug=data[:100]).first()
        )
        if found is None:
            self.fail("unknown")
        assert found is not None
        return found

    def to_representation(self, value: Account) -> str:
        return value.slug


@extend_schema_field(OpenApiTypes.UUID)
class CodeField(serializers.Field[Any, Any, str, Any]):
    """A row by its code, as far as the caller can see it; written back as the code."""

    default_error_messages = {"unknown": gettext_lazy("There is no {thing} with this code.")}

    def __init__(self, model: type[models.Model], **kwargs: Any) -> None:
        self.model = model
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        thing = str(self.model._meta.verbose_name)
        try:
            code = UUID(data) if isinstance(data, str) else None
        except ValueError:
            code = None
        if code is None:
            self.fail("unknown", thing=thing)
        visible = self.model.objects.visible_to(acting(self.context["request"]))  # type: ignore[attr-defined]
        found = visible.filter(code=code).first()
        if found is None:
            self.fail("unknown", thing=thing)
        return found

    def to_representation(self, value: Any) -> str:
        return str(value.code)

    def complain(self, name: str) -> serializers.ValidationError:
        """The words for a row of another account: the same as for none."""
        words = self.error_messages["unknown"].format(thing=self.model._meta.verbose_name)
        return serializers.ValidationError({name: [words]}, code="unknown")


class CodesField(serializers.ListField):
    """Many rows by their codes, in one query; one that the caller cannot see spoils the list."""

    def __init__(self, model: type[models.Model], **kwargs: Any) -> None:
        self.model = model
        super().__init__(child=serializers.UUIDField(), **kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        codes = dict.fromkeys(super().to_internal_value(data))
        visible = self.model.objects.visible_to(acting(self.context["request"]))  # type: ignore[attr-defined]
        found = {row.code: row for row in visible.filter(code__in=codes)}
        if len(found) < len(codes):
            thing = self.model._meta.verbose_name
            said = gettext("There is no {thing} with one of these codes.").format(thing=thing)
            raise serializers.ValidationError(said, code="unknown")
        return [found[code] for code in codes]
