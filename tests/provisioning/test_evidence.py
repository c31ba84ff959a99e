"""What a card shows: who lives at the address, who was there, and what stands against it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import audit
from accounts.models import Account
from accounts.scope import Actor
from devices.models import Device
from provisioning import approvals
from provisioning.models import Approval, Claim
from tests.cast import at
from tests.factories import (
    AGENT,
    AWAY,
    HOME,
    banned,
    bind,
    claimed,
    make_phone,
    make_site,
    proved,
    tried,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("E14")]

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _documentation_addresses(settings: Any) -> None:
    settings.LATCHKEY_TRIAL = True


def test_nothing_speaks_for_a_strange_address(card: Approval) -> None:
    found = approvals.evidence(card)

    assert (found.address, found.agent, found.agent_fits) == (AWAY, AGENT, True)
    assert (found.phones_there, found.owner_there, found.manager_there) == (0, None, None)
    assert not found.approve_first
    assert not found.bound_there


def test_phones_that_live_there_speak_for_it(
    card: Approval, acme: Account, globex: Account, ana: Actor, eve: Actor
) -> None:
    proved(card.device, AWAY)
    proved(make_phone(globex, by=eve), AWAY)
    assert approvals.evidence(card).phones_there == 0

    site = make_site(acme, by=ana)
    proved(make_phone(acme, by=ana, site=site), AWAY)

    found = approvals.evidence(card)
    assert found.phones_there == 1
    assert found.approve_first
    assert [(offer.site, offer.accepting) for offer in found.sites] == [(site, 0)]
    assert found.shared


@pytest.mark.parametrize("person", ["ben", "ana", "rita"])
def test_the_owner_or_a_manager_who_was_there_speaks_for_it(card: Approval, cast: Any, person: str) -> None:
    actor = getattr(cast, person)
    audit.record(at(actor, AWAY), "session.opened", card.device.account, now=timezone.now() - HOUR)

    found = approvals.evidence(card)

    seen = found.owner_there if person == "ben" else found.manager_there
    assert seen == timezone.now() - HOUR
    assert found.approve_first


@pytest.mark.parametrize("person", ["vic", "eve"])
def test_nobody_elses_presence_does(card: Approval, cast: Any, person: str) -> None:
    audit.record(at(getattr(cast, person), AWAY), "session.opened", card.device.account)

    assert not approvals.evidence(card).approve_first


def test_presence_of_yesterday_does_not(card: Approval, ben: Actor) -> None:
    audit.record(at(ben, AWAY), "session.opened", card.device.account, now=timezone.now() - DAY)

    assert approvals.evidence(card).owner_there is None


def test_the_reader_who_is_there_speaks_for_it(card: Approval, ana: Actor) -> None:
    assert approvals.evidence(card, by=at(ana, AWAY)).approve_first
    assert not approvals.evidence(card, by=at(ana, HOME)).approve_first


def test_a_ban_and_a_recent_first_fetch_are_shown(card: Approval) -> None:
    banned(AWAY)
    claimed(card.device, HOME, at=timezone.now() - 29 * DAY)

    found = approvals.evidence(card)

    assert (found.banned, found.blocked) == (True, False)
    assert (found.first_set_up_from, found.first_set_up_at) == (HOME, timezone.now() - 29 * DAY)


@pytest.mark.rule("E16")
def test_a_first_fetch_is_asked_about_until_it_is_taken_back(card: Approval) -> None:
    first = claimed(card.device, HOME, at=timezone.now() - 3 * DAY)
    claimed(card.device, HOME, at=timezone.now() - 2 * DAY, rule="R4")

    asked = approvals.evidence(card)
    Claim.objects.update(undone_at=timezone.now())

    assert (asked.first_claim, asked.first_set_up_from) == (first.code, HOME)
    undone = approvals.evidence(card)
    assert (undone.first_claim, undone.first_set_up_from, undone.first_set_up_at) == (None, "", None)


def test_an_old_first_fetch_is_not_asked_about(card: Approval) -> None:
    claimed(card.device, HOME, at=timezone.now() - 31 * DAY)

    assert approvals.evidence(card).first_set_up_from == ""


def test_an_agent_that_does_not_fit_is_said(locked: Device) -> None:
    card = tried(locked, rule="R12", agent="Odd Phone/1.0", product="Odd Phone")
    assert card is not None

    assert not approvals.evidence(card).agent_fits


def test_the_evidence_of_many_cards_costs_as_much_as_that_of_one(
    card: Approval, acme: Account, globex: Account, ana: Actor, eve: Actor, ben: Actor
) -> None:
    def another(at_: int) -> Approval:
        place = f"198.51.100.{60 + at_}"
        site = make_site(acme, by=ana, name=f"Place {at_}", networks=[f"{place}/32"])
        phone = make_phone(acme, by=ana, owner=ben.user)
        bind(phone, site=site)
        proved(make_phone(acme, by=ana, site=site), place)
        proved(make_phone(globex, by=eve), place)
        banned(place)
        claimed(phone, HOME)
        audit.record(at(ben, place), "session.opened", acme)
        made = tried(phone, place)
        assert made is not None
        return Approval.objects.select_related("account", "device__account", "device__lock").get(pk=made.pk)

    first = another(0)
    with CaptureQueriesContext(connection) as one:
        alone = approvals.evidence(first, by=ana)
    others = [another(at_) for at_ in range(1, 4)]
    with CaptureQueriesContext(connection) as many:
        found = approvals.evidence_of([first, card, *others], by=ana)

    said = [(e.address, e.phones_there, e.bound_there, e.banned, e.shared, len(e.sites)) for e in found]
    assert said[0] == ("198.51.100.60", 1, True, True, True, 1)
    assert said[1] == (AWAY, 0, False, False, False, 0)
    assert said[2:] == [(f"198.51.100.{60 + at_}", *said[0][1:]) for at_ in range(1, 4)]
    assert [e.sites[0].accepting for e in (found[0], *found[2:])] == [1, 1, 1, 1]
    assert [e.owner_there is not None for e in found] == [True, False, True, True, True]
    assert alone == found[0]
    assert len(many) == len(one)
