"""E16: whose origins are denied, what is bound again, and which claim is meant."""

import pytest

from accounts.models import Account
from accounts.scope import Actor
from provisioning import claims, locking, sites, taking_back
from provisioning.gate import Outcome
from provisioning.models import Denial, Proof
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
    make_stolen,
    network,
    poll,
    real_phone,
    steal,
)
from tests.provisioning.verb_checks import lock_of

pytestmark = [pytest.mark.django_db, pytest.mark.rule("E16")]


@pytest.fixture
def stolen(acme: Account) -> Stolen:
    """The phone, its real token (a former one now), and the thief's."""
    return make_stolen(acme)


# --- who is denied -----------------------------------------------------------------------------------------


@pytest.mark.rule("R14")
def test_the_origins_of_the_undone_claims_are_denied_for_30_days(stolen: Stolen, ana: Actor) -> None:
    phone, _, _ = stolen
    locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=NOW - 3 * HOUR)
    fetched(phone, HOTEL, NOW - 2 * HOUR)
    first = claim_of(stolen[2])

    taking_back.take_back(phone, by=ana, claim=first, now=NOW)

    assert denied(phone) == {THIEF, HOTEL}
    assert {(d.since, d.until, d.by) for d in Denial.objects.all()} == {(NOW, NOW + 30 * DAY, ana.label)}
    assert asked(phone, THIEF) == (Outcome.REFUSED, "R14")
    assert asked(phone, THIEF, NOW + 30 * DAY) == (Outcome.REFUSED, "R6")


def test_what_is_bound_again_is_not_denied(acme: Account, ana: Actor) -> None:
    """A neighbour behind the same address was first."""
    phone, real = real_phone(acme)
    neighbour = fetched(phone, HOME, NOW - HOUR)

    lock = taking_back.take_back(phone, by=ana, claim=claim_of(neighbour), now=NOW)

    assert lock.bound_network == network(HOME)
    assert denied(phone) == set()
    assert current(phone).pk == real.pk


def test_a_site_is_bound_again_with_all_its_networks(acme: Account, ana: Actor) -> None:
    site = sites.create(acme, by=support(), name="Head office", networks=[f"{HOME}/32", f"{HOTEL}/32"])
    phone, _ = real_phone(acme)
    fetched(phone, HOTEL, NOW - 2 * DAY)
    steal(phone)
    (_, colleague, _) = taking_back.choices(phone)
    assert colleague.rule == "R4"

    lock = taking_back.take_back(phone, by=ana, claim=colleague, now=NOW)

    assert (lock.bound_site, lock.bound_first) == (site, "")
    assert denied(phone) == {THIEF}


def test_a_denial_of_what_is_bound_again_is_lifted(stolen: Stolen, ana: Actor) -> None:
    phone, _, _ = stolen
    where = network(HOME)
    Denial.objects.create(
        lock=lock_of(phone),
        first=where.hex_first,
        last=where.hex_last,
        since=NOW - HOUR,
        until=NOW + DAY,
        by="x",
    )

    taking_back.take_back(phone, by=ana, now=NOW)

    assert denied(phone) == {THIEF}
    assert asked(phone, HOME) == (Outcome.BOOTSTRAP, "R4")


@pytest.mark.rule("R4")
@pytest.mark.rule("R6")
def test_after_a_take_back_from_a_shared_origin_nothing_is_bound_there(
    acme: Account, globex: Account, ana: Actor
) -> None:
    """A co-working space: phones of two customers are proved there, so being there proves nothing."""
    where = network(HOTEL)
    for customer in (acme, globex):
        Proof.objects.create(
            device=make_phone(customer), first=where.hex_first, last=where.hex_last, at=NOW - DAY
        )
    phone, _ = real_phone(acme)
    steal(phone, HOTEL, NOW - 2 * HOUR)
    assert asked(phone, HOTEL, NOW - HOUR) == (Outcome.REFUSED, "R6")

    lock = taking_back.take_back(phone, by=ana, now=NOW)

    assert lock.bound_network == network(HOME)
    assert denied(phone) == {HOTEL}
    assert asked(phone, HOTEL) == (Outcome.REFUSED, "R14")
    assert asked(phone, HOTEL, NOW + 31 * DAY) == (Outcome.REFUSED, "R6")


@pytest.mark.rule("R4a")
def test_a_repeat_from_the_origin_of_an_undone_claim_gets_nothing(acme: Account, ana: Actor) -> None:
    phone, _ = real_phone(acme)
    locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=NOW - HOUR)
    claims.claim(request(phone, THIEF), now=NOW - 10 * MINUTE)
    assert asked(phone, THIEF, NOW - 5 * MINUTE) == (Outcome.BOOTSTRAP, "R4a")

    taking_back.take_back(phone, by=ana, now=NOW)

    assert asked(phone, THIEF, NOW + MINUTE) == (Outcome.REFUSED, "R14")
    assert asked(phone, HOME, NOW + 2 * MINUTE) == (Outcome.BOOTSTRAP, "R4")


# --- which claim -------------------------------------------------------------------------------------------


def test_the_claims_are_listed_the_newest_first(stolen: Stolen) -> None:
    phone, real, thief = stolen

    assert taking_back.choices(phone) == [claim_of(thief), claim_of(real)]


def test_offered_is_the_claim_that_brought_it_to_where_it_is(stolen: Stolen) -> None:
    phone, _, thief = stolen
    fetched(phone, THIEF, NOW - 2 * HOUR)

    assert taking_back.offered(phone, now=NOW) == claim_of(thief)


def test_offered_is_the_last_claim_of_a_phone_that_was_never_elsewhere(acme: Account) -> None:
    phone, _ = real_phone(acme)
    fetched(phone, HOME, NOW - 2 * DAY)
    last = fetched(phone, HOME, NOW - DAY)

    assert taking_back.offered(phone, now=NOW) == claim_of(last)


@pytest.mark.rule("T3")
def test_offered_is_the_first_claim_since_the_suspected_token_was_current(acme: Account) -> None:
    phone, real = real_phone(acme)
    neighbour = fetched(phone, HOME, NOW - 2 * HOUR)
    fetched(phone, HOME, NOW - HOUR)
    poll(phone, real, at=NOW)

    assert taking_back.offered(phone, now=NOW) == claim_of(neighbour)
    assert taking_back.offered(phone, now=NOW + 30 * DAY) != claim_of(neighbour)
