"""Two parties, one phone: real rows, published as in operation, asked of a real edge over real sockets."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from accounts.models import Account
from accounts.scope import Actor
from devices.models import Device
from portal import embedded
from provisioning import (
    claims,
    clones,
    draining,
    files,
    keeper,
    locking,
    publishing,
    taking_back,
    tokens,
    wire,
)
from provisioning.edge.config import Config
from provisioning.gate import TokenKind
from provisioning.models import Lock, Token
from security.networks import parse_address
from tests.edge.serving import Doors, Reply, ServedEdge
from tests.edge.shelf import Shelf
from tests.provisioning.making import colons, make_phone, request, support
from tests.provisioning.stolen import current, fetched

HOME, THIEF, ELSEWHERE = "127.0.0.1", "127.0.66.6", "127.0.7.7"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Commit = Callable[..., Any]

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def real(acme: Account, now: datetime) -> Token:
    """The token of a phone that was set up at HOME ten days ago."""
    return fetched(make_phone(acme, now=now - 10 * DAY), HOME, now - 10 * DAY)


@pytest.fixture
def phone(real: Token) -> Device:
    assert real.device is not None
    return real.device


@pytest.fixture
def edge(store_server: embedded.Store, doors: Doors, phone: Device) -> Iterator[ServedEdge]:
    keeper.rebuild(timezone.now())
    with ServedEdge(Config.from_settings(settings), doors) as edge:
        yield edge


@pytest.fixture
def commit(django_capture_on_commit_callbacks: Commit) -> Commit:
    """What a commit does, done at the end of the block."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def publish(phone: Device) -> None:
    publishing.publish_devices([phone.pk])
    assert files.publish_files([phone.pk]) == {}


def poll(edge: ServedEdge, phone: Device, token: str, source: str = HOME, **headers: str) -> Reply:
    agent = f"Yealink SIP-T46S 66.85.0.5 {colons(phone.mac)}"
    given = {"User-Agent": agent, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return edge.ask(f"/d/{token}/{phone.mac}.cfg", source=source, headers=given)


def start(edge: ServedEdge, phone: Device, source: str) -> Reply:
    agent = f"Yealink SIP-T46S 66.85.0.5 {colons(phone.mac)}"
    return edge.ask(f"/{phone.mac}.boot", source=source, headers={"User-Agent": agent})


@pytest.mark.rule("E16")
@pytest.mark.rule("T4")
def test_a_thief_wins_an_unlock_and_the_manager_takes_the_phone_back(
    edge: ServedEdge,
    doors: Doors,
    phone: Device,
    real: Token,
    ana: Actor,
    now: datetime,
    commit: Commit,
) -> None:
    """His tokens are worth nothing, his origin stays refused, and the real phone never noticed."""
    locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=now - 3 * HOUR)
    thief = fetched(phone, THIEF, now - 2 * HOUR)
    publish(phone)
    own, his = tokens.text_of(real), tokens.text_of(thief)
    before = poll(edge, phone, own)
    assert (before.status, poll(edge, phone, his, THIEF).status) == (200, 200)

    with commit():
        taking_back.take_back(phone, by=ana)

    after = poll(edge, phone, own)
    assert (after.status, after.body) == (200, before.body)
    assert own.encode() in after.body
    assert poll(edge, phone, own, If_None_Match=after.headers["etag"]).status == 304
    for source in (THIEF, ELSEWHERE):
        refused = poll(edge, phone, his, source)
        assert (refused.status, refused.body) == (404, b"")
    assert start(edge, phone, THIEF).status == 404
    assert doors.claims == []
    assert doors.wanted == []


@pytest.mark.rule("E16")
def test_a_token_that_ran_out_is_the_phones_again(
    edge: ServedEdge, doors: Doors, phone: Device, real: Token, ana: Actor, now: datetime, commit: Commit
) -> None:
    """The phone was off for a week; what it asks with is dead until the manager takes it back."""
    locking.unlock(phone, by=support(), span=locking.Span.parse("24h"), now=now - 7 * DAY - HOUR)
    fetched(phone, THIEF, now - 7 * DAY)
    tokens.bury(now)
    keeper.rebuild(now)
    own = tokens.text_of(real)
    assert poll(edge, phone, own).status == 404

    with commit():
        taking_back.take_back(phone, by=ana)
    publish(phone)

    again = poll(edge, phone, own)
    assert (again.status, own.encode() in again.body) == (200, True)


@pytest.mark.rule("T3")
def test_a_neighbour_was_first_and_neither_is_handed_the_others_token(
    edge: ServedEdge,
    store: redis.Redis,
    phone: Device,
    real: Token,
    ana: Actor,
    now: datetime,
    commit: Commit,
) -> None:
    neighbour = fetched(phone, HOME, now - HOUR)
    publish(phone)
    own, other = tokens.text_of(real), tokens.text_of(neighbour)

    first, second = poll(edge, phone, own), poll(edge, phone, other)

    assert (first.status, second.status) == (200, 200)
    for reply, held, not_held in ((first, own, other), (second, other, own)):
        assert held.encode() in reply.body
        assert not_held.encode() not in reply.body
    notes = Shelf(store).noted(2)
    assert sorted((note.rule, note.clone, note.current) for note in notes) == [
        ("O3", False, True),
        ("T3", True, False),
    ]
    with commit():
        clones.suspect(real.hash, phone, address=parse_address(HOME), at=now, now=now)
    later = (now + 29 * DAY).timestamp()
    record = wire.unpack_token(store.get(wire.token_key(real.hash)))
    assert record.facts.until is not None
    assert record.facts.until > later
    assert (poll(edge, phone, own).status, poll(edge, phone, other).status) == (200, 200)


@pytest.mark.rule("T3")
def test_a_clone_is_told_of_from_a_banned_address_too(
    edge: ServedEdge, store: redis.Redis, phone: Device, real: Token, now: datetime, commit: Commit
) -> None:
    """The root refuses it there (G1) without a line for each try; that two parties hold tokens is one."""
    fetched(phone, HOME, now - HOUR)
    publish(phone)
    Shelf(store).ban(ELSEWHERE, time.time() + 600)

    assert poll(edge, phone, tokens.text_of(real), ELSEWHERE).status == 404

    (note,) = Shelf(store).noted(1)
    assert (note.rule, note.clone, note.token, note.key) == ("G1", True, real.hash, "")
    with commit():
        draining.drain(timezone.now())
        draining.drain(timezone.now())
    real.refresh_from_db()
    assert real.clone_since is not None


@pytest.mark.rule("T3")
def test_an_answer_ends_the_former_token_at_once(
    edge: ServedEdge, doors: Doors, phone: Device, real: Token, ana: Actor, now: datetime, commit: Commit
) -> None:
    """*We moved it*: whoever still has it is answered as at the root, from its own place with a bootstrap."""
    newer = fetched(phone, HOME, now - HOUR)
    clones.suspect(real.hash, phone, address=parse_address(HOME), at=now, now=now)
    publish(phone)
    own, other = tokens.text_of(real), tokens.text_of(newer)
    assert poll(edge, phone, own).status == 200

    with commit():
        clones.answer(phone, by=ana, decision="moved")

    assert poll(edge, phone, own, ELSEWHERE).status == 404
    assert doors.claims == []
    assert poll(edge, phone, own).body == b"bootstrap"
    assert [claim.mac for claim in doors.claims] == [phone.mac]
    assert poll(edge, phone, other).status == 200


@pytest.mark.rule("T2")
def test_a_lost_answer_leaves_the_former_token_what_it_was(
    edge: ServedEdge, store: redis.Redis, phone: Device, real: Token, now: datetime
) -> None:
    """From any origin, as a check-in that proves, with 304; its file names it, whoever has the new one."""
    claims.claim(request(phone, HOME), now=now - HOUR)
    unheard = current(phone)
    publish(phone)
    own = tokens.text_of(real)

    reply = poll(edge, phone, own, ELSEWHERE)
    same = poll(edge, phone, own, If_None_Match=reply.headers["etag"])

    assert (reply.status, same.status) == (200, 304)
    assert own.encode() in reply.body
    assert tokens.text_of(unheard).encode() not in reply.body
    notes = Shelf(store).noted(2)
    assert {(note.rule, note.check_in, note.current, note.clone) for note in notes} == {
        ("T2", True, True, False)
    }


@pytest.mark.rule("T4")
def test_a_dead_token_stands_for_the_mac_it_was_issued_for_and_never_for_the_new_one(
    edge: ServedEdge, doors: Doors, phone: Device, real: Token, commit: Commit
) -> None:
    old, new = phone.mac, "00005e1ffff1"
    own = tokens.text_of(real)
    with commit():
        publishing.device_gone(phone)
        tokens.kill_all(phone, now=timezone.now())
        Device.objects.filter(pk=phone.pk).update(mac=new)
        Lock.objects.filter(pk=phone.pk).update(revision=int(time.time() * 1000) + 10)
        publishing.device_changed(phone.pk)
    agent = {"User-Agent": f"Yealink SIP-T46S 66.85.0.5 {colons(new)}"}

    replies = [
        edge.ask(f"/d/{own}/{mac}{name}", headers=agent).status
        for mac in (old, new)
        for name in (".cfg", ".boot")
    ]

    assert replies == [404] * 4
    assert doors.claims == []
    assert edge.ask(f"/{new}.boot", headers=agent).status == 200
    assert Token.objects.get(pk=real.pk).mac == old


@pytest.mark.rule("T1")
def test_an_entry_token_dies_with_the_first_use_of_the_current_one(
    edge: ServedEdge, doors: Doors, phone: Device, now: datetime, commit: Commit
) -> None:
    claims.claim(request(phone, HOME), now=now)
    mine = current(phone)
    entry = Token.objects.get(claim=mine.claim_id, kind=TokenKind.ENTRY.value)
    publish(phone)
    came_over = poll(edge, phone, tokens.text_of(entry))
    assert tokens.text_of(mine).encode() in came_over.body

    with commit():
        claims.first_use(mine.hash, parse_address(HOME), now=now)

    assert poll(edge, phone, tokens.text_of(entry), ELSEWHERE).status == 404
    assert poll(edge, phone, tokens.text_of(mine)).status == 200
