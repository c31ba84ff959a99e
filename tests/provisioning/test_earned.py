"""Earned bans as rows: what the edge decided is written once, told, ended, and given to an empty store."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
import time_machine
from django.core import mail
from django.utils import timezone

from devices.models import Device
from provisioning import (
    approvals,
    claims,
    draining,
    earned,
    entering,
    files,
    incidents,
    keeper,
    pressed,
    publishing,
    telling,
    wire,
)
from provisioning.gate import Outcome, TokenKind
from provisioning.models import Approval, FailureKey, Incident, Proof, Token
from provisioning.tokens import text_of
from security import allowances, bans
from security.models import Ban
from security.networks import parse_address, parse_network
from tests.conftest import NOON
from tests.factories import bind, make_phone, origin, proved
from tests.provisioning import making
from tests.provisioning.inside_edge import InsideEdge, Judges, Reply, committed
from tests.tree import plant

pytestmark = pytest.mark.django_db

OFFICE, ELSEWHERE = "203.0.113.10", "198.51.100.20"
AGENT = "Yealink SIP-T46U 108.86.0.20 {}"


class Stage:
    """A platform, an edge and the clock."""

    def __init__(self, judges: Judges, store: "redis.Redis", clock: time_machine.Traveller) -> None:
        self.tree, self.store, self.clock = plant(), store, clock
        self.edge = InsideEdge(judges)
        keeper.rebuild(timezone.now())
        self.drain()

    def ask(self, mac: str, address: str = OFFICE) -> Reply:
        return self.edge.ask(
            f"/{mac}.cfg", address=parse_address(address), agent=AGENT.format(making.colons(mac))
        )

    def scan(self, count: int, address: str = OFFICE, *, first: int = 0) -> None:
        for number in range(first, first + count):
            self.ask(f"00005e54{number:04x}", address)

    def drain(self) -> None:
        with committed():
            while draining.drain(timezone.now()):
                pass

    def working(self, count: int, address: str = OFFICE) -> list[Device]:
        """Phones of acme that were set up there and have a private URL."""
        found = []
        for _ in range(count):
            with committed():
                device = make_phone(self.tree.acme, by=self.tree.ana)
                claims.claim(making.request(device, address=address), now=timezone.now())
            files.publish_files([device.pk])
            found.append(device)
        return found

    def polls(self, device: Device, address: str = OFFICE) -> Reply:
        token = Token.objects.get(device=device, kind=TokenKind.CURRENT.value)
        path = f"/d/{text_of(token)}/{device.mac}.cfg"
        return self.edge.ask(
            path, address=parse_address(address), agent=AGENT.format(making.colons(device.mac))
        )

    def standing(self, address: str = OFFICE) -> float:
        return pressed.unpack_standing(self.store.get(wire.address_key(origin(address))))

    @property
    def is_banned(self) -> bool:
        return self.standing() > timezone.now().timestamp()

    def passes(self, **time: float) -> None:
        self.clock.shift(timedelta(**time))


@pytest.fixture
def stage(
    store: redis.Redis, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    made = Stage(Judges(monkeypatch), store, clock)
    yield made
    made.edge.close()


@pytest.mark.rule("B3", "B9")
def test_the_row_says_from_when_until_when_and_why(stage: Stage) -> None:
    stage.scan(10)
    stage.drain()

    (ban,) = Ban.objects.all()
    assert (str(ban.network), ban.kind, ban.step, ban.propose_block) == (OFFICE, "banned", 1, False)
    assert (ban.starts_at, ban.ends_at) == (NOON, NOON + timedelta(hours=1))
    assert ban.reason == "10 different failures within an hour, at a threshold of 10: 10 unknown MACs"
    assert ban.evidence["threshold"] == "10"
    assert ban.evidence["keys"][0] == ["unknown-mac", "00005e540000", "", NOON.timestamp()]
    assert FailureKey.objects.count() == 10
    assert publishing.build_lists(1, timezone.now()).banned == ()


@pytest.mark.rule("B3")
def test_a_line_that_is_read_twice_is_one_row(stage: Stage) -> None:
    stage.scan(10)
    lines = [
        pressed.unpack_earned(entry[pressed.EARNED])
        for _, entry in stage.store.xrange(wire.NOTES)
        if pressed.EARNED in entry
    ]

    earned.write(lines, timezone.now())
    earned.write(lines, timezone.now())

    assert Ban.objects.count() == 1


@pytest.mark.rule("B3")
def test_the_second_in_a_day_is_four_hours_the_third_a_day_then_a_block_is_proposed(stage: Stage) -> None:
    lengths = []
    for turn in range(3):
        stage.scan(10, first=100 * turn)
        stage.drain()
        ban = Ban.objects.latest("pk")
        lengths.append((ban.step, ban.ends_at - ban.starts_at, ban.propose_block))
        stage.clock.move_to(ban.ends_at + timedelta(seconds=1))

    hours = [timedelta(hours=hours) for hours in (1, 4, 24)]
    assert lengths == [(1, hours[0], False), (2, hours[1], False), (3, hours[2], True)]
    assert not Ban.objects.filter(kind=Ban.Kind.BLOCKED).exists()


@pytest.mark.rule("B5")
def test_the_accounts_whose_phones_live_there_are_told_once_with_their_evidence(stage: Stage) -> None:
    phone, other = (
        make_phone(stage.tree.acme, by=stage.tree.ana),
        make_phone(stage.tree.acme, by=stage.tree.ana),
    )
    for device in (phone, other):
        proved(device, OFFICE)
    bind(other, ELSEWHERE)
    with committed():
        publishing.publish_devices([other.pk])
    keeper.rebuild(timezone.now())

    stage.ask(other.mac)  # locked elsewhere: a key, since two phones are no crowd
    stage.scan(9)
    stage.drain()

    (incident,) = Incident.objects.all()
    assert (incident.kind, incident.account) == (Incident.Kind.BAN, stage.tree.acme)
    assert (
        incident.title == "203.0.113.10, where 2 of your phones live, is banned until Mon 2 Mar, 14:00 CET."
    )
    keys = incident.evidence["keys"]
    assert ["locked-mac", other.mac, str(stage.tree.acme.code), NOON.timestamp()] in keys
    assert all(key[1] in ("", other.mac) for key in keys)
    ban = Ban.objects.get()
    assert telling.tell("banned", stage.tree.acme.pk, str(ban.code), now=timezone.now()) == 1
    assert OFFICE in mail.outbox[0].subject
    stage.passes(hours=1, seconds=1)
    with committed():
        earned.sweep(timezone.now())
    incident.refresh_from_db()
    assert (incident.ended_at, incident.how_ended) == (ban.ends_at, "Its time was over.")


@pytest.mark.rule("B1")
def test_phones_that_arrive_end_a_ban_they_outweigh_and_it_was_never_earned(stage: Stage) -> None:
    phones = stage.working(10)
    stage.scan(10)
    stage.drain()
    assert stage.is_banned

    for phone in phones:
        assert stage.polls(phone).verdict.outcome is Outcome.FULL

    assert not stage.is_banned  # at once, before the drain has read a line
    stage.drain()
    ban = Ban.objects.get()
    assert (ban.lifted_by, ban.lifted_at) == (earned.BY_PROOF, NOON)
    assert not Incident.objects.going_on().exists()
    assert Proof.objects.count() == 10


@pytest.mark.rule("B1")
def test_what_the_drain_proves_ends_it_too(stage: Stage) -> None:
    """Phones that prove nothing by a token, and all of an IPv6 /56, are known by their rows alone."""
    phones = stage.working(10, ELSEWHERE)
    stage.scan(10)
    stage.drain()

    with committed():
        earned.prove([(phone, origin(OFFICE)) for phone in phones], timezone.now())

    assert not stage.is_banned
    stage.drain()
    assert Ban.objects.get().lifted_by == earned.BY_PROOF


@pytest.mark.rule("B5")
def test_a_phone_that_shows_itself_at_a_banned_address_has_its_account_told(stage: Stage) -> None:
    (phone,) = stage.working(1)
    stage.scan(11)
    stage.drain()
    assert not Incident.objects.exists()

    stage.polls(phone)
    stage.drain()

    assert stage.is_banned
    assert Incident.objects.get().account == stage.tree.acme


@pytest.mark.rule("B5")
def test_what_a_person_has_closed_is_not_told_again_while_the_ban_stands(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, str]] = []
    monkeypatch.setattr(publishing, "tell_later", lambda *what: asked.append(what))
    phone, later = stage.working(2)
    stage.scan(11)
    stage.polls(phone)
    stage.drain()
    row = Incident.objects.get()
    incidents.close(row, by=stage.tree.ana, reason="We know who it is", now=row.opened_at)

    stage.polls(later)
    stage.drain()

    assert stage.is_banned
    assert Incident.objects.get().how_ended == "We know who it is"
    assert [what for what, _, _ in asked] == ["banned"]


@pytest.mark.rule("B7")
def test_lifting_frees_the_address_at_once_and_forgets_nothing(stage: Stage) -> None:
    stage.scan(10)
    stage.drain()

    with committed():
        bans.lift(Ban.objects.get(), by=stage.tree.support, reason="Their own installer")

    assert not stage.is_banned
    stage.passes(seconds=1)
    stage.scan(10)  # the same ten: they have counted
    assert not stage.is_banned
    stage.scan(10, first=10)
    stage.drain()
    assert Ban.objects.latest("pk").step == 2


@pytest.mark.rule("B7")
def test_lifting_with_the_store_away_is_made_good_by_the_sweeper(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.scan(10)
    stage.drain()

    def away(*_: object, **__: object) -> None:
        raise redis.ConnectionError

    with monkeypatch.context() as patch, committed():
        patch.setattr(publishing, "publish_lifted", away)
        bans.lift(Ban.objects.get(), by=stage.tree.support)
    assert stage.is_banned

    stage.passes(seconds=10)
    publishing.sweep(timezone.now())

    assert not stage.is_banned


@pytest.mark.rule("B8")
def test_an_allowance_ends_a_ban_and_turns_the_next_into_an_alert(stage: Stage) -> None:
    stage.scan(10)
    stage.drain()
    with committed():
        allowed = allowances.propose(
            stage.tree.acme,
            parse_network(OFFICE),
            by=stage.tree.ana,
            reason="200 new phones next week",
            length=timedelta(days=30),
        )
        allowances.grant(allowed, by=stage.tree.rita)
    assert not stage.is_banned

    stage.passes(seconds=1)
    stage.scan(500, first=1000)
    stage.drain()

    assert not stage.is_banned
    incident = Incident.objects.get(kind=Incident.Kind.PRESSURE)
    assert incident.account == stage.tree.acme
    assert "500 different failures" in incident.title
    turned = Ban.objects.latest("pk")
    assert (turned.lifted_by, turned.lifted_at) == (earned.BY_ALLOWANCE, turned.starts_at)
    stage.passes(hours=1, seconds=1)
    earned.sweep(timezone.now())
    incident.refresh_from_db()
    assert incident.ended_at is not None


@pytest.mark.rule("E14", "B1")
def test_an_approved_phone_takes_its_failure_back_and_the_ban_with_it(stage: Stage) -> None:
    phone = make_phone(stage.tree.acme, by=stage.tree.ana)
    bind(phone, ELSEWHERE)
    with committed():
        publishing.publish_devices([phone.pk])
    stage.ask(phone.mac)
    stage.drain()
    card = Approval.objects.get(device=phone)
    stage.scan(9)
    stage.drain()
    assert stage.is_banned

    with committed():
        approvals.answer(card, by=stage.tree.ana, decision="once")

    assert not stage.is_banned
    stage.drain()
    assert Ban.objects.get().lifted_by == earned.BY_PROOF


@pytest.mark.rule("B1", "B3")
def test_an_emptied_store_gets_back_bans_proofs_failures_and_what_counted(stage: Stage) -> None:
    phones = stage.working(12, ELSEWHERE)
    for phone in phones:
        stage.polls(phone, ELSEWHERE)
    stage.scan(10)
    stage.scan(5, ELSEWHERE, first=50)
    stage.drain()
    until = stage.standing()

    stage.store.flushall()
    keeper.rebuild(timezone.now())

    assert stage.standing() == until
    assert stage.ask("00005e54ffff").verdict.rule == "G1"
    stage.scan(5, ELSEWHERE, first=60)
    assert stage.standing(ELSEWHERE) <= timezone.now().timestamp()  # 10 keys at 10 + 10 % of 12
    stage.scan(1, ELSEWHERE, first=70)
    assert stage.standing(ELSEWHERE) > timezone.now().timestamp()
    stage.passes(hours=1, seconds=1)
    stage.scan(10)
    assert not stage.is_banned  # they counted before the flush
    stage.scan(10, first=200)
    assert stage.standing() == pytest.approx(timezone.now().timestamp() + 4 * 3600, abs=1)


@pytest.mark.rule("B1", "B3")
def test_a_ban_that_proofs_ended_leaves_nothing_behind_a_flush(stage: Stage) -> None:
    phones = stage.working(10)
    stage.scan(10)
    for phone in phones:
        stage.polls(phone)
    stage.drain()

    stage.store.flushall()
    keeper.rebuild(timezone.now())

    assert not stage.is_banned
    stage.scan(1, first=30)  # with the ten of before eleven, at 10 + 10 % of 10
    assert stage.is_banned
    stage.drain()
    assert Ban.objects.latest("pk").step == 1


@pytest.mark.rule("B1")
def test_who_left_or_was_proved_too_long_ago_lifts_no_threshold(stage: Stage) -> None:
    stays, leaves, old = stage.working(3)
    for phone in (stays, leaves, old):
        stage.polls(phone)
    stage.drain()
    proved_there = pressed.Place.of(origin(OFFICE)).proved
    assert stage.store.hkeys(proved_there) == [p.mac.encode() for p in (stays, leaves, old)]

    with committed():
        entering.remove(leaves, by=stage.tree.ana)
    Proof.objects.filter(device=old).update(at=timezone.now() - timedelta(days=31))
    assert earned.unprove_old(timezone.now()) == 1

    assert stage.store.hkeys(proved_there) == [stays.mac.encode()]


@pytest.mark.rule("B4")
def test_the_claim_trusts_the_edge_about_earned_bans(stage: Stage) -> None:
    """Its row comes and goes after the ban itself."""
    phone = make_phone(stage.tree.acme, by=stage.tree.ana)
    stage.scan(10)
    stage.drain()
    stage.store.set(wire.address_key(origin(OFFICE)), pressed.pack_standing(0))

    answer = claims.claim(making.request(phone, address=OFFICE), now=timezone.now())

    assert answer.verdict.outcome is Outcome.BOOTSTRAP
