"""E-mails as each person wants them: queued by his choices, gathered, sent once, and never lost."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage

from accounts import resettling, tenants
from accounts.models import Account, AuditEntry, Membership, NoticeChoice
from accounts.refusals import Forbidden, Invalid
from accounts.roles import Role
from accounts.scope import Actor
from provisioning import incidents, letters, telling
from provisioning.digests import tell_waiting
from provisioning.letters import Letter
from provisioning.models import Approval, Incident, IncidentStep, Notice
from provisioning.noticing import About, How
from tests.tree import Tree, user_of

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # 13:00 at Acme, in Berlin
SEVEN = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # seven o'clock there
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _stand(clock: Any) -> None:
    """Verbs and mails read the same clock."""


def wants(by: Actor, **choices: str) -> None:
    named = {name.replace("_", "-"): how for name, how in choices.items()}
    letters.choose(user_of(by), by=by, choices=named, now=NOON)


def news(account: Account, name: str, kind: About = About.INCIDENTS) -> Letter:
    return Letter(kind, account, name, f"{account}: {name}", f"What happened: {name}.")


def put(by: Actor, letter: Letter, at: datetime = NOON) -> list[Any]:
    return letters.put(letter, [user_of(by)], at=at)


def sent(now: datetime) -> list[EmailMessage]:
    letters.send_due(now)
    found = list(mail.outbox)
    mail.outbox.clear()
    return found


def test_at_once_is_a_mail_of_its_own(acme: Account, ana: Actor) -> None:
    put(ana, news(acme, "a fire"))
    put(ana, news(acme, "a flood"))

    mails = sent(NOON)

    assert [message.subject for message in mails] == ["Acme: a fire", "Acme: a flood"]
    assert "What happened: a fire." in mails[0].body
    assert "https://portal.example.org/notifications/" in mails[0].body
    assert sent(NOON + 24 * HOUR) == []


def test_what_is_daily_leaves_at_seven_gathered_by_account(cast: Tree) -> None:
    wants(cast.support, incidents="daily", bans="daily")
    put(cast.support, news(cast.globex, "one"))
    put(cast.support, news(cast.acme, "two"))
    put(cast.support, news(cast.acme, "three", About.BANS), NOON + HOUR)
    seven = datetime(2026, 3, 3, 7, 0, tzinfo=UTC)  # the platform's zone is UTC

    early = sent(seven - MINUTE)
    (message,) = sent(seven + 5 * MINUTE)

    assert early == []
    assert message.subject == "3 things to know: Acme, Globex"
    body = message.body
    assert body.index("Acme\n====") < body.index("two") < body.index("three") < body.index("Globex\n======")
    assert body.count("/notifications/") == 1


def test_a_person_has_one_hourly_mail_an_hour(cast: Tree) -> None:
    wants(cast.rita, incidents="hourly")
    put(cast.rita, news(cast.acme, "one"))
    put(cast.rita, news(cast.globex, "two"))
    (first,) = sent(NOON)
    put(cast.rita, news(cast.acme, "three"), NOON + 10 * MINUTE)
    put(cast.rita, news(cast.globex, "four", About.WAITING), NOON + 20 * MINUTE)

    early = sent(NOON + 59 * MINUTE)
    (second,) = sent(NOON + 60 * MINUTE)

    assert first.subject == "2 things to know: Acme, Globex"
    assert early == []
    assert "three" in second.body


def test_two_that_were_put_down_at_once_do_not_leave_in_two_hourly_mails(cast: Tree) -> None:
    """The second was due before the first had left."""
    wants(cast.rita, incidents="hourly")
    put(cast.rita, news(cast.acme, "one"))
    Notice.objects.create(
        user=user_of(cast.rita), account=cast.acme, kind="incidents", name="late", subject="late",
        body="late", at=NOON, due_at=NOON + MINUTE,
    )  # fmt: skip
    assert len(sent(NOON)) == 1

    assert sent(NOON + 5 * MINUTE) == []
    assert [message.subject for message in sent(NOON + HOUR)] == ["late"]


def test_not_at_all_is_not_queued(acme: Account, ana: Actor) -> None:
    wants(ana, yielded="never")

    assert put(ana, news(acme, "gone", About.YIELDED)) == []
    assert not Notice.objects.exists()


def test_nobody_is_told_twice(acme: Account, ana: Actor) -> None:
    assert len(put(ana, news(acme, "a fire"))) == 1
    assert put(ana, news(acme, "a fire")) == []
    assert len(sent(NOON)) == 1
    assert put(ana, news(acme, "a fire")) == []
    assert sent(NOON + HOUR) == []


# --- what goes wrong ---------------------------------------------------------------------------------------


def test_what_a_killed_worker_had_taken_leaves_later(
    acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(ana, news(acme, "a fire"))
    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            letters.send_due(NOON)

    assert sent(NOON + 5 * MINUTE) == []
    assert len(sent(NOON + 11 * MINUTE)) == 1


def test_of_two_workers_one_sends(acme: Account, ana: Actor) -> None:
    put(ana, news(acme, "a fire"))

    first, second = (letters._taken(user_of(ana), NOON) for _ in range(2))

    assert ([len(rows) for rows in first], second) == ([1], [])


def test_a_mail_server_that_is_away_is_tried_again_with_the_next_round(
    acme: Account, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: EmailMessage) -> int:
        raise ConnectionRefusedError

    put(ana, news(acme, "a fire"))
    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", refuses)
        assert letters.send_due(NOON) == []

    assert len(sent(NOON + 5 * MINUTE)) == 1


def test_one_that_was_taken_out_of_the_account_hears_nothing_more(
    cast: Tree, acme: Account, rita: Actor
) -> None:
    wants(cast.rita, incidents="daily")
    put(cast.rita, news(acme, "of Acme"))
    put(cast.rita, news(cast.globex, "of Globex"))
    other = tenants.create_account(cast.platform, by=cast.support, slug="lakeside", name="Lakeside")
    resettling.move_customer(acme, by=cast.support, below=other)

    (message,) = sent(SEVEN + 2 * HOUR)

    assert "of Globex" in message.body
    assert "of Acme" not in message.body
    assert not Notice.objects.filter(account=acme).exists()


def test_cards_that_were_answered_meanwhile_are_not_told_of(card: Approval, ana: Actor) -> None:
    wants(ana, waiting="daily")
    tell_waiting(NOON)
    assert Notice.objects.filter(kind="waiting").count() == 1
    Approval.objects.update(status="deny")

    tell_waiting(SEVEN + 5 * MINUTE)

    assert mail.outbox == []


def test_the_morning_s_digest_and_what_was_kept_for_it_are_one_mail(card: Approval, ana: Actor) -> None:
    wants(ana, waiting="daily", yielded="daily")
    put(ana, news(card.account, "a storm", About.YIELDED))
    tell_waiting(NOON)

    tell_waiting(SEVEN + MINUTE)
    early = list(mail.outbox)
    tell_waiting(SEVEN + 6 * MINUTE)

    assert early == []
    (message,) = mail.outbox
    assert "a storm" in message.body
    assert "Ben, desk" in message.body


def test_an_incident_s_timeline_says_when_the_mail_has_left(cast: Tree, acme: Account) -> None:
    wants(cast.ana, incidents="daily")
    row = incidents.open_(
        Incident.Kind.SILENCE, account=acme, subject="x", title="Acme is silent", now=NOON, tell=False
    )
    assert telling.tell("incident", acme.pk, str(row.code), now=NOON) == 1
    before = IncidentStep.objects.filter(what="told").count()

    tell_waiting(SEVEN + 5 * MINUTE)

    assert before == 0
    step = IncidentStep.objects.get(what="told")
    assert (step.said, step.at) == ("Ana, by e-mail.", SEVEN + 5 * MINUTE)


def test_what_could_not_be_sent_for_days_is_no_news_and_what_was_sent_stays(
    acme: Account, ana: Actor
) -> None:
    put(ana, news(acme, "a fire"))
    sent(NOON)
    put(ana, news(acme, "a flood"))

    letters.give_up(NOON + timedelta(days=3))
    kept = Notice.objects.count()
    letters.give_up(NOON + timedelta(days=40))

    assert (kept, Notice.objects.get().name) == (2, "a fire")


# --- choosing ----------------------------------------------------------------------------------------------


def test_a_choice_changes_what_waits(acme: Account, ana: Actor) -> None:
    wants(ana, incidents="daily", yielded="daily")
    put(ana, news(acme, "a storm"))
    put(ana, news(acme, "gone", About.YIELDED))

    wants(ana, incidents="at-once", yielded="never")

    assert [message.subject for message in sent(NOON)] == ["Acme: a storm"]
    assert not Notice.objects.filter(kind="yielded").exists()


def test_the_usual_way_needs_no_row_and_each_change_is_audited(ana: Actor) -> None:
    wants(ana, bans="daily")
    wants(ana, bans="daily")
    assert letters.choices_of(user_of(ana))[About.BANS] is How.DAILY

    wants(ana, bans="at-once")

    assert not NoticeChoice.objects.exists()
    assert letters.choices_of(user_of(ana))[About.BANS] is How.AT_ONCE
    entries = AuditEntry.objects.filter(verb="person.notices-changed").order_by("pk")
    assert [entry.details for entry in entries] == [{"bans": "daily"}, {"bans": "at-once"}]
    assert {entry.account_slug for entry in entries} == {"acme"}


@pytest.mark.parametrize(
    ("kind", "how"),
    [("bans", "never"), ("incidents", "never"), ("waiting", "at-once"), ("nothing", "daily"),
     ("bans", "loudly"), ("refused-macs", "daily")],
)  # fmt: skip
def test_what_is_not_offered_is_refused(kind: str, how: str, ana: Actor) -> None:
    with pytest.raises(Invalid) as refusal:
        letters.choose(user_of(ana), by=ana, choices={"yielded": "never", kind: how}, now=NOON)

    assert refusal.value.field == kind
    assert not NoticeChoice.objects.exists()


def test_nobody_chooses_for_somebody_else(cast: Tree, ana: Actor, rita: Actor) -> None:
    for by in (
        rita,
        cast.support,
        replace(ana, on_behalf_of="Acme"),
        Actor(label="key", standings=ana.standings),
    ):
        with pytest.raises(Forbidden):
            letters.choose(user_of(ana), by=by, choices={"bans": "daily"}, now=NOON)

    assert not NoticeChoice.objects.exists()


def test_support_alone_hears_of_macs_of_others(cast: Tree) -> None:
    assert About.REFUSED_MACS in letters.kinds_for(cast.support)
    assert About.REFUSED_MACS not in letters.kinds_for(cast.rita)
    assert letters.kinds_for(cast.vic) == letters.kinds_for(cast.ben) == []
    letters.choose(user_of(cast.support), by=cast.support, choices={"refused-macs": "daily"}, now=NOON)


def test_a_morning_is_where_the_highest_account_of_a_person_is(cast: Tree) -> None:
    assert (letters.zone_of(user_of(cast.ana)), letters.zone_of(user_of(cast.rita))) == (
        "Europe/Berlin",
        "UTC",
    )
    Membership.objects.create(user=user_of(cast.rita), account=cast.acme, role=Role.VIEWER.value)
    assert letters.home_of(user_of(cast.rita)) == cast.harbour
