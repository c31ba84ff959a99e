"""A lock in words: every state as it is when somebody asks, and the hand-over to the private URL."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account
from accounts.scope import Actor
from devices.models import Device
from provisioning import describing, events, facts, locking, policies
from provisioning.gate import TokenKind
from provisioning.locking import Span
from provisioning.models import Claim, DeviceEvent, Lock, Token
from tests.factories import AWAY, HOME, bind, claimed, make_phone, make_site, origin

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
)  # fmt: skip


def view(device: Device, *, after: timedelta = timedelta()) -> describing.LockView:
    return describing.describe_lock(Device.objects.get(pk=device.pk), now=timezone.now() + after)


def set_lock(device: Device, **columns: Any) -> None:
    Lock.objects.filter(pk=device.pk).update(**columns)


def test_a_new_phone_says_until_when_it_may_be_set_up(phone: Device, ana: Actor) -> None:
    found = view(phone)

    assert (found.state, found.state_words, found.bound_origin) == ("new", "New", None)
    assert found.until == timezone.now() + 7 * DAY
    assert found.sentence == "May be set up from anywhere until Mon 9 Mar, 13:00 CET."
    assert (found.by, found.zone) == (ana.label, "Europe/Berlin")


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("sites", "May be set up from one of your sites until Mon 9 Mar, 13:00 CET."),
        ("approval", "Its first fetch waits for your approval, until Mon 9 Mar, 13:00 CET."),
    ],
)
def test_a_new_phone_says_from_where(phone: Device, ana: Actor, policy: str, said: str) -> None:
    policies.set_value(phone.account, by=ana, name="first_fetch", value=policy)

    assert view(phone).sentence == said


def test_a_shipped_phone_says_from_which_day(phone: Device, ana: Actor) -> None:
    locking.rearm(phone, by=ana, ship_on=date(2026, 3, 10))

    assert view(phone).sentence == (
        "Waits for Tue 10 Mar, 00:00 CET. Then it may be set up until Tue 17 Mar, 00:00 CET."
    )


def test_a_phone_that_was_not_set_up_in_time_is_locked_whether_swept_or_not(phone: Device) -> None:
    unswept = view(phone, after=7 * DAY)
    locking.sweep(timezone.now() + 7 * DAY)
    swept = view(phone, after=7 * DAY)

    assert unswept == swept
    assert (swept.state, swept.reason, swept.until) == ("locked", "stale", None)
    assert swept.sentence == "It was not set up in time. Locked to no place: it is set up nowhere yet."


def test_a_locked_phone_says_to_what_and_since_when(locked: Device) -> None:
    found = view(locked)

    assert (found.state, found.bound_origin, found.until) == ("locked", HOME, None)
    assert found.sentence == f"Locked to {HOME} since Mon 2 Mar, 13:00 CET."


def test_a_phone_bound_to_a_site_names_it(locked: Device, acme: Account, ana: Actor) -> None:
    bind(locked, site=make_site(acme, by=ana))

    assert view(locked).bound_origin == "Head office"


def test_an_unlocked_phone_says_until_when_and_keeps_its_place(locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("24h"))

    found = view(locked)

    assert (found.state, found.bound_origin, found.until) == ("unlocked", HOME, timezone.now() + DAY)
    assert found.sentence == "May be set up once, from any address, until Tue 3 Mar, 13:00 CET."
    assert found.next == "Restart the phone where it is now. It locks to that place."


def test_an_unlock_for_one_address_says_which(locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("first-fetch"), origin=origin(AWAY))

    found = view(locked)

    assert found.until is None
    assert found.sentence == (f"May be set up once, from {AWAY} only. This has no end but its first fetch.")


@pytest.mark.parametrize(("after", "state"), [(DAY - SECOND, "unlocked"), (DAY, "locked")])
def test_an_unlock_that_is_over_is_locked_whether_swept_or_not(
    locked: Device, ana: Actor, after: timedelta, state: str
) -> None:
    end = timezone.now() + DAY
    locking.unlock(locked, by=ana, span=Span.parse("24h"))
    unswept = view(locked, after=after)
    locking.sweep(timezone.now() + after)

    assert view(locked, after=after) == unswept
    assert unswept.state == state
    if state == "locked":
        assert (unswept.since, unswept.by, unswept.bound_origin) == (end, "the clock", HOME)


def test_states_that_a_person_has_set(locked: Device) -> None:
    set_lock(locked, state="quarantined")
    assert view(locked).sentence == "Quarantined since Mon 2 Mar, 13:00 CET. It gets nothing from anywhere."
    set_lock(locked, state="retired")
    assert view(locked).next == "Re-arm it to bring it back."
    set_lock(locked, state="locked")
    Device.objects.filter(pk=locked.pk).update(is_enabled=False)
    assert view(locked).next == "The phone is disabled. Enable it first."


def test_suspicion_is_said_beside_the_state(locked: Device) -> None:
    set_lock(locked, suspicion_until=timezone.now() + SECOND)

    assert view(locked).suspicion
    assert view(locked).next.endswith("or unlock it for one address only.")
    assert not view(locked, after=SECOND).suspicion


def test_the_api_gets_plain_values(locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("24h"))

    assert view(locked).as_json() == {
        "state": "unlocked",
        "bound_origin": HOME,
        "since": "2026-03-02T12:00:00Z",
        "until": "2026-03-03T12:00:00Z",
        "by": ana.label,
        "reason": "",
        "next": "Restart the phone where it is now. It locks to that place.",
        "sentence": "May be set up once, from any address, until Tue 3 Mar, 13:00 CET.",
        "suspicion": False,
        "suspicion_since": None,
        "suspicion_until": None,
        "suspicion_why": "",
        "clone": None,
        "handover": None,
        "handover_sentence": "",
        "handover_causes": [],
        "forecast": {
            "what": "locks-again",
            "at": "2026-03-03T12:00:00Z",
            "sentence": "Locks again on Tue 3 Mar, 13:00 CET, or when it is set up.",
        },
    }


def test_many_phones_cost_as_many_queries_as_two(
    phone: Device, acme: Account, ana: Actor, django_assert_num_queries: Any
) -> None:
    phones = [phone, *(make_phone(acme, by=ana) for _ in range(5))]
    for device in phones:
        hand_over(device, claimed(device, rule="R4"))
        came_over(device)
    with django_assert_num_queries(6):
        describing.describe_locks(phones[:2], now=timezone.now())
    with django_assert_num_queries(6):
        describing.describe_locks(phones, now=timezone.now())


# --- moved, waiting ----------------------------------------------------------------------------------------


def hand_over(device: Device, claim: Claim) -> None:
    for kind in (TokenKind.CURRENT, TokenKind.ENTRY):
        Token.objects.create(
            device=device, mac=device.mac, hash=f"{device.pk}-{claim.pk}-{kind}", kind=kind.value,
            claim=claim, issued_at=claim.at,
        )  # fmt: skip


def came_over(device: Device, kind: TokenKind = TokenKind.ENTRY) -> None:
    Token.objects.filter(device=device, kind=kind.value).update(first_used_at=timezone.now())


def test_nothing_is_handed_over_before_a_claim(locked: Device) -> None:
    assert view(locked).handover is None


@pytest.mark.parametrize(
    ("after", "word"),
    [
        (timedelta(), "waiting"),
        (3 * MINUTE - SECOND, "waiting"),
        (3 * MINUTE, "late"),
        (DAY, "late"),
    ],
)
def test_after_a_claim_it_waits_for_the_phone_for_three_minutes(
    locked: Device, after: timedelta, word: str
) -> None:
    hand_over(locked, claimed(locked))

    assert view(locked, after=after).handover == word


@pytest.mark.parametrize(("after", "word"), [(65 * MINUTE - SECOND, "waiting"), (65 * MINUTE, "late")])
def test_a_slow_model_has_an_hour(
    locked: Device, monkeypatch: pytest.MonkeyPatch, after: timedelta, word: str
) -> None:
    monkeypatch.setattr(facts, "is_slow", lambda device: True)
    hand_over(locked, claimed(locked))

    found = view(locked, after=after)

    assert found.handover == word
    assert "Restart the phone" in found.handover_sentence


def test_a_phone_that_got_all_its_settings_at_the_root_need_not_be_restarted(
    locked: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "is_slow", lambda device: True)
    hand_over(locked, claimed(locked))
    Token.objects.filter(kind=TokenKind.ENTRY.value).delete()

    found = view(locked, after=60 * MINUTE)

    assert found.handover == "waiting"
    assert "with all its settings" in found.handover_sentence
    assert view(locked, after=65 * MINUTE).handover == "late"


@pytest.mark.parametrize("kind", [TokenKind.ENTRY, TokenKind.CURRENT])
def test_the_first_fetch_below_the_private_url_ends_it(locked: Device, kind: TokenKind) -> None:
    hand_over(locked, claimed(locked))
    came_over(locked, kind)

    assert view(locked, after=DAY).handover is None


def check_in(device: Device, ago: timedelta) -> None:
    DeviceEvent.objects.create(
        device=device, account=device.account, mac=device.mac, at=timezone.now() - ago, what="request",
        outcome="full", rule="O3", address=HOME,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("case", "rule", "ago", "word"),
    [
        ("an hour before", "R4", HOUR, "does not stick"),
        ("just within its interval", "R4", DAY - SECOND, "does not stick"),
        ("longer ago than its interval", "R4", DAY, None),
        ("moved by an unlock", "R7", HOUR, None),
    ],
)
def test_a_phone_that_was_at_its_private_url_and_came_back_does_not_stick(
    locked: Device, case: str, rule: str, ago: timedelta, word: str | None
) -> None:
    check_in(locked, ago)
    hand_over(locked, claimed(locked, rule=rule))
    came_over(locked)

    assert view(locked).handover == word


# --- the log -----------------------------------------------------------------------------------------------


def test_a_line_of_the_log_has_its_sentence(locked: Device, ana: Actor) -> None:
    locking.unlock(locked, by=ana, span=Span.parse("24h"), origin=origin(AWAY))
    line = events.described(DeviceEvent.objects.filter(device=locked).latest("id"))

    assert (line.what, line.rule, line.outcome) == ("unlocked", "E1", "")
    assert line.sentence == f"Unlocked by {ana.label} for {AWAY} only, until Tue 3 Mar, 13:00 CET."


def test_a_request_in_the_log_says_what_helps(locked: Device) -> None:
    event = DeviceEvent(
        device=locked, account=locked.account, mac=locked.mac, at=timezone.now(), what="request",
        outcome="refused", rule="R6", address=AWAY, agent="x", file="y", count=3,
    )  # fmt: skip

    line = events.described(event)

    assert (line.outcome, line.rule, line.count) == ("refused", "R6", 3)
    assert line.sentence.endswith(f"no window is open for {AWAY}.")
    assert line.next == "Approve it once, or unlock the phone."
