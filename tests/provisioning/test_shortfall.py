"""How small a chance a count has, given the same hours of earlier days."""

from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning import shortfall
from provisioning.shortfall import Expected, caution, chance, expect


def test_with_less_than_21_expected_an_empty_hour_proves_nothing() -> None:
    assert chance(0, Expected(20, 20, 28)) > shortfall.LIMIT
    assert chance(0, Expected(shortfall.ENOUGH, shortfall.ENOUGH, 28)) < shortfall.LIMIT


def test_the_chance_is_poisson_where_the_counts_are() -> None:
    assert chance(2, Expected(4, 4, 28)) == pytest.approx(0.2381033, rel=1e-6)


def test_the_chance_is_a_negative_binomial_where_they_vary_more() -> None:
    # mean 4, variance 8: shape 4, success one half; P(X <= 2) = (1 + 2 + 2.5) / 16
    assert chance(2, Expected(4, 8, 28)) == pytest.approx(5.5 / 16, rel=1e-9)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.floats(1, 5000), st.floats(1, 50), st.integers(0, 5000))
def test_fewer_seen_is_never_likelier_and_more_spread_never_less_likely_far_out(
    mean: float, spread: float, seen: int
) -> None:
    expected = Expected(mean, mean * spread, 28)

    assert 0 <= chance(seen, expected) <= 1
    assert chance(max(seen - 1, 0), expected) <= chance(seen, expected) * (1 + 1e-9)
    assert chance(0, expected) <= chance(0, Expected(mean, mean * spread * 2, 28)) * (1 + 1e-9)


def test_the_mean_is_the_lesser_of_the_weekdays_and_of_all_days() -> None:
    weekend = [(day, 10 if day % 7 in (3, 4) else 100) for day in range(1, 29)]

    found = expect(weekend)

    assert found is not None
    assert found.mean == fmean(count for _, count in weekend)
    assert found.days == 28


def test_days_that_differ_by_weekday_only_add_no_spread() -> None:
    found = expect([(day, 0 if day % 7 in (3, 4) else 100) for day in range(1, 29)])

    assert found is not None
    assert found.variance == found.mean


def test_a_weekday_that_differs_from_itself_does() -> None:
    found = expect([(day, 0 if day in (7, 21) else 100) for day in range(1, 29)])

    assert found is not None
    assert chance(0, found) > 1e-3


def test_few_days_are_trusted_less() -> None:
    def spread_of(weeks: int) -> float:
        found = expect([(day, 1000 + (100 if day % 2 else -100)) for day in range(1, 7 * weeks + 1)])
        assert found is not None
        return found.variance

    assert spread_of(4) < spread_of(3) < spread_of(2)
    assert [round(caution(free), 1) for free in (21, 7, 4)] == [2.4, 5.9, 16.1]


@pytest.mark.parametrize(
    "days", [[], [(1, 50), (2, 50), (7, 50)], [(1, 50), (2, 50), (3, 50), (4, 50), (5, 50)]]
)
def test_too_few_days_or_none_of_this_weekday_say_nothing(days: list[tuple[int, int]]) -> None:
    assert expect(days) is None
