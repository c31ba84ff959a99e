"""What a text may hold to stand in a phone's file, whatever its place there. Pure."""

import re

from accounts.said import Said

# Control characters, line and paragraph separators, half surrogates, and what XML has no way to write.
_BREAKING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_RESET = "%NULL%"  # an assignment of this is read as "back to the default"


def refusal(form: str, text: str) -> Said | None:
    """Return why a file of this format cannot carry the text; None when it can."""
    if found := _BREAKING.search(text):
        return Said(
            "the character {character} cannot stand in a phone's file", character=f"U+{ord(found[0]):04X}"
        )
    if form == "lines":
        if text != text.strip():
            return Said("blanks at its ends would be lost")
        if text == _RESET:
            return Said("the phone would take this text as a reset")
    return None
