"""Models of conversion on simulated sessions, whose true rates are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from analytics.methods.conversion import (
    BASIS_MEAN,
    BASIS_MODEL,
    BASIS_PRIOR,
    BoostedCounts,
    CountRegression,
    MeanRate,
    PlainLinear,
)
from analytics.methods.conversion_evaluation import (
    candidates,
    choose_served,
    evaluate_models,
    rate_interval,
    score_predictions,
    split_by_time,
)
from analytics.methods.conversion_features import features_before

SERVABLE = [MeanRate, CountRegression, BoostedCounts]


def simulated(n: int, *, seed: int = 3, rho: float = 0.01) -> pd.DataFrame:
    """Sessions, one every six hours and a bit: evenings, discounts and some sellers sell better.

    The column `truth` holds the rate of each.
    """
    rng = np.random.default_rng(seed)
    hour = rng.integers(0, 24, size=n)
    seller = rng.integers(1, 9, size=n)
    discount = rng.choice([0.0, 0.2, 0.5], size=n)
    skill = np.linspace(-0.7, 0.7, 8)[seller - 1]
    truth = expit(logit(0.04) + 0.9 * (hour >= 18) + 1.6 * discount + skill)
    viewers = rng.integers(30, 900, size=n)
    total = 1 / rho - 1
    buyers = rng.binomial(viewers, rng.beta(truth * total, (1 - truth) * total))
    return pd.DataFrame(
        {
            "session_id": np.arange(1, n + 1),
            "seller_id": seller,
            "starts_at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(n) * 400, "min"),
            "local_hour": hour.astype("float64"),
            "local_weekday": rng.integers(0, 7, size=n),
            "discount": discount,
            "has_coupon": rng.random(n) < 0.3,
            "category": rng.integers(1, 4, size=n),
            "n_showcase": rng.integers(1, 9, size=n),
            "min_price": rng.uniform(10, 300, size=n),
            "planned_minutes": 60,
            "n_reminders": rng.integers(0, 50, size=n),
            "n_views": viewers * 2,
            "n_clicks": (viewers * 0.4).astype("int64"),
            "n_viewers": viewers,
            "n_buyers": buyers,
            "truth": truth,
        }
    )


@pytest.fixture(scope="module")
def market() -> pd.DataFrame:
    return simulated(1200)


@pytest.fixture(scope="module")
def scores(market: pd.DataFrame) -> dict[str, dict]:
    return {score["method"]: score for score in evaluate_models(market)}


def test_the_regression_recovers_the_true_rates(market: pd.DataFrame) -> None:
    train, test = split_by_time(market)
    found = CountRegression().fit(train).predict(test)
    of_mean = MeanRate().fit(train).predict(test)

    def error(rates: np.ndarray) -> float:
        return float(np.abs(logit(rates) - logit(test["truth"])).mean())

    assert error(found) < 0.25
    assert error(found) < error(of_mean) / 2


def test_it_learns_that_evenings_sell_better(market: pd.DataFrame) -> None:
    model = CountRegression().fit(market)
    by_hour = [model.predict(market.assign(local_hour=float(h))).mean() for h in (3, 20)]
    # Odds of exp(0.9) = 2.5 were put in.
    assert 1.8 < by_hour[1] / by_hour[0] < 3


def test_the_regression_beats_the_mean_on_later_sessions(scores: dict[str, dict]) -> None:
    score = scores["count_regression"]
    assert score["log_loss_vs_mean"] < -2 * score["log_loss_se"] < 0
    assert score["rmse"] < scores["mean"]["rmse"]
    assert 0.85 < score["calibration"] < 1.15


def test_the_mean_stands_beside_every_model(scores: dict[str, dict]) -> None:
    assert list(scores) == ["mean", "count_regression", "plain_linear"]
    assert scores["mean"]["log_loss_vs_mean"] == 0
    for score in scores.values():
        difference = score["log_loss"] - scores["mean"]["log_loss"]
        assert score["log_loss_vs_mean"] == pytest.approx(difference, abs=1e-12)
        assert score["rows"] == 1200
        assert score["n_test"] == 240


def test_eight_of_ten_sessions_end_within_the_interval(scores: dict[str, dict]) -> None:
    for method in ("mean", "count_regression"):
        assert scores[method]["interval_level"] == 0.8
        assert 0.74 < scores[method]["interval_coverage"] < 0.9
    assert scores["plain_linear"]["interval_coverage"] is None


def test_the_plain_baseline_is_scored_but_never_served(scores: dict[str, dict]) -> None:
    best = [{**scores["plain_linear"], "log_loss": 0.0}, *scores.values()]
    assert choose_served(best, may_serve=["mean", "count_regression"]) == "count_regression"
    assert PlainLinear not in candidates(10**6)


def test_negative_rates_of_the_plain_baseline_are_counted_and_still_scored() -> None:
    test = simulated(4)
    rates = np.array([-0.1, 0.05, 0.05, 0.05])
    score = score_predictions(test, rates, np.full(4, 0.05))
    assert score["negative_share"] == 0.25
    assert np.isfinite(score["log_loss"])


def test_the_plain_baseline_is_least_squares_on_views_and_clicks() -> None:
    market = simulated(100)
    # Exactly linear in both counts, which are not multiples of one another.
    views = np.arange(100) * 10
    clicks = (np.arange(100) * 7) % 31
    market = market.assign(n_views=views, n_clicks=clicks, n_viewers=100_000)
    market["n_buyers"] = 2_000 + 3 * views + 40 * clicks
    model = PlainLinear().fit(market)
    assert model.regression_.coef_ == pytest.approx([3e-5, 40e-5], rel=1e-6)
    assert model.r2_ == pytest.approx(1.0)


def test_the_mean_serves_where_nothing_tells_sessions_apart() -> None:
    rng = np.random.default_rng(5)
    market = simulated(400)
    market["n_buyers"] = rng.binomial(market["n_viewers"], 0.05)
    scores = evaluate_models(market)
    gain = {score["method"]: score["log_loss_vs_mean"] for score in scores}
    # Whatever the dice say, the regression must not lose much by finding nothing.
    assert gain["count_regression"] < 2e-4


def test_the_first_of_equals_is_served() -> None:
    scores = [{"method": name, "log_loss": 0.2} for name in ("mean", "count_regression")]
    assert choose_served(scores, may_serve=["mean", "count_regression"]) == "mean"
    assert choose_served([], may_serve=["mean", "count_regression"]) == "mean"


def test_boosting_is_tried_on_large_platforms_only() -> None:
    assert BoostedCounts not in candidates(9_999)
    assert BoostedCounts in candidates(10_000)


@pytest.mark.parametrize("make", SERVABLE)
@pytest.mark.parametrize("buys", ["nobody", "everybody", "some"])
def test_rates_stay_between_zero_and_one(make: type, buys: str) -> None:
    market = simulated(250)
    if buys != "some":
        market["n_buyers"] = 0 if buys == "nobody" else market["n_viewers"]
    strange = market.assign(min_price=1e12, discount=-50.0, n_reminders=10**9, local_hour=23.0)
    model = make().fit(market)
    for frame in (market, strange):
        rates = model.predict(frame)
        low, high = rate_interval(model, frame)
        assert ((rates > 0) & (rates < 1)).all()
        assert ((low >= 0) & (low <= rates) & (rates <= high) & (high <= 1)).all()


@pytest.mark.parametrize("make", SERVABLE)
def test_what_happens_from_the_start_on_changes_no_forecast(make: type) -> None:
    market = simulated(300)
    model = make().fit(market.iloc[:250])
    ahead = market.iloc[250:]
    other = ahead.assign(n_viewers=1, n_buyers=1, n_views=10**6, n_clicks=0)
    np.testing.assert_array_equal(model.predict(ahead), model.predict(other))
    for one, two in zip(rate_interval(model, ahead), rate_interval(model, other), strict=True):
        np.testing.assert_array_equal(one, two)


def test_features_of_a_past_session_know_nothing_of_it_or_of_later_ones() -> None:
    market = simulated(60)
    changed = market.copy()
    changed.loc[30:, ["n_viewers", "n_buyers"]] = [9_000, 8_999]
    before = features_before(market, MeanRate().fit(market).history_)
    after = features_before(changed, MeanRate().fit(changed).history_)
    pd.testing.assert_frame_equal(before.iloc[:31], after.iloc[:31])
    # The control: from the next session of a seller on, it does matter.
    assert not before.iloc[31:].equals(after.iloc[31:])


def test_a_platform_without_a_past_gets_the_prior_with_a_wide_interval() -> None:
    nothing = simulated(5).iloc[:0]
    ahead = simulated(2)
    for make in SERVABLE:
        model = make().fit(nothing)
        low, high = rate_interval(model, ahead)
        assert model.basis_ == BASIS_PRIOR
        assert model.predict(ahead) == pytest.approx([0.05, 0.05])
        assert (high - low > 0.08).all()
    assert evaluate_models(nothing) == []


def test_a_young_platform_gets_its_mean_and_says_so() -> None:
    market = simulated(8)
    model = CountRegression().fit(market)
    assert model.basis_ == BASIS_MEAN
    assert len(set(model.predict(market))) == 1


def test_a_seller_without_a_past_is_forecast_like_the_platform(market: pd.DataFrame) -> None:
    newcomer = market.tail(1).assign(seller_id=999)
    model = CountRegression().fit(market)
    assert model.basis_ == BASIS_MODEL
    log_odds = features_before(newcomer, model.history_)["seller_log_odds"].item()
    assert log_odds == pytest.approx(0)
    assert 0.01 < model.predict(newcomer)[0] < 0.3


def test_sessions_that_start_together_are_not_split_apart() -> None:
    market = simulated(50).assign(starts_at=pd.Timestamp("2026-01-01"))
    market.loc[:9, "starts_at"] = pd.Timestamp("2025-12-01")
    train, test = split_by_time(market)
    assert (len(train), len(test)) == (10, 40)
    assert train["starts_at"].max() < test["starts_at"].min()


def test_more_buyers_than_viewers_are_refused_by_session() -> None:
    market = simulated(30)
    market.loc[4, "n_buyers"] = market.loc[4, "n_viewers"] + 1
    with pytest.raises(ValueError, match="session 5 "):
        CountRegression().fit(market)


def test_a_frame_that_lacks_a_column_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="seller_id"):
        MeanRate().fit(simulated(3).drop(columns="seller_id"))
