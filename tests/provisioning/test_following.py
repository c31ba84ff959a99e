"""The binding follows a phone that stays elsewhere, slowly, and nothing else makes it follow (O4)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.utils import timezone

from accounts.models import Account, AuditEntry
from accounts.scope import Actor
from devices.models import Device
from devices.settings_tree import set_value
from provisioning import claims, events, following, locking, policies, publishing, sites, wire
from provisioning.gate import TokenKind
from provisioning.models import Denial, DeviceEvent, Lock, Token
from provisioning.spans import Span
from security.models import Ban
from security.networks import parse_address
from tests.factories import AWAY, ELSEWHERE, HOME, banned, make_phone, make_site, origin, proved
from tests.provisioning.making import request
from tests.provisioning.notes import DAY, HOUR, drain, used
from tests.provisioning.verb_checks import lock_of, set_lock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock"), pytest.mark.rule("O4")]

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
def working(phone: Device, clock: Any) -> Device:
    """Ben's phone, set up at HOME an hour ago, at its private URL since."""
    claims.claim(request(phone, HOME), now=timezone.now())
    clock.shift(MINUTE)
    token = Token.objects.get(device=phone, kind=TokenKind.CURRENT.value)
    claims.first_use(token.hash, parse_address(HOME), now=timezone.now())
    clock.shift(HOUR)
    return phone


@pytest.fixture
def now(working: Device) -> datetime:
    return timezone.now()


def polls(device: Device, *uses: tuple[str, timedelta], **more: Any) -> None:
    """The phone checks in from these addresses, so long from now each, and each is drained as it comes."""
    start = timezone.now()
    for address, after in uses:
        drift = address != HOME
        drain(used(device, address, start + after, drift=drift, **more), now=start + after)


def bound_to(device: Device) -> str:
    return str(lock_of(device).bound_network)


def candidate_of(device: Device) -> tuple[str, datetime | None]:
    lock = lock_of(device)
    return lock.follow_first, lock.follow_since


# --- slowly ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("later", "follows"), [(DAY - SECOND, False), (DAY, True), (3 * DAY, True)])
def test_it_follows_when_the_phone_was_used_there_an_interval_apart(
    working: Device, now: datetime, later: timedelta, follows: bool
) -> None:
    polls(working, (AWAY, timedelta()), (AWAY, later))

    assert bound_to(working) == (AWAY if follows else HOME)


def test_one_use_is_not_enough(working: Device, now: datetime) -> None:
    polls(working, (AWAY, 30 * DAY))

    assert bound_to(working) == HOME
    assert candidate_of(working) == (origin(AWAY).hex_first, now + 30 * DAY)


def test_a_use_at_home_in_between_starts_anew(working: Device) -> None:
    polls(working, (AWAY, timedelta()), (HOME, 20 * HOUR))
    assert candidate_of(working) == ("", None)
    polls(working, (AWAY, DAY))
    assert bound_to(working) == HOME

    polls(working, (AWAY, 2 * DAY))

    assert bound_to(working) == AWAY


def test_another_new_place_starts_anew(working: Device, now: datetime) -> None:
    polls(working, (AWAY, timedelta()), (ELSEWHERE, 20 * HOUR), (AWAY, DAY), (AWAY, 47 * HOUR))
    assert bound_to(working) == HOME

    polls(working, (AWAY, 2 * DAY))

    assert bound_to(working) == AWAY


def test_all_of_it_may_come_in_one_batch_in_any_order(working: Device, now: datetime) -> None:
    uses = [(AWAY, DAY), (HOME, 12 * HOUR), (AWAY, timedelta()), (AWAY, 2 * DAY)]
    notes = [used(working, address, now + after, drift=address != HOME) for address, after in uses]

    drain(*notes, now=now + 3 * DAY)

    lock = lock_of(working)
    assert (str(lock.bound_network), lock.since, lock.by) == (AWAY, now + 2 * DAY, "the phone (O4)")
    assert lock.follow_first == ""
    assert lock.follow_since is None


def test_within_a_batch_it_is_the_time_that_counts(working: Device, now: datetime) -> None:
    uses = [(AWAY, timedelta()), (AWAY, DAY), (HOME, 12 * HOUR)]

    drain(*(used(working, a, now + after, drift=a != HOME) for a, after in uses), now=now + DAY)

    assert (bound_to(working), candidate_of(working)[1]) == (HOME, now + DAY)


def test_a_late_note_from_home_clears_nothing_that_began_after_it(working: Device, now: datetime) -> None:
    polls(working, (AWAY, 2 * HOUR))
    drain(used(working, HOME, now + HOUR, drift=False), now=now + 3 * HOUR)
    assert candidate_of(working)[1] == now + 2 * HOUR

    polls(working, (AWAY, DAY + 2 * HOUR))

    assert bound_to(working) == AWAY


def test_a_repeated_note_is_no_second_use(working: Device, now: datetime) -> None:
    for _ in range(3):
        drain(used(working, AWAY, now, drift=True), now=now + 2 * DAY)

    assert bound_to(working) == HOME


def test_neighbours_of_one_64_are_one_place(working: Device) -> None:
    polls(working, ("2001:db8:1:2::3", timedelta()), ("2001:db8:1:2:ffff::9", DAY))

    assert bound_to(working) == "2001:db8:1:2::/64"


# --- by its current token alone ----------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [{"current": False}, {"current": False, "clone": True, "drift": False}])
def test_a_former_token_moves_no_binding(working: Device, mark: dict[str, bool]) -> None:
    start = timezone.now()
    for after in (timedelta(), DAY, 2 * DAY):
        drain(used(working, AWAY, start + after, **{"drift": True, **mark}), now=start + after)

    assert bound_to(working) == HOME
    assert candidate_of(working) == ("", None)


def test_one_check_in_is_noted_alone(working: Device, now: datetime) -> None:
    for after in (timedelta(), DAY):
        following.note_use(
            working, address=parse_address(AWAY), at=now + after, current=False, drift=True, now=now
        )
    assert bound_to(working) == HOME
    for after in (timedelta(), DAY):
        working.refresh_from_db()
        following.note_use(
            working, address=parse_address(AWAY), at=now + after, current=True, drift=True, now=now
        )

    assert bound_to(working) == AWAY


# --- where it may not go -----------------------------------------------------------------------------------


def shared(device: Device, by: dict[str, Any]) -> None:
    for account, person in ((by["acme"], by["ana"]), (by["globex"], by["eve"])):
        proved(make_phone(account, by=person), AWAY)


def denied(device: Device, by: dict[str, Any]) -> None:
    where, now = origin(AWAY), timezone.now()
    Denial.objects.create(
        lock=device.lock,
        first=where.hex_first,
        last=where.hex_last,
        since=now,
        until=now + 30 * DAY,
        by="Ana",
    )


def without_the_policy(device: Device, by: dict[str, Any]) -> None:
    policies.set_value(device.account, by=by["ana"], name="origin_follows", value=False)


def over_http(device: Device, by: dict[str, Any]) -> None:
    by["settings"].PHONES_URL = "http://phones.example.org"


def without_tls(device: Device, by: dict[str, Any]) -> None:
    Device.objects.filter(pk=device.pk).update(model="T28P")


def https_off(device: Device, by: dict[str, Any]) -> None:
    set_value(device, by=by["ana"], name="provision_over_https_only", value=False)


def banned_there(device: Device, by: dict[str, Any]) -> None:
    Ban.objects.filter(pk=banned(AWAY).pk).update(ends_at=timezone.now() + 60 * DAY)


def blocked_there(device: Device, by: dict[str, Any]) -> None:
    ban = banned(AWAY, kind=Ban.Kind.BLOCKED)
    Ban.objects.filter(pk=ban.pk).update(ends_at=timezone.now() + 60 * DAY)


@pytest.mark.parametrize(
    "hindrance",
    [shared, denied, without_the_policy, over_http, without_tls, https_off, banned_there, blocked_there],
)
def test_where_and_when_it_does_not_follow(
    working: Device,
    hindrance: Callable[[Device, dict[str, Any]], None],
    request: pytest.FixtureRequest,
) -> None:
    names = ("acme", "globex", "ana", "eve", "settings")
    hindrance(working, {name: request.getfixturevalue(name) for name in names})
    before = Lock.objects.filter(pk=working.pk).values("bound_first", "since", "by", "revision").get()

    polls(working, (AWAY, timedelta()), (AWAY, DAY), (AWAY, 2 * DAY))

    lock = Lock.objects.filter(pk=working.pk).values("bound_first", "since", "by", "revision").get()
    lock["revision"] = before["revision"]  # it grows with what the token is used from
    assert lock == before
    assert not DeviceEvent.objects.filter(what="origin-followed").exists()


def test_proofs_of_this_very_batch_make_a_place_shared(
    working: Device, globex: Account, eve: Actor, now: datetime
) -> None:
    other = make_phone(globex, by=eve)
    polls(working, (AWAY, timedelta()))

    both = (used(working, AWAY, now + DAY, drift=True), used(other, AWAY, now + DAY, drift=False))
    drain(*both, now=now + DAY)

    assert bound_to(working) == HOME


def test_on_one_machine_for_trial_it_follows_over_http(working: Device, settings: Any) -> None:
    settings.PHONES_URL, settings.LATCHKEY_TRIAL = "http://127.0.0.1:8100", True

    polls(working, (AWAY, timedelta()), (AWAY, DAY))

    assert bound_to(working) == AWAY


# --- only while nothing else has changed -------------------------------------------------------------------


def test_it_waits_while_the_phone_is_unlocked(working: Device, ana: Actor, clock: Any) -> None:
    locking.unlock(working, by=ana, span=Span.parse("first-fetch"))
    clock.shift(MINUTE)

    polls(working, (AWAY, timedelta()), (AWAY, DAY), (AWAY, 2 * DAY))

    assert (lock_of(working).state, bound_to(working)) == ("unlocked", HOME)


@pytest.mark.parametrize("change", ["unlocked and locked again", "claimed at home"])
def test_what_was_used_before_the_lock_changed_does_not_count(
    working: Device, ana: Actor, clock: Any, change: str
) -> None:
    polls(working, (AWAY, timedelta()))
    clock.shift(12 * HOUR)
    if change == "claimed at home":
        assert claims.claim(request(working, HOME), now=timezone.now()).verdict.rule == "R4"
    else:
        locking.unlock(working, by=ana)
        locking.lock_again(working, by=ana)

    polls(working, (AWAY, 12 * HOUR))
    assert (bound_to(working), candidate_of(working)[1]) == (HOME, timezone.now() + 12 * HOUR)

    polls(working, (AWAY, 36 * HOUR))
    assert bound_to(working) == AWAY


def test_a_note_from_before_the_lock_changed_says_nothing(working: Device, clock: Any, now: datetime) -> None:
    clock.shift(DAY)
    assert claims.claim(request(working, HOME), now=timezone.now()).verdict.rule == "R4"
    clock.shift(MINUTE)

    late = (used(working, AWAY, now, drift=True), used(working, AWAY, now + DAY, drift=True))
    drain(*late, now=timezone.now())

    assert (bound_to(working), candidate_of(working)) == (HOME, ("", None))


def test_a_phone_that_is_bound_to_nothing_follows_nowhere(working: Device) -> None:
    set_lock(working, bound_first="", bound_last="")

    polls(working, (AWAY, timedelta()), (AWAY, DAY))

    assert lock_of(working).bound_network is None
    assert candidate_of(working) == ("", None)


# --- sites -------------------------------------------------------------------------------------------------


def test_at_a_site_of_the_account_it_is_bound_to_the_site(working: Device, acme: Account, ana: Actor) -> None:
    site = make_site(acme, by=ana, name="Yard", networks=("198.51.100.0/28", "192.0.2.0/24"))

    polls(working, (AWAY, timedelta()), (ELSEWHERE, DAY))

    lock = lock_of(working)
    assert (lock.bound_site, lock.bound_first) == (site, "")
    event = DeviceEvent.objects.get(device=working, what="origin-followed")
    assert event.details == {"old": HOME, "new": "Yard"}


def test_from_a_site_it_follows_to_an_address(working: Device, acme: Account, ana: Actor) -> None:
    set_lock(working, bound_site=make_site(acme, by=ana, networks=(HOME,)), bound_first="", bound_last="")

    polls(working, (AWAY, timedelta()), (AWAY, DAY))

    lock = lock_of(working)
    assert (lock.bound_site, str(lock.bound_network)) == (None, AWAY)


def test_a_network_that_joins_its_site_meanwhile_is_home(working: Device, acme: Account, ana: Actor) -> None:
    site = make_site(acme, by=ana, networks=(HOME,))
    set_lock(working, bound_site=site, bound_first="", bound_last="")
    polls(working, (AWAY, timedelta()))
    sites.add_network(site, by=ana, network=AWAY)

    polls(working, (AWAY, DAY))

    assert lock_of(working).bound_site == site
    assert candidate_of(working) == ("", None)
    assert not DeviceEvent.objects.filter(what="origin-followed").exists()


# --- what is written down ----------------------------------------------------------------------------------


def test_it_is_told_audited_and_published(
    working: Device, now: datetime, store: redis.Redis, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        polls(working, (AWAY, timedelta()), (AWAY, DAY))

    entry = AuditEntry.objects.get(verb="device.origin-followed")
    assert (entry.actor, entry.details) == ("the phone (O4)", {"old": HOME, "new": AWAY})
    event = DeviceEvent.objects.get(device=working, what="origin-followed")
    assert (event.rule, event.at, event.address) == ("O4", now + DAY, AWAY)
    assert events.described(event).sentence == (
        f"It stayed at {AWAY} for a day, so it is locked to {AWAY} instead of {HOME}."
    )
    record = wire.unpack_lock(store.get(wire.mac_key(working.mac)) or b"")
    assert record is not None
    assert record.facts.bound == (origin(AWAY),)


def test_a_reset_where_it_stays_needs_nobody_then(working: Device, clock: Any) -> None:
    assert claims.claim(request(working, AWAY), now=timezone.now()).verdict.rule == "R6"
    polls(working, (AWAY, timedelta()), (AWAY, DAY))
    clock.shift(2 * DAY)

    assert claims.claim(request(working, AWAY), now=timezone.now()).verdict.rule == "R4"
    assert claims.claim(request(working, HOME), now=timezone.now()).verdict.rule == "R6"


def test_phones_at_their_place_cost_no_query(working: Device, django_assert_num_queries: Any) -> None:
    device = Device.objects.select_related("lock").get(pk=working.pk)
    use = following.Use(device, parse_address(HOME), timezone.now(), drift=False, token="")

    with django_assert_num_queries(0):
        following.note_uses([use] * 100, now=timezone.now())


# --- a poll from a new address -----------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    asked: list[tuple[str, int, str]] = []
    monkeypatch.setattr(publishing, "tell_later", lambda *what: asked.append(what))
    return asked


@pytest.fixture
def watched(working: Device, ana: Actor) -> Device:
    policies.set_value(working.account, by=ana, name="poll_from_new_origin", value="alert")
    return working


def drifts(device: Device) -> list[str]:
    rows = DeviceEvent.objects.filter(device=device, what="origin-drift").order_by("at")
    return list(rows.values_list("address", flat=True))


def test_a_new_address_is_told_once(watched: Device, told: list[tuple[str, int, str]]) -> None:
    polls(watched, (AWAY, timedelta()), (HOME, HOUR), (AWAY, 2 * HOUR), (ELSEWHERE, 3 * HOUR))

    assert drifts(watched) == [AWAY, ELSEWHERE]
    assert told == [("origin-drift", watched.pk, "")] * 2
    event = DeviceEvent.objects.filter(what="origin-drift").latest("at")
    assert events.described(event).sentence == f"First used its private URL from {ELSEWHERE}."


def test_twice_in_one_batch_is_told_once(watched: Device, told: list[Any], now: datetime) -> None:
    drain(*(used(watched, AWAY, now + n * MINUTE, drift=True) for n in range(3)), now=now + HOUR)

    assert (drifts(watched), len(told)) == ([AWAY], 1)


def test_a_site_is_told_once(watched: Device, told: list[Any], acme: Account, ana: Actor) -> None:
    make_site(acme, by=ana, networks=("198.51.100.0/28",))

    polls(watched, (AWAY, timedelta()), ("198.51.100.8", HOUR))

    assert len(told) == 1


@pytest.mark.parametrize(("case", "address"), [("allowed", AWAY), ("at home", HOME)])
def test_otherwise_nothing_is_told(
    working: Device, ana: Actor, told: list[Any], case: str, address: str
) -> None:
    policy = "allow" if case == "allowed" else "alert"
    policies.set_value(working.account, by=ana, name="poll_from_new_origin", value=policy)

    polls(working, (address, timedelta()))

    assert (drifts(working), told) == ([], [])


def test_an_alert_moves_no_binding_and_a_moved_binding_needs_none(
    watched: Device, ana: Actor, told: list[Any]
) -> None:
    policies.set_value(watched.account, by=ana, name="origin_follows", value=False)
    polls(watched, (AWAY, timedelta()), (AWAY, DAY))

    assert (bound_to(watched), len(told)) == (HOME, 1)
