"""What a demo tells people: who may sign in, and which two lines play a phone and a thief."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from django.conf import settings

PHONES = "{phones}"


@dataclass(frozen=True)
class DemoFacts:
    """The sign-ins of a demo as (e-mail, password, role), and its two lines for a shell."""

    sign_ins: list[tuple[str, str, str]]
    curl_phone: str
    curl_thief: str


def remember(path: Path, facts: DemoFacts) -> None:
    """Keep the facts for the next start; the phones' address may be another one then."""
    kept = replace(
        facts,
        curl_phone=facts.curl_phone.replace(settings.PHONES_URL, PHONES),
        curl_thief=facts.curl_thief.replace(settings.PHONES_URL, PHONES),
    )
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(kept), file, indent=1)
    temporary.rename(path)


def recall(path: Path) -> DemoFacts | None:
    """Return what an earlier start has kept."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return DemoFacts(
        sign_ins=[(email, password, role) for email, password, role in kept["sign_ins"]],
        curl_phone=kept["curl_phone"].replace(PHONES, settings.PHONES_URL),
        curl_thief=kept["curl_thief"].replace(PHONES, settings.PHONES_URL),
    )
