"""What is known of a live session before it starts, as numbers.

The session frame (one row per session):

| column | unit | needed |
| --- | --- | --- |
| session_id, seller_id | keys | always |
| starts_at | datetime64, UTC without a zone (or with one) | always |
| local_hour, local_weekday | 0 to 23; 0 is Monday; by `with_local_time` | always |
| n_viewers, n_buyers | distinct people, after the session | to fit and to score |
| n_views, n_clicks | events, after the session | by PlainLinear only |
| min_price, mean_price | one currency, of the showcase | if known |
| discount | share of the list price, 0 to 1 | if known |
| has_coupon | bool | if known |
| category | any key, 0 or missing for none | if known |
| n_showcase, planned_minutes, n_reminders | counts, minutes | if known |

A column that is only wanted "if known" may be absent or hold NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

import numpy as np
import pandas as pd
from scipy.special import logit

from analytics.methods.retention import local_days, local_hours

KEY_COLUMNS = ("session_id", "seller_id", "starts_at", "local_hour", "local_weekday")
OUTCOME_COLUMNS = ("n_viewers", "n_buyers")
AFTERWARDS_COLUMNS = ("n_views", "n_clicks")
LOGGED_COLUMNS = ("min_price", "mean_price", "n_showcase", "planned_minutes", "n_reminders")
PLAIN_COLUMNS = ("discount", "has_coupon")

NUMERIC_FEATURES = (
    *("hour_sin", "hour_cos", "hour_sin2", "hour_cos2"),
    *(f"log_{name}" for name in LOGGED_COLUMNS),
    *PLAIN_COLUMNS,
    *("seller_log_odds", "seller_log_viewers"),
)
CATEGORICAL_FEATURES = ("hour_band", "weekday", "category")

# Night, morning, afternoon and evening begin at these hours: a step that two waves round off.
BAND_STARTS = (0, 6, 12, 18)

# Before anything is known, five of a hundred buy, believed as firmly as ten viewers would
# tell. A choice, not a measurement: the first session with an audience outweighs it.
PRIOR_BUYERS = 0.5
PRIOR_VIEWERS = 10.0

# A seller's own past counts as much as the platform's from this many viewers on.
SELLER_PRIOR_VIEWERS = 200.0
# An audience size is the platform's until the seller has had some sessions of their own.
AUDIENCE_PRIOR_SESSIONS = 2.0
# The audience that is assumed on a platform without a single finished session.
ASSUMED_VIEWERS = 100.0


def with_local_time(frame: pd.DataFrame, tz: str | tzinfo) -> pd.DataFrame:
    """The frame with local_hour (0 to 23) and local_weekday (0 is Monday) of starts_at in `tz`."""
    days = local_days(frame["starts_at"], tz)
    return frame.assign(
        local_hour=local_hours(frame["starts_at"], tz),
        local_weekday=pd.Series(pd.DatetimeIndex(days).day_of_week, index=frame.index),
    )


def require_columns(frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Raise ValueError that names the columns which the frame lacks."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise ValueError(f"the session frame lacks the columns {', '.join(missing)}")


def finished_sessions(frame: pd.DataFrame) -> pd.DataFrame:
    """The sessions with at least one viewer, by time: those that have a conversion rate.

    Raises ValueError for missing columns, negative counts and more buyers than viewers.
    """
    require_columns(frame, (*KEY_COLUMNS, *OUTCOME_COLUMNS))
    viewers, buyers = frame["n_viewers"], frame["n_buyers"]
    wrong = frame.loc[(buyers > viewers) | (buyers < 0), "session_id"]
    if len(wrong):
        raise ValueError(
            "buyers must be between 0 and the viewers of the session; "
            f"not so in session {wrong.iloc[0]} and {len(wrong) - 1} more"
        )
    return frame[viewers > 0].sort_values(["starts_at", "session_id"], kind="stable")


class SessionHistory:
    """What was known of sellers and of the platform at any moment.

    Everything it says about a session comes from sessions that started strictly earlier, so
    the features of a finished session are the ones that it had when it was still ahead.
    """

    def fit(self, finished: pd.DataFrame) -> SessionHistory:
        """Remember finished sessions (as from `finished_sessions`)."""
        facts = pd.DataFrame(
            {
                "seller_id": finished["seller_id"].to_numpy(),
                "starts_at": _utc(finished["starts_at"]),
                "buyers": finished["n_buyers"].to_numpy(dtype="float64"),
                "viewers": finished["n_viewers"].to_numpy(dtype="float64"),
                "log_viewers": np.log(finished["n_viewers"].to_numpy(dtype="float64")),
                "sessions": 1.0,
            }
        ).sort_values("starts_at", kind="stable")
        sums = ["buyers", "viewers", "log_viewers", "sessions"]
        self.by_seller_ = facts.assign(**facts.groupby("seller_id")[sums].cumsum())
        self.by_all_ = facts[["starts_at", *sums]].assign(**facts[sums].cumsum())
        return self

    def before(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What was known before each session of `frame`, in its order (n rows).

        Columns: seller_log_odds (log odds of the seller's shrunk rate less those of the
        platform: 0 for a newcomer), seller_log_viewers (log of 1 + viewers so far),
        expected_viewers (people).
        """
        asked = pd.DataFrame(
            {
                "seller_id": frame["seller_id"].to_numpy(),
                "starts_at": _utc(frame["starts_at"]),
                "row": np.arange(len(frame)),
            }
        ).sort_values("starts_at", kind="stable")
        own = self._earlier(asked, self.by_seller_, by="seller_id")
        everyone = self._earlier(asked, self.by_all_, by=None)
        platform = (everyone["buyers"] + PRIOR_BUYERS) / (everyone["viewers"] + PRIOR_VIEWERS)
        shrunk = (own["buyers"] + SELLER_PRIOR_VIEWERS * platform) / (
            own["viewers"] + SELLER_PRIOR_VIEWERS
        )
        common = (everyone["log_viewers"] + np.log(ASSUMED_VIEWERS)) / (everyone["sessions"] + 1)
        size = (own["log_viewers"] + AUDIENCE_PRIOR_SESSIONS * common) / (
            own["sessions"] + AUDIENCE_PRIOR_SESSIONS
        )
        return pd.DataFrame(
            {
                "seller_log_odds": logit(shrunk) - logit(platform),
                "seller_log_viewers": np.log1p(own["viewers"]),
                "expected_viewers": np.exp(size),
            }
        )

    @staticmethod
    def _earlier(asked: pd.DataFrame, sums: pd.DataFrame, *, by: str | None) -> pd.DataFrame:
        """The sums of sessions strictly before each asked moment, in the order of `row`."""
        found = pd.merge_asof(asked, sums, on="starts_at", by=by, allow_exact_matches=False)
        columns = ["buyers", "viewers", "log_viewers", "sessions"]
        return found.sort_values("row")[columns].fillna(0.0).reset_index(drop=True)


def features_before(frame: pd.DataFrame, history: SessionHistory) -> pd.DataFrame:
    """NUMERIC_FEATURES (float64, NaN where unknown) and CATEGORICAL_FEATURES (str) of sessions.

    One row per session in the order of `frame`, indexed from 0. Counts from after the start
    are never read.
    """
    require_columns(frame, KEY_COLUMNS)
    columns: dict[str, np.ndarray] = {}
    hour = _numbers(frame, "local_hour")
    for wave in (1, 2):
        suffix = "" if wave == 1 else "2"
        columns[f"hour_sin{suffix}"] = np.sin(2 * np.pi * wave * hour / 24)
        columns[f"hour_cos{suffix}"] = np.cos(2 * np.pi * wave * hour / 24)
    for name in LOGGED_COLUMNS:
        columns[f"log_{name}"] = np.log1p(np.maximum(_numbers(frame, name), 0))
    for name in PLAIN_COLUMNS:
        columns[name] = _numbers(frame, name)
    past = history.before(frame)
    for name in ("seller_log_odds", "seller_log_viewers"):
        columns[name] = past[name].to_numpy()
    band = np.searchsorted(BAND_STARTS, hour, side="right")
    columns["hour_band"] = _labels(np.where(np.isnan(hour), np.nan, band))
    columns["weekday"] = _labels(_numbers(frame, "local_weekday"))
    category = frame["category"] if "category" in frame else pd.Series(np.nan, index=frame.index)
    columns["category"] = _labels(category.to_numpy())
    return pd.DataFrame(columns)[[*NUMERIC_FEATURES, *CATEGORICAL_FEATURES]]


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    if name not in frame:
        return np.full(len(frame), np.nan)
    values = pd.to_numeric(frame[name]).to_numpy(dtype="float64", na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _labels(values: np.ndarray) -> np.ndarray:
    labels = pd.Series(values, dtype="object")
    return labels.astype("str").where(labels.notna(), "unknown").to_numpy(dtype="object")


def _utc(moments: pd.Series) -> np.ndarray:
    """Moments as datetime64[us] in UTC; merge_asof wants one unit on both sides."""
    known = pd.to_datetime(moments, utc=True)
    if known.isna().any():
        raise ValueError("starts_at is missing for a session: every session needs its start")
    return known.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
