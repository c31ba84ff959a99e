"""What the API's examples need: the world's codes, callers, and what is there beside the world."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.utils import timezone
from pytest_django import Settings

from accounts import invitations, tenants
from accounts.models import User
from accounts.roles import Role
from devices import extensions
from portal.api_examples import CODES
from provisioning import replaying, sites, tasks, webhook_wire
from provisioning.models import WebhookAttempt, WebhookDelivery
from security import bans
from security.networks import origin_of, parse_address
from tests.provisioning.stolen import suspected_clone
from tests.world import World, actor, make_key, program, signed_in

HERE = "203.0.113.200"  # where the examples' calls come from
MESSAGE = "msg_5a3c00000000400080000000000000f0"
UNKNOWN = "5a3c0000-0000-4000-8000-{:012x}"
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_MESSAGE = re.compile(r"msg_[0-9a-f]{32}")
#: What is drawn anew each time, by the names of fields.
DRAWN = {
    "prefix": "Qm4vT9xK",
    "key": "Qm4vT9xK.5uPzR8wYb2nJc7hLd3sFg6aVe9tMk1qX",
    "secret": "whsec_T2ZubyB1c2Ugb3V0c2lkZSBvZiBleGFtcGxlcw==",
    "link": "https://portal.example.net/unlock/kX7c0m4d9r2t8v5w3y6z1b/",
    "url": None,
}


def codes_of(world: World) -> dict[str, str]:
    """The world's codes by the things that they name."""
    acme = world.acme
    rows: dict[str, Any] = {
        "phone": acme.phone, "other_phone": acme.other_phone, "extension": acme.extension,
        "profile": acme.profile, "contact": acme.contact, "site": acme.site, "window": acme.window,
        "approval": acme.approval, "allowed": acme.allowed, "ban": acme.ban, "incident": acme.incident,
        "job": acme.job, "draft": acme.draft, "unlock_link": acme.unlock_link, "person": acme.viewer,
    }  # fmt: skip
    rows |= {"webhook": acme.endpoint, "delivery": acme.delivery}
    return {**CODES, **{name: str(row.code) for name, row in rows.items()}, "key": acme.key_code}


def caller(world: World, who: str) -> Any:
    """A client with a key of that role, or with a manager's session."""
    if who == "person":
        return signed_in(world.ana, REMOTE_ADDR=HERE)
    key = world.acme.key
    if who == "reseller":
        key = make_key(world.harbour, Role.RESELLER, world.rita)
    if who == "support":
        key = make_key(world.platform, Role.SUPPORT, world.sam)
    return program(key, REMOTE_ADDR=HERE)


def neutral(body: Any, codes: dict[str, str]) -> Any:
    """The answer with the description's codes, and nothing in it that is drawn by lot."""
    known = {real: CODES[thing] for thing, real in codes.items()}

    def code(found: re.Match[str]) -> str:
        real = found.group()
        return known.setdefault(real, UNKNOWN.format(0x100 + len(known)))

    def walk(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: walk(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, name) for inner in value]
        if isinstance(value, str):
            return DRAWN.get(name) or _MESSAGE.sub(MESSAGE, _UUID.sub(code, value)) if value else value
        return value

    return walk(body)


# --- what an example asks for beside the world -------------------------------------------------------------


def another_reseller(world: World, settings: Settings, patch: pytest.MonkeyPatch) -> None:
    tenants.create_account(world.platform, by=actor(world.sam), slug="quay", name="Quay Networks")


def invited(world: World, settings: Settings, patch: pytest.MonkeyPatch) -> dict[str, str]:
    person: dict[str, Any] = {"email": "cleo@acme.example", "name": "Cleo Clerk", "role": Role.USER}
    earlier = timezone.now() - timedelta(hours=1)
    made = invitations.invite(world.acme.account, by=actor(world.ana), now=earlier, **person)
    return {"person": str(made.user.code)}


def second_factor(world: World, settings: Settings, patch: pytest.MonkeyPatch) -> None:
    person: User = world.acme.viewer
    Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data={"secret": "sealed"})


def clone(world: World, settings: Settings, patch: pytest.MonkeyPatch) -> dict[str, str]:
    return {"phone": str(suspected_clone(world.acme.account).code)}


def sip_edge(world: World, settings: Settings, patch: pytest.MonkeyPatch) -> None:
    settings.SIP_EDGE = "sip.example.net:5060"
    patch.setattr(tasks.send_resyncs, "apply_async", lambda **options: None)


def unused_extension(world: World, settings: Settings, patch: pytest.MonkeyPatch) -> dict[str, str]:
    made = extensions.create(
        world.acme.account, by=actor(world.ana), username="399", secret="xK7-only-an-example"
    )
    return {"extension": str(made.code)}


def unused_site(world: World, settings: Settings, patch: pytest.MonkeyPatch) -> dict[str, str]:
    return {"site": str(sites.create(world.acme.account, by=actor(world.ana), name="Kiosk").code)}


def banned(world: World, settings: Settings, patch: pytest.MonkeyPatch) -> None:
    here = origin_of(parse_address(HERE))
    bans.set_ban(here, by=actor(world.sam), length=timedelta(hours=1), reason="Scans")


def what_if(world: World, settings: Settings, patch: pytest.MonkeyPatch) -> dict[str, str]:
    started = replaying.start(replaying.Wanted(), by=actor(world.sam))
    return {"replay": str(started.code)}


def delivered(world: World, settings: Settings, patch: pytest.MonkeyPatch) -> None:
    now, delivery = timezone.now(), world.acme.delivery
    sent = webhook_wire.headers(delivery.event.code, b"{}", keys=[webhook_wire.draw_secret()], now=now)
    headers = {**webhook_wire.shown(sent), "webhook-signature": "v1,Zm9yIGEgd…"}
    WebhookAttempt.objects.create(delivery=delivery, at=now, took=0.12, status=204, request_headers=headers)
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        state="delivered", tries=1, due_at=None, ended_at=now
    )


GIVEN: dict[str, Callable[[World, Settings, pytest.MonkeyPatch], dict[str, str] | None]] = {
    given.__name__: given
    for given in (
        another_reseller, invited, second_factor, clone, sip_edge, unused_extension, unused_site, banned,
        what_if, delivered,
    )
}  # fmt: skip
