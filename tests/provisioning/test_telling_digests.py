"""E-mails that gather what came up: at most one an hour and account, a daily one, one on Mondays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage

from accounts.models import Account, Membership
from accounts.scope import Actor
from devices.models import Device
from provisioning import digests, events, telling
from provisioning.digests import tell_waiting
from provisioning.gate import TokenKind
from provisioning.models import Approval, Claim, Lock, Token
from provisioning.tokens import issue, text_of
from tests.factories import AWAY, ELSEWHERE, HOME, bind, claimed, make_phone, origin, tried
from tests.tree import user_of

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday; Acme's clock says 13:00
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _stand(clock: Any) -> None:
    """Verbs and mails read the same clock."""


def locked_phone(account: Account, by: Actor, name: str) -> Device:
    phone = make_phone(account, by=by, name=name)
    bind(phone, HOME)
    return phone


def clone(device: Device, at: datetime) -> Token:
    claim = claimed(device, at=at - DAY)
    token = issue(device, claim, TokenKind.ENTRY, origin(HOME), at - DAY)
    token.kind, token.clone_since, token.until = TokenKind.FORMER.value, at, at + 30 * DAY
    token.save()
    return token


def sent() -> list[EmailMessage]:
    """The mails since the last look."""
    found = list(mail.outbox)
    mail.outbox.clear()
    return found


def only() -> EmailMessage:
    (found,) = sent()
    return found


# --- open approvals ----------------------------------------------------------------------------------------


def test_an_open_card_is_told_to_the_accounts_managers(card: Approval, ana: Actor) -> None:
    tell_waiting(NOON)

    told = only()
    assert told.to == [user_of(ana).email]
    assert told.subject == "Acme: a phone waits for your answer"
    assert f"  Ben, desk, from {AWAY}, last Mon 2 Mar, 13:00 CET" in told.body
    assert "https://portal.example.org/approvals/" in told.body


def test_a_card_is_told_of_once(card: Approval) -> None:
    tell_waiting(NOON)
    sent()

    for minutes in (5, 59, 60, 61, 24 * 60 - 1):
        tell_waiting(NOON + minutes * MINUTE)

    assert sent() == []


def test_at_most_one_mail_an_hour_and_account(card: Approval, acme: Account, ana: Actor) -> None:
    tell_waiting(NOON)
    sent()
    other = locked_phone(acme, ana, "Door")
    tried(other, ELSEWHERE)

    tell_waiting(NOON + 59 * MINUTE)
    early = sent()
    tell_waiting(NOON + 60 * MINUTE)

    told = only()
    assert early == []
    assert told.subject == "Acme: a phone waits for your answer"
    assert "Door" in told.body
    assert "Ben, desk" not in told.body
    assert "In all 2 phones wait for an answer." in told.body


def test_a_card_that_was_drained_late_is_told_of_too(card: Approval, acme: Account, ana: Actor) -> None:
    """Its time lies before the last mail; it came up after it."""
    tell_waiting(NOON)
    sent()
    tried(locked_phone(acme, ana, "Door"), at=NOON - 2 * HOUR)

    tell_waiting(NOON + 2 * HOUR)

    assert "Door" in only().body


def test_an_answered_card_and_one_that_is_over_are_not_told_of(card: Approval) -> None:
    tell_waiting(NOON + 24 * HOUR)
    Approval.objects.update(status="deny")
    tell_waiting(NOON)

    assert sent() == []


def test_ten_are_named_by_name_and_the_rest_is_a_number(acme: Account, ana: Actor) -> None:
    for number in range(12, 0, -1):
        tried(locked_phone(acme, ana, f"Desk {number:02}"))

    tell_waiting(NOON)

    told = only()
    named = [line.split(",")[0].strip() for line in told.body.splitlines() if line.startswith("  Desk")]
    assert named == [f"Desk {number:02}" for number in range(1, 11)]
    assert "  and 2 more" in told.body
    assert told.subject == "Acme: 12 phones wait for your answer"


def test_each_account_reads_of_its_own_phones_alone(
    card: Approval, globex: Account, eve: Actor, ana: Actor
) -> None:
    tried(locked_phone(globex, eve, "Gate of Globex"))

    tell_waiting(NOON)

    by_person = {message.to[0]: message.body for message in sent()}
    assert set(by_person) == {user_of(ana).email, user_of(eve).email}
    assert "Globex" not in by_person[user_of(ana).email]
    assert "Ben, desk" not in by_person[user_of(eve).email]


def test_without_a_manager_the_account_above_is_told(card: Approval, acme: Account, rita: Actor) -> None:
    Membership.objects.filter(account=acme).delete()

    tell_waiting(NOON)

    assert only().to == [user_of(rita).email]


def test_a_deleted_account_is_told_nothing(card: Approval, acme: Account) -> None:
    Account.objects.filter(pk=acme.pk).update(is_active=False, deleted_at=NOON)

    tell_waiting(NOON)

    assert sent() == []


# --- suspected clones --------------------------------------------------------------------------------------


def test_a_suspected_clone_is_told_of_once_and_without_its_token(locked: Device) -> None:
    token = clone(locked, NOON - HOUR)

    tell_waiting(NOON)
    told = only()
    tell_waiting(NOON + 2 * HOUR)

    assert sent() == []
    assert told.subject == "Acme: a phone may have been copied"
    assert "  Ben, desk, since Mon 2 Mar, 12:00 CET" in told.body
    assert f"https://portal.example.org/phones/{locked.code}/" in told.body
    assert text_of(token) not in told.body
    assert token.hash[:6] not in told.body


def test_a_second_suspicion_of_the_same_token_is_told_of_again(locked: Device) -> None:
    token = clone(locked, NOON - HOUR)
    tell_waiting(NOON)
    sent()
    Token.objects.filter(pk=token.pk).update(clone_since=NOON + 2 * HOUR)

    tell_waiting(NOON + 3 * HOUR)

    assert len(sent()) == 1


def test_an_answered_clone_is_not_told_of(locked: Device) -> None:
    token = clone(locked, NOON - HOUR)
    Token.objects.filter(pk=token.pk).update(kind="dead")

    tell_waiting(NOON)

    assert sent() == []


def test_cards_and_clones_share_one_mail(card: Approval, acme: Account, ana: Actor) -> None:
    clone(locked_phone(acme, ana, "Door"), NOON - HOUR)

    tell_waiting(NOON)

    told = only()
    assert "Door" in told.body
    assert "Ben, desk" in told.body


# --- the mail itself ---------------------------------------------------------------------------------------


def test_a_mail_that_did_not_leave_leaves_with_the_next_round(
    card: Approval, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: EmailMessage, *args: Any, **more: Any) -> int:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", refuses)
        assert tell_waiting(NOON) == 0

    assert tell_waiting(NOON + 5 * MINUTE) == 1
    assert "Ben, desk" in only().body
    assert tell_waiting(NOON + 10 * MINUTE) == 0


def test_one_of_two_workers_writes_the_mail(card: Approval, acme: Account) -> None:
    """Both have looked before one of them took the turn."""
    turn: Any = {"due": NOON - HOUR, "at": NOON, "names": ["card-1"]}
    first, second = (digests._take(acme, telling.WAITING, **turn) for _ in range(2))

    assert (first is not None, second) == (True, None)


# --- polls from a new address ------------------------------------------------------------------------------


def drifted(device: Device, address: str, at: datetime) -> None:
    events.write(device, "origin-drift", rule="O4", at=at, address=address)
    telling.tell("origin-drift", device.pk, "", now=at)


def test_a_poll_from_a_new_address_is_told_at_once_and_then_once_an_hour(
    locked: Device, acme: Account, ana: Actor
) -> None:
    drifted(locked, ELSEWHERE, NOON)
    tell_waiting(NOON + MINUTE)
    first = only()
    door = locked_phone(acme, ana, "Door")
    drifted(door, AWAY, NOON + 10 * MINUTE)

    tell_waiting(NOON + 30 * MINUTE)
    early = sent()
    tell_waiting(NOON + 61 * MINUTE)
    tell_waiting(NOON + 300 * MINUTE)

    second = only()
    assert early == []
    assert first.subject == "Acme: a phone at a new address"
    assert f"  Ben, desk, from {ELSEWHERE}, Mon 2 Mar, 13:00 CET" in first.body
    assert "Door" in second.body
    assert "Ben, desk" not in second.body


def test_what_was_put_down_while_a_mail_failed_is_not_lost(
    locked: Device, acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = locked_phone(acme, ana, "Door")
    drifted(locked, ELSEWHERE, NOON)

    def refuses(self: EmailMessage, *args: Any, **more: Any) -> int:
        drifted(door, AWAY, NOON + MINUTE)
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", refuses)
        tell_waiting(NOON + MINUTE)
    tell_waiting(NOON + 6 * MINUTE)
    late = only()
    tell_waiting(NOON + 66 * MINUTE)

    assert "Ben, desk" in late.body
    assert "Door" in only().body


def test_a_phone_that_has_moved_away_is_not_named_to_its_old_account(locked: Device, globex: Account) -> None:
    drifted(locked, ELSEWHERE, NOON)
    Device.objects.filter(pk=locked.pk).update(account=globex)
    locked.events.filter(what="origin-drift").update(account=globex)

    tell_waiting(NOON + MINUTE)

    assert sent() == []


# --- R4, once a day ----------------------------------------------------------------------------------------

SEVEN = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # seven o'clock at Acme


def reset(device: Device, at: datetime, address: str = HOME) -> Claim:
    return claimed(device, address, at=at, rule="R4")


@pytest.mark.rule("R4")
def test_resets_at_home_are_in_the_daily_digest(locked: Device) -> None:
    reset(locked, NOON)

    tell_waiting(NOON + HOUR)
    same_day = sent()
    tell_waiting(SEVEN + 5 * MINUTE)
    told = only()
    for hours in (1, 5, 24, 48):
        tell_waiting(SEVEN + 5 * MINUTE + hours * HOUR)

    assert (same_day, sent()) == ([], [])
    assert told.subject == "Acme: a phone was set up anew"
    assert f"  Ben, desk, from {HOME}, Mon 2 Mar, 13:00 CET" in told.body


def test_a_day_without_a_reset_has_no_digest(locked: Device) -> None:
    claimed(locked, at=NOON, rule="R1")
    claimed(locked, at=NOON, rule="R5")

    tell_waiting(SEVEN + 5 * MINUTE)

    assert sent() == []


def test_a_reset_after_the_digest_is_in_the_next_one(locked: Device, acme: Account, ana: Actor) -> None:
    reset(locked, NOON)
    tell_waiting(SEVEN + 5 * MINUTE)
    sent()
    reset(locked_phone(acme, ana, "Door"), SEVEN + 6 * MINUTE)

    tell_waiting(SEVEN + 10 * MINUTE)
    early = sent()
    tell_waiting(SEVEN + DAY + 5 * MINUTE)

    told = only()
    assert early == []
    assert "Door" in told.body
    assert "Ben, desk" not in told.body


def test_a_night_without_a_worker_loses_no_reset(locked: Device) -> None:
    reset(locked, NOON)

    tell_waiting(SEVEN + 3 * DAY + 5 * MINUTE)

    assert "Ben, desk" in only().body


# --- unlocks until first fetch, on Mondays -----------------------------------------------------------------


def open_end(device: Device, since: datetime) -> None:
    Lock.objects.filter(pk=device.pk).update(
        state="unlocked", grant_given_at=since, grant_until=None, grant_by="Ana"
    )


def test_an_open_end_of_more_than_a_week_is_told_on_monday(locked: Device) -> None:
    open_end(locked, NOON - 7 * DAY - MINUTE)

    tell_waiting(NOON)
    told = only()
    for hours in (1, 5, 24, 48):
        tell_waiting(NOON + hours * HOUR)
    quiet = sent()
    tell_waiting(NOON + 7 * DAY)

    assert quiet == []
    assert told.subject == "Acme: a phone is still unlocked"
    assert "  Ben, desk, since Mon 23 Feb, 12:59 CET, for any address" in told.body
    assert len(sent()) == 1


@pytest.mark.parametrize(
    ("case", "since", "now"),
    [
        ("not yet a week", NOON - 7 * DAY + MINUTE, NOON),
        ("a Tuesday", NOON - 30 * DAY, NOON + DAY),
        ("a Sunday", NOON - 30 * DAY, NOON - DAY),
        ("before seven", NOON - 30 * DAY, datetime(2026, 3, 2, 5, 59, tzinfo=UTC)),
    ],
)
def test_on_other_days_it_waits(case: str, since: datetime, now: datetime, locked: Device) -> None:
    open_end(locked, since)

    tell_waiting(now)

    assert sent() == []


def test_an_unlock_with_an_end_is_no_open_end(locked: Device) -> None:
    open_end(locked, NOON - 30 * DAY)
    Lock.objects.filter(pk=locked.pk).update(grant_until=NOON + DAY)

    tell_waiting(NOON)

    assert sent() == []
