"""A phone asks, and people act, while it changes hands: it is answered as before or as after, never mixed.

Some tests let the threads run against each other, others stop one of them where it holds the phone and let
the other one come up to it: what was read before such a wait is what a mixture would be made of.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import resettling
from accounts.models import Account, AuditEntry
from accounts.refusals import Refusal
from devices import appearances, extensions
from devices.appearances import AppearanceRow
from devices.models import Device, Extension
from provisioning import (
    claims,
    draining,
    entering,
    locking,
    moving,
    publishing,
    resettled,
    retiring,
    swapping,
    windows,
)
from provisioning.gate import Outcome
from provisioning.models import Claim, DeviceEvent, Drain, Lock, MacRecord, Proof, Token
from security.networks import origin_of, parse_address
from tests.factories import make_mac
from tests.provisioning import notes
from tests.provisioning.making import HOME, HOTEL, colons, make_account, make_phone, request, support
from tests.provisioning.meeting import Other, meeting
from tests.provisioning.test_take_back_races import together

ROUNDS = 12
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


@pytest.fixture
def platform() -> Account:
    return make_account("platform", kind=Account.Kind.PLATFORM)


@pytest.fixture
def acme(platform: Account) -> Account:
    return make_account("acme", platform)


@pytest.fixture
def globex(platform: Account) -> Account:
    return make_account("globex", platform)


def at_home(account: Account) -> Device:
    """A phone that was set up an hour ago, and polls."""
    now = timezone.now()
    phone = make_phone(account, mac=make_mac(), now=now - DAY)
    assert claims.claim(request(phone, HOME), now=now - HOUR).file is not None
    claims.first_use(
        Token.objects.get(device=phone, kind="current").hash, parse_address(HOME), now=now - HOUR
    )
    return Device.objects.select_related("account").get(pk=phone.pk)


def renamed(phone: Device, mac: str) -> claims.Request:
    """As the phone's request, for another MAC."""
    agent = f"Yealink SIP-T46S 66.85.0.5 {colons(mac)}"
    return claims.Request(mac=mac, file_name=f"{mac}.boot", address=parse_address(HOME), agent=agent)


# --- one comes up to the other -----------------------------------------------------------------------------


@pytest.mark.rule("E17")
def test_a_claim_that_waited_for_a_move_sees_the_new_account_alone(
    acme: Account, globex: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = at_home(acme)
    windows.open_window(globex, by=support(), origin=origin_of(parse_address("8.8.8.8")), hours=4)
    stranger = Other(lambda: claims.claim(request(phone, "8.8.8.8")))
    meeting(monkeypatch, publishing, "withdrawn", stranger)

    moving.move(phone, by=support(), to=globex)

    answer = stranger.came_to()
    assert (answer.verdict.outcome, answer.verdict.rule) == (Outcome.BOOTSTRAP, "R5")
    event = DeviceEvent.objects.get(what="request", rule="R5")
    assert (event.account, event.device_id) == (globex, phone.pk)
    assert MacRecord.objects.get(account_code=globex.code).claimed
    assert [claim.rule for claim in Claim.objects.filter(device=phone)] == ["R5"]


@pytest.mark.rule("E17")
def test_a_move_that_waited_for_a_claim_ends_what_it_brought(
    acme: Account, globex: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = at_home(acme)
    mover = Other(lambda: moving.move(phone, by=support(), to=globex))
    meeting(monkeypatch, claims, "caller", mover)

    answer = claims.claim(request(phone, HOME))

    assert answer.verdict.rule == "R4"
    assert isinstance(mover.came_to(), Device), mover.answer
    assert_moved(phone, acme, globex)


@pytest.mark.rule("E17")
def test_an_unlock_that_waited_for_a_move_is_refused(
    acme: Account, globex: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = at_home(acme)
    manager = Other(lambda: locking.unlock(phone, by=support()))
    meeting(monkeypatch, publishing, "withdrawn", manager)

    moving.move(phone, by=support(), to=globex)

    assert isinstance(manager.came_to(), Refusal), manager.answer
    assert manager.answer.code == "moved"
    assert_moved(phone, acme, globex)
    assert not AuditEntry.objects.filter(verb="device.unlocked").exists()


@pytest.mark.rule("E12")
def test_a_claim_that_waited_for_a_swap_is_answered_for_its_own_mac(
    acme: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old hardware asked; the row it waited for is another phone's now, which would be let in (R1)."""
    phone, new = at_home(acme), make_mac()
    old_hardware = Other(lambda: claims.claim(request(phone, HOME)))
    meeting(monkeypatch, publishing, "device_gone", old_hardware)

    swapping.swap(phone, by=support(), mac=new)

    assert old_hardware.came_to().verdict.rule == "R11"
    assert Lock.objects.get(pk=phone.pk).state == "new"
    assert not Token.objects.filter(device=phone).exists()
    assert claims.claim(renamed(phone, new)).verdict.rule == "R1"


@pytest.mark.rule("E12")
def test_a_swap_that_waited_for_a_claim_ends_what_it_brought(
    acme: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, new = at_home(acme), make_mac()
    manager = Other(lambda: swapping.swap(phone, by=support(), mac=new))
    meeting(monkeypatch, claims, "caller", manager)

    assert claims.claim(request(phone, HOME)).verdict.rule == "R4"

    assert isinstance(manager.came_to(), Device), manager.answer
    assert_swapped(phone, new)


@pytest.mark.rule("E19")
def test_a_claim_that_waited_for_a_retirement_is_refused(
    acme: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = at_home(acme)
    caller = Other(lambda: claims.claim(request(phone, HOME)))
    meeting(monkeypatch, locking, "close_grant", caller)

    retiring.retire(phone, by=support())

    assert caller.came_to().verdict.rule == "R10"
    assert_retired(phone)


@pytest.mark.rule("E18")
def test_a_claim_that_waited_for_a_customer_s_move_is_judged_by_its_new_line(
    platform: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour, lake = (make_account(name, platform, Account.Kind.RESELLER) for name in ("harbour", "lake"))
    acme = make_account("acme", Account.objects.get(pk=harbour.pk))
    phone, away = at_home(acme), "8.8.8.8"
    windows.open_window(harbour, by=support(), origin=origin_of(parse_address(away)), hours=4)
    stranger = Other(lambda: claims.claim(request(phone, away)))
    meeting(monkeypatch, resettled, "settle", stranger)

    resettling.move_customer(acme, by=support(), below=lake)

    answer = stranger.came_to()
    assert (answer.verdict.outcome, answer.verdict.rule) == (Outcome.REFUSED, "R6")


@pytest.mark.rule("E18")
def test_a_customer_s_move_waits_for_a_claim(platform: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    harbour, lake = (make_account(name, platform, Account.Kind.RESELLER) for name in ("harbour", "lake"))
    acme = make_account("acme", Account.objects.get(pk=harbour.pk))
    phone, away = at_home(acme), "8.8.8.8"
    windows.open_window(harbour, by=support(), origin=origin_of(parse_address(away)), hours=4)
    mover = Other(lambda: resettling.move_customer(acme, by=support(), below=lake))
    meeting(monkeypatch, claims, "caller", mover)

    answer = claims.claim(request(phone, away))

    assert (answer.verdict.outcome, answer.verdict.rule) == (Outcome.BOOTSTRAP, "R5")
    assert isinstance(mover.came_to(), Account), mover.answer
    assert Account.objects.find_problems() == ([], [], [], [], [])


@pytest.mark.rule("E17")
def test_a_move_waits_for_the_drain_so_that_nothing_noted_lands_on_the_other_side(
    acme: Account, globex: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = at_home(acme)
    token = Token.objects.get(device=phone, kind="current").hash
    noted = notes.used(phone, HOME, timezone.now(), drift=False, token=token)
    mover = Other(lambda: moving.move(phone, by=support(), to=globex))
    monkeypatch.setattr(draining.store, "client", lambda: Stream([noted]))
    meeting(monkeypatch, draining, "_write_check_ins", mover)
    monkeypatch.setattr(draining.store, "client", lambda: Stream([noted]))

    draining.drain(timezone.now())

    assert isinstance(mover.came_to(), Device), mover.answer
    assert not Proof.objects.exists()
    row = DeviceEvent.objects.get(rule="O3")
    assert (row.account, row.device) == (acme, None)


class Stream:
    """A store that holds these notes and nothing else."""

    def __init__(self, held: list[Any]) -> None:
        self.held = held

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **more: self

    def execute(self) -> Any:
        entries = [
            (b"1-%d" % at, {draining.wire.NOTE: draining.wire.pack_note(n)}) for at, n in enumerate(self.held)
        ]
        epoch = Drain.objects.get().epoch
        return epoch.encode(), entries


# --- all at once -------------------------------------------------------------------------------------------


@pytest.mark.rule("E17")
def test_everybody_acts_while_a_phone_moves(acme: Account, globex: Account) -> None:
    for _ in range(ROUNDS):
        phone = at_home(acme)
        token = Token.objects.get(device=phone, kind="current").hash
        at = timezone.now()
        polled = [
            notes.used(phone, HOME, at, drift=False, token=token),
            notes.tried(phone, HOTEL, at, card=True),
        ]

        moved, answer, _, *others = together(
            lambda phone=phone: moving.move(phone, by=support(), to=globex),
            lambda phone=phone: claims.claim(request(phone, HOME)),
            lambda token=token: claims.first_use(token, parse_address(HOME)),
            lambda polled=polled: draining_alone(polled),
            lambda phone=phone: locking.unlock(phone, by=support()),
            lambda phone=phone: entering.change(phone, by=support(), name="Mine"),
        )

        assert isinstance(moved, Device), moved
        assert answer.verdict.rule in ("R4", "R6"), answer
        for other in others:
            assert not isinstance(other, Exception) or getattr(other, "code", "") == "moved", other
        assert_moved(phone, acme, globex)


@pytest.mark.rule("E12")
def test_everybody_acts_while_hardware_is_swapped(acme: Account) -> None:
    for _ in range(ROUNDS):
        phone, new = at_home(acme), make_mac()
        at = timezone.now()
        polled = [notes.used(phone, HOME, at, drift=True), notes.tried(phone, HOTEL, at, card=True)]

        swapped, old, fresh, *others = together(
            lambda phone=phone, new=new: swapping.swap(phone, by=support(), mac=new),
            lambda phone=phone: claims.claim(request(phone, HOME)),
            lambda phone=phone, new=new: claims.claim(renamed(phone, new)),
            lambda polled=polled: draining_alone(polled),
            lambda phone=phone: appearances.put(phone, by=support(), rows=[]),
        )

        assert isinstance(swapped, Device), swapped
        assert old.verdict.rule in ("R4", "R11"), old
        assert fresh.verdict.rule in ("R1", "R11"), fresh
        assert [other for other in others if isinstance(other, Exception)] == []
        assert_swapped(phone, new, claimed=fresh.verdict.rule == "R1")


@pytest.mark.rule("E19")
def test_everybody_acts_while_two_phones_of_a_line_retire(acme: Account) -> None:
    for number in range(ROUNDS):
        phone, beside = at_home(acme), at_home(acme)
        line = extensions.create(acme, by=support(), username=f"shared{number}", secret="of-the-line")
        for device in (phone, beside):
            appearances.put(device, by=support(), rows=[AppearanceRow(1, line)])
        polled = [notes.used(device, HOTEL, timezone.now(), drift=True) for device in (beside, phone)]

        *retired, answer, _ = together(
            lambda phone=phone: retiring.retire(phone, by=support()),
            lambda beside=beside: retiring.retire(beside, by=support()),
            lambda phone=phone: claims.claim(request(phone, HOME)),
            lambda polled=polled: draining_alone(polled),
        )

        assert [type(lock) for lock in retired] == [Lock, Lock], retired
        assert answer.verdict.rule in ("R4", "R10"), answer
        assert_retired(phone)
        assert_retired(beside)
        line.refresh_from_db()
        assert extensions.secret_of(line) != "of-the-line"
        assert line.exposed_since is not None


@pytest.mark.rule("E18")
def test_everybody_acts_while_a_customer_moves(platform: Account) -> None:
    harbour, lake = (make_account(name, platform, Account.Kind.RESELLER) for name in ("harbour", "lake"))
    acme = make_account("acme", Account.objects.get(pk=harbour.pk))
    phones = [at_home(acme) for _ in range(3)]
    for number in range(ROUNDS):
        acme = Account.objects.get(pk=acme.pk)
        below = (lake, harbour)[number % 2]
        stale = [Device.objects.select_related("account").get(pk=phone.pk) for phone in phones]
        polled = [notes.tried(phone, HOTEL, timezone.now(), card=True) for phone in stale]

        moved, *others = together(
            lambda acme=acme, below=below: resettling.move_customer(acme, by=support(), below=below),
            lambda stale=stale: claims.claim(request(stale[0], HOME)),
            lambda polled=polled: draining_alone(polled),
            lambda stale=stale: locking.unlock(stale[2], by=support()),
            lambda acme=acme: entering.enter(
                acme, by=support(), mac=make_mac(), family="yealink", model="T46S", name="New"
            ),
        )

        assert isinstance(moved, Account), moved
        for other in others:
            assert not isinstance(other, Exception) or getattr(other, "code", "") == "moved", other
        assert Account.objects.find_problems() == ([], [], [], [], [])


@pytest.mark.rule("E10")
def test_of_two_who_enter_one_mac_at_once_one_is_refused(acme: Account, globex: Account) -> None:
    for _ in range(ROUNDS):
        mac = make_mac()

        def enter(account: Account, mac: str = mac) -> Device:
            return entering.enter(account, by=support(), mac=mac, family="yealink", model="T46S")

        answers = together(lambda enter=enter: enter(acme), lambda enter=enter: enter(globex))

        kinds = sorted(type(answer).__name__ for answer in answers)
        assert kinds in (["Device", "Refusal"], ["Device", "Invalid"]), answers
        assert Device.objects.filter(mac=mac).count() == 1


def draining_alone(noted: list[Any]) -> None:
    """Write these notes as the drain does: no other drain beside it."""
    with draining.transaction.atomic():
        draining.pause()
        draining.write(noted, timezone.now())


# --- what is true afterwards, whoever was first ------------------------------------------------------------


def assert_moved(phone: Device, old: Account, new: Account) -> None:
    lock = Lock.objects.select_related("device__account").get(pk=phone.pk)
    assert lock.device.account == new
    assert (lock.state, lock.reason, lock.bound_network, lock.grant_given_at) == (
        "locked",
        "moved",
        None,
        None,
    )
    assert {(t.kind, bytes(t.sealed)) for t in Token.objects.filter(mac=phone.mac)} == {("dead", b"")}
    assert not Claim.objects.filter(device=phone).exists()
    assert not Proof.objects.filter(device=phone).exists()
    assert lock.device.name == ""
    seen = set(DeviceEvent.objects.filter(device=phone).exclude(rule="R6").values_list("what", "account"))
    assert seen <= {("moved-here", new.pk), ("approval-opened", new.pk)}
    assert set(
        DeviceEvent.objects.filter(mac=phone.mac, rule__startswith="R4").values_list("account", flat=True)
    ) <= {old.pk}


def assert_swapped(phone: Device, new: str, *, claimed: bool = False) -> None:
    lock = Lock.objects.select_related("device").get(pk=phone.pk)
    assert (lock.device.mac, lock.state) == (new, "locked" if claimed else "new")
    old = Token.objects.filter(mac=phone.mac)
    assert {(t.kind, t.device_id, bytes(t.sealed)) for t in old} == {("dead", None, b"")}
    living = Token.objects.filter(device=phone)
    assert {token.mac for token in living} == ({new} if claimed else set())
    assert {claim.mac for claim in Claim.objects.filter(device=phone)} == ({new} if claimed else set())
    assert not Proof.objects.filter(device=phone).exists()


def assert_retired(phone: Device) -> None:
    lock = Lock.objects.get(pk=phone.pk)
    assert (lock.state, lock.grant_given_at) == ("retired", None)
    ends = Token.objects.filter(device=phone, kind__in=("current", "former")).values_list("until", flat=True)
    assert ends
    assert all(end is not None and end <= lock.since + retiring.LAST_FILES_FOR for end in ends)
    assert not Extension.objects.filter(appearances__device=phone, exposed_since=None).exists()
