"""Webhooks in words: how an endpoint does, what an event and a delivery are called, and their lists' rows."""

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext, gettext_lazy, ngettext

from provisioning import announcing, sentences, webhooks
from provisioning.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint


class Health(models.TextChoices):
    """How deliveries to an endpoint go at this moment."""

    NEW = "new", gettext_lazy("Nothing sent yet")
    DELIVERING = "delivering", gettext_lazy("Delivering")
    FAILING = "failing", gettext_lazy("Failing")
    RESTING = "resting", gettext_lazy("Resting")
    OFF = "off", gettext_lazy("Switched off")


def health(endpoint: WebhookEndpoint, now: datetime) -> Health:
    if not endpoint.is_active:
        return Health.OFF
    if endpoint.rests_until is not None and endpoint.rests_until > now:
        return Health.RESTING
    if endpoint.failing_since is not None:
        return Health.FAILING
    return Health.DELIVERING if endpoint.last_success_at else Health.NEW


def sentence(endpoint: WebhookEndpoint, now: datetime) -> str:
    """How it does, since when and until when, in one sentence."""
    zone = endpoint.account.time_zone
    since, until, last = (
        sentences.when(at, zone, now=now) if at else ""
        for at in (endpoint.failing_since, endpoint.rests_until, endpoint.last_success_at)
    )
    match health(endpoint, now):
        case Health.OFF:
            return gettext("Switched off: nothing is sent to it.")
        case Health.RESTING:
            said = gettext("Failing since {since}, and resting until {until}; then one delivery tries again.")
        case Health.FAILING:
            said = gettext("Failing since {since}; each delivery is tried again by itself, for 3 days.")
        case Health.DELIVERING:
            said = gettext("Delivering; the last one arrived {last}.")
        case _:
            return gettext("Nothing was sent to it yet.")
    return said.format(since=since, until=until, last=last)


def waiting(count: int) -> str:
    """How many deliveries have not arrived yet."""
    return ngettext("{count} delivery waits.", "{count} deliveries wait.", count).format(count=count)


def title(kind: str) -> str:
    """An event's kind in words."""
    if kind == webhooks.TEST:
        return gettext("Test")
    return str(announcing.KINDS[kind].title) if kind in announcing.KINDS else kind


def came_back(attempt: WebhookAttempt) -> str:
    """What one try got, in words."""
    if not attempt.status:
        return attempt.why
    return gettext("Answered {status}.").format(status=attempt.status)


def with_waiting(endpoints: Any) -> Any:
    """Endpoints with the number of deliveries that wait for each."""
    theirs = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), state=WebhookDelivery.State.WAITING)
    counted = theirs.order_by().values("endpoint").annotate(rows=Count("pk")).values("rows")
    return endpoints.annotate(waiting=Coalesce(Subquery(counted), 0))
