"""record(): who did what to what, from which address, for whom."""

from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone

from accounts.models import Account, AuditEntry
from accounts.scope import Actor


def record(
    by: Actor,
    verb: str,
    target: models.Model,
    *,
    account: Account | None = None,
    now: datetime | None = None,
    **details: Any,
) -> AuditEntry:
    """Add one entry to the audit, in the caller's transaction; details must be plain JSON values."""
    owner = account or (target if isinstance(target, Account) else target.account)  # type: ignore[attr-defined]
    return AuditEntry.objects.create(
        at=now or timezone.now(),
        account=owner,
        account_slug=owner.slug,
        actor=by.label,
        user=by.user,
        on_behalf_of=by.on_behalf_of,
        address=by.address or "",
        verb=verb,
        target_kind=target._meta.model_name or "",
        target_code=str(getattr(target, "code", target.pk)),
        target_name=str(target)[:200],
        details=details,
    )
