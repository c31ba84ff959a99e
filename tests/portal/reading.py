"""What tests of pages read: a page's own words, and that a form came back and changed nothing."""

import re
from typing import Any

from django.urls import reverse

from accounts.models import AuditEntry
from devices.models import Device, Extension
from provisioning.models import Claim, DeviceEvent, Lock, Outbox, Token


def page(name: str, row: Any) -> str:
    return reverse(name, args=[row.code])


def said(answer: Any) -> str:
    """The page's own words, without tags and with single blanks."""
    shown = answer.content.decode()
    main = shown[shown.index("<main") : shown.index("</main>")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", main)).replace("&#x27;", "'")


def everything() -> tuple[Any, ...]:
    """What a refusal must leave as it was."""
    rows = [
        list(model.objects.order_by("pk").values())  # type: ignore[attr-defined]
        for model in (Device, Lock, Claim, Token, Extension, Outbox)
    ]
    return rows, DeviceEvent.objects.count(), AuditEntry.objects.count()


def comes_back(answer: Any, before: tuple[Any, ...], words: str, rule: str = "") -> None:
    """The form again, with the sentence and the rule's key cap; nothing was changed."""
    assert answer.status_code == 200
    assert words in said(answer)
    if rule:
        assert f'<span class="rule">{rule}</span>' in answer.content.decode()
    assert answer.context["form"].errors
    assert everything() == before
