"""A sentence on its way to people: its text and what fills its places, which meet where it is read. Pure."""

from typing import Any


class Said(str):
    """A sentence that is translated where it is shown (`speaking.told`); read as a text it is English."""

    text: str
    facts: dict[str, Any]

    def __new__(cls, text: str, /, **facts: Any) -> "Said":
        made = super().__new__(cls, text.format(**facts))
        made.text, made.facts = text, facts
        return made
