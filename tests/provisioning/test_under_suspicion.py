"""A phone under suspicion: what is shut, what is left alone, what is said (E7)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.utils import timezone

from accounts.models import Account
from accounts.scope import Actor
from devices.models import Device
from provisioning import (
    approvals,
    claims,
    describing,
    events,
    facts,
    locking,
    publishing,
    suspicion,
    unlock_all,
    windows,
    wire,
)
from provisioning.gate import Asked, Caller, Method, PrivateFacts, Verdict, decide_private
from provisioning.models import DeviceEvent, FailureKey, Lock, Outbox, Token
from provisioning.spans import Span
from security.networks import parse_address
from tests.cast import at as acting_from
from tests.factories import AWAY, ELSEWHERE, HOME, origin
from tests.factories import tried as card_of
from tests.provisioning.making import request
from tests.provisioning.notes import DAY, HOUR, drain, tried
from tests.provisioning.verb_checks import Verb, is_refused, lock_of, set_lock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("E7")]

SECOND, MINUTE, WEEK = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=7)
THIRD = "192.0.2.200"
FOREIGN = ("198.51.100.7", "192.0.2.44", "100.64.7.1")


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def raise_now(device: Device, *, at: datetime | None = None) -> bool:
    at = at or timezone.now()
    lock = locking.locked_row(device)
    return suspicion.raise_(lock, why=Lock.Suspicion.ORIGINS, at=at, now=timezone.now())


# --- what it shuts and leaves alone ------------------------------------------------------------------------


def test_an_unlock_for_any_address_ends_at_once(locked: Device, ana: Actor, now: datetime) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("7d"))

    raise_now(locked)

    lock = lock_of(locked)
    assert (lock.state, lock.since, lock.by, lock.grant_given_at) == ("locked", now, "suspicion (E7)", None)
    assert lock.bound_network == origin(HOME)
    event = DeviceEvent.objects.get(device=locked, what="suspicion")
    assert events.described(event).sentence.endswith(f"The unlock by {ana.label} has ended.")


def test_an_unlock_for_one_address_stays(locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("7d"), origin=origin(AWAY))
    before = lock_of(locked)

    raise_now(locked)

    lock = lock_of(locked)
    assert (lock.state, lock.since, lock.grant_until) == ("unlocked", before.since, before.grant_until)


def test_an_unlock_that_is_over_ends_by_the_clock(locked: Device, ana: Actor, clock: Any) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("24h"))
    clock.shift(DAY)
    raise_now(locked)

    locking.sweep(timezone.now())

    assert lock_of(locked).by == "the clock"


def test_the_store_knows_at_once(
    locked: Device, now: datetime, store: redis.Redis, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        raise_now(locked)

    record = wire.unpack_lock(store.get(wire.mac_key(locked.mac)) or b"")
    assert record is not None
    assert record.facts.suspicion_until == (now + WEEK).timestamp()
    assert not Outbox.objects.filter(device=locked, details__files=False).exists()


@pytest.fixture
def working(phone: Device, clock: Any) -> Device:
    """A phone that was set up at home and uses its private URL."""
    claims.claim(request(phone, HOME), now=timezone.now())
    token = Token.objects.get(device=phone, kind="current")
    clock.shift(MINUTE)
    claims.first_use(token.hash, parse_address(HOME), now=timezone.now())
    clock.shift(HOUR)
    return phone


def below(device: Device, address: str, store: redis.Redis) -> Verdict:
    """What the edge's gate says of its private URL by what stands in the store."""
    token = Token.objects.get(device=device, kind="current")
    publishing.publish_devices([device.pk])
    record = wire.unpack_token(store.get(wire.token_key(token.hash)) or b"")
    return decide_private(
        PrivateFacts(
            now=timezone.now().timestamp(),
            method=Method.GET,
            asked=Asked.FULL,
            caller=Caller(address=parse_address(address), banned=True),
            token=record.resolved(facts.site_lists()),
        )
    )


def test_its_private_url_is_untouched(working: Device, store: redis.Redis) -> None:
    before = [below(working, address, store) for address in (HOME, AWAY)]

    raise_now(working)

    assert [below(working, address, store) for address in (HOME, AWAY)] == before
    assert [verdict.rule for verdict in before] == ["O3", "O4"]


def test_at_the_root_only_home_a_scoped_unlock_or_a_window_lets_it_in(
    working: Device, acme: Account, ana: Actor, clock: Any, settings: Any
) -> None:
    settings.LATCHKEY_TRIAL = True
    locking.unlock(working, by=ana, span=Span.parse("7d"))
    raise_now(working)

    def rule(address: str) -> str:
        clock.shift(MINUTE)
        return claims.claim(request(working, address), now=timezone.now()).verdict.rule

    assert (rule(AWAY), rule(HOME)) == ("R6", "R4")
    locking.unlock(working, by=ana, span=Span.parse("24h"), origin=origin(ELSEWHERE))
    assert (rule(AWAY), rule(ELSEWHERE)) == ("R9", "R7")
    windows.open_window(acme, by=ana, origin=origin(AWAY), hours=8)
    assert rule(AWAY) == "R5"


# --- the verbs under suspicion -----------------------------------------------------------------------------


@pytest.fixture
def suspected(locked: Device) -> Device:
    raise_now(locked)
    return locked


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        (locking.unlock, {"span": Span.parse("24h")}),
        (locking.unlock, {"span": Span.parse("first-fetch")}),
        (locking.allow_reprovision, {}),
        (locking.rearm, {}),
    ],
)
@pytest.mark.parametrize("state", ["locked", "new"])
def test_what_a_manager_is_refused(
    suspected: Device, ana: Actor, state: str, verb: Verb, arguments: dict[str, Any]
) -> None:
    set_lock(suspected, state=state)

    is_refused(suspected, verb, "under-suspicion", "E7", by=ana, **arguments)


def test_what_the_owner_is_refused(suspected: Device, ben: Actor) -> None:
    is_refused(suspected, locking.allow_reprovision, "under-suspicion", "E7", by=ben)
    is_refused(suspected, locking.unlock, "under-suspicion", "E7", by=ben, span=Span.hours(1))


@pytest.mark.parametrize("verb", [locking.unlock, locking.allow_reprovision])
def test_for_one_address_it_is_unlocked(suspected: Device, ana: Actor, verb: Verb) -> None:
    verb(suspected, by=ana, origin=origin(AWAY))

    assert lock_of(suspected).grant_origin == origin(AWAY)


def test_presence_scopes_it_and_so_it_is_unlocked(suspected: Device, ben: Actor, now: datetime) -> None:
    drain(tried(suspected, AWAY, now - HOUR), now=now)

    locking.allow_reprovision(suspected, by=acting_from(ben, AWAY))

    assert lock_of(suspected).grant_origin == origin(AWAY)


def test_a_reseller_unlocks_it_for_one_address_only_too(suspected: Device, rita: Actor) -> None:
    is_refused(suspected, locking.unlock, "under-suspicion", "E7", by=rita, span=Span.parse("24h"))


def test_a_job_skips_it_and_says_why(suspected: Device, acme: Account, ana: Actor) -> None:
    job = unlock_all.start(acme, by=ana)
    unlock_all.run(job.pk)

    item = job.items.get()
    assert (item.result, item.rule) == ("skipped", "E7")
    assert lock_of(suspected).state == "locked"


def test_it_is_locked_again_and_quarantined_as_ever(suspected: Device, ana: Actor) -> None:
    locking.unlock(suspected, by=ana, origin=origin(AWAY))
    locking.lock_again(suspected, by=ana)
    assert lock_of(suspected).state == "locked"

    locking.quarantine(suspected, by=ana, reason="Stolen")

    assert locking.is_suspected(lock_of(suspected), timezone.now())


def test_the_provider_arms_it_and_it_stays_suspected(suspected: Device, rita: Actor) -> None:
    locking.rearm(suspected, by=rita)

    lock = lock_of(suspected)
    assert lock.state == "new"
    assert locking.is_suspected(lock, timezone.now())


def test_an_approval_takes_the_sign_with_it(locked: Device, ana: Actor, now: datetime) -> None:
    drain(*(tried(locked, AWAY, now - hour * HOUR) for hour in range(11)), now=now)
    card = card_of(locked, AWAY)
    assert card is not None

    approvals.answer(card, by=ana, decision="once")
    drain(tried(locked, AWAY, now + HOUR), now=now + HOUR)

    assert FailureKey.objects.count() == 1
    assert not locking.is_suspected(lock_of(locked), now + HOUR)


# --- what is said ------------------------------------------------------------------------------------------


def test_the_lock_says_since_when_until_when_and_why(suspected: Device) -> None:
    view = describing.describe_lock(suspected, now=timezone.now())

    assert view.sentence == (
        f"Locked to {HOME} since Mon 2 Mar, 13:00 CET. Under suspicion since Mon 2 Mar, 13:00 CET until"
        " Mon 9 Mar, 13:00 CET: refused at three foreign addresses within 24 hours."
    )
    assert view.next == (
        "What it has keeps working. To set it up again, ask your provider, open a window there, or unlock it"
        " for one address only."
    )
    said = view.as_json()
    assert said["suspicion"] is True
    assert (said["suspicion_until"], said["suspicion_why"]) == ("2026-03-09T12:00:00Z", "origins")


def test_where_only_the_end_is_known_no_more_is_said(suspected: Device) -> None:
    set_lock(suspected, suspicion_since=None, suspicion_why="")

    view = describing.describe_lock(suspected, now=timezone.now())

    assert view.sentence.endswith("Under suspicion until Mon 9 Mar, 13:00 CET.")


@pytest.mark.parametrize("why", list(Lock.Suspicion))
def test_every_sign_has_its_words(suspected: Device, why: Lock.Suspicion) -> None:
    set_lock(suspected, suspicion_why=why.value)

    assert ": " in describing.describe_lock(suspected, now=timezone.now()).sentence
