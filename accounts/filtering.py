"""What a list of the API can be asked: an answer without sense is refused by its name, never left out."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from rest_framework import serializers
from rest_framework.request import Request

from accounts.authentication import acting
from accounts.models import Account
from accounts.scope import below

WORDS = {"true": True, "1": True, "false": False, "0": False}
FEW = 100  # accounts
NEITHER = gettext_lazy("Say true or false.")


def said(request: Request, name: str) -> bool:
    """Whether an address says yes to this; silence is no."""
    text = request.query_params.get(name, "").strip().lower()
    if text and text not in WORDS:
        raise serializers.ValidationError({name: [NEITHER]}, code="invalid")
    return WORDS.get(text, False)


class _YesNoField(forms.NullBooleanField):
    def to_python(self, value: Any) -> bool | None:  # type: ignore[override]
        text = str(value or "").strip().lower()
        if text and text not in WORDS:
            raise forms.ValidationError(NEITHER, code="invalid")
        return WORDS.get(text)


class YesNo(filters.BooleanFilter):  # type: ignore[misc]
    """Yes or no."""

    field_class = _YesNoField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, widget=forms.TextInput, **kwargs)


class MomentField(IsoDateTimeField):  # type: ignore[misc]
    """A time that has a place in UTC."""

    def to_python(self, value: Any) -> datetime | None:
        moment: datetime | None = super().to_python(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


class MomentFilter(filters.IsoDateTimeFilter):  # type: ignore[misc]
    field_class = MomentField


def since(column: str) -> MomentFilter:
    """From a moment on."""
    return MomentFilter(field_name=column, lookup_expr="gte", label=f"`{column}` at this time or later.")


def until(column: str) -> MomentFilter:
    """Before a moment."""
    return MomentFilter(field_name=column, lookup_expr="lt", label=f"`{column}` before this time.")


class Ordering(filters.ChoiceFilter):  # type: ignore[misc]
    """One of the orders that a list has, by its name; with `-` before it the other way round."""

    def __init__(self, **orders: str) -> None:
        """Each order as its columns; the last one makes it the order of each row."""
        self.orders = {name: columns.split() for name, columns in orders.items()}
        self.orders |= {f"-{name}": [_turned(one) for one in row] for name, row in self.orders.items()}
        super().__init__(choices=[(name, name) for name in self.orders], label="`-`: the other way round.")

    def filter(self, rows: Any, value: str) -> Any:
        return rows.order_by(*self.orders[value]) if value else rows


def _turned(column: str) -> str:
    return column[1:] if column.startswith("-") else f"-{column}"


class Known(filters.CharFilter):  # type: ignore[misc]
    """One of the things that there are, by its name."""

    asked: str

    def is_known(self, value: str) -> bool:
        raise NotImplementedError

    def filter(self, rows: Any, value: str) -> Any:
        if not value:
            return rows
        if not self.is_known(value):
            said = gettext("Nothing here is called “{value}”.").format(value=value[:100])
            raise serializers.ValidationError({self.asked: [said]}, code="unknown")
        return self.keep(rows, value)

    def keep(self, rows: Any, value: str) -> Any:
        return super().filter(rows, value)


class OfAccount(Known):
    """One account that the reader can see, by its slug."""

    asked = "account"

    def is_known(self, value: str) -> bool:
        return self.found(value) is not None

    def found(self, slug: str) -> Account | None:
        account: Account | None = (
            Account.objects.visible_to(acting(self.parent.request)).filter(slug=slug).first()
        )
        return account


class OfAccountAndBelow(OfAccount):
    """The account and those below it."""

    def keep(self, rows: Any, value: str) -> Any:
        account = self.found(value)
        paths = [account.path] if account else []
        # A few are named by their keys: the database knows how many rows each has, and where.
        few = list(Account.objects.filter(below(paths, "path")).values_list("pk", flat=True)[: FEW + 1])
        return rows.filter(account__in=few) if len(few) <= FEW else rows.filter(below(paths, "account__path"))
