"""Two callers, one grant: exactly one wins, each time, on both databases."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from accounts.models import Account
from provisioning import claims
from provisioning.gate import Outcome, State
from provisioning.models import Claim, Lock, Token
from security.networks import origin_of, parse_address
from tests.provisioning.making import HOME, HOTEL, THIEF, make_account, make_phone, request

RACES = 1000

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


class Racer(threading.Thread):
    """A caller with a connection of its own; both leave the barrier together."""

    def __init__(self, barrier: threading.Barrier, asked: claims.Request) -> None:
        super().__init__(daemon=True)
        self.barrier, self.asked = barrier, asked
        self.answers: list[claims.Answer] = []

    def run(self) -> None:
        try:
            for _ in range(RACES):
                self.barrier.wait(60)
                while True:
                    try:
                        self.answers.append(claims.claim(self.asked))
                        break
                    except (
                        OperationalError
                    ):  # SQLite gave up waiting: the edge would hold and the phone repeat
                        continue
                self.barrier.wait(60)
        finally:
            connections.close_all()


@pytest.mark.rule("R7")
def test_of_two_callers_for_one_grant_exactly_one_wins() -> None:
    phone = make_phone(make_account("platform", kind=Account.Kind.PLATFORM))
    home = origin_of(parse_address(HOME))
    barrier = threading.Barrier(3)
    racers = [Racer(barrier, request(phone, address)) for address in (HOTEL, THIEF)]
    for racer in racers:
        racer.start()
    winners: Counter[int] = Counter()

    for number in range(RACES):
        Token.objects.filter(device=phone).delete()
        Claim.objects.filter(device=phone).delete()
        Lock.objects.filter(pk=phone.pk).update(
            state=State.UNLOCKED.value,
            grant_given_at=timezone.now(),
            grant_until=timezone.now() + timedelta(hours=1),
            bound_first=home.hex_first,
            bound_last=home.hex_last,
            last_claim_at=None,
        )
        barrier.wait(60)
        barrier.wait(60)
        answers = [racer.answers[number] for racer in racers]
        outcomes = sorted(a.verdict.outcome for a in answers)
        assert outcomes == [Outcome.BOOTSTRAP, Outcome.REFUSED], [a.verdict for a in answers]
        winner = next(i for i, a in enumerate(answers) if a.verdict.outcome is Outcome.BOOTSTRAP)
        lock = Lock.objects.get(pk=phone.pk)
        assert lock.bound_network == origin_of(racers[winner].asked.address)
        assert (lock.state, lock.grant_given_at) == (State.LOCKED.value, None)
        winners[winner] += 1
    for racer in racers:
        racer.join(10)

    assert sum(winners.values()) == RACES
