"""Rows of every kind that the keeping table takes (section 9), of a given age."""

from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session

from accounts import audit
from accounts.models import AuditEntry, KeptAnswer, User
from accounts.scope import Actor
from devices.models import Device
from provisioning import incidents, replaying, tokens
from provisioning.gate import TokenKind
from provisioning.models import (
    Approval,
    CheckInHour,
    Denial,
    DeviceEvent,
    FailureKey,
    ImportDraft,
    Incident,
    Job,
    JobItem,
    Notice,
    ProvedHour,
    Token,
    UnknownTime,
    UnlockLink,
    Upload,
    WebhookAttempt,
    WebhookEndpoint,
    WebhookEvent,
    Window,
)
from security.models import Ban
from tests.factories import AWAY, HOME, banned, claimed, failure, origin, refused

DAY = timedelta(days=1)


def served(device: Device, at: datetime, **changes: Any) -> DeviceEvent:
    event = refused(device, HOME, at=at, rule="O3")
    DeviceEvent.objects.filter(pk=event.pk).update(**{"outcome": "full", **changes})
    return DeviceEvent.objects.get(pk=event.pk)


def dead_token(device: Device, at: datetime, *, kind: TokenKind = TokenKind.DEAD) -> Token:
    claim = claimed(device, at=at)
    token = tokens.issue(device, claim, TokenKind.ENTRY, origin(HOME), at)
    token.kind, token.until = kind.value, at
    token.save()
    return token


def card(device: Device, at: datetime, status: str = "closed") -> Approval:
    where = origin(AWAY)
    tried = {"first": where.hex_first, "last": where.hex_last, "address": AWAY, "at": at.isoformat()}
    return Approval.objects.create(
        device=device, account=device.account, status=status, rule="R6", opened_at=at, closes_at=at,
        last_try_at=at, origins=[{**tried, "agent": "", "product": "", "rule": "R6"}],
    )  # fmt: skip


def window(device: Device, at: datetime) -> Window:
    where = origin(AWAY)
    return Window.objects.create(
        account=device.account, first=where.hex_first, last=where.hex_last, starts_at=at - DAY, ends_at=at,
        opened_by="Ana",
    )  # fmt: skip


def job(device: Device, at: datetime) -> Job:
    made = Job.objects.create(
        account=device.account, kind=Job.Kind.UNLOCK_ALL, by="Ana", created_at=at, finished_at=at
    )
    JobItem.objects.create(job=made, device=device, name="Desk", mac=device.mac, result="done")
    return made


def what_if(device: Device, at: datetime) -> Job:
    return Job.objects.create(
        account=device.account, kind=replaying.KIND, by="Sam", created_at=at, finished_at=at
    )


def audited(device: Device, at: datetime) -> AuditEntry:
    return audit.record(Actor.system("tests"), "device.unlocked", device, now=at)


def lifted(device: Device, at: datetime) -> Ban:
    ban = banned(at=at - DAY)
    Ban.objects.filter(pk=ban.pk).update(ends_at=at + 60 * DAY, lifted_at=at)
    return ban


def over(device: Device, at: datetime) -> Ban:
    return banned(at=at - timedelta(hours=1))


def denial(device: Device, at: datetime) -> Denial:
    return Denial.objects.create(
        lock=device.lock, first=f"{1:032x}", last=f"{1:032x}", since=at - DAY, until=at, by="Ana"
    )


def upload(device: Device, at: datetime) -> Upload:
    return Upload.objects.create(device=device, name="calls.xml", content_type="text/xml", body=b"x", at=at)


def hour(device: Device, at: datetime) -> CheckInHour:
    return CheckInHour.objects.create(device=device, hour=at, count=1)


def unknown(device: Device, at: datetime) -> UnknownTime:
    return UnknownTime.objects.create(since=at - DAY, until=at, why="held")


def key(device: Device, at: datetime) -> FailureKey:
    made = failure(label=device.mac, at=at)
    FailureKey.objects.filter(pk=made.pk).update(hour=at)
    return made


def session(device: Device, at: datetime) -> Session:
    return Session.objects.create(session_key="s" * 32, session_data="", expire_date=at)


def listed_session(device: Device, at: datetime) -> UserSession:
    return UserSession.objects.create(
        user=User.objects.create_user("kim@example.net", name="Kim"),
        ip="192.0.2.1",
        session_key="t" * 32,
        created_at=at,
        last_seen_at=at,
    )


def draft(device: Device, at: datetime) -> ImportDraft:
    return ImportDraft.objects.create(account=device.account, by="Ana", created_at=at)


def kept_answer(device: Device, at: datetime) -> KeptAnswer:
    return KeptAnswer.objects.create(caller="key 1", name="x", asked="y", runs_until=at, created_at=at)


def link(device: Device, at: datetime) -> UnlockLink:
    return UnlockLink.objects.create(
        account=device.account, device=device, key="k" * 64, made_by="Ana", made_at=at - DAY, ends_at=at
    )


def notice(device: Device, at: datetime) -> Notice:
    return Notice.objects.create(
        account=device.account,
        user=User.objects.create_user("kim@example.net", name="Kim"),
        kind="ban",
        name="ban 1",
        subject="Banned",
        body="",
        at=at,
        due_at=at,
        sent_at=at,
    )


def proved_hour(device: Device, at: datetime) -> ProvedHour:
    return ProvedHour.objects.create(first=f"{1:032x}", last=f"{1:032x}", hour=at, counts=[])


def incident(device: Device, at: datetime) -> Incident:
    """One that went on for long, with a timeline."""
    made = incidents.open_(
        Incident.Kind.STORM, account=device.account, subject="x", title="Many at once", now=at - 90 * DAY
    )
    return incidents.end(made, how="All were served", now=at)


def told_event(device: Device, at: datetime) -> WebhookEvent:
    """One that somebody was told when it happened."""
    endpoint, _ = WebhookEndpoint.objects.get_or_create(account=device.account, name="Desk")
    event = WebhookEvent.objects.create(account=device.account, kind="device.locked", lane="x", at=at)
    delivery = endpoint.deliveries.create(event=event, lane="x", state="delivered", ended_at=at, due_at=None)
    WebhookAttempt.objects.create(delivery=delivery, at=at, took=0.1, status=200)
    return event


def told_late(device: Device, at: datetime) -> WebhookAttempt:
    """The try of a delivery that had waited for two days."""
    event = told_event(device, at - 2 * DAY)
    event.deliveries.update(ended_at=at)
    return WebhookAttempt.objects.get(delivery__event=event)
