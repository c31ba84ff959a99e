"""Span: for how long an unlock is open, as people and programs say it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from django.utils.translation import gettext

from accounts.refusals import Invalid

SHORTEST, LONGEST = 1, 40  # hours as chosen (E1, E3)
DAY = "24h"
MANAGER = "7d"
FIRST_FETCH = "first-fetch"


@dataclass(frozen=True, slots=True)
class Span:
    """A length, or no end of its own: until the first fetch.

    `name` is what was asked for. "7d" is the ordinary unlock of a manager: it lasts as long as the policy
    `manager_unlock_ttl` says, and seven days are that policy's default.
    """

    name: str
    length: timedelta | None

    @property
    def by_policy(self) -> bool:
        return self.name == MANAGER

    @classmethod
    def hours(cls, count: int) -> Self:
        """Return a span of whole hours, 1 to 40."""
        return cls.parse({"hours": count})

    @classmethod
    def parse(cls, value: Any, *, field: str = "for") -> Self:
        """Read "24h", "7d", "first-fetch" or {"hours": 1..40}; Invalid says what is allowed."""
        if value == DAY:
            return cls(DAY, timedelta(hours=24))
        if value == MANAGER:
            return cls(MANAGER, timedelta(days=7))
        if value == FIRST_FETCH:
            return cls(FIRST_FETCH, None)
        if isinstance(value, dict) and set(value) == {"hours"}:
            count = value["hours"]
            if isinstance(count, int) and not isinstance(count, bool) and SHORTEST <= count <= LONGEST:
                return cls(f"{count}h", timedelta(hours=count))
            raise Invalid(
                field,
                gettext("Whole hours from {shortest} to {longest}.").format(
                    shortest=SHORTEST, longest=LONGEST
                ),
            )
        raise Invalid(field, gettext('One of "24h", "7d", "first-fetch" or {"hours": 1 to 40}.'))

    def as_json(self) -> Any:
        """Return what `parse` reads back."""
        if self.name in (DAY, MANAGER, FIRST_FETCH) or self.length is None:
            return self.name
        return {"hours": int(self.length.total_seconds() // 3600)}
