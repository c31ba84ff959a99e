"""What if: rows become events again, a job replays them, and its bans stand beside those that there were."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, AuditEntry
from accounts.refusals import Forbidden, Invalid, Refusal
from accounts.roles import Role
from accounts.scope import Actor, Standing
from devices.models import Device
from provisioning import earned, jobs, replaying, tasks
from provisioning.models import FailureKey, Job, ProvedHour
from provisioning.replaying import Wanted
from security.models import Ban
from security.networks import origin_of, parse_address, parse_network
from security.pressure import RULES
from security.what_if import Failed, Known
from tests.provisioning.making import make_account, support

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3600, 86400))
HERE, THERE = "203.0.113.24", "203.0.113.25"

pytestmark = [pytest.mark.django_db, pytest.mark.rule("B9")]


@pytest.fixture
def platform() -> Account:
    return make_account("platform", kind=Account.Kind.PLATFORM)


@pytest.fixture
def acme(platform: Account) -> Account:
    return make_account("acme", platform)


@pytest.fixture
def now() -> Iterator[datetime]:
    with time_machine.travel(NOW, tick=False):
        yield NOW


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that a worker would have been handed."""
    handed: list[int] = []
    monkeypatch.setattr(jobs, "hand_over", handed.append)
    return handed


def where(address: str) -> dict[str, str]:
    origin = origin_of(parse_address(address))
    return {"first": origin.hex_first, "last": origin.hex_last}


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def failed(number: int, at: datetime, address: str = HERE, **more: Any) -> FailureKey:
    values = {
        "kind": "unknown-mac",
        "label": f"00005e02{number:04x}",
        "first_at": at,
        "last_at": at,
        "hour": hour_of(at),
    }
    return FailureKey.objects.create(**where(address), **(values | more))


def known(at: datetime, proved: int, address: str = HERE, **more: Any) -> ProvedHour:
    entry = [at.timestamp(), proved, more.get("crowds", {}), more.get("windows", 0), more.get("allowed", "")]
    return ProvedHour.objects.create(**where(address), hour=hour_of(at), counts=[entry])


def banned(at: datetime, *, length: timedelta = HOUR, address: str = HERE, **more: Any) -> Ban:
    values = {"step": 1, "set_by": "earned (B3)", "starts_at": at, "ends_at": at + length}
    return Ban.objects.create(kind=Ban.Kind.BANNED, **where(address), **(values | more))


def played(wanted: Wanted | None = None) -> dict[str, Any]:
    """What a job makes of the rows."""
    job = replaying.start(wanted or Wanted(), by=support(), now=NOW)
    replaying.run(job.pk)
    job.refresh_from_db()
    result: dict[str, Any] = job.params["result"]
    return result


def told(since: datetime = NOW - HOUR, until: datetime = NOW) -> list[Any]:
    return list(replaying.events(since, until))


# --- rows to events ----------------------------------------------------------------------------------------


def test_a_key_is_an_event_at_its_first_and_at_its_last_time(platform: Account) -> None:
    at = NOW - 30 * MINUTE
    failed(1, at)
    failed(2, at + SECOND, last_at=at + 20 * MINUTE, count=2)

    events = told()

    address, first = parse_address(HERE), at.timestamp()
    assert events == [
        Failed(first, address, "unknown-mac", "00005e020001"),
        Failed(first + 1, address, "unknown-mac", "00005e020002"),
        Failed(first + 1200, address, "unknown-mac", "00005e020002"),
    ]


def test_what_tries_all_the_time_is_there_all_the_time(platform: Account) -> None:
    """A key is one again an hour after it became one: the row of an hour does not say when."""
    at = NOW - HOUR
    failed(1, at, last_at=at + 31 * MINUTE, count=12)
    failed(2, at, last_at=at + 31 * MINUTE, count=2)

    def minutes(label: str) -> list[float]:
        return [(event.at - at.timestamp()) / 60 for event in told() if event.label == label]

    assert minutes("00005e020001") == [0, 5, 10, 15, 20, 25, 30, 31]
    assert minutes("00005e020002") == [0, 31]


def test_a_locked_mac_is_its_accounts(acme: Account) -> None:
    Device.objects.create(account=acme, mac="00005e020001", family="yealink", model="T46S")
    failed(1, NOW - MINUTE, kind="locked-mac")
    failed(2, NOW - MINUTE, kind="locked-mac")
    failed(3, NOW - MINUTE)

    assert {event.label: event.account for event in told()} == {
        "00005e020001": str(acme.code),
        "00005e020002": "",
        "00005e020003": "",
    }


def test_what_is_known_of_a_moment_comes_before_its_failures(platform: Account) -> None:
    at = NOW - 30 * MINUTE
    failed(1, at)
    known(at, 40, crowds={"a": 30}, windows=7, allowed="203.0.113.0/24")

    assert told() == [
        Known(at.timestamp(), parse_address(HERE), 40, {"a": 30}, 7, parse_network("203.0.113.0/24")),
        Failed(at.timestamp(), parse_address(HERE), "unknown-mac", "00005e020001"),
    ]


def test_the_keys_of_a_ban_are_known_from_its_evidence(acme: Account) -> None:
    """Of a fast scan an edge writes two hundred notes; the ban knows all its keys."""
    at = NOW - HOUR
    keys = [
        ["unknown-mac", f"00005e02{number:04x}", "", (at - 2 * SECOND + number * SECOND).timestamp()]
        for number in range(4)
    ]
    keys[3] = ["locked-mac", keys[3][1], str(acme.code), keys[3][3]]
    banned(at + 5 * SECOND, evidence={"keys": keys})
    banned(at + 5 * SECOND, evidence={"keys": keys}, step=0)  # set by somebody
    wide = parse_network("2001:db8::/48")
    Ban.objects.create(
        kind=Ban.Kind.BANNED, first=wide.hex_first, last=wide.hex_last, step=1, set_by="earned",
        starts_at=at + SECOND, ends_at=at + HOUR, evidence={"keys": keys},
    )  # fmt: skip

    events = told(since=at - HOUR)

    assert [(event.label[-1], event.account) for event in events] == [
        ("0", ""),
        ("1", ""),
        ("2", ""),
        ("3", str(acme.code)),
    ]
    assert [event.at for event in events] == [key[3] for key in keys]


def test_events_are_in_order_and_a_longer_time_costs_no_more_memory_or_queries_an_hour(
    platform: Account,
) -> None:
    for number in range(60):
        failed(number, NOW - number * 7 * MINUTE - SECOND, address=[HERE, THERE][number % 2])
        known(NOW - number * HOUR, number)

    events = told(since=NOW - 3 * DAY)
    with CaptureQueriesContext(connection) as caught:
        assert next(replaying.events(NOW - HOUR, NOW)) is not None

    assert [event.at for event in events] == sorted(event.at for event in events)
    assert len(events) == 120 - 1  # what is known of this very hour
    assert len(caught) == 3


# --- a job -------------------------------------------------------------------------------------------------


def test_other_thresholds_ban_other_addresses(platform: Account, queued: list[int], now: datetime) -> None:
    for number in range(7):
        failed(number, now - DAY + number * SECOND)
    for number in range(30):
        failed(number, now - DAY + HOUR + number * SECOND, THERE)
    known(now - DAY + HOUR, 180, THERE)
    real = banned(now - DAY + HOUR + 27 * SECOND, address=THERE)

    as_today = played()
    stricter = played(Wanted(base=5, percent=5, hours=(2, 3, 4)))
    looser = played(Wanted(base=31, days=2))

    start = now - DAY
    assert [(ban["network"], ban["since"], ban["hit"], ban["keys"]) for ban in as_today["bans"]] == [
        (THERE, (start + HOUR + 27 * SECOND).isoformat(), 180, 28)
    ]
    assert as_today["bans"][0]["was"] == {
        "network": THERE,
        "since": real.starts_at.isoformat(),
        "until": real.ends_at.isoformat(),
        "step": 1,
    }
    assert (as_today["would_be"], as_today["there_were"], as_today["again"]) == (1, 1, 1)
    assert as_today["spared"] == []
    assert [(ban["network"], ban["since"], ban["hit"], ban["until"]) for ban in stricter["bans"]] == [
        (THERE, (start + HOUR + 13 * SECOND).isoformat(), 180, (start + 3 * HOUR + 13 * SECOND).isoformat()),
        (HERE, (start + 4 * SECOND).isoformat(), 0, (start + 2 * HOUR + 4 * SECOND).isoformat()),
    ]
    assert (stricter["with_phones"], stricter["hit"]) == (1, 180)
    assert looser["bans"] == []
    assert [ban["network"] for ban in looser["spared"]] == [THERE]
    assert (looser["there_were"], looser["again"]) == (1, 0)


def test_what_counted_in_the_week_before_is_spent(
    platform: Account, queued: list[int], now: datetime
) -> None:
    """A ban is judged by what came before the days that were asked for, and is not shown for itself."""
    for day in (5, 1):
        for number in range(10):
            failed(number, now - day * DAY + number * SECOND)

    assert played(Wanted(days=3))["would_be"] == 0
    assert played(Wanted(days=6))["would_be"] == 1


def test_bans_that_a_person_set_or_that_are_older_are_not_compared(
    platform: Account, queued: list[int], now: datetime
) -> None:
    banned(now - DAY, step=0)
    banned(now - 3 * DAY)
    banned(now - DAY, lifted_at=now - DAY, address=THERE)
    banned(now - DAY, lifted_at=now - DAY, lifted_by=earned.BY_ALLOWANCE, address="203.0.113.26")  # an alert

    result = played(Wanted(days=2))

    assert [(ban["network"], ban["since"], ban["until"]) for ban in result["spared"]] == [
        (THERE, (now - DAY).isoformat(), (now - DAY).isoformat())
    ]


def test_only_platform_support_may_ask(platform: Account, acme: Account, queued: list[int]) -> None:
    below = Actor(label="Sue", standings=(Standing(acme.path, Role.SUPPORT),))
    manager = Actor(label="Ana", standings=(Standing(platform.path, Role.MANAGER),))

    for somebody in (below, manager):
        with pytest.raises(Forbidden) as forbidden:
            replaying.start(Wanted(), by=somebody)
        assert forbidden.value.rule == "B7"

    assert Job.objects.count() == 0
    assert queued == []


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted(base=0), "base"),
        (Wanted(percent=101), "percent"),
        (Wanted(most=0), "most"),
        (Wanted(allowed=100_001), "allowed"),
        (Wanted(crowd=9), "crowd"),
        (Wanted(days=31), "days"),
        (Wanted(days=0), "days"),
        (Wanted(hours=(1, 4)), "hours"),
        (Wanted(hours=(1, 4, 169)), "hours"),
    ],
)
def test_what_cannot_be_tried_is_named(platform: Account, wanted: Wanted, field: str) -> None:
    with pytest.raises(Invalid) as invalid:
        replaying.start(wanted, by=support())

    assert invalid.value.field == field
    assert Job.objects.count() == 0


def test_one_at_a_time_and_a_worker_that_died_keeps_nobody_waiting(
    platform: Account, queued: list[int]
) -> None:
    first = replaying.start(Wanted(base=3), by=support(), now=NOW)

    with pytest.raises(Refusal) as refused:
        replaying.start(Wanted(), by=support(), now=NOW + MINUTE)
    later = replaying.start(Wanted(), by=support(), now=NOW + 3 * MINUTE)

    assert refused.value.code == "busy"
    first.refresh_from_db()
    assert first.finished_at == NOW + 3 * MINUTE
    assert "result" not in first.params
    assert list(Job.objects.filter(finished_at=None)) == [later]


def test_a_job_says_how_far_it_is_and_is_done_once(
    platform: Account, queued: list[int], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        failed(number, now - 15 * DAY + number * SECOND)
    failed(11, now - MINUTE)
    monkeypatch.setattr(replaying, "SAID_EVERY", 0.0)
    job = replaying.start(Wanted(), by=support(), now=now)
    said: list[int] = []
    say = replaying._say

    def overheard(*args: Any) -> None:
        say(*args)
        said.append(Job.objects.get(pk=job.pk).params["progress"]["percent"])
        if len(said) > 1:
            tasks.run_job(job.pk)  # another worker takes it up meanwhile

    monkeypatch.setattr(replaying, "_say", overheard)

    tasks.run_job(job.pk)
    tasks.run_job(job.pk)

    assert said == sorted(said)
    assert (said[0], said[1], said[-1], len(said)) == (0, 50, 99, 12)
    job.refresh_from_db()
    assert job.params["result"]["would_be"] == 1
    assert job.finished_at == now
    verbs = AuditEntry.objects.filter(target_code=str(job.code)).values_list("verb", flat=True)
    assert sorted(verbs) == ["job.finished", "job.started"]


def test_one_that_fails_is_over_and_not_tried_for_ever(
    platform: Account, queued: list[int], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = replaying.start(Wanted(), by=support(), now=now)

    def broken(*args: Any) -> Any:
        raise ValueError("a row cannot be read")

    monkeypatch.setattr(replaying, "compared", broken)
    with pytest.raises(ValueError, match="cannot be read"):
        replaying.run(job.pk)

    job.refresh_from_db()
    assert job.finished_at == now
    assert "result" not in job.params


def test_todays_rules_are_what_is_tried_unless_something_else_is_said() -> None:
    assert Wanted().rules == RULES
    assert Wanted(base=3, percent=4, most=5, allowed=6, crowd=17, hours=(8, 9, 10)).rules == type(RULES)(
        base=3, percent=4, most=5, allowed=6, crowd=17, lengths=(28800.0, 32400.0, 36000.0)
    )
