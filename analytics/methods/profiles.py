"""What a person's actions say about them: interests, hours, price band, stage, engagement.

Everything is derived from sums of whole numbers (`sums_of_actions`) that can be added up in
any order and in any parts (`merged`), so that a profile built little by little equals one
built from the whole history. A state is a plain dict that JSON keeps as it is:

| key | what |
| --- | --- |
| n | actions |
| first, last | microseconds since 1970 of the first and the last dated action; absent without one |
| hours | {local hour: dated actions} |
| interests | {category: [actions, undated weight, {period: weight}]}, weights in hundredths |
| price | [sum in hundredths, purchases] |
| live | {"sessions": ids, "watched": seconds, "chats", "likes", "shares": counts} |

An action whose time is unknown (it has a place in an order only) has no day and no hour. It
still tells an interest, with the weight of one UNDATED_PERIODS before the newest dated one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from analytics.methods.retention import local_days, local_hours

ACTION_COLUMNS = (
    *("user_id", "category_id", "weight", "occurred_at", "session_id", "price_cents"),
    *("watched", "chats", "likes", "shares"),
)
LIVE_SUMS = ("watched", "chats", "likes", "shares")

# Interests count half as much after three periods: tastes outlast a season, not a year.
PERIOD_DAYS = 30
HALF_LIFE_PERIODS = 3
# Older periods weigh less than half a percent of the newest one and are kept as one.
OLDEST_PERIOD = 24
UNDATED_PERIODS = 6
# A field that somebody chose weighs as much as one course taken in the newest period.
CHOSEN_WEIGHT = 100

N_INTERESTS = 10
N_HOURS = 3

NEWCOMER_FOR = timedelta(days=7)
SLIPPING_AFTER = timedelta(days=14)
GONE_AFTER = timedelta(days=60)

State = dict[str, Any]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 the frames hold UTC without a zone


@dataclass(frozen=True, slots=True)
class DerivedProfile:
    """What is shown of one person.

    interests: at most N_INTERESTS of {"category", "weight" (share of all, 0 to 1), "n_events"},
    the strongest first; n_events is 0 for a field that was only chosen. favourite_hours: at
    most N_HOURS of {"hour" (local, 0 to 23), "n_events"}, the busiest first. price_band: free,
    low, middle or high by the mean price paid, "" without a purchase. stage: see `stage_at`.
    engagement: n_sessions, watched_seconds, n_chats, n_likes, n_shares in live rooms, and
    n_purchases, the count behind the price band. last_active_at: UTC without a zone.
    """

    n_events: int
    interests: list[dict[str, float | int]]
    favourite_hours: list[dict[str, int]]
    price_band: str
    stage: str
    engagement: dict[str, int]
    last_active_at: datetime | None


def sums_of_actions(actions: pd.DataFrame, tz: str) -> dict[int, State]:
    """The state of each person of a frame with ACTION_COLUMNS, by user_id.

    weight is in hundredths (0: says nothing of interests), price_cents -1 without a purchase,
    occurred_at UTC or NaT, category_id and session_id 0 for none; watched is in whole seconds
    and only counted, like chats, likes and shares, where there is a session.
    """
    states: dict[int, State] = {
        user: {"n": n} for user, n in _groups(actions, ["user_id"]).size().items()
    }
    dated = actions[actions["occurred_at"].notna()]
    _add_times(states, dated, tz)
    _add_interests(states, actions[(actions["weight"] > 0) & (actions["category_id"] > 0)], tz)
    paid = _groups(actions[actions["price_cents"] >= 0], ["user_id"])["price_cents"]
    for user, total, n in paid.agg(["sum", "size"]).itertuples():
        states[user]["price"] = [total, n]
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
        ("price", lambda a, b: [x + y for x, y in zip(a, b, strict=True)]),
        ("live", _added_live),
    ):
        parts = [state[name] for state in (one, other) if name in state]
        if parts:
            out[name] = add(*parts) if len(parts) == 2 else parts[0]
    if "interests" in out:
        out["interests"] = _folded(out["interests"])
    return out


def derive(
    state: State, *, chosen: Iterable[int], bounds: tuple[float, float], now: datetime
) -> DerivedProfile:
    """The profile that a state tells at `now` (UTC without a zone).

    `chosen` are the fields that the person named, `bounds` as from `price_bounds`.
    """
    live = state.get("live", {})
    total, n_purchases = state.get("price", (0, 0))
    hours = state.get("hours", {})
    last = _moment(state, "last")
    return DerivedProfile(
        n_events=state["n"],
        interests=_interests(state.get("interests", {}), chosen),
        favourite_hours=[
            {"hour": int(hour), "n_events": n}
            for hour, n in sorted(hours.items(), key=lambda item: (-item[1], int(item[0])))
        ][:N_HOURS],
        price_band=_price_band(total / n_purchases / 100, bounds) if n_purchases else "",
        stage=stage_at(n=state["n"], first=_moment(state, "first"), last=last, now=now),
        engagement={
            "n_sessions": len(live.get("sessions", ())),
            "watched_seconds": live.get("watched", 0),
            "n_chats": live.get("chats", 0),
            "n_likes": live.get("likes", 0),
            "n_shares": live.get("shares", 0),
            "n_purchases": n_purchases,
        },
        last_active_at=last,
    )


def stage_at(*, n: int, first: datetime | None, last: datetime | None, now: datetime) -> str:
    """gone, slipping, newcomer or active by the days since the last and the first action.

    Somebody who did nothing yet is a newcomer; of somebody whose actions have no date nothing
    is known: "". All moments are UTC without a zone.
    """
    if first is None or last is None:
        return "" if n else "newcomer"
    if now - last > GONE_AFTER:
        return "gone"
    if now - last > SLIPPING_AFTER:
        return "slipping"
    return "newcomer" if now - first < NEWCOMER_FOR else "active"


def price_bounds(prices: Sequence[float]) -> tuple[float, float]:
    """What lies between low, middle and high: the terciles of the prices above 0.

    Rounded to one digit, so that a new course seldom moves everybody's band. (0, 0) without
    a price.
    """
    paid = np.asarray(prices, dtype="float64")
    paid = paid[paid > 0]
    if not len(paid):
        return 0.0, 0.0
    low, high = (_one_digit(q) for q in np.quantile(paid, [1 / 3, 2 / 3]))
    return low, high


def _one_digit(value: float) -> float:
    return float(f"{value:.0e}")


def _price_band(mean_price: float, bounds: tuple[float, float]) -> str:
    if mean_price <= 0:
        return "free"
    low, high = bounds
    return "low" if mean_price <= low else "middle" if mean_price <= high else "high"


def _interests(sums: dict[str, list], chosen: Iterable[int]) -> list[dict[str, float | int]]:
    newest = _newest_period(sums)
    undated = 2.0 ** (-UNDATED_PERIODS / HALF_LIFE_PERIODS) if newest is not None else 1.0
    strengths: dict[int, float] = {}
    counts: dict[int, int] = {}
    for key, (n, without_date, *periods) in sums.items():
        strength = without_date * undated
        if periods and newest is not None:
            # In one order, so that the same sums give the same floats.
            for period, weight in sorted(periods[0].items()):
                strength += weight * 2.0 ** ((int(period) - newest) / HALF_LIFE_PERIODS)
        strengths[int(key)] = strength
        counts[int(key)] = n
    for category in chosen:
        strengths[category] = strengths.get(category, 0.0) + CHOSEN_WEIGHT
    # Summed in one order too: dicts remember the order in which their parts came.
    total = sum(sorted(strengths.values()))
    ranked = sorted(strengths.items(), key=lambda item: (-item[1], item[0]))[:N_INTERESTS]
    return [
        {
            "category": category,
            "weight": round(strength / total, 4),
            "n_events": counts.get(category, 0),
        }
        for category, strength in ranked
    ]


def _newest_period(sums: dict[str, list]) -> int | None:
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


def _folded(sums: dict[str, list]) -> dict[str, list]:
    """The sums with all periods before the last OLDEST_PERIOD added to the oldest kept one.

    Folding early and again later comes to the same as folding once at the end.
    """
    newest = _newest_period(sums)
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


def _added_live(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {
        "sessions": sorted({*one["sessions"], *other["sessions"]}),
        **{name: one[name] + other[name] for name in LIVE_SUMS},
    }


def _moment(state: State, name: str) -> datetime | None:
    return _EPOCH + timedelta(microseconds=state[name]) if name in state else None
