"""A token's ages in rows: how long it lives, what ends it, and what is left of it."""

from datetime import timedelta

import pytest

from accounts.models import Account
from devices.models import Device
from provisioning import claims, facts, gate, policies, tokens
from provisioning.gate import TokenKind
from provisioning.models import Token
from security.networks import parse_address
from tests.provisioning.making import HOME, HOTEL, THIEF, make_phone, request, support
from tests.provisioning.stolen import DAY, HOUR, MINUTE, NOW, claim_of, current, fetched, make_stolen, network

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(acme: Account) -> Device:
    return make_phone(acme, now=NOW - 2 * DAY)


def facts_of(token: Token) -> gate.TokenFacts:
    """What the store is told of it."""
    assert token.device_id is not None
    return facts.records([token.device_id], NOW, all_tokens=True)[token.device_id].tokens[token.hash].facts


@pytest.mark.rule("T3")
@pytest.mark.parametrize("hours", [0, 48, 96])
def test_a_former_token_lives_for_the_policys_overlap_after_the_first_use(
    acme: Account, phone: Device, hours: int
) -> None:
    policies.set_value(acme, by=support(), name="token_overlap", value=hours)
    old = fetched(phone, HOME, NOW - DAY)
    new = fetched(phone, HOME, NOW)

    old.refresh_from_db()

    used = (
        Token.objects.filter(claim=new.claim_id).order_by("first_used_at").values_list("first_used_at")[0][0]
    )
    assert (old.superseded_at, old.until) == (used, used + timedelta(hours=hours))
    assert facts_of(old).is_dead(old.until.timestamp(), parse_address(HOME))


@pytest.mark.rule("T3")
def test_a_later_claim_does_not_lengthen_an_overlap(phone: Device) -> None:
    old = fetched(phone, HOME, NOW - DAY)
    fetched(phone, HOME, NOW - 2 * HOUR)
    old.refresh_from_db()
    end = old.until

    fetched(phone, HOME, NOW)

    old.refresh_from_db()
    assert old.until == end


@pytest.mark.rule("T3")
def test_where_a_former_token_is_known_the_store_is_told(acme: Account) -> None:
    _, real, _ = make_stolen(acme)

    told = facts_of(real)

    assert (told.kind, told.superseded) == (TokenKind.FORMER, True)
    assert told.origins == ((network(HOME), (NOW - 10 * DAY).timestamp()),)
    assert told.knows(NOW.timestamp(), parse_address(HOME))
    assert not told.knows(NOW.timestamp(), parse_address(HOTEL))
    assert not told.knows((NOW + 20 * DAY).timestamp(), parse_address(HOME))


@pytest.mark.rule("T2")
def test_until_a_later_token_is_used_a_former_one_has_no_end(phone: Device) -> None:
    old = fetched(phone, HOME, NOW - DAY)
    claims.claim(request(phone), now=NOW)

    old.refresh_from_db()

    told = facts_of(old)
    assert (told.kind, told.superseded, told.until) == (TokenKind.FORMER, False, None)
    tokens.bury(NOW + 300 * DAY)
    old.refresh_from_db()
    assert old.kind == "former"


@pytest.mark.rule("T1")
def test_an_entry_token_is_good_for_half_an_hour_from_the_origin_it_was_given_to(phone: Device) -> None:
    claims.claim(request(phone), now=NOW)
    entry = Token.objects.get(claim=current(phone).claim_id, kind=TokenKind.ENTRY.value)

    told, end = facts_of(entry), (NOW + 30 * MINUTE).timestamp()

    assert told.until == end
    assert not told.is_dead(end - 1, parse_address(HOME))
    assert told.is_dead(end, parse_address(HOME))
    assert told.is_dead(end - 1, parse_address(THIEF))


@pytest.mark.rule("T4")
def test_of_a_dead_token_only_its_mac_is_left(phone: Device) -> None:
    token = fetched(phone, HOME, NOW)
    Device.objects.filter(pk=phone.pk).update(mac="00005e1ffff1")
    tokens.kill_all(phone, now=NOW)

    token.refresh_from_db()

    assert (token.kind, token.until, token.mac, bytes(token.sealed)) == ("dead", NOW, phone.mac, b"")
    assert facts_of(token) == gate.TokenFacts(mac=phone.mac, kind=TokenKind.DEAD)


@pytest.mark.rule("T7")
def test_what_is_killed_by_what_it_is_loses_its_text_too(acme: Account) -> None:
    phone, real, thief = make_stolen(acme)

    hashes = tokens.kill(tokens.superseded(phone), now=NOW)

    real.refresh_from_db()
    assert hashes == [real.hash]
    assert (real.kind, real.until, bytes(real.sealed)) == ("dead", NOW, b"")
    thief.refresh_from_db()
    assert thief.kind == "current"
    assert bytes(thief.sealed)


@pytest.mark.rule("T4")
def test_a_token_that_ran_out_of_time_keeps_its_text_and_its_end(acme: Account) -> None:
    _, real, _ = make_stolen(acme)
    end = real.until

    assert tokens.bury(NOW + 5 * DAY) > 0

    real.refresh_from_db()
    assert (real.kind, real.until) == ("dead", end)
    assert tokens.hash_of(tokens.text_of(real)) == real.hash


def test_the_token_of_a_claim_is_the_one_that_its_files_name(phone: Device) -> None:
    token = fetched(phone, HOME, NOW)

    back = tokens.bring_back(claim_of(token), now=NOW + MINUTE)

    assert back == token
