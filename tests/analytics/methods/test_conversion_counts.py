from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from analytics.methods.conversion_counts import (
    EXACT_VIEWERS,
    PRIOR_DISPERSION,
    effective_viewers,
    log_loss,
    overdispersion,
    prediction_interval,
)


def draw(rng: np.random.Generator, *, rate: float, rho: float, viewers: np.ndarray) -> np.ndarray:
    total = 1 / rho - 1
    return rng.binomial(viewers, rng.beta(rate * total, (1 - rate) * total, size=len(viewers)))


def test_without_dispersion_every_viewer_counts_and_with_it_a_crowd_counts_less() -> None:
    viewers = np.array([1.0, 100.0, 10_000.0])
    assert effective_viewers(viewers, 0.0).tolist() == viewers.tolist()
    # However many come, a session tells no more than 1 / rho of them.
    assert (effective_viewers(viewers, 0.02) <= 1 / 0.02).all()
    assert effective_viewers(viewers, 0.02)[0] == 1


def test_log_loss_is_the_likelihood_of_each_viewer() -> None:
    loss = log_loss(np.array([1.0]), np.array([4.0]), np.array([0.25]))
    assert loss == pytest.approx(-(np.log(0.25) + 3 * np.log(0.75)))


def test_log_loss_stays_finite_for_a_rate_that_cannot_be() -> None:
    losses = [log_loss(np.array([1.0]), np.array([2.0]), np.array([p])) for p in (-0.3, 0, 1, 1.2)]
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("rho", [0.005, 0.02, 0.1])
def test_it_finds_the_dispersion_that_the_sessions_were_made_with(rho: float) -> None:
    rng = np.random.default_rng(7)
    viewers = rng.integers(20, 800, size=1500).astype("float64")
    buyers = draw(rng, rate=0.08, rho=rho, viewers=viewers.astype("int64"))
    found = overdispersion(buyers, viewers, np.full(1500, 0.08), n_fitted=1)
    assert found == pytest.approx(rho, rel=0.2)


def test_few_sessions_that_agree_do_not_claim_certainty() -> None:
    viewers = np.full(3, 1000.0)
    found = overdispersion(np.full(3, 50.0), viewers, np.full(3, 0.05), n_fitted=1)
    assert 0 < found < PRIOR_DISPERSION


@pytest.mark.parametrize("viewers", [[], [1.0, 1.0, 1.0], [100.0]])
def test_without_sessions_to_compare_it_is_the_prior(viewers: list[float]) -> None:
    n = np.array(viewers)
    found = overdispersion(np.zeros(len(n)), n, np.full(len(n), 0.1), n_fitted=1)
    assert found == PRIOR_DISPERSION


@given(
    st.floats(0, 1),
    st.floats(0, 0.1),
    st.floats(0, 0.99),
    st.integers(0, 20_000),
    st.floats(0.5, 0.99),
)
def test_the_interval_holds_the_rate_within_zero_and_one(
    rate: float, variance: float, rho: float, viewers: int, level: float
) -> None:
    low, high = prediction_interval(
        np.array([rate]), np.array([variance]), rho, np.array([viewers]), level=level
    )
    assert 0 <= low[0] <= np.clip(rate, 1e-6, 1 - 1e-6) <= high[0] <= 1


@pytest.mark.parametrize("viewers", [10, 300, EXACT_VIEWERS, EXACT_VIEWERS * 4])
def test_the_interval_has_the_tails_of_the_beta_binomial(viewers: int) -> None:
    rate, rho = 0.06, 0.02
    low, high = prediction_interval(
        np.array([rate]), np.array([0.0]), rho, np.array([viewers]), level=0.8
    )
    total = 1 / rho - 1
    truth = betabinom(viewers, rate * total, (1 - rate) * total)
    assert low[0] * viewers == pytest.approx(min(truth.ppf(0.1), rate * viewers), rel=0.02)
    assert high[0] * viewers == pytest.approx(truth.ppf(0.9), rel=0.02)


def test_what_the_model_does_not_know_widens_the_interval() -> None:
    rates, viewers = np.array([0.05]), np.array([500])
    sure = prediction_interval(rates, np.array([0.0]), 0.01, viewers, level=0.8)
    unsure = prediction_interval(rates, np.array([0.001]), 0.01, viewers, level=0.8)
    assert unsure[0][0] < sure[0][0]
    assert unsure[1][0] > sure[1][0]


@pytest.mark.parametrize("level", [0, 1])
def test_it_refuses_a_level_that_is_no_probability(level: float) -> None:
    one = np.array([0.1])
    with pytest.raises(ValueError, match="level"):
        prediction_interval(one, one, 0.1, one, level=level)
