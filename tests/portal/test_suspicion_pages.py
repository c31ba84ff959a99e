"""A phone under suspicion on the pages: whom to ask, and that one address is all that is offered (E7)."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.scope import Actor
from devices.models import Device
from provisioning import locking, suspicion
from provisioning.models import Lock
from tests.factories import AWAY, ELSEWHERE, origin, refused
from tests.provisioning.verb_checks import everything, lock_of
from tests.tree import user_of
from tests.world import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("E7")]


@pytest.fixture
def suspected(locked: Device) -> Device:
    refused(locked, AWAY, at=timezone.now() - timedelta(hours=1))
    now = timezone.now()
    suspicion.raise_(locking.locked_row(locked), why=Lock.Suspicion.HOURS, at=now, now=now)
    return locked


def shown(device: Device, by: Actor, page: str, **more: Any) -> str:
    answer = signed_in(user_of(by)).get(reverse(page, args=[device.code]), **more)
    return str(answer.content.decode())


@pytest.mark.parametrize("page", ["phone", "phone-advanced"])
def test_the_unlock_button_says_ask_your_provider(suspected: Device, ana: Actor, page: str) -> None:
    text = shown(suspected, ana, page)

    assert "Ask your provider</button>" in text
    assert reverse("phone-unlock", args=[suspected.code]) in text


def test_the_phones_page_says_why(suspected: Device, ana: Actor) -> None:
    assert "refused at one foreign address in 12 of 24 hours" in shown(suspected, ana, "phone")


def test_the_menu_offers_one_address_and_none_of_those_that_were_refused(
    suspected: Device, ana: Actor
) -> None:
    text = shown(suspected, ana, "phone-unlock")

    assert 'value="any" disabled' in text
    assert 'name="address" value=""' in text


def test_it_offers_the_managers_own_address_when_the_phone_was_refused_there(
    suspected: Device, ana: Actor
) -> None:
    text = shown(suspected, ana, "phone-unlock", REMOTE_ADDR=AWAY)

    assert f'name="address" value="{AWAY}"' in text


def test_the_menu_unlocks_for_one_address(suspected: Device, ana: Actor) -> None:
    before = everything(suspected)
    path = reverse("phone-unlock", args=[suspected.code])
    client = signed_in(user_of(ana))

    refusal = client.post(path, {"span": "24h", "scope": "any"})
    assert "It can be unlocked for one address only." in refusal.content.decode()
    assert everything(suspected) == before

    client.post(path, {"span": "24h", "scope": "one", "address": ELSEWHERE})
    assert lock_of(suspected).grant_origin == origin(ELSEWHERE)
