"""How a live session went, minute by minute, in sums that only grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.methods.small_groups import SMALLEST_GROUP

# A session of more minutes is drawn up to this one; all its counts are in the figures.
MOST_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Curve:
    """Arrays of shape (n_minutes,): what was reached by the end of each minute of the clock, the
    first being that in which the session began, `lead_seconds` after the minute did.

    n_viewers (distinct people), n_views, watched_seconds, n_impressions, n_clicks, n_orders,
    n_buyers: sums since the beginning; gmv: the same, in the session's currency (float64).
    at_once: most viewers at once within the minute, NaN where it was not recorded.
    """

    n_viewers: np.ndarray
    n_views: np.ndarray
    watched_seconds: np.ndarray
    n_impressions: np.ndarray
    n_clicks: np.ndarray
    n_orders: np.ndarray
    n_buyers: np.ndarray
    gmv: np.ndarray
    at_once: np.ndarray
    lead_seconds: float = 0.0

    @property
    def n_minutes(self) -> int:
        return len(self.n_viewers)


def summed_by_minute(
    minutes: np.ndarray, n_minutes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """How much happened up to the end of each minute: (n_minutes,) float64.

    `minutes` (n,) are whole minutes since the beginning: what was before it counts with the
    first one, what came after the last one is left out. `weights` (n,) are 1 each if None.
    """
    minutes = np.maximum(np.asarray(minutes, dtype="int64"), 0)
    inside = minutes < n_minutes
    part = None if weights is None else np.asarray(weights, dtype="float64")[inside]
    counts = np.bincount(minutes[inside], weights=part, minlength=n_minutes)
    return np.cumsum(counts.astype("float64"))


def watched_by_minute(came: np.ndarray, watched_seconds: np.ndarray, n_minutes: int) -> np.ndarray:
    """Seconds watched by all viewers up to the end of each minute: (n_minutes,) float64.

    `came` (n,) are seconds since the beginning at which each came, `watched_seconds` (n,) how
    long each watched in all, taken as watched in one go from then on.
    """
    ends = 60.0 * np.arange(1, n_minutes + 1)
    came = np.asarray(came, dtype="float64")
    left = came + np.asarray(watched_seconds, dtype="float64")
    return _seconds_since(came, ends) - _seconds_since(left, ends)


def _seconds_since(points: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """For each end the sum over all points before it of the seconds from the point to it."""
    ordered = np.sort(points)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    n_before = np.searchsorted(ordered, ends)
    return n_before * ends - sums[n_before]


def present_by_minute(came: np.ndarray, left: np.ndarray, n_minutes: int) -> np.ndarray:
    """How many stays touch each minute: (n_minutes,) float64. An upper bound of those at once.

    `came` and `left` (n,) are seconds since the beginning.
    """
    starts = 60.0 * np.arange(n_minutes)
    began = np.searchsorted(np.sort(came), starts + 60.0)
    ended = np.searchsorted(np.sort(left), starts)
    return (began - ended).astype("float64")


def share(parts: float, wholes: float) -> float:
    """A share, NaN without a whole and where there are more parts than the whole."""
    return parts / wholes if wholes and parts <= wholes else float("nan")


def figures_at(curve: Curve, seconds: float) -> dict[str, float]:
    """The figures as they stood so many seconds after the beginning, or at the end of a shorter
    session; sums between the ends of two minutes lie on a straight line.

    Keys as in `FIGURES`; NaN for what had nothing to be divided by or was not recorded.
    """
    seconds = max(seconds, 0.0) + curve.lead_seconds
    ends = 60.0 * np.arange(curve.n_minutes + 1)

    def reached(sums: np.ndarray) -> float:
        return float(np.interp(seconds, ends, np.concatenate([[0.0], sums])))

    at = int(seconds // 60)
    known = curve.at_once[: at + 1]
    known = known[np.isfinite(known)]
    return figures_of_sums(
        viewers_now=float(curve.at_once[at]) if at < curve.n_minutes else float("nan"),
        peak_viewers=float(known.max()) if len(known) else float("nan"),
        n_viewers=reached(curve.n_viewers),
        n_views=reached(curve.n_views),
        watched_seconds=reached(curve.watched_seconds),
        n_impressions=reached(curve.n_impressions),
        n_clicks=reached(curve.n_clicks),
        n_orders=reached(curve.n_orders),
        n_buyers=reached(curve.n_buyers),
        gmv=reached(curve.gmv),
    )


FIGURES = (
    *("viewers_now", "peak_viewers", "viewers", "average_watch", "impressions", "clicks"),
    *("click_through", "orders", "click_to_order", "conversion", "gmv", "gmv_per_thousand_views"),
)


def figures_of_sums(
    *,
    viewers_now: float,
    peak_viewers: float,
    n_viewers: float,
    n_views: float,
    watched_seconds: float,
    n_impressions: float,
    n_clicks: float,
    n_orders: float,
    n_buyers: float,
    gmv: float,
) -> dict[str, float]:
    """The figures of a session from its sums, by the platform's definitions; keys `FIGURES`.

    Of fewer than SMALLEST_GROUP viewers there is no average watch time: it would tell about
    single ones.
    """
    nan = float("nan")
    return {
        "viewers_now": viewers_now,
        "peak_viewers": peak_viewers,
        "viewers": n_viewers,
        "average_watch": watched_seconds / n_viewers if n_viewers >= SMALLEST_GROUP else nan,
        "impressions": n_impressions,
        "clicks": n_clicks,
        "click_through": share(n_clicks, n_impressions),
        "orders": n_orders,
        "click_to_order": share(n_orders, n_clicks),
        "conversion": share(n_buyers, n_viewers),
        "gmv": gmv,
        "gmv_per_thousand_views": 1000 * gmv / n_views if n_views else nan,
    }
