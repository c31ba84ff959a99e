"""The claim: decided on the rows, effects of each rule, tokens and their ages."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from accounts.models import Account
from devices.models import Device
from provisioning import claims, gate, locking, tokens, wire
from provisioning.gate import Outcome, TokenKind
from provisioning.models import Claim, DeviceEvent, Lock, MacRecord, Token
from security.networks import Network, origin_of, parse_address
from tests.provisioning.making import HOME, HOTEL, SECRET, THIEF, make_account, make_phone, request, support

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LATER = timedelta(minutes=31)

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Account:
    return make_account("acme", make_account("platform", kind=Account.Kind.PLATFORM))


@pytest.fixture
def phone(acme: Account) -> Device:
    return make_phone(acme, now=NOW)


def lock_of(phone: Device) -> Lock:
    return Lock.objects.get(pk=phone.pk)


def token_in(answer: claims.Answer) -> str:
    assert answer.file is not None
    found = re.search(rb"/d/([a-z0-9]{40})/", answer.file.body)
    assert found
    return found.group(1).decode()


def row_of(token: str) -> Token:
    return Token.objects.get(hash=tokens.hash_of(token))


def current(phone: Device) -> Token:
    return Token.objects.get(device=phone, kind=TokenKind.CURRENT.value)


@pytest.mark.rule("R1")
def test_the_first_fetch_binds_and_brings_tokens(phone: Device) -> None:
    answer = claims.claim(request(phone), now=NOW)

    assert (answer.verdict.outcome, answer.verdict.rule) == (Outcome.BOOTSTRAP, "R1")
    lock = lock_of(phone)
    assert (lock.state, lock.bound_network) == ("locked", origin_of(parse_address(HOME)))
    entry = row_of(token_in(answer))
    assert (entry.kind, entry.until) == ("entry", NOW + timedelta(minutes=30))
    assert current(phone).claim_id == entry.claim_id
    assert SECRET.encode() not in answer.file.body  # type: ignore[union-attr]
    assert MacRecord.objects.get(mac_hash=wire.mac_hash(settings.TOKEN_KEY, phone.mac)).claimed
    event = DeviceEvent.objects.filter(device=phone, what="request").latest("id")
    assert (event.rule, event.outcome, event.address) == ("R1", "bootstrap", HOME)


@pytest.mark.rule("R4a")
def test_a_repeat_is_the_same_bytes_and_no_claim(phone: Device) -> None:
    first = claims.claim(request(phone), now=NOW)
    before = (Claim.objects.count(), Token.objects.count(), lock_of(phone).last_claim_at)

    again = claims.claim(request(phone), now=NOW + timedelta(minutes=29))

    assert again.verdict.rule == "R4a"
    assert again.file == first.file
    assert (Claim.objects.count(), Token.objects.count(), lock_of(phone).last_claim_at) == before


@pytest.mark.rule("R4")
def test_a_reset_at_home_is_a_claim_that_keeps_the_binding(phone: Device) -> None:
    first = claims.claim(request(phone), now=NOW)

    second = claims.claim(request(phone), now=NOW + LATER)

    assert second.verdict.rule == "R4"
    assert token_in(first) != token_in(second)
    assert lock_of(phone).bound_network == origin_of(parse_address(HOME))


@pytest.mark.rule("R6")
def test_a_refusal_changes_nothing(phone: Device) -> None:
    claims.claim(request(phone), now=NOW)
    before = (Lock.objects.values().get(pk=phone.pk), Token.objects.count(), DeviceEvent.objects.count())

    answer = claims.claim(request(phone, THIEF), now=NOW + LATER)

    assert (answer.verdict.outcome, answer.verdict.rule, answer.file) == (Outcome.REFUSED, "R6", None)
    assert (
        Lock.objects.values().get(pk=phone.pk),
        Token.objects.count(),
        DeviceEvent.objects.count(),
    ) == before


@pytest.mark.rule("R7")
def test_a_grant_admits_once(phone: Device) -> None:
    claims.claim(request(phone), now=NOW)
    locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=NOW + LATER)

    first = claims.claim(request(phone, HOTEL), now=NOW + 2 * LATER)
    second = claims.claim(request(phone, THIEF), now=NOW + 2 * LATER + timedelta(seconds=5))

    assert (first.verdict.rule, second.verdict.rule) == ("R7", "R6")
    lock = lock_of(phone)
    assert (lock.state, lock.grant_given_at) == ("locked", None)
    assert lock.bound_network == origin_of(parse_address(HOTEL))


@pytest.mark.rule("R8")
def test_a_grant_that_is_over_admits_nobody_and_home_still_works(phone: Device) -> None:
    claims.claim(request(phone), now=NOW)
    locking.unlock(phone, by=support(), span=locking.Span.parse({"hours": 1}), now=NOW + LATER)
    over = NOW + LATER + timedelta(hours=1)

    thief = claims.claim(request(phone, THIEF), now=over)
    home = claims.claim(request(phone), now=over)

    assert (thief.verdict.rule, thief.verdict.unlock_expired) == ("R6", True)
    assert (home.verdict.rule, home.verdict.unlock_expired) == ("R4", True)
    assert (lock_of(phone).state, lock_of(phone).grant_given_at) == ("locked", None)


def test_a_phone_in_a_site_is_bound_to_the_site_as_it_is_now(acme: Account, phone: Device) -> None:
    from provisioning import sites

    site = sites.create(acme, by=support(), name="Head office", networks=["198.51.100.0/28"])

    claims.claim(request(phone, "198.51.100.7"), now=NOW)
    again = claims.claim(request(phone, "198.51.100.9"), now=NOW + LATER)

    assert lock_of(phone).bound_site_id == site.pk
    assert again.verdict.rule == "R4"


@pytest.mark.rule("T2")
def test_a_lost_answer_strands_no_phone(phone: Device) -> None:
    """Until the new tokens are used the former one has no end."""
    claims.claim(request(phone), now=NOW)
    old = current(phone)
    claims.first_use(old.hash, parse_address(HOME), now=NOW + timedelta(minutes=1))

    claims.claim(request(phone), now=NOW + LATER)

    old.refresh_from_db()
    assert (old.kind, old.until) == ("former", None)


@pytest.mark.rule("T3")
def test_the_first_use_of_new_tokens_gives_former_ones_their_end(phone: Device) -> None:
    claims.claim(request(phone), now=NOW)
    old = current(phone)
    claims.first_use(old.hash, parse_address(HOME), now=NOW + timedelta(minutes=1))
    entry = row_of(token_in(claims.claim(request(phone), now=NOW + LATER)))
    used = NOW + LATER + timedelta(minutes=1)

    assert claims.first_use(entry.hash, parse_address(HOME), now=used) is True
    assert claims.first_use(entry.hash, parse_address(HOME), now=used + LATER) is False

    old.refresh_from_db()
    assert (old.kind, old.until) == ("former", used + timedelta(hours=48))


@pytest.mark.rule("T1")
def test_an_entry_token_dies_when_the_current_one_is_used(phone: Device) -> None:
    entry = row_of(token_in(claims.claim(request(phone), now=NOW)))

    claims.first_use(current(phone).hash, parse_address(HOME), now=NOW + timedelta(minutes=1))

    entry.refresh_from_db()
    assert entry.kind == "dead"


def test_two_claims_within_two_seconds_are_held(phone: Device) -> None:
    claims.claim(request(phone), now=NOW)
    claims.first_use(current(phone).hash, parse_address(HOME), now=NOW)
    before = Lock.objects.values().get(pk=phone.pk)

    answer = claims.claim(request(phone), now=NOW + timedelta(seconds=1))

    assert (answer.verdict.outcome, answer.verdict.rule) == (Outcome.HELD, "R4")
    assert Lock.objects.values().get(pk=phone.pk) == before


def test_the_seventh_reset_of_a_day_waits_for_a_person(phone: Device) -> None:
    at = NOW
    for _ in range(6):
        assert claims.claim(request(phone), now=at).verdict.outcome is Outcome.BOOTSTRAP
        claims.first_use(current(phone).hash, parse_address(HOME), now=at + timedelta(seconds=30))
        at += timedelta(hours=1)

    answer = claims.claim(request(phone), now=at)

    assert (answer.verdict.rule, answer.verdict.card, answer.verdict.key) == ("R6", True, None)


def test_no_token_stands_in_clear_in_any_row(phone: Device) -> None:
    answer = claims.claim(request(phone), now=NOW)
    text = token_in(answer)

    for model in (Token, Claim, DeviceEvent, Lock):
        for row in model.objects.values():
            assert text not in str({k: bytes(v) if isinstance(v, memoryview) else v for k, v in row.items()})


def test_an_unknown_mac_is_refused_by_its_rule(acme: Account) -> None:
    answer = claims.claim(
        claims.Request(mac="00005e0053ff", file_name="x", address=parse_address(HOME), agent=""), now=NOW
    )

    assert (answer.verdict.rule, answer.file) == ("R11", None)


def test_ipv6_neighbours_of_one_64_are_one_origin(phone: Device) -> None:
    claims.claim(request(phone, "2001:db8:1:2::3"), now=NOW)

    same = claims.claim(request(phone, "2001:db8:1:2:ffff::9"), now=NOW + LATER)
    other = claims.claim(request(phone, "2001:db8:1:3::3"), now=NOW + 2 * LATER)

    assert (same.verdict.rule, other.verdict.rule) == ("R4", "R6")
    assert isinstance(lock_of(phone).bound_network, Network)


def test_tokens_that_no_file_ever_named_are_buried(phone: Device) -> None:
    claims.claim(request(phone), now=NOW)
    unnamed = current(phone)
    claims.claim(request(phone), now=NOW + LATER)
    named = current(phone)
    entry = Token.objects.get(claim=named.claim_id, kind=TokenKind.ENTRY.value)
    claims.first_use(entry.hash, parse_address(HOME), now=NOW + LATER)
    claims.claim(request(phone), now=NOW + 2 * LATER)

    tokens.bury(NOW + 4 * LATER)

    kinds = dict(Token.objects.values_list("pk", "kind"))
    assert (kinds[unnamed.pk], kinds[named.pk]) == ("dead", "former")


@pytest.mark.rule("R4")
def test_a_single_step_phone_gets_its_whole_file_at_the_root_and_no_token(acme: Account) -> None:
    phone = make_phone(acme, model="VP530", now=NOW)
    agent = f"VP530P 23.70.0.40 {phone.mac}"
    asked = request(phone, name="{mac}.cfg", agent=agent)

    first = claims.claim(asked, now=NOW)
    poll = claims.claim(asked, now=NOW + timedelta(days=1))

    assert (first.verdict.rule, first.verdict.then) == ("R1", gate.Then.CLAIM)
    assert (poll.verdict.rule, poll.verdict.then) == ("R4", gate.Then.POLL)
    assert first.file == poll.file
    assert first.file is not None
    assert SECRET.encode() in first.file.body
    assert b"/d/" not in first.file.body
    assert not Token.objects.filter(device=phone).exists()
    assert Claim.objects.filter(device=phone).count() == 1
