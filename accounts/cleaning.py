"""What every verb asks of its input before it writes: valid rows, printable text, and a field to blame."""

import unicodedata
from collections.abc import Iterable

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.utils.translation import gettext

from accounts.refusals import Invalid

_BREAKING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def full_clean(row: models.Model, *, blame: str = "", exclude: Iterable[str] = ()) -> None:
    """Validate the row and its constraints; Invalid names the first field at fault, or `blame`."""
    try:
        row.full_clean(exclude=set(exclude))
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Invalid(blame if field == NON_FIELD_ERRORS else field, messages[0]) from error


def one_line(field: str, text: str, *, longest: int) -> str:
    """Return the text without blanks at its ends; Invalid when it holds what cannot stand in one line."""
    kept = text.strip()
    if len(kept) > longest:
        raise Invalid(
            field,
            gettext("This has {count} characters; {longest} are the most.").format(
                count=len(kept), longest=longest
            ),
        )
    for character in kept:
        if unicodedata.category(character) in _BREAKING:
            raise Invalid(
                field, gettext("The character U+{ord:04X} cannot stand here.").format(ord=ord(character))
            )
    return kept


def needed(field: str, text: str, what: str, *, longest: int) -> str:
    """As `one_line`, for what may not be empty."""
    kept = one_line(field, text, longest=longest)
    if not kept:
        raise Invalid(field, gettext("{what} is missing.").format(what=what))
    return kept
