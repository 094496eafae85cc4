"""How good the conversion models are on sessions later than those that they learnt from.

The served model is the one with the least log-loss there; the mean is always scored beside
the others, and wins a tie.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from analytics.methods.conversion import (
    BOOSTING_ROWS,
    DEFAULT_LEVEL,
    BoostedCounts,
    CountRegression,
    MeanRate,
    PlainLinear,
)
from analytics.methods.conversion_counts import (
    log_loss,
    prediction_interval,
    session_counts,
    within_bounds,
)
from analytics.methods.conversion_features import finished_sessions

TEST_SHARE = 0.2

# With fewer finished sessions there are not five to judge on: nothing is scored.
MIN_SESSIONS = 25


def split_by_time(
    frame: pd.DataFrame, *, test_share: float = TEST_SHARE
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The finished sessions as (earlier, later); sessions that start together stay together.

    `test_share` of them are later, but for the rounding and for what starts at one moment.
    """
    finished = finished_sessions(frame)
    if len(finished) < 2:
        return finished, finished.iloc[:0]
    starts = finished["starts_at"]
    cut = starts.iloc[min(int(len(finished) * (1 - test_share)), len(finished) - 1)]
    return finished[starts < cut], finished[starts >= cut]


def candidates(n_sessions: int) -> list[Any]:
    """The models that may be served with so many finished sessions; the mean is the first."""
    boosted = [BoostedCounts] if n_sessions >= BOOSTING_ROWS else []
    return [MeanRate, CountRegression, *boosted]


def evaluate_models(
    frame: pd.DataFrame,
    *,
    with_baseline: bool = True,
    level: float = DEFAULT_LEVEL,
) -> list[dict[str, Any]]:
    """Score every model on the later sessions; empty with fewer than MIN_SESSIONS finished.

    One dict per model, the mean first: see `score_predictions` for the metrics, and rows
    (finished sessions, int), fit_seconds, interval_coverage (share of the later sessions that
    ended within the interval forecast for them; None where a model gives none) and
    interval_level.
    """
    n_finished = len(finished_sessions(frame))
    if n_finished < MIN_SESSIONS:
        return []
    train, test = split_by_time(frame)
    if train.empty:
        return []
    makers = candidates(n_finished) + ([PlainLinear] if with_baseline else [])
    mean_rates = MeanRate().fit(train).predict(test)
    scores = []
    for make in makers:
        model = make()
        began = time.perf_counter()
        model.fit(train)
        fit_seconds = time.perf_counter() - began
        scores.append(
            {
                "method": model.name,
                **score_predictions(test, model.predict(test), mean_rates),
                **_coverage(model, test, level=level),
                "rows": n_finished,
                "fit_seconds": round(fit_seconds, 4),
            }
        )
    return scores


def score_predictions(
    test: pd.DataFrame, rates: np.ndarray, mean_rates: np.ndarray
) -> dict[str, float | int | None]:
    """How well `rates` foretell the sessions of `test`; all of shape (n_sessions,).

    - log_loss: minus the log-likelihood per viewer, in nats; rates are first clipped to lie
      within 0 and 1 (`within_bounds`).
    - log_loss_vs_mean: the same less that of `mean_rates`; below 0 is better than the mean.
    - log_loss_se: standard error of that difference over sessions.
    - rmse: root of the mean squared difference between rates, one session one voice.
    - calibration: expected buyers / buyers; 1 is right, None without a buyer.
    - negative_share: share of sessions with a rate below 0.
    - n_test: sessions.
    """
    buyers, viewers = session_counts(test)
    difference = _losses(buyers, viewers, rates) - _losses(buyers, viewers, mean_rates)
    per_viewer = difference.sum() / viewers.sum()
    # A ratio of two sums: residuals about the ratio (Cochran, "Sampling Techniques", 6.4).
    residuals = difference - per_viewer * viewers
    return {
        "log_loss": log_loss(buyers, viewers, rates) / float(viewers.sum()),
        "rmse": float(np.sqrt(np.mean((rates - buyers / viewers) ** 2))),
        "log_loss_vs_mean": float(per_viewer),
        "log_loss_se": float(np.sqrt((residuals**2).sum()) / viewers.sum()),
        "calibration": (
            float((rates * viewers).sum() / buyers.sum()) if buyers.sum() > 0 else None
        ),
        "negative_share": float(np.mean(rates < 0)),
        "n_test": len(test),
    }


def choose_served(scores: Sequence[dict[str, Any]], *, may_serve: Sequence[str]) -> str:
    """The name of the model with the least log-loss among `may_serve`; the first of equals.

    Without scores, the first of `may_serve`.
    """
    rivals = [score for score in scores if score["method"] in may_serve]
    if not rivals:
        return may_serve[0]
    return min(rivals, key=lambda score: score["log_loss"])["method"]


def rate_interval(
    model: BaseEstimator, frame: pd.DataFrame, *, level: float = DEFAULT_LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Ends (low, high), each (n_sessions,), of the rates that sessions will have.

    The audience is the one that their seller's earlier sessions let expect.
    """
    return prediction_interval(
        model.predict(frame),
        model.rate_variance(frame),
        model.dispersion_,
        model.history_.before(frame)["expected_viewers"].to_numpy(),
        level=level,
    )


def _losses(buyers: np.ndarray, viewers: np.ndarray, rates: np.ndarray) -> np.ndarray:
    p = within_bounds(rates)
    return -(buyers * np.log(p) + (viewers - buyers) * np.log1p(-p))


def _coverage(model: BaseEstimator, test: pd.DataFrame, *, level: float) -> dict[str, float | None]:
    if not model.for_scheduled:
        return {"interval_coverage": None, "interval_level": None}
    buyers, viewers = session_counts(test)
    low, high = rate_interval(model, test, level=level)
    rates = buyers / viewers
    inside = (rates >= low - 1e-12) & (rates <= high + 1e-12)
    return {"interval_coverage": float(np.mean(inside)), "interval_level": level}
