"""A stranger tries everything for a week, from a thousand addresses; the phone hardly notices."""

import random
from collections import Counter
from collections.abc import Iterator

import pytest
import redis
import time_machine
from django.core import mail

from accounts.refusals import Refusal
from portal.celery import app as celery
from provisioning import locking
from provisioning.gate import Outcome
from provisioning.models import Approval
from provisioning.spans import Span
from security.networks import origin_of, parse_address
from tests.provisioning.inside_edge import Judges, committed
from tests.provisioning.street import AGENT, MACS, ODD_AGENT, PARTNER, Street, settle
from tests.provisioning.token_ledger import HOUR, MINUTE

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.once,
    pytest.mark.rule("E7", "E14"),
    pytest.mark.timeout(600),
]

BARE = AGENT.format("").strip()
ADDRESSES = 1000
DAYS = 7
HOTEL = parse_address("192.0.2.200")


@pytest.fixture
def street(
    store: "redis.Redis", clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Street]:
    celery.conf.task_always_eager = True
    made = Street(settle(), Judges(monkeypatch), store, clock)
    yield made
    made.close()
    celery.conf.task_always_eager = False


def places(dice: random.Random) -> list[int]:
    """A thousand addresses: two thirds of them IPv4, the rest in as many /64 of IPv6."""
    fours = [f"198.18.{dice.randrange(256)}.{dice.randrange(1, 255)}" for _ in range(2 * ADDRESSES // 3)]
    sixes = [f"2001:db8:{dice.randrange(0x10000):x}:1::1" for _ in range(ADDRESSES - len(fours))]
    found = [parse_address(text) for text in (*fours, *sixes)]
    dice.shuffle(found)
    return found


def attack(street: Street, address: int, dice: random.Random) -> None:
    """One of everything that a stranger can send without a token: files, agents, guesses, odd names."""
    mac = MACS[0]
    agent = dice.choice([BARE, AGENT.format("00:00:5e:00:a5:01"), ODD_AGENT, AGENT.format(PARTNER)])
    match dice.randrange(5):
        case 0 | 1 | 2:
            assert street.ask_root(mac, address, agent).status == 404
        case 3:
            street.strangers_guess(address)
        case _:
            reply = street.edge.ask(f"/{mac}-local.cfg", address=address, agent=agent)
            assert reply.status == 404


def test_a_stranger_tries_for_a_week(street: Street) -> None:
    dice = random.Random(7)
    street.phone_boots(0)
    street.phone_boots(1)
    phone, ana = street.phone, street.cast.tree.ana
    assert phone is not None
    strangers, mails = iter(places(dice)), []
    mail.outbox.clear()

    for day in range(DAYS):
        for hour in range(24):
            for _ in range(ADDRESSES // (DAYS * 24) + 1):
                street.passes(3 * MINUTE)
                if (address := next(strangers, None)) is not None:
                    attack(street, address, dice)
            street.passes(HOUR - 3 * MINUTE * (ADDRESSES // (DAYS * 24) + 1))
            street.keeper_works()
            street.beat()
            mails += [(day, hour)] * len(mail.outbox)
            told = {address for message in mail.outbox for address in message.to}
            assert told <= {ana.user.email}  # type: ignore[union-attr]
            mail.outbox.clear()
            assert Approval.objects.filter(device=phone, status=Approval.Status.OPEN).count() <= 1
        street.boots(street.handsets[0])
        last = street.asked[-1]
        assert (last.reply.status, last.reply.verdict.outcome) == (200, Outcome.FULL), f"day {day}"
        street.asked.clear()

    assert next(strangers, None) is None, "every address has been used"
    assert max(Counter(mails).values()) == 1, "at most one e-mail an hour"
    assert 1 <= Approval.objects.filter(device=phone).count() <= DAYS + 1, "one card a day"
    assert len(mails) <= DAYS + 1
    locking.lock_again(phone, by=ana)
    with pytest.raises(Refusal) as refused, committed():
        locking.unlock(phone, by=ana, span=Span.parse("24h"))
    assert refused.value.rule == "E7"
    with committed():
        locking.unlock(phone, by=ana, span=Span.parse("24h"), origin=origin_of(HOTEL))
    stranger, here = parse_address("198.18.1.1"), street.ask_root(MACS[0], HOTEL, BARE)
    assert street.ask_root(MACS[0], stranger, BARE).status == 404
    assert (here.status, here.verdict.rule) == (200, "R7")
