"""Endpoints of webhooks: made, changed, given a new secret, tried out, and told again what they missed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts import audit, cleaning
from accounts.deleting import refuse_deleted
from accounts.models import Account
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Power
from accounts.scope import Actor, below
from accounts.speaking import told
from devices import secrets
from provisioning import announcing, outgoing, webhook_wire
from provisioning.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from security.networks import parse_network

MOST_ENDPOINTS = 20
MOST_AGAIN = 10_000  # events that one call sends again
LONGEST_OVERLAP = timedelta(days=30)
LONGEST_URL = 500
TEST = "webhook.test"
AHEAD = timedelta(days=365)  # what a person waits for is due before all that waits there

State = WebhookDelivery.State


def create(
    account: Account,
    *,
    by: Actor,
    name: str,
    url: str,
    kinds: Sequence[str] = (),
    with_below: bool = False,
    now: datetime | None = None,
) -> tuple[WebhookEndpoint, str]:
    """Return the new endpoint with its secret, which is shown this once."""
    _needs(by, account)
    refuse_deleted(account)
    now = now or timezone.now()
    endpoint = WebhookEndpoint(
        account=account,
        name=_read_name(name),
        url=_read_url(url),
        kinds=_read_kinds(kinds),
        with_below=with_below,
        created_at=now,
    )
    text = _give_secret(endpoint)
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)  # they are counted one by one
        if account.webhook_endpoints.count() >= MOST_ENDPOINTS:
            raise Refusal(
                "input",
                gettext("An account has at most {most_endpoints} endpoints.").format(
                    most_endpoints=MOST_ENDPOINTS
                ),
                code="too-many",
            )
        cleaning.full_clean(endpoint, blame="name", exclude=("secret",))
        endpoint.save(force_insert=True)
        audit.record(by, "webhook.created", endpoint, now=now, **_described(endpoint))
    return endpoint, text


def change(
    endpoint: WebhookEndpoint,
    *,
    by: Actor,
    name: str | None = None,
    url: str | None = None,
    kinds: Sequence[str] | None = None,
    with_below: bool | None = None,
    is_active: bool | None = None,
    now: datetime | None = None,
) -> WebhookEndpoint:
    """Change what is given. One that is switched off gets nothing more, not even what waits for it."""
    _needs(by, endpoint.account)
    given: dict[str, Any] = {
        "name": None if name is None else _read_name(name),
        "url": None if url is None else _read_url(url),
        "kinds": None if kinds is None else _read_kinds(kinds),
        "with_below": with_below,
        "is_active": is_active,
    }
    with transaction.atomic():
        endpoint = held(endpoint)
        before = _described(endpoint)
        changed = {
            field: value
            for field, value in given.items()
            if value is not None and value != getattr(endpoint, field)
        }
        if not changed:
            return endpoint
        for field, value in changed.items():
            setattr(endpoint, field, value)
        if changed.keys() & {"url", "is_active"}:  # another machine, or the same one repaired
            endpoint.failures, endpoint.failing_since, endpoint.rests_until = 0, None, None
        cleaning.full_clean(endpoint, blame="name", exclude=("secret",))
        endpoint.save(update_fields=[*changed, "failures", "failing_since", "rests_until"])
        after = _described(endpoint)
        details: dict[str, Any] = {
            key: [before[key], after[key]] for key in after if before[key] != after[key]
        }
        if "url" in changed:  # though it is the same machine
            details["address"] = [before["address"], after["address"]]
        audit.record(by, "webhook.changed", endpoint, now=now, **details)
    return endpoint


def remove(endpoint: WebhookEndpoint, *, by: Actor, now: datetime | None = None) -> None:
    """Remove the endpoint with its log; what waits for it is not sent."""
    _needs(by, endpoint.account)
    with transaction.atomic():
        endpoint = held(endpoint)
        audit.record(by, "webhook.removed", endpoint, now=now, **_described(endpoint))
        endpoint.delete()


def rotate_secret(
    endpoint: WebhookEndpoint,
    *,
    by: Actor,
    overlap: timedelta = timedelta(hours=24),
    now: datetime | None = None,
) -> tuple[WebhookEndpoint, str]:
    """Give it a new secret, shown this once; until the overlap is over the former one signs, too."""
    _needs(by, endpoint.account)
    now = now or timezone.now()
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise Invalid("overlap", gettext("The former secret goes on for 0 to 30 days."))
    with transaction.atomic():
        endpoint = held(endpoint)
        endpoint.former_secret = endpoint.secret if overlap else b""
        endpoint.former_until = now + overlap if overlap else None
        text = _give_secret(endpoint)
        endpoint.save(update_fields=["secret", "former_secret", "former_until"])
        until = endpoint.former_until.isoformat() if endpoint.former_until else ""
        audit.record(by, "webhook.secret-rotated", endpoint, now=now, until=until)
    return endpoint, text


def test(
    endpoint: WebhookEndpoint,
    *,
    by: Actor,
    now: datetime | None = None,  # noqa: PT028 - a verb, and no test of ours
) -> WebhookDelivery:
    """Send it an event that says nothing: before all that waits, whatever it asked for, even at rest."""
    _needs(by, endpoint.account)
    now = now or timezone.now()
    with transaction.atomic():
        endpoint = held(endpoint)
        _refuse_off(endpoint)
        account = endpoint.account
        event = WebhookEvent.objects.create(
            account=account,
            kind=TEST,
            lane=f"test {uuid4()}",
            at=now,
            data={"account": {"slug": account.slug, "name": account.name}, "endpoint": endpoint.name},
        )
        delivery = _again(endpoint, event, now)
        delivery.due_at = now - AHEAD
        delivery.save(force_insert=True)
        _wake(endpoint, now)
        audit.record(by, "webhook.tested", endpoint, now=now)
    return delivery


def replay(delivery: WebhookDelivery, *, by: Actor, now: datetime | None = None) -> WebhookDelivery:
    """Send the same event now, and return that delivery: a new one, or the one that waits anyway."""
    _needs(by, delivery.endpoint.account)
    now = now or timezone.now()
    with transaction.atomic():
        endpoint = held(delivery.endpoint)
        _refuse_off(endpoint)
        delivery = WebhookDelivery.objects.select_related("event").get(pk=delivery.pk)
        if delivery.state == State.WAITING:
            if delivery.taken_until is None or delivery.taken_until <= now:
                delivery.due_at = now
                delivery.save(update_fields=["due_at"])
        else:
            delivery = _again(endpoint, delivery.event, now)
            delivery.save(force_insert=True)
        _wake(endpoint, now)
        audit.record(by, "webhook.replayed", endpoint, now=now, kind=delivery.event.kind)
    return delivery


def replay_since(
    endpoint: WebhookEndpoint, *, by: Actor, since: datetime, now: datetime | None = None
) -> int:
    """Send what happened since then and was meant for it but never arrived; returns how many events."""
    _needs(by, endpoint.account)
    now = now or timezone.now()
    with transaction.atomic():
        endpoint = held(endpoint)
        _refuse_off(endpoint)
        missed = list(_missed(endpoint, since).order_by("pk")[: MOST_AGAIN + 1])
        if len(missed) > MOST_AGAIN:
            raise Refusal(
                "input",
                gettext("More than {most} events are missing since then. Choose a later time.").format(
                    most=MOST_AGAIN
                ),
                code="too-many",
                field="since",
            )
        again = [_again(endpoint, event, now) for event in missed]
        WebhookDelivery.objects.bulk_create(again, batch_size=500)
        if again:
            _wake(endpoint, now)
        audit.record(by, "webhook.replayed", endpoint, now=now, since=since.isoformat(), done=len(again))
    return len(again)


def guard() -> outgoing.Guard:
    """Where webhooks may go: the public Internet, networks that are named, in a trial the machine itself."""
    named = tuple(parse_network(text) for text in settings.WEBHOOK_NETWORKS)
    if settings.LATCHKEY_TRIAL:
        return outgoing.Guard((*named, *outgoing.LOOPBACK), plain=True)
    return outgoing.Guard(named)


def held(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """The endpoint as it is now, its row held: whatever changes it or its queue goes one after the other."""
    rows = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    row: WebhookEndpoint = rows.get(pk=endpoint.pk)
    return row


def in_reach(endpoint: WebhookEndpoint, account: Account) -> bool:
    """Whether what happens in that account is for this endpoint to know, as the tree stands now (E18)."""
    if endpoint.account.deleted_at is not None:
        return False
    if account.pk == endpoint.account_id:
        return True
    return endpoint.with_below and account.path.startswith(endpoint.account.path)


# --- parts of the verbs ------------------------------------------------------------------------------------


def _needs(by: Actor, account: Account) -> None:
    if not by.may(Power.EDIT_WEBHOOKS, account.path):
        raise Forbidden


def _refuse_off(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_active:
        raise Refusal(
            "input", gettext("This endpoint is switched off; switch it on first."), code="switched-off"
        )


def _read_name(name: str) -> str:
    return cleaning.needed("name", name, gettext("The name"), longest=60)


def _read_url(url: str) -> str:
    """An address that could be asked; whether it may be is found out with every try, by what its name is."""
    url = cleaning.needed("url", url, gettext("The address"), longest=LONGEST_URL)
    try:
        target = outgoing.read_url(url)
        allowed = guard()
        if target.scheme == "http" and not (allowed.plain or allowed.networks):
            raise Invalid("url", gettext("Only https goes over the Internet."))
        if target.is_number:
            allowed.check(target.host, is_plain=target.scheme == "http")
    except outgoing.Refused as refused:
        raise Invalid("url", told(refused.said)) from refused
    return url


def _read_kinds(kinds: Sequence[str]) -> list[str]:
    for kind in kinds:
        if kind not in announcing.KINDS:
            raise Invalid("kinds", gettext("{kind!r} is no event.").format(kind=kind))
    return list(dict.fromkeys(kinds))


def _give_secret(endpoint: WebhookEndpoint) -> str:
    text = webhook_wire.draw_secret()
    endpoint.secret = secrets.seal(secrets.Kind.WEBHOOK_SECRET, endpoint.code, text)
    return text


def _again(endpoint: WebhookEndpoint, event: WebhookEvent, now: datetime) -> WebhookDelivery:
    return WebhookDelivery(
        endpoint=endpoint, event=event, lane=event.lane, created_at=now, due_at=now, is_replay=True
    )


def _wake(endpoint: WebhookEndpoint, now: datetime) -> None:
    """Somebody says that it works again, or wants to see whether."""
    if endpoint.rests_until is not None and endpoint.rests_until > now:
        endpoint.rests_until = now
        endpoint.save(update_fields=["rests_until"])


def _missed(endpoint: WebhookEndpoint, since: datetime) -> "QuerySet[WebhookEvent]":
    """Events within its reach that neither arrived there nor are on their way."""
    path = endpoint.account.path
    reach = below([path], "account__path") if endpoint.with_below else Q(account=endpoint.account_id)
    told_it = WebhookDelivery.objects.filter(
        event=OuterRef("pk"), endpoint=endpoint, state__in=(State.WAITING, State.DELIVERED)
    )
    rows: QuerySet[WebhookEvent] = WebhookEvent.objects.filter(reach, ~Exists(told_it), at__gte=since)
    rows = rows.exclude(kind=TEST)
    return rows.filter(kind__in=endpoint.kinds) if endpoint.kinds else rows


def _described(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """The endpoint as the audit tells of it: path and query of its address may be a secret."""
    return {
        "name": endpoint.name,
        "address": outgoing.read_url(endpoint.url).place,
        "kinds": endpoint.kinds,
        "below": endpoint.with_below,
        "is_active": endpoint.is_active,
    }
