"""What phones do themselves is told: claims, windows, refusals, new places; at no cost unless one listens."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.scope import Actor
from devices.models import Device
from devices.settings_tree import set_value
from provisioning import claims, draining, locking, policies, windows
from provisioning.gate import Outcome, TokenKind
from provisioning.models import DeviceEvent, Lock, Token, WebhookEvent
from provisioning.spans import Span
from security.networks import parse_address
from tests.factories import AWAY, ELSEWHERE, HOME, make_phone, origin
from tests.provisioning.ears import Ears, listen, times_asked, told
from tests.provisioning.making import request
from tests.provisioning.notes import DAY, HOUR, drain, tried, used
from tests.tree import Tree

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

MINUTE = timedelta(minutes=1)


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def claim(phone: Device, address: str, at: datetime) -> str:
    """The rule by which a start from there is decided."""
    return claims.claim(request(phone, address), now=at).verdict.rule


def come_over(phone: Device, address: str, at: datetime) -> None:
    token = Token.objects.get(device=phone, kind=TokenKind.CURRENT.value)
    claims.first_use(token.hash, parse_address(address), now=at)


# --- claims ------------------------------------------------------------------------------------------------


def test_the_first_fetch_is_told_and_no_later_one(cast: Tree, phone: Device, now: datetime) -> None:
    ears = Ears(cast)

    rules = [claim(phone, HOME, now), claim(phone, HOME, now + MINUTE), claim(phone, AWAY, now + MINUTE)]
    come_over(phone, HOME, now + 2 * MINUTE)
    rules.append(claim(phone, HOME, now + HOUR))

    assert rules == ["R1", "R4a", "R6", "R4"]
    (event,) = ears.take()
    assert (event.kind, event.device, event.at) == ("device.first_provisioned", phone, now)
    assert (event.data["rule"], event.data["origin"]) == ("R1", HOME)


def test_a_phone_that_is_armed_again_comes_for_the_first_time_again(
    cast: Tree, phone: Device, ana: Actor, now: datetime
) -> None:
    claim(phone, HOME, now)
    locking.rearm(phone, by=ana, now=now + MINUTE)
    ears = Ears(cast)

    claim(phone, AWAY, now + HOUR)

    assert ears.heard() == [("device.first_provisioned", {"rule": "R1", "origin": AWAY})]


def test_an_unlock_that_is_used(cast: Tree, phone: Device, ana: Actor, now: datetime) -> None:
    claim(phone, HOME, now)
    locking.unlock(phone, by=ana, now=now + MINUTE)
    ears = Ears(cast)

    assert [claim(phone, AWAY, now + HOUR), claim(phone, ELSEWHERE, now + 2 * HOUR)] == ["R7", "R6"]

    facts = {"rule": "R7", "origin": AWAY, "unlocked_by": ana.label}
    assert ears.heard() == [("device.unlock_used", facts)]


def test_a_first_fetch_by_an_unlock_is_both(cast: Tree, phone: Device, ana: Actor, now: datetime) -> None:
    locking.unlock(phone, by=ana, now=now)
    ears = Ears(cast)

    claim(phone, HOME, now + MINUTE)

    assert ears.kinds() == ["device.unlock_used", "device.first_provisioned"]


def test_an_unlock_that_was_over_when_the_phone_came_home(
    cast: Tree, phone: Device, ana: Actor, now: datetime
) -> None:
    claim(phone, HOME, now)
    locking.unlock(phone, by=ana, span=Span.parse({"hours": 1}), now=now)
    ears = Ears(cast)

    assert claim(phone, HOME, now + 2 * HOUR) == "R4"
    locking.sweep(now + 3 * HOUR)

    ((kind, facts),) = ears.heard()
    assert (kind, facts["rule"]) == ("device.unlock_expired", "R8")
    assert datetime.fromisoformat(facts["ended"]) == now + HOUR


def test_a_refused_claim_tells_nothing_itself(cast: Tree, phone: Device, now: datetime) -> None:
    claim(phone, HOME, now)
    ears = Ears(cast)

    assert claim(phone, AWAY, now + HOUR) == "R6"

    assert ears.kinds() == []


def test_a_claim_asks_nobody_who_listens_in_a_query_of_its_own(
    cast: Tree, phone: Device, now: datetime
) -> None:
    listen(cast.globex, with_below=True)

    assert times_asked(lambda: claim(phone, HOME, now)) == 1  # within the one that reads the phone
    with CaptureQueriesContext(connection) as queries:
        claim(phone, HOME, now + HOUR)
    asking = [query["sql"] for query in queries if "webhook" in query["sql"]]
    assert len(asking) == 1
    assert "EXISTS(" in asking[0]
    assert not WebhookEvent.objects.exists()


# --- windows -----------------------------------------------------------------------------------------------


@pytest.fixture
def trial(settings: Settings) -> None:
    settings.LATCHKEY_TRIAL = True  # addresses kept for examples are nobody's public ones


@pytest.mark.usefixtures("trial")
def test_a_window_from_its_opening_to_its_end(cast: Tree, phone: Device, ana: Actor, now: datetime) -> None:
    claim(phone, HOME, now)
    ears = Ears(cast)

    window = windows.open_window(cast.acme, by=ana, origin=origin(AWAY), hours=2, now=now)
    assert claim(phone, AWAY, now + HOUR) == "R5"
    windows.sweep(now + 2 * HOUR)
    windows.sweep(now + 3 * HOUR)

    opened, let_in, closed = ears.take()
    assert [event.kind for event in (opened, let_in, closed)] == [
        "window.opened",
        "window.used",
        "window.closed",
    ]
    assert {event.lane for event in (opened, let_in, closed)} == {f"window {window.code}"}
    named = {"window": str(window.code), "origin": AWAY}
    assert named.items() <= opened.data.items()
    assert (opened.data["by"], opened.data["rule"], opened.data["phones"]) == (ana.label, "E4", 1)
    assert datetime.fromisoformat(opened.data["starts"]) == now
    assert datetime.fromisoformat(opened.data["until"]) == now + 2 * HOUR
    assert (let_in.data["rule"], let_in.data["device"]["code"]) == ("R5", str(phone.code))
    assert named.items() <= let_in.data.items()
    assert (closed.data["rule"], closed.data["by"], closed.at) == ("E6", "the clock", now + 2 * HOUR)


@pytest.mark.usefixtures("trial")
def test_a_window_that_a_person_closes(cast: Tree, ana: Actor, now: datetime) -> None:
    window = windows.open_window(cast.acme, by=ana, origin=origin(AWAY), hours=2, now=now)
    ears = Ears(cast)

    for _ in range(2):
        windows.close_window(window, by=ana, now=now + HOUR)

    facts = {"rule": "E5", "by": ana.label, "window": str(window.code), "origin": AWAY}
    assert ears.heard() == [("window.closed", facts)]


@pytest.mark.usefixtures("trial")
def test_a_window_of_the_reseller_is_the_resellers(
    cast: Tree, phone: Device, rita: Actor, now: datetime
) -> None:
    claim(phone, HOME, now)
    narrow, below = listen(cast.harbour), listen(cast.acme)

    windows.open_window(cast.harbour, by=rita, origin=origin(AWAY), hours=2, confirm=1, now=now)
    claim(phone, AWAY, now + HOUR)

    assert [event.kind for event in told(narrow)] == ["window.opened", "window.used"]
    assert told(below) == []


# --- refusals ----------------------------------------------------------------------------------------------


def test_a_refusal_is_told_once_an_hour_for_each_origin_and_rule(
    cast: Tree, locked: Device, now: datetime
) -> None:
    ears = Ears(cast)

    drain(tried(locked, AWAY, now), tried(locked, AWAY, now + MINUTE), now=now)
    drain(tried(locked, AWAY, now + 59 * MINUTE), now=now + HOUR)
    drain(tried(locked, AWAY, now + 10 * MINUTE), tried(locked, ELSEWHERE, now + HOUR), now=now + HOUR)
    drain(tried(locked, AWAY, now + HOUR, rule="R9"), tried(locked, AWAY, now + HOUR), now=now + HOUR)

    heard = [(event.at, event.data["rule"], event.data["origin"]) for event in ears.take()]
    assert heard == [
        (now, "R6", AWAY),
        (now + HOUR, "R6", ELSEWHERE),
        (now + HOUR, "R9", AWAY),
        (now + HOUR, "R6", AWAY),
    ]


def test_neighbours_of_one_ipv6_64_are_one_origin(cast: Tree, locked: Device, now: datetime) -> None:
    endpoint = listen(cast.acme)

    drain(tried(locked, "2001:db8:1:2::3", now), tried(locked, "2001:db8:1:2::4", now), now=now)

    (event,) = told(endpoint)
    assert (event.data["origin"], event.data["address"]) == ("2001:db8:1:2::/64", "2001:db8:1:2::3")


def test_only_what_was_refused_is_and_only_under_the_present_account(
    cast: Tree, locked: Device, now: datetime
) -> None:
    endpoint = listen(cast.acme)
    held = tried(locked, AWAY, now, outcome=Outcome.HELD.value, key="", label="")
    swapped = tried(locked, AWAY, now, mac="00005e0053ee")

    drain(held, swapped, used(locked, HOME, now, drift=False), now=now)

    assert told(endpoint) == []


@pytest.mark.parametrize("count", [1, 40])
def test_refusals_of_a_batch_ask_once_who_listens(count: int, cast: Tree, ana: Actor, now: datetime) -> None:
    phones = [make_phone(cast.acme, by=ana) for _ in range(count)]
    notes = [tried(phone, AWAY, now) for phone in phones]

    assert times_asked(lambda: drain(*notes, now=now)) == 1
    assert DeviceEvent.objects.filter(outcome="refused").count() == count
    assert not WebhookEvent.objects.exists()


def test_more_refusals_that_are_told_cost_no_more_queries(cast: Tree, ana: Actor, now: datetime) -> None:
    listen(cast.acme, "device.refused")
    phones = [make_phone(cast.acme, by=ana) for _ in range(21)]

    def cost(some: list[Device], at: datetime) -> int:
        with CaptureQueriesContext(connection) as queries:
            drain(*(tried(phone, AWAY, at, key="", label="") for phone in some), now=at)
        return sum("webhook" in query["sql"] for query in queries)

    assert cost(phones[:1], now) == cost(phones[1:], now)
    assert WebhookEvent.objects.count() == 21


def test_a_batch_in_which_nothing_happens_asks_nobody(cast: Tree, locked: Device, now: datetime) -> None:
    assert times_asked(lambda: drain(used(locked, HOME, now, drift=False), now=now)) == 0


def test_what_the_drain_rolls_back_is_told_by_the_next_try_alone(
    cast: Tree, locked: Device, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = listen(cast.acme)

    def broken(*args: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(draining, "_look_for_signs", broken)
        with pytest.raises(ZeroDivisionError):
            drain(tried(locked, AWAY, now), now=now)
    assert told(endpoint) == []

    drain(tried(locked, AWAY, now), now=now)

    assert [event.kind for event in told(endpoint)] == ["device.refused"]


# --- a new place -------------------------------------------------------------------------------------------


@pytest.fixture
def working(phone: Device, now: datetime) -> Device:
    """Ben's phone, set up at HOME, at its private URL since."""
    claim(phone, HOME, now)
    come_over(phone, HOME, now + MINUTE)
    return phone


@pytest.mark.parametrize("policy", ["allow", "alert"])
def test_a_new_place_is_told_once_whatever_people_are_told(
    policy: str, cast: Tree, working: Device, ana: Actor, now: datetime
) -> None:
    policies.set_value(cast.acme, by=ana, name="poll_from_new_origin", value=policy)
    ears = Ears(cast)

    for hours in (1, 2, 3):
        at = now + hours * HOUR
        drain(used(working, AWAY, at, drift=True), now=at)

    ((kind, facts),) = ears.heard()
    assert (kind, facts["rule"], facts["origin"]) == ("device.origin_drift", "O4", AWAY)
    assert "emergency" in facts["warning"]
    lines = DeviceEvent.objects.filter(what="origin-drift").count()
    assert lines == (1 if policy == "alert" else 0)


def test_a_binding_that_follows_is_a_lock_elsewhere(
    cast: Tree, working: Device, rita: Actor, now: datetime
) -> None:
    set_value(cast.acme, by=rita, name="provision_over_https_only", value=True)
    ears = Ears(cast)

    for at in (now + HOUR, now + HOUR + DAY):
        drain(used(working, AWAY, at, drift=True), now=at)

    assert Lock.objects.get(pk=working.pk).bound_network == origin(AWAY)
    assert ears.heard()[1:] == [
        ("device.locked", {"rule": "O4", "by": "the phone (O4)", "bound": AWAY}),
    ]


def test_a_place_that_is_not_new_is_not_told(cast: Tree, working: Device, now: datetime) -> None:
    endpoint = listen(cast.acme)

    drain(used(working, HOME, now + HOUR, drift=False), now=now + HOUR)

    assert told(endpoint) == []
