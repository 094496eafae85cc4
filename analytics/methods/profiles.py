"""Actions as the sums that a profile is derived from: see `profile_state`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analytics.methods.profile_state import LIVE_SUMS, PERIOD_DAYS, State, folded
from analytics.methods.retention import local_days, local_hours

ACTION_COLUMNS = (
    *("user_id", "category_id", "weight", "occurred_at", "session_id"),
    *("price_cents", "currency", "is_reduced", "watched", "chats", "likes", "shares"),
)


def sums_of_actions(actions: pd.DataFrame, tz: str) -> dict[int, State]:
    """The state of each person of a frame with ACTION_COLUMNS, by user_id.

    weight is in hundredths (0: says nothing of interests), occurred_at UTC or NaT, category_id
    and session_id 0 for none. price_cents is -1 without a purchase, currency "" then;
    is_reduced is 1 for a purchase below the list price of that moment (by a promotion, a
    coupon or both), 0 at the list price, -1 where the list price is not known or 0. watched is
    in whole seconds and only counted, like chats, likes and shares, where there is a session.
    """
    states: dict[int, State] = {
        user: {"n": n} for user, n in _groups(actions, ["user_id"]).size().items()
    }
    dated = actions[actions["occurred_at"].notna()]
    _add_times(states, dated, tz)
    _add_interests(states, actions[(actions["weight"] > 0) & (actions["category_id"] > 0)], tz)
    _add_prices(states, actions[actions["price_cents"] >= 0])
    live = actions[actions["session_id"] > 0]
    for user, *sums in _groups(live, ["user_id"])[list(LIVE_SUMS)].sum().itertuples():
        states[user]["live"] = {"sessions": [], **dict(zip(LIVE_SUMS, sums, strict=True))}
    for user, session in sorted(set(zip(live["user_id"], live["session_id"], strict=True))):
        states[int(user)]["live"]["sessions"].append(int(session))
    return states


def _groups(frame: pd.DataFrame, keys: list[str]) -> Any:
    return frame.groupby(keys, sort=True)


def _add_times(states: dict[int, State], dated: pd.DataFrame, tz: str) -> None:
    micros = dated["occurred_at"].astype("datetime64[us]").astype("int64")
    ends = micros.groupby(dated["user_id"]).agg(["min", "max"])
    for user, first, last in ends.itertuples():
        states[user] |= {"first": first, "last": last, "hours": {}}
    hours = local_hours(dated["occurred_at"], tz).astype("int64")
    counts = pd.Series(1, index=[dated["user_id"].to_numpy(), hours], dtype="int64")
    for (user, hour), n in counts.groupby(level=[0, 1]).sum().items():
        states[user]["hours"][str(hour)] = n


def _add_interests(states: dict[int, State], telling: pd.DataFrame, tz: str) -> None:
    table = pd.DataFrame(
        {
            "user_id": telling["user_id"],
            "category_id": telling["category_id"],
            "weight": telling["weight"].astype("int64"),
            "n": 1,
        }
    )
    is_dated = telling["occurred_at"].notna().to_numpy()
    table["undated"] = table["weight"].where(~is_dated, 0)
    keys = ["user_id", "category_id"]
    rows = table.groupby(keys, sort=True)[["n", "undated"]].sum().reset_index()
    columns = [rows[name].tolist() for name in (*keys, "n", "undated")]
    for user, category, n, undated in zip(*columns, strict=True):
        states[user].setdefault("interests", {})[str(category)] = [n, undated]
    dated = table[is_dated]
    if dated.empty:
        return
    days = local_days(telling.loc[is_dated, "occurred_at"], tz).astype("int64")
    by_period = dated.assign(period=days // PERIOD_DAYS)
    rows = by_period.groupby([*keys, "period"], sort=True)["weight"].sum().reset_index()
    touched = set()
    columns = [rows[name].tolist() for name in (*keys, "period", "weight")]
    for user, category, period, weight in zip(*columns, strict=True):
        sums = states[user]["interests"][str(category)]
        if len(sums) == 2:
            sums.append({})
        sums[2][str(period)] = weight
        touched.add(user)
    for user in touched:
        states[user]["interests"] = folded(states[user]["interests"])


def _add_prices(states: dict[int, State], paid: pd.DataFrame) -> None:
    table = pd.DataFrame(
        {
            "user_id": paid["user_id"],
            "currency": paid["currency"],
            "total": paid["price_cents"].astype("int64"),
            "n": 1,
            "n_known": (paid["is_reduced"] >= 0).astype("int64"),
            "n_reduced": (paid["is_reduced"] > 0).astype("int64"),
        }
    )
    for (user, currency), *sums in _groups(table, ["user_id", "currency"]).sum().itertuples():
        states[user].setdefault("price", {})[currency] = sums
