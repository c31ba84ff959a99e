"""What a demo tells people: who may sign in, and which two lines play a phone and a thief."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model

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


def replace_passwords(path: Path, facts: DemoFacts | None) -> DemoFacts | None:
    """Give the demo's people passwords that nobody could read before; they are shown once and not kept.

    Where the facts were lost, the demo's people are those of a domain that belongs to nobody.
    """
    users = get_user_model().objects
    if facts is None:
        lost = users.filter(email__iendswith="example.org").order_by("email")
        facts = DemoFacts([(user.email, "", "") for user in lost], "", "")
        pending = {email for email, _, _ in facts.sign_ins}
        if not pending:
            return None
    else:
        pending = {email for email, password, _ in facts.sign_ins if password}
    fresh = []
    for email, _, role in facts.sign_ins:
        password = secrets.token_urlsafe(12) if email in pending else ""
        user = users.filter(email=email).first()
        if user is not None and password:
            user.set_password(password)
            user.save(update_fields=["password"])
        fresh.append((email, password, role))
    remember(path, replace(facts, sign_ins=[(email, "", role) for email, _, role in fresh]))
    return replace(facts, sign_ins=fresh)
