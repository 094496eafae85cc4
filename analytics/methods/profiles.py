"""What a person's actions add up to: the sums that a profile is derived from.

Everything is derived (`derived_profile`) from sums of whole numbers (`sums_of_actions`) that
can be added up in any order and in any parts (`merged`), so that a profile built little by
little equals one built from the whole history. A state is a plain dict that JSON keeps as it is:

| key | what |
| --- | --- |
| n | actions |
| first, last | microseconds since 1970 of the first and the last dated action; absent without one |
| hours | {local hour: dated actions} |
| interests | {category: [actions, undated weight, {period: weight}]}, weights in hundredths |
| price | {currency: [sum in hundredths, purchases, of known list price, of them reduced]} |
| live | {"sessions": ids, "watched": seconds, "chats", "likes", "shares": counts} |

An action whose time is unknown (it has a place in an order only) has no day and no hour. It
still tells an interest, with the weight of an old one.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from analytics.methods.retention import local_days, local_hours

ACTION_COLUMNS = (
    *("user_id", "category_id", "weight", "occurred_at", "session_id"),
    *("price_cents", "currency", "is_reduced", "watched", "chats", "likes", "shares"),
)
LIVE_SUMS = ("watched", "chats", "likes", "shares")

# Interests count half as much after three periods: tastes outlast a season, not a year.
PERIOD_DAYS = 30
HALF_LIFE_PERIODS = 3
# Older periods weigh less than half a percent of the newest one and are kept as one.
OLDEST_PERIOD = 24

State = dict[str, Any]


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


def merged(one: State, other: State) -> State:
    """The state of all actions of both; they must not share an action."""
    out: State = {"n": one["n"] + other["n"]}
    for name, choose in (("first", min), ("last", max)):
        moments = [state[name] for state in (one, other) if name in state]
        if moments:
            out[name] = choose(moments)
    for name, add in (
        ("hours", _added),
        ("interests", _added_interests),
        ("price", _added_prices),
        ("live", _added_live),
    ):
        parts = [state[name] for state in (one, other) if name in state]
        if parts:
            out[name] = add(*parts) if len(parts) == 2 else parts[0]
    if "interests" in out:
        out["interests"] = _folded(out["interests"])
    return out


def newest_period(sums: dict[str, list]) -> int | None:
    """The newest period in which anything told an interest, counted from 1970; None: no date."""
    return max(
        (int(p) for value in sums.values() if len(value) > 2 for p in value[2]), default=None
    )


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
        states[user]["interests"] = _folded(states[user]["interests"])


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


def _folded(sums: dict[str, list]) -> dict[str, list]:
    """The sums with all periods before the last OLDEST_PERIOD added to the oldest kept one.

    Folding early and again later comes to the same as folding once at the end.
    """
    newest = newest_period(sums)
    if newest is None:
        return sums
    oldest = newest - OLDEST_PERIOD
    out = {}
    for category, (n, undated, *periods) in sums.items():
        kept: Counter[str] = Counter()
        for period, weight in (periods[0] if periods else {}).items():
            kept[str(max(int(period), oldest))] += weight
        out[category] = [n, undated, dict(kept)] if kept else [n, undated]
    return out


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in one | other}


def _added_interests(one: dict[str, list], other: dict[str, list]) -> dict[str, list]:
    out = dict(one)
    for category, (n, undated, *periods) in other.items():
        had_n, had_undated, *had_periods = out.get(category, [0, 0])
        both = _added(*(part[0] if part else {} for part in (had_periods, periods)))
        out[category] = [had_n + n, had_undated + undated, *([both] if both else [])]
    return out


def _added_prices(one: dict[str, list[int]], other: dict[str, list[int]]) -> dict[str, list[int]]:
    both = {**one, **other}
    for currency in one.keys() & other.keys():
        both[currency] = [x + y for x, y in zip(one[currency], other[currency], strict=True)]
    return both


def _added_live(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {
        "sessions": sorted({*one["sessions"], *other["sessions"]}),
        **{name: one[name] + other[name] for name in LIVE_SUMS},
    }
