"""What a text may hold to stand in a phone's file, whatever its place there. Pure."""

import re

# Control characters, line and paragraph separators, half surrogates, and what XML has no way to write.
_BREAKING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_RESET = "%NULL%"  # an assignment of this is read as "back to the default"


def refusal(form: str, text: str) -> str | None:
    """Return why a file of this format cannot carry the text; None when it can."""
    if found := _BREAKING.search(text):
        return f"the character U+{ord(found[0]):04X} cannot stand in a phone's file"
    if form == "lines":
        if text != text.strip():
            return "blanks at its ends would be lost"
        if text == _RESET:
            return "the phone would take this text as a reset"
    return None
