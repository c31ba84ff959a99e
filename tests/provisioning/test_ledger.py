"""E9 and E10: what the platform remembers of a MAC, and who hears of MACs that are somebody else's."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction

from accounts.models import Account, AuditEntry, Membership
from accounts.refusals import Refusal
from accounts.scope import Actor
from devices.models import Device
from provisioning import claims, entering, events, ledger, locking, publishing, tasks, telling
from provisioning.gate import State
from provisioning.models import DeviceEvent, Lock, MacRecord, Outbox, Told
from security.networks import origin_of, parse_address
from tests.provisioning.making import HOME, request
from tests.tree import Tree, user_of

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MAC = "00005e005301"
Committed = Callable[..., object]


def enter(account: Account, by: Actor, now: datetime = NOW, mac: str = MAC, **more: Any) -> Device:
    return entering.enter(account, by=by, now=now, mac=mac, family="yealink", model="T46S", **more)


def suspect(device: Device, until: datetime) -> None:
    Lock.objects.filter(pk=device.pk).update(
        suspicion_since=NOW, suspicion_until=until, suspicion_why="origins"
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[object]]:
    """The e-mails that were asked for."""
    found: list[list[object]] = []
    monkeypatch.setattr(tasks.tell, "apply_async", lambda args: found.append(_put_down(*args)))
    return found


def _put_down(pk: int) -> list[object]:
    details = Outbox.objects.get(pk=pk).details
    return [details["what"], details["row"], details["text"]]


# --- suspicion ---------------------------------------------------------------------------------------------


@pytest.mark.rule("E9")
@pytest.mark.rule("E7")
@pytest.mark.parametrize("claimed", [True, False])
def test_deleted_and_added_again_it_is_under_suspicion_still(cast: Tree, claimed: bool) -> None:
    phone = enter(cast.acme, cast.ana)
    if claimed:
        claims.claim(request(phone), now=NOW)
    suspect(phone, NOW + 7 * DAY)
    entering.remove(phone, by=cast.ana, now=NOW + DAY)

    again = enter(cast.acme, cast.ana, NOW + 2 * DAY)

    lock = Lock.objects.get(pk=again.pk)
    assert (lock.state, lock.suspicion_until) == ("locked" if claimed else "new", NOW + 7 * DAY)
    with pytest.raises(Refusal) as refusal:
        locking.unlock(again, by=cast.ana, now=NOW + 2 * DAY)
    assert refusal.value.code == "under-suspicion"


@pytest.mark.rule("E9")
def test_suspicion_that_is_over_is_not_remembered(cast: Tree) -> None:
    phone = enter(cast.acme, cast.ana)
    suspect(phone, NOW + DAY)
    entering.remove(phone, by=cast.ana, now=NOW + DAY)

    assert not MacRecord.objects.exists()
    assert Lock.objects.get(pk=enter(cast.globex, cast.eve, NOW + DAY).pk).suspicion_until is None


# --- bindings ----------------------------------------------------------------------------------------------


@pytest.mark.rule("E9")
def test_somebody_who_only_entered_it_takes_nobody_s_way_back(cast: Tree) -> None:
    phone = enter(cast.acme, cast.ana)
    claims.claim(request(phone), now=NOW)
    entering.remove(phone, by=cast.ana, now=NOW + DAY)
    squatter = enter(cast.globex, cast.eve, NOW + 2 * DAY)
    assert Lock.objects.get(pk=squatter.pk).bound_first == ""
    entering.remove(squatter, by=cast.eve, now=NOW + 3 * DAY)

    again = enter(cast.acme, cast.ana, NOW + 4 * DAY)

    lock = Lock.objects.get(pk=again.pk)
    assert (lock.state, lock.bound_network) == ("locked", origin_of(parse_address(HOME)))


@pytest.mark.rule("E10")
def test_a_mac_that_was_claimed_elsewhere_before_yields_all_the_same(cast: Tree) -> None:
    """Claimed by its former owner, never by who holds it now: holding it is no right."""
    phone = enter(cast.acme, cast.ana)
    claims.claim(request(phone), now=NOW)
    entering.remove(phone, by=cast.ana, now=NOW)
    enter(cast.globex, cast.eve, NOW + HOUR)
    with pytest.raises(Refusal):
        enter(cast.acme, cast.ana, NOW + 30 * DAY)

    again = enter(cast.acme, cast.ana, NOW + 30 * DAY + HOUR)

    assert (Device.objects.get(), Lock.objects.get().state) == (again, "locked")


@pytest.mark.rule("E10")
@pytest.mark.parametrize("why", ["claimed", "proved", "quarantined"])
def test_who_was_ever_there_never_yields(cast: Tree, why: str) -> None:
    phone = enter(cast.globex, cast.eve)
    home = origin_of(parse_address(HOME))
    if why == "claimed":
        claims.claim(request(phone), now=NOW)
    elif why == "proved":
        phone.proofs.create(first=home.hex_first, last=home.hex_last, at=NOW)
    else:
        locking.quarantine(phone, by=cast.eve, reason="Stolen", now=NOW)

    with pytest.raises(Refusal) as refusal:
        enter(cast.acme, cast.ana, NOW + 400 * DAY)

    assert (refusal.value.code, Device.objects.get()) == ("active-elsewhere", phone)


# --- who hears of it ---------------------------------------------------------------------------------------


@pytest.mark.rule("E10")
def test_the_account_of_a_yielded_phone_is_told(
    cast: Tree, asked: list[list[object]], django_capture_on_commit_callbacks: Committed
) -> None:
    phone = enter(cast.globex, cast.eve, name="Lobby")

    with django_capture_on_commit_callbacks(execute=True):
        enter(cast.acme, cast.ana, NOW + 30 * DAY)

    what, row, text = (args := next(args for args in asked if args[0] == "yielded"))
    assert (what, row, text) == ("yielded", cast.globex.pk, f"Lobby ({MAC})")
    assert telling.tell(*args, now=NOW) == 1  # type: ignore[arg-type]
    [message] = mail.outbox
    assert (message.to, message.subject) == ([user_of(cast.eve).email], f"Lobby ({MAC}) was removed")
    assert "was not set up within 30 days" in message.body
    assert "Acme" not in message.body
    event = DeviceEvent.objects.get(what="yielded")
    assert (event.account, event.rule, event.device) == (cast.globex, "E10", None)
    assert events.described(event, now=NOW).sentence == (
        "Never set up within 30 days, and its MAC was entered elsewhere: removed."
    )
    assert AuditEntry.objects.get(verb="device.yielded").account == cast.globex
    assert not Device.objects.filter(pk=phone.pk).exists()


@pytest.mark.rule("E10")
@pytest.mark.parametrize(("tries", "alerts"), [(5, 0), (6, 1), (8, 3)])
def test_more_than_five_a_day_alert_support(
    cast: Tree,
    asked: list[list[object]],
    django_capture_on_commit_callbacks: Committed,
    tries: int,
    alerts: int,
) -> None:
    for number in range(tries):
        mac = f"00005e0053{number:02x}"
        enter(cast.globex, cast.eve, mac=mac)
        with django_capture_on_commit_callbacks(execute=True), pytest.raises(Refusal):
            enter(cast.acme, cast.ana, mac=mac)

    assert AuditEntry.objects.filter(verb="device.not-added", account=cast.acme).count() == tries
    assert asked == [["refused-macs", cast.acme.pk, cast.ana.label]] * alerts


@pytest.mark.rule("E10")
def test_yesterday_s_and_others_tries_do_not_count(cast: Tree, asked: list[list[object]]) -> None:
    enter(cast.globex, cast.eve)
    for hours in range(5):
        with pytest.raises(Refusal):
            enter(cast.acme, cast.ana, NOW + hours * HOUR)
    with pytest.raises(Refusal):
        enter(cast.harbour, cast.rita, NOW + 5 * HOUR)
    with pytest.raises(Refusal):
        enter(cast.acme, cast.ana, NOW + DAY)  # the first one is 24 hours old

    assert asked == []


@pytest.mark.rule("E10")
def test_support_has_one_mail_a_day_and_account(cast: Tree) -> None:
    enter(cast.globex, cast.eve)
    for _ in range(6):
        with pytest.raises(Refusal):
            enter(cast.acme, cast.ana)

    told = [
        telling.tell("refused-macs", account.pk, "Ana", now=NOW + timedelta(hours=hours))
        for account, hours in ((cast.acme, 0), (cast.acme, 23), (cast.globex, 23), (cast.acme, 24))
    ]

    assert told == [1, 0, 1, 1]
    assert [message.to for message in mail.outbox] == [[user_of(cast.support).email]] * 3
    assert "Acme tried to add 6 MACs that are in use elsewhere." in mail.outbox[0].body
    assert MAC not in mail.outbox[0].body
    assert Told.objects.get(account=cast.acme).at == NOW + DAY


def test_with_nobody_left_nobody_is_told(cast: Tree) -> None:
    Membership.objects.all().delete()

    assert telling.tell("refused-macs", cast.acme.pk, "Ana", now=NOW) == 0
    assert telling.tell("yielded", cast.acme.pk, "Lobby", now=NOW) == 0
    assert telling.tell("yielded", 0, "Lobby", now=NOW) == 0
    assert mail.outbox == []


# --- two at once -------------------------------------------------------------------------------------------


@pytest.mark.rule("E10")
def test_of_two_who_enter_one_mac_at_once_the_second_is_refused(
    cast: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both had looked, and seen nobody: the database decides."""
    enter(cast.globex, cast.eve)
    monkeypatch.setattr(entering, "make_room", lambda *args: 0)
    monkeypatch.setattr(entering.cleaning, "full_clean", lambda *args, **more: None)

    with pytest.raises(Refusal) as refusal:
        enter(cast.acme, cast.ana)

    assert (refusal.value.code, refusal.value.detail) == ("active-elsewhere", entering.ELSEWHERE)
    assert isinstance(refusal.value.__cause__, IntegrityError)
    assert [device.account for device in Device.objects.all()] == [cast.globex]
    assert not Device.objects.filter(account=cast.acme).exists()


def test_the_record_of_a_refusal_is_outside_of_what_was_refused(cast: Tree) -> None:
    enter(cast.globex, cast.eve)
    revisions = dict(Lock.objects.values_list("pk", "revision"))

    with pytest.raises(Refusal), transaction.atomic():
        enter(cast.acme, cast.ana)

    assert dict(Lock.objects.values_list("pk", "revision")) == revisions
    assert ledger.entry_of(MAC) is None
    assert publishing.sweep(NOW) == 0
    assert Lock.objects.get().state == State.NEW.value
