"""The languages that the product speaks here: English, and each that has a compiled catalogue."""

from collections.abc import Iterable
from pathlib import Path

from django.conf.locale import LANG_INFO
from django.utils.translation import to_language

ENGLISH = ("en-gb", "English")


def found(folders: Iterable[Path]) -> list[tuple[str, str]]:
    """Each code with the language's own name; a catalogue that nobody has compiled is none yet."""
    codes = {
        to_language(file.parent.parent.name)
        for folder in folders
        for file in Path(folder).glob("*/LC_MESSAGES/django.mo")
    }
    return [ENGLISH, *((code, _name(code)) for code in sorted(codes - {ENGLISH[0]}))]


def _name(code: str) -> str:
    info = LANG_INFO.get(code) or LANG_INFO.get(code.partition("-")[0]) or {}
    return str(info.get("name_local", code))
