"""E16: a claim and all later ones are undone, and the phone is what it was before."""

import json
from datetime import timedelta

import pytest
import redis
from django.db.models import Q

from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden
from accounts.scope import Actor
from devices.models import Device, Extension
from provisioning import claims, events, files, locking, publishing, taking_back, tokens, wire
from provisioning.gate import Outcome, State, TokenKind
from provisioning.models import Claim, DeviceEvent, Lock, Proof, Token
from security.networks import parse_address
from tests.provisioning.making import HOME, HOTEL, THIEF, make_phone, request, support
from tests.provisioning.stolen import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    Stolen,
    asked,
    claim_of,
    current,
    denied,
    fetched,
    kinds,
    make_stolen,
    network,
    real_phone,
    steal,
)
from tests.provisioning.test_publishing import Committed
from tests.provisioning.verb_checks import everything, is_refused, lock_of

pytestmark = [pytest.mark.django_db, pytest.mark.rule("E16")]


@pytest.fixture
def stolen(acme: Account) -> Stolen:
    """The phone, its real token (a former one now), and the thief's."""
    return make_stolen(acme)


# --- what comes back ---------------------------------------------------------------------------------------


def test_the_binding_and_the_token_before_it_come_back(stolen: Stolen, ana: Actor) -> None:
    phone, real, thief = stolen
    assert (real.kind, lock_of(phone).bound_network) == ("former", network(THIEF))

    lock = taking_back.take_back(phone, by=ana, now=NOW)

    assert (lock.state, lock.reason, lock.bound_network) == ("locked", "", network(HOME))
    assert (lock.since, lock.by) == (NOW, ana.label)
    back = current(phone)
    assert back.pk == real.pk
    assert (back.until, back.superseded_at, back.clone_since) == (None, None, None)
    claim = claim_of(thief)
    assert (claim.undone_at, claim.undone_by) == (NOW, ana.label)
    assert claim_of(real).undone_at is None


@pytest.mark.rule("T4")
def test_every_token_given_since_is_dead_for_good(stolen: Stolen, ana: Actor) -> None:
    phone, real, thief = stolen

    taking_back.take_back(phone, by=ana, now=NOW)

    given = Token.objects.filter(claim=thief.claim_id)
    assert {(t.kind, bytes(t.sealed)) for t in given} == {("dead", b"")}
    assert Token.objects.filter(device=phone).exclude(kind="dead").get().pk == real.pk
    assert claims.first_use(thief.hash, parse_address(THIEF), now=NOW + MINUTE) is False


def test_all_later_claims_are_undone_with_it(stolen: Stolen, ana: Actor) -> None:
    phone, real, thief = stolen
    again = fetched(phone, THIEF, NOW - 2 * HOUR)

    taking_back.take_back(phone, by=ana, claim=claim_of(thief), now=NOW)

    assert claim_of(again).undone_at == NOW
    assert current(phone).pk == real.pk
    assert Token.objects.get(pk=again.pk).kind == "dead"
    assert list(taking_back.choices(phone)) == [claim_of(real)]


def test_the_very_first_one_leaves_it_locked_to_no_place_and_every_token_dead(
    acme: Account, ana: Actor
) -> None:
    """It was first set up from X. Was that you? No."""
    phone = make_phone(acme, now=NOW - DAY)
    fetched(phone, THIEF, NOW - 2 * HOUR)
    fetched(phone, THIEF, NOW - HOUR)
    (_, first) = taking_back.choices(phone)

    lock = taking_back.take_back(phone, by=ana, claim=first, now=NOW)

    assert (lock.state, lock.bound_network, lock.bound_site) == ("locked", None, None)
    assert kinds(phone) == {"dead"}
    assert asked(phone, THIEF) == (Outcome.REFUSED, "R14")
    assert asked(phone, HOME) == (Outcome.REFUSED, "R6")


def test_after_a_re_arming_the_token_of_before_comes_back_and_no_place(acme: Account, ana: Actor) -> None:
    phone, real = real_phone(acme)
    locking.rearm(phone, by=ana, now=NOW - DAY)
    fetched(phone, THIEF, NOW - HOUR)

    lock = taking_back.take_back(phone, by=ana, now=NOW)

    assert (lock.state, lock.bound_network) == ("locked", None)
    assert current(phone).pk == real.pk


def test_the_reason_of_before_comes_back(acme: Account, ana: Actor) -> None:
    phone = make_phone(acme, now=NOW - DAY)
    Lock.objects.filter(pk=phone.pk).update(state="locked", reason=Lock.Reason.PREVIOUSLY_REGISTERED)
    steal(phone, at=NOW - HOUR)

    lock = taking_back.take_back(phone, by=ana, now=NOW)

    assert (lock.state, lock.reason, lock.bound_network) == ("locked", "previously-registered", None)


def test_a_token_that_only_ran_out_of_time_comes_back(stolen: Stolen, ana: Actor) -> None:
    phone, real, _ = stolen
    tokens.bury(NOW + 5 * DAY)
    assert Token.objects.get(pk=real.pk).kind == "dead"

    taking_back.take_back(phone, by=ana, now=NOW + 5 * DAY)

    assert current(phone).pk == real.pk


def test_a_token_that_was_killed_does_not_come_back_and_its_place_lets_the_phone_in(
    stolen: Stolen, ana: Actor
) -> None:
    phone, real, _ = stolen
    tokens.kill(Token.objects.filter(pk=real.pk), now=NOW)

    lock = taking_back.take_back(phone, by=ana, now=NOW)

    assert lock.bound_network == network(HOME)
    assert kinds(phone) == {"dead"}
    assert asked(phone, HOME) == (Outcome.BOOTSTRAP, "R4")


@pytest.mark.rule("T2")
def test_a_former_token_that_only_the_thief_superseded_counts_as_current_again(
    acme: Account, ana: Actor
) -> None:
    """The phone never got the answer to its last start, and goes on with the token of the one before."""
    phone, real = real_phone(acme)
    claims.claim(request(phone), now=NOW - 2 * DAY)
    lost = current(phone)
    steal(phone)
    tokens.bury(NOW)
    assert Token.objects.get(pk=lost.pk).kind == "dead"
    assert Token.objects.get(pk=real.pk).superseded_at is not None

    taking_back.take_back(phone, by=ana, now=NOW)

    real.refresh_from_db()
    assert (real.kind, real.superseded_at, real.until) == ("former", None, None)
    assert current(phone).pk == lost.pk


@pytest.mark.rule("T3")
def test_a_former_token_that_the_phone_itself_superseded_stays_so(acme: Account, ana: Actor) -> None:
    phone, oldest = real_phone(acme)
    fetched(phone, HOME, NOW - 2 * DAY)
    steal(phone)
    oldest.refresh_from_db()
    before = (oldest.kind, oldest.superseded_at, oldest.until)
    assert before[0] == "former"

    taking_back.take_back(phone, by=ana, now=NOW)

    oldest.refresh_from_db()
    assert (oldest.kind, oldest.superseded_at, oldest.until) == before


@pytest.mark.rule("T1")
def test_an_entry_token_that_the_thief_ended_lives_out_its_half_hour(acme: Account, ana: Actor) -> None:
    """The phone came over and has not polled yet; a repeat (R4a) must not name a token that is over."""
    phone, _ = real_phone(acme)
    claims.claim(request(phone), now=NOW - 20 * MINUTE)
    own = current(phone)
    entry = Token.objects.get(claim=own.claim_id, kind=TokenKind.ENTRY.value)
    claims.first_use(entry.hash, parse_address(HOME), now=NOW - 19 * MINUTE)
    locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=NOW - 15 * MINUTE)
    fetched(phone, THIEF, NOW - 10 * MINUTE)
    assert Token.objects.get(pk=entry.pk).kind == "dead"

    taking_back.take_back(phone, by=ana, now=NOW)

    entry.refresh_from_db()
    assert (entry.kind, entry.until) == ("entry", NOW + 10 * MINUTE)
    again = claims.claim(request(phone), now=NOW + MINUTE)
    assert again.verdict.rule == "R4a"
    assert again.file is not None
    assert tokens.text_of(entry).encode() in again.file.body


def test_a_phone_without_tokens_gets_its_place_back(acme: Account, ana: Actor) -> None:
    phone = make_phone(acme, model="VP530", now=NOW - DAY)
    agent = f"VP530P 23.70.0.40 {phone.mac}"
    claims.claim(request(phone, name="{mac}.cfg", agent=agent), now=NOW - DAY)
    locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=NOW - HOUR)
    claims.claim(request(phone, THIEF, name="{mac}.cfg", agent=agent), now=NOW - MINUTE)

    lock = taking_back.take_back(phone, by=ana, now=NOW)

    assert lock.bound_network == network(HOME)
    assert denied(phone) == {THIEF}


# --- what else goes ----------------------------------------------------------------------------------------


def test_an_open_unlock_ends(stolen: Stolen, ana: Actor) -> None:
    phone, _, _ = stolen
    locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=NOW - MINUTE)

    lock = taking_back.take_back(phone, by=ana, now=NOW)

    assert (lock.state, lock.grant_given_at, lock.grant_until) == ("locked", None, None)
    assert asked(phone, HOTEL) == (Outcome.REFUSED, "R6")


@pytest.mark.rule("E15")
def test_the_secrets_are_marked(stolen: Stolen, ana: Actor) -> None:
    phone, _, _ = stolen

    taking_back.take_back(phone, by=ana, now=NOW)

    extension = Extension.objects.get(appearances__device=phone)
    assert (extension.exposed_since, extension.exposed_why) == (NOW, f"{phone} was taken back")


def test_what_the_thief_has_proved_speaks_for_nobody_any_more(stolen: Stolen, ana: Actor) -> None:
    """Otherwise his address would count as one where the account's phones live (E14)."""
    phone, _, _ = stolen
    for address, at in ((HOME, NOW - 2 * HOUR), (THIEF, NOW - HOUR), (HOTEL, NOW - HOUR)):
        where = network(address)
        Proof.objects.create(device=phone, first=where.hex_first, last=where.hex_last, at=at)

    taking_back.take_back(phone, by=ana, now=NOW)

    left = set(Proof.objects.filter(device=phone).values_list("first", flat=True))
    assert left == {network(HOME).hex_first, network(HOTEL).hex_first}


def test_a_place_that_was_to_follow_is_forgotten(stolen: Stolen, ana: Actor) -> None:
    phone, _, _ = stolen
    where = network(HOTEL)
    Lock.objects.filter(pk=phone.pk).update(
        follow_first=where.hex_first, follow_last=where.hex_last, follow_since=NOW - HOUR
    )

    lock = taking_back.take_back(phone, by=ana, now=NOW)

    assert (lock.follow_first, lock.follow_last, lock.follow_since) == ("", "", None)


@pytest.mark.rule("T7")
def test_it_is_written_down_without_a_token(stolen: Stolen, ana: Actor) -> None:
    phone, real, thief = stolen
    known = [tokens.text_of(real), tokens.text_of(thief), real.hash, thief.hash]

    taking_back.take_back(phone, by=ana, now=NOW)

    entry = AuditEntry.objects.get(verb="device.taken-back")
    assert entry.details["codes"] == [str(claim_of(thief).code)]
    event = DeviceEvent.objects.get(device=phone, what="taken-back")
    assert (event.rule, event.actor, event.at) == ("E16", ana.label, NOW)
    said = events.described(event, now=NOW).sentence
    since = "Sun 1 Mar, 13:00 CET"
    got = f"all that {THIEF} got since {since} is dead"
    assert said == f"Taken back by {ana.label}: {got}. Locked to {HOME} again."
    for text in (json.dumps(entry.details), json.dumps(event.details)):
        assert not any(word in text for word in known)


@pytest.mark.usefixtures("clock")
def test_it_is_in_the_store_before_the_caller_has_his_answer(
    store: redis.Redis, stolen: Stolen, ana: Actor, django_capture_on_commit_callbacks: Committed
) -> None:
    phone, real, thief = stolen
    publishing.publish_devices([phone.pk], now=NOW)
    files.publish_files([phone.pk], now=NOW)
    key = wire.file_key(real.hash, f"{phone.mac}.cfg")
    held = wire.unpack_file(store.get(key))

    with django_capture_on_commit_callbacks(execute=True):
        taking_back.take_back(phone, by=ana, now=NOW)

    kinds = {
        token.hash: wire.unpack_token(store.get(wire.token_key(token.hash))).facts.kind
        for token in Token.objects.filter(Q(pk=real.pk) | Q(claim=thief.claim_id))
    }
    assert kinds.pop(real.hash) is TokenKind.CURRENT
    assert list(kinds.values()) == [TokenKind.DEAD, TokenKind.DEAD]
    lock = wire.unpack_lock(store.get(wire.mac_key(phone.mac)))
    assert lock is not None
    assert lock.facts.bound == (network(HOME),)
    assert [d.network for d in lock.facts.denied] == [network(THIEF)]
    asks_for = wire.unpack_token(store.get(wire.token_key(real.hash))).files_revision
    assert (wire.unpack_file(store.get(key)), asks_for) == (held, held.files_revision)


# --- refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "code", "rule"),
    [(State.QUARANTINED, "quarantined", "E8q"), (State.RETIRED, "retired", "E19")],
)
def test_a_phone_that_was_put_away_is_not_taken_back(
    stolen: Stolen, ana: Actor, state: State, code: str, rule: str
) -> None:
    phone, _, _ = stolen
    Lock.objects.filter(pk=phone.pk).update(state=state.value)

    is_refused(phone, taking_back.take_back, code, rule, by=ana)

    assert not Claim.objects.exclude(undone_at=None).exists()


def test_a_disabled_phone_can_be_taken_back(stolen: Stolen, ana: Actor) -> None:
    phone, real, _ = stolen
    Device.objects.filter(pk=phone.pk).update(is_enabled=False)

    taking_back.take_back(phone, by=ana, now=NOW)

    assert current(phone).pk == real.pk


def test_there_is_nothing_to_take_back_of_a_phone_that_nobody_set_up(acme: Account, ana: Actor) -> None:
    is_refused(make_phone(acme), taking_back.take_back, "none", "E16", by=ana)


def test_a_claim_is_undone_once(stolen: Stolen, ana: Actor) -> None:
    phone, _, thief = stolen
    taking_back.take_back(phone, by=ana, now=NOW)

    is_refused(phone, taking_back.take_back, "undone", "E16", by=ana, claim=claim_of(thief))


def test_another_phones_claim_is_not_named(stolen: Stolen, acme: Account, ana: Actor) -> None:
    _, other = real_phone(acme)

    is_refused(stolen[0], taking_back.take_back, "undone", "E16", by=ana, claim=claim_of(other))


@pytest.mark.rule("E19")
def test_what_was_before_a_retirement_is_out_of_reach(acme: Account, ana: Actor) -> None:
    phone, _ = real_phone(acme)
    Lock.objects.filter(pk=phone.pk).update(state=State.RETIRED.value)
    locking.rearm(phone, by=ana, now=NOW - HOUR)
    fetched(phone, THIEF, NOW - MINUTE * 10)

    assert len(taking_back.choices(phone)) == 1
    lock = taking_back.take_back(phone, by=ana, now=NOW)

    assert lock.bound_network is None
    assert kinds(phone) == {"dead"}


@pytest.mark.parametrize("who", ["vic", "ben", "eve"])
def test_only_managers_take_back(stolen: Stolen, who: str, request: pytest.FixtureRequest) -> None:
    phone, before = stolen[0], everything(stolen[0])

    with pytest.raises(Forbidden):
        taking_back.take_back(phone, by=request.getfixturevalue(who))

    assert everything(phone) == before


def test_nothing_of_a_refusal_is_kept(stolen: Stolen, ana: Actor) -> None:
    """The tokens too are as they were."""
    phone, _, _ = stolen
    Lock.objects.filter(pk=phone.pk).update(state=State.QUARANTINED.value)
    before = list(Token.objects.order_by("pk").values("kind", "until", "clone_since"))

    is_refused(phone, taking_back.take_back, "quarantined", "E8q", by=ana, now=NOW + timedelta(hours=1))

    assert list(Token.objects.order_by("pk").values("kind", "until", "clone_since")) == before
