"""The expected conversion of products: known answers, and intervals that hold what they say."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.methods.next_course import (
    FALLBACK,
    STRENGTHS,
    BetaPrior,
    Ranking,
    StepPosterior,
    fit_prior,
    rank_products,
    step_posterior,
)


def step(
    k: list[float], n: list[float], *, prior: BetaPrior, past: tuple[list, list] | None = None
) -> StepPosterior:
    past_k, past_n = past or ([0] * len(k), [0] * len(k))
    return step_posterior(prior, past_successes=past_k, past_trials=past_n, successes=k, trials=n)


def certain(m: int) -> StepPosterior:
    """A step that everybody takes."""
    return StepPosterior(
        *(np.full(m, 1e9), np.full(m, 1.0), np.ones(m), np.ones(m)), BetaPrior(1.0, 1e9)
    )


def ranked(one: StepPosterior, **audience: np.ndarray) -> Ranking:
    m = len(one.a)
    given = {
        "affinity": np.zeros((0, m)),
        "owned": np.zeros((0, m), dtype=bool),
        "n_others": 10,
        "n_shown": np.ones(m),
        **audience,
    }
    return rank_products((one, certain(m)), **given)


class TestPrior:
    def test_it_finds_the_distribution_behind_the_counts(self) -> None:
        chance = np.random.default_rng(7)
        shares = chance.beta(4, 96, size=4_000)
        trials = chance.integers(50, 400, size=4_000)

        prior = fit_prior(chance.binomial(trials, shares), trials, fallback=FALLBACK[0])

        assert prior.mean == pytest.approx(0.04, rel=0.05)
        assert prior.strength == pytest.approx(100, rel=0.2)

    def test_shares_that_differ_by_chance_alone_have_the_strongest_prior(self) -> None:
        chance = np.random.default_rng(7)
        prior = fit_prior(chance.binomial(200, 0.1, size=50), np.full(50, 200), fallback=(0.5, 2))
        assert prior.strength > 200
        assert fit_prior([10, 10, 10], [100, 100, 100], fallback=(0.5, 2)).strength == STRENGTHS[1]

    def test_without_a_past_it_is_the_general_one(self) -> None:
        assert fit_prior([], [], fallback=(0.1, 20)) == BetaPrior(0.1, 20)
        moved = fit_prior([10], [20], fallback=(0.1, 20))
        assert (moved.mean, moved.strength) == (pytest.approx(12 / 40), 20)


class TestOneStep:
    def test_without_counts_it_is_the_prior(self) -> None:
        found = step([0, 0], [0, 0], prior=BetaPrior(0.2, 50))
        assert found.mean.tolist() == pytest.approx([0.2, 0.2])

    def test_own_counts_move_it_by_their_weight(self) -> None:
        """Given a prior that weighs 50, and one product alone: 50 trials count as much."""
        found = step([20], [50], prior=BetaPrior(0.2, 50))
        assert found.mean[0] == pytest.approx((10 + 20) / 100)

    def test_the_past_of_a_product_moves_it(self) -> None:
        found = step([0, 0], [0, 0], prior=BetaPrior(0.2, 50), past=([40, 0], [50, 0]))
        assert found.mean.tolist() == pytest.approx([(10 + 40) / 100, 0.2])

    def test_a_strong_session_lifts_the_others_and_not_twice_itself(self) -> None:
        found = step([40, 0], [100, 0], prior=BetaPrior(0.2, 50))
        # The other expected 20 of its 100 and got 40: half way with the pseudo-counts of 10.
        assert found.mean[1] == pytest.approx(0.2 * (40 + 10) / (20 + 10))
        assert found.mean[0] == pytest.approx((0.2 * 50 + 40) / 150)


class TestRanking:
    def test_what_sells_here_comes_first_and_says_why(self) -> None:
        found = ranked(step([1, 30, 5], [100, 100, 100], prior=BetaPrior(0.1, 50)))
        assert found.order.tolist() == [1, 2, 0]
        assert found.reason[1] == "session"

    def test_what_sold_before_comes_first_where_nothing_was_shown(self) -> None:
        one = step([0, 0], [0, 0], prior=BetaPrior(0.1, 50), past=([0, 90], [100, 300]))
        found = ranked(one, n_shown=np.zeros(2))
        assert found.order.tolist() == [1, 0]
        assert found.reason == ["untried", "past"]

    def test_it_follows_those_who_are_in_the_room(self) -> None:
        """Given two products alike, of which the second suits everybody here."""
        affinity = np.column_stack([np.zeros(20), np.ones(20)])
        found = ranked(
            step([5, 5], [100, 100], prior=BetaPrior(0.05, 50)),
            affinity=affinity,
            owned=np.zeros((20, 2), dtype=bool),
            n_others=0,
        )
        assert found.order.tolist() == [1, 0]
        assert found.reason[1] == "audience"
        # Half a unit of affinity each way moves the odds by e to the half.
        ratio = found.expected[1] / found.expected[0]
        assert ratio == pytest.approx(np.e, rel=0.1)

    def test_owners_cannot_buy_again(self) -> None:
        owned = np.zeros((10, 2), dtype=bool)
        owned[:, 0] = True
        found = ranked(
            step([5, 5], [50, 50], prior=BetaPrior(0.1, 50)),
            affinity=np.zeros((10, 2)),
            owned=owned,
            n_others=0,
        )
        assert found.expected[0] == 0
        assert found.order.tolist() == [1, 0]

    def test_the_same_counts_give_the_same_ranking(self) -> None:
        one = step([3, 4], [90, 80], prior=BetaPrior(0.05, 50))
        assert ranked(one).expected.tolist() == ranked(one).expected.tolist()

    def test_the_interval_holds_the_expectation(self) -> None:
        found = ranked(step([0, 9], [0, 90], prior=BetaPrior(0.1, 20)))
        assert (found.low <= found.expected).all() and (found.expected <= found.high).all()
        # What was shown is known better than what was not.
        assert found.high[1] - found.low[1] < found.high[0] - found.low[0]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_the_intervals_cover_at_their_level(level: float) -> None:
    """Given 400 sessions of 5 products whose two shares are drawn from the priors behind them."""
    chance = np.random.default_rng(11)
    shapes = ((8.0, 72.0), (6.0, 34.0))
    priors = []
    for a, b in shapes:
        past = chance.beta(a, b, size=600)
        seen = chance.integers(60, 300, size=600)
        priors.append(fit_prior(chance.binomial(seen, past), seen, fallback=(0.1, 20)))
    held = []
    for _ in range(400):
        truths = [chance.beta(a, b, size=5) for a, b in shapes]
        shown = chance.integers(0, 150, size=5)
        clicked = chance.binomial(shown, truths[0])
        ordered = chance.binomial(clicked, truths[1])
        steps = (
            step(clicked, shown, prior=priors[0]),
            step(ordered, clicked, prior=priors[1]),
        )
        found = rank_products(
            steps,
            affinity=np.zeros((0, 5)),
            owned=np.zeros((0, 5), dtype=bool),
            n_others=1,
            n_shown=shown,
            level=level,
        )
        both = truths[0] * truths[1]
        held.append((found.low <= both) & (both <= found.high))

    assert np.mean(held) == pytest.approx(level, abs=0.035)
