"""B5: an account is told at once when an address where its phones live is kept out, with the evidence."""

from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.utils import timezone

from provisioning import publishing, telling
from security import bans
from security.models import Ban
from tests.factories import AWAY, HOME, failure, make_phone, origin, proved
from tests.tree import Tree, plant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("B5")]

HOUR = timedelta(hours=1)


@pytest.fixture
def tree() -> Tree:
    return plant()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def ban(tree: Tree, now: datetime, *, blocked: bool = False) -> Ban:
    keep_out = bans.block if blocked else bans.set_ban
    return keep_out(origin(), by=tree.support, length=HOUR, reason="40 phones that do not exist", now=now)


def test_every_account_whose_phones_live_there_is_told(
    tree: Tree, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, str]] = []
    monkeypatch.setattr(publishing, "tell_later", lambda *what: asked.append(what))
    proved(make_phone(tree.acme, by=tree.ana), AWAY)
    proved(make_phone(tree.acme, by=tree.ana), AWAY)
    proved(make_phone(tree.globex, by=tree.eve), HOME)
    proved(make_phone(tree.globex, by=tree.eve), AWAY, at=now - timedelta(days=31))

    made = ban(tree, now)

    assert asked == [("banned", tree.acme.pk, str(made.code))]


def test_the_evidence_names_own_phones_and_counts_others(tree: Tree, now: datetime) -> None:
    phone = make_phone(tree.acme, by=tree.ana, name="Warehouse")
    theirs = make_phone(tree.globex, by=tree.eve, name="Counter")
    proved(phone, AWAY)
    failure(AWAY, label=phone.mac)
    failure(AWAY, label=theirs.mac)
    failure(AWAY, label="00005e0053f7", kind="unknown-mac")
    made = ban(tree, now)

    assert telling.tell("banned", tree.acme.pk, str(made.code), now=now) == 1

    [letter] = mail.outbox
    assert (letter.to, letter.subject) == (["ana@example.org"], f"{AWAY} is banned")
    body = letter.body
    assert f"{AWAY} is banned until Mon 2 Mar, 14:00 CET. One phone of yours lives there." in body
    assert "Why: 40 phones that do not exist" in body
    assert "3 different failures were counted there in the last hour." in body
    assert "- Warehouse, yours, last Mon 2 Mar, 13:00 CET" in body
    assert "- 1 of others: locked phones asked from elsewhere" in body
    assert "- 1 of others: unknown MACs" in body
    assert f"/addresses/?address={AWAY}" in body
    assert theirs.mac not in body
    assert "Counter" not in body


def test_a_block_says_that_working_phones_stop(tree: Tree, now: datetime) -> None:
    proved(make_phone(tree.acme, by=tree.ana), AWAY)
    made = ban(tree, now, blocked=True)

    telling.tell("banned", tree.acme.pk, str(made.code), now=now)

    assert "Blocked, they get nothing at all." in mail.outbox[0].body


def test_what_was_lifted_meanwhile_is_not_told(tree: Tree, now: datetime) -> None:
    proved(make_phone(tree.acme, by=tree.ana), AWAY)
    made = ban(tree, now)
    bans.lift(made, by=tree.support, now=now)

    assert telling.tell("banned", tree.acme.pk, str(made.code), now=now) == 0
    assert mail.outbox == []
