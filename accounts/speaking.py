"""In which language something is said: to a reader in his own, in rows and e-mails in the installation's."""

from contextlib import AbstractContextManager

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext

from accounts.said import Said


def told(text: str) -> str:
    """The sentence in the reader's language, with its places filled; of a table's text its translation."""
    if isinstance(text, Said):
        facts = {name: told(fact) if isinstance(fact, Said) else fact for name, fact in text.facts.items()}
        return gettext(text.text).format(**facts)
    return gettext(text) if text else ""


def to_everybody() -> AbstractContextManager[None]:
    """What is said within is kept or sent: in the installation's language, whoever asked for it."""
    return translation.override(settings.LANGUAGE_CODE)
