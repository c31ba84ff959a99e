"""A refused or held request changes no row: not the lock, not a token, not the log."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from accounts.scope import Actor
from devices.models import Device
from provisioning import claims, locking, policies
from provisioning.gate import Outcome
from provisioning.locking import Span
from provisioning.models import Denial, Lock
from tests.factories import AWAY, HOME, banned, make_phone, origin, proved
from tests.provisioning.making import request

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

DAY = timedelta(days=1)


def every_row() -> dict[str, list[Any]]:
    ours = ("accounts", "devices", "security", "provisioning")
    models = [model for model in apps.get_models() if model._meta.app_label in ours]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}


def set_lock(device: Device, **columns: Any) -> None:
    Lock.objects.filter(pk=device.pk).update(**columns)


def new(device: Device, **columns: Any) -> None:
    set_lock(device, state="new", bound_first="", bound_last="", **columns)


def new_by_approval(device: Device, ana: Actor) -> None:
    new(device)
    policies.set_value(device.account, by=ana, name="first_fetch", value="approval")


def unlock_at_home(device: Device, ana: Actor) -> None:
    locking.unlock(device, by=ana, span=Span.hours(1), origin=origin(HOME))


def claimed_a_second_ago(device: Device) -> None:
    set_lock(device, last_claim_at=timezone.now() - timedelta(seconds=1))


def shared(device: Device, eve: Actor) -> None:
    theirs = make_phone(type(device.account).objects.get(slug="globex"), by=eve)
    proved(theirs, HOME)
    proved(device, HOME)


def denied(device: Device) -> None:
    where = origin(AWAY)
    Denial.objects.create(
        lock=device.lock, first=where.hex_first, last=where.hex_last, since=timezone.now(),
        until=timezone.now() + DAY, by="Ana",
    )  # fmt: skip


SITUATIONS: list[tuple[str, Outcome, str, Any, dict[str, Any]]] = [
    ("R6", Outcome.REFUSED, AWAY, lambda d, c: None, {}),
    ("R6", Outcome.REFUSED, HOME, lambda d, c: shared(d, c.eve), {}),
    ("R9", Outcome.REFUSED, AWAY, lambda d, c: unlock_at_home(d, c.ana), {}),
    ("R10", Outcome.REFUSED, HOME, lambda d, c: set_lock(d, state="quarantined"), {}),
    ("R10", Outcome.REFUSED, HOME, lambda d, c: Device.objects.filter(pk=d.pk).update(is_enabled=False), {}),
    ("R12", Outcome.REFUSED, HOME, lambda d, c: None, {"agent": "curl/8"}),
    ("R13", Outcome.REFUSED, HOME, lambda d, c: None, {"certificate_mac": "00005e005399"}),
    ("R14", Outcome.REFUSED, AWAY, lambda d, c: denied(d), {}),
    ("R3", Outcome.REFUSED, HOME, lambda d, c: new(d, armed_at=timezone.now() - 8 * DAY), {}),
    ("R3a", Outcome.REFUSED, HOME, lambda d, c: new(d, armed_at=timezone.now() + DAY), {}),
    ("R3b", Outcome.REFUSED, HOME, lambda d, c: new_by_approval(d, c.ana), {}),
    ("G1", Outcome.REFUSED, HOME, lambda d, c: banned(HOME), {}),
    ("R4", Outcome.HELD, HOME, lambda d, c: claimed_a_second_ago(d), {}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "outcome", "address", "arrange", "asked"), SITUATIONS)
def test_a_refused_request_changes_no_row(
    locked: Device, cast: Any, rule: str, outcome: Outcome, address: str, arrange: Any, asked: dict[str, Any]
) -> None:
    arrange(locked, cast)
    before = every_row()
    wanted = request(locked, address, agent=asked.get("agent"))
    wanted = claims.Request(**{**_fields(wanted), "certificate_mac": asked.get("certificate_mac")})

    answer = claims.claim(wanted, now=timezone.now())

    assert (answer.verdict.rule, answer.verdict.outcome, answer.file) == (rule, outcome, None)
    assert every_row() == before


def test_a_mac_that_nobody_has_entered_changes_no_row(locked: Device) -> None:
    before = every_row()
    wanted = claims.Request(**{**_fields(request(locked, AWAY)), "mac": "00005e0053fe"})

    answer = claims.claim(wanted, now=timezone.now())

    assert (answer.verdict.rule, answer.file) == ("R11", None)
    assert every_row() == before


def _fields(wanted: claims.Request) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in wanted.__slots__}
