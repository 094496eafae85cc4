"""How many of a live session's viewers will buy.

Conversion rate = distinct buyers / distinct viewers of a live session x 100%; 100 of 1000
is 10%. Here it is a share from 0 to 1.

A session is counts, not a rate: 1 of 10 and 100 of 1000 say the same with very different
weight. So the models are fitted to buyers among viewers, and since sessions differ by more
than chance alone, with over-dispersion: buyers are beta-binomial with mean mu and
intra-session correlation rho, variance n mu (1 - mu) (1 + (n - 1) rho) (`conversion_counts`).
Scores and the choice between models stand in `conversion_evaluation`.

The columns of the session frame stand in `conversion_features`. Every model follows
scikit-learn: parameters in the constructor, `fit(frame)` returns self, what was learnt ends
in an underscore, `predict(frame)` gives an array of rates of shape (n_sessions,).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, TimeSeriesSplit, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from analytics.methods.conversion_counts import (
    effective_viewers,
    log_loss,
    overdispersion,
    session_counts,
    within_bounds,
)
from analytics.methods.conversion_features import (
    AFTERWARDS_COLUMNS,
    CATEGORICAL_FEATURES,
    NUMERIC_FEATURES,
    PRIOR_BUYERS,
    PRIOR_VIEWERS,
    SessionHistory,
    features_before,
    finished_sessions,
    require_columns,
)

# Eight of ten sessions should end within the interval.
DEFAULT_LEVEL = 0.8

# What a forecast rests on, as stored beside it.
BASIS_PRIOR = "prior"
BASIS_MEAN = "mean"
BASIS_MODEL = "model"

# Gradient boosting was better than regression past some 10^4 rows only, and worse than the
# mean on fewer and rarer ones.
BOOSTING_ROWS = 10_000


class MeanRate(BaseEstimator):
    """The pooled rate of all finished sessions, the same for every session.

    Attributes: mean_ (share), dispersion_ (rho), n_sessions_ (finished sessions behind it),
    history_ (SessionHistory), basis_ ("prior" without a finished session, else "mean").
    """

    name = "mean"
    for_scheduled = True

    def fit(self, frame: pd.DataFrame) -> Self:
        """Learn from the finished sessions of the frame; none at all leaves the prior."""
        finished = finished_sessions(frame)
        self.history_ = SessionHistory().fit(finished)
        buyers, viewers = session_counts(finished)
        self.n_sessions_ = len(finished)
        weight = viewers.sum() + PRIOR_VIEWERS
        self.mean_ = (buyers.sum() + PRIOR_BUYERS) / weight
        expected = np.full(len(finished), self.mean_)
        self.dispersion_ = overdispersion(buyers, viewers, expected, n_fitted=1)
        spread = viewers * (1 + (viewers - 1) * self.dispersion_)
        self._variance = self.mean_ * (1 - self.mean_) * (spread.sum() + PRIOR_VIEWERS) / weight**2
        self.basis_ = BASIS_MEAN if len(finished) else BASIS_PRIOR
        return self

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return np.full(len(frame), self.mean_)

    def rate_variance(self, frame: pd.DataFrame) -> np.ndarray:
        """Variance of the expected rate itself, for want of data: (n_sessions,)."""
        return np.full(len(frame), self._variance)


class PlainLinear(BaseEstimator):
    """The plain method: least squares of the conversion rate on view count and click count.

    Fitted on 80% of the sessions, chosen with random_state=42, and judged on the others
    (`r2_`). It reads counts that exist only once the session is over, so it explains sessions
    after the fact and can forecast none: a baseline, never served. Its rates may be negative.
    """

    name = "plain_linear"
    for_scheduled = False

    def __init__(self, *, test_size: float = 0.2, random_state: int = 42) -> None:
        self.test_size = test_size
        self.random_state = random_state

    def fit(self, frame: pd.DataFrame) -> Self:
        """Learn from the finished sessions; with fewer than five it stays at their mean."""
        require_columns(frame, AFTERWARDS_COLUMNS)
        finished = finished_sessions(frame)
        self.mean_model_ = MeanRate().fit(finished)
        self.n_sessions_ = len(finished)
        self.basis_ = self.mean_model_.basis_
        self.r2_: float | None = None
        if len(finished) < 5:
            return self
        counts = finished[list(AFTERWARDS_COLUMNS)].to_numpy(dtype="float64")
        rates = (finished["n_buyers"] / finished["n_viewers"]).to_numpy(dtype="float64")
        x_train, x_test, y_train, y_test = train_test_split(
            counts, rates, test_size=self.test_size, random_state=self.random_state
        )
        self.regression_ = LinearRegression().fit(x_train, y_train)
        if len(y_test) > 1:
            self.r2_ = float(r2_score(y_test, self.regression_.predict(x_test)))
        self.basis_ = BASIS_MODEL
        return self

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Rates of sessions whose views and clicks are known; not kept within 0 and 1."""
        require_columns(frame, AFTERWARDS_COLUMNS)
        if self.basis_ != BASIS_MODEL or not len(frame):
            return self.mean_model_.predict(frame)
        return self.regression_.predict(frame[list(AFTERWARDS_COLUMNS)].to_numpy(dtype="float64"))


class _FeatureModel(BaseEstimator):
    """What the models on features share: they fall back on the mean, and say so in `basis_`,
    with fewer than `min_sessions` sessions, without a single buyer or without a non-buyer."""

    name: str
    for_scheduled = True
    min_sessions: int

    def fit(self, frame: pd.DataFrame) -> Self:
        """Learn from the finished sessions of the frame."""
        finished = finished_sessions(frame)
        self.mean_model_ = MeanRate().fit(finished)
        self.history_ = self.mean_model_.history_
        self.n_sessions_ = len(finished)
        self.basis_, self.dispersion_ = self.mean_model_.basis_, self.mean_model_.dispersion_
        buyers, viewers = session_counts(finished)
        if len(finished) >= self.min_sessions and 0 < buyers.sum() < viewers.sum():
            self._fit_features(features_before(finished, self.history_), buyers, viewers)
            self.basis_ = BASIS_MODEL
        return self

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Expected rates, strictly between 0 and 1, from what is known before the start."""
        if self.basis_ != BASIS_MODEL or not len(frame):
            return self.mean_model_.predict(frame)
        return self._predict_features(features_before(frame, self.history_))

    def rate_variance(self, frame: pd.DataFrame) -> np.ndarray:
        """Variance of the expected rate itself, for want of data: (n_sessions,)."""
        if self.basis_ != BASIS_MODEL or not len(frame):
            return self.mean_model_.rate_variance(frame)
        return self._variance_features(features_before(frame, self.history_))

    def _fit_features(self, x: pd.DataFrame, buyers: np.ndarray, viewers: np.ndarray) -> None:
        raise NotImplementedError

    def _predict_features(self, x: pd.DataFrame) -> np.ndarray:
        raise NotImplementedError

    def _variance_features(self, x: pd.DataFrame) -> np.ndarray:
        raise NotImplementedError


class CountRegression(_FeatureModel):
    """Regularised binomial (logistic) regression on counts, on what is known before the start.

    A session weighs as many viewers as it tells: n / (1 + (n - 1) rho), so that one crowded
    session does not outvote a hundred small ones. rho is estimated from the residuals of a
    first fit (Williams, "Extra-binomial variation in logistic linear models", Applied
    Statistics 31 (1982), 144-148).

    Parameters: strengths (values of C tried, larger is freer; the best on later sessions is
    kept), min_sessions (below it the pooled mean answers), min_category (sessions that a
    category needs to get a coefficient of its own).
    Attributes: pipeline_, strength_, covariance_ (of intercept and coefficients), dispersion_.
    """

    name = "count_regression"

    def __init__(
        self,
        *,
        strengths: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0),
        min_sessions: int = 12,
        min_category: int = 5,
    ) -> None:
        self.strengths = strengths
        self.min_sessions = min_sessions
        self.min_category = min_category

    def _fit_features(self, x: pd.DataFrame, buyers: np.ndarray, viewers: np.ndarray) -> None:
        weights = effective_viewers(viewers, self.dispersion_)
        self.strength_ = self._best_strength(x, buyers / viewers, weights)
        # Once more, because the mean's residuals hold what the features explain.
        for _ in range(2):
            self._fit_weighted(x, buyers / viewers, weights, self.strength_)
            n_fitted = self._learn_covariance(x, weights)
            self.dispersion_ = overdispersion(
                buyers, viewers, self._predict_features(x), n_fitted=n_fitted
            )
            weights = effective_viewers(viewers, self.dispersion_)

    def _best_strength(self, x: pd.DataFrame, rates: np.ndarray, weights: np.ndarray) -> float:
        """The C with the least log-loss on sessions later than those fitted."""
        if len(x) < 2 * self.min_sessions:
            return min(self.strengths)
        losses = dict.fromkeys(self.strengths, 0.0)
        for train, test in TimeSeriesSplit(n_splits=4).split(x):
            if not 0 < (weights * rates)[train].sum() < weights[train].sum():
                continue
            for strength in self.strengths:
                self._fit_weighted(x.iloc[train], rates[train], weights[train], strength)
                p = self._predict_features(x.iloc[test])
                losses[strength] += log_loss(rates[test] * weights[test], weights[test], p)
        return min(losses, key=lambda strength: (losses[strength], strength))

    def _fit_weighted(
        self, x: pd.DataFrame, rates: np.ndarray, weights: np.ndarray, strength: float
    ) -> None:
        self.encoder_ = self._new_encoder()
        design = self.encoder_.fit_transform(x)
        self.regression_ = LogisticRegression(C=strength, solver="newton-cholesky", max_iter=200)
        # Each session twice: its buyers, and the viewers who did not buy.
        self.regression_.fit(
            np.vstack([design, design]),
            np.repeat([1, 0], len(x)),
            sample_weight=np.concatenate([weights * rates, weights * (1 - rates)]),
        )

    def _new_encoder(self) -> ColumnTransformer:
        numbers = make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
        )
        labels = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=self.min_category,
            sparse_output=False,
        )
        return ColumnTransformer(
            [
                ("numbers", numbers, list(NUMERIC_FEATURES)),
                ("labels", labels, list(CATEGORICAL_FEATURES)),
            ]
        )

    def _learn_covariance(self, x: pd.DataFrame, weights: np.ndarray) -> float:
        """Keep the Laplace covariance of the coefficients; the number of them that count.

        Shrunk coefficients count in part: trace of the hat matrix (Hastie, Tibshirani and
        Friedman, "The Elements of Statistical Learning", 2nd edition, section 3.4.1).
        """
        design = self._design(x)
        p = self._predict_features(x)
        information = design.T @ (design * (weights * p * (1 - p))[:, None])
        penalty = np.full(design.shape[1], 1 / self.strength_)
        penalty[0] = 0.0  # the intercept is not shrunk
        self.covariance_ = np.linalg.pinv(information + np.diag(penalty), hermitian=True)
        return float(np.trace(self.covariance_ @ information))

    def _design(self, x: pd.DataFrame) -> np.ndarray:
        encoded = self.encoder_.transform(x)
        return np.hstack([np.ones((len(x), 1)), encoded])

    def _predict_features(self, x: pd.DataFrame) -> np.ndarray:
        return expit(self.regression_.decision_function(self.encoder_.transform(x)))

    def _variance_features(self, x: pd.DataFrame) -> np.ndarray:
        design = self._design(x)
        log_odds_variance = np.einsum("ij,jk,ik->i", design, self.covariance_, design)
        p = self._predict_features(x)
        return (p * (1 - p)) ** 2 * log_odds_variance


class BoostedCounts(_FeatureModel):
    """Gradient-boosted trees with Poisson loss on rates weighted by viewers.

    For platforms with some 10^4 finished sessions (BOOSTING_ROWS) and more. Its dispersion is
    measured on sessions that were left out of the fit, so it holds the uncertainty of the
    trees as well, and `rate_variance` adds none.
    """

    name = "boosted_counts"

    def __init__(
        self,
        *,
        learning_rate: float = 0.05,
        max_iter: int = 200,
        min_samples_leaf: int = 40,
        l2_regularization: float = 1.0,
        min_sessions: int = 200,
        random_state: int = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.min_sessions = min_sessions
        self.random_state = random_state

    def _fit_features(self, x: pd.DataFrame, buyers: np.ndarray, viewers: np.ndarray) -> None:
        weights = effective_viewers(viewers, self.dispersion_)
        rates = buyers / viewers
        left_out = np.empty(len(x))
        for train, test in KFold(n_splits=3, shuffle=True, random_state=self.random_state).split(x):
            part = self._fitted_trees(x.iloc[train], rates[train], weights[train])
            left_out[test] = within_bounds(part.predict(x.iloc[test]))
        self.dispersion_ = overdispersion(buyers, viewers, left_out, n_fitted=0)
        self.trees_ = self._fitted_trees(x, rates, weights)

    def _fitted_trees(self, x: pd.DataFrame, rates: np.ndarray, weights: np.ndarray) -> Any:
        # The trees cannot bin a column of which no value is known.
        known = [name for name in NUMERIC_FEATURES if x[name].notna().any()]
        labels = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, max_categories=200
        )
        encoder = ColumnTransformer(
            [
                ("labels", labels, list(CATEGORICAL_FEATURES)),
                ("numbers", "passthrough", known),
            ]
        )
        trees = HistGradientBoostingRegressor(
            loss="poisson",
            learning_rate=self.learning_rate,
            max_iter=self.max_iter,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2_regularization,
            categorical_features=list(range(len(CATEGORICAL_FEATURES))),
            random_state=self.random_state,
        )
        return make_pipeline(encoder, trees).fit(
            x, rates, histgradientboostingregressor__sample_weight=weights
        )

    def _predict_features(self, x: pd.DataFrame) -> np.ndarray:
        return within_bounds(self.trees_.predict(x))

    def _variance_features(self, x: pd.DataFrame) -> np.ndarray:
        return np.zeros(len(x))
