"""A thief goes on while the manager takes the phone back: whoever is first, nothing that he got lives."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from accounts.models import Account
from devices import appearances, exposing, extensions
from devices.models import Device, Extension
from provisioning import claims, clones, locking, taking_back, tokens
from provisioning.gate import Outcome, TokenKind
from provisioning.models import Claim, Denial, Lock, Token
from security.networks import parse_address
from tests.provisioning.making import HOME, THIEF, make_account, make_phone, request, support
from tests.provisioning.stolen import current, fetched, network

ROUNDS = 12
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
    pytest.mark.rule("E16"),
]


@pytest.fixture
def phone() -> Device:
    return make_phone(make_account("platform", kind=Account.Kind.PLATFORM), now=timezone.now() - 10 * DAY)


def stolen_again(phone: Device, now: datetime) -> Token:
    """The phone as a thief has left it an hour ago; returns the real phone's token."""
    for rows in (Token, Claim):
        rows.objects.filter(device=phone).delete()
    Denial.objects.filter(lock=phone.pk).delete()
    Lock.objects.filter(pk=phone.pk).update(suspicion_since=None, suspicion_until=None, suspicion_why="")
    locking.rearm(phone, by=support(), now=now - 3 * DAY)
    real = fetched(phone, HOME, now - 3 * DAY)
    locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=now - 2 * HOUR)
    fetched(phone, THIEF, now - HOUR)
    return real


def together(*works: Callable[[], Any]) -> list[Any]:
    """Do all of it at once, each with a connection of its own; returns what came of it."""
    barrier, answers = threading.Barrier(len(works)), [None] * len(works)

    def run(at: int) -> None:
        try:
            barrier.wait(60)
            while True:
                try:
                    answers[at] = works[at]()
                    return
                except OperationalError as error:
                    if "deadlock" in str(error):
                        raise
                    # SQLite gave up waiting: asked again
        except Exception as error:
            answers[at] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(at,), daemon=True) for at in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return answers


def nothing_of_the_thief_lives(phone: Device, real: Token) -> None:
    lock = Lock.objects.get(pk=phone.pk)
    assert (lock.state, lock.bound_network) == ("locked", network(HOME))
    assert current(phone).pk == real.pk
    others = Token.objects.filter(device=phone, claim__gt=real.claim_id)
    assert {(token.kind, bytes(token.sealed)) for token in others} == {("dead", b"")}
    assert not Claim.objects.filter(device=phone, pk__gt=real.claim_id, undone_at=None).exists()
    assert [str(denial) for denial in Denial.objects.filter(lock=phone.pk)] == [THIEF]


def test_a_claim_meanwhile_is_undone_or_refused(phone: Device) -> None:
    for _ in range(ROUNDS):
        real = stolen_again(phone, timezone.now())
        before = Claim.objects.filter(device=phone).count()

        taken, answer = together(
            lambda: taking_back.take_back(phone, by=support()),
            lambda: claims.claim(request(phone, THIEF)),
        )

        assert isinstance(taken, Lock), taken
        assert isinstance(answer, claims.Answer), answer
        made = Claim.objects.filter(device=phone).count() - before
        expected = {Outcome.BOOTSTRAP: ("R4", 1), Outcome.REFUSED: ("R14", 0)}
        assert (answer.verdict.rule, made) == expected[answer.verdict.outcome]
        nothing_of_the_thief_lives(phone, real)


def test_a_first_use_meanwhile_supersedes_nothing(phone: Device) -> None:
    for _ in range(ROUNDS):
        now = timezone.now()
        real = stolen_again(phone, now)
        claims.claim(request(phone, THIEF), now=now - HOUR / 2)
        mine = current(phone)
        entry = Token.objects.get(claim=mine.claim_id, kind=TokenKind.ENTRY.value)

        taken, used = together(
            lambda: taking_back.take_back(phone, by=support()),
            lambda name=entry.hash: claims.first_use(name, parse_address(THIEF)),
        )

        assert isinstance(taken, Lock), taken
        assert isinstance(used, bool), used
        nothing_of_the_thief_lives(phone, real)
        assert Token.objects.get(pk=real.pk).superseded_at is None


@pytest.mark.rule("T3")
def test_two_answers_at_once_are_one(phone: Device) -> None:
    for _ in range(ROUNDS):
        now = timezone.now()
        real = stolen_again(phone, now)
        clones.suspect(real.hash, phone, address=parse_address(HOME), at=now, now=now)

        answers = together(
            lambda: clones.answer(phone, by=support(), decision="take-back"),
            lambda: clones.answer(phone, by=support(), decision="moved"),
        )

        refused = [answer for answer in answers if not isinstance(answer, Lock)]
        assert [getattr(answer, "code", answer) for answer in refused] == ["answered"]
        living = current(phone)
        if isinstance(answers[0], Lock):
            nothing_of_the_thief_lives(phone, real)
        else:
            assert living.claim_id is not None
            assert real.claim_id is not None
            assert living.claim_id > real.claim_id
            assert Token.objects.get(pk=real.pk).kind == "dead"


@pytest.mark.rule("E15")
def test_a_new_secret_and_a_take_back_do_not_wait_for_each_other_in_a_ring(phone: Device) -> None:
    """Both hold the extension first, then the locks of the phones that show it."""
    line = Extension.objects.get(appearances__device=phone)
    beside = make_phone(phone.account)
    appearances.put(beside, by=support(), rows=[appearances.AppearanceRow(1, line)])
    for _ in range(ROUNDS):
        real = stolen_again(phone, timezone.now())

        taken, fresh, changed = together(
            lambda: taking_back.take_back(phone, by=support()),
            lambda: exposing.new_secret(line, by=support()),
            lambda: extensions.change(line, by=support(), secret=tokens.draw()),
        )

        assert isinstance(taken, Lock), taken
        assert isinstance(fresh, Extension), fresh
        assert isinstance(changed, Extension), changed
        nothing_of_the_thief_lives(phone, real)
