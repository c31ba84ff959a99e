"""Which phones and places are quiet, by plain numbers (rules.md section 7)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from provisioning import silence, silence_rounds
from provisioning.silence import Phone, Place, Quiet, Series, Test, bucket, is_quiet, judge, moment

NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)  # a Wednesday
END = bucket(NOW)
LONG = 35 * 24
EVERY_DAY = (0, 1440)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def spread(phones: int, *, silent: float = 0, interval: float = 24) -> list[Phone]:
    """Phones, evenly spread over their interval, silent for so long (of five the last one 2.4 h more)."""
    found = []
    for number in range(phones):
        last = NOW - timedelta(hours=silent + interval * (number + 0.5) / phones)
        first = bucket(last)
        hours = sorted(first - int(interval) * day for day in range(LONG // int(interval)))
        found.append(Phone(interval, last, hours))
    return found


def even(count: int, *, silent: int = 0, length: int = LONG) -> Series:
    return Series(END - length, [count] * (length - silent) + [0] * silent)


def place(series: Series, phones: Sequence[Phone]) -> Place:
    return Place("site", series, phones)


@pytest.mark.parametrize(
    ("case", "interval", "hours", "quiet"),
    [
        ("daily, at its allowance", 24, 32, False),
        ("daily, past it", 24, 32.01, True),
        ("hourly, at its allowance", 1, 3.25, False),
        ("hourly, past it", 1, 3.26, True),
        ("weekly", 168, 211.9, False),
        ("weekly, past it", 168, 212.1, True),
    ],
)
def test_a_phone_is_quiet_after_a_quarter_more_than_its_interval_and_two_hours(
    case: str, interval: float, hours: float, quiet: bool
) -> None:
    assert is_quiet(Phone(interval, ago(hours)), NOW) is quiet


def test_a_phone_that_never_checked_in_is_not_quiet() -> None:
    assert not is_quiet(Phone(24, None), NOW)


@pytest.mark.parametrize(("silent", "quiet"), [(29, False), (30, True), (7 * 24, True), (20 * 24, True)])
def test_a_place_is_quiet_when_all_its_phones_are(silent: int, quiet: bool) -> None:
    phones = spread(5, silent=silent)

    found = judge(place(even(1, silent=silent), phones), NOW)

    assert (found is not None) is quiet
    if found:
        assert (found.test, found.expected, found.seen) == (Test.PHONES, 5, 0)
        assert found.since == max(phone.last for phone in phones if phone.last)


def test_one_phone_alone_makes_no_silence() -> None:
    assert judge(place(even(1, silent=40), spread(1, silent=40)), NOW) is None


def test_one_phone_that_still_asks_makes_a_place_speak() -> None:
    phones = [*spread(5, silent=40), Phone(24, ago(3), [END - 3])]

    assert judge(place(even(1, silent=40), phones), NOW) is None


def test_a_phone_that_left_long_before_the_others_is_not_waited_for() -> None:
    phones = [*spread(5, silent=40), Phone(24, None), Phone(24, ago(40 + 8 * 24))]

    found = judge(place(even(1, silent=40), phones), NOW)

    assert found is not None
    assert found.expected == 5


def test_hours_in_which_a_site_is_closed_do_not_count() -> None:
    closed = frozenset(range(END - 20, END))
    series = Series(END - LONG, [1] * (LONG - 40) + [0] * 40, closed=closed)

    assert judge(place(series, spread(5, silent=40)), NOW) is None


def test_who_may_have_asked_while_we_did_not_listen_has_an_interval_more() -> None:
    def found(silent: int) -> Quiet | None:
        unknown = {END - silent + 1}
        series = Series(END - LONG, [1] * (LONG - silent) + [0] * silent, unknown=unknown)
        return judge(place(series, spread(5, silent=silent)), NOW)

    assert found(54) is None
    assert found(57) is not None


def test_a_place_in_its_first_week_is_not_judged() -> None:
    young = 7 * 24 - 1
    phones = [Phone(24, phone.last, phone.hours[-5:]) for phone in spread(500, silent=34)]

    assert judge(place(even(20, silent=34, length=young), phones), NOW) is None
    assert judge(place(even(20, silent=34, length=young + 72), phones), NOW) is not None


def test_hours_in_which_no_tenth_was_ever_in_touch_do_not_count() -> None:
    """Phones that have power for the eight hours before noon only, and lost it for good three days ago."""
    days = range(3, 36)
    phones = [
        Phone(1, NOW - timedelta(days=3), sorted(END - 24 * day - hour for day in days for hour in range(8)))
        for _ in range(4)
    ]
    counts = [0] * LONG
    for hour in phones[0].hours:
        if hour >= END - LONG:
            counts[hour - (END - LONG)] = 4

    found = judge(place(Series(END - LONG, counts), phones), NOW)

    assert found is not None
    # Of each day's eight hours the first and the last touch hours without power.
    assert found.hours == 18


@pytest.mark.parametrize(
    ("case", "count", "silent", "window"),
    [
        ("125 an hour: within the hour", 125, 1, 1),
        ("20 an hour: too few for one hour", 20, 1, None),
        ("20 an hour: within three", 20, 3, 3),
        ("5 an hour: within six", 5, 6, 6),
        ("a loud one is no silence", 125, 0, None),
    ],
)
def test_too_few_check_ins_are_heard_in_the_shortest_window_that_can(
    case: str, count: int, silent: int, window: int | None
) -> None:
    found = judge(place(even(count, silent=silent), spread(count * 24, silent=silent)), NOW)

    assert (found and found.hours) == window
    if found:
        assert (found.test, found.seen, found.days) == (Test.COUNT, 0, 28)
        assert found.chance is not None
        assert found.chance < 1e-9


def test_the_alarm_says_since_when() -> None:
    phones = spread(3000, silent=1)

    found = judge(place(even(125, silent=1), phones), NOW)

    assert found is not None
    assert found.since == max(phone.last for phone in phones if phone.last)


def test_a_check_in_that_is_not_due_is_not_missing() -> None:
    """After a power cut all have just asked: the hour is empty, and nobody is late."""
    booted = [Phone(24, ago(1.1)) for _ in range(3000)]
    series = Series(END - LONG, [125] * (LONG - 2) + [3000, 0])

    assert judge(place(series, booted), NOW) is None
    assert judge(place(series, spread(3000, silent=1)), NOW) is not None


def test_phones_that_were_taken_away_are_not_missing() -> None:
    assert judge(place(even(125, silent=6), spread(30)), NOW) is None


@pytest.mark.parametrize("then", [7, 14, 21, 28])
def test_what_the_same_weekday_has_shown_before_is_no_silence(then: int) -> None:
    counts = [125] * LONG
    counts[-1] = counts[-1 - 24 * then] = 0

    assert judge(place(Series(END - LONG, counts), spread(3000, silent=1)), NOW) is None


def test_an_hour_that_comes_late_is_no_silence() -> None:
    """All ask between eleven and noon; today not yet."""
    counts = [200 if hour % 24 == (END - 1) % 24 else 0 for hour in range(END - LONG, END)]
    phones = [Phone(24, ago(24.5)) for _ in range(200)]

    assert judge(place(Series(END - LONG, [*counts[:-1], 0]), phones), NOW) is None


def test_the_window_leaves_out_what_is_closed_or_unknown() -> None:
    counts = [125] * (LONG - 1) + [0]
    phones = spread(3000, silent=1)

    assert judge(place(Series(END - LONG, counts), phones), NOW) is not None
    assert judge(place(Series(END - LONG, counts, closed={END - 1}), phones), NOW) is None
    assert judge(place(Series(END - LONG, counts, unknown={END - 1}), phones), NOW) is None


def test_unknown_days_are_no_history() -> None:
    counts = [125] * (LONG - 1) + [0]
    for day in range(1, 29):
        counts[-1 - 24 * day] = 0 if day != 7 else 125
    unknown = {END - 1 - 24 * day for day in range(1, 29) if day != 7}

    days = list(Series(END - LONG, counts, unknown=unknown).days([(END - 1, END)]))

    assert days == [(7, 125)]


def test_a_day_long_window_is_compared_without_its_first_and_last_hour() -> None:
    counts = [7 if hour % 24 == END % 24 else 1 for hour in range(END - LONG, END)]

    days = list(Series(END - LONG, counts).days([(END - 24, END)], step=7))

    assert days == [(7, 22), (14, 22), (21, 22), (28, 22)]


def test_counts_that_end_before_now_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="end before now"):
        judge(place(Series(END - LONG, [125] * (LONG - 1)), spread(3000)), NOW)


def test_a_silence_of_all_phones_is_over_when_one_asks() -> None:
    phones = spread(5, silent=40)
    quiet = judge(place(even(1, silent=40), phones), NOW)
    assert quiet is not None

    assert not silence.is_over(place(even(1, silent=40), phones), quiet, NOW)
    assert silence.is_over(place(even(1), [*phones[:4], Phone(24, ago(0.1))]), quiet, NOW)


@pytest.mark.parametrize(
    ("case", "latest", "over"),
    [
        ("still silent", 0, False),
        ("half of them", 62, False),
        ("nearly all", 120, True),
        ("all at once", 2000, True),
    ],
)
def test_a_silence_by_count_is_over_when_the_counts_are_back(case: str, latest: int, over: bool) -> None:
    silent = 10
    counts = [125] * (LONG - silent) + [0] * (silent - 3) + [latest] * 3
    phones = spread(3000, silent=silent)
    quiet = Quiet("site", Test.COUNT, ago(silent), 1, 125, 0, 1e-20, 28)

    assert silence.is_over(place(Series(END - LONG, counts), phones), quiet, NOW) is over


def test_a_history_of_ups_and_downs_ends_no_silence() -> None:
    counts = [125] * (LONG - 10) + [0] * 10
    for day in (7, 14, 21):
        for hour in range(1, 6):
            counts[-hour - 24 * day] = 0
    quiet = Quiet("site", Test.COUNT, ago(10), 1, 125, 0, 1e-20, 28)

    assert not silence.is_over(place(Series(END - LONG, counts), spread(3000, silent=10)), quiet, NOW)


def test_a_silence_by_count_is_over_when_the_phones_are_gone() -> None:
    quiet = Quiet("site", Test.COUNT, ago(60), 1, 125, 0, 1e-20, 28)

    assert silence.is_over(place(even(125, silent=60), []), quiet, NOW)
    assert silence.is_over(place(even(125, silent=60), spread(20)), quiet, NOW)


def test_a_moment_is_the_beginning_of_its_bucket() -> None:
    assert moment(bucket(NOW, 4), 4) == NOW
    assert bucket(NOW + timedelta(minutes=16), 4) == bucket(NOW, 4) + 1


# --- rounds: they or we


def account(number: int, count: int, silent: int, unknown: frozenset[int] = frozenset()) -> Place:
    counts = [count] * (LONG - silent) + [0] * silent
    return Place(
        f"account {number}", Series(END - LONG, counts, unknown=unknown), spread(count * 24, silent=silent)
    )


def whole(accounts: Sequence[Place], unknown: frozenset[int] = frozenset()) -> Series:
    counts = [
        sum(one.series.seen(number, number + 1) for one in accounts) for number in range(END - LONG, END)
    ]
    return Series(END - LONG, counts, unknown=unknown)


def test_many_accounts_at_once_are_one_incident_of_the_platform() -> None:
    accounts = [account(number, 30, 1) for number in range(5)]

    found = silence_rounds.judge_all(accounts, whole(accounts), NOW)

    assert found.platform is not None
    assert (found.platform.accounts, found.platform.judged, found.platform.seen) == (5, 5, 0)
    assert found.platform.since == ago(1)
    assert found.quiet == ()


@pytest.mark.parametrize(("silent", "among"), [(1, 5), (2, 3), (2, 5), (3, 8)])
def test_few_accounts_are_themselves(silent: int, among: int) -> None:
    accounts = [account(number, 60, 1 if number < silent else 0) for number in range(among)]

    found = silence_rounds.judge_all(accounts, whole(accounts), NOW)

    assert found.platform is None
    assert [quiet.place for quiet in found.quiet] == [f"account {number}" for number in range(silent)]


def test_chance_in_the_others_makes_no_platform_of_a_large_account() -> None:
    low = [Place(f"low {n}", Series(END - LONG, [8] * (LONG - 1) + [5]), spread(192)) for n in range(2)]
    accounts = [account(0, 500, 1), *low, *(account(number, 8, 0) for number in range(1, 4))]

    assert silence_rounds.judge_all(accounts, whole(accounts), NOW).platform is None


def test_a_large_account_is_not_the_platform() -> None:
    accounts = [account(0, 2000, 1), *(account(number, 8, 0) for number in range(1, 6))]

    found = silence_rounds.judge_all(accounts, whole(accounts), NOW)

    assert found.platform is None
    assert [quiet.place for quiet in found.quiet] == ["account 0"]


def test_a_site_of_a_quiet_account_is_folded_into_it() -> None:
    acme = account(0, 60, 1)
    site = Place("site", acme.series, acme.phones, acme.key)

    found = silence_rounds.judge_all([acme, site], whole([acme]), NOW)

    assert [quiet.place for quiet in found.quiet] == ["account 0"]
    assert [quiet.place for quiet in found.folded] == ["site"]


def test_hours_in_which_we_did_not_listen_are_our_own_incident() -> None:
    unknown = frozenset({END - 3, END - 2, END - 1})
    accounts = [account(number, 30, 3, unknown) for number in range(5)]

    found = silence_rounds.judge_all(accounts, whole(accounts, unknown), NOW)

    assert found == silence_rounds.Round(platform=silence_rounds.Platform(ago(3), listening=False))
    assert found.platform is not None
    assert not silence_rounds.platform_is_over(found.platform, whole(accounts, unknown), NOW)


def test_the_platform_is_back_with_half_of_its_check_ins() -> None:
    platform = silence_rounds.Platform(ago(5))
    accounts = [account(number, 30, 0) for number in range(5)]
    silent = [account(number, 30, 5) for number in range(5)]

    assert silence_rounds.platform_is_over(platform, whole(accounts), NOW)
    assert not silence_rounds.platform_is_over(platform, whole(silent), NOW)
