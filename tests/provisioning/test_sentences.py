"""The sentences: one for every rule and answer, whole, in the product's voice, with or without its places."""

import re
from datetime import UTC, datetime

import pytest

from provisioning import sentences
from provisioning.gate import Outcome
from provisioning.sentences import happened, remedy, sentence

SECTION_3 = {
    *("P", "G0", "G1", "G2", "G3", "G4", "G5", "G6"),
    *("R1", "R2", "R3", "R3a", "R3b", "R4", "R4a", "R5", "R5c", "R6", "R7", "R8"),
    *("R9", "R10", "R11", "R12", "R13", "R14"),
}
SECTION_4 = {
    *("O0", "O1", "O2", "O3", "O4", "O5", "O6"),
    *("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8"),
}

CLAIMS = ("R1", "R2", "R4", "R5", "R5c", "R7")
ANSWERS = sorted({(key[0], key[1]) for key in sentences._TABLE} | {(rule, "held") for rule in CLAIMS})
PLACES = {
    "phone": "Ben, desk",
    "address": "198.51.100.7",
    "bound": "Head office",
    "origin": "192.0.2.44",
    "until": "Fri 27 Nov, 14:05 CET",
    "agent": "Odd Phone/1.0",
    "mac": "00005e00531a",
}


def test_every_rule_of_sections_3_and_4_has_its_sentence() -> None:
    assert set(sentences.RULES) == SECTION_3 | SECTION_4


@pytest.mark.parametrize("places", [{}, PLACES], ids=["without places", "with all places"])
@pytest.mark.parametrize(("rule", "outcome"), ANSWERS)
def test_a_sentence_is_whole(rule: str, outcome: str, places: dict[str, str]) -> None:
    said, step = sentence(rule, outcome, **places), remedy(rule, outcome, **places)

    assert not said.startswith("Answered by rule")
    for text in (said, step):
        assert not text[0].islower()
        assert text.endswith(".")
        assert not re.search(r"[{}!]|None|  |\bplease\b|successful|\bwe\b", text)
        assert outcome in set(Outcome)


ELSEWHERE = (
    "The phone is locked to another place. It is not unlocked, and no window is open for this address."
)


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (
            {"bound": "Head office", "address": "192.0.2.44"},
            "The phone is locked to Head office. It is not unlocked, and no window is open for 192.0.2.44.",
        ),
        (
            {"address": "192.0.2.44", "bound": None},
            "The phone is locked to another place. It is not unlocked, and no window is open for 192.0.2.44.",
        ),
        ({}, ELSEWHERE),
    ],
)
def test_a_place_that_is_unknown_is_left_out(places: dict[str, str], said: str) -> None:
    assert sentence("R6", "refused", **places) == said


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("unbound", "The phone is locked, to no place yet. No window is open for 192.0.2.44."),
        ("shared", "Phones of others live at 192.0.2.44 too, so being there proves nothing."),
        ("often", "The phone was set up six times in 24 hours from its own place. A person has to look."),
    ],
)
def test_a_rule_with_several_reasons_says_which(case: str, said: str) -> None:
    assert sentence("R6", "refused", case=case, address="192.0.2.44") == said


@pytest.mark.parametrize("rule", CLAIMS)
def test_a_held_claim_says_why(rule: str) -> None:
    said = "Told to come back: it was let in a moment ago, or too many phones start at 192.0.2.44 at once."

    assert sentence(rule, "held", address="192.0.2.44") == said


def test_outcomes_may_be_given_as_words_or_as_outcomes() -> None:
    assert sentence("O3", Outcome.FULL) == sentence("O3", "full") == "Fetched at its private URL."


def test_a_rule_that_has_none_is_named() -> None:
    assert sentence("B2", "held") != ""
    assert sentence("X9", "refused") == "Answered by rule X9."
    assert remedy("X9", "refused") == ""


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"until": "Sat", "origin": "192.0.2.44"}, "Unlocked by Ana for 192.0.2.44 only, until Sat."),
        ({"until": "Sat", "origin": None}, "Unlocked by Ana for any address, until Sat."),
        (
            {"until": None, "origin": "192.0.2.44"},
            "Unlocked by Ana for 192.0.2.44 only, until its first fetch there.",
        ),
        ({}, "Unlocked by Ana for any address, until its first fetch."),
    ],
)
def test_what_a_person_did_is_said(places: dict[str, str], said: str) -> None:
    assert happened("unlocked", actor="Ana", **places) == said


def test_what_has_no_sentence_is_named() -> None:
    assert happened("lines-changed") == "Lines changed."


@pytest.mark.parametrize(
    ("at", "zone", "said"),
    [
        (datetime(2026, 11, 27, 13, 5, tzinfo=UTC), "Europe/Berlin", "Fri 27 Nov, 14:05 CET"),
        (datetime(2026, 7, 3, 7, 0, tzinfo=UTC), "Europe/Berlin", "Fri 3 Jul, 09:00 CEST"),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "Europe/Berlin", "Fri 1 Jan 2027, 00:30 CET"),
        (datetime(2025, 2, 1, 0, 0, tzinfo=UTC), "UTC", "Sat 1 Feb 2025, 00:00 UTC"),
    ],
)
def test_a_time_is_said_in_the_accounts_zone(at: datetime, zone: str, said: str) -> None:
    assert sentences.when(at, zone, now=datetime(2026, 11, 27, 13, 5, tzinfo=UTC)) == said
