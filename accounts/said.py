"""A sentence on its way to people: its text and what fills its places, which meet where it is read. Pure."""

from collections.abc import Mapping
from typing import Any

Packed = list[Any]


class Said(str):
    """A sentence that is translated where it is shown (`speaking.told`); read as a text it is English."""

    text: str
    facts: dict[str, Any]

    def __new__(cls, text: str, /, **facts: Any) -> "Said":
        made = super().__new__(cls, text.format(**facts))
        made.text, made.facts = text, facts
        return made

    def packed(self) -> Packed:
        """What a row keeps of it, in plain JSON values."""
        facts = self.facts.items()
        return [self.text, {name: fact.packed() if isinstance(fact, Said) else fact for name, fact in facts}]

    @classmethod
    def unpacked(cls, packed: Packed) -> "Said":
        """The sentence that a row has kept."""
        text, facts = packed
        return cls(text, **{n: cls.unpacked(f) if isinstance(f, list) else f for n, f in facts.items()})


def within(value: Any) -> dict[str, Packed]:
    """Every sentence that stands somewhere in a JSON value, by its English."""
    if isinstance(value, Said):
        return {str(value): value.packed()}
    found: dict[str, Packed] = {}
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        found |= within(one)
    return found
