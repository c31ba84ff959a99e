"""T3: two parties hold a phone's tokens. What that raises, what waits for a person, and the three answers."""

from typing import Any

import pytest

from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid
from accounts.scope import Actor
from devices import appearances, extensions
from devices.models import Device, Extension
from provisioning import claims, clones, locking, policies, suspicion, tokens
from provisioning.gate import State
from provisioning.models import DeviceEvent, Lock, Token
from provisioning.sentences import happened
from security.networks import parse_address
from tests.provisioning.making import HOME, HOTEL, SECRET, THIEF, make_phone, request, support
from tests.provisioning.stolen import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    Stolen,
    claim_of,
    current,
    denied,
    fetched,
    kinds,
    make_stolen,
    network,
    poll,
)
from tests.provisioning.verb_checks import everything, is_refused, lock_of

pytestmark = [pytest.mark.django_db, pytest.mark.rule("T3")]


@pytest.fixture
def stolen(acme: Account) -> Stolen:
    """The phone, its real token (a former one now), and the thief's."""
    return make_stolen(acme)


@pytest.fixture
def suspected(stolen: Stolen) -> Stolen:
    """The real phone polled from HOME: a clone is suspected."""
    phone, real, _ = stolen
    poll(phone, real)
    return stolen


def again(token: Token) -> Token:
    return Token.objects.get(pk=token.pk)


def events_of(phone: Device, what: str) -> list[DeviceEvent]:
    return list(DeviceEvent.objects.filter(device=phone, what=what))


# --- raised ------------------------------------------------------------------------------------------------


def test_both_are_served_until_a_person_has_answered_at_most_30_days(suspected: Stolen) -> None:
    phone, real, thief = suspected

    former, newer = again(real), again(thief)

    assert (former.kind, former.clone_since, former.until) == ("former", NOW, NOW + 30 * DAY)
    assert (newer.kind, newer.until) == ("current", None)
    (event,) = events_of(phone, "clone-suspected")
    assert (event.rule, event.at, event.address) == ("T3", NOW, HOME)


@pytest.mark.rule("E7")
def test_the_phone_is_under_suspicion_for_7_days_after_the_last_use(suspected: Stolen) -> None:
    phone, real, _ = suspected
    lock = lock_of(phone)
    assert (lock.suspicion_why, lock.suspicion_until) == ("clone", NOW + 7 * DAY)

    poll(phone, real, at=NOW + DAY)

    assert lock_of(phone).suspicion_until == NOW + 8 * DAY
    assert len(events_of(phone, "clone-suspected")) == 1
    assert again(real).until == NOW + 30 * DAY


@pytest.mark.rule("E15")
def test_the_secrets_may_be_known(suspected: Stolen) -> None:
    extension = Extension.objects.get(appearances__device=suspected[0])

    assert extension.exposed_since == NOW
    assert "private URL" in extension.exposed_why


def test_it_is_published(stolen: Stolen) -> None:
    phone, real, _ = stolen
    before = lock_of(phone).revision

    poll(phone, real)

    assert lock_of(phone).revision > before


def test_a_note_that_comes_after_the_overlap_brings_the_token_back(stolen: Stolen) -> None:
    """The drain was late: the phone was served by this token while it lived, and polls with it tomorrow."""
    phone, real, _ = stolen
    served = real.until - MINUTE  # type: ignore[operator]
    tokens.bury(NOW + 3 * DAY)
    assert again(real).kind == "dead"

    clones.suspect(real.hash, phone, address=parse_address(HOME), at=served, now=NOW + 3 * DAY)

    assert (again(real).kind, again(real).until) == ("former", served + 30 * DAY)


def test_a_token_whose_overlap_is_over_raises_nothing(stolen: Stolen) -> None:
    phone, real, _ = stolen
    tokens.bury(NOW + 3 * DAY)

    poll(phone, real, at=NOW + 3 * DAY)

    assert (again(real).kind, again(real).clone_since) == ("dead", None)
    assert events_of(phone, "clone-suspected") == []


@pytest.mark.rule("T2")
def test_a_former_token_that_counts_as_the_current_one_raises_nothing(stolen: Stolen) -> None:
    phone, _, thief = stolen
    claims.claim(request(phone, THIEF), now=NOW)
    before = everything(phone)

    poll(phone, thief, at=NOW + MINUTE)

    assert (again(thief).kind, again(thief).clone_since) == ("former", None)
    assert everything(phone) == before


def test_a_token_that_a_person_ended_raises_nothing_however_late_the_note(stolen: Stolen) -> None:
    phone, real, _ = stolen
    tokens.kill(Token.objects.filter(pk=real.pk), now=NOW)
    before = everything(phone)

    poll(phone, real, at=NOW - MINUTE)

    assert (again(real).kind, again(real).clone_since) == ("dead", None)
    assert everything(phone) == before


@pytest.mark.rule("E19")
def test_a_retired_phones_tokens_keep_their_end(stolen: Stolen) -> None:
    phone, real, _ = stolen
    Lock.objects.filter(pk=phone.pk).update(state=State.RETIRED.value)

    poll(phone, real)

    assert (again(real).clone_since, again(real).until) == (NOW, real.until)


# --- quarantine_on_clone -----------------------------------------------------------------------------------


@pytest.mark.rule("E8q")
def test_while_the_policy_is_off_a_stranger_cannot_cause_a_quarantine(suspected: Stolen) -> None:
    assert lock_of(suspected[0]).state == "locked"


@pytest.mark.rule("E8q")
def test_by_policy_a_suspected_clone_is_quarantined_once(acme: Account, stolen: Stolen) -> None:
    phone, real, _ = stolen
    policies.set_value(acme, by=support(), name="quarantine_on_clone", value=True)

    poll(phone, real)

    assert lock_of(phone).state == "quarantined"
    (event,) = events_of(phone, "quarantined")
    assert (event.rule, event.actor) == ("E8q", "the clock")
    suspicion.release(phone, by=support(), reason="It was our own test", now=NOW + HOUR)
    poll(phone, real, at=NOW + DAY)
    assert lock_of(phone).state == "locked"


# --- shown -------------------------------------------------------------------------------------------------


def test_what_waits_for_an_answer_says_who_and_where(suspected: Stolen) -> None:
    phone, _, thief = suspected

    found = clones.open_clone(phone, now=NOW)

    assert found == clones.Suspected(
        device=phone,
        since=NOW,
        until=NOW + 30 * DAY,
        address=HOME,
        former_origin=HOME,
        claim=claim_of(thief),
    )


def test_nothing_waits_before_it_is_raised_nor_after_30_days(stolen: Stolen) -> None:
    phone, real, _ = stolen
    assert clones.open_clone(phone, now=NOW) is None

    poll(phone, real)

    assert clones.open_clone(phone, now=NOW + 30 * DAY) is None


def test_of_two_suspected_tokens_the_older_ones_claim_is_offered(acme: Account) -> None:
    phone, real, thief = make_stolen(acme)
    fetched(phone, THIEF, NOW - 2 * HOUR)
    poll(phone, again(thief), THIEF, at=NOW)
    poll(phone, real, at=NOW + HOUR)

    found = clones.open_clone(phone, now=NOW + HOUR)

    assert found is not None
    assert (found.claim, found.since) == (claim_of(thief), NOW + HOUR)


def test_many_phones_cost_no_more_queries_than_one(
    acme: Account, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    phones = []
    for number in range(3):
        phone, real, _ = make_stolen(acme)
        poll(phone, real, at=NOW + number * MINUTE)
        phones.append(phone)

    with django_assert_num_queries(3):
        found = clones.open_clones(phones, now=NOW + HOUR)
    with django_assert_num_queries(3):
        clones.open_clones(phones[:1], now=NOW + HOUR)

    assert [row.device for row in found] == phones


# --- answered ----------------------------------------------------------------------------------------------


@pytest.mark.rule("E16")
def test_take_back_brings_the_former_token_back(suspected: Stolen, ana: Actor) -> None:
    phone, real, thief = suspected

    lock = clones.answer(phone, by=ana, decision="take-back", now=NOW + HOUR)

    assert (lock.state, lock.bound_network) == ("locked", network(HOME))
    back = current(phone)
    assert (back.pk, back.clone_since, back.until) == (real.pk, None, None)
    assert (again(thief).kind, denied(phone)) == ("dead", {THIEF})
    assert clones.open_clone(phone, now=NOW + HOUR) is None


def test_moved_ends_the_former_tokens_at_once_and_for_good(suspected: Stolen, ana: Actor) -> None:
    phone, real, thief = suspected
    before = extensions.secret_of(Extension.objects.get(appearances__device=phone))

    lock = clones.answer(phone, by=ana, decision="moved", now=NOW + HOUR)

    assert lock.bound_network == network(THIEF)
    former = again(real)
    assert (former.kind, former.until, bytes(former.sealed)) == ("dead", NOW + HOUR, b"")
    assert current(phone).pk == thief.pk
    assert extensions.secret_of(Extension.objects.get(appearances__device=phone)) == before
    assert clones.open_clone(phone, now=NOW + HOUR) is None
    poll(phone, real, at=NOW + 2 * HOUR)
    assert again(real).kind == "dead"


@pytest.mark.rule("T2")
def test_moved_leaves_a_former_token_that_counts_as_the_current_one(suspected: Stolen, ana: Actor) -> None:
    """The phone that was moved has just started anew and did not get the answer."""
    phone, real, moved = suspected
    claims.claim(request(phone, THIEF), now=NOW + MINUTE)

    clones.answer(phone, by=ana, decision="moved", now=NOW + HOUR)

    assert (again(real).kind, again(moved).kind) == ("dead", "former")
    assert again(moved).until is None


@pytest.mark.rule("E15")
def test_secrets_are_as_moved_and_every_extension_of_the_phone_gets_a_new_one(
    acme: Account, suspected: Stolen, ana: Actor
) -> None:
    phone, real, _ = suspected
    line = Extension.objects.get(appearances__device=phone)
    other = extensions.create(acme, by=ana, username="4999", secret=SECRET)
    rows = [appearances.AppearanceRow(at, row) for at, row in ((1, line), (2, other))]
    appearances.put(phone, by=ana, rows=rows)
    beside = make_phone(acme)
    appearances.put(beside, by=ana, rows=[appearances.AppearanceRow(1, line)])
    files = lock_of(beside).files_revision

    clones.answer(phone, by=ana, decision="secrets", now=NOW + HOUR)

    assert again(real).kind == "dead"
    shown = Extension.objects.filter(appearances__device=phone)
    assert all(extensions.secret_of(extension) != SECRET for extension in shown)
    assert {(extension.exposed_since, extension.exposed_why) for extension in shown} == {(None, "")}
    assert lock_of(beside).files_revision > files
    assert AuditEntry.objects.filter(verb="extension.secret_changed").count() == 2


@pytest.mark.parametrize("decision", ["take-back", "moved", "secrets"])
def test_the_answer_is_written_down_and_the_suspicion_stays(
    suspected: Stolen, ana: Actor, decision: str
) -> None:
    phone, _, _ = suspected

    clones.answer(phone, by=ana, decision=decision, now=NOW + HOUR)

    entry = AuditEntry.objects.get(verb="clone.answered")
    assert (entry.at, entry.actor, entry.details) == (NOW + HOUR, ana.label, {"decision": decision})
    (event,) = events_of(phone, "clone-answered")
    assert (event.rule, event.actor) == ("T3", ana.label)
    said = happened(event.what, actor=event.actor, **event.details)
    assert said == f"Answered by {ana.label}: {clones.ANSWERS[decision]}."
    assert lock_of(phone).suspicion_until == NOW + 7 * DAY


def test_it_is_answered_once(suspected: Stolen, ana: Actor) -> None:
    phone, _, _ = suspected
    clones.answer(phone, by=ana, decision="moved", now=NOW + HOUR)

    for decision in clones.ANSWERS:
        is_refused(phone, clones.answer, "answered", "T3", by=ana, decision=decision, now=NOW + 2 * HOUR)


def test_after_30_days_nobody_is_asked_any_more(suspected: Stolen, ana: Actor) -> None:
    at = NOW + 30 * DAY

    is_refused(suspected[0], clones.answer, "answered", "T3", by=ana, decision="moved", now=at)


def test_a_quarantined_phone_is_not_taken_back_but_its_former_tokens_can_end(
    suspected: Stolen, ana: Actor
) -> None:
    phone, _, thief = suspected
    locking.quarantine(phone, by=ana, reason="Look at it first", now=NOW)
    is_refused(phone, clones.answer, "quarantined", "E8q", by=ana, decision="take-back", now=NOW)

    lock = clones.answer(phone, by=ana, decision="moved", now=NOW)

    assert lock.state == "quarantined"
    assert kinds(phone) == {"current", "dead"}
    assert current(phone).pk == thief.pk


def test_an_answer_that_there_is_not(suspected: Stolen, ana: Actor) -> None:
    phone, before = suspected[0], everything(suspected[0])

    with pytest.raises(Invalid) as refusal:
        clones.answer(phone, by=ana, decision="perhaps", now=NOW)

    assert (refusal.value.field, refusal.value.rule) == ("decision", "T3")
    assert everything(phone) == before


@pytest.mark.parametrize("decision", ["take-back", "moved", "secrets"])
@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_only_managers_answer(
    suspected: Stolen, who: str, decision: str, request: pytest.FixtureRequest
) -> None:
    phone, before = suspected[0], everything(suspected[0])

    with pytest.raises(Forbidden):
        clones.answer(phone, by=request.getfixturevalue(who), decision=decision, now=NOW)

    assert everything(phone) == before


def test_a_use_from_where_the_token_never_was_raises_it_too(stolen: Stolen) -> None:
    """It was answered as at the root; that two parties hold the phone's tokens is true all the same."""
    phone, real, _ = stolen

    poll(phone, real, HOTEL)

    found = clones.open_clone(phone, now=NOW)
    assert found is not None
    assert (found.address, found.former_origin) == (HOTEL, HOME)
