"""Buyers among viewers as beta-binomial counts: dispersion, log-loss, intervals.

Everywhere `buyers` and `viewers` are arrays of counts of shape (n_sessions,), rates are
shares from 0 to 1 of the same shape, and rho is the correlation of two viewers of one session:
buyers have variance n mu (1 - mu) (1 + (n - 1) rho).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import betaln, gammaln
from scipy.stats import beta

# Over-dispersion before any two sessions could be compared, believed like so many sessions.
# At a rate of 5% it lets sessions differ by 3 points (one standard deviation).
PRIOR_DISPERSION = 0.02
PRIOR_DISPERSION_SESSIONS = 5.0

# A rate of exactly 0 or 1 would make one surprise infinitely bad.
SMALLEST_RATE = 1e-6

# rho stays below 1, where all viewers of a session would act as one.
LARGEST_DISPERSION = 0.99

# Up to here the distribution of buyers is added up count by count; in larger audiences the
# steps between counts are too small to see.
EXACT_VIEWERS = 5_000


def session_counts(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Buyers and viewers of the sessions of a frame, float64 of shape (n_sessions,)."""
    return (
        frame["n_buyers"].to_numpy(dtype="float64"),
        frame["n_viewers"].to_numpy(dtype="float64"),
    )


def within_bounds(rates: np.ndarray) -> np.ndarray:
    """The rates, kept strictly between 0 and 1."""
    return np.clip(rates, SMALLEST_RATE, 1 - SMALLEST_RATE)


def effective_viewers(viewers: np.ndarray, dispersion: float) -> np.ndarray:
    """How many independent viewers a session tells as much as: n / (1 + (n - 1) rho)."""
    return viewers / (1 + (viewers - 1) * dispersion)


def log_loss(buyers: np.ndarray, viewers: np.ndarray, rates: np.ndarray) -> float:
    """Minus the log-likelihood of all viewers together, in nats; lower is better."""
    p = within_bounds(rates)
    return float(-(buyers * np.log(p) + (viewers - buyers) * np.log1p(-p)).sum())


def overdispersion(
    buyers: np.ndarray, viewers: np.ndarray, expected: np.ndarray, *, n_fitted: float
) -> float:
    """rho, from how far buyers lie from the expected rates; `n_fitted` parameters made those.

    Pearson's statistic of the beta-binomial is set to its degrees of freedom (Williams, 1982),
    with PRIOR_DISPERSION counting like PRIOR_DISPERSION_SESSIONS further sessions, so that few
    sessions that happen to agree do not claim certainty.
    """
    p = within_bounds(expected)
    # A single viewer tells nothing of how viewers of one session go together.
    told = viewers > 1
    n = viewers[told]
    square = (buyers[told] - n * p[told]) ** 2 / (n * p[told] * (1 - p[told]))
    freedom = max(len(n) - n_fitted, 0.0)
    if freedom <= 0:
        return PRIOR_DISPERSION

    def surplus(rho: float) -> float:
        return float((square / (1 + (n - 1) * rho)).sum() - freedom)

    if surplus(0.0) <= 0:
        found = 0.0
    elif surplus(LARGEST_DISPERSION) >= 0:
        found = LARGEST_DISPERSION
    else:
        found = brentq(surplus, 0.0, LARGEST_DISPERSION, xtol=1e-9)
    weight = freedom + PRIOR_DISPERSION_SESSIONS
    return (freedom * found + PRIOR_DISPERSION_SESSIONS * PRIOR_DISPERSION) / weight


def prediction_interval(
    rates: np.ndarray,
    rate_variance: np.ndarray,
    dispersion: float,
    viewers: np.ndarray,
    *,
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Ends (low, high) of the conversion rate that a session of so many viewers will have.

    The rate of the session is beta with mean `rates`; its variance is that between sessions
    plus `rate_variance`, what the model does not know for want of data. Buyers are binomial
    given it. Equal tails; both ends are rates that can occur, and hold the expected rate.
    Raises ValueError unless 0 < level < 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    p = within_bounds(np.asarray(rates, dtype="float64"))
    rho = np.clip(dispersion + rate_variance / (p * (1 - p)), 1e-9, LARGEST_DISPERSION)
    sizes = np.maximum(np.round(np.asarray(viewers, dtype="float64")), 1.0)
    low, high = np.empty(len(p)), np.empty(len(p))
    tails = ((1 - level) / 2, (1 + level) / 2)
    for row, (mean, spread, size) in enumerate(zip(p, rho, sizes, strict=True)):
        if size <= EXACT_VIEWERS:
            low[row], high[row] = _exact_quantiles(mean, spread, int(size), tails)
    large = sizes > EXACT_VIEWERS
    if large.any():
        # One beta with the variance of the observed share, chance among viewers included.
        spread = np.clip((1 + (sizes - 1) * rho) / sizes, 1e-9, LARGEST_DISPERSION)[large]
        a, b = _shape(p[large], spread)
        low[large], high[large] = beta.ppf(tails[0], a, b), beta.ppf(tails[1], a, b)
    return np.clip(np.minimum(low, p), 0, 1), np.clip(np.maximum(high, p), 0, 1)


def _shape(mean: np.ndarray | float, rho: np.ndarray | float) -> tuple:
    """The two parameters of the beta with this mean and variance rho mean (1 - mean)."""
    total = 1 / rho - 1
    return mean * total, (1 - mean) * total


def _exact_quantiles(
    mean: float, rho: float, size: int, tails: tuple[float, float]
) -> tuple[float, float]:
    """Quantiles of buyers / size, where buyers are beta-binomial."""
    a, b = _shape(mean, rho)
    k = np.arange(size + 1)
    choose = gammaln(size + 1) - gammaln(k + 1) - gammaln(size - k + 1)
    cumulative = np.cumsum(np.exp(choose + betaln(k + a, size - k + b) - betaln(a, b)))
    ends = np.searchsorted(cumulative, tails)
    return ends[0] / size, min(ends[1], size) / size
