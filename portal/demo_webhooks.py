"""The demo's webhooks: real events of the demo itself, with answers that nobody gave.

Nothing is sent for them. The address is one of this machine, where nothing listens; what happens from now on
is tried there in truth.
"""

from datetime import datetime, timedelta
from typing import Any

from accounts.models import Account
from accounts.scope import Actor
from provisioning import outgoing, webhook_sending, webhooks
from provisioning.models import WebhookEndpoint


def listen(
    account: Account, *, by: Actor, trial: bool, row: dict[str, Any], now: datetime
) -> WebhookEndpoint:
    """An endpoint of the account and those below; where addresses are real it is switched off."""
    url = row["trial_url"] if trial else row["url"]
    endpoint, _ = webhooks.create(account, by=by, name=row["name"], url=url, with_below=True, now=now)
    return endpoint if trial else webhooks.change(endpoint, by=by, is_active=False, now=now)


def answer(endpoint: WebhookEndpoint, *, by: Actor, answers: dict[str, int], now: datetime) -> None:
    """Give each event so far the answer of its kind, and a second test one that is no good."""
    webhooks.test(endpoint, by=by, now=now)
    _answered(endpoint, answers, 204, now)
    webhooks.test(endpoint, by=by, now=now)
    _answered(endpoint, answers, 500, now)


def switch_off(endpoint: WebhookEndpoint, *, by: Actor, now: datetime) -> None:
    """What waits for it is not sent any more."""
    webhooks.change(endpoint, by=by, is_active=False, now=now)
    webhook_sending.take(endpoint.pk, now)


def _answered(endpoint: WebhookEndpoint, answers: dict[str, int], otherwise: int, now: datetime) -> None:
    said = {204: b"", 500: b"Internal Server Error", 503: b'{"error": "Back in a moment"}'}
    while taken := webhook_sending.take(endpoint.pk, now).taken:
        for one in taken:
            kind = one.content.decode().rpartition('"type":"')[2].partition('"')[0]
            status = answers.get(kind, otherwise)
            came = outgoing.Answer(status=status, content=said[status], took=0.084)
            webhook_sending.finish(one, came, now=now + timedelta(milliseconds=84))
