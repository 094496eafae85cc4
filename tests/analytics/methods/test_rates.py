from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from analytics.methods.rates import Rate, wilson_interval


def test_a_hundred_buyers_of_a_thousand_viewers_are_ten_percent() -> None:
    rate = Rate(100, 1000)
    assert rate.value == 0.1
    assert rate.percent == "10.0%"


def test_it_says_nothing_without_a_denominator() -> None:
    rate = Rate(0, 0)
    assert (rate.value, rate.percent, rate.interval()) == (None, None, None)


@pytest.mark.parametrize(
    ("counts", "text"),
    # Floats would round the second and third by chance.
    [((1, 3), "33.3%"), ((1, 2000), "0.1%"), ((3, 2000), "0.2%"), ((7, 7), "100.0%")],
)
def test_it_rounds_halves_up(counts: tuple[int, int], text: str) -> None:
    assert Rate(*counts).percent == text


@pytest.mark.parametrize("counts", [(-1, 5), (1, -5), (6, 5), (1, 0)])
def test_it_refuses_counts_that_cannot_be(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="rate"):
        Rate(*counts)


def test_it_refuses_a_count_that_is_not_whole() -> None:
    with pytest.raises(TypeError):
        Rate(0.5, 2)  # type: ignore[arg-type]


def test_it_takes_numpy_counts_as_plain_ones() -> None:
    rate = Rate(np.int64(1), np.int64(4))
    assert type(rate.numerator) is int
    assert rate == Rate(1, 4)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_wilson_agrees_with_scipy(level: float) -> None:
    k, n = np.array([0, 1, 7, 50, 100]), np.array([10, 3, 40, 50, 1000])
    low, high = wilson_interval(k, n, level)
    for row, counts in enumerate(zip(k.tolist(), n.tolist(), strict=True)):
        expected = binomtest(*counts).proportion_ci(level, method="wilson")
        assert (low[row], high[row]) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_wilson_holds_the_share_within_zero_and_one(k: int, n: int) -> None:
    k = min(k, n)
    low, high = Rate(k, n).interval()
    assert 0 <= low <= k / n <= high <= 1
    # Never certain, however few were seen.
    assert low < high


def test_wilson_has_no_ends_without_a_denominator() -> None:
    low, high = wilson_interval(np.array([0, 1]), np.array([0, 2]))
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] < 0.5 < high[1]


@pytest.mark.parametrize("level", [0, 1, 1.5])
def test_wilson_refuses_a_level_that_is_no_probability(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        wilson_interval(1, 2, level)
