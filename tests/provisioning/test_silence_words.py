"""What a silence is told in, and what is known of its cause."""

from datetime import UTC, datetime

import pytest

from provisioning.silence import Quiet, Test
from provisioning.silence_rounds import Platform
from provisioning.silence_words import (
    NOTHING_CAME,
    Banned,
    Known,
    Refused,
    Version,
    cause,
    what,
    what_platform,
)

NOW = datetime(2026, 7, 17, 12, tzinfo=UTC)
SINCE = datetime(2026, 7, 17, 9, 30, tzinfo=UTC)
KNOWN = Known(now=NOW, zone="Europe/Berlin")


def known(**more: object) -> Known:
    return Known(now=NOW, **more)  # type: ignore[arg-type]


def test_a_silence_of_all_phones_names_them() -> None:
    quiet = Quiet("site", Test.PHONES, SINCE, 33, 5, 0)

    assert what(quiet, KNOWN) == "None of the 5 phones has checked in since Fri 17 Jul, 11:30 CEST."


@pytest.mark.parametrize(
    ("hours", "seen", "sentence"),
    [
        (1, 0, "No check-in in one hour, where 125 were to be expected"),
        (3, 1, "One check-in in 3 hours, where 125 were to be expected"),
        (24, 1200, "1,200 check-ins in 24 hours, where 125 were to be expected"),
    ],
)
def test_a_silence_by_count_names_the_counts(hours: int, seen: int, sentence: str) -> None:
    quiet = Quiet("site", Test.COUNT, SINCE, hours, 125.4, seen, 1e-12, 28)

    assert what(quiet, KNOWN) == f"{sentence} from the same hours of 28 days; since Fri 17 Jul, 11:30 CEST."


def test_the_platform_speaks_of_itself() -> None:
    short = Platform(SINCE, hours=1, expected=500, seen=0, chance=1e-99, accounts=12, judged=14)

    assert what_platform(short, KNOWN) == (
        "12 of 14 accounts fell silent at once since Fri 17 Jul, 11:30 CEST: "
        "no check-in, where 500 were to be expected. Look at ourselves first."
    )
    assert what_platform(Platform(SINCE, listening=False), KNOWN) == (
        "The platform held its answers or lost its notes since Fri 17 Jul, 11:30 CEST: "
        "no site is judged for that time."
    )


def test_where_nothing_is_known_that_is_said() -> None:
    assert cause(known()) == [NOTHING_CAME]
    assert "closing times" in NOTHING_CAME


def test_a_ban_comes_first_and_the_last_good_check_in_last() -> None:
    told = cause(
        known(
            last_good=datetime(2026, 6, 21, 14, 5, tzinfo=UTC),
            bans=[Banned("192.0.2.7", SINCE, datetime(2026, 7, 17, 13, 30, tzinfo=UTC))],
            refusals=[Refused("another phone's place", 0), Refused("its lock is bound to another origin", 1)],
            held=1,
            held_since=SINCE,
        )
    )

    assert told == [
        (
            "192.0.2.7 is banned since Fri 17 Jul, 09:30 UTC, until Fri 17 Jul, 13:30 UTC: "
            "phones that ask at the root URL get nothing there."
        ),
        "1 answer was held since Fri 17 Jul, 09:30 UTC: the phones asked, and we could not serve them.",
        "One request was refused, because its lock is bound to another origin.",
        "The last good check-in was on Sun 21 Jun, 14:05 UTC.",
    ]


def test_three_are_named_and_the_rest_is_a_number() -> None:
    bans = [Banned(f"192.0.2.{number}", SINCE) for number in range(5)]
    refusals = [Refused(f"of reason {number}", 1000 * number) for number in range(1, 6)]

    told = cause(known(bans=bans, refusals=refusals, held=2500))

    assert told[3:] == [
        "2 more of its addresses are banned.",
        "2,500 answers were held: the phones asked, and we could not serve them.",
        "5,000 requests were refused, because of reason 5.",
        "4,000 requests were refused, because of reason 4.",
        "3,000 requests were refused, because of reason 3.",
        "3,000 requests were refused for other reasons.",
    ]


@pytest.mark.parametrize(
    ("case", "versions", "told"),
    [
        (
            "one stands out",
            [Version("66.86.0.15", 0, 40), Version("66.86.0.20", 19, 20)],
            ["19 of 20 phones with firmware 66.86.0.20 are quiet; of the others 0 of 40."],
        ),
        ("all are quiet", [Version("66.86.0.15", 40, 40), Version("66.86.0.20", 20, 20)], []),
        ("half of each", [Version("66.86.0.15", 20, 40), Version("66.86.0.20", 10, 20)], []),
        ("the small one explains little", [Version("66.86.0.15", 20, 40), Version("66.86.0.20", 2, 2)], []),
        ("none", [], []),
    ],
)
def test_a_firmware_is_named_where_it_alone_explains_the_silence(
    case: str, versions: list[Version], told: list[str]
) -> None:
    assert cause(known(versions=versions)) == [NOTHING_CAME, *told]
