"""Pending approvals: which refusals make a card, what a card shows, and what each answer does (E14)."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Refusal
from accounts.scope import Actor
from devices.models import Device
from provisioning import approvals, facts, gate, locking
from provisioning.models import Approval, Denial, DeviceEvent, FailureKey, Lock
from security.networks import Network, parse_address
from tests.cast import at
from tests.factories import (
    AWAY,
    ELSEWHERE,
    HOME,
    bind,
    failure,
    make_phone,
    make_site,
    origin,
    proved,
    refused,
    tried,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("E14")]

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _documentation_addresses(settings: Any) -> None:
    settings.LATCHKEY_TRIAL = True


def lock_of(device: Device) -> Lock:
    return Lock.objects.get(pk=device.pk)


def is_refused(card: Approval, code: str, **arguments: Any) -> None:
    before = snapshot(card)
    with pytest.raises(Refusal) as caught:
        approvals.answer(card, **arguments)
    assert caught.value.code == code
    assert snapshot(card) == before


def snapshot(card: Approval) -> tuple[Any, ...]:
    return (
        Approval.objects.filter(pk=card.pk).values().get(),
        Lock.objects.filter(pk=card.device_id).values().get(),
        AuditEntry.objects.count(),
        DeviceEvent.objects.count(),
        Denial.objects.count(),
    )


# --- cards -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["R3", "R3a", "R3b", "R6", "R9", "R12"])
def test_a_refusal_that_a_person_may_overrule_makes_a_card(locked: Device, rule: str) -> None:
    card = tried(locked, rule=rule, count=3)

    assert card is not None
    assert (card.rule, card.tries, card.status, card.account) == (rule, 3, "open", locked.account)
    assert card.closes_at == timezone.now() + DAY
    event = DeviceEvent.objects.filter(device=locked).latest("id")
    assert (event.what, event.address) == ("approval-opened", AWAY)


@pytest.mark.parametrize("rule", ["R14", "R10", "R11", "R13", "G1"])
def test_no_other_refusal_does(locked: Device, rule: str) -> None:
    assert tried(locked, rule=rule) is None
    assert Approval.objects.count() == 0


def test_a_phone_has_one_card_with_its_last_three_origins(locked: Device) -> None:
    for address in (AWAY, ELSEWHERE, "192.0.2.45", AWAY, "192.0.2.46"):
        tried(locked, address, count=2)

    card = Approval.objects.get()
    assert [entry["address"] for entry in card.origins] == ["192.0.2.46", AWAY, "192.0.2.45"]
    assert card.tries == 10


def test_an_account_has_fifty_open_cards(acme: Account, globex: Account, ana: Actor, eve: Actor) -> None:
    phones = [make_phone(acme, by=ana) for _ in range(3)]
    Approval.objects.bulk_create(
        Approval(
            device=make_phone(acme, by=ana), account=acme, rule="R6", opened_at=timezone.now(),
            closes_at=timezone.now() + DAY, last_try_at=timezone.now(),
        )
        for _ in range(49)
    )  # fmt: skip

    assert tried(phones[0]) is not None
    assert tried(phones[1]) is None
    assert tried(phones[0], ELSEWHERE) is not None
    assert tried(make_phone(globex, by=eve)) is not None


def test_what_has_no_card_is_counted(card: Approval, acme: Account, ana: Actor) -> None:
    other = make_phone(acme, by=ana)
    refused(card.device, AWAY)
    for address in (AWAY, ELSEWHERE, ELSEWHERE):
        refused(other, address)
    refused(other, HOME, rule="R14")
    refused(other, HOME, at=timezone.now() - DAY)

    assert approvals.further_tries(acme, now=timezone.now()) == (3, 2)


def test_a_card_closes_after_a_day_and_a_later_try_makes_another(card: Approval) -> None:
    end = card.closes_at
    assert approvals.sweep(end - SECOND) == 0

    assert (approvals.sweep(end), approvals.sweep(end)) == (1, 0)
    assert Approval.objects.get().status == "closed"

    with time_machine.travel(end, tick=False):
        again = tried(card.device)
    assert again is not None
    assert again.pk != card.pk


def test_a_card_that_no_worker_has_closed_is_closed_by_the_next_try(card: Approval) -> None:
    with time_machine.travel(card.closes_at, tick=False):
        again = tried(card.device)

    assert again is not None
    assert list(Approval.objects.order_by("pk").values_list("status", flat=True)) == ["closed", "open"]


def test_a_try_that_is_told_a_day_late_makes_none(locked: Device) -> None:
    assert tried(locked, at=timezone.now() - DAY) is None


# --- answers -----------------------------------------------------------------------------------------------


def test_once_lets_it_in_from_there_for_a_day(card: Approval, ana: Actor) -> None:
    approvals.answer(card, by=ana, decision="once")

    lock = lock_of(card.device)
    assert (lock.state, lock.grant_origin) == ("unlocked", origin(AWAY))
    assert lock.grant_until == timezone.now() + DAY
    answered = Approval.objects.get()
    assert (answered.status, answered.decided_by) == ("once", ana.label)
    assert AuditEntry.objects.latest("id").verb == "approval.answered"
    assert lock.accepted_agents == []


def test_the_gate_lets_it_in_then(card: Approval, ana: Actor) -> None:
    def verdict(address: str) -> str:
        known = facts.load([card.device_id], timezone.now())[card.device_id]
        who = gate.Caller(address=parse_address(address), agent_family=known.family)
        asked = gate.RootFacts(
            now=timezone.now().timestamp(), method=gate.Method.GET, asked=gate.Asked.CLAIMING,
            caller=who, device=known,
        )  # fmt: skip
        return gate.decide_root(asked).rule

    assert verdict(AWAY) == "R6"

    approvals.answer(card, by=ana, decision="once")

    assert (verdict(AWAY), verdict(ELSEWHERE)) == ("R7", "R9")


def test_once_is_for_the_origin_that_was_seen_however_many_tried_since(card: Approval, ana: Actor) -> None:
    tried(card.device, ELSEWHERE)

    approvals.answer(card, by=ana, decision="once")

    assert lock_of(card.device).grant_origin == origin(AWAY)


def test_once_can_name_an_older_origin(card: Approval, ana: Actor) -> None:
    tried(card.device, ELSEWHERE)
    fresh = Approval.objects.get()

    approvals.answer(fresh, by=ana, decision="once", origin=origin(AWAY))

    assert lock_of(card.device).grant_origin == origin(AWAY)


def test_an_origin_that_never_tried_is_refused(card: Approval, ana: Actor) -> None:
    is_refused(card, "answered", by=ana, decision="once", origin=origin(ELSEWHERE))


def test_once_withdraws_the_phones_key_there(card: Approval, ana: Actor) -> None:
    failure(AWAY, label=card.device.mac)
    failure(AWAY, kind="wrong-agent", label=card.device.mac)
    kept = [failure(ELSEWHERE, label=card.device.mac), failure(AWAY, label="00005e005399")]

    approvals.answer(card, by=ana, decision="once")

    assert set(FailureKey.objects.all()) == set(kept)


def test_once_after_another_agent_accepts_that_agent(locked: Device, ana: Actor) -> None:
    card = tried(locked, rule="R12", agent="Odd Phone/1.0", product="Odd Phone")
    assert card is not None

    approvals.answer(card, by=ana, decision="once")

    assert lock_of(locked).accepted_agents == ["Odd Phone"]


def test_once_under_suspicion_is_scoped_and_so_allowed(card: Approval, ana: Actor) -> None:
    Lock.objects.update(suspicion_until=timezone.now() + DAY)

    approvals.answer(card, by=ana, decision="once")

    assert lock_of(card.device).grant_origin == origin(AWAY)


@pytest.mark.parametrize(("state", "code"), [("quarantined", "quarantined"), ("retired", "retired")])
def test_a_phone_that_is_shut_is_not_let_in(card: Approval, ana: Actor, state: str, code: str) -> None:
    Lock.objects.update(state=state)

    is_refused(card, code, by=ana, decision="once")


def test_deny_is_for_thirty_days(card: Approval, ana: Actor) -> None:
    approvals.answer(card, by=ana, decision="deny")

    denial = Denial.objects.get()
    assert (str(denial), denial.since, denial.until) == (AWAY, timezone.now(), timezone.now() + 30 * DAY)
    assert lock_of(card.device).state == "locked"
    assert Approval.objects.get().status == "deny"


def test_denied_again_it_is_thirty_days_from_then(card: Approval, ana: Actor, clock: Any) -> None:
    approvals.answer(card, by=ana, decision="deny")
    clock.shift(2 * DAY)
    again = tried(card.device)
    assert again is not None

    approvals.answer(again, by=ana, decision="deny")

    assert Denial.objects.get().until == timezone.now() + 30 * DAY


@pytest.mark.parametrize("by_site", [False, True])
def test_the_bound_origin_is_not_denied(card: Approval, acme: Account, ana: Actor, by_site: bool) -> None:
    site = make_site(acme, by=ana, networks=["198.51.100.0/29"]) if by_site else None
    bind(card.device, AWAY, site=site)

    is_refused(card, "bound-origin", by=ana, decision="deny")


def test_quarantine_shuts_the_phone(card: Approval, ana: Actor) -> None:
    approvals.answer(card, by=ana, decision="quarantine")

    assert lock_of(card.device).state == "quarantined"
    assert Approval.objects.get().status == "quarantine"


def test_a_card_is_answered_once(card: Approval, ana: Actor) -> None:
    approvals.answer(card, by=ana, decision="deny")

    is_refused(card, "answered", by=ana, decision="once")


def test_a_card_whose_day_is_over_is_not_answered(card: Approval, ana: Actor, clock: Any) -> None:
    clock.shift(DAY)

    is_refused(card, "answered", by=ana, decision="once")


# --- site --------------------------------------------------------------------------------------------------


def test_a_site_takes_an_address_where_one_of_its_phones_lives(
    card: Approval, acme: Account, ana: Actor
) -> None:
    site = make_site(acme, by=ana, networks=["203.0.113.0/28"])
    neighbour = make_phone(acme, by=ana, site=site)
    proved(neighbour, AWAY, at=timezone.now() - 29 * DAY)

    approvals.answer(card, by=ana, decision="site", site=site, typed="Head office")

    assert Network(parse_address(AWAY), parse_address(AWAY)) in [
        Network.from_hex(n.first, n.last) for n in site.networks.all()
    ]
    assert lock_of(card.device).grant_origin == origin(AWAY)
    assert Approval.objects.get().status == "site"


def test_a_site_takes_no_address_where_none_of_its_phones_lives(
    card: Approval, acme: Account, ana: Actor
) -> None:
    site = make_site(acme, by=ana)
    proved(make_phone(acme, by=ana, site=site), AWAY, at=timezone.now() - 30 * DAY - SECOND)
    proved(make_phone(acme, by=ana), AWAY)
    proved(make_phone(acme, by=ana, site=site), ELSEWHERE)

    is_refused(card, "not-proved", by=ana, decision="site", site=site, typed="Head office")


@pytest.mark.parametrize("typed", ["", "head office", "Yes"])
def test_the_sites_name_is_typed(card: Approval, acme: Account, ana: Actor, typed: str) -> None:
    site = make_site(acme, by=ana)
    proved(make_phone(acme, by=ana, site=site), AWAY)

    is_refused(card, "confirm", by=ana, decision="site", site=site, typed=typed)


def test_a_site_is_named_and_of_this_account(card: Approval, globex: Account, ana: Actor, eve: Actor) -> None:
    is_refused(card, "invalid", by=ana, decision="site")
    is_refused(card, "invalid", by=ana, decision="site", site=make_site(globex, by=eve), typed="Head office")


# --- who answers -------------------------------------------------------------------------------------------


def test_the_owner_says_once_from_where_the_phone_is(card: Approval, ben: Actor) -> None:
    tried(card.device, ELSEWHERE)
    fresh = Approval.objects.get()

    approvals.answer(fresh, by=at(ben, AWAY), decision="once")

    assert lock_of(card.device).grant_origin == origin(AWAY)


@pytest.mark.parametrize("address", [None, HOME, ELSEWHERE])
def test_from_elsewhere_he_may_not(card: Approval, ben: Actor, address: str | None) -> None:
    is_refused(card, "forbidden", by=at(ben, address) if address else ben, decision="once")


@pytest.mark.parametrize("decision", ["deny", "quarantine", "site"])
def test_the_owner_answers_nothing_else(card: Approval, ben: Actor, decision: str) -> None:
    is_refused(card, "forbidden", by=at(ben, AWAY), decision=decision)


def test_neither_a_viewer_nor_a_sibling_answers(card: Approval, vic: Actor, eve: Actor) -> None:
    for actor in (vic, eve):
        with pytest.raises(Forbidden):
            approvals.answer(card, by=at(actor, AWAY), decision="once")


def test_there_are_four_answers(card: Approval, ana: Actor) -> None:
    is_refused(card, "invalid", by=ana, decision="maybe")


def test_the_locks_row_is_held_first(card: Approval, ana: Actor, monkeypatch: Any) -> None:
    """Quarantined meanwhile: the answer is judged on the row as it is when its turn comes."""
    held = locking.locked_row

    def unlocked_meanwhile(device: Device) -> Lock:
        monkeypatch.setattr(locking, "locked_row", held)
        locking.quarantine(device, by=ana, reason="Stolen")
        return held(device)

    monkeypatch.setattr(locking, "locked_row", unlocked_meanwhile)

    with pytest.raises(Refusal) as caught:
        approvals.answer(card, by=ana, decision="once")

    assert caught.value.code == "quarantined"
