"""Unlock links: one phone, once, 24 hours, with the maker's powers of now; a refusal changes nothing (E1)."""

import json
import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from accounts import keys
from accounts.models import Account, ApiKey, AuditEntry, Membership, User
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Role
from accounts.scope import Actor
from devices.models import Device
from provisioning import moving, policies, publishing, unlock_links
from provisioning.models import DeviceEvent, UnlockLink
from provisioning.unlock_links import Made
from tests.factories import AWAY, ELSEWHERE, HOME, bind, make_phone, refused
from tests.provisioning.verb_checks import everything, lock_of, set_lock
from tests.tree import Tree, plant, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.rule("E1")]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def made(locked: Device, ana: Actor) -> Made:
    return unlock_links.make(locked, by=ana, given_to="Lou")


def found(made: Made) -> UnlockLink:
    link = unlock_links.find(made.secret, now=timezone.now())
    assert link is not None
    return link


def state(link: UnlockLink) -> tuple[Any, ...]:
    return everything(link.device), list(UnlockLink.objects.order_by("pk").values())


def is_refused(made: Made, code: str) -> None:
    link = UnlockLink.objects.select_related("device__account", "device__lock", "account").get(
        pk=made.link.pk
    )
    before = state(link)
    with pytest.raises(Refusal) as caught:
        unlock_links.use(link, address=AWAY)
    assert caught.value.code == code
    assert state(link) == before


# --- made --------------------------------------------------------------------------------------------------


def test_a_link_is_good_for_a_day_and_its_secret_stands_nowhere(locked: Device, ana: Actor) -> None:
    made = unlock_links.make(locked, by=ana, given_to="Lou")

    row = UnlockLink.objects.values().get(pk=made.link.pk)
    assert row["ends_at"] - row["made_at"] == DAY
    assert len(made.secret) == 50
    assert made.url.endswith(f"/u/{made.secret}/")
    said = json.dumps([row, *AuditEntry.objects.values(), *DeviceEvent.objects.values()], default=str)
    assert made.secret not in said
    assert row["key"] == unlock_links.key_of(made.secret)
    entry = AuditEntry.objects.get(verb="device.unlock_link_made")
    assert (entry.user, entry.target_code) == (ana.user, str(locked.code))
    assert entry.details["given_to"] == "Lou"
    assert DeviceEvent.objects.filter(device=locked, what="unlock-link-made").count() == 1


def test_a_link_is_never_good_for_longer_than_an_end_users_unlock(
    locked: Device, acme: Account, rita: Actor, ana: Actor
) -> None:
    policies.set_value(acme, by=rita, name="user_unlock_ttl", value=3)

    made = unlock_links.make(locked, by=ana)
    lock = unlock_links.use(found(made), address=AWAY)

    assert made.link.ends_at - made.link.made_at == 3 * HOUR
    assert lock.grant_until is not None
    assert lock.grant_given_at is not None
    assert lock.grant_until - lock.grant_given_at == 3 * HOUR


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_who_may_not_unlock_makes_no_link(locked: Device, who: str, request: Any) -> None:
    before = everything(locked)

    with pytest.raises(Forbidden):
        unlock_links.make(locked, by=request.getfixturevalue(who))

    assert everything(locked) == before
    assert not UnlockLink.objects.exists()


def test_a_phone_has_five_open_links_at_most(locked: Device, ana: Actor) -> None:
    links = [unlock_links.make(locked, by=ana) for _number in range(5)]
    before = everything(locked)

    with pytest.raises(Refusal) as caught:
        unlock_links.make(locked, by=ana)

    assert caught.value.code == "too-many"
    assert everything(locked) == before
    unlock_links.end(links[0].link, by=ana)
    unlock_links.make(locked, by=ana)


def test_no_link_is_made_for_a_phone_that_no_link_unlocks(locked: Device, ana: Actor) -> None:
    set_lock(
        locked, suspicion_until=timezone.now() + DAY, suspicion_since=timezone.now(), suspicion_why="origins"
    )

    with pytest.raises(Refusal) as caught:
        unlock_links.make(locked, by=ana)

    assert (caught.value.code, caught.value.rule) == ("under-suspicion", "E7")
    assert not UnlockLink.objects.exists()


def test_a_link_is_mailed_when_an_address_is_given(locked: Device, ana: Actor) -> None:
    made = unlock_links.make(locked, by=ana, email="lou@example.org")

    (letter,) = mail.outbox
    assert made.is_mailed
    assert letter.to == ["lou@example.org"]
    assert made.url in letter.body
    assert "Ana has sent you this link for the phone Ben, desk" in letter.body
    assert made.link.given_to == "lou@example.org"


def test_a_wrong_address_makes_no_link(locked: Device, ana: Actor) -> None:
    with pytest.raises(Invalid) as caught:
        unlock_links.make(locked, by=ana, email="lou at home")

    assert caught.value.field == "email"
    assert not UnlockLink.objects.exists()
    assert mail.outbox == []


def test_a_post_office_that_is_away_leaves_the_link_good(
    locked: Device, ana: Actor, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    with caplog.at_level(logging.DEBUG):
        made = unlock_links.make(locked, by=ana, email="lou@example.org")

    assert not made.is_mailed
    assert found(made) == made.link
    assert made.secret not in caplog.text


# --- used --------------------------------------------------------------------------------------------------


def test_the_link_unlocks_once_and_names_its_maker(
    made: Made, locked: Device, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(publishing, "tell_later", lambda *what: told.append(what))

    lock = unlock_links.use(found(made), address=AWAY)

    assert lock.state == "unlocked"
    assert lock.grant_origin is None
    assert lock_of(locked).grant_by == f"{ana.label}, by a link"
    unlocked = AuditEntry.objects.get(verb="device.unlocked")
    used = AuditEntry.objects.get(verb="device.unlock_link_used")
    assert (unlocked.user, unlocked.address, unlocked.details["rule"]) == (ana.user, AWAY, "E1")
    assert (used.user, used.address, used.details["link"]) == (ana.user, AWAY, str(made.link.code))
    link = UnlockLink.objects.get(pk=made.link.pk)
    assert (link.used_at, link.used_from) == (lock.grant_given_at, AWAY)
    assert told == [("own-unlock", locked.pk, "Somebody with Ana's unlock link")]
    is_refused(made, "used")


def test_a_try_that_was_refused_where_the_presser_is_scopes_the_unlock(made: Made, locked: Device) -> None:
    refused(locked, ELSEWHERE)
    refused(locked, AWAY)

    lock = unlock_links.use(found(made), address=AWAY)

    assert str(lock.grant_origin) == AWAY


def _lose_role(world: Tree) -> None:
    Membership.objects.filter(user=user_of(world.ana)).update(role=Role.VIEWER.value)


def _switch_off(world: Tree) -> None:
    User.objects.filter(pk=user_of(world.ana).pk).update(is_active=False)


def _leave(world: Tree) -> None:
    Membership.objects.filter(user=user_of(world.ana)).delete()


@pytest.mark.parametrize("change", [_lose_role, _switch_off, _leave])
def test_the_link_has_the_powers_of_its_maker_at_this_moment(
    made: Made, cast: Tree, change: Callable[[Tree], None]
) -> None:
    change(cast)

    assert unlock_links.why_not(found(made), now=timezone.now()) is not None
    is_refused(made, "maker")


@pytest.mark.parametrize(
    ("code", "columns"),
    [
        ("quarantined", {"state": "quarantined"}),
        ("retired", {"state": "retired"}),
        ("under-suspicion", {"suspicion_until": timezone.now() + 900 * DAY, "suspicion_why": "origins"}),
    ],
)
def test_a_phone_that_is_shut_is_not_unlocked_by_a_link(
    made: Made, locked: Device, code: str, columns: dict[str, Any]
) -> None:
    set_lock(locked, **columns)
    refused(locked, AWAY)  # a scope of one address changes nothing about it

    is_refused(made, code)


def test_a_disabled_phone_or_account_is_not_unlocked_by_a_link(
    made: Made, locked: Device, acme: Account
) -> None:
    Device.objects.filter(pk=locked.pk).update(is_enabled=False)
    is_refused(made, "disabled")

    Device.objects.filter(pk=locked.pk).update(is_enabled=True)
    Account.objects.filter(pk=acme.pk).update(is_active=False)
    is_refused(made, "disabled")


def test_a_phone_that_has_moved_is_not_unlocked_by_a_link(
    made: Made, locked: Device, globex: Account, rita: Actor
) -> None:
    moving.move(locked, by=rita, to=globex)

    is_refused(made, "moved")


def test_a_link_that_is_over_or_ended_unlocks_nothing(made: Made, ana: Actor) -> None:
    UnlockLink.objects.update(made_at=timezone.now() - 2 * DAY, ends_at=timezone.now())
    is_refused(made, "over")

    UnlockLink.objects.update(ends_at=timezone.now() + HOUR)
    unlock_links.end(made.link, by=ana)
    is_refused(made, "over")


@pytest.mark.django_db(transaction=True)
def test_of_two_who_press_at_once_one_unlocks() -> None:
    tree = plant()
    phone = make_phone(tree.acme, by=tree.ana, name="Desk")
    bind(phone, HOME)
    made = unlock_links.make(phone, by=tree.ana)
    barrier, told = threading.Barrier(2), []

    def press() -> None:
        try:
            link = found(made)
            barrier.wait(30)
            unlock_links.use(link, address=AWAY)
            told.append("unlocked")
        except Refusal as refusal:
            told.append(refusal.code)
        finally:
            connections.close_all()

    pressers = [threading.Thread(target=press) for _number in range(2)]
    for presser in pressers:
        presser.start()
    for presser in pressers:
        presser.join(60)

    assert sorted(told) == ["unlocked", "used"]
    assert AuditEntry.objects.filter(verb="device.unlocked").count() == 1


def test_a_program_s_link_ends_with_its_key(locked: Device, acme: Account, ana: Actor) -> None:
    key, _text = keys.create(acme, by=ana, name="Desk tool", role=Role.MANAGER)
    by = Actor(label="API key", standings=(key.standing(),), api_key=key)
    first, second = (unlock_links.make(locked, by=by) for _number in range(2))
    assert unlock_links.use(found(first), address=AWAY).state == "unlocked"

    ApiKey.objects.filter(pk=key.pk).update(revoked=True)

    is_refused(second, "maker")


# --- ended, and found --------------------------------------------------------------------------------------


def test_a_manager_ends_a_link(made: Made, ana: Actor, eve: Actor, vic: Actor) -> None:
    for stranger in (eve, vic):
        with pytest.raises(Forbidden):
            unlock_links.end(made.link, by=stranger)
    assert unlock_links.find(made.secret, now=timezone.now()) is not None

    unlock_links.end(made.link, by=ana)

    assert unlock_links.find(made.secret, now=timezone.now()) is None
    assert AuditEntry.objects.filter(verb="device.unlock_link_ended").count() == 1
    unlock_links.end(made.link, by=ana)
    assert AuditEntry.objects.filter(verb="device.unlock_link_ended").count() == 1


def test_a_used_link_cannot_be_ended(made: Made, ana: Actor) -> None:
    unlock_links.use(found(made), address=AWAY)
    before = state(made.link)

    with pytest.raises(Refusal, match="used already"):
        unlock_links.end(made.link, by=ana)

    assert state(made.link) == before


def test_a_used_link_is_followed_until_its_unlock_is_over(made: Made, locked: Device) -> None:
    now = timezone.now()
    unlock_links.use(found(made), address=AWAY, now=now + 23 * HOUR)

    assert unlock_links.find(made.secret, now=now + 30 * HOUR) is not None  # the unlock goes on
    assert unlock_links.find(made.secret, now=now + 48 * HOUR) is None
    set_lock(locked, state="locked", grant_given_at=None, grant_until=None, grant_by="")
    assert unlock_links.find(made.secret, now=now + 30 * HOUR) is None


@pytest.mark.parametrize("text", ["", "x", "0" * 50, "A" * 50, "é" * 50, "a" * 5000, "\0" * 50])
def test_what_is_no_link_is_none(made: Made, text: str) -> None:
    assert unlock_links.find(text, now=timezone.now()) is None


def test_the_open_links_of_a_phone_are_those_that_somebody_may_still_use(
    made: Made, locked: Device, ana: Actor
) -> None:
    other = unlock_links.make(locked, by=ana)
    unlock_links.use(found(other), address=AWAY)

    assert list(unlock_links.open_links(locked, timezone.now())) == [made.link]
    assert list(unlock_links.open_links(locked, timezone.now() + DAY)) == []
